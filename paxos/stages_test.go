package paxos_test

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// Spans that are set as a message leaves are never below zero, and a sync is never longer than what it is part of: a decoder would
// refuse or cut what is.
func TestSpansAsAMessageLeaves(t *testing.T) {
	m := &paxos.Learn{Times: []paxos.VoteTime{{Arrived: 100}, {Arrived: 50}, {Arrived: 300}}}
	paxos.SetSynced(m, 200, 120)
	for i, want := range []paxos.VoteTime{{Synced: 100, Fsync: 100}, {Synced: 150, Fsync: 120}, {}} {
		if got := m.Times[i]; got.Synced != want.Synced || got.Fsync != want.Fsync {
			t.Errorf("vote %d: %+v, want %+v", i, got, want)
		}
	}
	a := &paxos.BatchAnswer{}
	paxos.SetAnswered(a, 200)
	if a.Stages != nil {
		t.Error("stages that nobody asked for")
	}
	a.Stages = &paxos.Stages{Chosen: 150}
	if paxos.SetAnswered(a, 200); a.Stages.Answered != 50 {
		t.Errorf("answered after %d", a.Stages.Answered)
	}
	if paxos.SetAnswered(a, 100); a.Stages.Answered != 0 {
		t.Errorf("answered after %d, before it was chosen", a.Stages.Answered)
	}
}

func TestArrivedBy(t *testing.T) {
	for arrived, want := range map[paxos.Instant]paxos.Instant{0: 7, 3: 3, 9: 7} {
		if got := (&paxos.Envelope{Arrived: arrived}).ArrivedBy(7); got != want {
			t.Errorf("arrived at %d, by 7: %d, want %d", arrived, got, want)
		}
	}
}
