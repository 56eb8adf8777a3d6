// Package load puts one client's load on a system and measures what it sees.
//
// Latencies are recorded in HDR histograms. Closed loops say how much a system takes when each caller waits for its answer; they hide what a stall would have
// done to those who did not wait. Open loops send on a schedule, whatever the system does, and count from the instant at which an entry should have
// left: a stall shows in every entry that it held up (no coordinated omission).
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

const appendTimeout = 10 * time.Second

// Target is what a load is put on.
type Target struct {
	Cluster  system.Cluster
	Log      string            // what all but Many append to
	Logs     []string          // of Many
	Dir      string            // below which all data is
	Appended map[string]uint64 // by log: what loads have appended until now, for Workload.Fill
}

// one is one run of a load.
type one struct {
	t *Target
	w *Workload
	l Length
}

// Run puts the workload on a cluster, and measures.
func Run(ctx context.Context, t *Target, w *Workload, l Length) (r Result, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", w.Name, err)
		}
	}()
	o := &one{t: t, w: w, l: l.of(w)}
	switch w.Kind {
	case Failover:
		return o.failover(ctx)
	case Many:
		return o.many(ctx)
	case Callers, Pipelined, Open, Read, Tail, Fan:
	default:
		return r, fmt.Errorf("there is no kind %q", w.Kind)
	}
	cl, err := t.Cluster.Client(ctx, t.Log, system.ClientOptions{Window: w.Window})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	b, err := newBlock(w.Size)
	if err != nil {
		return r, err
	}
	p := b.cut(w.Size, 0)
	if err := o.fill(ctx, cl, p); err != nil {
		return r, err
	}
	length := t.Appended[t.Log]
	switch w.Kind {
	case Callers:
		r, err = o.callers(ctx, cl, b)
	case Open:
		r, err = o.open(ctx, cl, p)
	case Read:
		r, err = o.read(ctx, cl, p)
	case Tail:
		r, err = o.tail(ctx, cl)
	case Fan:
		r, err = o.fan(ctx, cl, p)
	default:
		r, err = o.pipelined(ctx, cl, p)
	}
	if w.Fill > 0 {
		r.LogLength = length
	}
	return r, err
}

// accounted runs do between the opening and the closing of an account, and counts what it appended to the log.
func (o *one) accounted(m *meter, log string, do func() error) (r Result, err error) {
	a, err := o.t.open(o.l.WarmUp + o.l.Measure)
	if err != nil {
		return r, err
	}
	if err := do(); err != nil {
		return r, errors.Join(err, a.close(nil, 0, 0))
	}
	r = m.result()
	if o.t.Appended != nil && log != "" {
		o.t.Appended[log] += m.acked.Load()
	}
	return r, a.close(&r, m.acked.Load(), o.w.Size)
}

func (o *one) callers(ctx context.Context, cl system.Client, b block) (Result, error) {
	m := newMeter(o.l, false)
	return o.accounted(m, o.t.Log, func() error {
		var wg sync.WaitGroup
		for i := range o.w.Clients {
			p := b.cut(o.w.Size, i)
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
		return ctx.Err()
	})
}

// stream appends through Go until the meter is over.
func stream(ctx context.Context, cl system.Client, p *payloads, m *meter, f *flight) error {
	for ctx.Err() == nil && !m.over() {
		start := time.Now()
		f.wg.Add(1)
		err := cl.Go(ctx, p.next(), func(err error) {
			m.took(start, err)
			f.wg.Done()
		})
		if err != nil {
			f.wg.Done()
			return err
		}
	}
	return ctx.Err()
}

func (o *one) pipelined(ctx context.Context, cl system.Client, p *payloads) (Result, error) {
	m := newMeter(o.l, false)
	return o.accounted(m, o.t.Log, func() error {
		var f flight
		return errors.Join(stream(ctx, cl, p, m, &f), f.land(ctx))
	})
}

func (o *one) open(ctx context.Context, cl system.Client, p *payloads) (Result, error) {
	m := newMeter(o.l, true)
	r, err := o.accounted(m, o.t.Log, func() error {
		var f flight
		err := schedule(ctx, m, o.w.Rate, nanosleep, func(at time.Time) error {
			f.wg.Add(1)
			err := cl.Go(ctx, p.next(), func(err error) {
				m.took(at, err)
				f.wg.Done()
			})
			if err != nil {
				f.wg.Done()
			}
			return err
		})
		return errors.Join(err, f.land(ctx))
	})
	r.Offered = o.w.Rate
	return r, err
}

// fill appends until the log has as many entries as the load is to begin with, or its time is over.
func (o *one) fill(ctx context.Context, cl system.Client, p *payloads) error {
	have := o.t.Appended[o.t.Log]
	if have >= o.w.Fill {
		return nil
	}
	m := newMeter(Length{Measure: o.l.FillLimit}, false)
	limit := o.w.Fill - have
	var f flight
	for n := uint64(0); n < limit && !m.over() && ctx.Err() == nil; n++ {
		f.wg.Add(1)
		err := cl.Go(ctx, p.next(), func(err error) {
			if err == nil {
				m.acked.Add(1)
			}
			f.wg.Done()
		})
		if err != nil {
			f.wg.Done()
			return err
		}
	}
	err := f.land(ctx)
	o.t.Appended[o.t.Log] += m.acked.Load()
	return err
}
