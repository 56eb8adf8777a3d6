package sequencer

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// benchRig is a log at the default limits with a number of open sessions.
func benchRig(t testing.TB, sessions int) (*rig, []paxos.SessionID) {
	t.Helper()
	g := testGenesis()
	g.ValueLimit, g.Sessions, g.Outcomes, g.MessageIDs = 8<<20, paxos.DefaultSessions, paxos.DefaultOutcomes, paxos.DefaultMessageIDs
	r := newRigOf(t, g)
	ids := make([]paxos.SessionID, sessions)
	for i := range ids {
		ids[i] = r.open()
	}
	return r, ids
}

// fill composes a value of one batch a session, each with the number n.
func fill(dst []byte, ids []paxos.SessionID, n uint64, frames []byte) []byte {
	b := value.NewBuilder(dst, ballot(1), 1, 8<<20)
	var body []byte
	for _, id := range ids {
		body = value.EncodeBatch(body[:0], &value.Batch{Session: id, Number: n, Count: 1, Frames: frames})
		b.Add(value.ItemBatch, body)
	}
	return b.Bytes()
}

func benchApply(b *testing.B, batches, payload int) {
	r, ids := benchRig(b, batches)
	frames := value.AppendFrame(nil, nil, make([]byte, payload))
	var v []byte
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		b.StopTimer()
		n++
		v = fill(v, ids, n, frames)
		b.SetBytes(int64(len(v)))
		b.StartTimer()
		if _, err := r.seq.Apply(r.seq.Next(), v); err != nil {
			b.Fatal(err)
		}
	}
	if got := r.seq.LastOffset(); got != paxos.Offset(n)*paxos.Offset(batches) {
		b.Fatalf("%d entries of %d batches", got, n*uint64(batches))
	}
}

// BenchmarkApply applies slots of 100 batches of 1 KiB, and of 1,000 batches of 128 bytes, each of a session of its own.
func BenchmarkApply(b *testing.B) {
	b.Run("100x1KiB", func(b *testing.B) { benchApply(b, 100, 1024) })
	b.Run("1000x128B", func(b *testing.B) { benchApply(b, 1000, 128) })
}

// BenchmarkState encodes the state of a full log, as every mark does.
func BenchmarkState(b *testing.B) {
	r, ids := benchRig(b, paxos.DefaultSessions)
	var v []byte
	for n := range uint64(paxos.DefaultOutcomes) {
		v = fill(v, ids, n+1, nil)
		if _, err := r.seq.Apply(r.seq.Next(), v); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(r.seq.State())))
	for b.Loop() {
		r.seq.State()
	}
}

// TestApplyAllocates: entries are never decoded, and a batch costs no memory once its session's outcomes are a full ring. What a slot
// allocates is its items and outcomes, two slices.
func TestApplyAllocates(t *testing.T) {
	const batches = 100
	r, ids := benchRig(t, batches)
	frames := value.AppendFrame(nil, nil, make([]byte, 100))
	n := uint64(0)
	values := make([][]byte, 0, 200)
	for range cap(values) {
		n++
		values = append(values, fill(nil, ids, n, frames))
	}
	next := 0
	apply := func() {
		if _, err := r.seq.Apply(r.seq.Next(), values[next]); err != nil {
			t.Fatal(err)
		}
		next++
	}
	for range paxos.DefaultOutcomes + 1 {
		apply()
	}
	if got := testing.AllocsPerRun(100, apply); got > 8 {
		t.Errorf("%v allocations for a slot of %d batches", got, batches)
	}
}
