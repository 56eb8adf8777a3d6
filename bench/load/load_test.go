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
		m := newMeter(length, true)
		err := schedule(t.Context(), m, 100, time.Sleep, func(at time.Time) error {
			return f.Go(t.Context(), nil, func(err error) { m.took(at, err) })
		})
		if err != nil {
			t.Fatal(err)
		}
		r := m.result()
		if r.Entries < 990 || r.Entries > 1001 {
			t.Fatalf("%d entries in ten seconds at a hundred a second", r.Entries)
		}
		if r.Latency.P50 > 2000 || r.Latency.P99 < 8e5 || r.Latency.Max < 9.9e5 {
			t.Fatalf("latencies %+v", *r.Latency)
		}
	})
}

// none is a cluster without processes.
type none struct{ system.Cluster }

func (none) Processes() []system.Process { return nil }

// TestClosedLoopCounts: four callers of 10 ms an entry make 400 a second, and errors are no entries.
func TestClosedLoopCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{delay: func(int) time.Duration { return 10 * time.Millisecond }}
		block, err := newBlock(16)
		if err != nil {
			t.Fatal(err)
		}
		o := &one{t: &Target{Cluster: none{}, Dir: t.TempDir()}, w: &Workload{Clients: 4, Size: 16}, l: length}
		r, err := o.callers(t.Context(), f, block)
		if err != nil {
			t.Fatal(err)
		}
		if r.Rate < 395 || r.Rate > 401 || r.Latency.P50 < 9900 || r.Latency.P99 > 10100 {
			t.Fatalf("%+v %+v", r, *r.Latency)
		}
		f.fail, o.w = true, &Workload{Clients: 1, Size: 16}
		if r, err = o.callers(t.Context(), f, block); err != nil || r.Entries != 0 || r.Errors < 990 {
			t.Fatalf("%+v %v", r, err)
		}
	})
}

func TestPayloadsAreTheSizeAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 16, 1024, 16 << 10} {
		b, err := newBlock(n)
		if err != nil {
			t.Fatal(err)
		}
		p := b.cut(n, 3)
		for range 100_000 {
			if b := p.next(); len(b) != n || cap(b) != n {
				t.Fatalf("%d bytes of %d", len(b), n)
			}
		}
	}
}
