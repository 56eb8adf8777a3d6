package judge

import (
	"sync"
	"time"
)

// Gaps measures how long nothing was acknowledged: to anybody, and to each client. It is safe for concurrent use.
type Gaps struct {
	mu     sync.Mutex
	all    gap
	client map[string]*gap
	mended time.Time     // when Mended was called; zero: not since Begin, or there was an acknowledgement since
	after  time.Duration // from then to the next acknowledgement
}

type gap struct {
	last    time.Time
	longest time.Duration
}

func (g *gap) at(now time.Time) {
	if !g.last.IsZero() {
		g.longest = max(g.longest, now.Sub(g.last))
	}
	g.last = now
}

// NewGaps returns a measure that has begun.
func NewGaps() *Gaps { return &Gaps{client: make(map[string]*gap)} }

// Ack is called at each acknowledgement.
func (g *Gaps) Ack(client string) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.mended.IsZero() {
		g.after, g.mended = now.Sub(g.mended), time.Time{}
	}
	g.all.at(now)
	c := g.client[client]
	if c == nil {
		c = &gap{}
		g.client[client] = c
	}
	c.at(now)
}

// Begin starts a measurement: a gap that is open counts from its beginning.
func (g *Gaps) Begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mended, g.after = time.Time{}, 0
	g.all.longest = 0
	for _, c := range g.client {
		c.longest = 0
	}
}

// Mended is called when what might hinder acknowledgements is over.
func (g *Gaps) Mended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mended, g.after = time.Now(), 0
}

// After returns how long the next acknowledgement took after Mended.
func (g *Gaps) After() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.mended.IsZero() {
		return time.Since(g.mended)
	}
	return g.after
}

// Acked returns how many clients had an acknowledgement after a moment.
func (g *Gaps) Acked(after time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, c := range g.client {
		if c.last.After(after) {
			n++
		}
	}
	return n
}

// Longest returns the longest gaps since Begin, those that are open included: between two acknowledgements whoever got them, and
// between two of one client.
func (g *Gaps) Longest() (all, client time.Duration) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	all = max(g.all.longest, now.Sub(g.all.last))
	for _, c := range g.client {
		client = max(client, c.longest, now.Sub(c.last))
	}
	return all, client
}
