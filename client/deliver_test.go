package client

import (
	"testing"

	"github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Delivery ends at the last offset asked for, also where a reader begins above it because what was below is gone.
func TestDeliveryEnds(t *testing.T) {
	for _, x := range []struct {
		first, until uint64
		want         int
		more         bool
	}{
		{first: 5, until: 0, want: 3, more: true},
		{first: 5, until: 9, want: 3, more: true},
		{first: 5, until: 6, want: 2},
		{first: 5, until: 7, want: 3},
		{first: 5, until: 4, want: 0},
	} {
		var frames []byte
		for range 3 {
			frames = value.AppendFrame(frames, nil, []byte("entry"))
		}
		b := &stream.Batch{ReadBatch: paxos.ReadBatch{First: paxos.Offset(x.first), Count: 3, Frames: frames}}
		n := 0
		more := deliverBatch(b, x.until, func(Entry, error) bool { n++; return true })
		if n != x.want || more != x.more {
			t.Errorf("from %d until %d: %d entries, more %t; want %d, %t", x.first, x.until, n, more, x.want, x.more)
		}
	}
}
