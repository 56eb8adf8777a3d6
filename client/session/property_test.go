package session_test

import (
	"testing"

	"pgregory.net/rapid"
)

// TestExactlyOnceInOrder runs one session against a model log under loss, repetition, reordering, two leaders at once, leaders that
// die with values in flight, expired sessions and batches given up. Every batch gets one result in its turn; what was
// acknowledged is in the log once, in order; what was refused never appears (docs/protocol.md P6, Q1, Q2).
func TestExactlyOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(10, 300).Draw(t, "steps") {
			w.step()
		}
		w.heal()
		w.drain()
		w.check()
	})
}

// TestEverythingIsAppendedInTheEnd holds liveness: without deadlines, expiry and final refusals every batch is appended.
func TestEverythingIsAppendedInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.calm = true
		for range rapid.IntRange(10, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				w.stand(rapid.Bool().Draw(t, "announced"))
			case 1:
				if len(w.leaders) > 0 {
					w.fall(0)
				}
			case 2, 3, 4:
				w.submit()
			case 5, 6:
				if len(w.requests) > 0 {
					w.arrive(0, false)
				}
			case 7:
				if len(w.requests) > 0 {
					w.requests = w.requests[1:]
				}
			case 8:
				if len(w.leaders) > 0 && len(w.leaders[0].queue) > 0 {
					w.lead(w.leaders[0], rapid.Bool().Draw(t, "answered"))
				}
			case 9:
				w.tick(100)
			}
		}
		w.heal()
		w.check()
		for i, d := range w.done {
			if d.Answer.First == 0 {
				t.Fatalf("batch %d was not appended: %+v", i, d)
			}
		}
	})
}
