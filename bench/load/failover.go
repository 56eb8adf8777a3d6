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
	tryTimeout    = 250 * time.Millisecond // of an append while nobody may lead
	failoverLimit = time.Minute
)

// failover kills the leader again and again, and measures until the next append is acknowledged that began after its death. The client appends one entry
// at a time and tries again at once; it is told nothing.
func failover(ctx context.Context, c system.Cluster, log string, w *Workload) (r Result, err error) {
	cl, err := c.Client(ctx, log, system.ClientOptions{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.Close()) }()
	p, err := newPayloads(w.Size)
	if err != nil {
		return r, err
	}
	try := func() error {
		one, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		return cl.Append(one, p.next())
	}
	for range w.Trials {
		settled := 0
		err := system.Until(ctx, func(context.Context) error {
			for settled < 20 {
				if err := try(); err != nil {
					settled = 0
					return err
				}
				settled++
			}
			return nil
		})
		if err != nil {
			return r, err
		}
		if err := c.KillLeader(ctx, log); err != nil {
			return r, err
		}
		dead := time.Now()
		for {
			err := try()
			if err == nil {
				break
			}
			if ctx.Err() != nil || time.Since(dead) > failoverLimit {
				return r, fmt.Errorf("no append was acknowledged within %v of the leader's death: %w", time.Since(dead), err)
			}
			r.Errors++
			time.Sleep(time.Millisecond) // an error that comes at once must not keep a processor from those who elect
		}
		r.Trials = append(r.Trials, float64(time.Since(dead).Microseconds())/1e3)
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
