package learner

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// One accept and three learns a slot, up to the sequenced outcome. Subtract BenchmarkApplyAlone for the learner's own share: the
// rest is the sequencer and its SHA-256.
func BenchmarkLearnSlot(b *testing.B) {
	g := testGenesis(1024)
	r := newRig(g)
	v := text("0123456789abcdef")
	sum := paxos.Sum(v)
	bal := ballot(1, "p1")
	accept := paxos.Accept{Ballot: bal, Checksum: sum, Value: v}
	var learns [3]paxos.Learn
	for i, name := range []string{"a", "b", "c"} {
		learns[i] = paxos.Learn{Voter: voterOf(name), Ballot: bal, Votes: []paxos.SlotSum{{Checksum: sum}}}
	}
	b.ReportAllocs()
	s := paxos.Slot(0)
	for b.Loop() {
		s++
		accept.Slot = s
		r.l.OnAccept(0, "p1", &accept, &r.out)
		for i := range learns {
			learns[i].Votes[0].Slot = s
			r.l.OnLearn(0, &learns[i], &r.out)
		}
		r.out.Reset()
	}
	if r.l.Through() != s {
		b.Fatalf("through %d of %d", r.l.Through(), s)
	}
}

func BenchmarkApplyAlone(b *testing.B) {
	w := newTruth(testGenesis(1024))
	v := text("0123456789abcdef")
	b.ReportAllocs()
	s := paxos.Slot(0)
	for b.Loop() {
		s++
		if _, err := w.seq.Apply(s, v); err != nil {
			b.Fatal(err)
		}
	}
}
