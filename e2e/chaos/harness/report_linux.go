package harness

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// Report is what a run showed.
type Report struct {
	Seed     uint64        `json:"seed"`
	Minutes  float64       `json:"minutes"`
	Clusters int           `json:"clusters"` // that were judged
	Faults   int           `json:"faults"`
	Linear   int           `json:"linear"` // single operations for which an order was found
	Counts   []judge.Count `json:"counts"` // how operations ended, by group of clients
	Judged   judge.Verdict `json:"judged"`
	Rows     []Row         `json:"rows"`
	Steps    []*Done       `json:"steps"`
}

// count adds how the operations of one cluster's clients ended.
func (r *Report) count(counts []judge.Count) {
	if r.Counts == nil {
		r.Counts = counts
		return
	}
	for i := range counts {
		r.Counts[i].Add(&counts[i])
	}
}

// shares judges how much ended refused or unknown in all clusters together: in a short one two long outages may be half of its life.
func (r *Report) shares() {
	for i := range r.Counts {
		r.Counts[i].Shares(&r.Judged)
	}
}

// Row is the unavailability after one kind of fault: the longest time without an acknowledgement to anybody.
type Row struct {
	Kind   string  `json:"kind"`
	Count  int     `json:"count"`
	Least  Seconds `json:"least"`
	Median Seconds `json:"median"`
	Most   Seconds `json:"most"`
	Client Seconds `json:"client"` // most, of the client that waited longest
	Single Seconds `json:"single"` // … of single operations
	After  Seconds `json:"after"`  // most, from the end of the fault
}

// String is the line of a step.
func (d *Done) String() string {
	return fmt.Sprintf("%-60s %5.1f s  %-6s gap %6.3f s  client %6.3f s  single %6.3f s  after %6.3f s  ready %6.3f s",
		d.What, d.Lasted, d.Leaders, d.Gap, d.Client, d.Single, d.After, d.Ready)
}

// Rows of steps that are not of one kind.
const (
	rowPairs   = "two faults at once"
	rowReduced = "with one acceptor of three gone for good"
)

func (d *Done) row() string {
	switch {
	case d.Reduced:
		return rowReduced
	case len(d.Kinds) > 1:
		return rowPairs
	default:
		return d.Kinds[0]
	}
}

// Sum fills in what follows from the steps.
func (r *Report) Sum() {
	r.Faults = 0
	steps := make(map[string][]*Done)
	for _, d := range r.Steps {
		r.Faults += len(d.Kinds)
		steps[d.row()] = append(steps[d.row()], d)
	}
	r.Rows = nil
	for _, name := range slices.SortedFunc(maps.Keys(steps), compareRows) {
		r.Rows = append(r.Rows, rowOf(name, steps[name]))
	}
}

// compareRows sorts by name, with mixed rows at the end.
func compareRows(a, b string) int {
	mixed := func(s string) int {
		switch s {
		case rowPairs:
			return 1
		case rowReduced:
			return 2
		default:
			return 0
		}
	}
	return cmp.Or(cmp.Compare(mixed(a), mixed(b)), strings.Compare(a, b))
}

func rowOf(name string, ds []*Done) Row {
	gaps := make([]Seconds, 0, len(ds))
	row := Row{Kind: name, Count: len(ds)}
	for _, d := range ds {
		gaps = append(gaps, d.Gap)
		row.Client, row.Single, row.After = max(row.Client, d.Client), max(row.Single, d.Single), max(row.After, d.After)
	}
	slices.Sort(gaps)
	row.Least, row.Median, row.Most = gaps[0], gaps[len(gaps)/2], gaps[len(gaps)-1]
	return row
}

// Print writes the table and the totals.
func (r *Report) Print(w io.Writer) {
	r.Sum()
	fmt.Fprintf(w, "\nSeconds without an acknowledgement to anybody, by fault; then the most that one client waited, of producers and of single operations, and the most after the fault's end\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "fault\tcount\tmin\tmedian\tmax\tclient max\tsingle max\tafter max\t\n")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", x.Kind, x.Count, x.Least, x.Median, x.Most, x.Client, x.Single, x.After)
	}
	_ = t.Flush() // fails only if w does, of which a caller that cares knows
	v := &r.Judged
	fmt.Fprintf(w, "\nseed %d, %.1f minutes, %d clusters judged, %d faults\n", r.Seed, r.Minutes, r.Clusters, r.Faults)
	fmt.Fprintf(w, "acknowledged %d, lost %d, duplicated %d, reordered %d, moved %d, invented %d, refused and there %d, told nothing %d, other problems %d\n",
		v.Acked, v.Lost, v.Duplicated, v.Reordered, v.Moved, v.Invented, v.Revived, v.Untold, v.Other)
	fmt.Fprintf(w, "tried %d, refused %d, unknown %d, in the logs %d; single operations in one order %d\n",
		v.Tried, v.Refused, v.Unknown, v.Entries, r.Linear)
	for i := range r.Counts {
		c := &r.Counts[i]
		fmt.Fprintf(w, "  %s: known %d, unknown %d, refused %d, not sent at the end %d\n", c.Group, c.Known, c.Unknown, c.Refused, c.Ended)
	}
	for _, p := range v.Problems {
		fmt.Fprintf(w, "  %s\n", p)
	}
}
