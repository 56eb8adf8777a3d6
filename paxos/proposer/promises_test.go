package proposer

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

func vote(t paxos.Slot, round uint64, sum paxos.Checksum) paxos.VoteInfo {
	return paxos.VoteInfo{Slot: t, Ballot: paxos.Ballot{Round: round, Proposer: "o", Run: 1}, Checksum: sum, Bytes: 1}
}

func chunk(ballot, from, to int, votes ...paxos.VoteInfo) *paxos.Promise {
	m := &paxos.Promise{
		Ballot: paxos.Ballot{Round: uint64(ballot), Proposer: "o", Run: 1}, From: paxos.Slot(from), To: paxos.Slot(to), Votes: votes,
	}
	if to == 0 {
		m.To = paxos.MaxSlot
	}
	return m
}

// TestP5OwnBallotReportsIgnored: a vote at the candidate's own ballot says nothing about what was accepted below it.
func TestP5OwnBallotReportsIgnored(t *testing.T) {
	var r promiser
	r.add(chunk(5, 1, 0, vote(3, 5, 7)), 0)
	if _, ok := r.votes[3]; ok || r.highest != 0 {
		t.Errorf("a report at the own ballot counts: %v, highest %d", r.votes, r.highest)
	}
}

// TestP5FirstReportStands: a chunk that is repeated later changes nothing: the acceptor can have accepted nothing below the
// ballot since, and what was decided by the first report must stay.
func TestP5FirstReportStands(t *testing.T) {
	var r promiser
	r.add(chunk(5, 1, 10, vote(3, 2, 7)), 0)
	r.add(chunk(5, 1, 0, vote(3, 4, 8), vote(11, 1, 9)), 0)
	if r.votes[3].Checksum != 7 || r.votes[11].Checksum != 9 {
		t.Errorf("votes %v", r.votes)
	}
}

// TestReportsAreBounded: a chunk that does not fit counts as not received, so that it is asked for again.
func TestReportsAreBounded(t *testing.T) {
	var r promiser
	for at := 1; at <= maxReports; at += paxos.MaxReportsPerChunk {
		var votes []paxos.VoteInfo
		for i := range paxos.MaxReportsPerChunk {
			votes = append(votes, vote(paxos.Slot(at+i), 1, 1))
		}
		if !r.add(chunk(5, at, at+paxos.MaxReportsPerChunk-1, votes...), 0) {
			t.Fatalf("no room for the chunk at %d", at)
		}
	}
	if r.add(chunk(5, maxReports+1, 0, vote(maxReports+1, 1, 1)), 0) || r.covers(maxReports+1) {
		t.Error("a chunk beyond the bound counts")
	}
	var ps promises
	ps.list = []*promiser{&r}
	ps.forget(1)
	if !r.add(chunk(5, maxReports+1, 0, vote(maxReports+1, 1, 1)), 1) || !r.covers(paxos.MaxSlot) {
		t.Error("no room after a slot was sequenced")
	}
}

// TestA5CoverageProperty compares the ranges with a slow, obvious twin.
func TestA5CoverageProperty(t *testing.T) {
	const slots = 40
	rapid.Check(t, func(t *rapid.T) {
		var r promiser
		covered := map[int]bool{}
		votes := map[int]paxos.Checksum{}
		for range rapid.IntRange(0, 12).Draw(t, "chunks") {
			from := rapid.IntRange(1, slots).Draw(t, "from")
			to := rapid.IntRange(from, slots).Draw(t, "to")
			var vs []paxos.VoteInfo
			for s := from; s <= to; s++ {
				if rapid.IntRange(0, 3).Draw(t, "vote") == 0 {
					sum := paxos.Checksum(rapid.Uint64().Draw(t, "sum"))
					vs = append(vs, vote(paxos.Slot(s), 1, sum))
					if !covered[s] {
						votes[s] = sum
					}
				}
			}
			for s := from; s <= to; s++ {
				covered[s] = true
			}
			r.add(chunk(5, from, to, vs...), 0)
		}
		first, open := 0, false
		for s := 1; s <= slots; s++ {
			if r.covers(paxos.Slot(s)) != covered[s] {
				t.Fatalf("slot %d: covered %v, want %v (%v)", s, !covered[s], covered[s], r.covered)
			}
			if !covered[s] && !open {
				first, open = s, true
			}
			v, ok := r.votes[paxos.Slot(s)]
			if want, voted := votes[s]; ok != voted || v.Checksum != want {
				t.Fatalf("slot %d: vote %v %v, want %v %v", s, ok, v.Checksum, voted, want)
			}
		}
		if !open {
			first = slots + 1
		}
		if at, ok := r.firstUncovered(1); !ok || int(at) != first {
			t.Fatalf("first uncovered %d, want %d (%v)", at, first, r.covered)
		}
	})
}

// TestDecideLeavesOutStrangers: only members of M(t) whose promise covers t count, and a read quorum of them is needed.
func TestDecideLeavesOutStrangers(t *testing.T) {
	m := &testGenesis(8, "a1", "a2", "a3").Membership
	var ps promises
	ps.of(m.Acceptors[0]).add(chunk(5, 1, 0, vote(1, 1, 7)), 0)
	ps.of(paxos.Member{Name: "a2", Incarnation: inc("a2", 2)}).add(chunk(5, 1, 0, vote(1, 4, 8)), 0)
	if _, ok := ps.decide(m, 1, nil); ok || ps.hasRead(m, 1, 1) {
		t.Error("a stranger's promise makes a read quorum")
	}
	ps.of(m.Acceptors[2]).add(chunk(5, 2, 0), 0)
	if _, ok := ps.decide(m, 1, nil); ok {
		t.Error("a promise counts for a slot that it does not cover")
	}
	ps.of(m.Acceptors[1]).add(chunk(5, 1, 0, vote(1, 2, 9)), 0)
	rep, ok := ps.decide(m, 1, nil)
	if !ok || rep.vote.Checksum != 9 || len(rep.holders) != 1 {
		t.Errorf("decided %+v, %v", rep, ok)
	}
	ps.of(m.Acceptors[2]).add(chunk(5, 1, 1, vote(1, 2, 10)), 0)
	if rep, _ := ps.decide(m, 1, nil); !rep.conflict {
		t.Error("two values at one ballot are not told")
	}
}

// TestP1PromiseIsOfOneStore: where a name stands for one store in a membership and for another in the next, the promise of the one is not the
// promise of the other.
func TestP1PromiseIsOfOneStore(t *testing.T) {
	old, replaced := paxos.Member{Name: "a1", Incarnation: inc("a1", 1)}, paxos.Member{Name: "a1", Incarnation: inc("a1", 2)}
	a2 := paxos.Member{Name: "a2", Incarnation: inc("a2", 1)}
	before := &paxos.Membership{Acceptors: []paxos.Member{old, a2}, Read: 2, Write: 2}
	after := &paxos.Membership{Epoch: 2, From: 50, Acceptors: []paxos.Member{replaced, a2}, Read: 2, Write: 2}
	var ps promises
	for _, m := range []paxos.Member{old, a2} {
		ps.of(m).add(chunk(3, 1, 0), 0)
	}
	if !ps.hasRead(before, 1, 49) || ps.hasRead(after, 50, 60) {
		t.Fatalf("a read quorum before: %t, want true; after the store was replaced: %t, want false", ps.hasRead(before, 1, 49), ps.hasRead(after, 50, 60))
	}
	ps.of(replaced).add(chunk(3, 50, 0), 0)
	if !ps.hasRead(after, 50, 60) {
		t.Fatal("no read quorum with the new store's own promise")
	}
}
