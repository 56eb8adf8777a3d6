package proposer

import (
	"bytes"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// openSlot is a slot that this leader is to complete: one whose value it proposed, or is about to adopt.
//
//	I1  once value is set it is what was proposed at (slot, ballot), and never changes (PROTOCOL P1).
type openSlot struct {
	slot     paxos.Slot
	value    []byte         // nil: reported, and not in hand yet
	sum      paxos.Checksum // of value
	items    []*item        // of a value composed here, by their place in it; nil otherwise
	want     want           // while value is nil
	asked    paxos.Instant  // when the oldest request in items arrived; zero: there is none
	opened   paxos.Instant
	resendAt paxos.Instant
	wait     paxos.Span
	votes    quorum.Set // at this ballot, of the slot's membership
	chosen   bool       // a write quorum of them; the learner says so in slot order, later
	explain  bool       // an item is to be explained
	quiet    bool       // votes were asked for that nobody else sees: others are to be told that it is chosen
	alone    bool       // the acceptors alone were asked: others are to be given the value
	chosenAt paxos.Instant
	vote     voted // with explain: the vote that completed the quorum
	counted  int   // bytes counted as in flight; of a value that is not in hand, as many as were reported
}

// voted is how long a vote took at its acceptor, as that says; zero where it does not.
type voted struct{ synced, fsync paxos.Span }

// leader completes what Phase 1 reported, then proposes its own values.
//
//	I1  open holds exactly the slots in [through+1, next), in order.
//	I2  start is zero until the term start is proposed; nothing composed of requests is proposed before it is sequenced.
//	I3  generation is zero unless the term start took effect in the log.
type leader struct {
	*term
	since      paxos.Instant
	moved      paxos.Instant // when a slot was last sequenced
	next       paxos.Slot    // to be opened; exclusive bound of what is open
	open       []*openSlot
	unchosen   int // proposed, not chosen yet
	inFlight   int // bytes, this log's share of Proposer.inFlight
	fetching   int
	start      paxos.Slot // of the term start
	generation uint64     // of the subscription
	confirmed  bool       // it stands, and was announced
	queue      queue
	change     *change           // a membership change whose acceptors are being asked (PROTOCOL K4)
	stating    paxos.Slot        // to be stated as stable in the next value; 0: nothing is due
	stated     paxos.Slot        // slot of a stable command in flight; 0: none
	leaving    bool              // an orderly stop: no new requests, everything held is to be acknowledged
	closed     bool              // unsubscribed: nothing more will come
	aloud      bool              // a keeper does not keep up
	marking    bool              // what is sequenced is to be told to learners and standbys,
	untold     []paxos.SlotValue // with these values
}

func (*leader) public() paxos.Phase { return paxos.PhaseLeader }

// serving reports whether the term start is sequenced, so that requests are taken.
func (ld *leader) serving() bool { return ld.generation != 0 }

// lead makes a candidate the leader.
func (g *group) lead(s *step, t *term) {
	ld := &leader{term: t, since: s.now, moved: s.now, next: g.next()}
	ld.queue.init()
	g.enter(s, ld, "promises of a read quorum")
	g.p.beaconSoon()
}

// resign ends a leadership. Requests held are dropped silently, whoever sent them sends again (PROTOCOL section 8, "Plain appends
// at a leader change"); the next beacon withdraws the log.
func (g *group) resign(s *step, why string, wait paxos.Span) {
	ballot := g.phase.at()
	if ld, ok := g.phase.(*leader); ok {
		g.quit(s, ld)
	}
	g.event(s, paxos.Event{Kind: paxos.EventResigned, Ballot: ballot, Text: why})
	g.enter(s, g.newStandby(s, wait+g.jitter()), why)
	g.p.beaconSoon()
}

// quit drops everything that a leader holds, and unsubscribes.
func (g *group) quit(s *step, ld *leader) {
	if ld.generation != 0 && !ld.leaving {
		g.subscribe(s, ld.generation, false)
	}
	g.p.release(ld, ld.inFlight)
	ld.open, ld.queue, ld.change = nil, queue{}, nil
}

func (g *group) subscribe(s *step, generation uint64, start bool) {
	s.out.Subscribe = append(s.out.Subscribe, Subscription{Log: g.log, Genesis: g.id, Generation: generation, Start: start})
}

// slot returns the open slot t, or nil.
func (ld *leader) slot(t paxos.Slot) *openSlot {
	if len(ld.open) == 0 || t < ld.open[0].slot || t >= ld.next {
		return nil
	}
	return ld.open[t-ld.open[0].slot]
}

// pump opens the slots that may be opened: what Phase 1 reported is proposed again, holes below that get no-ops, then comes
// the term start, then what requests are composed into.
func (ld *leader) pump(g *group, s *step) {
	for more := true; more && g.phase == phase(ld); {
		more = ld.advance(g, s)
	}
}

// advance opens the next slot, and reports whether there may be more to do.
func (ld *leader) advance(g *group, s *step) bool {
	if len(ld.open) == 0 {
		ld.next = g.next()
	}
	t := ld.next
	m, ok := g.membershipAt(t)
	if !ok || !ld.mayPropose(g, m, t) {
		return false
	}
	rep, _ := ld.promises.decide(m, t, nil)
	switch {
	case rep.conflict:
		g.event(s, paxos.Event{Kind: paxos.EventDiverged, Slot: t, Ballot: rep.vote.Ballot, Text: "two values reported at one ballot"})
		g.resign(s, "acceptors contradict each other", g.p.cfg.Timeout)
		return false
	case rep.voted:
		return ld.adopt(g, s, t, rep)
	case t <= ld.promises.highest():
		return ld.fillHole(g, s, t)
	case ld.start == 0:
		return ld.proposeStart(g, s, m, t)
	case ld.serving():
		return ld.proposeNext(g, s, t)
	default:
		return false
	}
}

// mayPropose is PROTOCOL P1: the right to send accept(t, ballot). M(t) is m, known since every slot through t−α is sequenced.
func (ld *leader) mayPropose(g *group, m *paxos.Membership, t paxos.Slot) bool {
	return t > g.told && ld.promises.hasRead(m, t, t)
}

// fillHole proposes a no-op in a slot that nobody reported, below one that somebody did (PROTOCOL P4). After the term start such a
// slot is as good as any other.
func (ld *leader) fillHole(g *group, s *step, t paxos.Slot) bool {
	if ld.serving() && (ld.queue.len() > 0 || ld.stating != 0) {
		return ld.proposeNext(g, s, t)
	}
	if !g.p.fits(noopBytes) {
		return g.starve()
	}
	g.event(s, paxos.Event{Kind: paxos.EventHoleFilled, Slot: t, Ballot: ld.ballot})
	ld.propose(g, s, ld.openNext(s), ld.noop(s), nil)
	return true
}

// noopBytes is more than a no-op takes.
const noopBytes = 256

func (ld *leader) noop(s *step) []byte {
	return value.Encode(nil, &value.Value{Origin: ld.ballot, Stamp: s.wall})
}

// proposeStart proposes the term start (PROTOCOL P6), above everything reported and everything chosen (P4): in the first free slot
// from which on a read quorum of the slot's membership reported nothing more.
func (ld *leader) proposeStart(g *group, s *step, m *paxos.Membership, t paxos.Slot) bool {
	if !ld.promises.hasRead(m, t, g.lastOf(m)) {
		return false
	}
	if !g.p.fits(noopBytes) {
		return g.starve()
	}
	v := value.Encode(nil, &value.Value{
		Origin: ld.ballot, Stamp: s.wall,
		Items: []value.Item{{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.TermStart{})}},
	})
	ld.start = t
	ld.propose(g, s, ld.openNext(s), v, nil)
	return true
}

// openNext opens slot next.
func (ld *leader) openNext(s *step) *openSlot {
	o := &openSlot{slot: ld.next, opened: s.now}
	ld.open = append(ld.open, o)
	ld.next++
	return o
}

// propose sends accept(o.slot, ballot, v): the one value that this ballot ever proposes there.
func (ld *leader) propose(g *group, s *step, o *openSlot, v []byte, items []*item) {
	m, ok := g.membershipAt(o.slot)
	paxos.Assert(ok && ld.mayPropose(g, m, o.slot), "log %q: no right to propose slot %d at %s", g.log, o.slot, ld.ballot)
	paxos.Assert(o.value == nil, "log %q slot %d: a second value at %s", g.log, o.slot, ld.ballot)
	o.value, o.sum, o.items = v, paxos.Sum(v), items
	o.wait = g.p.cfg.ResendFirst
	o.resendAt = s.now.Add(o.wait)
	g.p.reserve(ld, len(v)-o.counted)
	o.counted = len(v)
	ld.unchosen++
	o.quiet = g.p.cfg.Quiet && !ld.aloud
	o.alone = o.quiet && len(v) <= g.p.cfg.AloneBytes
	ld.sendAccept(g, s, o, o.quiet)
	g.learner.OwnAccept(s.now, o.slot, ld.ballot, o.sum, v, &g.p.fromLearner)
	g.drain(s)
}

func (ld *leader) sendAccept(g *group, s *step, o *openSlot, quiet bool) {
	g.broadcast(s, &paxos.Accept{Ballot: ld.ballot, Slot: o.slot, Checksum: o.sum, Value: o.value, Explain: o.explain, Quiet: quiet, Alone: quiet && o.alone}, true)
}

// onVotes counts votes at this ballot, so that what is chosen, but waits for an earlier slot, is neither sent again nor counted as
// in flight. Only the learner says what is chosen.
func (ld *leader) onVotes(g *group, s *step, m *paxos.Learn) {
	if m.Ballot != ld.ballot {
		return
	}
	for i := range m.Votes {
		o := ld.slot(m.Votes[i].Slot)
		if o == nil || o.chosen || o.value == nil || o.sum != m.Votes[i].Checksum {
			continue
		}
		in, ok := g.membershipAt(o.slot)
		if !ok {
			continue
		}
		k := in.Index(m.Name, m.Incarnation)
		if k < 0 {
			continue
		}
		o.votes.Add(k)
		if quorum.HasWrite(in, o.votes) {
			o.completedBy(m)
			ld.markChosen(g, s, o)
		}
	}
}

// completedBy notes what the vote that completes the quorum says of its time.
func (o *openSlot) completedBy(m *paxos.Learn) {
	for i := range m.Times {
		if t := &m.Times[i]; t.Slot == o.slot {
			o.vote = voted{t.Synced, t.Fsync}
		}
	}
}

// markChosen takes a slot out of flight, be it one whose value was still fetched and that an older ballot's votes have chosen.
func (ld *leader) markChosen(g *group, s *step, o *openSlot) {
	if o.chosen {
		return
	}
	o.chosen, o.chosenAt = true, s.now
	if o.asked != 0 {
		g.event(s, paxos.Event{Kind: paxos.EventVoted, Slot: o.slot, Ballot: ld.ballot, N: int64(s.now.Sub(o.opened))})
	}
	if o.value != nil {
		ld.unchosen--
	}
	g.p.release(ld, o.counted)
	g.touch()
}

// onChosen takes the next slot of the log: chosen, and sequenced.
func (ld *leader) onChosen(g *group, s *step, c *learner.Chosen) {
	ld.promises.forget(c.Slot)
	ld.moved = s.now
	switch {
	case c.Ballot.IsZero():
		// It came from a learner: this ballot may not vouch for it (PROTOCOL L2).
		g.resign(s, "a slot came without its ballot", 0)
		return
	case ld.ballot.Less(c.Ballot):
		g.observe(s, c.Ballot, "")
		return
	}
	var o *openSlot
	if len(ld.open) > 0 {
		o = ld.open[0]
		paxos.Assert(o.slot == c.Slot, "log %q: slot %d is sequenced, %d is open", g.log, c.Slot, o.slot)
		ld.open[0] = nil
		ld.open = ld.open[1:]
		ld.cancelWant(o)
		ld.markChosen(g, s, o)
	}
	g.touch()
	if o != nil && o.value != nil && !ld.completed(g, s, o, c) {
		return
	}
	if c.Slot == ld.start {
		ld.started(g, s, c)
	}
}

// completed compares the chosen value with what was proposed, and answers whose requests are in it.
func (ld *leader) completed(g *group, s *step, o *openSlot, c *learner.Chosen) bool {
	same := bytes.Equal(o.value, c.Applied.Value)
	paxos.Assert(same || c.Ballot != ld.ballot, "log %q slot %d: another value was chosen at the own ballot %s", g.log, c.Slot, c.Ballot)
	if !same { // PROTOCOL P1
		g.resign(s, "another value was chosen in an own slot", 0)
		return false
	}
	g.event(s, paxos.Event{Kind: paxos.EventChosen, Slot: c.Slot, Ballot: ld.ballot, N: int64(s.now.Sub(o.opened))})
	if o.items != nil {
		ld.answer(g, s, o, &c.Applied)
	}
	if o.alone {
		ld.untold = append(ld.untold, paxos.SlotValue{Slot: o.slot, Checksum: o.sum, Value: o.value})
	}
	ld.marking = ld.marking || o.quiet
	if o.asked != 0 {
		g.event(s, paxos.Event{Kind: paxos.EventAnswered, Slot: c.Slot, Ballot: ld.ballot, N: int64(o.chosenAt)})
	}
	return true
}

// started subscribes once the term start is sequenced, if it took effect (PROTOCOL P6).
func (ld *leader) started(g *group, s *step, c *learner.Chosen) {
	if c.Applied.TermStart != ld.ballot {
		g.resign(s, "the term start has no effect: a higher one comes before it", 0)
		return
	}
	g.p.generation++
	ld.generation = g.p.generation
	g.failures = 0
	g.subscribe(s, ld.generation, true)
	g.event(s, paxos.Event{Kind: paxos.EventTermStart, Slot: c.Slot, Ballot: ld.ballot})
	g.p.beaconSoon()
}

// onSubscribed announces the leader to clients.
func (ld *leader) onSubscribed(g *group, s *step) {
	if ld.confirmed {
		return
	}
	ld.confirmed = true
	g.broadcast(s, &paxos.Leader{Ballot: ld.ballot, Last: g.seq.LastOffset()}, false)
}

// tick resigns if it must, sends again what was not answered, and states what is stable.
func (ld *leader) tick(g *group, s *step) {
	if why, ok := ld.mustResign(g, s); ok {
		g.resign(s, why, g.p.cfg.Timeout/2)
		return
	}
	g.tickPrepare(s, ld.term, ld.next)
	ld.resend(g, s)
	ld.tickWants(g, s)
	ld.tickChange(g, s)
	ld.aloud = g.stability.lags(g, s.now)
	g.stability.tick(g, s, ld)
}

// resend sends accepts again that were not chosen in time, the oldest first.
func (ld *leader) resend(g *group, s *step) {
	sent := 0
	for i, o := range ld.open {
		if o.value == nil || s.now < o.resendAt || sent > resendBytes {
			continue
		}
		o.wait = min(2*o.wait, g.p.cfg.ResendMax)
		o.resendAt = s.now.Add(o.wait)
		if o.chosen && i > 0 {
			continue // it waits for an earlier slot
		}
		sent += len(o.value)
		g.event(s, paxos.Event{Kind: paxos.EventRetransmit, Slot: o.slot, Ballot: ld.ballot})
		ld.sendAccept(g, s, o, false) // whatever is wrong, all see it now
	}
}
