package sim

import (
	"math/rand/v2"

	"github.com/paxosd/paxosd/paxos"
)

// inflict lets a fault happen.
func (w *world) inflict(f *fault) {
	p, q, n := w.procs[f.who], w.procs[f.other], &w.network
	r := f.generator(w.o.Seed)
	switch f.kind {
	case faultCrash:
		p.crash("killed")
		w.until(f, p.start)
	case faultSend:
		p.fuseSend = 1 + r.IntN(40)
		w.until(f, p.start)
	case faultPersist:
		p = w.one(r, paxos.RoleAcceptor)
		p.fusePersist = 1 + r.IntN(10)
		w.until(f, p.start)
	case faultAll:
		for _, x := range w.procs {
			if x.role != paxos.RoleNone && chance(r, 0.5+f.size/2) {
				x.crash("killed with others")
				w.after(span(r, 300*paxos.Millisecond), func() { w.unlessCalm(x.start) })
			}
		}
	case faultCut, faultHeld:
		p.disconnect(f.kind == faultHeld)
		w.until(f, p.reconnect)
	case faultDeafTo:
		n.isolate(p, false, true)
		w.until(f, func() { n.isolate(p, false, false) })
	case faultMute:
		n.isolate(p, true, false)
		w.until(f, func() { n.isolate(p, false, false) })
	case faultIsolate:
		n.isolate(p, true, true)
		w.until(f, func() { n.isolate(p, false, false) })
	case faultOneWay:
		setCut(p, q, true)
		w.until(f, func() { setCut(p, q, false) })
	case faultSplit:
		n.split = 1 + r.IntN(w.profile.brokers)
		w.until(f, func() { n.split = 0 })
	case faultBurst:
		n.late, n.lateUntil = between(r, 10*paxos.Millisecond, 400*paxos.Millisecond), w.now.Add(f.last)
	case faultLoss:
		n.loss = 0.4 * f.size
		w.until(f, func() { n.loss = 0 })
	case faultDup:
		n.dup = 0.5 * f.size
		w.until(f, func() { n.dup = 0 })
	case faultSlowNet:
		n.slow = 0.5 * f.size
		w.until(f, func() { n.slow = 0 })
	case faultReorder:
		n.reorder = true
		w.until(f, func() { n.reorder = false })
	case faultFalse503:
		n.false503 = 0.5 * f.size
		w.until(f, func() { n.false503 = 0 })
	case faultPause:
		if p.up() {
			p.paused = w.now.Add(f.last)
		}
	case faultJump:
		p.skew += span(r, 20*paxos.Second) - 10*paxos.Second
	case faultDrift:
		p.drift(1 + (r.Float64()-0.5)/5)
	case faultCandidate:
		p = w.one(r, paxos.RoleProposer)
		p.deaf = true
		w.until(f, func() { p.deaf = false })
	case faultGhost:
		w.ghost(r)
	case faultTwoBallots:
		w.twoBallots(f, r)
	case faultHoles:
		w.holes(f, r)
	case faultBehind:
		w.behind(f, r)
	case faultHandOver:
		p = w.one(r, paxos.RoleProposer)
		if s, ok := p.svc.(*proposerService); ok {
			s.handOver()
		}
		w.until(f, p.start)
	case faultMembership, faultKeepers:
		w.command(r, f.kind)
	default:
		w.inflictDisk(f, r)
	}
}

// unlessCalm does something later only while things still go wrong.
func (w *world) unlessCalm(do func()) {
	if !w.calm {
		do()
	}
}

// one draws a process of a role.
func (w *world) one(r *rand.Rand, role paxos.Role) *process {
	var all []*process
	for _, p := range w.procs {
		if p.role == role && !p.twin {
			all = append(all, p)
		}
	}
	return all[r.IntN(len(all))]
}

// drift changes the rate of a process's clock; what it shows now stays.
func (p *process) drift(rate float64) {
	now := p.clock()
	p.rate = rate
	p.base += now.Sub(p.clock())
}

// ghost lets an acceptor hear of a candidate that is never heard of again: of the newest ballot, or of one that comes late.
func (w *world) ghost(r *rand.Rand) {
	p := w.one(r, paxos.RoleAcceptor)
	a, ok := p.svc.(*acceptorService)
	if !ok || len(w.logs) == 0 || p.paused > w.now {
		return
	}
	l := w.logs[r.IntN(len(w.logs))]
	round := uint64(0)
	for _, q := range w.procs {
		if q.votes != nil {
			if d := find(q.votes.memory, l.gen.ID); d != nil {
				round = max(round, d.promised.Round)
			}
		}
	}
	if late := r.Uint64N(6); late > 2 {
		round = max(round, late-2) - (late - 2)
	}
	a.deliver(&paxos.Envelope{
		Log: l.gen.Log, Genesis: l.gen.ID, From: "zz",
		Msg: &paxos.Prepare{Ballot: paxos.Ballot{Round: round + 1, Proposer: "zz", Run: r.Uint64()}, From: l.through() + 1},
	})
}
