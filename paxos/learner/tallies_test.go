package learner

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// Slot 1: x is chosen at 2. Candidates at 11 to 14 adopted it and their accepts reached this learner and, promised higher by then, no
// acceptor. Asked, the acceptors answer with their votes at 2 and below: those must find a place among the accepts that nobody voted for.
func TestL4AcceptsWithoutVotesKeepNoVotesOut(t *testing.T) {
	for name, votes := range map[string]map[string]*paxos.VotesAnswer{
		"equal votes":   {"a": voted("a", ballot(2, "p2"), text("x")), "b": voted("b", ballot(2, "p2"), text("x")), "c": voted("c", ballot(2, "p2"), text("x"))},
		"a read quorum": overwritten(),
	} {
		r := marked()
		for i := range uint64(maxTallies) {
			r.accept(ballot(11+i, "p1"), 1, text("x"))
		}
		asked := polled(t, r)
		for _, n := range []string{"a", "b", "c"} {
			r.answer(asked[n], n, votes[n])
		}
		if r.l.Through() != 1 {
			t.Errorf("%s: answered, and not learned", name)
		}
	}
}

// What has votes is kept before what has none, and then the newer ballot.
func TestTalliesAreBounded(t *testing.T) {
	r := newRig(testGenesis(8)).settled()
	s := r.l.win.touch(1)
	for i := range uint64(maxTallies) {
		r.l.tallyOf(s, ballot(10+i, "p1"), weightAccept)
	}
	if r.l.tallyOf(s, ballot(9, "p1"), weightAccept) >= 0 {
		t.Error("an older ballot without votes takes a place")
	}
	if i := r.l.tallyOf(s, ballot(20, "p1"), weightAccept); i < 0 || s.find(ballot(10, "p1")) >= 0 {
		t.Error("a newer ballot takes no place, or not the oldest one's")
	}
	for n := uint64(1); n <= maxTallies; n++ {
		i := r.l.tallyOf(s, ballot(n, "p1"), weightVotes)
		if i < 0 {
			t.Fatalf("the vote at %d finds no place", n)
		}
		s.tallies[i].votes.Add(0)
	}
	if r.l.tallyOf(s, ballot(30, "p1"), weightAccept) >= 0 {
		t.Error("a newer ballot without votes takes the place of one with votes")
	}
	if i := r.l.tallyOf(s, ballot(5, "p1"), weightVotes); i < 0 || s.find(ballot(1, "p1")) >= 0 || len(s.tallies) != maxTallies {
		t.Error("a newer vote takes no place, or not the oldest one's")
	}
	mine := r.l.tallyOf(s, ballot(3, "p1"), weightOwn)
	if mine < 0 {
		t.Fatal("what this process proposes finds no place")
	}
	s.tallies[mine].held, s.tallies[mine].own = true, true
	for n := uint64(40); n < 50; n++ {
		if i := r.l.tallyOf(s, ballot(n, "p1"), weightVotes); i >= 0 {
			s.tallies[i].votes.Add(0)
		}
	}
	if s.find(ballot(3, "p1")) < 0 {
		t.Error("votes took the place of what this process proposes")
	}
}
