package genesis

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// clone copies the whole world.
func (c *cluster) clone() *cluster {
	d := *c
	d.stores = nil
	for _, s := range c.stores {
		n, p := *s, *s.part
		p.held = nil
		for _, h := range s.part.held {
			x := *h
			p.held = append(p.held, &x)
		}
		n.part = &p
		d.stores = append(d.stores, &n)
	}
	f := *c.founder
	f.view.peers = nil
	for _, p := range c.founder.view.peers {
		n := *p
		n.holds = slices.Clone(p.holds)
		f.view.peers = append(f.view.peers, &n)
	}
	f.view.ids = slices.Clone(f.view.ids)
	f.view.records = maps.Clone(f.view.records)
	f.cfg.NextRequest = func() uint64 { d.request++; return d.request }
	d.founder = &f
	d.wire, d.witnessed = slices.Clone(c.wire), slices.Clone(c.witnessed)
	return &d
}

// print is a fingerprint of all that can still matter.
func (c *cluster) print(left string) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, left, c.states(), c.witnessed, c.founders)
	f := c.founder
	fmt.Fprint(h, f.mine, f.made, f.enlived, f.now.stage, f.now.moves)
	for _, p := range f.view.peers {
		fmt.Fprint(h, p.answered, p.incarnation, p.holds, p.request != 0, p.due <= c.now)
	}
	var wire []string
	for _, env := range c.wire {
		s := fmt.Sprint(env.From, env.To, env.Genesis)
		switch m := env.Msg.(type) {
		case *paxos.GenesisMsg:
			s += fmt.Sprint(m.Step, m.State, m.Holds, m.Incarnation)
		case *paxos.IdentAnswer:
			s += fmt.Sprint("answer", m.Incarnation)
			for _, l := range m.Logs {
				s += fmt.Sprint(l.Genesis, l.State)
			}
		}
		wire = append(wire, s)
	}
	slices.Sort(wire)
	fmt.Fprint(h, wire)
	return h.Sum64()
}

// prune makes the world smaller without losing any behaviour: questions are answered as they are asked, and only the answers are
// late; answers that nobody awaits any more are gone.
func (c *cluster) prune() {
	for i := 0; i < len(c.wire); {
		if _, ok := c.wire[i].Msg.(*paxos.Ident); ok {
			c.deliver(i)
		} else {
			i++
		}
	}
	c.wire = slices.DeleteFunc(slices.Clone(c.wire), func(env paxos.Envelope) bool {
		return env.Request != 0 && c.founder.asked(env.Request) == nil
	})
}

// explorer walks every order of events of a small world.
type explorer struct {
	t       *testing.T
	seen    map[uint64]bool
	recover bool // from every state, a fresh founder in a fair world must end with one live genesis
	limit   int
}

// walk tries every next event: any message delivered, time passing, the founder killed and started anew, a disk wiped.
func (e *explorer) walk(c *cluster, restarts, ticks, wipes int) {
	c.prune()
	key := c.print(fmt.Sprint(restarts, ticks, wipes))
	if e.seen[key] || e.t.Failed() {
		return
	}
	e.seen[key] = true
	if len(e.seen) > e.limit {
		e.t.Fatalf("more than %d states: the test is no longer small", e.limit)
	}
	if err := c.check(); err != nil {
		e.t.Errorf("%v: %s", err, c.states())
		return
	}
	if e.recover {
		e.recovers(c)
	}
	answered := false
	for i, env := range c.wire {
		if c.store(env.To) == nil { // to the founder, whose view is the same in whatever order it learns of facts
			if answered {
				continue
			}
			answered = true
		}
		d := c.clone()
		before := d.clone()
		d.deliver(i)
		e.forward(before, d)
		e.walk(d, restarts, ticks, wipes)
	}
	if ticks > 0 {
		d := c.clone()
		d.tick(2 * paxos.Second)
		e.walk(d, restarts, ticks-1, wipes)
	}
	if restarts > 0 {
		d := c.clone()
		// What was on its way to the old founder dies with it; what it sent itself may still arrive.
		d.wire = slices.DeleteFunc(d.wire, func(env paxos.Envelope) bool { return env.From != "p1" })
		d.found(e.t)
		d.tick(0)
		e.walk(d, restarts-1, ticks, wipes)
	}
	if wipes > 0 && len(c.witnessed) == 0 {
		for i := range c.stores {
			d := c.clone()
			d.wipe(d.stores[i])
			e.walk(d, restarts, ticks, wipes-1)
		}
	}
}

// forward checks that no store went back: live stays live, aborted aborted (Participant I2), and I1.
func (e *explorer) forward(before, after *cluster) {
	for i, s := range before.stores {
		for _, h := range s.part.held {
			if now := after.stores[i].part.find(h.Log, h.ID); now == nil || rank(now.State) < rank(h.State) ||
				(rank(now.State) == rank(h.State) && now.State != h.State) {
				e.t.Errorf("%s went back from %s", s.name, h.State)
			}
		}
	}
	for _, s := range after.stores {
		n := 0
		for _, h := range s.part.held {
			if h.State != paxos.LogAborted {
				n++
			}
		}
		if n > 1 {
			e.t.Errorf("%s holds two geneses: %s", s.name, after.states())
		}
	}
}

func (e *explorer) recovers(c *cluster) {
	d := c.clone()
	d.found(e.t)
	if !d.settle() {
		_, text := d.founder.Status()
		e.t.Errorf("a fresh founder does not end (%s)\nfrom %s\nto   %s", text, c.states(), d.states())
		return
	}
	if err := d.check(); err != nil || len(d.witnessed) != 1 {
		e.t.Errorf("%v, live %v", err, d.witnessed)
	}
	if !e.t.Failed() {
		d.wantLive(e.t)
	}
}

// A founder that is killed and started anew at any two moments, with its messages delivered in any order or never, ends with exactly
// one live genesis (PROTOCOL section 6).
func TestEveryOrderOfAFoundingWithRestarts(t *testing.T) {
	c := newCluster([]string{"a1"}, []string{"l1"}, 1, 1, 1)
	c.found(t)
	c.tick(0)
	e := &explorer{t: t, seen: map[uint64]bool{}, recover: true, limit: 50_000}
	e.walk(c, 1, 0, 0)
	t.Logf("%d states", len(e.seen))
}

// With a disk wiped in the middle, founding may need a person, but never makes two geneses live.
func TestEveryOrderOfAFoundingWithAWipe(t *testing.T) {
	c := newCluster([]string{"a1"}, []string{"l1"}, 1, 1, 1)
	c.found(t)
	c.tick(0)
	e := &explorer{t: t, seen: map[uint64]bool{}, limit: 50_000}
	e.walk(c, 0, 1, 1)
	t.Logf("%d states", len(e.seen))
}

// The same in a full-size world, at random.
func TestRandomFoundings(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := threeAndTwo()
		c.found(t)
		wiped := 0
		for range rapid.IntRange(5, 150).Draw(r, "events") {
			switch what := rapid.IntRange(0, 99).Draw(r, "event"); {
			case what < 4:
				c.found(t)
			case what < 12:
				c.tick(paxos.Span(rapid.IntRange(1, 2000).Draw(r, "ms")) * paxos.Millisecond)
			case what < 16 && len(c.wire) > 0:
				i := rapid.IntRange(0, len(c.wire)-1).Draw(r, "lost")
				c.wire = slices.Delete(c.wire, i, i+1)
			case what < 18 && wiped == 0 && len(c.witnessed) == 0:
				wiped++
				c.wipe(c.stores[rapid.IntRange(0, len(c.stores)-1).Draw(r, "wiped")])
			case len(c.wire) > 0:
				c.deliver(rapid.IntRange(0, min(len(c.wire)-1, 12)).Draw(r, "message"))
			default:
				c.tick(100 * paxos.Millisecond)
			}
			if err := c.check(); err != nil {
				r.Fatalf("%v: %s", err, c.states())
			}
		}
		c.found(t)
		done := c.settle()
		if err := c.check(); err != nil {
			r.Fatalf("%v: %s", err, c.states())
		}
		if _, _, live := c.founder.Live(); wiped == 0 && (!done || !live) {
			_, text := c.founder.Status()
			r.Fatalf("did not end: %s, %s", text, c.states())
		}
	})
}
