// Package load puts one client's load on a system and measures what it sees.
//
// Latencies are recorded in HDR histograms. Closed loops say how much a system takes when each caller waits for its answer; they hide what a stall would have
// done to those who did not wait. Open loops send on a schedule, whatever the system does, and count from the instant at which an entry should have
// left: a stall shows in every entry that it held up (no coordinated omission).
package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/paxosd/paxosd/bench/system"
)

// Workload is one kind of load.
type Workload struct {
	Name    string
	Kind    Kind
	Clients int     // callers
	Window  int     // of a pipelined client
	Size    int     // bytes of an entry
	Rate    float64 // entries a second of an open loop
	Trials  int     // of Failover
}

// Kind is how the load is made.
type Kind string

// The kinds.
const (
	Callers   Kind = "callers"   // each appends one entry and waits
	Pipelined Kind = "pipelined" // one client keeps a window of entries on their way
	Open      Kind = "open"      // one client sends on a schedule
	Read      Kind = "read"      // one subscriber reads a log from its start
	Tail      Kind = "tail"      // one client sends on a schedule, a subscriber reads: append to delivery
	Failover  Kind = "failover"  // the leader is killed: how long until the next acknowledgement
)

// Latency are percentiles in microseconds.
type Latency struct {
	Min  float64 `json:"min"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Result is one measurement.
type Result struct {
	System   string    `json:"system"`
	Workload string    `json:"workload"`
	Round    int       `json:"round"`
	Seconds  float64   `json:"seconds"`
	Entries  uint64    `json:"entries"`
	Errors   uint64    `json:"errors"`
	Rate     float64   `json:"entries_per_second"`
	Latency  *Latency  `json:"latency_us,omitempty"`
	Trials   []float64 `json:"trials_ms,omitempty"` // of Failover

	ClientCPU    float64        `json:"client_cpu_us_per_entry"`
	Roles        map[string]Use `json:"roles,omitempty"`
	DiskRequests float64        `json:"disk_requests_per_entry,omitempty"` // writes and flushes of the device, whoever made them
}

// Use is what the processes of one role used, added up.
type Use struct {
	Processes int     `json:"processes"`
	CPU       float64 `json:"cpu_us_per_entry"`
	Written   float64 `json:"written_per_payload_byte"` // by all processes of the role together
	PeakMiB   float64 `json:"peak_mib"`                 // of the largest process
}

// meter collects what began and ended between begin and end.
type meter struct {
	begin, end time.Time
	mu         sync.Mutex
	h          *hdrhistogram.Histogram
	entries    atomic.Uint64
	errors     atomic.Uint64
}

func newMeter(warmUp, length time.Duration) *meter {
	begin := time.Now().Add(warmUp)
	return &meter{begin: begin, end: begin.Add(length), h: hdrhistogram.New(1000, int64(2*time.Minute), 3)}
}

func (m *meter) over() bool { return !time.Now().Before(m.end) }

func (m *meter) took(start time.Time, err error) {
	now := time.Now()
	if start.Before(m.begin) || now.After(m.end) {
		return
	}
	if err != nil {
		m.errors.Add(1)
		return
	}
	m.entries.Add(1)
	m.mu.Lock()
	_ = m.h.RecordValue(int64(now.Sub(start))) // what is beyond two minutes is left out, and shows in the count
	m.mu.Unlock()
}

func (m *meter) result() Result {
	us := func(v int64) float64 { return float64(v) / 1e3 }
	s := m.end.Sub(m.begin).Seconds()
	r := Result{Seconds: s, Entries: m.entries.Load(), Errors: m.errors.Load()}
	r.Rate = float64(r.Entries) / s
	if r.Entries > 0 {
		r.Latency = &Latency{
			Min: us(m.h.Min()), P50: us(m.h.ValueAtQuantile(50)), P90: us(m.h.ValueAtQuantile(90)), P99: us(m.h.ValueAtQuantile(99)),
			P999: us(m.h.ValueAtQuantile(99.9)), Max: us(m.h.Max()),
		}
	}
	return r
}

// payloads are random bytes, so that nobody gains by compressing them, cut from a block that is made beforehand.
type payloads struct {
	block []byte
	size  int
	at    int
}

func newPayloads(size int) (*payloads, error) {
	p := &payloads{block: make([]byte, 1<<20+size), size: size}
	_, err := rand.Read(p.block)
	return p, err
}

func (p *payloads) next() []byte {
	p.at = (p.at + 61) & (1<<20 - 1)
	return p.block[p.at : p.at+p.size : p.at+p.size]
}

// Length says how long to measure.
type Length struct{ WarmUp, Measure time.Duration }

const appendTimeout = 10 * time.Second

// Run puts the workload on a cluster's log.
func Run(ctx context.Context, c system.Cluster, log string, w *Workload, l Length) (r Result, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", w.Name, err)
		}
	}()
	if w.Kind == Failover {
		return failover(ctx, c, log, w)
	}
	cl, err := c.Client(ctx, log, system.ClientOptions{Window: w.Window})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	p, err := newPayloads(w.Size)
	if err != nil {
		return r, err
	}
	switch w.Kind {
	case Callers:
		return callers(ctx, cl, w, l)
	case Pipelined:
		return pipelined(ctx, cl, p, l)
	case Open:
		return open(ctx, cl, p, w.Rate, l)
	case Read:
		return read(ctx, cl, p, l)
	case Tail:
		return tail(ctx, c, log, cl, w, l)
	case Failover:
	}
	return r, fmt.Errorf("there is no kind %q", w.Kind)
}

func callers(ctx context.Context, cl system.Client, w *Workload, l Length) (Result, error) {
	m := newMeter(l.WarmUp, l.Measure)
	var wg sync.WaitGroup
	for range w.Clients {
		p, err := newPayloads(w.Size)
		if err != nil {
			return Result{}, err
		}
		wg.Go(func() {
			for ctx.Err() == nil && !m.over() {
				start := time.Now()
				try, cancel := context.WithTimeout(ctx, appendTimeout)
				err := cl.Append(try, p.next())
				cancel()
				m.took(start, err)
			}
		})
	}
	wg.Wait()
	return m.result(), ctx.Err()
}

func pipelined(ctx context.Context, cl system.Client, p *payloads, l Length) (Result, error) {
	m := newMeter(l.WarmUp, l.Measure)
	var wg sync.WaitGroup
	for ctx.Err() == nil && !m.over() {
		start := time.Now()
		wg.Add(1)
		err := cl.Go(ctx, p.next(), func(err error) {
			m.took(start, err)
			wg.Done()
		})
		if err != nil {
			wg.Done()
			return Result{}, err
		}
	}
	wg.Wait()
	return m.result(), ctx.Err()
}

// schedule calls send for each entry of an open loop, with the instant at which it should leave.
func schedule(ctx context.Context, m *meter, rate float64, send func(at time.Time) error) error {
	began := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil && !m.over(); {
		for due := int(time.Since(began).Seconds()*rate) + 1; n < due; n++ {
			if err := send(began.Add(time.Duration(float64(n) / rate * float64(time.Second)))); err != nil {
				return err
			}
		}
		<-tick.C
	}
	return ctx.Err()
}

func open(ctx context.Context, cl system.Client, p *payloads, rate float64, l Length) (Result, error) {
	m := newMeter(l.WarmUp, l.Measure)
	var wg sync.WaitGroup
	err := schedule(ctx, m, rate, func(at time.Time) error {
		wg.Add(1)
		err := cl.Go(ctx, p.next(), func(err error) {
			m.took(at, err)
			wg.Done()
		})
		if err != nil {
			wg.Done()
		}
		return err
	})
	wg.Wait()
	return m.result(), err
}
