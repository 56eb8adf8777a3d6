package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// killed processes stay away, and paused ones still, for these times. The protocol's time-out is one second: some are shorter.
const (
	leastAway = 100 * time.Millisecond
	mostAway  = 4 * time.Second
)

func processKinds() []Kind {
	return []Kind{
		{"kill leader", 4, leastAway, mostAway, kill(theLeader), false},
		{"kill standby", 1, leastAway, mostAway, kill(aStandby), false},
		{"kill acceptor", 2, leastAway, mostAway, kill(one(acceptor)), false},
		{"kill two acceptors", 1, leastAway, mostAway, kill(twoOf(acceptor)), false},
		{"kill learner", 2, leastAway, mostAway, kill(one(learner)), false},
		{"kill broker", 2, leastAway, mostAway, killBroker, false},
		{"kill machine", 2, leastAway, mostAway, killMachine, false},
		{"kill everything", 1, leastAway, mostAway, killEverything, false},
		{"stop leader", 2, leastAway, mostAway, stopLeader, true},
		{"pause leader", 4, leastAway, mostAway, pauseRoles(theLeader), false},
		{"pause acceptor", 2, leastAway, mostAway, pauseRoles(one(acceptor)), false},
		{"pause two acceptors", 1, leastAway, mostAway, pauseRoles(twoOf(acceptor)), false},
		{"pause learner", 1, leastAway, mostAway, pauseRoles(one(learner)), false},
		{"pause broker", 2, leastAway, 2 * mostAway, pauseBroker, false},
		{"pause machine", 2, leastAway, 2 * mostAway, pauseMachine, false},
	}
}

type beginning = func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error)

// killAll kills processes; what mends it starts them again.
func killAll(what string, ps []*world.Process) *active {
	for _, p := range ps {
		p.Signal(syscall.SIGKILL)
	}
	return &active{what: what, end: func(context.Context) error {
		for _, p := range ps {
			p.Kill()
			if err := p.Start(); err != nil {
				return err
			}
		}
		return nil
	}}
}

func processesOf(rs []*role) []*world.Process {
	ps := make([]*world.Process, 0, len(rs))
	for _, r := range rs {
		if r.out == "" {
			ps = append(ps, r.proc)
		}
	}
	return ps
}

func kill(whom choose) beginning {
	return func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
		rs := whom(ctx, c, r)
		return killAll("kill "+names(rs), processesOf(rs)), nil
	}
}

func killBroker(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	b := pick(r, c.brokers)
	return killAll("kill "+b.Name, []*world.Process{b}), nil
}

func killMachine(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	return killAll(fmt.Sprintf("kill all on machine %d", m), c.processesOn(m)), nil
}

func killEverything(_ context.Context, c *Cluster, _ *rand.Rand) (*active, error) {
	ps := append([]*world.Process(nil), c.brokers...)
	return killAll("kill everything", append(ps, processesOf(c.roles)...)), nil
}

// processesOn returns the broker and the roles of a machine, without those that stay out.
func (c *Cluster) processesOn(machine int) []*world.Process {
	return append([]*world.Process{c.brokers[machine-1]}, processesOf(c.on(machine))...)
}

// stopLimit is how long an orderly stop may take: the hand-over, the goodbye to the broker, and some.
const stopLimit = 10 * time.Second

// stopLeader is what an operator does: the leader hands over.
func stopLeader(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	l := c.leaderOr(ctx, r)
	if l.proc.Stop(syscall.SIGTERM, stopLimit) {
		return nil, fmt.Errorf("%w: %s did not stop within %v", errViolated, l.name, stopLimit)
	}
	return &active{what: "stop " + l.name, end: func(context.Context) error { return l.proc.Start() }}, nil
}

// pauseAll stops processes where they are.
func pauseAll(what string, ps []*world.Process) *active {
	for _, p := range ps {
		p.Signal(syscall.SIGSTOP)
	}
	return &active{what: what, end: func(context.Context) error {
		for _, p := range ps {
			p.Signal(syscall.SIGCONT)
		}
		return nil
	}}
}

func pauseRoles(whom choose) beginning {
	return func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
		rs := whom(ctx, c, r)
		return pauseAll("pause "+names(rs), processesOf(rs)), nil
	}
}

func pauseBroker(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	b := pick(r, c.brokers)
	return pauseAll("pause "+b.Name, []*world.Process{b}), nil
}

func pauseMachine(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	return pauseAll(fmt.Sprintf("pause all on machine %d", m), c.processesOn(m)), nil
}
