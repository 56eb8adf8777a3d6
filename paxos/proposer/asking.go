package proposer

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// Patience of an asking. A reachable acceptor answers within its own probe's time-out (250 ms by default), a lost message
// costs one repetition.
const (
	askAgain = 100 * paxos.Millisecond
	askTries = 5
)

// asked is what one acceptor says.
type asked struct {
	member   paxos.Member
	answered bool
	gone     bool
	diff     paxos.Span // of its clock from this process's; valid if answered with a clock
	clock    bool
}

// asking is one round of asking every acceptor of each membership that governs a slot in [f, f+α) whether what it promised
// still leads (PROTOCOL P7).
type asking struct {
	round uint64 // tells answers of other rounds apart
	all   []asked
	tries int
	next  paxos.Instant // when to ask again who did not answer
}

// ask begins to ask.
func (sb *standby) ask(g *group, s *step) {
	g.inForce = g.seq.InForce()
	g.invite(s) // PROTOCOL section 6: a standby before it asks
	a := &asking{round: g.p.nextRound()}
	for _, m := range g.inForce {
		for _, member := range m.Acceptors {
			if !slices.ContainsFunc(a.all, func(x asked) bool { return x.member == member }) {
				a.all = append(a.all, asked{member: member})
			}
		}
	}
	sb.asking = a
	g.event(s, paxos.Event{Kind: paxos.EventAsked, Ballot: g.holder.ballot, Text: g.whyAsk()})
	sb.repeat(g, s)
}

// repeat asks who has not answered yet.
func (sb *standby) repeat(g *group, s *step) {
	a := sb.asking
	a.tries++
	a.next = s.now.Add(askAgain)
	for i := range a.all {
		if a.all[i].answered {
			continue
		}
		g.p.request(s, request{purpose: forAsk, group: g, round: a.round, index: i}, paxos.Envelope{
			Log: g.log, Genesis: g.id, To: a.all[i].member.Name,
			Msg: &paxos.Ask{Asker: g.p.cfg.Name, Run: g.p.cfg.Run},
		})
	}
}

// tickAsking asks again, or gives up when nobody else will answer.
func (sb *standby) tickAsking(g *group, s *step) {
	a := sb.asking
	if q := g.holder.peer; q != nil && !g.holder.gone && s.now.Sub(q.renewed) < g.p.cfg.AskAfter {
		sb.rest(g, s, "it is heard again")
		return
	}
	if s.now < a.next {
		return
	}
	if a.tries >= askTries {
		if a.unheard(g) {
			// There is nobody to back off from: after a loss of power everywhere the acceptors are just not up yet, and each doubling
			// would be waited for once they are.
			sb.rest(g, s, "too few acceptors answer")
			sb.notBefore = s.now.Add(g.p.cfg.AskAfter + g.p.rng.span(g.p.cfg.AskAfter))
			return
		}
		sb.refused(g, s, `too few acceptors say "gone"`)
		return
	}
	sb.repeat(g, s)
}

// refused ends the asking and backs off.
func (sb *standby) refused(g *group, s *step, why string) {
	sb.rest(g, s, why)
	sb.notBefore = s.now.Add(g.backOff())
}

// onAskAnswer takes an acceptor's answer, in whatever phase: the ballot and the trim mark in it are true anyway.
func (g *group) onAskAnswer(s *step, q request, m *paxos.AskAnswer) {
	if !g.member(&m.Voter) {
		g.drop(s, m.Name, "answer of no member")
		return
	}
	if !g.credible(s, &m.Voter, true) {
		return
	}
	g.observe(s, m.Promised, m.Name)
	g.tell(s, m.Trimmed)
	switch ph := g.phase.(type) {
	case *standby:
		if q.purpose == forAsk {
			ph.onAnswer(g, s, q, m)
		}
	case *contested:
		if q.purpose == forContest {
			ph.onAnswer(g, s, q, m)
		}
	case *candidate, *leader:
	}
}

func (sb *standby) onAnswer(g *group, s *step, q request, m *paxos.AskAnswer) {
	a := sb.asking
	if a == nil || a.round != q.round {
		return
	}
	x := &a.all[q.index]
	if x.member.Name != m.Name || x.member.Incarnation != m.Incarnation {
		g.drop(s, m.Name, "another incarnation answered")
		return
	}
	x.answered = true
	x.gone = m.Gone != paxos.NotGone && m.State == paxos.LogLive
	if m.Clock != 0 {
		x.clock, x.diff = true, paxos.Span(s.wall-m.Clock)
	}
	sb.judge(g, s)
}

// judge stands once a read quorum of every membership in the window says "gone", if nothing else forbids it.
func (sb *standby) judge(g *group, s *step) {
	a := sb.asking
	for _, m := range g.inForce {
		if !quorum.HasRead(m, a.goneIn(m)) {
			if !slices.ContainsFunc(a.all, func(x asked) bool { return !x.answered }) {
				sb.refused(g, s, `too few acceptors say "gone"`)
			}
			return
		}
	}
	switch diff, ok := a.clockDiff(); {
	case g.next() <= g.told:
		// PROTOCOL P7, P3: the learner was told, and fetches. There is no need to back off from anyone.
		sb.rest(g, s, "trimmed above what is sequenced here")
		sb.notBefore = s.now.Add(g.p.cfg.AskAfter / 2)
	case ok && (diff > g.p.cfg.ClockBound || diff < -g.p.cfg.ClockBound):
		g.event(s, paxos.Event{Kind: paxos.EventClock, N: int64(diff), Text: "the clock here is too far from the acceptors'"})
		sb.refused(g, s, "clock out of bounds")
	default:
		g.stand(s, "gone: "+g.whyAsk(), false)
	}
}

// unheard reports whether so few acceptors of a membership answered that no candidate could have won.
func (a *asking) unheard(g *group) bool {
	for _, m := range g.inForce {
		n := 0
		for i := range a.all {
			if x := &a.all[i]; x.answered && m.Index(x.member.Name, x.member.Incarnation) >= 0 {
				n++
			}
		}
		if n < m.Read {
			return true
		}
	}
	return false
}

// goneIn returns the acceptors of m that said "gone".
func (a *asking) goneIn(m *paxos.Membership) quorum.Set {
	var set quorum.Set
	for i := range a.all {
		if x := &a.all[i]; x.gone {
			if k := m.Index(x.member.Name, x.member.Incarnation); k >= 0 {
				set.Add(k)
			}
		}
	}
	return set
}

// clockDiff returns how far this process's clock is from the median of the answering acceptors' (PROTOCOL Q5).
func (a *asking) clockDiff() (paxos.Span, bool) {
	var diffs []paxos.Span
	for i := range a.all {
		if a.all[i].clock {
			diffs = append(diffs, a.all[i].diff)
		}
	}
	if len(diffs) == 0 {
		return 0, false
	}
	slices.Sort(diffs)
	return diffs[len(diffs)/2], true
}
