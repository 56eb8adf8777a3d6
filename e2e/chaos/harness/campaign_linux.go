package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Config says what to do to whom, and for how long.
type Config struct {
	Binary  string        // a paxosd
	Dir     string        // folder for stores and for what processes say
	Seed    uint64        // of the plan
	For     time.Duration // faults are begun until then
	Cluster time.Duration // after which a cluster is judged, and another one founded
	Only    string        // kinds of faults, by words of their names, with commas between; empty: all
	Out     io.Writer     // a line for each step
}

// reducedPart is the part of a cluster's life in which an acceptor is gone: its store was damaged, and no other can take its place yet.
const reducedPart = 5

// Run founds one cluster after the other, does faults to each, and judges them. The error says what kept it from going on; what a
// cluster did wrong is in the report.
func Run(ctx context.Context, cfg *Config) (*Report, error) {
	p, err := newPlan(cfg.Seed, cfg.Only)
	if err != nil {
		return nil, err
	}
	r := &Report{Seed: cfg.Seed}
	began := time.Now()
	end := began.Add(cfg.For)
	for n := 1; err == nil && ctx.Err() == nil && (n == 1 || time.Now().Before(end)); n++ {
		life := min(cfg.Cluster, time.Until(end))
		err = r.cluster(ctx, cfg, p, n, life)
	}
	r.Minutes = time.Since(began).Minutes()
	r.shares()
	return r, err
}

// cluster founds the nth cluster, does faults to it for a while, and judges it. Of a cluster that did nothing wrong nothing is kept.
func (r *Report) cluster(ctx context.Context, cfg *Config, p *plan, n int, life time.Duration) error {
	dir := filepath.Join(cfg.Dir, fmt.Sprintf("cluster-%d", n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	c, err := NewCluster(dir, cfg.Binary)
	if err != nil {
		return err
	}
	defer c.Close()
	start, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := c.Ready(start); err != nil {
		return fmt.Errorf("start cluster %d: %w", n, err)
	}
	l := newLoad(ctx, c)
	defer l.end()
	err = r.steps(ctx, cfg, p, l, n, time.Now().Add(life))
	if err != nil && !errors.Is(err, errViolated) {
		return fmt.Errorf("cluster %d: %w", n, err)
	}
	if err != nil {
		r.Judged.Fail("cluster %d: %v", n, err)
		fmt.Fprintf(cfg.Out, "cluster %d: %v\n", n, err)
		return err
	}
	v, linear, counts := l.settle(context.WithoutCancel(ctx))
	r.Clusters++
	r.Linear += linear
	r.count(counts)
	r.Judged.Add(v)
	fmt.Fprintf(cfg.Out, "cluster %d: %d acknowledged, %d refused, %d unknown, %d entries, %d single operations; bad: %t\n",
		n, v.Acked, v.Refused, v.Unknown, v.Entries, linear, v.Bad())
	for _, s := range v.Problems {
		fmt.Fprintf(cfg.Out, "  %s\n", s)
	}
	if v.Bad() {
		return errViolated
	}
	c.Close()
	return os.RemoveAll(dir)
}

// steps carries out steps until the end of the cluster's life. In the last part an acceptor's store is damaged.
func (r *Report) steps(ctx context.Context, cfg *Config, p *plan, l *load, n int, end time.Time) error {
	// What clients notice of the first fault can be measured only if they have had acknowledgements before.
	l.faults.Begin(l.started)
	if err := l.c.recovered(ctx, time.Now(), l); err != nil {
		return err
	}
	began := time.Now()
	l.faults.End(began)
	reduced := end.Add(-end.Sub(began) / reducedPart)
	for damaged := cfg.Only != ""; time.Now().Before(end) && ctx.Err() == nil; {
		s := p.next()
		if !damaged && time.Now().After(reduced) {
			s, damaged = p.last(), true
		}
		d, err := l.c.do(ctx, &s, l)
		if ctx.Err() != nil {
			return nil // interrupted: what there is will be judged
		}
		d.Cluster = n
		r.Steps = append(r.Steps, d)
		fmt.Fprintf(cfg.Out, "%s\n", d)
		if err != nil {
			return err
		}
		pause(ctx, s.Rest)
	}
	return nil
}
