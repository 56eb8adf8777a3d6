// Package report turns measurements into tables and plots.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/paxosd/paxosd/bench/load"
)

// Run is everything that was measured in one run on one machine.
type Run struct {
	Date    string            `json:"date"`
	Machine string            `json:"machine"`
	Go      string            `json:"go"`
	Commit  string            `json:"commit"`
	Rounds  int               `json:"rounds"`
	Systems map[string]About  `json:"systems"`
	Order   []string          `json:"order"`     // of the systems
	Loads   []string          `json:"workloads"` // in order
	Results []load.Result     `json:"results"`
	Notes   map[string]string `json:"notes,omitempty"` // what a system could not do, by "system workload"
}

// About says what a system is.
type About struct {
	Text    string `json:"text"`
	Durable bool   `json:"durable"`
}

// Write writes the run as JSON.
func (r *Run) Write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// Read reads what Write wrote.
func Read(path string) (*Run, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Run
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &r, nil
}

// Spread is the least, the median and the greatest of a figure over the rounds.
type Spread struct{ Min, Median, Max float64 }

func spread(xs []float64) (Spread, bool) {
	if len(xs) == 0 {
		return Spread{}, false
	}
	slices.Sort(xs)
	return Spread{xs[0], xs[len(xs)/2], xs[len(xs)-1]}, true
}

// Figure collects one figure of a system and a workload over the rounds. It reports false if nothing was measured.
func (r *Run) Figure(system, workload string, of func(*load.Result) (float64, bool)) (Spread, bool) {
	var xs []float64
	for i := range r.Results {
		if x := &r.Results[i]; x.System == system && x.Workload == workload {
			if v, ok := of(x); ok {
				xs = append(xs, v)
			}
		}
	}
	return spread(xs)
}

// Figures of a result.
var (
	Rate = func(x *load.Result) (float64, bool) { return x.Rate, x.Rate > 0 }
	P50  = func(x *load.Result) (float64, bool) {
		if x.Latency == nil {
			return 0, false
		}
		return x.Latency.P50, true
	}
	P99 = func(x *load.Result) (float64, bool) {
		if x.Latency == nil {
			return 0, false
		}
		return x.Latency.P99, true
	}
)

// Trials returns all trials of a system's failovers, ascending.
func (r *Run) Trials(system, workload string) []float64 {
	var all []float64
	for i := range r.Results {
		if x := &r.Results[i]; x.System == system && x.Workload == workload {
			all = append(all, x.Trials...)
		}
	}
	slices.Sort(all)
	return all
}

// Table prints the run for people.
func (r *Run) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s, %s, commit %s, %d round(s); min / median / max over the rounds\n", r.Date, r.Machine, r.Go, r.Commit, r.Rounds)
	for _, s := range r.Order {
		fmt.Fprintf(w, "  %s: %s\n", s, r.Systems[s].Text)
	}
	for _, l := range r.Loads {
		fmt.Fprintf(w, "\n%s\n", l)
		t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
		fmt.Fprintln(t, "  system\tentries/s\tp50 us\tp99 us\tCPU us/entry: servers + client\twritten/byte\tpeak MiB\tdisk requests/entry\t")
		for _, s := range r.Order {
			r.row(t, s, l)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		r.ratios(w, l)
	}
	return nil
}

func (r *Run) row(t io.Writer, s, l string) {
	if note, ok := r.Notes[s+" "+l]; ok {
		fmt.Fprintf(t, "  %s\t%s\t\t\t\t\t\t\t\n", s, note)
		return
	}
	if ts := r.Trials(s, l); len(ts) > 0 {
		fmt.Fprintf(t, "  %s\tnext ack %.0f / %.0f / %.0f ms of %d\t\t\t\t\t\t\t\n", s, ts[0], ts[len(ts)/2], ts[len(ts)-1], len(ts))
		return
	}
	rate, ok := r.Figure(s, l, Rate)
	if !ok {
		return
	}
	cells := []string{s + r.mark(s), rate.String()}
	for _, f := range []func(*load.Result) (float64, bool){P50, P99} {
		cell := "-"
		if x, ok := r.Figure(s, l, f); ok {
			cell = x.String()
		}
		cells = append(cells, cell)
	}
	cpu, _ := r.Figure(s, l, func(x *load.Result) (float64, bool) {
		sum := 0.0
		for _, u := range x.Roles {
			sum += u.CPU
		}
		return sum, true
	})
	client, _ := r.Figure(s, l, func(x *load.Result) (float64, bool) { return x.ClientCPU, true })
	peak, _ := r.Figure(s, l, func(x *load.Result) (float64, bool) {
		most := 0.0
		for _, u := range x.Roles {
			most = max(most, u.PeakMiB)
		}
		return most, true
	})
	disk, _ := r.Figure(s, l, func(x *load.Result) (float64, bool) { return x.DiskRequests, true })
	cells = append(cells, fmt.Sprintf("%.1f + %.1f", cpu.Median, client.Median), r.written(s, l), fmt.Sprintf("%.0f", peak.Median), fmt.Sprintf("%.2f", disk.Median))
	fmt.Fprintf(t, "  %s\t\n", strings.Join(cells, "\t"))
}

// written says how many bytes each process of a role wrote for each byte of payload.
func (r *Run) written(s, l string) string {
	var roles []string
	for i := range r.Results {
		if x := &r.Results[i]; x.System == s && x.Workload == l {
			for role := range x.Roles {
				if !slices.Contains(roles, role) {
					roles = append(roles, role)
				}
			}
		}
	}
	slices.Sort(roles)
	var cells []string
	for _, role := range roles {
		x, _ := r.Figure(s, l, func(x *load.Result) (float64, bool) {
			u := x.Roles[role]
			return u.Written / float64(max(u.Processes, 1)), u.Processes > 0
		})
		if x.Max > 0 {
			cells = append(cells, fmt.Sprintf("%s %.2f", role, x.Median))
		}
	}
	return strings.Join(cells, ", ")
}

func (r *Run) mark(s string) string {
	if r.Systems[s].Durable {
		return ""
	}
	return " (acks before fsync)"
}

// ratios compares paxosd with the best durable peer in the same run.
func (r *Run) ratios(w io.Writer, l string) {
	own, ok := r.Figure(ours, l, Rate)
	if !ok || own.Median == 0 {
		return
	}
	best, name := 0.0, ""
	for _, s := range r.Order {
		if x, ok := r.Figure(s, l, Rate); ok && s != ours && r.Systems[s].Durable && x.Median > best {
			best, name = x.Median, s
		}
	}
	if name != "" {
		fmt.Fprintf(w, "  paxosd is at %.2f of the best durable peer (%s)\n", own.Median/best, name)
	}
}

const ours = "paxosd"

// String prints the three figures.
func (s Spread) String() string {
	f := "%.0f / %.0f / %.0f"
	if s.Max < 10 {
		f = "%.2f / %.2f / %.2f"
	}
	return fmt.Sprintf(f, s.Min, s.Median, s.Max)
}
