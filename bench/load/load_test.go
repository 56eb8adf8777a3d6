package load

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

// fake acknowledges after a delay that it is given for each entry.
type fake struct {
	mu    sync.Mutex
	n     int
	delay func(n int) time.Duration
	fail  bool
}

func (f *fake) wait() error {
	f.mu.Lock()
	d := f.delay(f.n)
	f.n++
	f.mu.Unlock()
	time.Sleep(d)
	if f.fail {
		return errors.New("refused")
	}
	return nil
}

func (f *fake) Append(context.Context, []byte) error { return f.wait() }

func (f *fake) Go(_ context.Context, _ []byte, done func(error)) error {
	done(f.wait())
	return nil
}

func (f *fake) Subscribe(context.Context, bool, func(), func([]byte) bool) error {
	return system.ErrUnsupported
}

func (f *fake) Close() error { return nil }

var length = Length{WarmUp: time.Second, Measure: 10 * time.Second}

// TestOpenLoopCountsWhoWaited: a stall of a second holds up a hundred entries that were due meanwhile, and shows in as many latencies.
func TestOpenLoopCountsWhoWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{delay: func(n int) time.Duration {
			if n == 500 {
				return time.Second
			}
			return 0
		}}
		p, err := newPayloads(8)
		if err != nil {
			t.Fatal(err)
		}
		r, err := open(t.Context(), f, p, 100, length)
		if err != nil {
			t.Fatal(err)
		}
		if r.Entries < 990 || r.Entries > 1001 {
			t.Fatalf("%d entries in ten seconds at a hundred a second", r.Entries)
		}
		if r.Latency.P50 > 2000 || r.Latency.P99 < 8e5 || r.Latency.Max < 9.9e5 {
			t.Fatalf("latencies %+v", *r.Latency)
		}
	})
}

// TestClosedLoopCounts: four callers of 10 ms an entry make 400 a second, and errors are no entries.
func TestClosedLoopCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{delay: func(int) time.Duration { return 10 * time.Millisecond }}
		r, err := callers(t.Context(), f, &Workload{Clients: 4, Size: 16}, length)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rate < 395 || r.Rate > 401 || r.Latency.P50 < 9900 || r.Latency.P99 > 10100 {
			t.Fatalf("%+v %+v", r, *r.Latency)
		}
		f.fail = true
		if r, err = callers(t.Context(), f, &Workload{Clients: 1, Size: 16}, length); err != nil || r.Entries != 0 || r.Errors < 990 {
			t.Fatalf("%+v %v", r, err)
		}
	})
}

func TestPayloadsAreTheSizeAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 16, 1024, 16 << 10} {
		p, err := newPayloads(n)
		if err != nil {
			t.Fatal(err)
		}
		for range 100_000 {
			if b := p.next(); len(b) != n || cap(b) != n {
				t.Fatalf("%d bytes of %d", len(b), n)
			}
		}
	}
}
