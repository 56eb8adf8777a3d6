package learner

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// step is one message on its way to a learner.
type step struct {
	name string
	do   func(r *rig)
}

// permute calls f with every order of the numbers below n (Heap's algorithm).
func permute(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var rec func(k int)
	rec = func(k int) {
		if k <= 1 {
			f(order)
			return
		}
		for i := range k {
			rec(k - 1)
			if k%2 == 0 {
				order[i], order[k-1] = order[k-1], order[i]
			} else {
				order[0], order[k-1] = order[k-1], order[0]
			}
		}
	}
	rec(n)
}

// Every delivery order of a tiny run: three acceptors, two ballots, two slots. L@1 proposed x in slot 1, which a and b accepted,
// and w in slot 2, which only c did. P@2 adopts x and chooses y in slot 2 with a and b. Whatever order the messages come in, every
// learner ends with x, y, and no prefix of any order gives anything else.
func TestEveryOrderAgrees(t *testing.T) {
	b1, b2 := ballot(1, "p1"), ballot(2, "p2")
	x, y, w := text("x"), text("y"), text("w")
	steps := []step{
		{"accept 1@1 x", func(r *rig) { r.accept(b1, 1, x) }},
		{"accept 2@1 w", func(r *rig) { r.accept(b1, 2, w) }},
		{"accept 2@2 y", func(r *rig) { r.accept(b2, 2, y) }},
		{"a votes 1@1", func(r *rig) { r.vote("a", b1, 1, x) }},
		{"b votes 1@1", func(r *rig) { r.vote("b", b1, 1, x) }},
		{"c votes 2@1", func(r *rig) { r.vote("c", b1, 2, w) }},
		{"a votes 2@2", func(r *rig) { r.vote("a", b2, 2, y) }},
		{"b votes 2@2", func(r *rig) { r.vote("b", b2, 2, y) }},
	}
	g := testGenesis(4)
	want := []string{"x", "y"}
	orders := 0
	permute(len(steps), func(order []int) {
		r := newRig(g)
		for _, i := range order {
			steps[i].do(r)
			if got := r.values(); !slices.Equal(got, want[:len(got)]) {
				t.Fatalf("order %v: chosen %q", order, got)
			}
		}
		if got := r.values(); len(got) != 2 {
			t.Fatalf("order %v: chosen %q", order, got)
		}
		orders++
	})
	if orders != 40320 {
		t.Fatalf("%d orders", orders)
	}
}

// The same with the second leader's mark in place of votes, and a window of one slot, so that slot 2's messages wait for their
// membership: 7! orders.
func TestEveryOrderAgreesWithMarks(t *testing.T) {
	b1, b2 := ballot(1, "p1"), ballot(2, "p2")
	g := testGenesis(1)
	log := newTruth(g)
	log.add(text("x"))
	log.add(text("y"))
	x, y, w := log.value(1), log.value(2), text("w")
	steps := []step{
		{"accept 1@1 w", func(r *rig) { r.accept(b1, 1, w) }},
		{"accept 1@2 x", func(r *rig) { r.accept(b2, 1, x) }},
		{"accept 2@1 w", func(r *rig) { r.accept(b1, 2, w) }},
		{"accept 2@2 y", func(r *rig) { r.accept(b2, 2, y) }},
		{"c votes 1@1", func(r *rig) { r.vote("c", b1, 1, w) }},
		{"mark 1 of 2", func(r *rig) { r.beacon(b2, 1, log.hashes[1]) }},
		{"mark 2 of 2", func(r *rig) { r.beacon(b2, 2, log.hashes[2]) }},
	}
	want := []string{"x", "y"}
	permute(len(steps), func(order []int) {
		r := newRig(g)
		for _, i := range order {
			steps[i].do(r)
			if got := r.values(); !slices.Equal(got, want[:len(got)]) {
				t.Fatalf("order %v: chosen %q", order, got)
			}
		}
		if got := r.values(); len(got) != 2 {
			t.Fatalf("order %v: chosen %q", order, got)
		}
	})
}

// world is what happened: for each slot a chosen value at some ballot, and minority proposals at other ballots. Acceptors vote
// as Paxos lets them: at a higher ballot than the chosen one only for the chosen value.
type world struct {
	log   *truth
	steps []step
	votes map[string]map[paxos.Slot]paxos.VoteValue // each acceptor's last vote in each slot
}

// play draws a world of n slots.
func play(rt *rapid.T, g *paxos.Genesis, n int) *world {
	wd := &world{log: newTruth(g), votes: map[string]map[paxos.Slot]paxos.VoteValue{}}
	names := []string{"a", "b", "c"}
	for _, a := range names {
		wd.votes[a] = map[paxos.Slot]paxos.VoteValue{}
	}
	vote := func(a string, b paxos.Ballot, s paxos.Slot, v []byte) {
		wd.steps = append(wd.steps, step{fmt.Sprint(a, b, s), func(r *rig) { r.vote(a, b, s, v) }})
		if old := wd.votes[a][s]; old.Ballot.Less(b) {
			wd.votes[a][s] = paxos.VoteValue{VoteInfo: paxos.VoteInfo{Slot: s, Ballot: b, Checksum: paxos.Sum(v)}, Value: v}
		}
	}
	accept := func(b paxos.Ballot, s paxos.Slot, v []byte) {
		wd.steps = append(wd.steps, step{fmt.Sprint(b, s), func(r *rig) { r.accept(b, s, v) }})
	}
	for i := range n {
		s := paxos.Slot(i + 1)
		v := text(fmt.Sprint("v", i))
		wd.log.add(v)
		chosenAt := uint64(rapid.IntRange(1, 3).Draw(rt, "chosen at"))
		for round := uint64(1); round <= 4; round++ {
			b := ballot(round, fmt.Sprint("p", round%2))
			switch {
			case round < chosenAt && rapid.Bool().Draw(rt, "minority"):
				other := text(fmt.Sprint("w", i, round))
				accept(b, s, other)
				vote(names[rapid.IntRange(0, 2).Draw(rt, "who")], b, s, other)
			case round == chosenAt:
				accept(b, s, v)
				not := rapid.IntRange(0, 3).Draw(rt, "not")
				for j, a := range names {
					if j != not {
						vote(a, b, s, v)
					}
				}
			case round > chosenAt && rapid.IntRange(0, 3).Draw(rt, "adopted") == 0:
				accept(b, s, v)
				vote(names[rapid.IntRange(0, 2).Draw(rt, "who")], b, s, v)
			}
		}
	}
	return wd
}

// serve answers every request of r from the world: learner l2 holds all, acceptors their votes. Some requests get lost.
func (wd *world) serve(rt *rapid.T, r *rig) {
	requests, _ := r.take()
	for _, e := range requests {
		if rapid.IntRange(0, 4).Draw(rt, "lost") == 0 {
			continue
		}
		f := e.Msg.(*paxos.Fetch)
		if f.What == paxos.FetchChosen {
			n := paxos.Slot(len(wd.log.values))
			r.answer(e.Request, e.To, wd.log.answer(e.To, f.From, min(f.To, f.From+2), 1, n))
			continue
		}
		m := &paxos.VotesAnswer{Voter: voterOf(e.To), From: f.From, To: f.To}
		for s := f.From; s <= f.To; s++ {
			if v, ok := wd.votes[e.To][s]; ok {
				m.Votes = append(m.Votes, v)
			}
		}
		r.answer(e.Request, e.To, m)
	}
}

// Several learners, each with its own losses, repeats and order, and its own repairs: all end with the one log, and none is ever
// anywhere but on it.
func TestLearnersAgreeUnderLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := testGenesis(uint64(rapid.IntRange(1, 6).Draw(rt, "window")))
		n := rapid.IntRange(1, 12).Draw(rt, "slots")
		wd := play(rt, g, n)
		var rigs []*rig
		for k := range 3 {
			sources := []string{"l2"}
			if k == 0 {
				sources = nil // acceptors alone must do
			}
			r := newRigWith(g, Config{Learners: sources, Seed: rapid.Uint64().Draw(rt, "seed"), BufferBytes: 2000})
			rigs = append(rigs, r)
			for range 2 * len(wd.steps) {
				if rapid.IntRange(0, 2).Draw(rt, "lost") > 0 {
					wd.steps[rapid.IntRange(0, len(wd.steps)-1).Draw(rt, "next")].do(r)
				}
				if rapid.IntRange(0, 9).Draw(rt, "time") == 0 {
					r.wait(50 * paxos.Millisecond)
					wd.serve(rt, r)
				}
				check(rt, r, wd)
			}
		}
		for _, r := range rigs { // then the losses end
			for i := 0; r.l.Through() < paxos.Slot(n); i++ {
				if i > 4000 {
					rt.Fatalf("stuck at %d of %d: %+v", r.l.Through(), n, r.l.Status())
				}
				r.accept(ballot(1, "p1"), paxos.Slot(n)+1, noop()) // a sign that there is more
				r.wait(100 * paxos.Millisecond)
				if i%7 == 6 {
					for _, s := range wd.steps {
						s.do(r)
					}
				}
				wd.serve(rt, r)
				check(rt, r, wd)
			}
		}
	})
}

func check(rt *rapid.T, r *rig, wd *world) {
	r.take()
	if r.l.Stopped() != nil {
		rt.Fatalf("stopped: %v", r.l.Stopped())
	}
	for i, c := range r.chosen {
		if c.Slot != paxos.Slot(i+1) || string(c.Applied.Value) != string(wd.log.values[i]) || c.Applied.Hash != wd.log.hashes[i+1] {
			rt.Fatalf("slot %d handed over at place %d: %q", c.Slot, i, payload(c.Applied.Value))
		}
	}
	if h, ok := r.l.HashAt(r.l.Through()); !ok || h != wd.log.hashes[r.l.Through()] {
		rt.Fatalf("hash at %d", r.l.Through())
	}
	if s := r.l.Status(); s.Buffered > 2000+2000/parkedShare+200 {
		rt.Fatalf("%d bytes buffered", s.Buffered)
	}
	audit(rt, &r.l.win)
}

// audit checks the invariants of window.
func audit(rt *rapid.T, w *window) {
	bytes, ready := 0, 0
	for i := range w.ring {
		s := &w.ring[i]
		if s.slot == 0 {
			continue
		}
		if !w.holds(s.slot) || s.slot > w.top || uint64(s.slot)%uint64(len(w.ring)) != uint64(i) {
			rt.Fatalf("slot %d at %d, base %d top %d", s.slot, i, w.base, w.top)
		}
		if s.ready() {
			ready++
		}
		for j := range s.tallies {
			if y := &s.tallies[j]; y.held && !y.own {
				bytes += len(y.value)
			}
		}
	}
	if bytes != w.bytes || ready != w.ready {
		rt.Fatalf("bytes %d counted %d, ready %d counted %d", bytes, w.bytes, ready, w.ready)
	}
}
