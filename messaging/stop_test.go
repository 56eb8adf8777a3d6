package messaging

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

// TestStopLeavesNothingInFlight: what the broker had sent before is handled, and the handler is never called again.
func TestStopLeavesNothingInFlight(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	nc := client(t, e)
	for round := range 20 {
		var mu sync.Mutex
		handled, stopped, late := 0, false, 0
		sub, err := p.Subscribe(Interest{Kinds: LeaderKinds(), Log: "orders"}, func(*paxos.Envelope) {
			mu.Lock()
			defer mu.Unlock()
			handled++
			if stopped {
				late++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		p.flush(t)
		const before = 200
		for range before {
			if err := nc.Publish("paxos.main.orders.append", []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { // and more, while it stops
			defer close(done)
			for range 200 {
				_ = nc.Publish("paxos.main.orders.append", []byte("y"))
			}
		}()
		if err := sub.Stop(testContext(t)); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		stopped = true
		if handled < before {
			t.Errorf("round %d: %d of %d handled", round, handled, before)
		}
		mu.Unlock()
		<-done
		p.flush(t)
		mu.Lock()
		if late > 0 {
			t.Errorf("round %d: %d handled after Stop returned", round, late)
		}
		mu.Unlock()
	}
	if _, err := nc.Request("paxos.main.orders.append", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("after the last Stop: %v", err)
	}
}

// TestStopHandsOverWhatHadArrived: messages that wait for a busy handler are handled before Stop returns.
func TestStopHandsOverWhatHadArrived(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	nc := client(t, e)
	release := make(chan struct{})
	var handled atomic.Int64
	sub, err := p.Subscribe(Interest{Kinds: LeaderKinds(), Log: "orders"}, func(*paxos.Envelope) {
		<-release
		handled.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.flush(t)
	const n = 100
	for range n {
		if err := nc.Publish("paxos.main.orders.append", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- sub.Stop(testContext(t)) }()
	eventually(t, "the broker to know", func() bool {
		_, err := nc.Request("paxos.main.orders.append", nil, 10*time.Millisecond)
		return errors.Is(err, nats.ErrNoResponders)
	})
	close(release)
	if err := <-done; err != nil || handled.Load() < n {
		t.Errorf("%d of %d handled, %v", handled.Load(), n, err)
	}
}

// TestStopWaitsForARunningHandler, even where its context has ended: what the owner frees afterwards is in nobody's hands.
func TestStopWaitsForARunningHandler(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	running, release := make(chan struct{}), make(chan struct{})
	var handled atomic.Int64
	sub, err := p.Subscribe(Interest{Kinds: LeaderKinds(), Log: "orders"}, func(*paxos.Envelope) {
		if handled.Add(1) == 1 {
			close(running)
		}
		<-release
	})
	if err != nil {
		t.Fatal(err)
	}
	p.flush(t)
	nc := client(t, e)
	for range 10 {
		if err := nc.Publish("paxos.main.orders.append", nil); err != nil {
			t.Fatal(err)
		}
	}
	<-running
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() { done <- sub.Stop(ended) }()
	select {
	case <-done:
		t.Error("Stop returned while the handler ran")
	case <-time.After(20 * time.Millisecond):
		close(release)
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	n := handled.Load()
	p.flush(t)
	if later := handled.Load(); later != n {
		t.Errorf("the handler ran %d times after Stop", later-n)
	}
}

// TestStopWhileAway: a subscription that ended while the broker was away does not come back with it.
func TestStopWhileAway(t *testing.T) {
	at := freeAddress(t)
	e := startBroker(t, embedded.Config{Listen: at})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	sub := p.subscribe(t, Interest{Kinds: LeaderKinds(), Log: "orders"})
	e.Shutdown()
	eventually(t, "the break", p.away)
	if err := sub.Stop(testContext(t)); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v", err)
	}
	e = startBroker(t, embedded.Config{Listen: at})
	eventually(t, "the reconnect", p.Up)
	p.flush(t)
	if _, err := client(t, e).Request("paxos.main.orders.append", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("the subscription is back: %v", err)
	}
}
