package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/paxosd/paxosd/bench/load"
	"github.com/paxosd/paxosd/bench/report"
	"github.com/paxosd/paxosd/bench/system"
	"github.com/paxosd/paxosd/bench/system/dragonboat"
	"github.com/paxosd/paxosd/bench/system/etcd"
	"github.com/paxosd/paxosd/bench/system/jetstream"
	"github.com/paxosd/paxosd/bench/system/paxosd"
)

const (
	mainLog  = "bench"
	readLog  = "reads"
	warmUp   = time.Second
	startFor = 2 * time.Minute // for a system to come up
)

func systems(root string) []system.System {
	return []system.System{
		paxosd.Paxosd{Root: root},
		jetstream.JetStream{SyncAlways: true},
		jetstream.JetStream{},
		etcd.Etcd{},
		dragonboat.Dragonboat{},
		dragonboat.Dragonboat{Tan: true},
	}
}

// workloads are all that there are. Those of "short" make up the short form.
func workloads(trials int) (all []load.Workload, short []string) {
	add := func(w load.Workload, inShort bool) {
		all = append(all, w)
		if inShort {
			short = append(short, w.Name)
		}
	}
	add(load.Workload{Name: "one at a time, 128 B", Kind: load.Callers, Clients: 1, Size: 128}, true)
	add(load.Workload{Name: "64 callers, 128 B", Kind: load.Callers, Clients: 64, Size: 128}, true)
	add(load.Workload{Name: "256 callers, 128 B", Kind: load.Callers, Clients: 256, Size: 128}, true)
	for _, window := range []int{4096, 16384} {
		for _, size := range []int{16, 128, 1024, 16 << 10} {
			if window == 16384 && size > 1024 {
				continue // 256 MiB on their way are no pipeline any more
			}
			add(load.Workload{Name: fmt.Sprintf("pipelined %d, %d B", window, size), Kind: load.Pipelined, Window: window, Size: size},
				window == 4096 && (size == 128 || size == 1024))
		}
	}
	add(load.Workload{Name: "open loop 2000/s, 128 B", Kind: load.Open, Rate: 2000, Window: 16384, Size: 128}, false)
	add(load.Workload{Name: "append to subscriber, 1000/s, 128 B", Kind: load.Tail, Rate: 1000, Window: 4096, Size: 128}, true)
	add(load.Workload{Name: "subscribe from the start, 128 B", Kind: load.Read, Window: 16384, Size: 128}, true)
	add(load.Workload{Name: "leader killed", Kind: load.Failover, Size: 128, Trials: trials}, true)
	return all, short
}

func list() error {
	for _, s := range systems("") {
		fmt.Printf("system  %s\n", s.Name())
	}
	all, short := workloads(0)
	for i := range all {
		mark := ""
		if slices.Contains(short, all[i].Name) {
			mark = "  (short form)"
		}
		fmt.Printf("load    %s%s\n", all[i].Name, mark)
	}
	return nil
}

type options struct {
	systems, loads, json, plots, paxosd string
	rounds, trials                      int
	seconds                             float64
	full                                bool
}

func run(ctx context.Context, args []string) error {
	var o options
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.StringVar(&o.systems, "systems", "", "`names` of systems, by commas; all without it")
	f.StringVar(&o.loads, "loads", "", "beginnings of the `names` of loads, by semicolons; those of the short form without it")
	f.BoolVar(&o.full, "full", false, "all loads")
	f.IntVar(&o.rounds, "rounds", 1, "rounds of everything: figures are medians over them")
	f.IntVar(&o.trials, "trials", 3, "kills of a leader, a round")
	f.Float64Var(&o.seconds, "seconds", 3, "how long to measure, after one more second to warm up")
	f.StringVar(&o.json, "json", "", "`file` to write what was measured to")
	f.StringVar(&o.plots, "plots", "", "`folder` to draw SVG plots into")
	f.StringVar(&o.paxosd, "paxosd", "", "paxosd `binary` to measure; built from this tree without it")
	if err := f.Parse(args); err != nil {
		return err
	}
	root, err := paxosd.Root()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.paxosd == "" {
		o.paxosd = filepath.Join(dir, "paxosd")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", o.paxosd, "./cmd/paxosd")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build paxosd: %w: %s", err, out)
		}
	}
	b, err := newBench(ctx, &o, root, dir)
	if err != nil {
		return err
	}
	err = b.rounds(ctx)
	if o.json != "" {
		err = errors.Join(err, b.run.Write(o.json))
	}
	return errors.Join(err, present(&b.run, o.plots))
}

// bench is one run.
type bench struct {
	o       *options
	dir     string
	systems []system.System
	loads   []load.Workload
	run     report.Run
}

func newBench(ctx context.Context, o *options, root, dir string) (*bench, error) {
	b := &bench{o: o, dir: dir, run: report.Run{
		Date: time.Now().UTC().Format("2006-01-02"), Machine: machine(), Go: runtime.Version(), Commit: commit(ctx, root), Rounds: o.rounds,
		Systems: map[string]report.About{}, Notes: map[string]string{},
	}}
	names := strings.Split(o.systems, ",")
	for _, s := range systems(root) {
		if o.systems == "" || slices.Contains(names, s.Name()) {
			b.systems = append(b.systems, s)
			b.run.Systems[s.Name()] = report.About{Text: s.About(), Durable: s.Durable()}
			b.run.Order = append(b.run.Order, s.Name())
		}
	}
	all, short := workloads(o.trials)
	for i := range all {
		if wanted(o, all[i].Name, short) {
			b.loads = append(b.loads, all[i])
			b.run.Loads = append(b.run.Loads, all[i].Name)
		}
	}
	if len(b.systems) == 0 || len(b.loads) == 0 {
		return nil, errors.New("nothing to measure: see bench list")
	}
	return b, nil
}

func wanted(o *options, name string, short []string) bool {
	switch {
	case o.loads != "":
		return slices.ContainsFunc(strings.Split(o.loads, ";"), func(p string) bool { return strings.HasPrefix(name, strings.TrimSpace(p)) })
	case o.full:
		return true
	}
	return slices.Contains(short, name)
}

// rounds runs every system once a round, another one first each time: what drifts over the run drifts for all.
func (b *bench) rounds(ctx context.Context) error {
	for round := range b.o.rounds {
		for i := range b.systems {
			s := b.systems[(i+round)%len(b.systems)]
			if err := b.measure(ctx, s, round); err != nil {
				return fmt.Errorf("%s, round %d: %w", s.Name(), round+1, err)
			}
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context, s system.System, round int) (err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d", s.Name(), round))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	start, cancel := context.WithTimeout(ctx, startFor)
	c, err := s.Start(start, system.Options{Dir: dir, Logs: []string{mainLog, readLog}, Paxosd: b.o.paxosd})
	cancel()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close(), os.RemoveAll(dir)) }()
	for i := range b.loads {
		w := &b.loads[i]
		log := mainLog
		if w.Kind == load.Read {
			log = readLog
		}
		r, err := load.Accounted(c, dir, w.Size, func() (load.Result, error) {
			return load.Run(ctx, c, log, w, load.Length{WarmUp: warmUp, Measure: time.Duration(b.o.seconds * float64(time.Second))})
		})
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
		r.System, r.Workload, r.Round = s.Name(), w.Name, round+1
		b.run.Results = append(b.run.Results, r)
		fmt.Fprintf(os.Stderr, "round %d  %-18s %-36s %s\n", round+1, s.Name(), w.Name, brief(&r))
	}
	return nil
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

func machine() string {
	kernel := "unknown kernel"
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		kernel = "Linux " + strings.TrimSpace(string(b))
	}
	return fmt.Sprintf("%d processors, %s, %s", runtime.NumCPU(), runtime.GOARCH, kernel)
}

func commit(ctx context.Context, root string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// drawAll draws what the README shows.
func drawAll(r *report.Run, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	has := func(names ...string) (found []string) {
		for _, n := range names {
			if slices.Contains(r.Loads, n) {
				found = append(found, n)
			}
		}
		return found
	}
	appends := has("one at a time, 128 B", "64 callers, 128 B", "256 callers, 128 B", "pipelined 4096, 128 B", "pipelined 4096, 1024 B")
	waits := has("one at a time, 128 B", "64 callers, 128 B", "append to subscriber, 1000/s, 128 B")
	return errors.Join(
		r.Plot(filepath.Join(dir, "throughput.svg"), "Appends", "entries a second", appends, report.Rate),
		r.Plot(filepath.Join(dir, "latency.svg"), "Latency, median", "microseconds", waits, report.P50),
		r.Plot(filepath.Join(dir, "latency-p99.svg"), "Latency, 99th percentile", "microseconds", waits, report.P99),
	)
}

func isUnsupported(err error) bool { return errors.Is(err, system.ErrUnsupported) }
