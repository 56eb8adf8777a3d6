package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/paxos"
)

// acks collects results in the order in which they come.
type acks struct {
	mu   sync.Mutex
	all  []client.Ack
	errs []error
}

func (a *acks) take(ack client.Ack, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, ack)
	a.errs = append(a.errs, err)
}

func TestProducerAcksInOrder(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	var got acks
	p, err := l.Producer(ctx, client.OnAck(got.take))
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	for i := range n {
		if err := p.Append(ctx, entry("e%d", i+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil || p.InFlight() != 0 {
		t.Fatalf("flush: %v, %d in flight", err, p.InFlight())
	}
	if len(got.all) != n {
		t.Fatalf("%d results, want %d", len(got.all), n)
	}
	for i, a := range got.all {
		if got.errs[i] != nil || int(a.Offset) != i+1 || a.Count != 1 {
			t.Fatalf("result %d: %+v, %v", i, a, got.errs[i])
		}
	}
	expect(t, l.Subscribe(ctx, client.First()), 1, n)
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Append(ctx, entry("late"), nil); !errors.Is(err, client.ErrClosed) || !errors.Is(err, client.ErrRefused) {
		t.Fatalf("after close: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.batches) > n/4 {
		t.Errorf("%d batches for %d entries: they did not gather", len(c.batches), n)
	}
}

func TestP6ProducerSurvivesLeaders(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	unreliable := func(l *leader) {
		l.drop = func(n int) bool { return n%11 == 5 }
		l.mute = func(n int) bool { return n%7 == 3 }
	}
	ld := c.lead(unreliable)
	l := c.client().Log("orders")
	ctx := deadline(t, 2*wait)
	var got acks
	p, err := l.Producer(ctx, client.OnAck(got.take), client.MaxBatchBytes(200))
	if err != nil {
		t.Fatal(err)
	}
	const n = 3000
	for i := range n {
		if i%500 == 499 {
			ld.fall()
			ld = c.lead(unreliable)
		}
		if err := p.Append(ctx, entry("e%d", i+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for i, a := range got.all {
		if got.errs[i] != nil || int(a.Offset) != i+1 {
			t.Fatalf("result %d: %+v, %v", i, a, got.errs[i])
		}
	}
	expect(t, l.Subscribe(ctx, client.First()), 1, n)
}

func TestProducerTimesOut(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	var got acks
	p, err := l.Producer(ctx, client.OnAck(got.take), client.DeliveryTimeout(150*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := p.Append(ctx, entry("e%d", i+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); !errors.Is(err, client.ErrRefused) || !errors.Is(err, client.ErrNoLeader) {
		t.Fatalf("without a leader: %v; want refused", err)
	}
	c.lead(func(l *leader) { l.mute = func(n int) bool { return n > 1 } })
	if err := p.Append(ctx, entry("e11"), nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(ctx); !errors.Is(err, client.ErrUnknown) {
		t.Fatalf("chosen, answer lost: %v; want unknown", err)
	}
	c.lead()
	if err := p.Append(ctx, entry("e12"), nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if len(got.all) != 12 || got.errs[11] != nil || fmt.Sprint(read(t, l)) != "[e11 e12]" {
		t.Fatalf("%d results, the last %v; the log holds %q", len(got.all), got.errs[len(got.errs)-1], read(t, l))
	}
}

// TestStopOnErrorAppendsAPrefix refuses some batches for good: what is in the log is what was acknowledged, nothing after the first failure. No retry
// would change the refusal, so that the result does not depend on when a deadline comes.
func TestStopOnErrorAppendsAPrefix(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead(func(l *leader) {
		l.refuse = func(n int) paxos.Code {
			if n > 5 {
				return paxos.CodeMalformed
			}
			return paxos.CodeNone
		}
	})
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	var got acks
	p, err := l.Producer(ctx, client.OnAck(got.take), client.StopOnError(), client.MaxBatchBytes(50))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; n < 1000; n++ {
		if err := p.Append(ctx, entry("e%d", n+1), nil); err != nil {
			if !errors.Is(err, client.ErrStopped) {
				t.Fatal(err)
			}
			break
		}
	}
	first := p.Flush(ctx)
	if !errors.Is(first, client.ErrRefused) || !errors.Is(first, client.ErrMalformed) {
		t.Fatalf("the first failure: %v; want refused, malformed", first)
	}
	c.lead()
	if err := p.Append(ctx, entry("later"), nil); !errors.Is(err, client.ErrStopped) || !errors.Is(err, client.ErrRefused) {
		t.Fatalf("after the failure: %v; want stopped", err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	acked := 0
	for i, err := range got.errs {
		switch {
		case err == nil && acked != i:
			t.Fatalf("entry %d was acknowledged after a failure", i+1)
		case err == nil:
			acked++
		case errors.Is(err, client.ErrUnknown):
			t.Fatalf("entry %d: %v; all is definite here", i+1, err)
		}
	}
	if all := read(t, l); len(all) != acked || len(got.all) != n || acked == 0 {
		t.Fatalf("%d entries in the log, %d acknowledged, %d results for %d", len(all), acked, len(got.all), n)
	}
}

func TestChainLetsNobodyBetween(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	p, err := l.Producer(ctx, client.ChainFrom(0), client.MaxBatchBytes(40))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := p.Append(ctx, entry("e%d", i+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client().Log("orders").Append(ctx, entry("other")); err != nil {
		t.Fatal(err)
	}
	var got acks
	for range 20 {
		if err := p.Append(ctx, entry("never"), got.take); err != nil && !errors.Is(err, client.ErrStopped) {
			t.Fatal(err)
		}
	}
	var e *client.Error
	if err := p.Close(ctx); !errors.Is(err, client.ErrConditionFailed) || !errors.As(err, &e) || e.Last != 51 {
		t.Fatalf("after another's entry: %v; want the condition failed, last offset 51", err)
	}
	for _, err := range got.errs {
		if !errors.Is(err, client.ErrRefused) {
			t.Errorf("%v; want refused", err)
		}
	}
	if all := read(t, l); len(all) != 51 {
		t.Fatalf("%d entries, want 51", len(all))
	}
}

func TestProducerWaitsForRoom(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead(func(l *leader) { l.drop = func(n int) bool { return n > 1 } })
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	p, err := l.Producer(ctx, client.MaxBuffered(1000))
	if err != nil {
		t.Fatal(err)
	}
	var taken int
	for {
		if err = p.Append(deadline(t, 100*time.Millisecond), entry("%100d", taken), nil); err != nil {
			break
		}
		taken++
	}
	if !errors.Is(err, client.ErrRefused) || !errors.Is(err, client.ErrOverloaded) || !errors.Is(err, context.DeadlineExceeded) || taken != 9 {
		t.Fatalf("%d entries taken, then %v; want 9, then overloaded", taken, err)
	}
	c.lead()
	if err := p.Append(ctx, entry("more"), nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if all := read(t, l); len(all) != taken+1 {
		t.Fatalf("%d entries, want %d", len(all), taken+1)
	}
}

func TestClosingAProducerTellsEveryResult(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead(func(l *leader) { l.mute = func(n int) bool { return n > 1 } })
	l := c.client().Log("orders")
	var told, unknown atomic.Int64
	p, err := l.Producer(deadline(t, wait), client.MaxBatchBytes(50), client.MaxInFlight(2))
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		err := p.Append(deadline(t, wait), entry("%10d", 1), func(_ client.Ack, err error) {
			told.Add(1)
			if errors.Is(err, client.ErrUnknown) {
				unknown.Add(1)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a batch", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.batches) > 0 })
	if err := p.Close(deadline(t, 50*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("close: %v", err)
	}
	if told.Load() != 30 || unknown.Load() == 0 || unknown.Load() == 30 {
		t.Fatalf("%d of 30 results, %d unknown; want those sent unknown, the rest refused", told.Load(), unknown.Load())
	}
}

// BenchmarkProducer measures entries of 128 bytes against a leader that answers at once, all in this process.
func BenchmarkProducer(b *testing.B) {
	c := newCluster(b)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := b.Context()
	p, err := l.Producer(ctx)
	if err != nil {
		b.Fatal(err)
	}
	e := client.Entry{Payload: make([]byte, 128)}
	b.SetBytes(128)
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Append(ctx, e, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// Flush waits for what was given before it, not for what others go on giving.
func TestFlushUnderSteadyLoad(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	ctx := deadline(t, wait)
	p, err := c.client().Log("orders").Producer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stop, gave := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				gave <- nil
				return
			default:
			}
			if err := p.Append(ctx, entry("a"), nil); err != nil {
				gave <- err
				return
			}
		}
	}()
	eventually(t, "entries on their way", func() bool { return p.InFlight() > 0 })
	for range 3 {
		if err := p.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-gave; err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil || p.InFlight() != 0 {
		t.Fatalf("close: %v, %d in flight", err, p.InFlight())
	}
}
