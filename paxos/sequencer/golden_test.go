package sequencer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// update writes testdata anew: go test ./paxos/sequencer -update. What is there must never change: logs exist whose hashes are
// over these bytes.
var update = flag.Bool("update", false, "write testdata anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s changed:\n%swant\n%s", name, got, want)
	}
}

// TestGoldenState pins the layout of the state, and that of a checkpoint.
func TestGoldenState(t *testing.T) {
	r := busy(t)
	golden(t, "state", hex.Dump(r.seq.State()))
	a := r.stable(10, true, "l1", "l2")
	golden(t, "checkpoint", hex.Dump(a.State))
}

// TestGoldenHash pins the running hash of a log that has something of everything, slot by slot (docs/protocol.md, section 8).
func TestGoldenHash(t *testing.T) {
	r := newRig(t)
	var b strings.Builder
	fmt.Fprintf(&b, "0 %x\n", r.seq.hash)
	r.put(commandItem(&value.TermStart{}))
	s := r.open()
	items := [][]value.Item{
		{},
		{batchItem(value.Batch{Session: s, Number: 1, Count: 3, MessageID: "x"}), batchItem(value.Batch{Session: s, Number: 1, Count: 3})},
		{batchItem(value.Batch{Session: s, Number: 9, Count: 1}), batchItem(value.Batch{Count: 1, Plain: true, MessageID: "x"})},
		{batchItem(value.Batch{Count: 1, Plain: true, HasExpect: true, Expect: 1}), batchItem(value.Batch{})},
		{setMembership(1, "a", "b", "d"), setMembership(1, "a", "b")},
		{commandItem(&value.Stable{Slot: 5, Hash: paxos.Hash{5}, Keepers: members("l1", "l2"), Mark: true})},
		{batchItem(value.Batch{Session: paxos.SessionID{Slot: 3}, Number: 1, Count: 1})},
	}
	for i, it := range items {
		a, err := r.try(ballot(2), paxos.Stamp(1000-i), it...)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %x\n", a.Slot, a.Hash)
	}
	golden(t, "hash", b.String())
}

// TestRunningHashByHand computes h(1) from the words of docs/protocol.md alone.
func TestRunningHashByHand(t *testing.T) {
	r := newRig(t)
	raw := value.Encode(nil, &value.Value{Origin: ballot(1), Stamp: 258, Items: []value.Item{
		batchItem(value.Batch{Count: 2}), commandItem(&value.Open{}),
	}})
	a, err := r.seq.Apply(1, raw)
	if err != nil {
		t.Fatal(err)
	}
	h0 := sha256.Sum256(value.EncodeGenesis(r.g))
	v := sha256.Sum256(raw)
	zeros := func(n int) []byte { return make([]byte, n) }
	h1 := sha256.Sum256(bytes.Join([][]byte{
		h0[:],
		{1},
		zeros(7), // t
		v[:],
		{2, 1},
		zeros(6), // stamp
		{1},
		zeros(12), zeros(8),
		{1},
		zeros(7),
		{2},
		zeros(3), // appended; no session, no number; first 1, count 2
		{10},
		{1},
		zeros(7),
		{1},
		zeros(3), zeros(8), zeros(8), zeros(4), // opened; session 1/1
	}, nil))
	if a.Hash != paxos.Hash(h1) {
		t.Fatalf("h(1) is %x, want %x", a.Hash, h1)
	}
}

// TestHashCoversEverything: two logs differ in their hash if they differ in a slot's value or in anything that the sequencer made of
// it, the state at a mark included (PROTOCOL L5).
func TestHashCoversEverything(t *testing.T) {
	after := func(edit func(r *rig)) paxos.Hash {
		r := newRig(t)
		r.open()
		r.put(batchItem(value.Batch{Count: 1}))
		edit(r)
		return r.put(batchItem(value.Batch{Session: paxos.SessionID{Slot: 1}, Number: 1, Count: 1})).Hash
	}
	base := after(func(*rig) {})
	edits := map[string]func(r *rig){
		"an earlier slot":      func(r *rig) { r.seq.hash[31]++ },
		"the stamp":            func(r *rig) { r.seq.stamp++ },
		"the first offset":     func(r *rig) { r.seq.last++ },
		"the outcome":          func(r *rig) { r.seq.sessions.byID[paxos.SessionID{Slot: 1}].last = 9 },
		"the place in the log": func(r *rig) { r.seq.through++ },
	}
	for name, edit := range edits {
		if after(edit) == base {
			t.Errorf("the hash does not cover %s", name)
		}
	}
	mark := func(edit func(s *Sequencer)) paxos.Hash {
		r := busy(t)
		edit(r.seq)
		return r.stable(10, true, "l1", "l2").Hash
	}
	base = mark(func(*Sequencer) {})
	inState := map[string]func(s *Sequencer){
		"level":     func(s *Sequencer) { s.level = 0 },
		"term":      func(s *Sequencer) { s.term.Run-- },
		"retention": func(s *Sequencer) { s.retained-- },
		"members":   func(s *Sequencer) { m := *s.members[1]; m.Read++; s.members[1] = &m },
		"session": func(s *Sequencer) {
			s.sessions.newest.last++
			s.sessions.newest.ring = append(s.sessions.newest.ring, kept{})
		},
		"outcome":    func(s *Sequencer) { s.sessions.newest.ring[0].checksum++ },
		"order":      func(s *Sequencer) { s.sessions.touch(s.sessions.oldest.id) },
		"message id": func(s *Sequencer) { s.ids.next = (s.ids.next + 1) % len(s.ids.ring) },
	}
	for name, edit := range inState {
		if mark(edit) == base {
			t.Errorf("a mark's hash does not cover the state's %s", name)
		}
	}
}

// TestCanonicalState: equal states have equal bytes, whatever led to them.
func TestCanonicalState(t *testing.T) {
	first := paxos.SessionID{Slot: 1}
	plain := func(id string) value.Item { return batchItem(value.Batch{Count: 1, Plain: true, MessageID: id}) }
	one := func(n uint64) value.Item { return batchItem(value.Batch{Session: first, Number: n, Count: 1}) }
	tests := []struct {
		name string
		a, b func(r *rig)
	}{
		{"refusals and holes leave no trace", func(r *rig) {
			r.put(one(1), one(7), one(1), batchItem(value.Batch{Count: 2, HasExpect: true, Expect: 99}), batchItem(value.Batch{}))
		}, func(r *rig) { r.put(one(1)) }},
		{"use in another order, with the same end", func(r *rig) {
			r.put(commandItem(&value.Open{}))
			r.put(one(1), batchItem(value.Batch{Session: paxos.SessionID{Slot: 2}, Number: 9, Count: 1}))
		}, func(r *rig) {
			r.put(commandItem(&value.Open{}))
			r.put(batchItem(value.Batch{Session: paxos.SessionID{Slot: 2}, Number: 9, Count: 1}), one(1),
				batchItem(value.Batch{Session: paxos.SessionID{Slot: 2}, Number: 8, Count: 1}))
		}},
		{"a dropped value and a no-op", func(r *rig) {
			r.at(5, commandItem(&value.TermStart{}))
			r.at(4, one(1), plain("x"), commandItem(&value.Open{}))
		}, func(r *rig) { r.at(5, commandItem(&value.TermStart{})); r.at(5) }},
		{"ids in a ring turned by restoring", func(r *rig) {
			for i := range 7 {
				r.put(plain(fmt.Sprint(i)))
			}
			r.put(plain("x"))
		}, func(r *rig) {
			for i := range 7 {
				r.put(plain(fmt.Sprint(i)))
			}
			r.seq = r.again()
			r.put(plain("x"))
		}},
		{"keepers stated at once and one after the other", func(r *rig) {
			r.put(commandItem(&value.SetKeepers{Replaces: 1, Keepers: paxos.Keepers{Members: members("l1", "l2", "l3"), K: 2}}))
			r.stable(1, false, "l2", "l3")
			r.stable(1, false, "l1", "l2")
		}, func(r *rig) {
			r.put(commandItem(&value.SetKeepers{Replaces: 1, Keepers: paxos.Keepers{Members: members("l1", "l2", "l3"), K: 2}}))
			r.put()
			r.stable(1, false, "l1", "l2", "l3")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newRig(t), newRig(t)
			a.open()
			b.open()
			tt.a(a)
			tt.b(b)
			if !bytes.Equal(a.seq.State(), b.seq.State()) {
				t.Fatalf("states differ:\n%x\n%x", a.seq.State(), b.seq.State())
			}
		})
	}
}
