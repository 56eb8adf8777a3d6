//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found, as -json writes it. Times are in seconds.
type report struct {
	Seed       uint64            `json:"seed"`
	Minutes    float64           `json:"minutes"` // that it really took
	Rounds     int               `json:"rounds"`
	Faults     int               `json:"faults"`
	Each       []faultResult     `json:"each"`
	Kinds      []kindResult      `json:"kinds"`
	Logs       map[string]totals `json:"logs"`
	Notes      []string          `json:"ended_by_themselves"` // processes that a supervisor started again
	Violations []string          `json:"violations"`

	out   io.Writer
	file  string
	begin time.Time
	kept  string
}

// faultResult is one step: a fault, or two that overlapped.
type faultResult struct {
	Round   int      `json:"round"`
	Kinds   []string `json:"kinds"`
	What    []string `json:"what"`
	Lasted  float64  `json:"lasted"`
	Anybody float64  `json:"anybody"` // longest time in which no producer was acknowledged
	One     float64  `json:"one"`     // longest time in which some producer was not
	Well    float64  `json:"well"`    // from the end of the fault until all was as before
}

// kindResult is a line of the table.
type kindResult struct {
	Kind    string     `json:"kind"`
	Count   int        `json:"count"`
	Anybody [3]float64 `json:"anybody"` // min, median, max
	One     [3]float64 `json:"one"`
}

func newReport(o *options, out io.Writer) *report {
	return &report{Seed: o.seed, Logs: make(map[string]totals), out: out, file: o.json, begin: time.Now()}
}

func (r *report) round(number int, home bool) {
	r.Rounds = number
	how := "each role knows all brokers"
	if home {
		how = "each role knows its node's broker alone"
	}
	fmt.Fprintf(r.out, "round %d: %s\n", number, how)
}

func (r *report) violate(round int, what string) {
	r.Violations = append(r.Violations, fmt.Sprintf("round %d: %s", round, what))
	fmt.Fprintf(r.out, "VIOLATED %s\n", what)
}

func (r *report) say(format string, args ...any) { fmt.Fprintf(r.out, "  "+format+"\n", args...) }

func (r *report) note(notes []string) {
	r.Notes = append(r.Notes, notes...)
	for _, n := range notes {
		fmt.Fprintf(r.out, "  note: %s\n", n)
	}
}

func (r *report) fault(round int, faults []fault, begin, healed time.Time, anybody, one time.Duration, sick string) {
	f := faultResult{
		Round: round, Lasted: healed.Sub(begin).Seconds(), Anybody: anybody.Seconds(), One: one.Seconds(), Well: time.Since(healed).Seconds(),
	}
	for _, x := range faults {
		f.Kinds, f.What = append(f.Kinds, x.kind), append(f.What, x.what)
	}
	r.Each = append(r.Each, f)
	r.Faults += len(faults)
	fmt.Fprintf(r.out, "%7.1f s  %-62s lasted %5.2f s, nobody served for %6.3f s, one for %6.3f s, well after %6.3f s\n",
		time.Since(r.begin).Seconds(), strings.Join(f.What, " + "), f.Lasted, f.Anybody, f.One, f.Well)
	if sick != "" {
		r.violate(round, fmt.Sprintf("the cluster did not get well after %s: %s", strings.Join(f.What, " + "), sick))
	}
}

func (r *report) judged(round int, all map[string]totals, took time.Duration) {
	for log, t := range all {
		sum := r.Logs[log]
		sum.add(t)
		r.Logs[log] = sum
		fmt.Fprintf(r.out, "round %d, log %s: %d entries tried, %d acknowledged, %d refused, %d in the log, in %v\n",
			round, log, t.Tried, t.Acknowledged, t.Refused, t.InLog, took.Round(time.Second))
	}
}

// keep copies what the processes of a violated round said.
func (r *report) keep(c *cluster, o *options, round int) {
	if r.kept == "" {
		r.kept = o.keep
		if r.kept == "" {
			dir, err := os.MkdirTemp("", "chaos-violated-")
			if err != nil {
				return
			}
			r.kept = dir
		}
	}
	to := filepath.Join(r.kept, fmt.Sprintf("round-%d", round))
	if os.MkdirAll(to, 0o755) != nil {
		return
	}
	for _, p := range c.procs {
		_ = os.WriteFile(filepath.Join(to, p.name+".log"), []byte(p.said(0)), 0o644)
	}
	fmt.Fprintf(r.out, "what the processes said is in %s\n", to)
}

// end prints the table and the totals, and writes the file.
func (r *report) end() error {
	r.Minutes = time.Since(r.begin).Minutes()
	r.sum()
	fmt.Fprintln(r.out)
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\tcount\tnobody served: min\tmedian\tmax\tone not served: min\tmedian\tmax\t")
	for _, k := range r.Kinds {
		fmt.Fprintf(w, "%s\t%d\t%.3f s\t%.3f s\t%.3f s\t%.3f s\t%.3f s\t%.3f s\t\n",
			k.Kind, k.Count, k.Anybody[0], k.Anybody[1], k.Anybody[2], k.One[0], k.One[1], k.One[2])
	}
	_ = w.Flush()
	for log, t := range r.Logs {
		fmt.Fprintf(r.out, "log %s: %d entries tried, %d acknowledged, %d refused, %d in the log, of %d producers\n",
			log, t.Tried, t.Acknowledged, t.Refused, t.InLog, t.Producers)
	}
	fmt.Fprintf(r.out, "seed %d: %d faults in %d rounds and %.1f minutes, %d violations\n", r.Seed, r.Faults, r.Rounds, r.Minutes, len(r.Violations))
	for _, v := range r.Violations {
		fmt.Fprintf(r.out, "VIOLATED %s\n", v)
	}
	if r.file == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.file, append(b, '\n'), 0o644)
}

// twoAtOnce is the line of steps with two faults: whose gap it was cannot be told.
const twoAtOnce = "two at once"

func (r *report) sum() {
	by := make(map[string][]faultResult)
	for _, f := range r.Each {
		name := twoAtOnce
		if len(f.Kinds) == 1 {
			name = f.Kinds[0]
		}
		by[name] = append(by[name], f)
	}
	r.Kinds = nil
	for name, all := range by {
		r.Kinds = append(r.Kinds, kindResult{
			Kind: name, Count: len(all),
			Anybody: spread(all, func(f faultResult) float64 { return f.Anybody }),
			One:     spread(all, func(f faultResult) float64 { return f.One }),
		})
	}
	slices.SortFunc(r.Kinds, func(a, b kindResult) int {
		return cmp.Or(cmp.Compare(b.Anybody[2], a.Anybody[2]), cmp.Compare(a.Kind, b.Kind))
	})
}

func spread(all []faultResult, of func(faultResult) float64) [3]float64 {
	xs := make([]float64, len(all))
	for i, f := range all {
		xs[i] = of(f)
	}
	slices.Sort(xs)
	return [3]float64{xs[0], xs[len(xs)/2], xs[len(xs)-1]}
}
