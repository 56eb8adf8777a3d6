package learner

import (
	"errors"
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

func expect(t *testing.T, r *rig, want ...string) {
	t.Helper()
	if got := r.values(); !slices.Equal(got, want) {
		t.Fatalf("chosen %q, want %q", got, want)
	}
}

func hasEvent(events []paxos.Event, kind paxos.EventKind) bool {
	return slices.ContainsFunc(events, func(e paxos.Event) bool { return e.Kind == kind })
}

// PROTOCOL L1: a write quorum of distinct incarnations, one ballot, and that ballot's value in hand.
func TestL1QuorumAndValueChoose(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	r := newRig(testGenesis(8))
	r.accept(b, 1, v)
	r.vote("a", b, 1, v)
	expect(t, r)
	r.vote("b", b, 1, v)
	expect(t, r, "x")
	if got, ok := r.l.BallotOf(1); !ok || got != b {
		t.Fatalf("ballot of slot 1 is %v, %v", got, ok)
	}

	r = newRig(testGenesis(8)) // votes first: the order of connections is not given (PROTOCOL N5)
	r.vote("c", b, 1, v)
	r.vote("a", b, 1, v)
	expect(t, r)
	r.accept(b, 1, v)
	expect(t, r, "x")
}

// PITFALLS 8: the same acceptor counted twice.
func TestL1SameAcceptorCountsOnce(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	r := newRig(testGenesis(8))
	r.accept(b, 1, v)
	for range 3 {
		r.vote("a", b, 1, v)
	}
	expect(t, r)
}

// PITFALLS 8: votes of two ballots added up, though their bytes are equal.
func TestL1BallotsAreNotAdded(t *testing.T) {
	b1, b2, v := ballot(1, "p1"), ballot(2, "p2"), text("x")
	r := newRig(testGenesis(8))
	r.accept(b1, 1, v)
	r.accept(b2, 1, v)
	r.vote("a", b1, 1, v)
	r.vote("b", b2, 1, v)
	expect(t, r)
	r.vote("a", b2, 1, v)
	expect(t, r, "x")
	if got, _ := r.l.BallotOf(1); got != b2 {
		t.Fatalf("chosen at %v, want %v", got, b2)
	}
}

// PROTOCOL L1, PITFALLS 1, 17: a wiped disk is a stranger, and so is an acceptor of no membership.
func TestL1StrangersDoNotCount(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	r := newRig(testGenesis(8))
	r.accept(b, 1, v)
	r.vote("a", b, 1, v)
	wiped := voterOf("b")
	wiped.Incarnation = incarnation("b", 2)
	r.voteAs(wiped, b, 1, v)
	r.vote("d", b, 1, v)
	_, events := r.take()
	if !hasEvent(events, paxos.EventDropped) {
		t.Fatal("strangers' votes were dropped without an event")
	}
	expect(t, r)
	r.vote("b", b, 1, v)
	expect(t, r, "x")
}

// PROTOCOL L1: the value must be that of the ballot voted for, even where another ballot's has the same checksum.
func TestL1NeedsTheVotedBallotsValue(t *testing.T) {
	b1, b2, v := ballot(1, "p1"), ballot(2, "p2"), text("x")
	r := newRig(testGenesis(8))
	r.accept(b1, 1, v)
	r.vote("a", b2, 1, v)
	r.vote("b", b2, 1, v)
	expect(t, r)
	r.accept(b2, 1, v)
	expect(t, r, "x")
}

// PROTOCOL L1: "it must be equal": votes whose checksums differ at one slot and ballot end the log here.
func TestL1UnequalChecksumsStop(t *testing.T) {
	b := ballot(1, "p1")
	for name, act := range map[string]func(r *rig){
		"vote after vote":   func(r *rig) { r.vote("a", b, 2, text("x")); r.vote("b", b, 2, text("y")) },
		"vote after value":  func(r *rig) { r.accept(b, 2, text("x")); r.vote("b", b, 2, text("y")) },
		"value after vote":  func(r *rig) { r.vote("b", b, 2, text("y")); r.accept(b, 2, text("x")) },
		"value after value": func(r *rig) { r.accept(b, 2, text("x")); r.accept(b, 2, text("y")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(testGenesis(8))
			act(r)
			_, events := r.take()
			if !errors.Is(r.l.Stopped(), ErrConflict) || !hasEvent(events, paxos.EventDiverged) {
				t.Fatalf("stopped %v, events %v", r.l.Stopped(), events)
			}
			r.accept(b, 1, text("w"))
			r.vote("a", b, 1, text("w"))
			r.vote("b", b, 1, text("w"))
			expect(t, r)
		})
	}
}

// Two quorums that chose different values are a broken protocol: the process must not go on.
func TestTwoChosenValuesViolate(t *testing.T) {
	b1, b2 := ballot(1, "p1"), ballot(2, "p2")
	r := newRig(testGenesis(8))
	for _, a := range []string{"a", "b"} {
		r.vote(a, b1, 2, text("x"))
	}
	defer func() {
		if _, ok := recover().(*paxos.Violation); !ok {
			t.Fatal("two chosen values went unnoticed")
		}
	}()
	for _, a := range []string{"b", "c"} {
		r.vote(a, b2, 2, text("y"))
	}
}

// A later ballot may choose the same bytes again: adoption copies them.
func TestChosenTwiceWithEqualBytes(t *testing.T) {
	b1, b2, v := ballot(1, "p1"), ballot(2, "p2"), text("x")
	r := newRig(testGenesis(8))
	r.vote("a", b1, 1, v)
	r.vote("b", b1, 1, v)
	r.vote("b", b2, 1, v)
	r.vote("c", b2, 1, v)
	r.accept(b2, 1, v)
	expect(t, r, "x")
	r.vote("a", b2, 1, v)
	if r.l.Stopped() != nil {
		t.Fatal(r.l.Stopped())
	}
}

// A vote at the chosen ballot, or above it, for other bytes than those sequenced proves that the slot was not safe.
func TestLateVoteForAnotherValueStops(t *testing.T) {
	b1 := ballot(2, "p1")
	for _, late := range []paxos.Ballot{b1, ballot(3, "p2")} {
		r := newRig(testGenesis(8))
		r.accept(b1, 1, text("x"))
		r.vote("a", b1, 1, text("x"))
		r.vote("b", b1, 1, text("x"))
		expect(t, r, "x")
		r.vote("c", ballot(1, "p1"), 1, text("old")) // below the chosen ballot: it was never chosen, and need not be equal
		if r.l.Stopped() != nil {
			t.Fatal(r.l.Stopped())
		}
		r.vote("c", late, 1, text("y"))
		if !errors.Is(r.l.Stopped(), ErrConflict) {
			t.Fatalf("another value at %v: stopped: %v", late, r.l.Stopped())
		}
	}
}

// Values are sequenced in slot order, whatever order they were chosen in (PITFALLS 13: a hole stalls what is above it).
func TestSlotOrder(t *testing.T) {
	b := ballot(1, "p1")
	r := newRig(testGenesis(8))
	for _, s := range []paxos.Slot{3, 2, 1} {
		v := text(string(rune('w' + s)))
		expect(t, r)
		r.accept(b, s, v)
		r.vote("a", b, s, v)
		r.vote("b", b, s, v)
	}
	expect(t, r, "x", "y", "z")
}

// PROTOCOL P2: nobody counts for a slot whose membership is undefined. The change in slot 1 gives slot 9 to {a, d, e}: votes that
// came before it was sequenced count by that membership, not by the old one.
func TestP2NobodyCountsBeforeTheMembershipIsDefined(t *testing.T) {
	g := testGenesis(8)
	b := ballot(1, "p1")
	change := command(&value.SetMembership{Replaces: 1, Membership: paxos.Membership{
		Epoch: 2, Acceptors: members("a", "d", "e"), Read: 2, Write: 2,
	}})
	choose := func(r *rig, t paxos.Slot, v []byte, voters ...string) {
		r.accept(b, t, v)
		for _, a := range voters {
			r.vote(a, b, t, v)
		}
	}
	r := newRig(g)
	choose(r, 9, text("nine"), "a", "b") // a quorum of the old acceptors, for a slot that is not theirs
	if r.l.Status().Parked != 3 {
		t.Fatalf("parked %d messages, want 3", r.l.Status().Parked)
	}
	for s := paxos.Slot(2); s <= 8; s++ {
		choose(r, s, noop(), "a", "b")
	}
	choose(r, 1, change, "a", "b")
	want := []string{"command", "noop", "noop", "noop", "noop", "noop", "noop", "noop"}
	expect(t, r, want...)
	r.vote("b", b, 9, text("nine"))
	r.vote("c", b, 9, text("nine"))
	expect(t, r, want...)
	r.vote("d", b, 9, text("nine")) // a's early vote and d's are a quorum of slot 9's own membership
	expect(t, r, append(want, "nine")...)
}

// PROTOCOL P2, P1's schedule seen by a learner: while two memberships govern the window, each slot counts its own acceptors' votes.
func TestP2EachSlotCountsItsOwnMembership(t *testing.T) {
	b := ballot(1, "p1")
	r := newRig(testGenesis(8))
	choose := func(t paxos.Slot, v []byte, voters ...string) {
		r.accept(b, t, v)
		for _, a := range voters {
			r.vote(a, b, t, v)
		}
	}
	choose(1, command(&value.SetMembership{Replaces: 1, Membership: paxos.Membership{
		Epoch: 2, Acceptors: members("a", "d", "e"), Read: 2, Write: 2,
	}}), "a", "b")
	for s := paxos.Slot(3); s <= 8; s++ {
		choose(s, noop(), "b", "c")
	}
	choose(9, text("nine"), "b", "c") // two of the old acceptors, in a slot that is not theirs
	choose(2, noop(), "d", "e")       // two of the new ones, likewise
	expect(t, r, "command")
	choose(2, noop(), "b", "c")
	want := []string{"command", "noop", "noop", "noop", "noop", "noop", "noop", "noop"}
	expect(t, r, want...)
	choose(9, text("nine"), "d", "e")
	expect(t, r, append(want, "nine")...)
}

// What waits for its membership is bounded, in slots and in bytes.
func TestP2ParkedIsBounded(t *testing.T) {
	r := newRigWith(testGenesis(8), Config{BufferBytes: 40 << 10})
	b, v := ballot(1, "p1"), text(string(make([]byte, 1000)))
	r.accept(b, 17, v) // beyond twice the window
	if n := r.l.Status().Parked; n != 0 {
		t.Fatalf("parked %d messages for a slot that no leader may propose yet", n)
	}
	for i := range uint64(100) {
		r.accept(ballot(i+1, "p1"), 9, v)
	}
	if s := r.l.Status(); s.Buffered > 10<<10 || s.Parked == 0 {
		t.Fatalf("parked %d messages, %d bytes", s.Parked, s.Buffered)
	}
}

// PROTOCOL A9: a lower boot is stale; a lower number within a boot says nothing against a vote.
func TestA9StaleBootsAndLowerNumbers(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	at := func(name string, boot, run, written uint64) paxos.Voter {
		w := voterOf(name)
		w.Boot, w.Run, w.Written = boot, run, written
		return w
	}
	r := newRig(testGenesis(8))
	r.accept(b, 1, v)
	r.voteAs(at("a", 2, 20, 50), b, 3, v)
	r.voteAs(at("a", 1, 10, 40), b, 1, v) // an earlier start: dropped
	r.vote("b", b, 1, v)
	expect(t, r)
	r.voteAs(at("a", 2, 20, 45), b, 1, v) // overtaken within its start: true, and counts
	expect(t, r, "x")
}

// PROTOCOL A9: two runs with one boot, or a write number that went back, exclude a store: its votes are taken back.
func TestA9ProvenStoresAreExcluded(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	at := func(boot, run, written uint64) paxos.Voter {
		w := voterOf("a")
		w.Boot, w.Run, w.Written = boot, run, written
		return w
	}
	for name, second := range map[string]paxos.Voter{
		"two runs with one boot":        at(2, 21, 60),
		"higher boot with lower number": at(3, 30, 40),
		"lower boot with higher number": at(1, 10, 60),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(testGenesis(8))
			r.voteAs(at(2, 20, 50), b, 1, v)
			r.voteAs(second, b, 2, v)
			_, events := r.take()
			if !hasEvent(events, paxos.EventExcluded) {
				t.Fatalf("events %v", events)
			}
			r.accept(b, 1, v)
			r.vote("b", b, 1, v)
			expect(t, r)
			r.vote("c", b, 1, v)
			expect(t, r, "x")
		})
	}
}

// PROTOCOL Q6: a command that this build does not know stops the log here, and nothing after it is handed over.
func TestQ6UnknownCommandStops(t *testing.T) {
	b := ballot(1, "p1")
	r := newRig(testGenesis(8))
	unknown := compose(value.Item{Kind: value.ItemCommand, Body: []byte{0xee, 0xff, 0xff, 0xff, 0, 0, 0, 0}})
	for i, v := range [][]byte{text("x"), unknown, text("y")} {
		s := paxos.Slot(i + 1)
		r.accept(b, s, v)
		r.vote("a", b, s, v)
		r.vote("b", b, s, v)
	}
	_, events := r.take()
	expect(t, r, "x")
	if r.l.Stopped() == nil || !hasEvent(events, paxos.EventUpgrade) || r.l.Through() != 1 {
		t.Fatalf("stopped %v, through %d, events %v", r.l.Stopped(), r.l.Through(), events)
	}
}

// PROTOCOL N1: an accept or a mark of a ballot that is not its sender's.
func TestN1ForeignBallotsAreDropped(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	r := newRig(testGenesis(8))
	r.l.OnAccept(r.now, "p2", &paxos.Accept{Ballot: b, Slot: 1, Checksum: paxos.Sum(v), Value: v}, &r.out)
	r.l.OnBeacon(r.now, "p2", &paxos.BeaconItem{Genesis: r.g.ID, Ballot: b, Chosen: 5}, &r.out)
	r.vote("a", b, 1, v)
	r.vote("b", b, 1, v)
	expect(t, r)
	if r.l.Known() != 0 {
		t.Fatal("a mark of another's ballot was taken")
	}
}

// A candidate finds the values that it adopts by slot, ballot and checksum (PROTOCOL A6).
func TestA6Lookup(t *testing.T) {
	b, v := ballot(1, "p1"), text("x")
	r := newRig(testGenesis(8))
	r.accept(b, 2, v)
	r.accept(b, 12, v) // above the window
	for _, s := range []paxos.Slot{2, 12} {
		if got, ok := r.l.Lookup(s, b, paxos.Sum(v)); !ok || payload(got) != "x" {
			t.Fatalf("slot %d: not found", s)
		}
		if _, ok := r.l.Lookup(s, ballot(2, "p1"), paxos.Sum(v)); ok {
			t.Fatalf("slot %d: found at another ballot", s)
		}
		if _, ok := r.l.Lookup(s, b, paxos.Sum(v)+1); ok {
			t.Fatalf("slot %d: found with another checksum", s)
		}
	}
	if r.l.HighestSeen() != 12 {
		t.Fatalf("highest seen is %d", r.l.HighestSeen())
	}
}
