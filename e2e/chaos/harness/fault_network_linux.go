package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// Cuts are from a blink, which TCP mends, to what brokers notice by their pings, 3 s each, of which two may be missed.
const (
	leastCut = 300 * time.Millisecond
	mostCut  = 9 * time.Second

	mostDelay = 300 * time.Millisecond
)

func networkKinds() []Kind {
	return []Kind{
		{"cut machine off", 3, leastCut, mostCut, cutMachine, false},
		{"cut leader's machine off", 2, leastCut, mostCut, cutLeader, false},
		{"cut what a machine sends", 2, leastCut, mostCut, cutSends, false},
		{"cut what a machine gets", 2, leastCut, mostCut, cutGets, false},
		{"cut broker from brokers", 3, leastCut, mostCut, cutBroker, false},
		{"cut link of two brokers", 2, leastCut, mostCut, cutPair, false},
		{"cut link one way", 2, leastCut, mostCut, cutOneWay, false},
		{"cut machine from clients", 1, leastCut, mostCut, cutClients, false},
		{"cut all brokers apart", 1, leastCut, mostCut, cutAll, false},
	}
}

// edge is one direction of a link.
type edge struct{ from, to int }

// cut loses what is sent along edges.
func (c *Cluster) cut(what string, edges ...edge) (*active, error) {
	for _, e := range edges {
		if err := c.net.Lose(e.from, e.to); err != nil {
			return nil, err
		}
	}
	return &active{what: what, end: func(context.Context) error {
		for _, e := range edges {
			if err := c.net.Reach(e.from, e.to); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

func bothWays(a int, to ...int) []edge {
	var es []edge
	for _, b := range to {
		es = append(es, edge{a, b}, edge{b, a})
	}
	return es
}

// unplug pulls a machine's cable: nobody reaches it, and it reaches nobody.
func (c *Cluster) unplug(m int) (*active, error) {
	if err := c.net.Plug(m, false); err != nil {
		return nil, err
	}
	return &active{what: fmt.Sprintf("unplug machine %d", m), end: func(context.Context) error { return c.net.Plug(m, true) }}, nil
}

func cutMachine(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	return c.unplug(1 + r.IntN(machines))
}

func cutLeader(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	return c.unplug(c.leaderOr(ctx, r).machine)
}

// everybody is the machines of the cluster and the clients' but one.
func everybody(but int) []int { return append(others(but), clientMachine) }

func cutSends(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	var es []edge
	for _, o := range everybody(m) {
		es = append(es, edge{m, o})
	}
	return c.cut(fmt.Sprintf("lose what machine %d sends", m), es...)
}

func cutGets(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	var es []edge
	for _, o := range everybody(m) {
		es = append(es, edge{o, m})
	}
	return c.cut(fmt.Sprintf("lose what is sent to machine %d", m), es...)
}

func cutBroker(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	return c.cut("cut "+brokerName(m)+" from the other brokers", bothWays(m, others(m)...)...)
}

func cutPair(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := two(r, others(0))
	return c.cut(fmt.Sprintf("cut %s from %s", brokerName(m[0]), brokerName(m[1])), bothWays(m[0], m[1])...)
}

func cutOneWay(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := two(r, others(0))
	return c.cut(fmt.Sprintf("lose what %s sends to %s", brokerName(m[0]), brokerName(m[1])), edge{m[0], m[1]})
}

func cutClients(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	return c.cut(fmt.Sprintf("cut the clients from machine %d", m), bothWays(clientMachine, m)...)
}

func cutAll(_ context.Context, c *Cluster, _ *rand.Rand) (*active, error) {
	return c.cut("cut all brokers apart", append(bothWays(1, 2, 3), bothWays(2, 3)...)...)
}

func wayKinds() []Kind {
	return []Kind{
		{"delay leader", 2, leastCut, mostCut, bad("delay", theLeader, delayed), false},
		{"delay acceptor", 1, leastCut, mostCut, bad("delay", one(acceptor), delayed), false},
		{"delay all acceptors", 1, leastCut, mostCut, bad("delay", allOf(acceptor), delayed), false},
		{"delay learner", 1, leastCut, mostCut, bad("delay", one(learner), delayed), false},
		{"stall leader", 2, leastCut, mostCut, bad("stall", theLeader, stalled), false},
		{"stall acceptor", 2, leastCut, mostCut, bad("stall", one(acceptor), stalled), false},
		{"stall learner", 1, leastCut, mostCut, bad("stall", one(learner), stalled), false},
		{"reset leader", 2, leastAway, leastCut, reset(theLeader), false},
		{"reset any role", 2, leastAway, leastCut, reset(anyRole), false},
		{"refuse leader", 1, leastCut, mostAway, bad("refuse", theLeader, refused), false},
		{"refuse any role", 1, leastCut, mostAway, bad("refuse", anyRole, refused), false},
	}
}

func allOf(kind roleKind) choose {
	return func(_ context.Context, c *Cluster, _ *rand.Rand) []*role { return c.of(kind) }
}

func anyRole(_ context.Context, c *Cluster, r *rand.Rand) []*role {
	var rs []*role
	for _, x := range c.roles {
		if x.out == "" {
			rs = append(rs, x)
		}
	}
	return []*role{pick(r, rs)}
}

func delayed(r *rand.Rand) (string, world.Way) {
	d := time.Duration(1+r.Int64N(int64(mostDelay/time.Millisecond))) * time.Millisecond
	return fmt.Sprintf(" by %v", d), world.Way{Delay: d}
}

func stalled(r *rand.Rand) (string, world.Way) {
	switch r.IntN(3) {
	case 0:
		return " outwards", world.Way{StallOut: true}
	case 1:
		return " inwards", world.Way{StallIn: true}
	default:
		return " both ways", world.Way{StallOut: true, StallIn: true}
	}
}

func refused(*rand.Rand) (string, world.Way) { return "", world.Way{Refuse: true} }

// bad makes the way between roles and their broker bad.
func bad(verb string, whom choose, how func(*rand.Rand) (string, world.Way)) beginning {
	return func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
		rs := whom(ctx, c, r)
		text, way := how(r)
		for _, x := range rs {
			x.proxy.Set(way)
		}
		return &active{what: verb + " " + names(rs) + text, end: func(context.Context) error {
			for _, x := range rs {
				x.proxy.Set(world.Way{})
			}
			return nil
		}}, nil
	}
}

// reset resets what connections there are: they come back at once.
func reset(whom choose) beginning {
	return func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
		rs := whom(ctx, c, r)
		for _, x := range rs {
			x.proxy.Reset()
		}
		return done("reset the connections of %s", names(rs))
	}
}
