package sequencer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// FuzzRestore: bytes from one learner, with a hash that fits them, cause no panic; what is restored encodes to the same bytes, and
// the log can go on from it.
func FuzzRestore(f *testing.F) {
	r := busy(f)
	f.Add(r.seq.State())
	f.Add(New(r.g).State())
	f.Fuzz(func(t *testing.T, state []byte) {
		var slot paxos.Slot
		if len(state) >= 9 {
			slot = paxos.Slot(binary.LittleEndian.Uint64(state[1:]))
		}
		sum := sha256.Sum256(state)
		hash := paxos.Hash(sha256.Sum256(append([]byte("before"), sum[:]...)))
		s, err := Restore(testGenesis(), slot, hash, seal([]byte("before"), state))
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("error %v is none of this package", err)
			}
			return
		}
		if got := s.State(); !bytes.Equal(got, state) {
			t.Fatalf("%x encodes to %x", state, got)
		}
		if s.Next() == 0 {
			return // the last slot there is
		}
		for _, it := range []value.Item{
			commandItem(&value.Open{}), batchItem(value.Batch{Count: 1, Plain: true, MessageID: "new"}), commandItem(&value.TermStart{}),
			commandItem(&value.Stable{Slot: s.Through(), Keepers: s.Keepers().Members, Mark: true}),
		} {
			if _, err := s.Apply(s.Next(), value.Encode(nil, &value.Value{Origin: s.TermStart(), Items: []value.Item{it}})); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzCheckpoint: nothing but what a hash was computed over is taken for it.
func FuzzCheckpoint(f *testing.F) {
	r := busy(f)
	a := r.stable(10, true, "l1", "l2")
	f.Add(a.State)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Restore(r.g, a.Slot, a.Hash, b); (err == nil) != bytes.Equal(b, a.State) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

// FuzzApply: any bytes may be found chosen. They cause no panic, are applied whole or not at all, and by a restored Sequencer alike.
func FuzzApply(f *testing.F) {
	r := busy(f)
	base := r.seq.State()
	hash, slot := r.seq.Hash(), r.seq.Through()
	for _, v := range valueSeeds() {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		s, err := restore(r.g, slot, hash, base)
		if err != nil {
			t.Fatal(err)
		}
		a, err := s.Apply(slot+1, v)
		if err != nil {
			if errors.Is(err, ErrUpgrade) == errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not one of the two", err)
			}
			if !bytes.Equal(s.State(), base) || s.Hash() != hash {
				t.Fatal("applied in part")
			}
			return
		}
		again, err := restore(r.g, a.Slot, a.Hash, s.State())
		if err != nil {
			t.Fatalf("its state is not restored: %v", err)
		}
		if !bytes.Equal(again.State(), s.State()) {
			t.Fatal("restored another state")
		}
	})
}

// valueSeeds is one value of each kind of item.
func valueSeeds() (vs [][]byte) {
	items := []value.Item{
		commandItem(&value.Open{Client: "c"}), commandItem(&value.TermStart{}),
		commandItem(&value.Stable{Slot: 12, Keepers: members("l1", "l2"), Mark: true}),
		setMembership(2, "a", "b", "d"), commandItem(&value.SetKeepers{Replaces: 1, Keepers: paxos.Keepers{Members: members("l1", "l2", "l3"), K: 2}}),
		commandItem(&value.SetLevel{Level: 1}), commandItem(&value.Retain{Through: 7}),
		batchItem(value.Batch{Session: paxos.SessionID{Slot: 2}, Number: 7, Count: 2, MessageID: "i9"}),
		batchItem(value.Batch{Count: 1, Plain: true, HasExpect: true, Expect: 26}), batchItem(value.Batch{}),
	}
	vs = append(vs, value.Encode(nil, &value.Value{Origin: ballot(1), Stamp: 5}), value.Encode(nil, &value.Value{Origin: ballot(2), Items: items}))
	for i := range items {
		vs = append(vs, value.Encode(nil, &value.Value{Origin: ballot(1), Items: items[i : i+1]}))
	}
	return vs
}

// corpus is what is committed beside the seeds: states and values damaged where a decoder decides.
func corpus(t *testing.T) map[string][][]byte {
	t.Helper()
	r := busy(t)
	state := r.seq.State()
	set := func(b []byte, at int, with ...byte) []byte { b = bytes.Clone(b); copy(b[at:], with); return b }
	v := valueSeeds()[1]
	check := r.stable(10, true, "l1", "l2").State
	return map[string][][]byte{
		"FuzzRestore": {
			{},
			set(state, 0, 2), state[:len(state)-1], set(state, 1, 0xff), set(state, 25, 9), set(state, len(state)-1, 0xff),
			append(bytes.Clone(state), 0),
		},
		"FuzzCheckpoint": {{}, {0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, check[:len(check)-1], set(check, 4, 0xff)},
		"FuzzApply":      {{}, set(v, 0, 2), v[:len(v)-1], set(v, 1, 0)},
	}
}

// TestFuzzCorpora: the committed corpora are what corpus says.
func TestFuzzCorpora(t *testing.T) {
	for target, inputs := range corpus(t) {
		dir := filepath.Join("testdata", "fuzz", target)
		for i, b := range inputs {
			path := filepath.Join(dir, fmt.Sprintf("damaged-%02d", i))
			want := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", b)
			if *update {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%s: %v, %q; want %q", path, err, got, want)
			}
		}
	}
}
