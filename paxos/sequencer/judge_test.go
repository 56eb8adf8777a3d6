package sequencer

import (
	"errors"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// TestQ8SequencerTrustsTheCount: entries were counted by the leader that proposed them; the sequencer looks into none, and so cannot
// differ from another that does.
func TestQ8SequencerTrustsTheCount(t *testing.T) {
	r := newRig(t)
	garbage := []byte{0xff, 0xff, 0xff, 0xff, 1}
	r.entries(r.one(batchItem(value.Batch{Count: 7, Frames: garbage})), paxos.CodeAppended, 1, 7)
	r.entries(r.one(batchItem(value.Batch{Count: 1, Plain: true, Frames: []byte{}})), paxos.CodeAppended, 8, 1)
}

// TestQ5OnlyReadersDependOnStamps: whatever the leaders' clocks said, the outcomes and the state are the same, but for the stamp itself.
func TestQ5OnlyReadersDependOnStamps(t *testing.T) {
	run := func(stamps ...paxos.Stamp) (codes []paxos.Code, last paxos.Offset) {
		r := newRig(t)
		s := r.open()
		items := []value.Item{
			batchItem(value.Batch{Session: s, Number: 1, Count: 2, MessageID: "x"}),
			batchItem(value.Batch{Session: s, Number: 1, Count: 2, MessageID: "x"}),
			batchItem(value.Batch{Count: 1, Plain: true, MessageID: "x"}),
			commandItem(&value.TermStart{}),
			batchItem(value.Batch{Count: 1, Plain: true, HasExpect: true, Expect: 2}),
		}
		for i, it := range items {
			a, err := r.try(ballot(2), stamps[i%len(stamps)], it)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, a.Outcomes[0].Code)
		}
		return codes, r.seq.LastOffset()
	}
	wantCodes, want := run(0)
	for _, stamps := range [][]paxos.Stamp{{1, 2, 3}, {5, -5}, {1 << 62, 0}, {-1 << 63}} {
		codes, last := run(stamps...)
		if last != want {
			t.Fatalf("stamps %v: last offset %d, want %d", stamps, last, want)
		}
		for i := range codes {
			if codes[i] != wantCodes[i] {
				t.Fatalf("stamps %v: item %d: code %d, want %d", stamps, i, codes[i], wantCodes[i])
			}
		}
	}
}

// TestAdviseSaysOnlyWhatIsFinal: what a leader may answer without a slot of the log is the outcome of a batch that was decided.
// Whatever is still open, a condition above all, is judged in its own place (PROTOCOL Q3).
func TestAdviseSaysOnlyWhatIsFinal(t *testing.T) {
	r := newRig(t)
	s := r.open()
	r.send(s, 1, 2)
	r.one(batchItem(value.Batch{Count: 1, Plain: true, MessageID: "x"}))
	tests := []struct {
		name string
		b    value.Batch
		ok   bool
		code paxos.Code
	}{
		{"a session's duplicate", value.Batch{Session: s, Number: 1, Count: 2}, true, paxos.CodeDuplicate},
		{"with other bytes", value.Batch{Session: s, Number: 1, Count: 3}, true, paxos.CodeMismatch},
		{"the next number", value.Batch{Session: s, Number: 2, Count: 1}, false, 0},
		{"a hole, which may be filled on the way", value.Batch{Session: s, Number: 3, Count: 1}, false, 0},
		{"an unknown session, which may be opened on the way", value.Batch{Session: paxos.SessionID{Slot: 9}, Number: 1, Count: 1}, false, 0},
		{"a known id", value.Batch{Count: 1, Plain: true, MessageID: "x"}, true, paxos.CodeDuplicate},
		{"a new id", value.Batch{Count: 1, Plain: true, MessageID: "y"}, false, 0},
		{"a condition that fails here", value.Batch{Count: 1, Plain: true, HasExpect: true, Expect: 77}, false, 0},
		{"a tail", value.Batch{}, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := value.DecodeBatch(batchItem(tt.b).Body)
			if err != nil {
				t.Fatal(err)
			}
			if o, ok := r.seq.Advise(&b); ok != tt.ok || (ok && o.Code != tt.code) {
				t.Fatalf("code %d, final %t; want %d, %t", o.Code, ok, tt.code, tt.ok)
			}
		})
	}
}

// TestApplyWantsTheNextSlot: a caller that skips or repeats a slot has broken its own invariant; going on would fork the log.
func TestApplyWantsTheNextSlot(t *testing.T) {
	r := newRig(t)
	r.put()
	for _, slot := range []paxos.Slot{0, 1, 3} {
		func() {
			defer func() {
				err, _ := recover().(error)
				var v *paxos.Violation
				if !errors.As(err, &v) {
					t.Fatalf("slot %d after 1: %v", slot, err)
				}
			}()
			_, _ = r.seq.Apply(slot, value.Encode(nil, &value.Value{}))
		}()
	}
}

// TestStartAndConstants: before slot 1 a log is what its genesis says.
func TestStartAndConstants(t *testing.T) {
	r := newRig(t)
	stable, hash := r.seq.Stable()
	switch {
	case r.seq.Through() != 0, r.seq.Next() != 1, r.seq.LastOffset() != 0, stable != 0, !hash.IsZero(), r.seq.Retained() != 0:
		t.Error("an empty log has marks")
	case r.seq.Genesis() != r.g, r.seq.Keepers().K != 2, r.seq.Newest().Epoch != 1, len(r.seq.OnRecord()) != 0, r.seq.Level() != 1:
		t.Error("an empty log is not as founded")
	}
}

// TestRetain: retention moves forward only, and to no offset that is not there.
func TestRetain(t *testing.T) {
	r := newRig(t)
	r.put(batchItem(value.Batch{Count: 5}))
	for _, tt := range []struct {
		through paxos.Offset
		code    paxos.Code
		want    paxos.Offset
	}{
		{0, paxos.CodeCommandRefused, 0},
		{6, paxos.CodeCommandRefused, 0},
		{3, paxos.CodeCommandDone, 3},
		{3, paxos.CodeCommandRefused, 3},
		{2, paxos.CodeCommandRefused, 3},
		{5, paxos.CodeCommandDone, 5},
	} {
		r.is(r.one(commandItem(&value.Retain{Through: tt.through})), tt.code)
		if r.seq.Retained() != tt.want {
			t.Fatalf("retain %d: through %d, want %d", tt.through, r.seq.Retained(), tt.want)
		}
	}
	if a := r.again(); a.Retained() != 5 {
		t.Fatalf("restored: through %d", a.Retained())
	}
}
