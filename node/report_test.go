package node

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestK1ReportsArePaced: after a sync at most every DefaultReportEvery, a few times more when nothing follows, then never, until a
// new leader or a new connection.
func TestK1ReportsArePaced(t *testing.T) {
	var r reporter
	now := paxos.Instant(0)
	sent := func(span paxos.Span) (n int) {
		for end := now.Add(span); now < end; now = now.Add(TickEvery) {
			if r.due(now) {
				n++
			}
		}
		return n
	}
	want := func(span paxos.Span, n int, why string) {
		t.Helper()
		if got := sent(span); got != n {
			t.Fatalf("%s: %d reports, want %d", why, got, n)
		}
	}
	want(paxos.Second, 0, "nothing is held")
	r.durable(5, paxos.Hash{5}, 1)
	want(TickEvery, 1, "first")
	for s := paxos.Slot(6); s < 106; s++ { // one a tick: a second
		r.durable(s, paxos.Hash{byte(s)}, 1)
		sent(TickEvery)
	}
	if r.repeats != 0 {
		t.Fatal("repeats while reports flow")
	}
	r.durable(110, paxos.Hash{110}, 1)
	want(paxos.DefaultReportEvery, 1, "the last of many")
	want(20*paxos.Second, reportRepeats, "repeats")
	want(3600*paxos.Second, 0, "an idle log")
	r.heard(paxos.Ballot{Round: 3, Proposer: "p2"})
	want(TickEvery, 1, "new leader")
	r.heard(paxos.Ballot{Round: 2, Proposer: "p1"})
	want(paxos.DefaultReportEvery, 0, "old leader")
	want(20*paxos.Second, reportRepeats, "repeats to the new leader")
	r.again()
	want(TickEvery, 1, "reconnected")
	r.durable(90, paxos.Hash{90}, 1)
	if r.slot != 110 {
		t.Fatal("a late completion took the report back")
	}
}

func TestReportsAreAtMostTenASecond(t *testing.T) {
	var r reporter
	n := 0
	for now := paxos.Instant(0); now < paxos.Instant(paxos.Second); now = now.Add(TickEvery) {
		r.durable(r.slot+1, paxos.Hash{}, 1)
		r.heard(paxos.Ballot{Round: uint64(now) + 1})
		if r.due(now) {
			n++
		}
	}
	if n != 10 {
		t.Fatalf("%d reports in a second", n)
	}
}
