package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
)

// fill appends e1 … en in batches of three.
func fill(t testing.TB, l *client.Log, n int) {
	t.Helper()
	for i := 1; i <= n; {
		var es []client.Entry
		for range min(3, n-i+1) {
			es = append(es, entry("e%d", i))
			i++
		}
		if _, err := l.Append(deadline(t, wait), es...); err != nil {
			t.Fatal(err)
		}
	}
}

// expect wants e<from> … e<to> in order, then leaves the loop.
func expect(t testing.TB, entries iter.Seq2[client.Entry, error], from, to int) {
	t.Helper()
	next := from
	for e, err := range entries {
		if err != nil {
			t.Fatalf("before offset %d: %v", next, err)
		}
		if int(e.Offset) != next || string(e.Payload) != fmt.Sprintf("e%d", next) {
			t.Fatalf("offset %d holds %s, want e%d", e.Offset, e.Payload, next)
		}
		if next++; next > to {
			return
		}
	}
	if next <= to {
		t.Fatalf("ended before offset %d", next)
	}
}

func TestSubscribeFromPlaces(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	fill(t, l, 10)
	expect(t, l.Subscribe(ctx, client.First()), 1, 10)
	expect(t, l.Subscribe(ctx, client.Offset(5)), 5, 10)
	e, err := l.Get(ctx, 7)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, l.Subscribe(ctx, client.Time(e.Time)), 7, 10)
	expect(t, l.Subscribe(ctx, client.Time(time.Unix(0, 0))), 1, 10)
	n := 0
	for _, err := range l.Subscribe(ctx, client.Offset(4), client.UntilLast()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 7 {
		t.Fatalf("%d entries from offset 4 to the last, want 7", n)
	}
	for e, err := range l.Subscribe(ctx, client.Time(time.Now().Add(time.Hour)), client.UntilLast()) {
		t.Fatalf("%v, %v: nothing is that late", e, err)
	}
	n = 0
	for _, err := range l.Subscribe(ctx, client.Time(e.Time), client.UntilLast()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 4 {
		t.Fatalf("%d entries from the time of offset 7 to the last, want 4", n)
	}
	for range l.Subscribe(ctx, client.Offset(11), client.UntilLast()) {
		t.Fatal("an entry beyond the last")
	}
	expect(t, l.Subscribe(ctx, client.First(), client.Buffer(1)), 1, 10)
}

func TestSubscribeNextWaitsForWhatComes(t *testing.T) {
	c := newCluster(t)
	learner := c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	fill(t, l, 3)
	got := make(chan string)
	var wg sync.WaitGroup
	wg.Go(func() {
		for e, err := range l.Subscribe(deadline(t, wait), client.Next()) {
			if err != nil {
				t.Error(err)
			}
			got <- string(e.Payload)
			return
		}
	})
	eventually(t, "a reader", func() bool { return learner.reading() == 1 })
	if _, err := l.Append(deadline(t, wait), entry("new")); err != nil {
		t.Fatal(err)
	}
	if p := <-got; p != "new" {
		t.Fatalf("%q came first", p)
	}
	wg.Wait()
	eventually(t, "the end of the stream", func() bool { return learner.reading() == 0 })
}

// TestN7SubscriberSurvivesLearners reads while entries are appended, chunks get lost, and learners stop and start.
func TestN7SubscriberSurvivesLearners(t *testing.T) {
	c := newCluster(t)
	lossy := func(l *learner) { l.lose = func(n uint64) bool { return n%6 == 5 } }
	c.learn("l1", lossy)
	second := c.learn("l2", lossy)
	c.lead()
	cl := c.client()
	l := cl.Log("orders")
	const n = 600
	var wg sync.WaitGroup
	wg.Go(func() { fill(t, l, n) })
	wg.Go(func() {
		for i := range 4 {
			eventually(t, "more entries", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return int(c.seq.LastOffset()) > (i+1)*n/6 })
			second.stop()
			second = c.learn("l2", lossy)
		}
	})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			expect(t, c.client().Log("orders").Subscribe(deadline(t, 2*wait), client.First(), client.Buffer(2000)), 1, n)
		})
	}
	wg.Wait()
	readers.Wait()
}

func TestReadingGoesElsewhere(t *testing.T) {
	c := newCluster(t)
	c.learn("l1", func(l *learner) { l.first = 5 })
	c.learn("l2", func(l *learner) { l.first = 5 })
	c.learn("l3")
	c.lead()
	l := c.client().Log("orders")
	fill(t, l, 9)
	expect(t, l.Subscribe(deadline(t, wait), client.First()), 1, 9)
	expect(t, l.Subscribe(deadline(t, wait), client.Offset(3)), 3, 9)
}

func TestReadingElsewhereWithoutSuchALearnerSaysWhy(t *testing.T) {
	c := newCluster(t)
	c.learn("l1", func(l *learner) { l.first = 5 })
	c.lead()
	l := c.client().Log("orders")
	fill(t, l, 9)
	for _, err := range l.Subscribe(deadline(t, 300*time.Millisecond), client.Offset(1)) {
		if !errors.Is(err, client.ErrNoLearner) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v; want no learner, and why", err)
		}
	}
}

func TestReadingGone(t *testing.T) {
	c := newCluster(t)
	c.learn("l1", func(l *learner) { l.first, l.gone = 4, true })
	c.lead()
	l := c.client().Log("orders")
	fill(t, l, 9)
	var e *client.Error
	for _, err := range l.Subscribe(deadline(t, wait), client.Offset(2)) {
		if !errors.Is(err, client.ErrGone) || !errors.As(err, &e) || e.First != 4 {
			t.Fatalf("%v; want gone, first offset 4", err)
		}
	}
	if e == nil {
		t.Fatal("no error")
	}
	if _, err := l.Get(deadline(t, wait), 2); !errors.Is(err, client.ErrGone) {
		t.Fatalf("get: %v", err)
	}
	expect(t, l.Subscribe(deadline(t, wait), client.First()), 4, 9)
}

func TestSubscriberSurvivesReconnects(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	nc := c.connect()
	cl, err := client.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	l := cl.Log("orders")
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 10 {
			if _, err := l.LastOffset(deadline(t, wait)); err != nil {
				t.Error(err)
			}
			if err := nc.ForceReconnect(); err != nil {
				t.Error(err)
			}
			eventually(t, "a connection", nc.IsConnected)
		}
	})
	wg.Go(func() { expect(t, l.Subscribe(deadline(t, 2*wait), client.First()), 1, 300) })
	wg.Go(func() {
		// Appends of the same client, over the same cuts.
		fill(t, l, 300)
	})
	wg.Wait()
}

// gate is a dialer that reaches nobody until it is opened.
type gate struct{ open atomic.Bool }

func (g *gate) Dial(network, address string) (net.Conn, error) {
	if !g.open.Load() {
		return nil, syscall.ECONNREFUSED
	}
	return net.Dial(network, address)
}

// A reader that begins while the broker is away waits for it, as an append does.
func TestReadingBeginsWithoutABroker(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	fill(t, c.client().Log("orders"), 9)
	var g gate
	nc := c.connect(nats.SetCustomDialer(&g), nats.RetryOnFailedConnect(true))
	cl, err := client.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, err := range cl.Log("orders").Subscribe(deadline(t, 300*time.Millisecond), client.First()) {
		if !errors.Is(err, client.ErrNoLearner) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v; want no learner by the deadline", err)
		}
	}
	var readers sync.WaitGroup
	readers.Go(func() { expect(t, cl.Log("orders").Subscribe(deadline(t, 2*wait), client.First()), 1, 9) })
	readers.Go(func() {
		if logs, err := cl.Logs(deadline(t, 2*wait)); err != nil || len(logs) != 1 {
			t.Errorf("logs %v, %v", logs, err)
		}
	})
	g.open.Store(true)
	readers.Wait()
}

func TestSubscriptionEndsWithItsContext(t *testing.T) {
	c := newCluster(t)
	learner := c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	fill(t, l, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for e, err := range l.Subscribe(ctx, client.First()) {
		if n++; n <= 2 {
			if err != nil || int(e.Offset) != n {
				t.Fatalf("%+v, %v", e, err)
			}
			if n == 2 {
				cancel()
			}
			continue
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%v; want canceled", err)
		}
	}
	if n != 3 {
		t.Fatalf("%d pairs, want two entries and an error", n)
	}
	eventually(t, "the end of the stream", func() bool { return learner.reading() == 0 })
}
