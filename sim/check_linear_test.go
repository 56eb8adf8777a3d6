package sim

import (
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/paxosd/paxosd/paxos"
)

// TestLinearHistories: what clients may see passes, and what they must never see does not.
func TestLinearHistories(t *testing.T) {
	type rec = batchRecord
	at := func(called, returned paxos.Instant, r rec) *rec {
		r.log, r.called, r.returned = "main", called, returned
		return &r
	}
	for _, tc := range []struct {
		name string
		all  []*rec
		ok   bool
	}{
		{"one after the other", []*rec{
			at(1, 2, rec{count: 1, acked: true, offset: 1}), at(3, 4, rec{count: 2, acked: true, offset: 2}),
			at(5, 6, rec{tail: true, acked: true, last: 3}),
		}, true},
		{"at once, in any order", []*rec{at(1, 9, rec{count: 1, acked: true, offset: 2}), at(2, 8, rec{count: 1, acked: true, offset: 1})}, true},
		{"behind what began after it ended", []*rec{at(1, 2, rec{count: 1, acked: true, offset: 2}), at(3, 4, rec{count: 1, acked: true, offset: 1})}, false},
		{"a last offset from before an answer", []*rec{at(1, 2, rec{count: 1, acked: true, offset: 1}), at(3, 4, rec{tail: true, acked: true})}, false},
		{"last offsets that go back", []*rec{
			at(1, 9, rec{count: 1, acked: true, offset: 1}), at(2, 3, rec{tail: true, acked: true, last: 1}), at(4, 5, rec{tail: true, acked: true}),
		}, false},
		{"never answered, and there", []*rec{at(1, 0, rec{count: 1, offset: 1}), at(5, 6, rec{tail: true, acked: true}), at(7, 8, rec{tail: true, acked: true, last: 1})}, true},
		{"never answered, and there before it was sent", []*rec{at(3, 0, rec{count: 1, offset: 1}), at(1, 2, rec{tail: true, acked: true, last: 1})}, false},
		{"never answered, and not there", []*rec{at(1, 0, rec{count: 1}), at(5, 6, rec{tail: true, acked: true})}, true},
		{"a condition that held", []*rec{at(1, 2, rec{count: 1, acked: true, offset: 1}), at(3, 4, rec{count: 1, hasExpect: true, expect: 1, acked: true, offset: 2})}, true},
		{"a condition that did not hold", []*rec{
			at(1, 2, rec{count: 1, acked: true, offset: 1}), at(3, 4, rec{count: 1, hasExpect: true, refused: true, condition: true, last: 1}),
		}, true},
		{"a refusal of what held", []*rec{at(1, 2, rec{count: 1, hasExpect: true, refused: true, condition: true})}, false},
		{"a refusal by what was not there yet", []*rec{
			at(1, 2, rec{count: 1, hasExpect: true, refused: true, condition: true, last: 1}), at(3, 4, rec{count: 1, acked: true, offset: 1}),
		}, false},
	} {
		c := checker{batches: tc.all}
		history := c.history("main")
		if ok := porcupine.CheckOperations(lastOffset(), history); ok != tc.ok {
			t.Errorf("%s: linearizable %t", tc.name, ok)
		}
		if !tc.ok && suspect(history) == "" {
			t.Errorf("%s: nothing to say", tc.name)
		}
	}
}
