package learner

import (
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/sequencer"
)

// count decides the slot if its membership's write quorum voted for tally i (PROTOCOL L1).
func (l *Learner) count(m *paxos.Membership, s *slotState, i int, out *Output) {
	if s.decided == i && s.voted || !quorum.HasWrite(m, s.tallies[i].votes) {
		return
	}
	l.decide(s, i, true, out)
}

// decide takes note that tally i of s is chosen: voted for by a write quorum, or at or below its own ballot's mark.
func (l *Learner) decide(s *slotState, i int, voted bool, out *Output) {
	if l.stopped != nil {
		return
	}
	if j := s.decided; j != undecided {
		if j != i && chosenSum(&s.tallies[j]) != chosenSum(&s.tallies[i]) {
			l.twoChosen(s, i, voted, out)
		}
		// The slot keeps the first decision, unless only the other one has its value in hand.
		if j == i || s.tallies[j].held || !s.tallies[i].held {
			s.voted = s.voted || voted && j == i
			return
		}
	}
	s.decided, s.voted = i, voted
	if s.tallies[i].held {
		l.win.ready++
	}
}

// chosenSum is the checksum of what y's ballot proposes: the votes' or the value's, which are equal where both are known.
func chosenSum(y *tally) paxos.Checksum {
	if y.held {
		return y.sum
	}
	return y.voteSum
}

// twoChosen ends it: one slot has two chosen values. With full quorums for both, counted here, the protocol itself is broken
// and the process must not go on; with a proposer's word for one of them, this log must not.
func (l *Learner) twoChosen(s *slotState, i int, voted bool, out *Output) {
	a, b := &s.tallies[s.decided], &s.tallies[i]
	if voted && s.voted {
		paxos.Violated("log %q slot %d: quorums chose checksum %x at %v and %x at %v",
			l.cfg.Genesis.Log, s.slot, chosenSum(a), a.ballot, chosenSum(b), b.ballot)
	}
	l.conflict(out, s.slot, b.ballot, fmt.Sprintf("another value was chosen at %v", a.ballot))
}

// settle sequences all that can be, and what that lets in from above the window.
func (l *Learner) settle(out *Output) {
	for l.stopped == nil {
		l.drain(out)
		if !l.settleByRead(out) && !l.admit(out) {
			break
		}
	}
	l.repair.progress(l.win.base + 1)
}

// drain sequences the decided slots at the head of the line.
func (l *Learner) drain(out *Output) {
	for l.stopped == nil && l.win.ready > 0 {
		s := l.win.at(l.win.base + 1)
		if s == nil || !s.ready() {
			return
		}
		y := &s.tallies[s.decided]
		l.apply(y.ballot, y.sum, y.value, out)
	}
}

// admit moves parked messages into the window as far as it has come. It reports whether there were any.
func (l *Learner) admit(out *Output) bool {
	l.unpark = l.parked.take(l.unpark[:0], l.win.last())
	for i := range l.unpark {
		it := &l.unpark[i]
		switch {
		case l.stopped != nil:
		case !it.vote:
			l.accept(it.slot, it.ballot, it.sum, it.value, it.own, out)
		case l.credible(&it.voter, out):
			l.vote(&it.voter, it.slot, it.ballot, it.sum, out)
		}
	}
	n := len(l.unpark)
	clear(l.unpark)
	return n > 0
}

// apply sequences value in the next slot and hands it over. It reports false if the log stopped.
func (l *Learner) apply(b paxos.Ballot, sum paxos.Checksum, value []byte, out *Output) bool {
	t := l.win.base + 1
	applied, err := l.seq.Apply(t, value)
	if err != nil {
		l.refused(t, b, err, out)
		return false
	}
	out.Chosen = append(out.Chosen, Chosen{Slot: t, Ballot: b, Checksum: sum, Applied: applied})
	l.win.advance()
	if !l.joining {
		l.handed = t
	}
	l.hashes.push(applied.Hash)
	l.decisions.put(decision{slot: t, ballot: b, sum: sum})
	l.known = max(l.known, t)
	l.seen = max(l.seen, t)
	if applied.Membership != nil || len(l.governing) > 1 {
		l.governing = l.seq.InForce()
	}
	if t > minHashes && applied.Stable > 0 {
		l.hashes.forget(min(applied.Stable-1, t-minHashes))
	}
	if bad, differs := l.marks.reached(t, applied.Hash); differs {
		l.diverged(out, t, bad.ballot, fmt.Sprintf("hash at slot %d is %v here and %v in the beacon of %v", t, applied.Hash, bad.checkHash, bad.ballot))
		return false
	}
	return true
}

// refused stops the log because the sequencer cannot take a chosen value.
func (l *Learner) refused(t paxos.Slot, b paxos.Ballot, err error, out *Output) {
	kind := paxos.EventDiverged
	if errors.Is(err, sequencer.ErrUpgrade) { // PROTOCOL Q6
		kind = paxos.EventUpgrade
	}
	l.stop(out, kind, t, b, fmt.Errorf("sequence log %q slot %d: %w", l.cfg.Genesis.Log, t, err))
}

// diverged stops the log because what was handed over contradicts it (PROTOCOL L5).
func (l *Learner) diverged(out *Output, t paxos.Slot, b paxos.Ballot, text string) {
	if l.joining { // nothing of the answer was handed over yet
		l.conflict(out, t, b, text)
		return
	}
	l.stop(out, paxos.EventDiverged, t, b, fmt.Errorf("learn log %q: %s: %w", l.cfg.Genesis.Log, text, ErrDiverged))
}

// conflict stops the log because messages prove that an invariant is broken elsewhere.
func (l *Learner) conflict(out *Output, t paxos.Slot, b paxos.Ballot, text string) {
	l.stop(out, paxos.EventDiverged, t, b, fmt.Errorf("learn log %q slot %d ballot %v: %s: %w", l.cfg.Genesis.Log, t, b, text, ErrConflict))
}

func (l *Learner) stop(out *Output, kind paxos.EventKind, t paxos.Slot, b paxos.Ballot, err error) {
	if l.stopped != nil {
		return
	}
	l.stopped = err
	l.event(out, paxos.Event{Kind: kind, Slot: t, Ballot: b, Text: err.Error()})
}
