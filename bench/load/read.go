package load

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

// read fills the log for a while, and then reads what is there from its start.
func read(ctx context.Context, cl system.Client, p *payloads, l Length) (Result, error) {
	var written atomic.Uint64
	var wg sync.WaitGroup
	for end := time.Now().Add(l.Measure); time.Now().Before(end); {
		wg.Add(1)
		err := cl.Go(ctx, p.next(), func(err error) {
			if err == nil {
				written.Add(1)
			}
			wg.Done()
		})
		if err != nil {
			wg.Done()
			return Result{}, err
		}
	}
	wg.Wait()
	want := written.Load()
	var n uint64
	limit, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var first, last time.Time
	err := cl.Subscribe(limit, true, func() {}, func([]byte) bool {
		if n == 0 {
			first = time.Now() // what finding the start takes is not the rate of reading
		}
		n++
		if n < want {
			return true
		}
		last = time.Now()
		return false
	})
	if err != nil {
		return Result{}, err
	}
	if n < want {
		return Result{}, errors.New("the subscriber did not get all entries within two minutes")
	}
	s := last.Sub(first).Seconds()
	return Result{Seconds: s, Entries: n, Rate: float64(n) / s}, nil
}

// tail measures from the instant at which an entry should be sent until a subscriber has it.
func tail(ctx context.Context, c system.Cluster, log string, cl system.Client, w *Workload, l Length) (Result, error) {
	reader, err := c.Client(ctx, log, system.ClientOptions{})
	if err != nil {
		return Result{}, err
	}
	m := newMeter(l.WarmUp, l.Measure)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- reader.Subscribe(reading, false, func() { close(ready) }, func(b []byte) bool {
			if len(b) >= 8 {
				m.took(time.Unix(0, int64(binary.BigEndian.Uint64(b))), nil)
			}
			return true
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		return Result{}, errors.Join(err, reader.Close())
	}
	var acked sync.WaitGroup
	err = schedule(ctx, m, w.Rate, func(at time.Time) error {
		b := make([]byte, max(w.Size, 8))
		binary.BigEndian.PutUint64(b, uint64(at.UnixNano()))
		acked.Add(1)
		err := cl.Go(ctx, b, func(error) { acked.Done() })
		if err != nil {
			acked.Done()
		}
		return err
	})
	acked.Wait()
	stop()
	return m.result(), errors.Join(err, <-ended, reader.Close())
}
