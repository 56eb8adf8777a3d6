//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
)

// The size of the chaos test. CHAOS_FAULTS makes it longer.
const (
	sdkProducers   = 48
	plainProducers = 16
	defaultFaults  = 20
)

// history is what producers know of what they appended.
type history struct {
	mu    sync.Mutex
	acked map[string]uint64 // payload → offset
	tried map[string]bool
}

func (h *history) try(p string) {
	h.mu.Lock()
	h.tried[p] = true
	h.mu.Unlock()
}

func (h *history) ack(p string, offset uint64) {
	h.mu.Lock()
	h.acked[p] = offset
	h.mu.Unlock()
}

// TestChaos: 64 producers append while processes are killed and paused. Afterwards every acknowledged entry is there exactly
// once, where it was acknowledged, and in its producer's order; the others at most once; every subscriber and both learners hold
// the same log without a gap.
func TestChaos(t *testing.T) {
	c := newCluster(t)
	faults := defaultFaults
	if s := os.Getenv("CHAOS_FAULTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		faults = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))

	h := &history{acked: make(map[string]uint64), tried: make(map[string]bool)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var producers, subscribers sync.WaitGroup
	for i := range sdkProducers {
		producers.Go(func() { c.produce(ctx, h, fmt.Sprintf("sdk%02d", i)) })
	}
	for i := range plainProducers {
		producers.Go(func() { c.producePlain(ctx, h, fmt.Sprintf("plain%02d", i)) })
	}
	reading, stopReading := context.WithCancel(context.Background())
	defer stopReading()
	seen := make([]map[uint64]string, 3)
	for i := range seen {
		seen[i] = make(map[uint64]string)
		subscribers.Go(func() { c.follow(reading, t, seen[i]) })
	}

	for i, what := range plan(rng, faults) {
		c.fault(rng, i, what)
	}
	for _, n := range c.order {
		c.procs[n].signal(syscall.SIGCONT)
		c.procs[n].start(t)
	}
	c.waitAppend(60 * time.Second)
	stop()
	producers.Wait()

	final := c.readAll(t)
	t.Logf("%d faults, %d entries tried, %d acknowledged, %d in the log", faults, len(h.tried), len(h.acked), len(final))
	until(t, 60*time.Second, "every subscriber has the whole log", func() bool {
		for i := range seen {
			if n := follower(seen[i]); n < len(final) {
				return false
			}
		}
		return true
	})
	stopReading()
	subscribers.Wait()
	for i := range seen {
		for o, p := range final {
			if seen[i][uint64(o+1)] != p {
				t.Fatalf("subscriber %d has %q at offset %d, the log has %q", i, seen[i][uint64(o+1)], o+1, p)
			}
		}
	}
	h.check(t, final)
	c.sameHash(t)
}

var followers sync.Mutex

func follower(m map[uint64]string) int {
	followers.Lock()
	defer followers.Unlock()
	return len(m)
}

// produce appends with the SDK, several entries on their way at a time. A producer whose outcome became unknown is followed
// by another: what was unknown is not tried again.
func (c *cluster) produce(ctx context.Context, h *history, name string) {
	nc := c.connect()
	defer nc.Close()
	cl, err := client.New(ctx, nc)
	if err != nil {
		return
	}
	defer cl.Close()
	n := 0
	for ctx.Err() == nil {
		p, err := cl.Log("main").Producer(ctx, client.StopOnError(), client.DeliveryTimeout(20*time.Second))
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		for ctx.Err() == nil {
			n++
			payload := fmt.Sprintf("%s/%d", name, n)
			h.try(payload)
			err := p.Append(ctx, client.Entry{Payload: []byte(payload)}, func(a client.Ack, err error) {
				if err == nil {
					h.ack(payload, a.Offset)
				}
			})
			if err != nil {
				break
			}
			if n%4 == 0 {
				pause(ctx, 40*time.Millisecond)
			}
		}
		last, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_ = p.Close(last) // what it does not acknowledge is unknown
		cancel()
	}
}

// producePlain appends with requests and message ids, each tried until it is acknowledged.
func (c *cluster) producePlain(ctx context.Context, h *history, name string) {
	nc := c.connect()
	defer nc.Close()
	for n := 1; ctx.Err() == nil; n++ {
		payload := fmt.Sprintf("%s/%d", name, n)
		h.try(payload)
		for ctx.Err() == nil {
			m := nats.NewMsg("paxos.main.main.append")
			m.Data = []byte(payload)
			m.Header.Set("Nats-Msg-Id", payload)
			try, cancel := context.WithTimeout(ctx, time.Second)
			r, err := nc.RequestMsgWithContext(try, m)
			cancel()
			var a struct {
				Offset uint64 `json:"offset"`
			}
			if err == nil && r.Header.Get("Nats-Service-Error") == "" && json.Unmarshal(r.Data, &a) == nil && a.Offset > 0 {
				h.ack(payload, a.Offset)
				break
			}
			pause(ctx, 20*time.Millisecond)
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// follow subscribes from the start for the whole test, and holds what it gets to be dense.
func (c *cluster) follow(ctx context.Context, t *testing.T, into map[uint64]string) {
	nc := c.connect()
	defer nc.Close()
	cl, err := client.New(ctx, nc)
	if err != nil {
		t.Error(err)
		return
	}
	defer cl.Close()
	next := uint64(1)
	for e, err := range cl.Log("main").Subscribe(ctx, client.First()) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("subscriber at offset %d: %v", next, err)
			}
			return
		}
		if e.Offset != next {
			t.Errorf("subscriber got offset %d instead of %d", e.Offset, next)
			return
		}
		next++
		followers.Lock()
		into[e.Offset] = string(e.Payload)
		followers.Unlock()
	}
}

// plan returns n faults in random order, in which each kind of victim is killed and paused equally often.
func plan(rng *rand.Rand, n int) []func(*cluster) (victims []string, kill bool) {
	one := func(names ...string) string { return names[rng.IntN(len(names))] }
	victims := []func(*cluster) []string{
		func(c *cluster) []string { return []string{c.leaderOr("p1")} },
		func(*cluster) []string { return []string{one("a1", "a2", "a3")} },
		func(*cluster) []string { return []string{one("l1", "l2")} },
		func(*cluster) []string { return []string{"broker"} },
		func(c *cluster) []string { return c.order },
	}
	faults := make([]func(*cluster) ([]string, bool), n)
	for i := range faults {
		faults[i] = func(c *cluster) ([]string, bool) { return victims[i/2%len(victims)](c), i%2 == 0 }
	}
	rng.Shuffle(n, func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	return faults
}

// fault does one thing to the cluster and mends it after a while.
func (c *cluster) fault(rng *rand.Rand, i int, what func(*cluster) ([]string, bool)) {
	c.t.Helper()
	victims, kill := what(c)
	wait := time.Duration(300+rng.IntN(1700)) * time.Millisecond
	c.t.Logf("fault %d: %v, kill %t, for %v", i, victims, kill, wait)
	for _, v := range victims {
		if kill {
			c.procs[v].signal(syscall.SIGKILL)
		} else {
			c.procs[v].signal(syscall.SIGSTOP)
		}
	}
	time.Sleep(wait) // the length of the fault
	for _, v := range victims {
		if kill {
			c.procs[v].stop(c.t, syscall.SIGKILL)
			c.procs[v].start(c.t)
		} else {
			c.procs[v].signal(syscall.SIGCONT)
		}
	}
	time.Sleep(time.Duration(500+rng.IntN(1500)) * time.Millisecond) // faults may overlap with recovery
}

func (c *cluster) leaderOr(name string) string {
	if l := c.leader(); l != "" {
		return l
	}
	return name
}

// readAll returns every payload, in order of offsets.
func (c *cluster) readAll(t *testing.T) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cl, err := client.New(ctx, c.connect())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var all []string
	for e, err := range cl.Log("main").Subscribe(ctx, client.First(), client.UntilLast()) {
		if err != nil {
			t.Fatalf("read the log at offset %d: %v", len(all)+1, err)
		}
		if e.Offset != uint64(len(all)+1) {
			t.Fatalf("offset %d follows %d", e.Offset, len(all))
		}
		all = append(all, string(e.Payload))
	}
	return all
}

// check holds the log to what producers know.
func (h *history) check(t *testing.T, final []string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	at := make(map[string]uint64, len(final))
	newest := make(map[string]int)
	for i, p := range final {
		name, number, ok := strings.Cut(p, "/")
		if !ok {
			continue // the test's own "are you there?"
		}
		if other, twice := at[p]; twice {
			t.Errorf("%q is in the log twice, at %d and %d", p, other, i+1)
		}
		at[p] = uint64(i + 1)
		if !h.tried[p] {
			t.Errorf("%q is in the log and was never appended", p)
		}
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		if n < newest[name] {
			t.Errorf("%q at offset %d comes after %s/%d", p, i+1, name, newest[name])
		}
		newest[name] = n
	}
	for p, o := range h.acked {
		if at[p] != o {
			t.Errorf("%q was acknowledged at offset %d, the log has it at %d", p, o, at[p])
		}
	}
	if len(h.acked) < 1000 {
		t.Errorf("only %d entries were acknowledged: the test showed little", len(h.acked))
	}
}

// sameHash waits until both learners are through the same slot, and compares their running hashes.
func (c *cluster) sameHash(t *testing.T) {
	t.Helper()
	until(t, 30*time.Second, "both learners at one slot with one hash", func() bool {
		var hash [2]string
		var through [2]uint64
		for i, n := range []string{"l1", "l2"} {
			_, body, err := c.procs[n].get("/status")
			var all []roleStatus
			if err != nil || json.Unmarshal([]byte(body), &all) != nil || len(all) != 1 || len(all[0].Logs) != 1 {
				return false
			}
			hash[i], through[i] = all[0].Logs[0].Hash, all[0].Logs[0].Through
		}
		if through[0] == through[1] && hash[0] != hash[1] {
			t.Fatalf("slot %d: l1 has hash %s, l2 %s", through[0], hash[0], hash[1])
		}
		return through[0] == through[1]
	})
}
