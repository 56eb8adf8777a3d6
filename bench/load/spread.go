package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

// many has a pipelined client for each log, all over one connection, and a window that is the same for all together however many logs there are: what
// is measured is what more logs cost.
func (o *one) many(ctx context.Context) (r Result, err error) {
	if len(o.t.Logs) < o.w.Logs {
		return r, fmt.Errorf("the cluster has %d logs", len(o.t.Logs))
	}
	logs := o.t.Logs[:o.w.Logs]
	window := max(o.w.Window/len(logs), 1)
	b, err := newBlock(o.w.Size)
	if err != nil {
		return r, err
	}
	clients := make([]system.Client, 0, len(logs))
	defer func() {
		var wg sync.WaitGroup // closing waits for what is on its way
		errs := make([]error, len(clients))
		for i, c := range clients {
			wg.Go(func() { errs[i] = c.Close() })
		}
		wg.Wait()
		err = errors.Join(err, errors.Join(errs...))
	}()
	for _, log := range logs {
		cl, err := o.t.Cluster.Client(ctx, log, system.ClientOptions{Window: window, Shared: true})
		if err != nil {
			return r, err
		}
		clients = append(clients, cl)
	}
	first := &flight{} // a client's first entry opens its session, or its connection
	var failed atomic.Pointer[error]
	for _, cl := range clients {
		first.wg.Go(func() {
			try, cancel := context.WithTimeout(ctx, drainLimit)
			defer cancel()
			answer := make(chan error, 1)
			err := cl.Go(try, b.cut(o.w.Size, 0).next(), func(err error) { answer <- err })
			if err == nil {
				err = <-answer
			}
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := first.land(ctx); err != nil {
		return r, err
	}
	if e := failed.Load(); e != nil {
		return r, *e
	}
	m := newMeter(o.l, false)
	return o.accounted(m, "", func() error {
		var f flight
		var wg sync.WaitGroup
		errs := make([]error, len(clients))
		for i, cl := range clients {
			wg.Go(func() { errs[i] = stream(ctx, cl, b.cut(o.w.Size, i), m, &f) })
		}
		wg.Wait()
		return errors.Join(errors.Join(errs...), f.land(ctx))
	})
}

// fan appends while subscribers read what is new. The rate is that of acknowledgements, what all subscribers got is beside it.
func (o *one) fan(ctx context.Context, cl system.Client, p *payloads) (r Result, err error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var running atomic.Pointer[meter]
	var delivered atomic.Uint64
	var wg sync.WaitGroup
	errs := make([]error, o.w.Subscribers)
	ready := make(chan struct{}, o.w.Subscribers)
	ended := make(chan struct{}, o.w.Subscribers)
	for i := range o.w.Subscribers {
		reader, err := o.t.Cluster.Client(ctx, o.t.Log, system.ClientOptions{})
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, reader.Close()) }()
		wg.Go(func() {
			errs[i] = reader.Subscribe(reading, false, func() { ready <- struct{}{} }, func([]byte) bool {
				if m := running.Load(); m != nil && time.Now().After(m.begin) && !m.over() {
					delivered.Add(1)
				}
				return true
			})
			ended <- struct{}{}
		})
	}
	for range o.w.Subscribers {
		select {
		case <-ready:
		case <-ended:
			stop()
			wg.Wait()
			return r, errors.Join(errors.Join(errs...), ctx.Err())
		}
	}
	m := newMeter(o.l, false)
	running.Store(m)
	r, err = o.accounted(m, o.t.Log, func() error {
		var f flight
		return errors.Join(stream(ctx, cl, p, m, &f), f.land(ctx))
	})
	stop()
	wg.Wait()
	r.Delivered = float64(delivered.Load()) / o.l.Measure.Seconds()
	return r, errors.Join(err, errors.Join(errs...))
}
