package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

const (
	readEntries = 1_000_000       // a log to read has so many, or what a while of appending gives
	readFill    = 3               // that while, as a multiple of what is measured
	readLimit   = 2 * time.Minute // for one pass over it
)

// read fills the log, and then reads it from its start, again and again, as long as is to be measured. The rate is that of all passes together, each counted
// from its first entry: what finding the start takes is not the rate of reading, and is told apart.
func (o *one) read(ctx context.Context, cl system.Client, p *payloads) (Result, error) {
	var f flight
	var there atomic.Uint64
	end := time.Now().Add(readFill * o.l.Measure)
	for n := o.t.Appended[o.t.Log]; n < readEntries && time.Now().Before(end); n++ {
		f.wg.Add(1)
		err := cl.Go(ctx, p.next(), func(err error) {
			if err == nil {
				there.Add(1)
			}
			f.wg.Done()
		})
		if err != nil {
			f.wg.Done()
			return Result{}, err
		}
	}
	if err := f.land(ctx); err != nil {
		return Result{}, err
	}
	o.t.Appended[o.t.Log] += there.Load()
	want := o.t.Appended[o.t.Log]
	if _, err := onePass(ctx, cl, want); err != nil { // the warm-up
		return Result{}, err
	}
	a, err := o.t.open(o.l.Measure)
	if err != nil {
		return Result{}, err
	}
	var r Result
	for passes := 1.0; ; passes++ {
		s, err := onePass(ctx, cl, want)
		if err != nil {
			return r, errors.Join(err, a.close(nil, 0, 0))
		}
		r.Entries += want
		r.Seconds += s.reading.Seconds()
		r.First += (float64(s.first.Microseconds())/1e3 - r.First) / passes
		if r.Seconds >= o.l.Measure.Seconds() {
			break
		}
	}
	r.Rate = float64(r.Entries) / r.Seconds
	return r, a.close(&r, r.Entries, o.w.Size)
}

type pass struct{ first, reading time.Duration }

func onePass(ctx context.Context, cl system.Client, want uint64) (p pass, err error) {
	limit, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	var n uint64
	began := time.Now()
	first := began
	err = cl.Subscribe(limit, true, func() {}, func([]byte) bool {
		if n == 0 {
			first = time.Now()
			p.first = first.Sub(began)
		}
		n++
		if n < want {
			return true
		}
		p.reading = time.Since(first)
		return false
	})
	if err == nil && n < want {
		err = fmt.Errorf("the subscriber got %d of %d entries within %v", n, want, readLimit)
	}
	return p, err
}

// deliveryLimit is how long the last deliveries may take after everything was acknowledged.
const deliveryLimit = 10 * time.Second

// markBytes are at the head of a payload whose delivery is measured: which run it is of, its number, and when it should have left, in nanoseconds.
const markBytes = 24

func mark(b []byte, run, n uint64, at time.Time) {
	binary.BigEndian.PutUint64(b, run)
	binary.BigEndian.PutUint64(b[8:], n)
	binary.BigEndian.PutUint64(b[16:], uint64(at.UnixNano()))
}

func marked(b []byte, run uint64) (n uint64, at time.Time, ok bool) {
	if len(b) < markBytes || binary.BigEndian.Uint64(b) != run {
		return 0, at, false
	}
	return binary.BigEndian.Uint64(b[8:]), time.Unix(0, int64(binary.BigEndian.Uint64(b[16:]))), true
}

// tail measures from the instant at which an entry should be sent until a subscriber has it.
func (o *one) tail(ctx context.Context, cl system.Client) (r Result, err error) {
	reader, err := o.t.Cluster.Client(ctx, o.t.Log, system.ClientOptions{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	acks, deliveries := newMeter(o.l, true), newMeter(o.l, true)
	run := uint64(time.Now().UnixNano())
	var got []bool // by number: some systems deliver again what they delivered before a reconnect
	var distinct atomic.Uint64
	reading, stop := context.WithCancel(ctx)
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- reader.Subscribe(reading, false, func() { close(ready) }, func(b []byte) bool {
			n, at, ok := marked(b, run)
			if !ok || n > 1<<30 {
				return true
			}
			for uint64(len(got)) <= n {
				got = append(got, false)
			}
			if !got[n] {
				got[n] = true
				deliveries.took(at, nil)
				distinct.Add(1)
			}
			return true
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		return r, err
	case <-ctx.Done():
		return r, ctx.Err()
	}
	r, err = o.accounted(acks, o.t.Log, func() error {
		var f flight
		n := uint64(0)
		err := schedule(ctx, acks, o.w.Rate, nanosleep, func(at time.Time) error {
			b := make([]byte, max(o.w.Size, markBytes))
			mark(b, run, n, at)
			n++
			f.wg.Add(1)
			err := cl.Go(ctx, b, func(err error) {
				acks.took(at, err)
				f.wg.Done()
			})
			if err != nil {
				f.wg.Done()
			}
			return err
		})
		err = errors.Join(err, f.land(ctx))
		for end := time.Now().Add(deliveryLimit); err == nil && distinct.Load() < acks.acked.Load() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		return err
	})
	stop()
	err = errors.Join(err, <-ended)
	d := deliveries.result()
	r.Ack, r.Latency, r.Entries, r.Rate, r.Offered = r.Latency, d.Latency, d.Entries, d.Rate, o.w.Rate
	if a := acks.acked.Load(); distinct.Load() < a {
		r.Errors += a - distinct.Load() // acknowledged, and never delivered
	}
	return r, err
}
