package proposer

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// BenchmarkLeader is the leader's way of a slot: batches in, one accept out, three acceptors' votes in, answers out.
func BenchmarkLeader(b *testing.B) {
	for _, c := range []struct {
		name           string
		batches, bytes int
	}{{"1x128B", 1, 128}, {"64x1KiB", 64, 1024}} {
		b.Run(c.name, func(b *testing.B) { benchmarkLeader(b, c.batches, c.bytes) })
	}
}

func benchmarkLeader(b *testing.B, batches, size int) {
	gen := testGenesis(1024, "a1", "a2", "a3")
	gen.ValueLimit, gen.Sessions = paxos.DefaultValueLimit, 4096
	var requests uint64
	next := func() uint64 { requests++; return requests }
	p := New(Config{Name: "p1", Cluster: "c", Run: 7, Seed: 1, Proposers: []string{"p1"}, NextRequest: next})
	var out Output
	now := paxos.Instant(1)
	l := learner.New(learner.Config{Genesis: gen, Self: "p1", Seed: 1, NextRequest: next}, sequencer.New(gen))
	if err := p.AddLog(now, gen, l, &out); err != nil {
		b.Fatal(err)
	}
	g := p.groups.list[0]
	s := &step{now: now, out: &out}
	g.stand(s, "benchmark", false)
	voters := []string{"a1", "a2", "a3"}
	deliver := func(m paxos.Message) {
		p.Deliver(now, 0, &paxos.Envelope{Log: gen.Log, Genesis: gen.ID, Reply: "r", Request: 1, Msg: m}, &out)
	}
	for _, a := range voters {
		deliver(&paxos.Promise{Voter: paxos.Voter{Name: a, Incarnation: inc(a, 1), Boot: 1, Run: 1}, Ballot: g.lastOwn, From: 1, To: paxos.MaxSlot})
	}
	turn := func() {
		p.Flush(now, 0, &out)
		for i := range out.Now {
			m, ok := out.Now[i].Msg.(*paxos.Accept)
			if !ok {
				continue
			}
			for _, a := range voters {
				out.Now[i].Msg = nil
				deliver(&paxos.Learn{
					Voter:  paxos.Voter{Name: a, Incarnation: inc(a, 1), Boot: 1, Run: 1},
					Ballot: m.Ballot, Votes: []paxos.SlotSum{{Slot: m.Slot, Checksum: m.Checksum}},
				})
			}
		}
		out.Reset()
	}
	turn()
	turn()
	ld := g.phase.(*leader)
	if !ld.serving() {
		b.Fatal("does not serve")
	}
	frames := value.AppendFrame(nil, nil, make([]byte, size))
	deliver(&paxos.Open{Client: "c", Token: 1, Generation: ld.generation})
	turn()
	session := paxos.SessionID{Slot: g.through()}
	number := uint64(0)
	b.SetBytes(int64(batches * size))
	b.ReportAllocs()
	for b.Loop() {
		for range batches {
			number++
			body := value.EncodeBatch(nil, &value.Batch{Session: session, Number: number, Count: 1, Frames: frames})
			deliver(&paxos.Batch{Ballot: ld.ballot, Batch: body, Generation: ld.generation})
		}
		turn()
	}
	if last := g.seq.LastOffset(); last != paxos.Offset(number) {
		b.Fatalf("last offset %d, want %d", last, number)
	}
}
