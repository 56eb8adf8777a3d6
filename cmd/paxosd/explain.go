package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/paxosd/paxosd/client"
)

const (
	// explainedLike is how many batches, those nearest to a percentile, one explanation is the mean of.
	explainedLike = 20
	// maxExplained bounds the batches that are remembered; later ones replace earlier ones.
	maxExplained = 1 << 17
)

// explained is where the time of the appends near one percentile went, in microseconds, the stages in order. They add up to the whole.
type explained struct {
	Percentile float64        `json:"percentile"`
	Batches    int            `json:"batches"` // that this is the mean of
	Entries    float64        `json:"entries"` // in a batch
	Total      float64        `json:"total_us"`
	Stages     []stageElapsed `json:"stages"`
}

type stageElapsed struct {
	Name string  `json:"name"`
	Time float64 `json:"us"`
}

// explainEvery returns how many batches there are for one that is explained: enough where many are on their way.
func explainEvery(mode string) int {
	if mode == "pipelined" {
		return 4
	}
	return 1
}

// explainer gathers explanations.
type explainer struct {
	mu    sync.Mutex
	begun time.Time
	all   []client.Explanation
	n     int
}

func (x *explainer) add(e client.Explanation) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.begun.IsZero() {
		x.begun = time.Now()
	}
	if time.Since(x.begun) < warmUp {
		return
	}
	if len(x.all) < maxExplained {
		x.all = append(x.all, e)
	} else {
		x.all[x.n%maxExplained] = e
	}
	x.n++
}

// result explains the median and the 99th percentile; nil if there is nothing to explain.
func (x *explainer) result() []explained {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.all) == 0 {
		return nil
	}
	slices.SortFunc(x.all, func(a, b client.Explanation) int { return cmp.Compare(a.Total, b.Total) })
	return []explained{x.near(50), x.near(99)}
}

// near returns the mean of the explanations nearest to a percentile. They are sorted.
func (x *explainer) near(percentile float64) explained {
	at := int(float64(len(x.all)-1) * percentile / 100)
	low := max(min(at-explainedLike/2, len(x.all)-explainedLike), 0)
	like := x.all[low:min(low+explainedLike, len(x.all))]
	r := explained{Percentile: percentile, Batches: len(like)}
	mean := func(name string, of func(*client.Explanation) time.Duration) {
		var sum time.Duration
		for i := range like {
			sum += of(&like[i])
		}
		us := float64(sum) / float64(len(like)) / 1e3
		r.Total += us
		r.Stages = append(r.Stages, stageElapsed{name, us})
	}
	mean("gathered in the client", func(e *client.Explanation) time.Duration { return e.Gathered })
	mean("on the way to the leader", func(e *client.Explanation) time.Duration { return e.ToLeader })
	mean("queued at the leader", func(e *client.Explanation) time.Duration { return e.Queued })
	mean("to the acceptor and back", func(e *client.Explanation) time.Duration { return e.ToAcceptor })
	mean("waiting at the acceptor", func(e *client.Explanation) time.Duration { return e.AcceptorWait })
	mean("fsync", func(e *client.Explanation) time.Duration { return e.Synced })
	mean("chosen, until answered", func(e *client.Explanation) time.Duration { return e.Answered })
	mean("on the way back", func(e *client.Explanation) time.Duration { return e.Back })
	for i := range like {
		r.Entries += float64(like[i].Entries) / float64(len(like))
	}
	return r
}

func printExplained(w io.Writer, all []explained) {
	for _, e := range all {
		fmt.Fprintf(w, "\nwhere the time of an append at the %.0fth percentile goes (mean of %d batches of %.0f entries):\n", e.Percentile, e.Batches, e.Entries)
		for _, s := range e.Stages {
			fmt.Fprintf(w, "  %-26s %9.0f us %5.1f %%\n", s.Name, s.Time, 100*s.Time/max(e.Total, 1))
		}
		fmt.Fprintf(w, "  %-26s %9.0f us\n", "in all", e.Total)
	}
}
