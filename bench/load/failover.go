package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

const (
	tryTimeout    = 2 * time.Second // of one append
	tryEvery      = 5 * time.Millisecond
	tryRarely     = 50 * time.Millisecond // once it takes long, so that tries do not keep processors from those who elect
	takesLong     = 2 * time.Second
	settled       = 20 // appends in a row that must succeed before the next kill
	failoverLimit = time.Minute
)

// failover kills the leader again and again, and measures until the first append is acknowledged that began after its death. One append begins every few
// milliseconds, whatever becomes of those before: a client's patience with a dead leader is not what is measured. It is told nothing.
func (o *one) failover(ctx context.Context) (r Result, err error) {
	c := o.t.Cluster
	cl, err := c.Client(ctx, o.t.Log, system.ClientOptions{Survive: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	b, err := newBlock(o.w.Size)
	if err != nil {
		return r, err
	}
	p := b.cut(o.w.Size, 0)
	for range o.w.Trials {
		if err := settle(ctx, cl, p); err != nil {
			return r, fmt.Errorf("before a leader was killed: %w", err)
		}
		if err := c.KillLeader(ctx, o.t.Log); err != nil {
			return r, err
		}
		took, failed, err := untilAcked(ctx, cl, p)
		r.Errors += failed
		if err != nil {
			return r, err
		}
		r.Trials = append(r.Trials, float64(took.Microseconds())/1e3)
		revive, cancel := context.WithTimeout(ctx, failoverLimit)
		err = c.Revive(revive)
		cancel()
		if err != nil {
			return r, fmt.Errorf("bring the killed process back: %w", err)
		}
	}
	slices.Sort(r.Trials)
	r.Entries = uint64(len(r.Trials))
	return r, nil
}

// settle waits until some appends in a row were acknowledged.
func settle(ctx context.Context, cl system.Client, p *payloads) error {
	limit, cancel := context.WithTimeout(ctx, failoverLimit)
	defer cancel()
	return system.Until(limit, func(context.Context) error {
		for range settled {
			try, cancel := context.WithTimeout(limit, tryTimeout)
			err := cl.Append(try, p.next())
			cancel()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// untilAcked returns how long it took until an append was acknowledged that began now or later, and how many failed meanwhile.
func untilAcked(ctx context.Context, cl system.Client, p *payloads) (took time.Duration, failed uint64, err error) {
	began := time.Now()
	trying, stop := context.WithTimeout(ctx, failoverLimit)
	var f flight
	defer func() {
		stop()
		err = errors.Join(err, f.land(ctx))
	}()
	answers := make(chan error, failoverLimit/tryEvery) // as many as can ever be
	next := time.NewTimer(0)
	defer next.Stop()
	var last error
	for {
		select {
		case e := <-answers:
			if e == nil {
				return time.Since(began), failed, nil
			}
			failed++
			last = e
		case <-next.C:
			payload := p.next()
			f.wg.Go(func() {
				try, cancel := context.WithTimeout(trying, tryTimeout)
				defer cancel()
				answers <- cl.Append(try, payload)
			})
			if time.Since(began) < takesLong {
				next.Reset(tryEvery)
			} else {
				next.Reset(tryRarely)
			}
		case <-trying.Done():
			return 0, failed, fmt.Errorf("no append was acknowledged within %v of the leader's death: %w", time.Since(began), errors.Join(ctx.Err(), last))
		}
	}
}
