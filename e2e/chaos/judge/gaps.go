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
	count  int
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
	g.count++
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
	g.count = 0
	g.all.longest = 0
	for _, c := range g.client {
		c.longest = 0
	}
}

// Acked returns how many acknowledgements there were since Begin, and how many clients had one after a moment.
func (g *Gaps) Acked(after time.Time) (count, clients int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.client {
		if c.last.After(after) {
			clients++
		}
	}
	return g.count, clients
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

// Forget ends the measurement of a client that is gone.
func (g *Gaps) Forget(client string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.client, client)
}
