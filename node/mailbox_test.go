package node

import (
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

func sized(size int) event { return event{env: &paxos.Envelope{}, size: size} }

// TestMailboxIsBounded holds both bounds: put waits at each, and goes on when the loop has taken.
func TestMailboxIsBounded(t *testing.T) {
	for _, c := range []struct {
		name        string
		len, size   int
		first, next int
	}{
		{"events", 3, 1000, 3, 0},
		{"bytes", 100, 10, 2, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMailbox()
				m.maxLen, m.maxSize = c.len, c.size
				for range c.first {
					m.put(sized(c.next))
				}
				entered := false
				go func() { entered = m.put(sized(1)) }()
				synctest.Wait()
				if entered || m.length() != c.first {
					t.Fatalf("put did not wait: %d events", m.length())
				}
				<-m.wake
				if n := len(m.take(nil)); n != c.first {
					t.Fatalf("took %d, want %d", n, c.first)
				}
				synctest.Wait()
				if !entered || m.length() != 1 {
					t.Fatal("put still waits though there is room")
				}
			})
		})
	}
}

// TestMailboxTakesWhatIsTooLarge: an event larger than the bound waits for the others, not for ever.
func TestMailboxTakesWhatIsTooLarge(t *testing.T) {
	m := newMailbox()
	m.maxSize = 10
	if !m.put(sized(1000)) || m.length() != 1 {
		t.Fatal("a large event does not enter an empty mailbox")
	}
}

// TestMailboxCompletionsNeverWait: whatever the loop may be waiting for must not wait for the loop.
func TestMailboxCompletionsNeverWait(t *testing.T) {
	m := newMailbox()
	m.maxLen, m.maxSize = 1, 1
	m.put(sized(1))
	for range 10 {
		if !m.push(sized(1)) { // would hang
			t.Fatal("not taken")
		}
	}
	if m.length() != 11 {
		t.Fatalf("%d events, want 11", m.length())
	}
}

func TestMailboxCloseFreesWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailbox()
		m.maxLen = 1
		m.put(sized(0))
		for range 3 {
			go func() {
				if m.put(sized(0)) {
					t.Error("put into a closed mailbox")
				}
			}()
		}
		synctest.Wait()
		m.close()
		synctest.Wait()
		if m.put(sized(0)) || m.push(sized(0)) {
			t.Error("a closed mailbox takes events")
		}
		if len(m.take(nil)) != 1 {
			t.Error("what was queued is gone")
		}
	})
}

// TestMailboxLosesNothing: many put, one takes, through small bounds; each producer's order holds and no wake-up is lost.
func TestMailboxLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMailbox()
		m.maxLen = rapid.IntRange(1, 5).Draw(t, "events")
		m.maxSize = rapid.IntRange(1, 20).Draw(t, "bytes")
		producers, each := rapid.IntRange(1, 4).Draw(t, "producers"), rapid.IntRange(1, 50).Draw(t, "each")
		var wg sync.WaitGroup
		for p := range producers {
			wg.Go(func() {
				for i := range each {
					m.put(event{env: &paxos.Envelope{ToRun: uint64(p), Request: uint64(i)}, size: (p + i) % 7})
				}
			})
		}
		next := make([]uint64, producers)
		var spare []event
		for got := 0; got < producers*each; {
			<-m.wake
			spare = m.take(spare)
			for i := range spare {
				e := spare[i].env
				if e.Request != next[e.ToRun] {
					t.Fatalf("producer %d: %d came, want %d", e.ToRun, e.Request, next[e.ToRun])
				}
				next[e.ToRun]++
			}
			got += len(spare)
		}
		wg.Wait()
		if m.length() != 0 || m.bytes != 0 {
			t.Fatalf("%d events, %d bytes are left", m.length(), m.bytes)
		}
	})
}

// TestLoopEndsWhileFull: senders that wait for room go on when the service ends, whether it was started or not.
func TestLoopEndsWhileFull(t *testing.T) {
	for _, started := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := newLoop(TickEvery)
			l.box.maxLen = 1
			hold := make(chan struct{})
			l.deliver, l.tick, l.flush = func(*paxos.Envelope) { <-hold }, func() {}, func() {}
			if started {
				l.start()
			}
			for range 5 {
				go l.receive(&paxos.Envelope{Msg: &paxos.Beacon{}})
			}
			synctest.Wait()
			go close(hold)
			l.end()
			if l.post(func() {}) || l.complete(func() {}) {
				t.Error("an ended loop takes work")
			}
			if got := ask(&l, func() int { return 1 }); got != 0 {
				t.Errorf("asking an ended loop returned %d", got)
			}
		})
	}
}
