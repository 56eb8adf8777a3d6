package wal

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// BenchmarkGroupCommit has many callers, each of which waits for its own vote to be durable, on the real disk.
func BenchmarkGroupCommit(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			v := openBig(b, b.TempDir())
			apply(b, v, stateRecord())
			value := valueOf(1, 1024)
			var slot atomic.Uint64
			first := v.Written()
			b.SetBytes(int64(len(value)))
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					apply(b, v, voteRecord(paxos.Slot(slot.Add(1)), 1, value))
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/float64(v.Written()-first), "votes/group")
			closeStore(b, v)
		})
	}
}

// BenchmarkSubmit is what the caller's goroutine pays for a vote, durability aside.
func BenchmarkSubmit(b *testing.B) {
	v := openBig(b, b.TempDir())
	apply(b, v, stateRecord())
	value := valueOf(1, 1024)
	recs := make([]paxos.Record, 1)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for i := range b.N {
		recs[0] = voteRecord(paxos.Slot(i+1), 1, value)
		if err := v.Submit(recs, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	closeStore(b, v)
}

// BenchmarkScan reads a window of votes without their values, as a promise does.
func BenchmarkScan(b *testing.B) {
	v := openBig(b, b.TempDir())
	apply(b, v, stateRecord())
	for s := paxos.Slot(1); s <= 1024; s++ {
		apply(b, v, voteRecord(s, 1, valueOf(s, 10_000)))
	}
	b.ResetTimer()
	for range b.N {
		votes, _, err := v.Scan(testGenesis, 1, paxos.MaxSlot, Limit{})
		if err != nil || len(votes) != 1024 {
			b.Fatal(len(votes), err)
		}
	}
	b.StopTimer()
	closeStore(b, v)
}
