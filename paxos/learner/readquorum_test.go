package learner

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// overwritten is slot 1 after this: w@1 reached c alone; x@2 was chosen by a and b; a candidate at ballot 3 adopted x, reached a, and
// died. No two acceptors hold votes of one ballot any more.
func overwritten() map[string]*paxos.VotesAnswer {
	return map[string]*paxos.VotesAnswer{
		"a": voted("a", ballot(3, "p3"), text("x")),
		"b": voted("b", ballot(2, "p2"), text("x")),
		"c": voted("c", ballot(1, "p1"), text("w")),
	}
}

// voted is an acceptor's answer of one vote in slot 1.
func voted(name string, b paxos.Ballot, v []byte) *paxos.VotesAnswer {
	m := &paxos.VotesAnswer{Voter: voterOf(name), From: 1, To: 1}
	m.Votes = []paxos.VoteValue{{
		VoteInfo: paxos.VoteInfo{Slot: 1, Ballot: b, Checksum: paxos.Sum(v), Bytes: uint32(len(v))}, Value: v,
	}}
	return m
}

func empty(name string) *paxos.VotesAnswer {
	return &paxos.VotesAnswer{Voter: voterOf(name), From: 1, To: 1}
}

// polled lets time pass until all acceptors are asked, and returns the requests' numbers.
func polled(t *testing.T, r *rig) map[string]uint64 {
	t.Helper()
	for range 1000 {
		requests, _ := r.take()
		asked := map[string]uint64{}
		for _, e := range requests {
			if fetchOf(t, e).What == paxos.FetchVotes {
				asked[e.To] = e.Request
			}
		}
		if len(asked) == 3 {
			return asked
		}
		r.wait(10 * paxos.Millisecond)
	}
	t.Fatal("the acceptors were not asked")
	return nil
}

// marked returns a rig without other learners that knows by a beacon that slot 1 is chosen.
func marked() *rig {
	g := testGenesis(8)
	r := newRig(g).settled()
	w := newTruth(g)
	w.add(text("x"))
	r.beacon(ballot(4, "p4"), 1, w.hashes[1])
	return r
}

// PROTOCOL L4: the highest vote of a read quorum decides a slot that was known to be chosen before they were asked: of any read
// quorum, in any order.
func TestL4ReadQuorumDecidesAKnownSlot(t *testing.T) {
	for _, order := range []string{"ab", "ba", "ac", "ca", "bc", "cb"} {
		r, votes := marked(), overwritten()
		asked := polled(t, r)
		first, second := order[:1], order[1:]
		r.answer(asked[first], first, votes[first])
		if expect(t, r); r.answer(asked[first], first, votes[first]) {
			t.Fatal("an acceptor answered twice")
		}
		expect(t, r)
		r.answer(asked[second], second, votes[second])
		expect(t, r, "x")
		if b, ok := r.l.BallotOf(1); ok {
			t.Fatalf("%s: chosen at %v, which nobody can know", order, b)
		}
		if r.l.repair.box.poll != 0 && r.l.repair.box.to >= r.l.win.base+1 {
			t.Fatal("answers are kept for a slot that is sequenced")
		}
	}
}

// What is no answer about the slot by a member's store as it stands does not count for the read quorum.
func TestL4ReadQuorumCountsOnlyWhoAnswered(t *testing.T) {
	for name, change := range map[string]func(r *rig, m *paxos.VotesAnswer){
		"trimmed":             func(_ *rig, m *paxos.VotesAnswer) { m.Trimmed = 1; m.Votes = nil },
		"trimmed without end": func(_ *rig, m *paxos.VotesAnswer) { m.Trimmed = paxos.MaxSlot; m.Votes = nil },
		"covers less":         func(_ *rig, m *paxos.VotesAnswer) { m.From, m.To, m.Votes = 2, 2, nil },
		"another incarnation": func(_ *rig, m *paxos.VotesAnswer) { m.Incarnation = incarnation("b", 2) },
		"votes twice":         func(_ *rig, m *paxos.VotesAnswer) { m.Votes = append(m.Votes, m.Votes[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			r, votes := marked(), overwritten()
			asked := polled(t, r)
			change(r, votes["b"])
			r.answer(asked["b"], "b", votes["b"])
			r.answer(asked["c"], "c", votes["c"])
			expect(t, r)
			r.answer(asked["a"], "a", votes["a"])
			expect(t, r, "x")
		})
	}
}

// PROTOCOL A5 holds here too: an answer says of each slot in its range what was voted there, and nothing of the slots beyond.
func TestL4ReadQuorumCountsPerSlot(t *testing.T) {
	r := newRig(testGenesis(8)).settled()
	w := newTruth(r.g)
	w.add(text("x"))
	w.add(text("y"))
	r.beacon(ballot(4, "p4"), 2, w.hashes[2])
	asked, votes := polled(t, r), overwritten()
	lost := text("v")
	more := func(m *paxos.VotesAnswer, b paxos.Ballot, v []byte) {
		m.To = 2
		m.Votes = append(m.Votes, paxos.VoteValue{VoteInfo: paxos.VoteInfo{Slot: 2, Ballot: b, Checksum: paxos.Sum(v)}, Value: v})
	}
	more(votes["c"], ballot(1, "p1"), lost)
	more(votes["a"], ballot(3, "p3"), text("y"))
	r.answer(asked["b"], "b", votes["b"]) // of slot 1 alone
	r.answer(asked["c"], "c", votes["c"])
	expect(t, r, "x")
	r.answer(asked["a"], "a", votes["a"])
	expect(t, r, "x", "y")
}

// What is put aside is of the box's own poll, and no more than was asked and answered.
func TestBallotBoxTakesItsOwnPoll(t *testing.T) {
	for name, c := range map[string]struct {
		box      uint64
		f        flight
		from, to paxos.Slot
		trimmed  paxos.Slot
		want     span
	}{
		"own":               {3, flight{poll: 3, from: 5, to: 9}, 5, 9, 0, span{5, 9}},
		"the poll before":   {3, flight{poll: 2, from: 5, to: 9}, 5, 9, 0, span{}},
		"none is open":      {0, flight{poll: 0, from: 5, to: 9}, 5, 9, 0, span{}},
		"closed since":      {0, flight{poll: 3, from: 5, to: 9}, 5, 9, 0, span{}},
		"more than asked":   {3, flight{poll: 3, from: 5, to: 9}, 1, 20, 0, span{5, 9}},
		"less than asked":   {3, flight{poll: 3, from: 5, to: 9}, 6, 7, 0, span{6, 7}},
		"none of it":        {3, flight{poll: 3, from: 5, to: 9}, 10, 20, 0, span{}},
		"upside down":       {3, flight{poll: 3, from: 5, to: 9}, 7, 6, 0, span{}},
		"trimmed in part":   {3, flight{poll: 3, from: 5, to: 9}, 5, 9, 6, span{7, 9}},
		"trimmed":           {3, flight{poll: 3, from: 5, to: 9}, 5, 9, 9, span{}},
		"trimmed for ever":  {3, flight{poll: 3, from: 5, to: 9}, 5, 9, paxos.MaxSlot, span{}},
		"asked without end": {3, flight{poll: 3, from: 5, to: paxos.MaxSlot}, 5, 7, paxos.MaxSlot, span{}},
	} {
		x := ballotBox{poll: c.box}
		x.put(&c.f, &paxos.VotesAnswer{From: c.from, To: c.to, Trimmed: c.trimmed})
		var got span
		for _, in := range x.answers {
			got = span{in.from, in.to}
		}
		if got != c.want || len(x.answers) > 1 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// span is a range of slots.
type span struct{ from, to paxos.Slot }

// PROTOCOL A9: a store that is started again, or proved wrong, while others are waited for stands no longer as it answered.
func TestL4ReadQuorumForgetsAStoreThatChanged(t *testing.T) {
	for name, change := range map[string]func(v *paxos.Voter){
		"started again": func(v *paxos.Voter) { v.Boot, v.Run, v.Written = 2, 2, 2 },
		"runs twice":    func(v *paxos.Voter) { v.Run = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			r, votes := marked(), overwritten()
			asked := polled(t, r)
			r.answer(asked["b"], "b", votes["b"])
			v := voterOf("b")
			change(&v)
			r.voteAs(v, ballot(9, "p9"), 2, text("y"))
			r.answer(asked["c"], "c", votes["c"])
			expect(t, r)
			r.answer(asked["a"], "a", votes["a"])
			expect(t, r, "x")
		})
	}
}

// The value must be that of the highest vote's ballot and checksum; until it is in hand nothing is decided.
func TestL4ReadQuorumNeedsTheHighestVotesValue(t *testing.T) {
	for name, value := range map[string][]byte{"none": nil, "other bytes": text("w")} {
		t.Run(name, func(t *testing.T) {
			r, votes := marked(), overwritten()
			asked := polled(t, r)
			votes["a"].Votes[0].Value = value
			r.answer(asked["a"], "a", votes["a"])
			r.answer(asked["c"], "c", votes["c"])
			expect(t, r)
			r.accept(ballot(2, "p2"), 1, text("x")) // another ballot's, though of equal bytes (L1)
			expect(t, r)
			r.accept(ballot(3, "p3"), 1, text("x"))
			expect(t, r, "x")
		})
	}
}

// PROTOCOL L4: nothing says that slot 1 is chosen: c's vote is a minority's that may lose yet, and so may a read quorum's highest.
func TestL4UnknownSlotNeedsAWriteQuorum(t *testing.T) {
	for name, hint := range map[string]func(r *rig){
		"a later accept": func(r *rig) { r.accept(ballot(1, "p1"), 2, text("y")) },
		"another genesis' beacon": func(r *rig) {
			r.g = &paxos.Genesis{ID: paxos.GenesisID{9}}
			r.beacon(ballot(4, "p4"), 1, paxos.Hash{1})
		},
		"a foreign ballot's mark": func(r *rig) {
			r.l.OnBeacon(r.now, "p5", &paxos.BeaconItem{Genesis: r.g.ID, Ballot: ballot(4, "p4"), Chosen: 1}, &r.out)
		},
		"a withdrawn mark": func(r *rig) {
			r.l.OnBeacon(r.now, "p4", &paxos.BeaconItem{Genesis: r.g.ID, Ballot: ballot(4, "p4"), Chosen: 1, Withdrawn: true}, &r.out)
		},
		"a trim mark":      func(r *rig) { r.l.KnownChosen(1) },
		"a learner's word": func(r *rig) { r.l.SetLearners([]string{"l2"}); r.learnerSays(5) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(testGenesis(8)).settled()
			g := r.g
			hint(r)
			r.g = g
			r.accept(ballot(1, "p1"), 1, text("w")) // something is known above the head
			asked := polled(t, r)
			r.answer(asked["a"], "a", empty("a"))
			r.answer(asked["c"], "c", voted("c", ballot(1, "p1"), text("w")))
			r.answer(asked["b"], "b", voted("b", ballot(2, "p2"), text("x")))
			expect(t, r)
			r.vote("a", ballot(2, "p2"), 1, text("x"))
			expect(t, r, "x")
		})
	}
}

// learnerSays has every learner that is asked answer that it has sequenced slots through the given one, and nothing of them.
func (r *rig) learnerSays(through paxos.Slot) {
	for range 20 {
		for _, f := range append([]flight(nil), r.l.repair.flying...) {
			if f.what == paxos.FetchChosen {
				r.answer(f.request, f.name, &paxos.FetchAnswer{Voter: voterOf(f.name), From: f.from, Start: 1, Through: through})
			}
		}
		if r.l.Known() >= through {
			return
		}
		r.wait(10 * paxos.Millisecond)
	}
	panic("no learner was asked")
}

// PROTOCOL L4: b and c answered before x was chosen, the mark overtook their answers: c's losing vote is then the highest.
func TestL4StaleAnswerDoesNotDecide(t *testing.T) {
	r := newRig(testGenesis(8)).settled()
	r.accept(ballot(1, "p1"), 2, text("y"))
	old := polled(t, r)
	w := newTruth(r.g)
	w.add(text("x"))
	r.beacon(ballot(4, "p4"), 1, w.hashes[1])
	r.answer(old["b"], "b", empty("b"))
	r.answer(old["c"], "c", voted("c", ballot(1, "p1"), text("w")))
	expect(t, r)
	asked, votes := polled(t, r), overwritten()
	if r.answer(old["a"], "a", empty("a")) {
		t.Fatal("an answer to the poll before was taken")
	}
	r.answer(asked["c"], "c", votes["c"])
	expect(t, r)
	r.answer(asked["b"], "b", votes["b"])
	expect(t, r, "x")
}

// PROTOCOL P1: a leader completes the slots of its own ballot by counted votes only, whenever it became one, and whenever the
// acceptors were asked.
func TestL4VotesOnlyNeverDecidesByReadQuorum(t *testing.T) {
	votes := overwritten()
	for name, c := range map[string]struct{ asked, first, second bool }{
		"throughout":              {true, true, true},
		"since it was asked":      {false, true, true},
		"since the first answer":  {false, false, true},
		"until it was asked":      {true, false, false},
		"between asking and hear": {false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := marked()
			r.l.SetVotesOnly(c.asked)
			asked := polled(t, r)
			r.l.SetVotesOnly(c.first)
			r.answer(asked["a"], "a", votes["a"])
			r.l.SetVotesOnly(c.second)
			r.answer(asked["b"], "b", votes["b"])
			r.answer(asked["c"], "c", votes["c"])
			r.accept(ballot(3, "p3"), 1, text("x"))
			expect(t, r)
			r.l.SetVotesOnly(false)
			asked = polled(t, r)
			r.answer(asked["a"], "a", votes["a"])
			r.answer(asked["b"], "b", votes["b"])
			expect(t, r, "x")
		})
	}
}

// A slot whose write quorum was counted here is known to be chosen too. Its value got lost, and all that voted have voted again
// since, at higher ballots.
func TestL4CountedSlotIsKnown(t *testing.T) {
	r, b := newRig(testGenesis(8)).settled(), ballot(2, "p2")
	votes := map[string]*paxos.VotesAnswer{
		"a": voted("a", ballot(4, "p4"), text("x")), "b": voted("b", ballot(3, "p3"), text("x")), "c": empty("c"),
	}
	r.vote("a", b, 1, text("x"))
	r.vote("b", b, 1, text("x"))
	for range 2 { // each that voted is asked alone first
		r.wait(300 * paxos.Millisecond)
		e, _ := one(t, r)
		r.answer(e.Request, e.To, votes[e.To])
		expect(t, r)
	}
	asked := polled(t, r)
	r.answer(asked["b"], "b", votes["b"])
	r.answer(asked["c"], "c", votes["c"])
	expect(t, r, "x")
	if got, _ := r.l.BallotOf(1); got != b {
		t.Fatalf("chosen at %v, want %v", got, b)
	}
}

// Votes seen before that a chosen highest vote rules out: the protocol is broken elsewhere, and this log stops rather than to choose.
func TestL4ReadQuorumAgainstVotesStops(t *testing.T) {
	for name, act := range map[string]func(r *rig){
		"a higher vote":  func(r *rig) { r.vote("c", ballot(5, "p5"), 1, text("w")) },
		"a write quorum": func(r *rig) { r.vote("b", ballot(1, "p1"), 1, text("w")); r.vote("c", ballot(1, "p1"), 1, text("w")) },
	} {
		t.Run(name, func(t *testing.T) {
			r, votes := marked(), overwritten()
			asked := polled(t, r)
			act(r)
			r.answer(asked["a"], "a", votes["a"])
			r.answer(asked["b"], "b", votes["b"])
			expect(t, r)
			if !errors.Is(r.l.Stopped(), ErrConflict) {
				t.Fatalf("stopped %v", r.l.Stopped())
			}
		})
	}
}

// Whatever the acceptors' votes have become since, a mark and a read quorum's answers are enough to learn every chosen slot, and never
// another value.
func TestAcceptorsAloneAreEnough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := testGenesis(uint64(rapid.IntRange(1, 6).Draw(rt, "window")))
		n := rapid.IntRange(1, 12).Draw(rt, "slots")
		wd := play(rt, g, n)
		r := newRigWith(g, Config{Seed: rapid.Uint64().Draw(rt, "seed"), BufferBytes: 2000})
		for range rapid.IntRange(0, len(wd.steps)).Draw(rt, "live") {
			wd.steps[rapid.IntRange(0, len(wd.steps)-1).Draw(rt, "next")].do(r)
		}
		r.beacon(ballot(9, "p9"), paxos.Slot(n), wd.log.hashes[n])
		for i := 0; r.l.Through() < paxos.Slot(n); i++ {
			if i > 4000 {
				rt.Fatalf("stuck at %d of %d: %+v", r.l.Through(), n, r.l.Status())
			}
			r.wait(100 * paxos.Millisecond)
			wd.serve(rt, r)
			check(rt, r, wd)
		}
	})
}
