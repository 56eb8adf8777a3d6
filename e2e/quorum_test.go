//go:build e2e

package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/paxosd/paxosd/client"
)

// sdk returns a client of the cluster.
func (c *cluster) sdk() *client.Client {
	c.t.Helper()
	cl, err := client.New(context.Background(), c.connect())
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// TestQuorum: with one acceptor of three stopped appends go on; with two they stop, clients get a clear error by their
// deadline and nothing is acknowledged; they go on when one returns. A subscriber goes on reading throughout.
func TestQuorum(t *testing.T) {
	c := newCluster(t)
	log := c.sdk().Log("main")
	var read atomic.Uint64
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	reader := c.sdk()
	wg.Go(func() {
		for e, err := range reader.Log("main").Subscribe(ctx, client.First()) {
			if err != nil {
				return
			}
			read.Store(e.Offset)
		}
	})
	appendOne := func(limit time.Duration) (client.Ack, error) {
		try, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return log.Append(try, client.Entry{Payload: []byte("x")})
	}
	mustAppend := func(when string) uint64 {
		t.Helper()
		a, err := appendOne(10 * time.Second)
		if err != nil {
			t.Fatalf("append %s: %v", when, err)
		}
		until(t, 10*time.Second, "the subscriber reads it "+when, func() bool { return read.Load() >= a.Offset })
		return a.Offset
	}
	mustAppend("with all acceptors")
	c.procs["a1"].stop(t, syscall.SIGKILL)
	before := mustAppend("with one stopped")
	c.procs["a2"].signal(syscall.SIGSTOP)
	begin := time.Now()
	_, err := appendOne(3 * time.Second)
	if err == nil {
		t.Fatal("an append was acknowledged with two of three acceptors stopped")
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("the error came after %v, the deadline was 3 s", took)
	}
	if !errors.Is(err, client.ErrUnknown) && !errors.Is(err, client.ErrRefused) {
		t.Errorf("the error is neither refused nor unknown: %v", err)
	}
	t.Logf("with two acceptors stopped: %v", err)
	late := c.sdk()
	for e, err := range late.Log("main").Subscribe(ctx, client.First()) {
		if err != nil {
			t.Fatalf("a new subscriber: %v", err)
		}
		if e.Offset == before {
			break
		}
	}
	c.procs["a2"].signal(syscall.SIGCONT)
	mustAppend("when one returned")
}

// TestHandOver: SIGTERM to the leader is not noticed by clients of the SDK but for a moment, and is no error.
func TestHandOver(t *testing.T) {
	c := newCluster(t)
	log := c.sdk().Log("main")
	if _, err := log.Append(context.Background(), client.Entry{Payload: []byte("first")}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		signal syscall.Signal
		median time.Duration
	}{{syscall.SIGTERM, 100 * time.Millisecond}, {syscall.SIGKILL, 300 * time.Millisecond}} {
		var took []time.Duration
		for range 20 {
			var l string
			until(t, 10*time.Second, "a leader, and a standby that is ready", func() bool {
				l = c.leader()
				a, _, _ := c.procs["p1"].get("/readyz")
				b, _, _ := c.procs["p2"].get("/readyz")
				return l != "" && a == 200 && b == 200
			})
			// Appends run all the time: the longest wait for one is what a client notices.
			ctx, stop := context.WithCancel(context.Background())
			longest := make(chan time.Duration, 1)
			started := make(chan struct{})
			go func() {
				var most time.Duration
				for n := 0; ctx.Err() == nil; n++ {
					begin := time.Now()
					_, err := log.Append(context.Background(), client.Entry{Payload: []byte("x")})
					if err != nil {
						t.Errorf("%v: append: %v", x.signal, err)
					}
					most = max(most, time.Since(begin))
					if n == 10 {
						close(started)
						most = 0
					}
				}
				longest <- most
			}()
			<-started
			c.procs[l].stop(t, x.signal)
			until(t, 10*time.Second, "another leader", func() bool { n := c.leader(); return n != "" && n != l })
			if _, err := log.Append(context.Background(), client.Entry{Payload: []byte("after")}); err != nil {
				t.Errorf("%v: append after: %v", x.signal, err)
			}
			stop()
			took = append(took, <-longest)
			c.procs[l].start(t)
		}
		slices.Sort(took)
		t.Logf("%v of the leader under load, longest wait of an SDK append: min %v, median %v, max %v of %d",
			x.signal, took[0], took[len(took)/2], took[len(took)-1], len(took))
		if m := took[len(took)/2]; m > x.median {
			t.Errorf("median %v after %v, want at most %v", m, x.signal, x.median)
		}
	}
}

// TestWipedAcceptorCannotVote: an acceptor whose folder was deleted comes back as a stranger. With another acceptor stopped
// it does not make a quorum (PITFALLS 1).
func TestWipedAcceptorCannotVote(t *testing.T) {
	c := newCluster(t)
	log := c.sdk().Log("main")
	if _, err := log.Append(context.Background(), client.Entry{Payload: []byte("kept")}); err != nil {
		t.Fatal(err)
	}
	c.procs["a1"].stop(t, syscall.SIGKILL)
	if err := os.RemoveAll(filepath.Join(c.dir, "a1")); err != nil {
		t.Fatal(err)
	}
	c.procs["a1"].start(t)
	until(t, 10*time.Second, "a1 is back", func() bool { code, _, err := c.procs["a1"].get("/readyz"); return err == nil && code == 200 })
	c.procs["a2"].stop(t, syscall.SIGKILL)
	try, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if _, err := log.Append(try, client.Entry{Payload: []byte("lost?")}); err == nil {
		t.Fatal("a wiped acceptor voted")
	}
	c.procs["a2"].start(t)
	c.waitAppend(20 * time.Second)
}

// TestBadStarts: what a process refuses to start on, each with an error that says what to do.
func TestBadStarts(t *testing.T) {
	c := newCluster(t)
	cfg := filepath.Join(root(t), "configs")
	server := "nats://" + c.host
	a1 := []string{"acceptor", "--config", filepath.Join(cfg, "acceptor-a1.yaml"), "--server", server, "--http", "off", "--set", "disk.ballast=0"}
	for _, x := range []struct {
		name, want string
		args       []string
	}{
		{"folder in use", "in use", append(slices.Clone(a1), "--set", "acceptor.data="+filepath.Join(c.dir, "a1"))},
		{"another node's folder", "a2", append(slices.Clone(a1), "--set", "acceptor.data="+filepath.Join(c.dir, "a2"))},
		{"a second process under one name", "runs already", append(slices.Clone(a1), "--set", "acceptor.data="+filepath.Join(t.TempDir(), "other"))},
		{"unknown key", "no.such", append(slices.Clone(a1), "--set", "no.such=1")},
		{"no configuration", "--config", []string{"acceptor"}},
		{"a log name outside the form", "no valid name", []string{"append", "--log", "a.b"}},
		{"an unknown log", "unknown log", []string{"append", "--log", "nothere", "--timeout", "5s"}},
		{"offset zero", "from 1", []string{"get", "0"}},
		{"beyond the last", "beyond the last", []string{"get", "123456789"}},
	} {
		if x.name == "another node's folder" {
			c.procs["a2"].stop(t, syscall.SIGKILL)
		}
		_, stderr, code := c.run(strings.NewReader("x\n"), x.args...)
		if code == 0 || !strings.Contains(stderr, x.want) {
			t.Errorf("%s: exit code %d, want an error with %q:\n%s", x.name, code, x.want, stderr)
		} else {
			t.Logf("%s: %s", x.name, strings.TrimSpace(lastLine(stderr)))
		}
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// TestBrokerAway: roles wait for a broker that is down at their start, and say so; they go on when it comes, goes and comes back.
func TestBrokerAway(t *testing.T) {
	c := newCluster(t)
	for _, n := range c.order[1:] {
		c.procs[n].stop(t, syscall.SIGTERM)
	}
	c.procs["broker"].stop(t, syscall.SIGTERM)
	for _, n := range c.order[1:] {
		c.procs[n].start(t)
	}
	until(t, 10*time.Second, "a1 says that it waits", func() bool {
		b, _ := os.ReadFile(c.procs["a1"].logs)
		return strings.Contains(string(b), "waits for the broker")
	})
	c.procs["broker"].start(t)
	c.waitAppend(30 * time.Second)
	c.procs["broker"].stop(t, syscall.SIGKILL)
	c.procs["broker"].start(t)
	c.waitAppend(30 * time.Second)
	if out, stderr, code := c.run(nil, "last"); code != 0 || out == "" {
		t.Errorf("last: %s%s", out, stderr)
	}
}
