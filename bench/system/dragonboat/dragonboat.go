// Package dragonboat runs dragonboat for the benchmark: three node hosts, a shard for each log, and before each a front that takes proposals over
// TCP, because dragonboat is a library without a client of its own.
package dragonboat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/bench/system"
)

const (
	replicas = 3
	module   = "github.com/lni/dragonboat/v4"

	rttMillisecond = 10
	electionRTT    = 100 // 1 s
	heartbeatRTT   = 10  // 100 ms
)

// Dragonboat is the system.
type Dragonboat struct {
	Tan bool // its own log instead of Pebble
}

var _ system.System = Dragonboat{}

// mostTanLogs is how many logs dragonboat's own log is asked to keep: it has files of its own for each, and with a thousand of three
// replicas they took 35 GB before the first append.
const mostTanLogs = 256

// Name is "dragonboat-pebble" or "dragonboat-tan".
func (d Dragonboat) Name() string { return "dragonboat-" + d.store() }

func (d Dragonboat) store() string {
	if d.Tan {
		return "tan"
	}
	return "pebble"
}

// Durable is true: a majority has synced an entry before it is applied.
func (Dragonboat) Durable() bool { return true }

// About says version and configuration.
func (d Dragonboat) About() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				version = m.Version
			}
		}
	}
	return fmt.Sprintf("dragonboat %s; 3 replicas, log in %s, heartbeat 100 ms, election 1 s, no snapshots; a proposal is acknowledged once applied; "+
		"its state machine keeps every entry in memory, and the client talks to the leader's process over TCP", version, d.store())
}

type cluster struct {
	g      system.Group
	fronts []string
	logs   []string
}

// Start starts the node hosts.
func (d Dragonboat) Start(ctx context.Context, o system.Options) (_ system.Cluster, err error) {
	if d.Tan && len(o.Logs) > mostTanLogs {
		return nil, fmt.Errorf("%d logs in %s: %w", len(o.Logs), d.store(), system.ErrUnsupported)
	}
	ports, err := system.Ports(2 * replicas)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var rafts []string
	c := &cluster{g: system.Group{Dir: o.Dir}, logs: o.Logs}
	for i := range replicas {
		rafts = append(rafts, fmt.Sprintf("127.0.0.1:%d", ports[i]))
		c.fronts = append(c.fronts, fmt.Sprintf("127.0.0.1:%d", ports[replicas+i]))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	var env []string
	if o.Procs > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", o.Procs))
	}
	for i := range replicas {
		name := fmt.Sprint("d", i+1)
		err := c.g.Start(name, "replica", env, self, "serve", "dragonboat", strconv.Itoa(i+1), filepath.Join(o.Dir, name), d.store(),
			c.fronts[i], strconv.Itoa(len(o.Logs)), strings.Join(rafts, ","))
		if err != nil {
			return nil, err
		}
	}
	return c, c.serves(ctx)
}

// serves waits until each log takes an append.
func (c *cluster) serves(ctx context.Context) error {
	for _, log := range c.logs {
		cl, err := c.Client(ctx, log, system.ClientOptions{})
		if err != nil {
			return err
		}
		err = system.Until(ctx, func(ctx context.Context) error { return cl.Append(ctx, []byte("ready?")) })
		if err = errors.Join(err, cl.Close()); err != nil {
			return fmt.Errorf("log %s: %w: %s", log, err, c.g.Tail("d1"))
		}
	}
	return nil
}

func (c *cluster) Processes() []system.Process { return c.g.Processes() }

func (c *cluster) shard(log string) (uint64, error) {
	for i, l := range c.logs {
		if l == log {
			return uint64(i + 1), nil
		}
	}
	return 0, fmt.Errorf("there is no log %s", log)
}

func (c *cluster) KillLeader(ctx context.Context, log string) error {
	shard, err := c.shard(log)
	if err != nil {
		return err
	}
	leader, err := whoLeads(ctx, c.fronts, shard)
	if err != nil {
		return err
	}
	return c.g.Kill(fmt.Sprint("d", leader))
}

func (c *cluster) Revive(ctx context.Context) error {
	if _, err := c.g.Restart(); err != nil {
		return err
	}
	for i := range c.fronts {
		err := system.Until(ctx, func(ctx context.Context) error {
			_, err := whoLeads(ctx, c.fronts[i:i+1], 1)
			return err
		})
		if err != nil {
			return err
		}
	}
	return c.serves(ctx)
}

func (c *cluster) Close() error { return c.g.Close() }
