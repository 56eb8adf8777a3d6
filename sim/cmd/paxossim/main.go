// Command paxossim runs simulated clusters from seeds, and judges what they do.
//
//	paxossim -seed 17                   one seed, and what happened in it in a line
//	paxossim -seed 17 -trace            every message of it
//	paxossim -seed 17 -shrink           leave out faults while it still fails, and print what is left, for people
//	paxossim -seeds 2000 -workers 2     many seeds
//	paxossim -seeds 100000 -campaign F  go on with the campaign that F holds
//
// It exits with 1 if a seed failed, or if 500 seeds or more never met one of the situations that matter.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/paxosd/paxosd/sim"
)

// manySeeds is from how many seeds on every situation must have been met.
const manySeeds = 500

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errFound):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "paxossim:", err)
		os.Exit(2)
	}
}

// errFound says that something was found, and told.
var errFound = errors.New("found")

type command struct {
	out      io.Writer
	seed     uint64
	seeds    uint64
	workers  int
	profile  string
	keep     string
	trace    bool
	json     bool
	shrink   bool
	first    bool
	campaign string
	kept     bool
}

func run(args []string, out io.Writer) error {
	c := command{out: out}
	f := flag.NewFlagSet("paxossim", flag.ContinueOnError)
	f.Uint64Var(&c.seed, "seed", 1, "the first `seed`")
	f.Uint64Var(&c.seeds, "seeds", 1, "how many `seeds` to run")
	f.IntVar(&c.workers, "workers", runtime.NumCPU(), "how many seeds run `at once`")
	f.StringVar(&c.profile, "profile", sim.ProfileSwarm, `"store": with real stores on file systems in memory; "bench": a cluster without faults; else each seed draws its own`)
	f.StringVar(&c.keep, "keep", "", "only these `faults` of the seed's plan, by number: 3,17; none: no fault")
	f.BoolVar(&c.trace, "trace", false, "print what happens, with -seeds 1")
	f.BoolVar(&c.json, "json", false, "print failures and totals as lines of JSON")
	f.BoolVar(&c.shrink, "shrink", false, "reduce each failing seed to the faults that it needs")
	f.BoolVar(&c.first, "first-failure", false, "stop at the first seed that fails")
	f.StringVar(&c.campaign, "campaign", "", "`file` that holds how far the campaign is; it goes on from there")
	f.BoolVar(&c.kept, "kept", false, "run the seeds that once failed before the others")
	if err := f.Parse(args); err != nil {
		return err
	}
	o := sim.Options{Seed: c.seed, Profile: c.profile}
	if c.keep != "" {
		keep, err := numbers(c.keep)
		if err != nil {
			return fmt.Errorf("-keep: %w", err)
		}
		o = sim.Keeping(o, keep)
	}
	if c.kept {
		if err := c.again(o); err != nil {
			return err
		}
	}
	if c.seeds == 1 && c.campaign == "" {
		return c.one(o)
	}
	return c.many(o)
}

// again runs the seeds that once failed.
func (c *command) again(o sim.Options) error {
	once, err := sim.OnceFailed()
	if err != nil {
		return err
	}
	failed := false
	for _, x := range once {
		o.Seed = x.Seed
		r := sim.Run(o)
		if r.Failure != nil {
			failed = true
			c.failed(o, &r)
		}
	}
	if !c.json {
		fmt.Fprintf(c.out, "%d seeds that once failed were run first\n", len(once))
	}
	return found(failed)
}

// numbers reads a list of faults.
func numbers(list string) ([]int, error) {
	if list == "none" {
		return nil, nil
	}
	var ns []int
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// one runs a single seed.
func (c *command) one(o sim.Options) error {
	if c.trace {
		o.Trace = c.out
	}
	r := sim.Run(o)
	var t totals
	t.add(&r)
	if r.Failure != nil {
		c.failed(o, &r)
	}
	if c.json {
		return errors.Join(c.line(&t), found(r.Failure != nil))
	}
	fmt.Fprintf(c.out, "seed %d: hash %016x, %d steps in %s simulated, %d faults of %d\n", r.Seed, r.Hash, r.Steps, r.Simulated, r.Faults, len(r.Plan))
	c.counters(r.Counters)
	return found(r.Failure != nil)
}

// many runs a campaign, or a part of one.
func (c *command) many(o sim.Options) error {
	camp, err := openCampaign(c.campaign, c.seed, kind{Profile: c.profile, Keep: c.keep, Revision: revision()})
	if err != nil {
		return err
	}
	var interrupted atomic.Bool
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	go func() {
		for range signals {
			interrupted.Store(true)
		}
	}()
	defer close(signals)
	var problem error
	runSeeds(o, camp.Next, c.seeds, c.workers, func(r *sim.Result) bool {
		if problem = camp.take(r); problem != nil {
			return false
		}
		if r.Failure != nil {
			mine := o
			mine.Seed = r.Seed
			c.failed(mine, r)
		}
		return !interrupted.Load() && (r.Failure == nil || !c.first)
	})
	if err := errors.Join(problem, camp.save()); err != nil {
		return err
	}
	t := camp.totals
	if t.Seeds >= manySeeds && c.profile == sim.ProfileSwarm {
		t.Missed = sim.Missed(t.Counters)
	}
	if t.Seeds >= manySeeds && c.profile == sim.ProfileStore {
		for _, s := range sim.StoreSituations() {
			if t.Counters[s] == 0 {
				t.Missed = append(t.Missed, s)
			}
		}
	}
	bad := found(t.Failures+uint64(len(t.Missed)) > 0)
	if c.json {
		t.Next, t.Failed, t.Of = 0, nil, nil
		return errors.Join(c.line(&t), bad)
	}
	fmt.Fprintf(c.out, "%d seeds, %d failed; %.0f s simulated in %.1f s (%.0f a second), %d faults, %d steps\n",
		t.Seeds, t.Failures, t.Simulated, t.Seconds, t.Simulated/t.Seconds, t.Faults, t.Steps)
	c.counters(t.Counters)
	for _, s := range t.Missed {
		fmt.Fprintf(c.out, "NEVER HAPPENED: %s\n", s)
	}
	return bad
}

func found(something bool) error {
	if something {
		return errFound
	}
	return nil
}

func (c *command) line(x any) error {
	return json.NewEncoder(c.out).Encode(x)
}

// counters prints how often each situation was met.
func (c *command) counters(counters map[string]int) {
	names := make([]string, 0, len(counters))
	for s := range counters {
		names = append(names, s)
	}
	slices.Sort(names)
	for _, s := range names {
		fmt.Fprintf(c.out, "%10d  %s\n", counters[s], s)
	}
}

// failed tells of a seed that failed.
func (c *command) failed(o sim.Options, r *sim.Result) {
	if c.json {
		_ = c.line(failedSeed{r.Seed, r.Failure.Checker, r.Failure.Text})
		return
	}
	fmt.Fprintf(c.out, "seed %d FAILED: %s\n  repeat it: %s\n", r.Seed, r.Failure, repeat(r.Seed, c.profile, c.keep))
	if !c.shrink {
		return
	}
	s, still := sim.Shrink(o)
	if !still {
		fmt.Fprintln(c.out, "  it does not fail again")
		return
	}
	list := "none"
	if len(s.Keep) > 0 {
		ns := make([]string, len(s.Keep))
		for i, n := range s.Keep {
			ns[i] = strconv.Itoa(n)
		}
		list = strings.Join(ns, ",")
	}
	fmt.Fprintf(c.out, "  %d of %d faults are left after %d runs: %s\n  repeat it: %s\n",
		len(s.Keep), len(r.Plan), s.Runs, s.Result.Failure, repeat(r.Seed, c.profile, list))
	for _, f := range s.Faults {
		fmt.Fprintln(c.out, "   ", f)
	}
	o = sim.Keeping(o, s.Keep)
	e := sim.NewExcerpt(s.Result.Failure)
	o.Trace = e
	sim.Run(o)
	e.Print(c.out)
}

// repeat is the command that repeats a run.
func repeat(seed uint64, profile, keep string) string {
	s := fmt.Sprintf("go run ./sim/cmd/paxossim -seed %d", seed)
	if profile != "" {
		s += " -profile " + profile
	}
	if keep != "" {
		s += " -keep " + keep
	}
	return s + " -trace"
}
