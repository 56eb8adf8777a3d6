package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// A disk is full for some time: longer than it takes to notice. lowBytes is less than the tenth that acceptors want free.
const (
	leastFull = time.Second
	mostFull  = 5 * time.Second
	lowBytes  = storeBytes / 20
)

func diskKinds() []Kind {
	return []Kind{
		{"fill acceptor's disk", 2, leastFull, mostFull, fill(one(acceptor), 0), false},
		{"fill learner's disk", 2, leastFull, mostFull, fill(one(learner), 0), false},
		{"leave acceptor little room", 1, leastFull, mostFull, fill(one(acceptor), lowBytes), false},
		{"cut machine's power", 4, leastAway, mostAway, powerMachine, false},
		{"cut all power", 3, leastAway, mostAway, powerAll, false},
		{"damage learner's store", 2, 0, 0, damageLearner, true},
	}
}

// fill leaves so much room on roles' disks. A process that meets a full disk says so and ends; it is started again when there is room.
func fill(whom choose, left int64) beginning {
	return func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
		rs := whom(ctx, c, r)
		x := rs[0]
		x.full, x.fullSince = true, x.proc.Said()
		if err := x.disk.Fill(left); err != nil {
			return nil, err
		}
		return &active{what: fmt.Sprintf("leave %s %d MiB", x.name, left>>20), end: func(context.Context) error {
			if err := x.disk.Empty(); err != nil {
				return err
			}
			return x.restartFull()
		}}, nil
	}
}

// restartFull starts a role that ended on its full disk. It has to have ended for that reason.
func (r *role) restartFull() error {
	if r.proc.Runs() {
		return nil // it may be about to end: that is seen, and dealt with, where the cluster's recovery is waited for
	}
	code := r.proc.Code()
	switch {
	case r.harmed && code == exitCorrupt:
		return nil // dealt with where its end is noticed
	case code == -1: // another fault killed it
		return r.proc.Start()
	case r.endedFull():
		r.full = false
		return r.proc.Start()
	default:
		return fmt.Errorf("%w: %s ended with code %d on a full disk: %s", errViolated, r.name, code, lastLine(r.proc.SaidSince(r.fullSince)))
	}
}

// endedFull reports whether a role ended because its disk was full: once, since the disk was filled.
func (r *role) endedFull() bool {
	return r.full && r.proc.Code() == 1 && strings.Contains(r.proc.SaidSince(r.fullSince), "no space left on device")
}

// losePower cuts the power of roles and brokers: what is not synced is gone. Nothing runs between the moment in which the processes stop
// and that in which the disks do, so that all of a machine ends at one instant as far as anybody can see.
func losePower(what string, brokers []*world.Process, rs []*role) (*active, error) {
	ps := append(append([]*world.Process(nil), brokers...), processesOf(rs)...)
	for _, p := range ps {
		p.Signal(syscall.SIGSTOP)
	}
	for _, r := range rs {
		if r.disk == nil || r.out != "" {
			continue
		}
		if err := r.disk.LosePower(); err != nil {
			return nil, err
		}
	}
	for _, p := range ps {
		p.Signal(syscall.SIGKILL)
	}
	return &active{what: what, end: func(context.Context) error {
		for _, p := range ps {
			p.Kill()
		}
		for _, r := range rs {
			if r.disk == nil || r.out != "" {
				continue
			}
			if err := r.disk.Restart(); err != nil {
				return err
			}
		}
		for _, p := range ps {
			if err := p.Start(); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

func powerMachine(_ context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	m := 1 + r.IntN(machines)
	return losePower(fmt.Sprintf("cut the power of machine %d", m), []*world.Process{c.brokers[m-1]}, c.on(m))
}

func powerAll(_ context.Context, c *Cluster, _ *rand.Rand) (*active, error) {
	return losePower("cut the power of all machines", c.brokers, c.roles)
}
