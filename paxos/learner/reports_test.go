package learner

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestK1ReportsArePaced: after a sync at most every DefaultReportEvery, a few times more when nothing follows, then never, until a
// new leader or a new connection.
func TestK1ReportsArePaced(t *testing.T) {
	var r Reports
	now := paxos.Instant(0)
	sent := func(span paxos.Span) (n int) {
		for end := now.Add(span); now < end; now = now.Add(tickEvery) {
			if r.Due(now) {
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
	r.Durable(5, paxos.Hash{5}, 1)
	want(tickEvery, 1, "first")
	for s := paxos.Slot(6); s < 106; s++ { // one a tick: a second
		r.Durable(s, paxos.Hash{byte(s)}, 1)
		sent(tickEvery)
	}
	if r.repeats != 0 {
		t.Fatal("repeats while reports flow")
	}
	r.Durable(110, paxos.Hash{110}, 1)
	want(paxos.DefaultReportEvery, 1, "the last of many")
	want(20*paxos.Second, reportRepeats, "repeats")
	want(3600*paxos.Second, 0, "an idle log")
	r.Heard(paxos.Ballot{Round: 3, Proposer: "p2"})
	want(tickEvery, 1, "new leader")
	r.Heard(paxos.Ballot{Round: 2, Proposer: "p1"})
	want(paxos.DefaultReportEvery, 0, "old leader")
	want(20*paxos.Second, reportRepeats, "repeats to the new leader")
	r.Again()
	want(tickEvery, 1, "reconnected")
	r.Durable(90, paxos.Hash{90}, 1)
	if r.slot != 110 {
		t.Fatal("a late completion took the report back")
	}
}

func TestReportsAreAtMostTenASecond(t *testing.T) {
	var r Reports
	n := 0
	for now := paxos.Instant(0); now < paxos.Instant(paxos.Second); now = now.Add(tickEvery) {
		r.Durable(r.slot+1, paxos.Hash{}, 1)
		r.Heard(paxos.Ballot{Round: uint64(now) + 1})
		if r.Due(now) {
			n++
		}
	}
	if n != 10 {
		t.Fatalf("%d reports in a second", n)
	}
}

// TestReportsFollowBytes: under load a report leaves with each mebibyte, however soon; less than that waits for its time.
func TestReportsFollowBytes(t *testing.T) {
	var r Reports
	n := 0
	for now := paxos.Instant(0); now < paxos.Instant(paxos.Second); now = now.Add(tickEvery) {
		r.Durable(r.slot+1, paxos.Hash{}, 1)
		r.Grew(paxos.DefaultReportBytes / 2)
		if r.Due(now) {
			n++
		}
	}
	if want := int(paxos.Second / tickEvery / 2); n < want || n > want+1 {
		t.Fatalf("%d reports in a second, want one for each two ticks, %d", n, want)
	}
	r.Due(paxos.Instant(2 * paxos.Second))
	if r.Grew(4 * paxos.DefaultReportBytes); r.Due(paxos.Instant(2*paxos.Second + tickEvery)) {
		t.Fatal("a report that says nothing new")
	}
}
