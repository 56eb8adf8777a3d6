// Package report turns measurements into tables and plots.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/paxosd/paxosd/bench/floor"
	"github.com/paxosd/paxosd/bench/load"
)

// ours is the system whose figures are compared with those of the others.
const ours = "paxosd"

// Run is everything that was measured in one run on one machine.
type Run struct {
	Date    string            `json:"date"`
	Machine string            `json:"machine"`
	Go      string            `json:"go"`
	Commit  string            `json:"commit"`
	How     string            `json:"how,omitempty"` // how long each load ran
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

// Write writes the run as JSON, into a folder that it makes if it is not there.
func (r *Run) Write(path string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
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

// Add adds a result, and its workload if it is a new one.
func (r *Run) Add(x *load.Result) {
	if !slices.Contains(r.Loads, x.Workload) {
		r.Loads = append(r.Loads, x.Workload)
	}
	r.Results = append(r.Results, *x)
}

// Peers are the systems that are not paxosd in any form; of those only the durable ones, if wanted.
func (r *Run) Peers(durable bool) (names []string) {
	for _, s := range r.Order {
		if strings.HasPrefix(s, ours) || s == floor.Name || durable && !r.Systems[s].Durable {
			continue
		}
		names = append(names, s)
	}
	return names
}

// Of takes a figure out of a result. It reports false if the result has none.
type Of func(*load.Result) (float64, bool)

// Figures of a result.
var (
	Rate Of = func(x *load.Result) (float64, bool) { return x.Rate, x.Rate > 0 }
	P50  Of = func(x *load.Result) (float64, bool) {
		return percentile(x.Latency, func(l *load.Latency) float64 { return l.P50 })
	}
	P99 Of = func(x *load.Result) (float64, bool) {
		return percentile(x.Latency, func(l *load.Latency) float64 { return l.P99 })
	}
	Max Of = func(x *load.Result) (float64, bool) {
		return percentile(x.Latency, func(l *load.Latency) float64 { return l.Max })
	}

	Trial Of = func(x *load.Result) (float64, bool) { return Median(x.Trials), len(x.Trials) > 0 }

	ServerCPU Of = func(x *load.Result) (float64, bool) {
		sum := 0.0
		for _, u := range x.Roles {
			sum += u.CPU
		}
		return sum, len(x.Roles) > 0
	}
)

func percentile(l *load.Latency, of func(*load.Latency) float64) (float64, bool) {
	if l == nil {
		return 0, false
	}
	return of(l), true
}

// role takes a figure of a role's processes.
func role(name string, of func(load.Use) float64) Of {
	return func(x *load.Result) (float64, bool) {
		u, ok := x.Roles[name]
		return of(u), ok && u.Processes > 0
	}
}

// rounds collects one figure of a system and a workload by round.
func (r *Run) rounds(system, workload string, of Of) map[int]float64 {
	by := make(map[int]float64)
	for i := range r.Results {
		if x := &r.Results[i]; x.System == system && x.Workload == workload {
			if v, ok := of(x); ok {
				by[x.Round] = v
			}
		}
	}
	return by
}

// Figure returns one figure of a system and a workload over the rounds. It reports false if nothing was measured.
func (r *Run) Figure(system, workload string, of Of) (Spread, bool) {
	by := r.rounds(system, workload, of)
	xs := make([]float64, 0, len(by))
	for _, v := range by {
		xs = append(xs, v)
	}
	return spread(xs)
}

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

// errors adds up a system's errors in a workload.
func (r *Run) errors(system, workload string) (n uint64) {
	for i := range r.Results {
		if x := &r.Results[i]; x.System == system && x.Workload == workload {
			n += x.Errors
		}
	}
	return n
}

// mark says of a system that does not sync first that it does not.
func (r *Run) mark(s string) string {
	if r.Systems[s].Durable || s == floor.Name {
		return ""
	}
	return " (acks before fsync)"
}
