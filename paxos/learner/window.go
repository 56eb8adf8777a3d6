package learner

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// maxTallies bounds the ballots kept for one slot. More than two meet in one slot only while leaders change quickly; the
// newest win, and what is lost by that is repaired.
const maxTallies = 4

// undecided marks a slot of which nothing is known to be chosen.
const undecided = -1

// tally is what is known of one ballot in one slot: its value, the votes for it, or both. Votes are never added over ballots
// (PITFALLS 8).
type tally struct {
	ballot  paxos.Ballot
	value   []byte         // of accept(slot, ballot), valid if held
	sum     paxos.Checksum // of value, valid if held
	voteSum paxos.Checksum // that every vote in votes names, valid if votes is not empty
	votes   quorum.Set     // of the members of M(slot)
	held    bool
	own     bool // proposed by this process, which bounds it itself; not counted in window.bytes
}

// slotState is what is known of one slot of the window.
type slotState struct {
	slot    paxos.Slot // 0: unused
	decided int        // index of the chosen tally, or undecided
	voted   bool       // decided by a write quorum of votes, not by a mark
	tallies []tally
}

func (s *slotState) reset(t paxos.Slot) {
	clear(s.tallies)
	s.slot, s.decided, s.voted, s.tallies = t, undecided, false, s.tallies[:0]
}

// find returns the index of ballot b's tally, or -1.
func (s *slotState) find(b paxos.Ballot) int {
	for i := range s.tallies {
		if s.tallies[i].ballot == b {
			return i
		}
	}
	return -1
}

// ready reports whether the slot is decided and its value is in hand.
func (s *slotState) ready() bool { return s.decided != undecided && s.tallies[s.decided].held }

// weight orders tallies by what would be lost with them: what this process proposed itself, votes, an accept that nobody voted for.
type weight uint8

const (
	weightAccept weight = iota
	weightVotes
	weightOwn
)

func (y *tally) weight() weight {
	switch {
	case y.held && y.own:
		return weightOwn
	case y.votes.Len() > 0:
		return weightVotes
	default:
		return weightAccept
	}
}

// yields reports whether a tally of this weight and ballot is kept before y.
func (y *tally) yields(w weight, b paxos.Ballot) bool {
	return w > y.weight() || w == y.weight() && !b.Less(y.ballot)
}

// least returns the index of the tally that matters least, never the decided one; -1: there is none.
func (s *slotState) least() int {
	low := -1
	for i := range s.tallies {
		if i != s.decided && (low < 0 || s.tallies[i].yields(s.tallies[low].weight(), s.tallies[low].ballot)) {
			low = i
		}
	}
	return low
}

// window holds the state of the slots in (base, base+size], where base is the newest sequenced slot and size is α: exactly
// those whose membership is defined (PROTOCOL P2). It is a ring that grows with the slots in use.
//
//	I1  bytes is the length of all held values that are not own.
//	I2  ready is the number of slots that are decided with their value in hand.
//	I3  no slot above top has been touched.
type window struct {
	base  paxos.Slot
	size  uint64
	top   paxos.Slot
	ring  []slotState // of a power of two; slot t is at t mod its length
	bytes int
	ready int
}

// firstRing is the length of the ring that the first touched slot makes; an idle log has none.
const firstRing = 64

// holds reports whether t lies in the window.
func (w *window) holds(t paxos.Slot) bool { return t > w.base && uint64(t-w.base) <= w.size }

// last returns the last slot of the window.
func (w *window) last() paxos.Slot {
	if uint64(w.base) > uint64(paxos.MaxSlot)-w.size {
		return paxos.MaxSlot
	}
	return w.base + paxos.Slot(w.size)
}

// at returns the state of slot t, or nil if nothing is known of it.
func (w *window) at(t paxos.Slot) *slotState {
	if len(w.ring) == 0 || !w.holds(t) {
		return nil
	}
	if s := &w.ring[uint64(t)&uint64(len(w.ring)-1)]; s.slot == t {
		return s
	}
	return nil
}

// touch returns the state of slot t, which must lie in the window, and makes it if there is none.
func (w *window) touch(t paxos.Slot) *slotState {
	w.grow(uint64(t - w.base))
	s := &w.ring[uint64(t)&uint64(len(w.ring)-1)]
	if s.slot != t {
		s.reset(t)
		w.top = max(w.top, t)
	}
	return s
}

// grow makes room for n slots above base.
func (w *window) grow(n uint64) {
	if n <= uint64(len(w.ring)) {
		return
	}
	size := max(firstRing, len(w.ring))
	for uint64(size) < n {
		size *= 2
	}
	ring := make([]slotState, size)
	for i := range w.ring {
		if s := &w.ring[i]; s.slot != 0 {
			ring[uint64(s.slot)&uint64(size-1)] = *s
		}
	}
	w.ring = ring
}

// advance drops what is known of base+1 and moves base onto it.
func (w *window) advance() {
	t := w.base + 1
	if s := w.at(t); s != nil {
		if s.ready() {
			w.ready--
		}
		for i := range s.tallies {
			w.forgetBytes(&s.tallies[i])
		}
		s.reset(0)
	}
	w.base = t
	w.top = max(w.top, t)
}

func (w *window) forgetBytes(y *tally) {
	if y.held && !y.own {
		w.bytes -= len(y.value)
	}
}

// dropValue forgets the value of tally i of s; its votes stay. A decision that a mark made goes with the value that it was about: without
// votes nothing else says what was decided. The mark decides again when the value comes again.
func (w *window) dropValue(s *slotState, i int) {
	if s.ready() && s.decided == i {
		w.ready--
	}
	y := &s.tallies[i]
	w.forgetBytes(y)
	y.value, y.held, y.own, y.sum = nil, false, false, 0
	if s.decided == i && !s.voted {
		s.decided = undecided
	}
}

// room makes room for n bytes for a value of slot t within limit bytes, by dropping values of farther slots, the farthest
// first: the nearest are needed first, and what is dropped can be fetched. It reports false if the value must be dropped
// instead. The slot that everything waits for always gets room.
func (w *window) room(t paxos.Slot, n, limit int) bool {
	for far := w.top; w.bytes+n > limit && far > t; far-- {
		s := w.at(far)
		if s == nil {
			continue
		}
		for i := range s.tallies {
			if y := &s.tallies[i]; y.held && !y.own {
				w.dropValue(s, i)
			}
		}
	}
	if w.bytes+n <= limit {
		return true
	}
	if t != w.base+1 {
		return false
	}
	// The head of the line: only its own lower ballots are left to drop.
	if s := w.at(t); s != nil {
		for i := range s.tallies {
			if y := &s.tallies[i]; y.held && !y.own && i != s.decided {
				w.dropValue(s, i)
			}
		}
	}
	return true
}
