package proposer

import (
	"math"

	"github.com/paxosd/paxosd/paxos"
)

// term is one ballot's attempt to lead a log: what was promised to it. A candidate gathers it, its leader goes on
// gathering: promises of acceptors that were slow, and of memberships that sequencing reveals.
//
//	I1  a ballot serves one candidacy (PROTOCOL A2): ballots of a process only rise.
type term struct {
	ballot      paxos.Ballot
	first       paxos.Slot // f at candidacy
	promises    promises
	prepareAt   paxos.Instant // when to ask again
	prepareWait paxos.Span
}

func (t *term) at() paxos.Ballot { return t.ballot }

// prepareSoon makes the next tick send the prepare again.
func (t *term) prepareSoon() { t.prepareAt, t.prepareWait = 0, 0 }

// candidate gathers promises.
type candidate struct {
	*term
	until paxos.Instant
}

func (*candidate) public() paxos.Phase { return paxos.PhaseCandidate }

// candidacyTimeouts is how many time-outs a candidacy lasts at most: then acceptors hold it to be gone (PROTOCOL P7).
const candidacyTimeouts = 2

// stand begins a candidacy. A raise in place is one too, at a higher round.
func (g *group) stand(s *step, why string, raise bool) {
	if g.seen.Round == math.MaxUint64 {
		return // unreachable: observe follows no jump
	}
	b := paxos.Ballot{Round: g.seen.Round + 1, Proposer: g.p.cfg.Name, Run: g.p.cfg.Run}
	paxos.Assert(g.lastOwn.Less(b), "log %q: ballot %s after %s", g.log, b, g.lastOwn)
	paxos.Assert(g.next() > g.told, "log %q: stands with slot %d first, told %d", g.log, g.next(), g.told)
	g.seen, g.lastOwn = b, b
	c := &candidate{
		term:  &term{ballot: b, first: g.next()},
		until: s.now.Add(candidacyTimeouts * g.p.cfg.Timeout),
	}
	g.inForce = g.seq.InForce()
	g.event(s, paxos.Event{Kind: paxos.EventElection, Slot: c.first, Ballot: b, Text: why})
	if raise {
		why = "raised in place: " + why
	}
	g.enter(s, c, why)
	g.prepare(s, c.term, c.first)
}

// prepare asks every acceptor of the log for its promise from slot from to infinity.
func (g *group) prepare(s *step, t *term, from paxos.Slot) {
	t.prepareWait = min(max(2*t.prepareWait, g.p.cfg.ResendFirst), g.p.cfg.ResendMax)
	t.prepareAt = s.now.Add(t.prepareWait)
	g.broadcast(s, &paxos.Prepare{Ballot: t.ballot, From: from}, false)
}

// giveUp ends a candidacy without having led.
func (g *group) giveUp(s *step, why string) {
	g.enter(s, g.newStandby(s, g.backOff()), why)
}

// tick asks again for promises that are missing.
func (c *candidate) tick(g *group, s *step) {
	if s.now >= c.until {
		g.giveUp(s, "too few promises")
		return
	}
	g.tickPrepare(s, c.term, c.first)
}

// tickPrepare sends the prepare again while a membership that governs slots from next on lacks a read quorum that covers
// them, with From past what everybody has covered: so that lost chunks come.
func (g *group) tickPrepare(s *step, t *term, next paxos.Slot) {
	if s.now < t.prepareAt {
		return
	}
	from, lacks := paxos.MaxSlot, false
	for _, m := range g.inForce {
		last := g.lastOf(m)
		first := max(m.From, next)
		if first > last || t.promises.hasRead(m, first, last) {
			continue
		}
		if lack, ok := t.promises.lacking(m, first, last); ok {
			from, lacks = min(from, lack), true
		}
	}
	if !lacks {
		t.prepareWait = 0
		return
	}
	g.invite(s)
	g.prepare(s, t, from)
}

// onPromise takes a chunk of a promise. Only one that names exactly this term's ballot counts (PITFALLS 4).
func (g *group) onPromise(s *step, m *paxos.Promise) {
	if !g.member(&m.Voter) {
		g.observe(s, m.Ballot, m.Name)
		g.drop(s, m.Name, "promise of no member")
		return
	}
	if !g.credible(s, &m.Voter, false) {
		return
	}
	g.observe(s, m.Ballot, m.Name)
	switch ph := g.phase.(type) {
	case *candidate:
		g.count(s, ph.term, m)
	case *leader:
		g.count(s, ph.term, m)
		g.touch()
	case *standby, *contested:
	}
	if c, ok := g.phase.(*candidate); ok && c.ready(g) {
		g.lead(s, c.term)
	}
}

// count adds the chunk to the term's promises.
func (g *group) count(s *step, t *term, m *paxos.Promise) {
	if m.Ballot != t.ballot {
		return
	}
	// The chunk counts before its trim mark is obeyed: that may end the term.
	if !t.promises.of(paxos.Member{Name: m.Name, Incarnation: m.Incarnation}).add(m, g.through()) {
		g.drop(s, m.Name, "too many reported votes")
	}
	g.tell(s, m.Trimmed)
}

// ready reports whether the candidate is a leader: it meets P1 for its next slot.
func (c *candidate) ready(g *group) bool {
	t := g.next()
	m, ok := g.membershipAt(t)
	return ok && t > g.told && c.promises.hasRead(m, t, t)
}

// onRefuse takes a refusal of this process's prepare or accept (PROTOCOL A7).
func (g *group) onRefuse(s *step, m *paxos.Refuse) {
	if m.Refused.Proposer != g.p.cfg.Name || m.Refused.Run != g.p.cfg.Run {
		g.observe(s, m.Promised, m.Name)
		return
	}
	if !g.member(&m.Voter) || !g.credible(s, &m.Voter, false) {
		return
	}
	switch {
	case m.Reason == paxos.RefusedRound && m.Refused == g.phase.at():
		// The acceptor is far below what was seen elsewhere, which therefore was no real ballot.
		g.drop(s, m.Name, "an acceptor refuses the round as too high")
	case m.Reason == paxos.RefusedFull && m.Refused == g.phase.at():
		g.p.beats.full(paxos.Member{Name: m.Name, Incarnation: m.Incarnation})
	}
	g.observe(s, m.Promised, m.Name)
	g.tell(s, m.Trimmed)
}
