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
	"github.com/paxosd/paxosd/bench/plan"
	"github.com/paxosd/paxosd/bench/report"
	"github.com/paxosd/paxosd/bench/system"
	"github.com/paxosd/paxosd/bench/system/dragonboat"
	"github.com/paxosd/paxosd/bench/system/etcd"
	"github.com/paxosd/paxosd/bench/system/jetstream"
	"github.com/paxosd/paxosd/bench/system/paxosd"
)

// systems are all that can be measured. Those of the short form come first.
func systems() []system.System {
	return []system.System{
		paxosd.Paxosd{},
		jetstream.JetStream{SyncAlways: true},
		jetstream.JetStream{},
		etcd.Etcd{},
		dragonboat.Dragonboat{},
		dragonboat.Dragonboat{Tan: true},
		paxosd.Paxosd{Nodes: true},
	}
}

// longSystems are those whose own growth, of a log and over time, is of interest here.
var longSystems = []string{paxosd.Paxosd{}.Name()}

func list() error {
	for _, s := range systems() {
		fmt.Printf("system  %s%s\n", s.Name(), onlyFull(!shortSystem(s)))
	}
	for _, l := range plan.All(plan.Of{Long: fullLong, Soak: fullSoak}) {
		fmt.Printf("load    %s%s\n", l.Name, onlyFull(!l.Short))
	}
	for _, s := range systems() {
		if s.Durable() && !ours(s) {
			fmt.Printf("load    %s  (full form)\n", plan.Half(s.Name()))
		}
	}
	return nil
}

func onlyFull(yes bool) string {
	if yes {
		return "  (full form)"
	}
	return ""
}

func shortSystem(s system.System) bool { return s != system.System(paxosd.Paxosd{Nodes: true}) }

func ours(s system.System) bool { return strings.HasPrefix(s.Name(), paxosd.Paxosd{}.Name()) }

// What the full form does unless flags say otherwise.
const (
	fullLong = 100_000_000
	fullSoak = 10 * time.Minute
)

// fillLimit bounds the filling of a log before it is measured.
const fillLimit = 20 * time.Minute

type options struct {
	systems, loads, json, plots, paxosd string
	rounds, trials                      int
	seconds                             float64
	full                                bool
	long                                uint64
	soak                                time.Duration
}

func (o *options) parse(args []string) error {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.StringVar(&o.systems, "systems", "", "`names` of systems, by commas; those of the form without it")
	f.StringVar(&o.loads, "loads", "", "beginnings of the `names` of loads, by semicolons; those of the form without it")
	f.BoolVar(&o.full, "full", false, "all loads and systems")
	f.IntVar(&o.rounds, "rounds", 1, "rounds of everything: figures are medians over them")
	f.IntVar(&o.trials, "trials", 3, "kills of a leader, a round")
	f.Float64Var(&o.seconds, "seconds", 3, "how long to measure, after one more second to warm up")
	f.Uint64Var(&o.long, "long", fullLong, "`entries` of the long log; 0: none")
	f.DurationVar(&o.soak, "soak", fullSoak, "how long the peak is held; 0: not")
	f.StringVar(&o.json, "json", "", "`file` to write what was measured to")
	f.StringVar(&o.plots, "plots", "", "`folder` to draw SVG plots into")
	f.StringVar(&o.paxosd, "paxosd", "", "paxosd `binary` to measure; built from this tree without it")
	return f.Parse(args)
}

func run(ctx context.Context, args []string) (err error) {
	var o options
	if err := o.parse(args); err != nil {
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
	b, err := newBench(&o, dir)
	if err != nil {
		return err
	}
	b.run.Commit = commit(ctx, root)
	err = b.rounds(ctx)
	if o.json != "" {
		err = errors.Join(err, b.run.Write(o.json))
	}
	return errors.Join(err, present(&b.run, o.plots))
}

func newBench(o *options, dir string) (*bench, error) {
	b := &bench{o: o, dir: dir, length: load.Length{
		WarmUp: time.Second, Measure: time.Duration(o.seconds * float64(time.Second)), FillLimit: fillLimit,
	}}
	b.run = report.Run{
		Date: time.Now().UTC().Format("2006-01-02"), Machine: machine(), Go: runtime.Version(), Rounds: o.rounds,
		How: fmt.Sprintf("%g s of each load after 1 s to warm up", o.seconds), Systems: map[string]report.About{}, Notes: map[string]string{},
	}
	names := strings.Split(o.systems, ",")
	for _, s := range systems() {
		if o.systems == "" && (o.full || shortSystem(s)) || slices.Contains(names, s.Name()) {
			b.systems = append(b.systems, s)
			b.run.Systems[s.Name()] = report.About{Text: s.About(), Durable: s.Durable()}
			b.run.Order = append(b.run.Order, s.Name())
		}
	}
	of := plan.Of{Trials: o.trials, Long: o.long, LongOn: longSystems, Soak: o.soak, SoakOn: longSystems}
	for _, l := range plan.All(of) {
		if o.wants(l.Name, l.Short) {
			b.loads = append(b.loads, l)
			b.run.Loads = append(b.run.Loads, l.Name)
		}
	}
	if len(b.systems) == 0 || len(b.loads) == 0 {
		return nil, errors.New("nothing to measure: see bench list")
	}
	return b, nil
}

// wants reports whether a load is to be measured.
func (o *options) wants(name string, short bool) bool {
	if o.loads != "" {
		return slices.ContainsFunc(strings.Split(o.loads, ";"), func(p string) bool { return strings.HasPrefix(name, strings.TrimSpace(p)) })
	}
	return o.full || short
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
	appends := has(plan.OneAtATime, plan.Callers(64), plan.Callers(256), plan.Peak(), plan.Pipelined(4096, 1024))
	waits := has(plan.OneAtATime, plan.Callers(64), plan.Tail)
	return errors.Join(
		r.Plot(filepath.Join(dir, "throughput.svg"), "Appends", "entries a second", appends, report.Rate),
		r.Plot(filepath.Join(dir, "latency.svg"), "Latency, median", "microseconds", waits, report.P50),
		r.Plot(filepath.Join(dir, "latency-p99.svg"), "Latency, 99th percentile", "microseconds", waits, report.P99),
	)
}
