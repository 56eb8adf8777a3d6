package acceptor

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// probe is this acceptor's own question to the run whose ballot it promised (PROTOCOL P7). All who ask about that
// promise meanwhile share it. The zero probe is none.
type probe struct {
	request uint64 // of the live request; 0: none under way
	ballot  paxos.Ballot
	since   paxos.Instant
	waiting []paxos.Envelope // asks to be answered, one per asker
}

// onAsk answers whether what this acceptor promised still leads: from what it knows, else by a probe of its own. The
// asker's own 503s and silences count for nothing here.
func (a *Acceptor) onAsk(now paxos.Instant, g *group, env *paxos.Envelope, m *paxos.Ask, out *Output) {
	if !paxos.ValidName(m.Asker) {
		a.drop(env, "malformed ask", out)
		return
	}
	if m.PromiseOnly || !g.live() {
		a.tell(now, g, env, paxos.NotGone, out)
		return
	}
	if why := a.judge(now, g); why != paxos.NotGone {
		a.tell(now, g, env, why, out)
		return
	}
	if g.promised.Proposer == m.Asker && g.promised.Run == m.Run {
		// The owner itself asks whether it still leads, so it does not. Only it is told so: the request may
		// be older than its candidacy.
		a.tell(now, g, env, paxos.GoneNoLonger, out)
		return
	}
	a.wait(now, g, env, m, out)
}

// judge says what is known without a probe. NotGone means "not known to be".
func (a *Acceptor) judge(now paxos.Instant, g *group) paxos.GoneReason {
	if g.promised.IsZero() {
		return paxos.GoneNoPromise
	}
	switch s, at := a.beacons.standing(g.id, g.promised); s {
	case withdrawn:
		return paxos.GoneNoLonger
	case renewed:
		if now.Sub(at) >= a.cfg.Timeout {
			return paxos.GoneSilent
		}
	case neverRenewed:
		if now.Sub(g.promisedAt) >= 2*a.cfg.Timeout {
			return paxos.GoneCandidate
		}
	}
	return paxos.NotGone
}

// wait puts an ask behind the probe of the promise, and begins one if none is under way.
func (a *Acceptor) wait(now paxos.Instant, g *group, env *paxos.Envelope, m *paxos.Ask, out *Output) {
	p := &g.probe
	same := func(w paxos.Envelope) bool {
		o, ok := w.Msg.(*paxos.Ask)
		return ok && o.Asker == m.Asker
	}
	if i := slices.IndexFunc(p.waiting, same); i >= 0 {
		p.waiting[i] = *env // the asker has given up the older one
	} else if len(p.waiting) >= MaxWaitingAsks {
		a.drop(env, "too many asks wait for a probe", out)
		return
	} else {
		p.waiting = append(p.waiting, *env)
	}
	if p.request != 0 {
		return
	}
	p.ballot, p.since = *g.promised, now
	p.request = a.ask(g.log, g.id, p.ballot.Proposer, p.ballot.Run, &paxos.Live{Ballot: p.ballot}, out)
	a.probing = append(a.probing, g)
}

// probed finds the group whose probe the answer env is to.
func (a *Acceptor) probed(env *paxos.Envelope) *group {
	if i := slices.IndexFunc(a.probing, func(g *group) bool { return g.probe.request == env.Request }); i >= 0 {
		return a.probing[i]
	}
	return nil
}

func (a *Acceptor) onLiveAnswer(now paxos.Instant, env *paxos.Envelope, m *paxos.LiveAnswer, out *Output) {
	g := a.probed(env)
	if g == nil || m.Name != g.probe.ballot.Proposer || m.Run != g.probe.ballot.Run {
		a.drop(env, "answer to no question", out)
		return
	}
	why := paxos.GoneNoLonger
	if m.Ballot == g.probe.ballot && m.Phase != paxos.PhaseStandby {
		why = a.judge(now, g)
	}
	a.settle(now, g, why, out)
}

// onNoResponders takes the broker's 503 to one of this process's own requests.
func (a *Acceptor) onNoResponders(now paxos.Instant, env *paxos.Envelope, out *Output) {
	if r := a.beacons.asked[env.Request]; r != nil {
		a.beacons.forgetAsk(r)
		return
	}
	if g := a.probed(env); g != nil {
		a.settle(now, g, paxos.GoneNoResponders, out)
	}
}

// expireProbes answers those whose probe met silence: silence alone proves nothing.
func (a *Acceptor) expireProbes(now paxos.Instant, out *Output) {
	for len(a.probing) > 0 && now.Sub(a.probing[0].probe.since) >= a.cfg.ProbeTimeout {
		g := a.probing[0]
		a.settle(now, g, a.judge(now, g), out)
	}
}

// settle ends the probe and answers all who wait for it.
func (a *Acceptor) settle(now paxos.Instant, g *group, why paxos.GoneReason, out *Output) {
	if g.probe.request == 0 {
		return
	}
	waiting := g.probe.waiting
	g.probe = probe{}
	a.probing = slices.DeleteFunc(a.probing, func(o *group) bool { return o == g })
	for i := range waiting {
		a.tell(now, g, &waiting[i], why, out)
	}
}

// tell answers one ask with the promise as it now is.
func (a *Acceptor) tell(now paxos.Instant, g *group, env *paxos.Envelope, why paxos.GoneReason, out *Output) {
	a.answer(env, false, &paxos.AskAnswer{
		Voter: a.voter(), Promised: *g.promised, Gone: why, Trimmed: g.trimmed,
		Clock: a.clock(now), State: g.held.State, Epoch: g.held.Epoch,
	}, out)
}
