package proposer

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// standby follows a leader, and asks whether it is gone when it falls silent (PROTOCOL P7).
type standby struct {
	since     paxos.Instant
	notBefore paxos.Instant // back-off
	jitter    paxos.Span
	asking    *asking // nil: not asking
}

func (*standby) public() paxos.Phase { return paxos.PhaseStandby }
func (*standby) at() paxos.Ballot    { return paxos.Ballot{} }

// maxBackOff bounds the doubling of the back-off: 2^4 times the silence that makes a standby ask, 1.6 s.
const maxBackOff = 4

// stand down: newStandby makes a standby that lets others go first for the given span.
func (g *group) newStandby(s *step, wait paxos.Span) *standby {
	return &standby{since: s.now, notBefore: s.now.Add(wait), jitter: g.jitter()}
}

// jitter keeps two standbys with equal reasons apart: a fifth of the first silence at most.
func (g *group) jitter() paxos.Span { return g.p.rng.span(g.p.cfg.AskAfter / 5) }

// backOff returns how long to wait after one more failure: doubled each time, and stretched at random (PITFALLS 21).
func (g *group) backOff() paxos.Span {
	d := g.p.cfg.AskAfter << min(g.failures, maxBackOff)
	g.failures++
	return d + g.p.rng.span(d)
}

// tick asks when it is time.
func (sb *standby) tick(g *group, s *step) {
	switch {
	case g.barred(s):
		sb.asking = nil
	case sb.asking != nil:
		sb.tickAsking(g, s)
	case s.now >= sb.due(g) && s.now >= sb.notBefore && g.acquainted(s):
		sb.ask(g, s)
	}
}

// barred reports whether this process may not stand for the log at all, at the moment.
func (g *group) barred(s *step) bool {
	return g.learner.Stopped() != nil || g.p.leaving.begun || !g.p.connected || s.now < g.conflictUntil
}

// acquainted reports whether the learners were asked once for what is missing: a process that has just started and
// knows nothing would only meet trim marks. It waits for them half a time-out at most.
func (g *group) acquainted(s *step) bool {
	return g.learner.CaughtUp() || s.now.Sub(g.added) >= g.p.cfg.Timeout/2
}

// due returns when the silence has lasted long enough. The i-th in the order of succession waits i·δ longer.
func (sb *standby) due(g *group) paxos.Instant {
	cfg := &g.p.cfg
	turn := paxos.Span(g.place()) * cfg.SuccessorStep
	since := max(g.p.connectedAt, sb.since)
	switch {
	case g.holder.peer == nil:
	case g.holder.gone:
		return max(since, g.holder.goneAt).Add(turn + sb.jitter)
	default:
		since = max(since, g.holder.peer.renewed)
	}
	return since.Add(cfg.AskAfter + turn + sb.jitter)
}

// why says what the silence is about.
func (g *group) whyAsk() string {
	switch {
	case g.holder.peer == nil:
		return "no leader was ever heard"
	case g.holder.gone:
		return g.holder.peer.name + ": " + g.holder.why
	default:
		return g.holder.peer.name + " is silent"
	}
}

// place returns this process's place in the order of succession: as the last leader's beacons name it, or before any
// by name. Who is not named goes last.
func (g *group) place() int {
	cfg := &g.p.cfg
	if q := g.holder.peer; q != nil && q.name != cfg.Name {
		if i := slices.Index(q.succession, cfg.Name); i >= 0 {
			return i
		}
		return len(q.succession)
	}
	i := 0
	for _, n := range cfg.Proposers {
		if n < cfg.Name {
			i++
		}
	}
	return i
}

// rest ends the asking without a candidacy.
func (sb *standby) rest(g *group, s *step, why string) {
	sb.asking = nil
	sb.jitter = g.jitter()
	g.event(s, paxos.Event{Kind: paxos.EventAsked, Text: "did not stand: " + why})
}
