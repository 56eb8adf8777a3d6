package wal

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// votesModel is what Votes should be, as plainly as it can be said.
type votesModel struct {
	promised paxos.Ballot
	trimmed  paxos.Slot
	votes    map[paxos.Slot]paxos.VoteValue
}

func (m *votesModel) clone() votesModel {
	return votesModel{promised: m.promised, trimmed: m.trimmed, votes: maps.Clone(m.votes)}
}

func (m *votesModel) apply(r *paxos.Record) {
	switch r.Kind {
	case paxos.RecordPromise:
		m.promised = r.Ballot
	case paxos.RecordVote:
		m.promised = r.Ballot
		m.votes[r.Slot] = paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: r.Slot, Ballot: r.Ballot, Checksum: r.Checksum, Bytes: uint32(len(r.Value))},
			Value:    r.Value,
		}
	case paxos.RecordTrim:
		m.trimmed = r.Slot
		maps.DeleteFunc(m.votes, func(t paxos.Slot, _ paxos.VoteValue) bool { return t <= r.Slot })
	default:
	}
}

// String is a canonical form, to compare by.
func (m *votesModel) String() string {
	s := fmt.Sprintf("promised %s, T %d;", m.promised, m.trimmed)
	for _, t := range slices.Sorted(maps.Keys(m.votes)) {
		v := m.votes[t]
		s += fmt.Sprintf(" %d@%s:%x", t, v.Ballot, v.Value)
	}
	return s
}

// stateOf reads a store into the model's form.
func stateOf(t testing.TB, v *Votes) string {
	t.Helper()
	m := votesModel{votes: map[paxos.Slot]paxos.VoteValue{}}
	logs := v.Load()
	if len(logs) != 1 {
		t.Fatalf("%d logs", len(logs))
	}
	m.promised, m.trimmed = logs[0].Promised, logs[0].Trimmed
	votes, through, err := v.Scan(testGenesis, 0, paxos.MaxSlot, Limit{Values: true})
	if err != nil || through != paxos.MaxSlot {
		t.Fatalf("scan through %d: %v", through, err)
	}
	highest := paxos.Slot(0)
	for _, vote := range votes {
		m.votes[vote.Slot] = vote
		highest = vote.Slot
	}
	if logs[0].HighestVoted != highest {
		t.Fatalf("highest voted is %d, not %d", logs[0].HighestVoted, highest)
	}
	return m.String()
}

// drawRecords draws what an acceptor could ask for next.
func drawRecords(t *rapid.T, m *votesModel) []paxos.Record {
	next := m.clone()
	recs := make([]paxos.Record, 0, 4)
	for range rapid.IntRange(1, 4).Draw(t, "records") {
		round := next.promised.Round + rapid.Uint64Range(0, 1).Draw(t, "raise")
		slot := next.trimmed + 1 + paxos.Slot(rapid.Uint64Range(0, 30).Draw(t, "slot"))
		var r paxos.Record
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			r = promiseRecord(max(1, round))
		case 1:
			r = trimRecord(slot - 1)
		default:
			size := rapid.SampledFrom([]int{0, 1, 30, 3000, 60_000}).Draw(t, "size")
			r = voteRecord(slot, max(1, round), valueOf(slot+paxos.Slot(round)<<32, size))
		}
		recs = append(recs, r)
		next.apply(&r)
	}
	return recs
}

// Whatever is written, closed, flushed and cut off: a store is what the model is, after a crash at a whole submission at or after
// the last one that was said to be durable.
func TestVotesAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fsys := vfs.NewCrashableMem()
		v := openVotes(t, fsys)
		apply(t, v, stateRecord())
		model := votesModel{votes: map[paxos.Slot]paxos.VoteValue{}}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				closeStore(t, v)
				v = openVotes(t, fsys)
			case 1:
				fsys, v, model = crashStep(t, rt, fsys, v, model)
			case 2:
				if err := v.db.Flush(); err != nil {
					t.Fatal(err)
				}
			default:
				recs := drawRecords(rt, &model)
				apply(t, v, recs...)
				for i := range recs {
					model.apply(&recs[i])
				}
			}
			if got, want := stateOf(t, v), model.String(); got != want {
				rt.Fatalf("store: %.2000s\nmodel: %.2000s", got, want)
			}
		}
		closeStore(t, v)
	})
}

// crashStep submits several groups, takes the power away at some moment, and finds the model that the store now is.
func crashStep(t *testing.T, rt *rapid.T, fsys *vfs.MemFS, v *Votes, model votesModel) (*vfs.MemFS, *Votes, votesModel) {
	var mu sync.Mutex
	acked := 0
	states := []votesModel{model.clone()}
	n := rapid.IntRange(1, 6).Draw(rt, "submitted")
	cut := rapid.IntRange(0, n).Draw(rt, "cut after")
	percent := rapid.SampledFrom([]int{0, 30, 70, 100}).Draw(rt, "unsynced percent")
	seed := rapid.Uint64().Draw(rt, "seed")
	var after *vfs.MemFS
	promised := 0
	for i := range n {
		if i == cut {
			mu.Lock()
			promised = acked
			mu.Unlock()
			after = crash(fsys, seed, percent)
		}
		recs := drawRecords(rt, &model)
		if err := v.Submit(recs, func(uint64) { mu.Lock(); acked++; mu.Unlock() }); err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			model.apply(&recs[i])
		}
		states = append(states, model.clone())
	}
	if after == nil {
		mu.Lock()
		promised = acked
		mu.Unlock()
		after = crash(fsys, seed, percent)
	}
	closeStore(t, v)
	v = openVotes(t, after)
	got := stateOf(t, v)
	for _, m := range states[promised:] {
		if m.String() == got {
			return after, v, m
		}
	}
	rt.Fatalf("%d of %d submissions were durable; recovered: %.2000s\nmodel then: %.2000s", promised, n, got, states[promised].String())
	return nil, nil, model
}
