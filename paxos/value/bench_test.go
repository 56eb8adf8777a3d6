package value

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// BenchmarkScanFrames is what a leader does with each batch before it proposes it (PROTOCOL Q8): 8,000 entries of 128 bytes.
func BenchmarkScanFrames(b *testing.B) {
	var frames []byte
	payload := make([]byte, 122)
	for range 8000 {
		frames = AppendFrame(frames, nil, payload)
	}
	b.SetBytes(int64(len(frames)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ScanFrames(frames, 8000); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeBatch is what each leader, learner and standby does with each batch: most of it is the checksum.
func BenchmarkDecodeBatch(b *testing.B) {
	batch := EncodeBatch(nil, &Batch{
		Session: paxos.SessionID{Slot: 1}, Number: 1, Count: 1, Frames: AppendFrame(nil, nil, make([]byte, 1024)),
	})
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeBatch(batch); err != nil {
			b.Fatal(err)
		}
	}
}

// TestScanFramesAllocatesNothing: a leader scans every entry that it proposes.
func TestScanFramesAllocatesNothing(t *testing.T) {
	frames := AppendFrame(AppendFrame(nil, nil, []byte("a")), []paxos.Header{{Key: "k", Value: "v"}}, []byte("b"))
	if n := testing.AllocsPerRun(100, func() { _ = ScanFrames(frames, 2) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	batch := EncodeBatch(nil, &Batch{Session: paxos.SessionID{Slot: 1}, Number: 1, Count: 2, Frames: frames})
	if n := testing.AllocsPerRun(100, func() { _, _ = DecodeBatch(batch) }); n != 0 {
		t.Errorf("DecodeBatch: %v allocations", n)
	}
}
