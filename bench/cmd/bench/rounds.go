package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/paxosd/paxosd/bench/floor"
	"github.com/paxosd/paxosd/bench/load"
	"github.com/paxosd/paxosd/bench/plan"
	"github.com/paxosd/paxosd/bench/report"
	"github.com/paxosd/paxosd/bench/system"
)

const (
	mainLog   = "bench"
	readLog   = "reads"
	startFor  = 2 * time.Minute // for a system to come up
	floorEach = time.Second
)

// bench is one run.
type bench struct {
	o       *options
	dir     string
	length  load.Length
	systems []system.System
	loads   []plan.Load
	run     report.Run
	starts  int // of clusters, so that each has a folder of its own
}

// rounds runs every system once a round, another one first each time: what drifts over the run drifts for all.
func (b *bench) rounds(ctx context.Context) error {
	for round := range b.o.rounds {
		if err := b.floor(ctx, round); err != nil {
			return err
		}
		for i := range b.systems {
			s := b.systems[(i+round)%len(b.systems)]
			if err := b.measure(ctx, s, round); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.Name(), round+1, err)
			}
		}
		if err := b.halves(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// floor measures the machine itself, where something is compared with it.
func (b *bench) floor(ctx context.Context, round int) error {
	if !slices.Contains(b.run.Loads, plan.OneAtATime) {
		return nil
	}
	all, err := floor.Measure(ctx, b.dir, floorEach)
	for i := range all {
		b.add(floor.Name, round, &all[i])
	}
	if !slices.Contains(b.run.Order, floor.Name) {
		b.run.Order = append(b.run.Order, floor.Name)
	}
	return err
}

// measure runs a system's loads, those that want the same cluster one after the other on one.
func (b *bench) measure(ctx context.Context, s system.System, round int) error {
	var groups []plan.Group
	for i := range b.loads {
		if l := &b.loads[i]; b.has(l, s, round) && !slices.Contains(groups, l.Group) {
			groups = append(groups, l.Group)
		}
	}
	for _, g := range groups {
		var ws []*load.Workload
		for i := range b.loads {
			if l := &b.loads[i]; l.Group == g && b.has(l, s, round) {
				ws = append(ws, &l.Workload)
			}
		}
		if err := b.on(ctx, s, g, round, ws); err != nil {
			return err
		}
	}
	return nil
}

// has reports whether a load is run on a system in a round. Nodes are of one shape: loads that want another are for roles apart.
func (b *bench) has(l *plan.Load, s system.System, round int) bool {
	if !shortSystem(s) && l.Group != (plan.Group{}) {
		return false
	}
	return (len(l.Only) == 0 || slices.Contains(l.Only, s.Name())) && (l.Rounds == 0 || round < l.Rounds)
}

// halves runs the open loop at half of the lesser peak, on paxosd and on each durable peer, once both peaks are known.
func (b *bench) halves(ctx context.Context, round int) error {
	var own system.System
	for _, s := range b.systems {
		if ours(s) && own == nil {
			own = s
		}
	}
	mine, ok := b.run.Figure(paxosdName(own), plan.Peak(), report.Rate)
	if !ok {
		return nil
	}
	for _, s := range b.systems {
		name := plan.Half(s.Name())
		his, ok := b.run.Figure(s.Name(), plan.Peak(), report.Rate)
		if !ok || ours(s) || !s.Durable() || !b.o.wants(name, false) {
			continue
		}
		w := &load.Workload{Name: name, Kind: load.Open, Rate: min(mine.Median, his.Median) / 2, Window: 1 << 16, Size: 128}
		for _, each := range []system.System{own, s} {
			if err := b.on(ctx, each, plan.Group{Apart: name}, round, []*load.Workload{w}); err != nil {
				return err
			}
		}
	}
	return nil
}

func paxosdName(s system.System) string {
	if s == nil {
		return ""
	}
	return s.Name()
}

// on starts a system and runs loads on it.
func (b *bench) on(ctx context.Context, s system.System, g plan.Group, round int, ws []*load.Workload) (err error) {
	b.starts++
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d", s.Name(), b.starts))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	t := &load.Target{Log: mainLog, Dir: dir, Appended: make(map[string]uint64)}
	for i := range g.Logs {
		t.Logs = append(t.Logs, fmt.Sprintf("bench-%d", i+1))
	}
	start, cancel := context.WithTimeout(ctx, startFor)
	t.Cluster, err = s.Start(start, system.Options{
		Dir: dir, Logs: append([]string{mainLog, readLog}, t.Logs...), Learners: g.Learners, Paxosd: b.o.paxosd,
	})
	cancel()
	if err != nil {
		return errors.Join(b.notStarted(ctx, s, ws, err), os.RemoveAll(dir))
	}
	defer func() { err = errors.Join(err, t.Cluster.Close(), os.RemoveAll(dir)) }()
	for _, w := range ws {
		t.Log = mainLog
		if w.Kind == load.Read {
			t.Log = readLog
		}
		r, err := load.Run(ctx, t, w, b.length)
		switch {
		case isUnsupported(err):
			b.run.Notes[s.Name()+" "+w.Name] = "cannot"
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			b.run.Notes[s.Name()+" "+w.Name] = "failed: " + err.Error()
			fmt.Fprintf(os.Stderr, "round %d  %-18s %-36s FAILED: %v\n", round+1, s.Name(), w.Name, err)
			continue
		}
		r.Workload = w.Name
		b.add(s.Name(), round, &r)
	}
	return nil
}

// notStarted notes a peer that did not start, which ends nothing: the rest goes on without it. It returns the error of a system of ours.
func (b *bench) notStarted(ctx context.Context, s system.System, ws []*load.Workload, err error) error {
	if ctx.Err() != nil || ours(s) {
		return fmt.Errorf("start: %w", err)
	}
	note := "cannot"
	if !isUnsupported(err) {
		note = "failed: start: " + err.Error()
		fmt.Fprintf(os.Stderr, "%s does not start: %v\n", s.Name(), err)
	}
	for _, w := range ws {
		b.run.Notes[s.Name()+" "+w.Name] = note
	}
	return nil
}

func (b *bench) add(system string, round int, r *load.Result) {
	r.System, r.Round = system, round+1
	b.run.Add(r)
	fmt.Fprintf(os.Stderr, "round %d  %-18s %-36s %s\n", round+1, system, r.Workload, brief(r))
}

func brief(r *load.Result) string {
	if len(r.Trials) > 0 {
		return fmt.Sprintf("next ack after %.0f ms", r.Trials)
	}
	text := fmt.Sprintf("%.0f entries/s", r.Rate)
	if r.Latency != nil {
		text += fmt.Sprintf(", p50 %.0f us, p99 %.0f us", r.Latency.P50, r.Latency.P99)
	}
	if r.Errors > 0 {
		text += fmt.Sprintf(", %d errors", r.Errors)
	}
	return text
}

func isUnsupported(err error) bool { return errors.Is(err, system.ErrUnsupported) }
