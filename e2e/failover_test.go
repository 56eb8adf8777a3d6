//go:build e2e

package e2e

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// leader returns the name of the proposer that leads main, or "".
func (c *cluster) leader() string {
	for _, n := range []string{"p1", "p2"} {
		if code, body, err := c.procs[n].get("/status"); err == nil && code == 200 && serving(body) {
			return n
		}
	}
	return ""
}

// nextAck returns how long it takes until a plain append, tried again and again, is acknowledged.
func nextAck(t testing.TB, nc *nats.Conn, limit time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		try, done := context.WithTimeout(ctx, 250*time.Millisecond)
		m, err := nc.RequestWithContext(try, "paxos.main.main.append", []byte("failover"))
		done()
		if err == nil && m.Header.Get("Nats-Service-Error") == "" {
			return time.Since(begin)
		}
		if ctx.Err() != nil {
			t.Fatalf("no append was acknowledged in %v: %v", limit, err)
		}
		if err == nats.ErrNoResponders { //nolint:errorlint // the library returns it as it is
			time.Sleep(time.Millisecond) // the broker answers at once: this bounds the load
		}
	}
}

// TestFailover: the next acknowledged append after the leader was killed, and after it was told to stop.
func TestFailover(t *testing.T) {
	c := newCluster(t)
	nc := c.connect()
	for _, x := range []struct {
		signal syscall.Signal
		median time.Duration
	}{{syscall.SIGKILL, 300 * time.Millisecond}, {syscall.SIGTERM, 100 * time.Millisecond}} {
		var took []time.Duration
		for range 20 {
			var l string
			until(t, 10*time.Second, "a leader", func() bool { l = c.leader(); return l != "" })
			until(t, 10*time.Second, "both proposers ready", func() bool {
				a, _, _ := c.procs["p1"].get("/readyz")
				b, _, _ := c.procs["p2"].get("/readyz")
				return a == 200 && b == 200
			})
			c.procs[l].signal(x.signal)
			took = append(took, nextAck(t, nc, 10*time.Second))
			c.procs[l].stop(t, syscall.SIGKILL)
			c.procs[l].start(t)
		}
		slices.Sort(took)
		t.Logf("%v of the leader, next acknowledged append: min %v, median %v, max %v of %d", x.signal, took[0], took[len(took)/2], took[len(took)-1], len(took))
		if m := took[len(took)/2]; m > x.median {
			t.Errorf("median %v after %v, want at most %v", m, x.signal, x.median)
		}
	}
}
