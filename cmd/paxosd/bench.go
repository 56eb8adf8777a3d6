package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/paxos"
)

// benchPrefix begins the names of logs that bench may write to: what it appends is rubbish, and stays.
const benchPrefix = "bench"

// benchOptions are bench's flags.
type benchOptions struct {
	shared
	log, mode             string
	clients, size, window int
	seconds               float64
	json, explain         bool
	count                 uint64
}

// benchResult is one measurement. Latencies are in microseconds.
type benchResult struct {
	Mode    string  `json:"mode"`
	Clients int     `json:"clients"`
	Size    int     `json:"size"`
	Window  int     `json:"window,omitempty"`
	Seconds float64 `json:"seconds"`
	Entries uint64  `json:"entries"`
	Errors  uint64  `json:"errors"`
	Rate    float64 `json:"entries_per_second"`
	MiB     float64 `json:"mib_per_second"`
	Min     float64 `json:"min_us"`
	P50     float64 `json:"p50_us"`
	P90     float64 `json:"p90_us"`
	P99     float64 `json:"p99_us"`
	P999    float64 `json:"p999_us"`
	Max     float64 `json:"max_us"`

	Explained []explained `json:"explained,omitempty"`
}

func newBench(std stdio) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure appends and reads, on a log of its own",
		Long: "Measures a cluster as a client sees it. 'callers' append one entry each and wait; 'pipelined' producers keep a window of\n" +
			"entries on their way; 'subscribe' reads the log from its start. It writes only to logs whose names begin with 'bench': add one\n" +
			"to 'logs' in the founder's configuration, or run 'paxosd dev --logs main,bench'.",
		GroupID: groupAfter,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runBench(cmd.Context(), std, &o) },
	}
	f := cmd.Flags()
	o.register(f)
	f.StringVar(&o.log, "log", benchPrefix, "`name` of the log, beginning with 'bench'")
	f.StringVar(&o.mode, "mode", "callers", "`what` to measure: callers, pipelined, subscribe")
	f.IntVar(&o.clients, "clients", 1, "`number` of callers, producers or subscribers")
	f.IntVar(&o.size, "size", 128, "`bytes` of an entry")
	f.IntVar(&o.window, "window", 4096, "`entries` that a pipelined producer has on their way")
	f.Float64Var(&o.seconds, "seconds", 5, "how long to measure, after one more second to warm up")
	f.Uint64Var(&o.count, "count", 0, "with subscribe: end after `N` entries (default at the last offset as it was)")
	f.BoolVar(&o.explain, "explain", false, "with callers and pipelined: say where the time of a median append goes, and of one at the 99th percentile")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (o *benchOptions) check() error {
	switch {
	case !strings.HasPrefix(o.log, benchPrefix) || !paxos.ValidName(o.log):
		return usagef("--log %q: bench writes only to logs whose names begin with %q", o.log, benchPrefix)
	case o.clients < 1 || o.clients > 4096:
		return usagef("--clients %d: want 1 to 4096", o.clients)
	case o.size < 0 || o.size > paxos.MaxEntryBytes:
		return usagef("--size %d: want 0 to %d", o.size, paxos.MaxEntryBytes)
	case o.window < 1 || o.window > 1<<20:
		return usagef("--window %d: want 1 to %d", o.window, 1<<20)
	case o.explain && o.mode == "subscribe":
		return usagef("--explain is for appends, not for --mode subscribe")
	case o.seconds <= 0 || o.seconds > 3600:
		return usagef("--seconds %v: want a positive number, at most 3600", o.seconds)
	}
	return nil
}

func runBench(ctx context.Context, std stdio, o *benchOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	run := map[string]func(context.Context, *client.Client, *benchOptions) (benchResult, error){
		"callers": benchCallers, "pipelined": benchPipelined, "subscribe": benchSubscribe,
	}[o.mode]
	if run == nil {
		return usagef("--mode %q: want callers, pipelined or subscribe", o.mode)
	}
	var x explainer
	var opts []client.Option
	if o.explain {
		opts = append(opts, client.WithExplanations(explainEvery(o.mode), x.add))
	}
	c, done, err := o.open(ctx, opts...)
	if err != nil {
		return err
	}
	defer done()
	r, err := run(ctx, c, o)
	if err != nil {
		return fmt.Errorf("bench %s on log %q: %w", o.mode, o.log, err)
	}
	r.Explained = x.result()
	return printBench(std.out, r, o.json)
}

// meter collects latencies of many goroutines, and drops those of the warm-up.
type meter struct {
	begin, end time.Time
	mu         sync.Mutex
	h          *hdrhistogram.Histogram
	entries    atomic.Uint64
	errors     atomic.Uint64
}

const warmUp = time.Second

func newMeter(o *benchOptions) *meter {
	begin := time.Now().Add(warmUp)
	return &meter{
		begin: begin, end: begin.Add(time.Duration(o.seconds * float64(time.Second))),
		h: hdrhistogram.New(1000, int64(time.Minute), 3),
	}
}

// took records what n entries took that were begun at start.
func (m *meter) took(start time.Time, n int, err error) {
	now := time.Now()
	if start.Before(m.begin) || now.After(m.end) {
		return
	}
	if err != nil {
		m.errors.Add(1)
		return
	}
	m.entries.Add(uint64(n))
	m.mu.Lock()
	_ = m.h.RecordValues(int64(now.Sub(start)), int64(n)) // a value past a minute is a minute
	m.mu.Unlock()
}

func (m *meter) result(mode string, o *benchOptions) benchResult {
	us := func(v int64) float64 { return float64(v) / 1e3 }
	seconds := m.end.Sub(m.begin).Seconds()
	n := m.entries.Load()
	r := benchResult{
		Mode: mode, Clients: o.clients, Size: o.size, Seconds: seconds, Entries: n, Errors: m.errors.Load(),
		Rate: float64(n) / seconds, MiB: float64(n) * float64(o.size) / seconds / (1 << 20),
	}
	if n > 0 {
		r.Min, r.Max = us(m.h.Min()), us(m.h.Max())
		r.P50, r.P90 = us(m.h.ValueAtQuantile(50)), us(m.h.ValueAtQuantile(90))
		r.P99, r.P999 = us(m.h.ValueAtQuantile(99)), us(m.h.ValueAtQuantile(99.9))
	}
	return r
}

// benchCallers has each client append one entry and wait for it, again and again.
func benchCallers(ctx context.Context, c *client.Client, o *benchOptions) (benchResult, error) {
	log := c.Log(o.log)
	payload := make([]byte, o.size)
	first, cancel := context.WithTimeout(ctx, o.timeout)
	_, err := log.Append(first, client.Entry{Payload: payload})
	cancel()
	if err != nil {
		return benchResult{}, err
	}
	m := newMeter(o)
	var wg sync.WaitGroup
	for range o.clients {
		wg.Go(func() {
			for ctx.Err() == nil && time.Now().Before(m.end) {
				start := time.Now()
				try, cancel := context.WithTimeout(ctx, o.timeout)
				_, err := log.Append(try, client.Entry{Payload: payload})
				cancel()
				m.took(start, 1, err)
			}
		})
	}
	wg.Wait()
	return m.result("callers", o), ctx.Err()
}

// benchPipelined has each client keep a window of entries on their way.
func benchPipelined(ctx context.Context, c *client.Client, o *benchOptions) (benchResult, error) {
	m := newMeter(o)
	var wg sync.WaitGroup
	errs := make(chan error, o.clients)
	for range o.clients {
		p, err := c.Log(o.log).Producer(ctx)
		if err != nil {
			return benchResult{}, err
		}
		wg.Go(func() { errs <- pipeline(ctx, p, m, o) })
	}
	wg.Wait()
	for range o.clients {
		if err := <-errs; err != nil {
			return benchResult{}, err
		}
	}
	r := m.result("pipelined", o)
	r.Window = o.window
	return r, nil
}

func pipeline(ctx context.Context, p *client.Producer, m *meter, o *benchOptions) error {
	payload := make([]byte, o.size)
	window := make(chan struct{}, o.window)
	for ctx.Err() == nil && time.Now().Before(m.end) {
		window <- struct{}{}
		start := time.Now()
		err := p.Append(ctx, client.Entry{Payload: payload}, func(_ client.Ack, err error) {
			m.took(start, 1, err)
			<-window
		})
		if err != nil {
			return err
		}
	}
	return p.Close(ctx)
}

// benchSubscribe reads the log from its start. A latency is the time between two entries.
func benchSubscribe(ctx context.Context, c *client.Client, o *benchOptions) (benchResult, error) {
	type done struct {
		n     uint64
		bytes uint64
		err   error
	}
	results := make(chan done, o.clients)
	begin := time.Now()
	for range o.clients {
		go func() {
			var d done
			for e, err := range c.Log(o.log).Subscribe(ctx, client.First(), client.UntilLast(), client.Buffer(32<<20)) {
				if err != nil {
					d.err = err
					break
				}
				d.n++
				d.bytes += uint64(len(e.Payload))
				if d.n == o.count {
					break
				}
			}
			results <- d
		}()
	}
	var n, b uint64
	for range o.clients {
		d := <-results
		if d.err != nil {
			return benchResult{}, d.err
		}
		n, b = n+d.n, b+d.bytes
	}
	s := time.Since(begin).Seconds()
	return benchResult{
		Mode: "subscribe", Clients: o.clients, Size: o.size, Seconds: s, Entries: n, Rate: float64(n) / s, MiB: float64(b) / s / (1 << 20),
	}, nil
}

func printBench(w io.Writer, r benchResult, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	fmt.Fprintf(w, "%s, %d client(s), %d B: %.0f entries/s, %.1f MiB/s (%d in %.1f s, %d errors)\n",
		r.Mode, r.Clients, r.Size, r.Rate, r.MiB, r.Entries, r.Seconds, r.Errors)
	if r.Mode != "subscribe" {
		fmt.Fprintf(w, "latency: min %.0f us, p50 %.0f us, p90 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n",
			r.Min, r.P50, r.P90, r.P99, r.P999, r.Max)
	}
	printExplained(w, r.Explained)
	return nil
}
