package wal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// PROTOCOL A3: the vote and the promise that it raises are one durable write.
func TestA3VoteRaisesPromiseInTheSameWrite(t *testing.T) {
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	apply(t, v, stateRecord(), promiseRecord(2))
	before := v.Written()
	if n := apply(t, v, voteRecord(9, 5, []byte("x"))); n != before+1 {
		t.Fatalf("write %d after %d", n, before)
	}
	after := crash(fsys, 1, 0)
	closeStore(t, v)
	v = openVotes(t, after)
	defer closeStore(t, v)
	l := v.Load()[0]
	if l.Promised != ballot(5) || l.HighestVoted != 9 {
		t.Fatalf("promised %s, highest %d", l.Promised, l.HighestVoted)
	}
}

// PROTOCOL A4: T and the range delete are one atomic batch; nothing at or below T is ever found again.
func TestA4TrimIsOneWriteWithItsDeletes(t *testing.T) {
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	apply(t, v, stateRecord())
	for s := paxos.Slot(1); s <= 20; s++ {
		apply(t, v, voteRecord(s, 1, valueOf(s, 100)))
	}
	var clones []*vfs.MemFS
	for s := paxos.Slot(5); s <= 20; s += 5 {
		apply(t, v, trimRecord(s))
		for seed := range uint64(5) {
			clones = append(clones, crash(fsys, seed, 50))
		}
	}
	closeStore(t, v)
	for _, c := range clones {
		v := openVotes(t, c)
		l := v.Load()[0]
		votes, through, err := v.Scan(testGenesis, 1, paxos.MaxSlot, Limit{})
		if err != nil || through != paxos.MaxSlot || len(votes) != 20-int(l.Trimmed) || l.Trimmed < 5 {
			t.Fatalf("T %d, %d votes through %d, %v", l.Trimmed, len(votes), through, err)
		}
		if len(votes) > 0 && votes[0].Slot != l.Trimmed+1 || l.Trimmed == 20 && l.HighestVoted != 0 {
			t.Fatalf("T %d, first vote %+v, highest %d", l.Trimmed, votes, l.HighestVoted)
		}
		closeStore(t, v)
	}
}

// PROTOCOL A10 and section 6: the durable states of a log.
func TestA10LogStatesAreDurable(t *testing.T) {
	for _, states := range [][]paxos.LogState{
		{paxos.LogPrepared},
		{paxos.LogPrepared, paxos.LogLive},
		{paxos.LogPrepared, paxos.LogAborted},
		{paxos.LogAborted},
		{paxos.LogLive, paxos.LogRetired},
	} {
		fsys := vfs.NewCrashableMem()
		v := openVotes(t, fsys)
		for i, s := range states {
			r := stateRecord()
			r.State, r.Epoch = s, paxos.Epoch(i+1)
			if i > 0 {
				r.Body = nil // it is known
			}
			apply(t, v, r)
		}
		after := crash(fsys, 1, 0)
		closeStore(t, v)
		v = openVotes(t, after)
		l := v.Load()[0]
		if l.State != states[len(states)-1] || l.Epoch != paxos.Epoch(len(states)) || string(l.Record) != string(testRecord) || l.Log != testName {
			t.Errorf("after %v: %+v", states, l)
		}
		closeStore(t, v)
	}
}

// A record that contradicts the store ends the process: one of the two is wrong.
func TestVotesRefuseContradictions(t *testing.T) {
	aborted, other, renamed := stateRecord(), stateRecord(), stateRecord()
	aborted.State = paxos.LogAborted
	other.Body = []byte("another record")
	renamed.Log = "invoices"
	unknown := promiseRecord(9)
	unknown.Genesis = paxos.GenesisID{9}
	wrong := voteRecord(20, 5, []byte("x"))
	wrong.Checksum++
	for name, r := range map[string]paxos.Record{
		"promise goes back":        promiseRecord(3),
		"vote below the promise":   voteRecord(20, 3, nil),
		"vote at T":                voteRecord(10, 5, nil),
		"T goes back":              trimRecord(9),
		"T has no end":             trimRecord(paxos.MaxSlot),
		"checksum":                 wrong,
		"log without a state":      unknown,
		"live log aborted":         aborted,
		"another genesis record":   other,
		"another name":             renamed,
		"a learner's record":       chosenRecord(1, 1, 1, nil),
		"no kind of record at all": {Genesis: testGenesis},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewCrashableMem()
			d := newDeath()
			v, err := OpenVotes(testDir, testWant, testOptions(fsys, d))
			if err != nil {
				t.Fatal(err)
			}
			apply(t, v, stateRecord(), promiseRecord(4), trimRecord(10))
			want := v.Written()
			if err := dies(t, d, func() { _ = v.Submit([]paxos.Record{promiseRecord(5), r}, nil) }); !errors.Is(err, errMisuse) {
				t.Fatalf("died of %v", err)
			}
			again := openVotes(t, crash(fsys, 1, 100))
			defer closeStore(t, again)
			if l := again.Load()[0]; l.Promised != ballot(4) || l.Trimmed != 10 || again.Written() != want+1 {
				t.Fatalf("part of it was written: %+v, write %d after %d", l, again.Written(), want)
			}
		})
	}
}

// PROTOCOL A5: what a scan covers is exact, whatever the limit.
func TestA5ScanSaysWhatItCovers(t *testing.T) {
	v := openVotes(t, vfs.NewMem())
	defer closeStore(t, v)
	apply(t, v, stateRecord())
	for _, s := range []paxos.Slot{10, 11, 15, 30, 31} {
		apply(t, v, voteRecord(s, 1, valueOf(s, 100)))
	}
	other := voteRecord(12, 1, nil)
	other.Genesis, other.Log = paxos.GenesisID{1, 2, 4}, "invoices"
	state := stateRecord()
	state.Genesis, state.Log = other.Genesis, other.Log
	apply(t, v, state, other)
	for _, c := range []struct {
		from, to paxos.Slot
		limit    Limit
		want     string
	}{
		{1, paxos.MaxSlot, Limit{}, "[10 11 15 30 31] through 18446744073709551615"},
		{0, 9, Limit{}, "[] through 9"},
		{11, 30, Limit{}, "[11 15 30] through 30"},
		{12, 14, Limit{}, "[] through 14"},
		{1, 100, Limit{Votes: 2}, "[10 11] through 14"},
		{1, 100, Limit{Votes: 3, Values: true}, "[10 11 15] through 29"},
		{1, 100, Limit{Votes: 5}, "[10 11 15 30 31] through 100"},
		{1, 100, Limit{Bytes: 250}, "[10 11] through 14"},
		{1, 100, Limit{Bytes: 1, Values: true}, "[10] through 10"},
		{5, 4, Limit{}, "[] through 4"},
	} {
		votes, through, err := v.Scan(testGenesis, c.from, c.to, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		slots := []paxos.Slot{}
		for _, vote := range votes {
			slots = append(slots, vote.Slot)
			if (vote.Value != nil) != c.limit.Values || c.limit.Values && string(vote.Value) != string(valueOf(vote.Slot, 100)) {
				t.Errorf("%+v: value of %d is %q", c, vote.Slot, vote.Value)
			}
		}
		if got := fmt.Sprintf("%v through %d", slots, through); got != c.want {
			t.Errorf("[%d, %d] %+v: %s, want %s", c.from, c.to, c.limit, got, c.want)
		}
	}
	if _, ok, err := v.Vote(testGenesis, 12); ok || err != nil {
		t.Errorf("vote 12: %t, %v", ok, err)
	}
	if vote, ok, err := v.Vote(testGenesis, 15); !ok || err != nil || vote.Ballot != ballot(1) {
		t.Errorf("vote 15: %+v, %t, %v", vote, ok, err)
	}
}

// A read that finds damage ends the process and the incarnation, and skips no key (PROTOCOL A8).
func TestA8DamagedVoteEndsTheProcess(t *testing.T) {
	for name, spoil := range map[string]func(b *pebble.Batch) error{
		"vote": func(b *pebble.Batch) error {
			return b.Set(appendSlotKey(nil, kindVote, testGenesis, 2), []byte("no vote at all"), nil)
		},
		"vote of another slot": func(b *pebble.Batch) error {
			w := writer{buf: appendSlotKey(nil, kindVote, testGenesis, 1)}
			encodeVote(&w, &paxos.VoteInfo{Ballot: ballot(1), Checksum: paxos.Sum(valueOf(2, 50)), Bytes: 50})
			_, rec := w.end()
			return b.Set(appendSlotKey(nil, kindVote, testGenesis, 2), rec, nil)
		},
		"value": func(b *pebble.Batch) error {
			return b.Set(appendSlotKey(nil, kindVoteValue, testGenesis, 2), valueOf(3, 50), nil)
		},
		"shorter value": func(b *pebble.Batch) error {
			return b.Set(appendSlotKey(nil, kindVoteValue, testGenesis, 2), valueOf(2, 49), nil)
		},
		"no value": func(b *pebble.Batch) error {
			return b.Delete(appendSlotKey(nil, kindVoteValue, testGenesis, 2), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem()
			d := newDeath()
			v, err := OpenVotes(testDir, testWant, testOptions(fsys, d))
			if err != nil {
				t.Fatal(err)
			}
			apply(t, v, stateRecord())
			for s := paxos.Slot(1); s <= 3; s++ {
				apply(t, v, voteRecord(s, 1, valueOf(s, 50)))
			}
			b := v.db.NewBatch()
			if err := errors.Join(spoil(b), b.Commit(pebble.Sync)); err != nil {
				t.Fatal(err)
			}
			err = dies(t, d, func() {
				votes, _, err := v.Scan(testGenesis, 1, 10, Limit{Values: true})
				t.Errorf("the scan returned %d votes, %v", len(votes), err)
			})
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("died of %v", err)
			}
			if _, ok, err := v.Vote(testGenesis, 1); ok || !errors.Is(err, ErrBroken) {
				t.Fatalf("answered after it: %t, %v", ok, err)
			}
			if ok, err := exists(fsys, testDir+"/"+corruptFile); !ok || err != nil {
				t.Fatalf("no %s file: %v", corruptFile, err)
			}
		})
	}
}
