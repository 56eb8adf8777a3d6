package learner

import (
	"errors"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// PROTOCOL L2, its schedule: L@5 proposes w to a minority; P@6 chooses v; L learns v and beacons "chosen to 1". A learner that
// holds accept(1, 5, w) must not take w by P's mark, nor by any mark that is not 5's own; L's own mark stops before slot 1.
func TestL2MarkNeedsExactlyItsBallotsValue(t *testing.T) {
	g := testGenesis(8)
	w := newTruth(g)
	w.add(text("v"))
	l5, p6 := ballot(5, "l"), ballot(6, "p")
	r := newRig(g).settled()
	r.accept(l5, 1, text("w"))
	r.beacon(p6, 1, w.hashes[1])
	expect(t, r)
	if r.l.Known() != 1 {
		t.Fatalf("known chosen is %d, want 1", r.l.Known())
	}
	r.accept(p6, 1, text("v"))
	expect(t, r, "v")
}

// PROTOCOL L2: a mark takes what its ballot proposed, whether accept or beacon came first, and nothing above n.
func TestL2MarkTakesItsBallotsValues(t *testing.T) {
	g := testGenesis(8)
	w := newTruth(g)
	b := ballot(1, "p1")
	for _, s := range []string{"x", "y", "z"} {
		w.add(text(s))
	}
	r := newRig(g)
	r.accept(b, 1, text("x"))
	r.accept(b, 3, text("z"))
	r.beacon(b, 2, w.hashes[2])
	expect(t, r, "x")
	r.accept(b, 2, text("y"))
	expect(t, r, "x", "y")
	r.beacon(b, 3, w.hashes[3])
	expect(t, r, "x", "y", "z")
	if got, _ := r.l.BallotOf(3); got != b {
		t.Fatalf("ballot %v", got)
	}
}

// PROTOCOL L2: a value above the mark is not taken, though it comes after the mark and is its ballot's own.
func TestL2NothingAboveTheMark(t *testing.T) {
	g := testGenesis(8)
	w := newTruth(g)
	b := ballot(1, "p1")
	w.add(text("x"))
	w.add(text("y"))
	r := newRig(g)
	r.beacon(b, 2, w.hashes[2])
	r.accept(b, 3, text("z"))
	r.accept(b, 2, text("y"))
	r.accept(b, 1, text("x"))
	expect(t, r, "x", "y")
}

// A mark above the window counts once the window has come to it.
func TestL2MarkAboveTheWindow(t *testing.T) {
	g := testGenesis(2)
	w := newTruth(g)
	b := ballot(1, "p1")
	for _, s := range []string{"x", "y", "z", "u"} {
		w.add(text(s))
	}
	r := newRig(g)
	r.beacon(b, 4, w.hashes[4])
	for _, s := range []paxos.Slot{4, 3, 2, 1} {
		r.accept(b, s, w.value(s))
	}
	expect(t, r, "x", "y", "z", "u")
}

// A withdrawn ballot's mark means nothing any more.
func TestL2WithdrawnMark(t *testing.T) {
	g := testGenesis(8)
	b := ballot(1, "p1")
	r := newRig(g)
	r.beacon(b, 1, paxos.Hash{1})
	r.l.OnBeacon(r.now, "p1", &paxos.BeaconItem{Genesis: g.ID, Ballot: b, Withdrawn: true}, &r.out)
	r.accept(b, 1, text("x"))
	if expect(t, r); r.l.Stopped() != nil {
		t.Fatal(r.l.Stopped())
	}
}

// A beacon of another genesis is another log's.
func TestBeaconOfAnotherGenesis(t *testing.T) {
	r := newRig(testGenesis(8))
	r.l.OnBeacon(r.now, "p1", &paxos.BeaconItem{Genesis: paxos.GenesisID{9}, Ballot: ballot(1, "p1"), Chosen: 7}, &r.out)
	if r.l.Known() != 0 {
		t.Fatal("taken")
	}
}

// PROTOCOL L5: a mark whose hash differs at a slot that was handed over stops the log, whether it comes before or after.
func TestL5MarkMismatchStops(t *testing.T) {
	g := testGenesis(8)
	b := ballot(1, "p1")
	for name, first := range map[string]bool{"mark first": true, "mark last": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(g)
			if first {
				r.beacon(b, 1, paxos.Hash{0xbd})
			}
			r.accept(b, 1, text("x"))
			r.vote("a", b, 1, text("x"))
			r.vote("b", b, 1, text("x"))
			if !first {
				r.beacon(b, 1, paxos.Hash{0xbd})
			}
			_, events := r.take()
			if !errors.Is(r.l.Stopped(), ErrDiverged) || !hasEvent(events, paxos.EventDiverged) {
				t.Fatalf("stopped: %v", r.l.Stopped())
			}
			r.accept(b, 2, text("y"))
			r.vote("a", b, 2, text("y"))
			r.vote("b", b, 2, text("y"))
			expect(t, r, "x")
		})
	}
}

// A learner that always lags behind the newest beacon still compares hashes: the oldest mark that it was told stays to be checked.
func TestL5LaggingLearnerStillCompares(t *testing.T) {
	g := testGenesis(8)
	b := ballot(1, "p1")
	r := newRig(g)
	r.beacon(b, 2, paxos.Hash{0xbd})
	for n := paxos.Slot(1); n <= 3; n++ {
		r.beacon(b, n+2, paxos.Hash{0xbd})
		if r.l.Stopped() == nil {
			r.accept(b, n, noop())
		}
	}
	if !errors.Is(r.l.Stopped(), ErrDiverged) {
		t.Fatalf("stopped: %v", r.l.Stopped())
	}
}

// A leader completes its slots by votes only (PROTOCOL P1): neither a mark nor another learner's answer chooses for it.
func TestP1VotesOnly(t *testing.T) {
	g := testGenesis(8)
	w := newTruth(g)
	w.add(text("x"))
	b := ballot(1, "p1")
	r := newRig(g, "l2").settled()
	r.beacon(b, 1, w.hashes[1])
	r.wait(100 * paxos.Millisecond)
	requests, _ := r.take()
	if len(requests) != 1 || requests[0].To != "l2" {
		t.Fatalf("requests %v", requests)
	}
	r.l.SetVotesOnly(true)
	if r.answer(requests[0].Request, "l2", w.answer("l2", 1, 1, 1, 1)) {
		t.Fatal("a learner's answer was taken")
	}
	r.accept(b, 1, text("x"))
	r.beacon(b, 1, w.hashes[1])
	r.wait(1 * paxos.Second)
	expect(t, r)
	r.vote("a", b, 1, text("x"))
	r.vote("c", b, 1, text("x"))
	expect(t, r, "x")
}

// told tells the rig's learner what b's leader says is chosen, with values.
func (r *rig) told(b paxos.Ballot, n paxos.Slot, hash paxos.Hash, values ...paxos.SlotValue) {
	r.l.OnChosen(r.now, b.Proposer, &paxos.ChosenMsg{Ballot: b, Through: n, Hash: hash, Values: values}, &r.out)
}

func slotValue(t paxos.Slot, s string) paxos.SlotValue {
	v := text(s)
	return paxos.SlotValue{Slot: t, Checksum: paxos.Sum(v), Value: v}
}

// PROTOCOL L2: a leader's mark comes with the values that only acceptors were asked to vote for; those that came before by accepts are covered, too.
func TestL2MarkComesWithValues(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	b := ballot(1, "p1")
	r := newRig(g).settled()
	r.accept(b, 2, text("y"))
	r.told(b, 2, w.hashes[2], slotValue(1, "x"), slotValue(3, "z"))
	expect(t, r, "x", "y")
	r.told(b, 2, w.hashes[2], slotValue(1, "x")) // again
	r.told(b, 3, w.hashes[3])
	expect(t, r, "x", "y")
	if r.l.Known() != 3 {
		t.Fatalf("slot 3 is chosen: known is %d", r.l.Known())
	}
	r.told(b, 3, w.hashes[3], slotValue(3, "z"))
	expect(t, r, "x", "y", "z")
}

// PROTOCOL L2, N1: a mark covers values of its own ballot alone, and is that of the ballot's proposer.
func TestL2MarkWithValuesOfAnother(t *testing.T) {
	g := testGenesis(8)
	w := newTruth(g)
	w.add(text("v"))
	r := newRig(g).settled()
	r.accept(ballot(5, "l"), 1, text("w"))
	r.told(ballot(6, "p"), 1, w.hashes[1])
	expect(t, r)
	m := &paxos.ChosenMsg{Ballot: ballot(7, "q"), Through: 1, Hash: w.hashes[1], Values: []paxos.SlotValue{slotValue(1, "w")}}
	r.l.OnChosen(r.now, "l", m, &r.out)
	expect(t, r)
	r.told(ballot(6, "p"), 1, w.hashes[1], slotValue(1, "v"))
	expect(t, r, "v")
}

// PROTOCOL L5: a leader's mark whose hash is another than one's own ends the copy.
func TestL5MarkWithValuesDiffers(t *testing.T) {
	g := testGenesis(8)
	r := newRig(g).settled()
	r.told(ballot(1, "p1"), 1, paxos.Hash{1}, slotValue(1, "x"))
	if err := r.l.Stopped(); !errors.Is(err, ErrDiverged) {
		t.Fatalf("stopped: %v", err)
	}
}
