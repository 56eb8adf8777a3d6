package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/paxosd/paxosd/bench/load"
)

// Table prints the run for people.
func (r *Run) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %s, commit %s, %d round(s)", r.Date, r.Machine, r.Go, r.Commit, r.Rounds)
	if r.How != "" {
		fmt.Fprintf(w, ", %s", r.How)
	}
	fmt.Fprintln(w, "; min / median / max over the rounds")
	for _, s := range r.Order {
		if text := r.Systems[s].Text; text != "" {
			fmt.Fprintf(w, "  %s: %s\n", s, text)
		}
	}
	for _, l := range r.Loads {
		fmt.Fprintf(w, "\n%s\n", l)
		if err := r.seen(w, l); err != nil {
			return err
		}
		if err := r.used(w, l); err != nil {
			return err
		}
		r.ratios(w, l)
	}
	return r.goals(w)
}

// column is one of the figures that clients see.
type column struct {
	name string
	of   Of
}

// columns are those of which some system has something.
func (r *Run) columns(l string) (cs []column) {
	for _, c := range []column{
		{"entries/s", Rate},
		{"next ack ms", Trial},
		{"p50 us", P50},
		{"p99 us", P99},
		{"max us", Max},
		{"p50 us of the ack", func(x *load.Result) (float64, bool) {
			return percentile(x.Ack, func(l *load.Latency) float64 { return l.P50 })
		}},
		{"delivered/s", func(x *load.Result) (float64, bool) { return x.Delivered, x.Delivered > 0 }},
		{"first entry ms", func(x *load.Result) (float64, bool) { return x.First, x.First > 0 }},
		{"entries before", func(x *load.Result) (float64, bool) { return float64(x.LogLength), x.LogLength > 0 }},
		{"disk requests/entry", func(x *load.Result) (float64, bool) { return x.DiskRequests, len(x.Roles) > 0 }},
	} {
		if slices.ContainsFunc(r.Order, func(s string) bool {
			_, ok := r.Figure(s, l, c.of)
			return ok
		}) {
			cs = append(cs, c)
		}
	}
	return cs
}

// seen prints what the client saw of each system.
func (r *Run) seen(w io.Writer, l string) error {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	cs := r.columns(l)
	fmt.Fprint(t, "  system")
	for _, c := range cs {
		fmt.Fprint(t, "\t"+c.name)
	}
	fmt.Fprintln(t, "\t")
	for _, s := range r.Order {
		var cells []string
		some := false
		for _, c := range cs {
			cell := "-"
			if x, ok := r.Figure(s, l, c.of); ok {
				cell, some = x.String(), true
				if c.name == "next ack ms" {
					cell = trials(r.Trials(s, l))
				}
			}
			cells = append(cells, cell)
		}
		switch note, noted := r.Notes[s+" "+l]; {
		case noted && !some:
			fmt.Fprintf(t, "  %s\t%s\n", s, note)
		case some:
			line := fmt.Sprintf("  %s%s\t%s\t", s, r.mark(s), strings.Join(cells, "\t"))
			if n := r.errors(s, l); n > 0 {
				line += fmt.Sprintf("%d errors", n)
			}
			if noted {
				line += " " + note
			}
			fmt.Fprintln(t, line)
		}
	}
	return t.Flush()
}

func trials(ts []float64) string {
	s, _ := spread(ts)
	return fmt.Sprintf("%s of %d", s, len(ts))
}

// used prints what each role's processes used.
func (r *Run) used(w io.Writer, l string) error {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	lines := 0
	for _, s := range r.Order {
		for _, name := range r.roleNames(s, l) {
			if lines == 0 {
				fmt.Fprintln(t, "  role\tprocesses\tCPU us/entry, all\tbytes written/entry, each\tper byte of payload\tpeak MiB\tallocations/entry\t")
			}
			lines++
			n, _ := r.Figure(s, l, role(name, func(u load.Use) float64 { return float64(u.Processes) }))
			fmt.Fprintf(t, "  %s %s\t%.0f", s, name, n.Median)
			for _, of := range []func(load.Use) float64{
				func(u load.Use) float64 { return u.CPU },
				func(u load.Use) float64 { return u.Bytes / float64(u.Processes) },
				func(u load.Use) float64 { return u.Written / float64(u.Processes) },
				func(u load.Use) float64 { return u.PeakMiB },
				func(u load.Use) float64 { return u.Allocs },
			} {
				x, _ := r.Figure(s, l, role(name, of))
				cell := "-"
				if x.Max > 0 {
					cell = x.String()
				}
				fmt.Fprintf(t, "\t%s", cell)
			}
			fmt.Fprintln(t, "\t")
		}
		if c, ok := r.Figure(s, l, func(x *load.Result) (float64, bool) { return x.ClientCPU, x.ClientCPU > 0 }); ok {
			fmt.Fprintf(t, "  %s client\t1\t%s\t\t\t\t\t\n", s, c)
		}
	}
	return t.Flush()
}

func (r *Run) roleNames(s, l string) []string {
	names := make(map[string]bool)
	for i := range r.Results {
		if x := &r.Results[i]; x.System == s && x.Workload == l {
			for role := range x.Roles {
				names[role] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// ratios compares paxosd with the best durable peer in the same run, figure by figure.
func (r *Run) ratios(w io.Writer, l string) {
	var parts []string
	for _, f := range []struct {
		name string
		of   Of
		less bool
	}{{"entries/s", Rate, false}, {"p50", P50, true}, {"p99", P99, true}, {"next ack", Trial, true}} {
		if q, ok := r.best(l, f.of, r.Peers(true), f.less); ok {
			parts = append(parts, f.name+" "+q.String())
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  paxosd against the best durable peer: %s\n", strings.Join(parts, "; "))
	}
}
