package proposer

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// phase is what a group is at the moment: *standby, *candidate, *leader or *contested.
type phase interface {
	// public is what this phase is to others. A contested leader no longer leads.
	public() paxos.Phase
	// at is the ballot it holds; zero for a standby.
	at() paxos.Ballot
}

// group is what the proposer is to one log.
//
//	I1  seen never goes back, and an own candidacy's ballot was above everything seen when it began.
//	I2  told never goes back.
//	I3  lastOwn rises with each candidacy.
type group struct {
	p       *Proposer
	log     string
	id      paxos.GenesisID
	genesis *paxos.Genesis
	record  []byte // value.EncodeGenesis
	learner *learner.Learner
	seq     *sequencer.Sequencer // for reading; the learner applies to it

	phase   phase
	seen    paxos.Ballot // highest ballot seen anywhere
	lastOwn paxos.Ballot
	told    paxos.Slot    // highest trim mark told (PROTOCOL P3)
	added   paxos.Instant // when the group began

	holder   holder // who leads, as far as beacons say
	failures int    // askings and candidacies in a row that led nowhere

	conflictUntil paxos.Instant // another genesis of this log was heard (PROTOCOL section 6)

	inForce   []*paxos.Membership // governing a slot in [f, f+α), ascending
	stability stability

	announced   bool // by a beacon, and not withdrawn yet
	lastBeacon  paxos.BeaconItem
	dirty       bool // Flush has work here
	starved     bool // has work that waits for bytes in flight
	full        bool // K5, as last seen
	stoppedSeen bool // the learner's stop was acted on
	restarting  bool // the service was told to begin again from a checkpoint
}

// next is f: the first slot that is not sequenced here.
func (g *group) next() paxos.Slot { return g.seq.Next() }

func (g *group) through() paxos.Slot { return g.seq.Through() }

// event reports what happened in this log.
func (g *group) event(s *step, ev paxos.Event) {
	ev.Log = g.log
	s.out.Events = append(s.out.Events, ev)
}

func (g *group) drop(s *step, from, why string) {
	g.event(s, paxos.Event{Kind: paxos.EventDropped, Name: from, Text: why})
}

// broadcast sends m about this log to whoever listens.
func (g *group) broadcast(s *step, m paxos.Message, bulk bool) {
	s.send(paxos.Envelope{Log: g.log, Genesis: g.id, From: g.p.cfg.Name, Bulk: bulk, Msg: m})
}

// touch asks for Flush's attention.
func (g *group) touch() {
	if !g.dirty {
		g.dirty = true
		g.p.dirty = append(g.p.dirty, g)
	}
}

// enter changes the phase.
func (g *group) enter(s *step, ph phase, why string) {
	was, is := g.phase.public(), ph.public()
	g.phase = ph
	_, standby := ph.(*standby)
	g.learner.SetVotesOnly(!standby) // PROTOCOL P1: slots at or above f by votes only
	if was != is {
		g.event(s, paxos.Event{Kind: paxos.EventPhase, Ballot: ph.at(), N: int64(is), Text: why})
	}
	g.touch()
}

// observe takes note of a ballot seen anywhere. Whoever holds a lower one stops at once (PROTOCOL P6, P8).
func (g *group) observe(s *step, b paxos.Ballot, from string) {
	if b.Compare(g.seen) <= 0 {
		return
	}
	if b.Round > g.seen.Round && b.Round-g.seen.Round > paxos.MaxRoundJump {
		// No acceptor follows such a jump (A2): believing it would end our chances for good.
		g.drop(s, from, "round too far above those seen")
		return
	}
	g.seen = b
	switch ph := g.phase.(type) {
	case *candidate:
		g.giveUp(s, "a higher ballot was seen: "+b.String())
	case *leader:
		g.contest(s, ph, b)
	case *contested:
		ph.begin(g, s, b)
	case *standby:
	}
}

// tell takes note of a trim mark that a member told: every slot through t is chosen, and what an acceptor reports there
// means nothing (PROTOCOL P3). Whoever still has to complete such a slot cannot.
func (g *group) tell(s *step, t paxos.Slot) {
	if t <= g.told {
		return
	}
	g.told = t
	g.learner.KnownChosen(t)
	if t <= g.through() {
		return
	}
	switch g.phase.(type) {
	case *candidate:
		g.giveUp(s, "trimmed above what is sequenced here")
	case *leader:
		g.resign(s, "trimmed above what is sequenced here", 0)
	case *contested:
		g.resign(s, "trimmed above what is sequenced here", 0)
	case *standby:
	}
}

// membershipAt returns the membership that governs t, if it is defined (PROTOCOL P2).
func (g *group) membershipAt(t paxos.Slot) (*paxos.Membership, bool) { return g.seq.MembershipAt(t) }

// lastOf returns the last slot that m governs, as far as is known.
func (g *group) lastOf(m *paxos.Membership) paxos.Slot {
	for _, o := range g.inForce {
		if o.From > m.From {
			return o.From - 1
		}
	}
	return paxos.MaxSlot
}

// member reports whether v is an acceptor of a membership in force.
func (g *group) member(v *paxos.Voter) bool {
	for _, m := range g.inForce {
		if m.Index(v.Name, v.Incarnation) >= 0 {
			return true
		}
	}
	return false
}

// credible reports whether what a member's store says may count (PROTOCOL A9). ordered is set for what is of use only in the
// order in which it was sent: reports and answers to probes.
func (g *group) credible(s *step, v *paxos.Voter, ordered bool) bool {
	verdict, proof := g.p.witness.Observe(v)
	if proof != "" {
		g.event(s, paxos.Event{Kind: paxos.EventExcluded, Name: v.Name, Text: proof})
	}
	switch verdict {
	case learner.Fresh:
		return true
	case learner.LowerNumber:
		return !ordered
	default:
		g.drop(s, v.Name, "earlier boot, or excluded")
		return false
	}
}

// drain hands on what the learner asked for, and reacts to what it sequenced.
func (g *group) drain(s *step) {
	lo := &g.p.fromLearner
	s.out.Events = append(s.out.Events, lo.Events...)
	for i := range lo.Requests {
		g.forward(s, &lo.Requests[i])
	}
	if lo.NeedCheckpoint && !g.restarting {
		g.restarting = true // until ReplaceLog
		s.out.NeedCheckpoint = append(s.out.NeedCheckpoint, g.id)
	}
	for i := range lo.Chosen {
		g.onChosen(s, &lo.Chosen[i])
	}
	lo.Reset()
	g.checkStopped(s)
}

// forward sends a request of the learner.
func (g *group) forward(s *step, env *paxos.Envelope) {
	if len(g.p.requests.table) >= maxRequests {
		return // it asks again
	}
	g.p.requests.table[env.Request] = request{purpose: forLearner, group: g, until: s.now.Add(requestLife)}
	s.send(*env)
}

// onChosen reacts to a slot that was chosen and sequenced: first what concerns every phase, then the phase's own.
func (g *group) onChosen(s *step, c *learner.Chosen) {
	a := &c.Applied
	if a.Membership != nil || len(g.inForce) > 1 {
		g.inForce = g.seq.InForce()
	}
	g.stability.onChosen(g, s, a)
	switch ph := g.phase.(type) {
	case *leader:
		ph.onChosen(g, s, c)
	case *candidate:
		ph.promises.forget(c.Slot)
	case *standby, *contested:
	}
	if a.Membership != nil {
		g.onMembership(s)
	}
	g.observe(s, c.Ballot, "")
	g.observe(s, a.Origin, "")
}

// onMembership reacts to a newly chosen membership: its acceptors are told of the log (PROTOCOL section 6), and Phase 1 runs
// with them at the same ballot (PROTOCOL P1).
func (g *group) onMembership(s *step) {
	switch ph := g.phase.(type) {
	case *candidate:
		ph.promises.keep(g.inForce)
		ph.prepareSoon()
		g.invite(s)
	case *leader:
		ph.promises.keep(g.inForce)
		ph.prepareSoon()
		g.invite(s)
	case *standby, *contested:
	}
	g.touch()
}

// invite makes the acceptors live that a chosen membership added: any proposer that has sequenced it may say so.
func (g *group) invite(s *step) {
	for _, m := range g.inForce {
		if m.Epoch == 1 {
			continue
		}
		g.broadcast(s, &paxos.GenesisMsg{
			Step: paxos.GenesisJoin, ID: g.id, Record: g.recordBytes(), Sender: g.p.cfg.Name, Run: g.p.cfg.Run, Membership: m,
		}, false)
	}
}

// recordBytes returns the genesis record.
func (g *group) recordBytes() []byte {
	if g.record == nil {
		g.record = value.EncodeGenesis(g.genesis)
	}
	return g.record
}

// checkStopped ends what this process does for a log that its learner cannot continue (PROTOCOL Q6, L5).
func (g *group) checkStopped(s *step) {
	if g.stoppedSeen || g.learner.Stopped() == nil {
		return
	}
	g.stoppedSeen = true
	switch g.phase.(type) {
	case *candidate:
		g.giveUp(s, "the log stopped here")
	case *leader, *contested:
		g.resign(s, "the log stopped here", 0)
	case *standby:
	}
}
