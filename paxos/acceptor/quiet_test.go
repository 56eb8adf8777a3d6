package acceptor

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestQuietVotes: who was asked quietly votes to the proposer alone, once durable; votes for all and for one do not share a message.
func TestQuietVotes(t *testing.T) {
	r := newRig(t, "main")
	b := bal(1, "p1")
	out := r.step(func(out *Output) {
		for i, quiet := range []bool{true, true, false} {
			v := batchValue(b, string(rune('x'+i)))
			env := about(1, "main", "p1", &paxos.Accept{
				Ballot: b, Slot: paxos.Slot(1 + i), Checksum: paxos.Sum(v), Value: v, Quiet: quiet, Alone: i == 0,
			})
			r.a.Deliver(r.now, &env, out)
		}
	})
	if len(out.Now) != 0 {
		t.Fatalf("left before the sync: %v", out.Now)
	}
	envs := r.sync()
	if len(envs) != 2 {
		t.Fatalf("%d messages, want one to p1 and one to all", len(envs))
	}
	one, all := envs[0].Msg.(*paxos.Learn), envs[1].Msg.(*paxos.Learn)
	if envs[0].To != "p1" || one.Kind() != paxos.KindVote || len(one.Votes) != 2 {
		t.Errorf("to %q by %s: %+v", envs[0].To, one.Kind(), one.Votes)
	}
	if envs[1].To != "" || all.Kind() != paxos.KindLearn || len(all.Votes) != 1 || all.Votes[0].Slot != 3 {
		t.Errorf("to %q by %s: %+v", envs[1].To, all.Kind(), all.Votes)
	}
}
