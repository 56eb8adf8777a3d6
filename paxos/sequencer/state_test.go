package sequencer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// busy is a log whose state has something of everything: sessions in use and ended, ids, a term, a stable mark, two memberships.
func busy(t testing.TB) *rig {
	t.Helper()
	r := newRig(t)
	r.put(commandItem(&value.TermStart{}))
	s1, s2 := r.open(), r.open()
	for n := uint64(1); n <= 6; n++ {
		r.send(s1, n, uint32(n))
	}
	r.one(batchItem(value.Batch{Session: s2, Number: 1, Count: 1, HasExpect: true, Expect: 3}))
	for _, id := range []string{"i1", "i2", "i3", "i4", "i5"} {
		r.one(batchItem(value.Batch{Count: 1, Plain: true, MessageID: id}))
	}
	r.stable(9, false, "l1", "l2")
	r.one(setMembership(1, "a", "b", "d"))
	r.one(commandItem(&value.Retain{Through: 5}))
	return r
}

// TestRestoreBusy: what was restored encodes to the same bytes.
func TestRestoreBusy(t *testing.T) {
	r := busy(t)
	if got, want := r.again().State(), r.seq.State(); !bytes.Equal(got, want) {
		t.Fatalf("restored state differs:\n%x\n%x", got, want)
	}
}

// TestRestoreRefuses: bytes that no Sequencer of this log can have written. A checkpoint comes from one learner, with a hash that
// fits it; until others have vouched for it, it may be anyone's.
func TestRestoreRefuses(t *testing.T) {
	tests := []struct {
		name string
		edit func(s *Sequencer)
		also error
	}{
		{"another slot", func(s *Sequencer) { s.through++ }, nil},
		{"stable at its own slot", func(s *Sequencer) { s.stable = s.through }, nil},
		{"retention beyond the end", func(s *Sequencer) { s.retained = s.last + 1 }, nil},
		{"a level unknown here", func(s *Sequencer) { s.level = paxos.FormatLevel + 1 }, ErrUpgrade},
		{"a level below the log's", func(s *Sequencer) { s.level = 0 }, nil},
		{"no membership", func(s *Sequencer) { s.members = nil }, nil},
		{"no membership of the first unstable slot", func(s *Sequencer) { s.members = s.members[1:] }, nil},
		{"a quorum of nobody", func(s *Sequencer) { m := *s.members[0]; m.Write = 0; s.members[0] = &m }, nil},
		{"memberships in disorder", func(s *Sequencer) { s.members[0], s.members[1] = s.members[1], s.members[0] }, nil},
		{"an epoch left out", func(s *Sequencer) { m := *s.members[1]; m.Epoch++; s.members[1] = &m }, nil},
		{"a membership beyond the window", func(s *Sequencer) { m := *s.members[1]; m.From = s.through + 11; s.members[1] = &m }, nil},
		{"a membership that was forgotten", func(s *Sequencer) { m := *s.members[1]; m.From = s.stable + 1; s.members[1] = &m }, nil},
		{"too few keepers", func(s *Sequencer) { s.keepers = &paxos.Keepers{Epoch: 1, Members: members("l1"), K: 1} }, nil},
		{"a stranger on record", func(s *Sequencer) { s.onRecord = members("l1", "l3") }, nil},
		{"a record in disorder", func(s *Sequencer) { s.onRecord = members("l2", "l1") }, nil},
		{"a session of the future", func(s *Sequencer) { s.sessions.newest.id.Slot = s.through + 1 }, nil},
		{"a session without a slot", func(s *Sequencer) { s.sessions.newest.id.Slot = 0 }, nil},
		{"one session twice", func(s *Sequencer) { s.sessions.newest.id = s.sessions.oldest.id }, nil},
		{"a session without its outcomes", func(s *Sequencer) { x := s.sessions.newest; x.last, x.ring = 6, make([]kept, 2) }, nil},
		{"too many sessions", func(s *Sequencer) {
			s.sessions.limit = 99
			s.sessions.open(paxos.SessionID{Slot: 4})
			s.sessions.open(paxos.SessionID{Slot: 5})
		}, nil},
		{"too many ids", func(s *Sequencer) { s.ids.limit++; s.ids.next = 0; s.ids.add("more", 1, 1) }, nil},
		{"an empty id", func(s *Sequencer) { s.ids.ring[0] = "" }, nil},
		{"one id twice", func(s *Sequencer) { s.ids.ring[0] = s.ids.ring[1] }, nil},
		{"the term of a nameless giant", func(s *Sequencer) { s.term.Proposer = string(make([]byte, 65)) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := busy(t)
			slot := r.seq.Through()
			tt.edit(r.seq)
			_, err := restore(r.g, slot, r.seq.Hash(), r.seq.State())
			if !errors.Is(err, ErrState) || (tt.also != nil && !errors.Is(err, tt.also)) {
				t.Fatalf("error %v, want %v, %v", err, ErrState, tt.also)
			}
		})
	}
	t.Run("cut short, or longer", func(t *testing.T) {
		r := busy(t)
		b := r.seq.State()
		for n := range b {
			if _, err := restore(r.g, r.seq.Through(), r.seq.Hash(), b[:n]); !errors.Is(err, ErrState) {
				t.Fatalf("%d bytes of %d: %v", n, len(b), err)
			}
		}
		if _, err := restore(r.g, r.seq.Through(), r.seq.Hash(), append(b, 0)); !errors.Is(err, ErrState) {
			t.Fatalf("one byte more: %v", err)
		}
	})
	t.Run("another version", func(t *testing.T) {
		r := busy(t)
		b := r.seq.State()
		b[0]++
		if _, err := restore(r.g, r.seq.Through(), r.seq.Hash(), b); !errors.Is(err, ErrState) {
			t.Fatal(err)
		}
	})
}

// TestRestoreLastNumber: a forged session at the end of its numbers must not make the state's encoding go on for ever.
func TestRestoreLastNumber(t *testing.T) {
	r := busy(t)
	x := r.seq.sessions.byID[paxos.SessionID{Slot: 2}]
	x.last = math.MaxUint64 // 4 outcomes kept, at the same places
	s := r.again()
	if !bytes.Equal(s.State(), r.seq.State()) {
		t.Fatal("restored state differs")
	}
}

// TestRestoreHoldsCheckpointToHash: the bytes of a checkpoint come from anyone; the hash that others vouch for covers every one of them.
func TestRestoreHoldsCheckpointToHash(t *testing.T) {
	r := busy(t)
	a := r.stable(10, true, "l1", "l2")
	if !a.Mark || a.State == nil {
		t.Fatal("no mark")
	}
	s, err := Restore(r.g, a.Slot, a.Hash, a.State)
	if err != nil {
		t.Fatal(err)
	}
	if s.Hash() != a.Hash || s.Through() != a.Slot || !bytes.Equal(s.State(), r.seq.State()) {
		t.Fatal("restored another state")
	}
	for i := range a.State {
		forged := bytes.Clone(a.State)
		forged[i] ^= 0x10
		if _, err := Restore(r.g, a.Slot, a.Hash, forged); !errors.Is(err, ErrState) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	for n := range a.State {
		if _, err := Restore(r.g, a.Slot, a.Hash, a.State[:n]); !errors.Is(err, ErrState) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	long := binary.LittleEndian.AppendUint32(nil, math.MaxUint32)
	if _, err := Restore(r.g, a.Slot, a.Hash, append(long, a.State[4:]...)); !errors.Is(err, ErrState) {
		t.Fatal("a length beyond the end was taken")
	}
	if _, err := Restore(r.g, a.Slot+1, a.Hash, a.State); !errors.Is(err, ErrState) {
		t.Fatal("restored at another slot")
	}
}
