//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// Kinds of which the plan's end takes some by name.
var (
	killLeader      = kind{name: "leader killed", draw: signalled(syscall.SIGKILL, theLeader)}
	pauseLearner    = kind{name: "learner paused", draw: signalled(syscall.SIGSTOP, one("learner"))}
	resetConnection = kind{name: "connection reset", draw: drawReset}
	damagedAcceptor = kind{name: "acceptor's store damaged", alone: true, draw: drawDamagedAcceptor}
)

// kinds are all that a round's plan may draw, but for the damage of an acceptor, which has its place at the end.
func kinds() []kind {
	return []kind{
		killLeader,
		{name: "leader terminated", draw: signalled(syscall.SIGTERM, theLeader)},
		{name: "leader paused", draw: signalled(syscall.SIGSTOP, theLeader)},
		{name: "acceptor killed", draw: signalled(syscall.SIGKILL, one("acceptor"))},
		{name: "acceptor paused", draw: signalled(syscall.SIGSTOP, one("acceptor"))},
		{name: "learner killed", draw: signalled(syscall.SIGKILL, one("learner"))},
		pauseLearner,
		{name: "broker killed", draw: signalled(syscall.SIGKILL, aBroker)},
		{name: "broker paused", draw: signalled(syscall.SIGSTOP, aBroker)},
		{name: "all killed", alone: true, draw: signalled(syscall.SIGKILL, everybody)},
		{name: "all paused", alone: true, draw: signalled(syscall.SIGSTOP, everybody)},
		{name: "node cut off", draw: drawCut},
		{name: "node not heard", draw: drawMute},
		{name: "node does not hear", draw: drawDeaf},
		{name: "one way between two nodes cut", draw: drawOneWay},
		{name: "broker cut from brokers", draw: drawBrokerCut},
		{name: "connection slow", draw: drawSlow},
		{name: "connection stalled", draw: drawStalled},
		{name: "connection stalled one way", draw: drawHalfStalled},
		resetConnection,
		{name: "acceptor's disk full", alone: true, draw: drawFull("acceptor")},
		{name: "learner's disk full", alone: true, draw: drawFull("learner")},
		{name: "acceptor loses power", draw: drawPower(one("acceptor"))},
		{name: "learner loses power", draw: drawPower(one("learner"))},
		{name: "node loses power", draw: drawPower(aNode)},
		{name: "all lose power", alone: true, draw: drawPower(everybody)},
		{name: "learner's store damaged", alone: true, draw: drawDamagedLearner},
	}
}

// victims draws whom a fault is done to.
type victims func(r *round, rng *rand.Rand) []string

func theLeader(r *round, _ *rand.Rand) []string {
	if name := r.c.leader(mainLog); name != "" {
		return []string{name}
	}
	return []string{"p1"}
}

func one(kind string) victims {
	return func(r *round, rng *rand.Rand) []string {
		names := r.c.of(kind)
		return []string{names[rng.IntN(len(names))]}
	}
}

func aBroker(_ *round, rng *rand.Rand) []string {
	return []string{fmt.Sprintf("b%d", 1+rng.IntN(nodes))}
}

func aNode(r *round, rng *rand.Rand) []string { return r.c.on(1 + rng.IntN(nodes)) }

func everybody(r *round, _ *rand.Rand) []string { return r.c.order }

// called names victims in a line of output.
func called(names []string, all int) string {
	if len(names) == all {
		return "all"
	}
	return fmt.Sprint(names)
}

// signalled kills, ends or pauses processes.
func signalled(s syscall.Signal, who victims) func(*round, *rand.Rand) fault {
	word := map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM", syscall.SIGSTOP: "SIGSTOP"}[s]
	return func(r *round, rng *rand.Rand) fault {
		names := who(r, rng)
		return fault{
			what: word + " " + called(names, len(r.c.order)), touches: touch(r, names),
			begin: func() error {
				for _, n := range names {
					r.c.procs[n].signal(s)
				}
				return nil
			},
			heal: func() error {
				var errs []error
				for _, n := range names {
					p := r.c.procs[n]
					if s == syscall.SIGSTOP {
						p.signal(syscall.SIGCONT)
					} else if err := p.stop(s); err != nil {
						errs = append(errs, err)
						continue
					}
					errs = append(errs, p.start())
				}
				return errors.Join(errs...)
			},
		}
	}
}

func touch(r *round, names []string) []string {
	if len(names) == len(r.c.order) {
		return []string{"all"}
	}
	return names
}

// anyNode draws a node, half of the time the leader's.
func anyNode(r *round, rng *rand.Rand) int {
	node, lead := 1+rng.IntN(nodes), rng.IntN(2) == 0
	if name := r.c.leader(mainLog); lead && name != "" {
		return r.c.procs[name].node
	}
	return node
}

// The network's faults all touch it, so that no two of them are there at once: what one mends, the other may have broken.
var wholeNetwork = []string{"network"}

func drawCut(r *round, rng *rand.Rand) fault {
	node := anyNode(r, rng)
	return fault{
		what: fmt.Sprintf("cut node %d off", node), touches: wholeNetwork,
		begin: func() error { return r.c.net.plug(node, false) },
		heal:  func() error { return r.c.net.plug(node, true) },
	}
}

// way is one direction between two nodes; 0 is the clients'.
type way struct{ from, to int }

// ways makes a fault of what is sent on some ways and vanishes.
func ways(r *round, what string, all []way, clients bool) fault {
	each := func(f func(from, to int, clients, brokers bool) error) error {
		var errs []error
		for _, w := range all {
			errs = append(errs, f(w.from, w.to, clients, true))
		}
		return errors.Join(errs...)
	}
	return fault{
		what: what, touches: wholeNetwork,
		begin: func() error { return each(r.c.net.mute) },
		heal:  func() error { return each(r.c.net.unmute) },
	}
}

// others returns the ways from a node to all others, the hub with them, or back.
func others(node int, back, hub bool) []way {
	var all []way
	for i := 0; i <= nodes; i++ {
		switch {
		case i == node, i == 0 && !hub:
		case back:
			all = append(all, way{i, node})
		default:
			all = append(all, way{node, i})
		}
	}
	return all
}

func drawMute(r *round, rng *rand.Rand) fault {
	node := anyNode(r, rng)
	return ways(r, fmt.Sprintf("nobody hears node %d", node), others(node, false, true), true)
}

func drawDeaf(r *round, rng *rand.Rand) fault {
	node := anyNode(r, rng)
	return ways(r, fmt.Sprintf("node %d hears nobody", node), others(node, true, true), true)
}

func drawOneWay(r *round, rng *rand.Rand) fault {
	from := anyNode(r, rng)
	to := 1 + (from+rng.IntN(nodes-1))%nodes
	return ways(r, fmt.Sprintf("node %d does not hear node %d", to, from), []way{{from, to}}, true)
}

func drawBrokerCut(r *round, rng *rand.Rand) fault {
	node := anyNode(r, rng)
	return ways(r, fmt.Sprintf("b%d cut from the other brokers", node), append(others(node, false, false), others(node, true, false)...), false)
}

// anyRole draws a role, a third of the time the leader.
func anyRole(r *round, rng *rand.Rand) string {
	name, lead := members[rng.IntN(len(members))].name, rng.IntN(3) == 0
	if leader := r.c.leader(mainLog); lead && leader != "" {
		return leader
	}
	return name
}

func drawSlow(r *round, rng *rand.Rand) fault {
	name, delay := anyRole(r, rng), time.Duration(20+rng.IntN(180))*time.Millisecond
	w := r.c.weather[name]
	return fault{
		what: fmt.Sprintf("%s's connection slow by %v", name, delay), touches: []string{name},
		begin: func() error { w.delay.Store(int64(delay)); return nil },
		heal:  func() error { w.clear(); return nil },
	}
}

func drawStalled(r *round, rng *rand.Rand) fault {
	name := anyRole(r, rng)
	w := r.c.weather[name]
	return fault{
		what: name + "'s connection stalled", touches: []string{name},
		begin: func() error { w.up.Store(true); w.down.Store(true); return nil },
		heal:  func() error { w.clear(); return nil },
	}
}

func drawHalfStalled(r *round, rng *rand.Rand) fault {
	name := anyRole(r, rng)
	w := r.c.weather[name]
	side, what := &w.up, "sends"
	if rng.IntN(2) == 0 {
		side, what = &w.down, "is sent"
	}
	return fault{
		what: fmt.Sprintf("what %s %s stalled", name, what), touches: []string{name},
		begin: func() error { side.Store(true); return nil },
		heal:  func() error { w.clear(); return nil },
	}
}

func drawReset(r *round, rng *rand.Rand) fault {
	name := anyRole(r, rng)
	w := r.c.weather[name]
	return fault{
		what: name + "'s connection reset twice", touches: []string{name},
		begin: func() error { w.reset(); return nil },
		heal:  func() error { w.reset(); return nil },
	}
}
