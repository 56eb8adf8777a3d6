package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/paxosd/paxosd/bench/floor"
	"github.com/paxosd/paxosd/bench/load"
	"github.com/paxosd/paxosd/bench/plan"
)

// Goal is something that paxosd is to reach: what it must, and what it would like to. A bound of 0 is none.
type Goal struct {
	Name  string
	Must  float64
	Want  float64
	Least bool // the bounds are from below; else from above
	Value Spread
	Of    string // what the value is a multiple of; empty: it is none
}

// Verdict says how far it is reached, by the median.
func (g *Goal) Verdict() string {
	reached := func(bound float64) bool {
		if g.Least {
			return g.Value.Median >= bound
		}
		return g.Value.Median <= bound
	}
	switch {
	case g.Want > 0 && reached(g.Want):
		return "goal reached"
	case g.Must > 0 && reached(g.Must):
		return "must reached"
	case g.Must == 0:
		return "goal missed"
	}
	return "MISSED"
}

// goalList collects those goals of which something was measured.
type goalList struct {
	r    *Run
	list []Goal
}

func (c *goalList) ratio(name string, must, want float64, least bool, q Ratio, ok bool) {
	if ok {
		c.list = append(c.list, Goal{Name: name, Must: must, Want: want, Least: least, Value: q.Spread, Of: q.Of})
	}
}

func (c *goalList) value(name string, must, want float64, least bool, s Spread, ok bool) {
	if ok {
		c.list = append(c.list, Goal{Name: name, Must: must, Want: want, Least: least, Value: s})
	}
}

const (
	synced   = "jetstream-sync"
	unsynced = "jetstream"
)

// Goals returns all of which something was measured.
func (r *Run) Goals() []Goal {
	c := &goalList{r: r}
	c.throughput()
	c.latency()
	c.failover()
	c.reading()
	c.cost()
	c.shape()
	return c.list
}

func (c *goalList) throughput() {
	r, durable := c.r, c.r.Peers(true)
	against := func(l string, peers []string, must, want float64) {
		q, ok := r.best(l, Rate, peers, false)
		c.ratio(l, must, want, true, q, ok)
	}
	against(plan.Peak(), durable, 1.5, 3)
	against(plan.Peak(), []string{synced}, 5, 8)
	against(plan.Peak(), []string{unsynced}, 3, 4)
	against(plan.Pipelined(4096, 1024), durable, 1.3, 2.5)
	against(plan.Pipelined(4096, 1024), []string{unsynced}, 1, 1.5)
	against(plan.Callers(64), durable, 1.1, 1.5)
	against(plan.Callers(256), durable, 1.1, 1.5)
}

func (c *goalList) latency() {
	r := c.r
	q, ok := r.best(plan.OneAtATime, P50, r.Peers(true), true)
	c.ratio(plan.OneAtATime+", median", 1, 0.7, false, q, ok)
	sync, rtt := r.rounds(floor.Name, floor.SyncWritten, P50), r.rounds(floor.Name, floor.RoundTrip, P50)
	bottom := make(map[int]float64)
	for round, s := range sync {
		bottom[round] = s + 2*rtt[round]
	}
	q, ok = quotient(r.rounds(ours, plan.OneAtATime, P50), bottom, "(fdatasync + 2 round trips)")
	c.ratio(plan.OneAtATime+", median", 0, 1.3, false, q, ok)
	for _, p := range r.Peers(true) {
		l := plan.Half(p)
		q, ok := r.ratio(ours, p, l, P99)
		c.ratio(l+", p99", 1, 0, false, q, ok)
		q, ok = quotient(r.rounds(ours, l, P99), r.rounds(ours, l, P50), "its own median")
		c.ratio(l+", p99", 0, 5, false, q, ok)
	}
	q, ok = r.ratio(ours, synced, plan.Tail, P50)
	c.ratio(plan.Tail+", median", 1, 0, false, q, ok)
	acks := r.rounds(ours, plan.Tail, func(x *load.Result) (float64, bool) {
		return percentile(x.Ack, func(l *load.Latency) float64 { return l.P50 })
	})
	q, ok = quotient(r.rounds(ours, plan.Tail, P50), acks, "the ack's median")
	c.ratio(plan.Tail+", median", 0, 1.3, false, q, ok)
}

func (c *goalList) failover() {
	ts := c.r.Trials(ours, plan.Killed)
	if len(ts) == 0 {
		return
	}
	worst := ts[len(ts)-1]
	s, _ := spread(ts)
	c.value(fmt.Sprintf("leader killed, next ack of %d, median ms", len(ts)), 200, 100, false, s, true)
	c.value(fmt.Sprintf("leader killed, next ack of %d, worst ms", len(ts)), 1000, 300, false, Spread{worst, worst, worst}, true)
}

func (c *goalList) reading() {
	q, ok := c.r.best(plan.Read, Rate, []string{synced, unsynced}, false)
	c.ratio(plan.Read, 3, 0, true, q, ok)
	s, ok := c.r.Figure(ours, plan.Read, Rate)
	c.value(plan.Read+", entries/s", 0, 2_000_000, true, s, ok)
}

func (c *goalList) cost() {
	r := c.r
	for _, size := range []int{128, 1024} {
		l := plan.Pipelined(4096, size)
		for _, b := range []struct {
			role       string
			must, want float64
		}{{"acceptor", 1.3, 1.1}, {"learner", 2.5, 1.5}} {
			s, ok := r.Figure(ours, l, role(b.role, func(u load.Use) float64 { return u.Written / float64(u.Processes) }))
			c.value(l+", bytes written per byte, "+b.role, b.must, b.want, false, s, ok)
		}
	}
	s, ok := r.Figure(ours, plan.OneAtATime, func(x *load.Result) (float64, bool) { return x.DiskRequests, x.DiskRequests > 0 })
	c.value(plan.OneAtATime+", disk requests per append", 12, 6, false, s, ok)
	for _, b := range [][2]string{{"proposer", "leader"}, {"acceptor", "acceptor"}} {
		s, ok := r.Figure(ours, plan.Peak(), func(x *load.Result) (float64, bool) { return x.Roles[b[0]].Allocs, x.Roles[b[0]].Allocs > 0 })
		c.value(plan.Peak()+", allocations per entry, "+b[1], 1, 0.2, false, s, ok)
	}
	c.long()
	peak := func(of func(load.Use) float64) Of {
		return func(x *load.Result) (m float64, ok bool) {
			for _, u := range x.Roles {
				m = max(m, of(u))
			}
			return m, m > 0
		}
	}
	s, ok = r.Figure(ours, plan.Soak, peak(func(u load.Use) float64 { return u.PeakMiB }))
	c.value(plan.Soak+", MiB of the largest role", 400, 200, false, s, ok)
	late := r.rounds(ours, plan.Soak, peak(func(u load.Use) float64 { return u.LateMiB }))
	q, ok := quotient(late, r.rounds(ours, plan.Soak, peak(func(u load.Use) float64 { return u.EarlyMiB })), "its memory early on")
	c.ratio(plan.Soak+", memory late", 1.1, 0, false, q, ok)
}

// long compares processor time and rate on the long log with those on the short one.
func (c *goalList) long() {
	short := plan.Long(plan.ShortLog)
	for _, l := range c.r.Loads {
		if l == short || !strings.HasPrefix(l, "log of ") || !strings.HasSuffix(l, strings.TrimPrefix(short, fmt.Sprintf("log of %d", uint64(plan.ShortLog)))) {
			continue
		}
		q, ok := quotient(c.r.rounds(ours, l, ServerCPU), c.r.rounds(ours, short, ServerCPU), "the short log's")
		c.ratio(l+", processor time per append", 1.1, 1.03, false, q, ok)
		q, ok = quotient(c.r.rounds(ours, l, Rate), c.r.rounds(ours, short, Rate), "the short log's")
		c.ratio(l+", entries/s", 0.9, 0.97, true, q, ok)
	}
}

func (c *goalList) shape() {
	q, ok := quotient(c.r.rounds(ours+"-node", plan.Peak(), Rate), c.r.rounds(ours, plan.Peak(), Rate), "separate roles")
	c.ratio(plan.Peak()+", roles of a node in one process", 1, 1.5, true, q, ok)
}

// goals prints them.
func (r *Run) goals(w io.Writer) error {
	gs := r.Goals()
	if len(gs) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nwhat paxosd is to reach")
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, "  figure\tmust\tgoal\tmeasured\t\t")
	for i := range gs {
		g := &gs[i]
		value := g.Value.String()
		if g.Of != "" {
			value = Ratio{Spread: g.Value, Of: g.Of}.String()
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t\n", g.Name, g.bound(g.Must), g.bound(g.Want), value, g.Verdict())
	}
	return t.Flush()
}

func (g *Goal) bound(x float64) string {
	switch {
	case x == 0:
		return "-"
	case g.Least:
		return ">= " + number(x)
	}
	return "<= " + number(x)
}
