package client_test

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/paxosd/paxosd/client"
)

// counts returns how many entries each batch has.
func (c *cluster) counts() (n []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.batches {
		n = append(n, int(b.Count))
	}
	return n
}

// A batch leaves beside others only if it has as many entries as they have together: the third entry waits for the fourth.
func TestSmallBatchesWaitForLargerOnes(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	came, pass := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(pass) })
	defer release()
	c.lead(func(l *leader) {
		l.drop = func(n int) bool {
			if n > 1 { // the session's open
				select {
				case came <- struct{}{}:
				default:
				}
				<-pass
			}
			return false
		}
	})
	p, err := c.client().Log("orders").Producer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if err := p.Append(t.Context(), client.Entry{Payload: []byte("x")}, nil); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-came
		}
	}
	release()
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.counts(); !slices.Equal(got, []int{1, 1, 2}) {
		t.Errorf("batches of %v entries, want 1, 1 and 2", got)
	}
}

// Callers that append one entry after the other come to share batches, however they began. With one processor that does not depend on
// how long another takes to wake up.
func TestCallersComeTogether(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	log := c.client().Log("orders")
	const callers, each = 32, 50
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				if _, err := log.Append(t.Context(), client.Entry{Payload: []byte("x")}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	// Where each answer let the first of its callers leave alone there were more than two batches a round.
	if n := len(c.counts()); n > 2*each {
		t.Errorf("%d batches for %d rounds of %d callers", n, each, callers)
	}
}

// An entry that waits for batches which were given up, on a connection that is down, has a deadline of its own, though nobody appends any more.
func TestWaitingEntryTimesOutWhileDisconnected(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	came := make(chan struct{})
	c.lead(func(l *leader) {
		l.mute = func(n int) bool {
			if n == 4 { // the session's open, then batches of one, one and two entries
				close(came)
			}
			return n > 1
		}
	})
	p, err := c.client().Log("orders").Producer(t.Context(), client.DeliveryTimeout(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	give := func() {
		if err := p.Append(t.Context(), entry("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		give()
	}
	<-came
	c.broker.Shutdown()
	ctx := deadline(t, wait)
	if err := p.Flush(ctx); !errors.Is(err, client.ErrUnknown) {
		t.Fatalf("sent, not answered: %v; want unknown", err)
	}
	give()
	if err := p.Flush(ctx); !errors.Is(err, client.ErrRefused) {
		t.Fatalf("never sent: %v; want refused", err)
	}
}
