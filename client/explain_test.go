package client

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// TestExplanationAddsUp: whatever clocks say, the parts are no less than nothing and add up to the whole.
func TestExplanationAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.Custom(func(t *rapid.T) paxos.Span { return paxos.Span(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "span")) })
		begun := paxos.Instant(1)
		sent := begun.Add(span.Draw(t, "gathered"))
		now := sent.Add(span.Draw(t, "round trip"))
		wall := paxos.Stamp(1_700_000_000_000_000_000)
		x := explanation(begun, sent, now, wall, &paxos.Stages{
			Arrived: wall + paxos.Stamp(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "clock")), Queued: span.Draw(t, "queued"),
			Voted: span.Draw(t, "voted"), Synced: span.Draw(t, "synced"), Fsync: span.Draw(t, "fsync"), Answered: span.Draw(t, "answered"),
		})
		parts := []time.Duration{x.Gathered, x.ToLeader, x.Queued, x.ToAcceptor, x.AcceptorWait, x.Synced, x.Answered, x.Back}
		var sum time.Duration
		for _, d := range parts {
			if sum += d; d < 0 {
				t.Fatalf("a part of %v: %+v", d, x)
			}
		}
		if sum != x.Total || x.Total != time.Duration(now.Sub(begun)) {
			t.Fatalf("parts of %v, a whole of %v: %+v", sum, x.Total, x)
		}
	})
}

// TestExplanation: where nothing contradicts, each part is what was measured.
func TestExplanation(t *testing.T) {
	const ms = paxos.Millisecond
	wall := paxos.Stamp(50 * paxos.Second)
	got := explanation(1, paxos.Instant(0).Add(2*ms)+1, paxos.Instant(0).Add(22*ms)+1, wall, &paxos.Stages{
		Arrived: wall - paxos.Stamp(19*ms), Queued: 3 * ms, Voted: 11 * ms, Synced: 7 * ms, Fsync: 6 * ms, Answered: 2 * ms,
	})
	const d = time.Millisecond
	want := Explanation{
		Total: 22 * d, Gathered: 2 * d, ToLeader: d, Queued: 3 * d, ToAcceptor: 4 * d, AcceptorWait: d, Synced: 6 * d, Answered: 2 * d, Back: 3 * d,
	}
	if got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
}
