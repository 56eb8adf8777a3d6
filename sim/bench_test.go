package sim

import (
	"testing"
	"time"
)

// BenchmarkFaultFree runs the shipped shape of a cluster, three acceptors, two proposers and two learners, at 20 batches a second, and
// says how many simulated seconds pass in a real one.
func BenchmarkFaultFree(b *testing.B) {
	simulated := time.Duration(0)
	acknowledged := 0
	for i := range b.N {
		r := Run(Options{Seed: uint64(i + 1), Profile: ProfileBench})
		if r.Failure != nil {
			b.Fatal(r.Failure)
		}
		simulated += r.Simulated
		acknowledged += r.Counters["acknowledged"]
	}
	b.ReportMetric(simulated.Seconds()/b.Elapsed().Seconds(), "simulated-s/s")
	b.ReportMetric(float64(acknowledged)/simulated.Seconds(), "batches/simulated-s")
	b.ReportMetric(0, "ns/op")
}
