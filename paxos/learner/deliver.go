package learner

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// OnAccept takes a value that the proposer named from asks the acceptors to vote for. The value is kept as it is and must not
// be changed any more.
func (l *Learner) OnAccept(_ paxos.Instant, from string, m *paxos.Accept, out *Output) {
	if l.stopped != nil {
		return
	}
	if m.Ballot.Proposer != from || m.Ballot.IsZero() || m.Slot == 0 { // PROTOCOL N1
		l.drop(out, m.Slot, m.Ballot, from, "foreign ballot")
		return
	}
	l.accept(m.Slot, m.Ballot, m.Checksum, m.Value, false, out)
	l.settle(out)
}

// OwnAccept takes a value with its checksum that this process itself proposes at ballot b. It is not copied, and not counted against the buffer's
// bound: what a proposer has in flight is bounded already (PROTOCOL P11).
func (l *Learner) OwnAccept(_ paxos.Instant, t paxos.Slot, b paxos.Ballot, sum paxos.Checksum, value []byte, out *Output) {
	if l.stopped != nil {
		return
	}
	l.accept(t, b, sum, value, true, out)
	l.settle(out)
}

// OnChosen takes values that the proposer named from asked the acceptors alone to vote for, with its mark (PROTOCOL L2). The values are kept as
// they are and must not be changed any more.
func (l *Learner) OnChosen(_ paxos.Instant, from string, m *paxos.ChosenMsg, out *Output) {
	if l.stopped != nil {
		return
	}
	if m.Ballot.Proposer != from || m.Ballot.IsZero() { // PROTOCOL N1
		l.drop(out, m.Through, m.Ballot, from, "foreign ballot")
		return
	}
	for i := range m.Values {
		if v := &m.Values[i]; l.stopped == nil && v.Slot > 0 && v.Slot <= m.Through {
			l.accept(v.Slot, m.Ballot, v.Checksum, v.Value, false, out)
		}
	}
	if l.stopped == nil {
		l.mark(m.Ballot, m.Through, m.Hash, out)
		l.settle(out)
	}
}

// OnLearn takes the votes that an acceptor publishes.
func (l *Learner) OnLearn(_ paxos.Instant, m *paxos.Learn, out *Output) {
	if l.stopped != nil || !l.credible(&m.Voter, out) {
		return
	}
	for i := range m.Votes {
		l.vote(&m.Voter, m.Votes[i].Slot, m.Ballot, m.Votes[i].Checksum, out)
	}
	l.settle(out)
}

// OnBeacon takes what the beacon of the proposer named from says of this log (PROTOCOL L2, L3).
func (l *Learner) OnBeacon(_ paxos.Instant, from string, item *paxos.BeaconItem, out *Output) {
	if l.stopped != nil || item.Genesis != l.cfg.Genesis.ID {
		return
	}
	if item.Ballot.Proposer != from { // PROTOCOL N1
		l.drop(out, item.Chosen, item.Ballot, from, "foreign ballot")
		return
	}
	if item.Withdrawn {
		l.marks.withdraw(item.Ballot)
		return
	}
	l.mark(item.Ballot, item.Chosen, item.ChosenHash, out)
	l.settle(out)
}

// mark takes a chosen mark: at or below n, and only there, a value of that very ballot is the chosen one.
func (l *Learner) mark(b paxos.Ballot, n paxos.Slot, hash paxos.Hash, out *Output) {
	if n <= l.win.base {
		if own, ok := l.hashes.at(n); ok && own != hash {
			l.diverged(out, n, b, fmt.Sprintf("hash at slot %d is %v here and %v in the beacon of %v", n, own, hash, b))
		}
		return
	}
	l.KnownChosen(n)
	l.marked = max(l.marked, n)
	if l.repair.votesOnly || !l.marks.add(b, n, hash) {
		return
	}
	for t := l.win.base + 1; t <= min(n, l.win.top); t++ {
		s := l.win.at(t)
		if s == nil {
			continue
		}
		if i := s.find(b); i >= 0 && s.tallies[i].held {
			l.decide(s, i, false, out)
		}
	}
}

// accept takes the value of accept(t, b).
func (l *Learner) accept(t paxos.Slot, b paxos.Ballot, sum paxos.Checksum, value []byte, own bool, out *Output) {
	l.seen = max(l.seen, t)
	switch {
	case t <= l.win.base:
		if d, ok := l.decisions.at(t); ok && d.ballot == b && d.sum != sum {
			l.conflict(out, t, b, "two values at one ballot")
		}
		return
	case !l.win.holds(t):
		l.park(parkedItem{slot: t, ballot: b, sum: sum, value: value, own: own}, out)
		return
	}
	s := l.win.touch(t)
	w := weightAccept
	if own {
		w = weightOwn
	}
	i := l.tallyOf(s, b, w)
	if i < 0 {
		l.drop(out, t, b, "", "too many ballots in one slot")
		return
	}
	y := &s.tallies[i]
	if y.held && y.sum != sum || y.votes.Len() > 0 && y.voteSum != sum {
		l.conflict(out, t, b, "two values at one ballot")
		return
	}
	if y.held {
		return
	}
	if !own && !l.win.room(t, len(value), l.cfg.BufferBytes) {
		l.drop(out, t, b, "", "buffer full")
		return
	}
	l.hold(s, i, sum, value, own)
	l.count(l.governs(t), s, i, out) // another ballot's quorum may have decided the slot without a value
	if !l.repair.votesOnly && l.marks.covers(t, b) {
		l.decide(s, i, false, out)
	}
}

// hold keeps the value of tally i.
func (l *Learner) hold(s *slotState, i int, sum paxos.Checksum, value []byte, own bool) {
	y := &s.tallies[i]
	y.value, y.sum, y.held, y.own = value, sum, true, own
	if !own {
		l.win.bytes += len(value)
	}
	if s.decided == i {
		l.win.ready++
	}
}

// vote counts one vote (PROTOCOL L1). The voter is credible already.
func (l *Learner) vote(v *paxos.Voter, t paxos.Slot, b paxos.Ballot, sum paxos.Checksum, out *Output) {
	l.seen = max(l.seen, t)
	switch {
	case t <= l.win.base:
		l.lateVote(t, b, sum, out)
		return
	case !l.win.holds(t): // PROTOCOL P2
		l.park(parkedItem{slot: t, ballot: b, sum: sum, vote: true, voter: *v}, out)
		return
	}
	m := l.governs(t)
	k := m.Index(v.Name, v.Incarnation)
	if k < 0 {
		l.drop(out, t, b, v.Name, "vote of no member")
		return
	}
	s := l.win.touch(t)
	i := l.tallyOf(s, b, weightVotes)
	if i < 0 {
		l.drop(out, t, b, v.Name, "too many ballots in one slot")
		return
	}
	y := &s.tallies[i]
	if y.held && y.sum != sum || y.votes.Len() > 0 && y.voteSum != sum {
		l.conflict(out, t, b, "two values at one ballot")
		return
	}
	y.voteSum = sum
	y.votes.Add(k)
	l.count(m, s, i, out)
}

// lateVote looks at a vote for a slot that is sequenced. It changes nothing, unless it proves that the slot's value was not
// safe: whoever accepts at a higher ballot than the chosen one accepts the same bytes.
func (l *Learner) lateVote(t paxos.Slot, b paxos.Ballot, sum paxos.Checksum, out *Output) {
	d, ok := l.decisions.at(t)
	if ok && d.sum != sum && !d.ballot.IsZero() && d.ballot.Compare(b) <= 0 {
		l.conflict(out, t, b, fmt.Sprintf("another value was chosen at %v", d.ballot))
	}
}

// credible reports whether what a store says may count (PROTOCOL A9). Strangers to every membership in the window are let
// through unwatched: each vote is judged by its own slot's membership, and they cannot fill the Witness.
func (l *Learner) credible(v *paxos.Voter, out *Output) bool {
	if !l.member(v) {
		return true
	}
	verdict, proof := l.witness.Observe(v)
	switch verdict {
	case Fresh, LowerNumber:
		return true
	case StaleBoot:
		l.drop(out, 0, paxos.Ballot{}, v.Name, "earlier boot")
		return false
	case Excluded:
	}
	if proof != "" {
		l.event(out, paxos.Event{Kind: paxos.EventExcluded, Name: v.Name, Text: proof})
		l.forgetVotes(v)
	}
	return false
}

// member reports whether v is a member of a membership that governs the window.
func (l *Learner) member(v *paxos.Voter) bool {
	for _, m := range l.governing {
		if m.Index(v.Name, v.Incarnation) >= 0 {
			return true
		}
	}
	return false
}

// forgetVotes takes back the votes of a store that is proved wrong, wherever nothing was decided by them yet.
func (l *Learner) forgetVotes(v *paxos.Voter) {
	for t := l.win.base + 1; t <= l.win.top; t++ {
		s := l.win.at(t)
		if s == nil || s.decided != undecided {
			continue
		}
		if k := l.governs(t).Index(v.Name, v.Incarnation); k >= 0 {
			for i := range s.tallies {
				s.tallies[i].votes &^= 1 << k
			}
		}
	}
}

// governs returns the membership of slot t, which must lie in the window.
func (l *Learner) governs(t paxos.Slot) *paxos.Membership {
	for i := len(l.governing) - 1; i > 0; i-- {
		if l.governing[i].From <= t {
			return l.governing[i]
		}
	}
	return l.governing[0]
}

// tallyOf returns the index of ballot b's tally, making one if there is room. Otherwise the newcomer takes the place of what matters least,
// if that matters less: accepts of candidates that nobody voted for must not keep the votes of the chosen ballot out, which may be
// lower than all of them.
func (l *Learner) tallyOf(s *slotState, b paxos.Ballot, w weight) int {
	if i := s.find(b); i >= 0 {
		return i
	}
	if len(s.tallies) < maxTallies {
		s.tallies = append(s.tallies, tally{ballot: b})
		return len(s.tallies) - 1
	}
	i := s.least()
	if !s.tallies[i].yields(w, b) {
		return -1
	}
	l.win.forgetBytes(&s.tallies[i])
	s.tallies[i] = tally{ballot: b}
	return i
}

// park keeps a message for a slot above the window until the window reaches it, if it fits and is not too far: a leader
// proposes at most α above what it has sequenced, so what lies farther than that from here comes again by a fetch.
func (l *Learner) park(it parkedItem, out *Output) {
	if uint64(it.slot-l.win.base) > 2*l.win.size || !l.parked.add(it, l.cfg.BufferBytes/parkedShare) {
		l.drop(out, it.slot, it.ballot, it.voter.Name, "membership undefined")
	}
}

func (l *Learner) drop(out *Output, t paxos.Slot, b paxos.Ballot, name, why string) {
	l.event(out, paxos.Event{Kind: paxos.EventDropped, Slot: t, Ballot: b, Name: name, Text: why})
}

func (l *Learner) event(out *Output, ev paxos.Event) {
	ev.Log = l.cfg.Genesis.Log
	out.Events = append(out.Events, ev)
}
