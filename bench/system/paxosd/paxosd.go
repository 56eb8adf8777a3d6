// Package paxosd runs paxosd for the benchmark, every role a process of its own, from the configuration files and with the permissions that the
// project ships.
package paxosd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/bench/system"
	"github.com/paxosd/paxosd/client"
)

// Paxosd is the system.
type Paxosd struct{ Root string } // Root is the folder of the repository

var _ system.System = Paxosd{}

// Name is "paxosd".
func (Paxosd) Name() string { return "paxosd" }

// Durable is true: an append is acknowledged once a majority of the acceptors has synced it.
func (Paxosd) Durable() bool { return true }

// About names the processes.
func (Paxosd) About() string {
	return "this tree; configs/*.yaml as shipped; broker (NATS, in memory), 3 acceptors, 2 proposers, 2 learners, one process each, GOMAXPROCS=1 each; fsync on a majority of acceptors before each acknowledgement"
}

type cluster struct {
	g   system.Group
	o   system.Options
	url string
	nc  *nats.Conn
}

// The shipped users.
const (
	user, password = "client", "change-me-client"
	monitor        = "monitor:change-me-monitor"
)

// closeLimit is how long what is on its way may take to be acknowledged when a client closes.
const closeLimit = 30 * time.Second

// Start starts broker, acceptors, learners and proposers.
func (p Paxosd) Start(ctx context.Context, o system.Options) (_ system.Cluster, err error) {
	ports, err := system.Ports(1)
	if err != nil {
		return nil, err
	}
	c := &cluster{g: system.Group{Dir: o.Dir}, o: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	at := fmt.Sprintf("127.0.0.1:%d", ports[0])
	server := "nats://" + at
	c.url = fmt.Sprintf("nats://%s:%s@%s", user, password, at)
	configs := filepath.Join(p.Root, "configs")
	procs := o.Procs
	if procs == 0 {
		procs = 1
	}
	env := []string{fmt.Sprintf("GOMAXPROCS=%d", procs)}
	if err := c.g.Start("broker", "broker", env, o.Paxosd, "broker", "--config", filepath.Join(configs, "broker.conf"), "--listen", at); err != nil {
		return nil, err
	}
	role := func(kind, name string, more ...string) error {
		args := []string{
			o.Paxosd, kind, "--config", filepath.Join(configs, kind+"-"+name+".yaml"), "--server", server, "--http", "off",
			"--set", "logs=" + strings.Join(o.Logs, ","),
		}
		return c.g.Start(name, kind, env, append(args, more...)...)
	}
	for _, n := range []string{"a1", "a2", "a3"} {
		err = errors.Join(err, role("acceptor", n, "--set", "acceptor.data="+filepath.Join(o.Dir, n)))
	}
	for _, n := range []string{"l1", "l2"} {
		err = errors.Join(err, role("learner", n, "--set", "learner.data="+filepath.Join(o.Dir, n)))
	}
	for _, n := range []string{"p1", "p2"} {
		err = errors.Join(err, role("proposer", n))
	}
	if err != nil {
		return nil, err
	}
	err = system.Until(ctx, func(context.Context) error {
		c.nc, err = nats.Connect(c.url, nats.CustomInboxPrefix("_INBOX_"+user), nats.MaxReconnects(-1))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	for _, log := range o.Logs {
		if err := c.serves(ctx, log); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// serves waits until an append to the log is acknowledged.
func (c *cluster) serves(ctx context.Context, log string) error {
	cl, err := c.Client(ctx, log, system.ClientOptions{})
	if err != nil {
		return err
	}
	err = system.Until(ctx, func(ctx context.Context) error { return cl.Append(ctx, []byte("ready?")) })
	if err != nil {
		err = fmt.Errorf("log %s does not serve: %w: %s", log, err, c.g.Tail("p1"))
	}
	return errors.Join(err, cl.Close())
}

func (c *cluster) Processes() []system.Process { return c.g.Processes() }

// KillLeader asks "paxosd status" who leads, and kills that proposer.
func (c *cluster) KillLeader(ctx context.Context, log string) error {
	cmd := exec.CommandContext(ctx, c.o.Paxosd, "status", "--json", "--timeout", "2s")
	cmd.Env = append(os.Environ(), "NATS_URL="+strings.Replace(c.url, user+":"+password, monitor, 1), "PAXOSD_INBOX_PREFIX=_INBOX_monitor")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("ask who leads: %w", err)
	}
	var st struct {
		Logs []struct{ Log, Leader string } `json:"logs"`
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return fmt.Errorf("ask who leads: %w", err)
	}
	for _, l := range st.Logs {
		if l.Log == log && l.Leader != "" {
			return c.g.Kill(l.Leader)
		}
	}
	return fmt.Errorf("nobody leads log %s: %s", log, out)
}

// Revive starts the proposer again. It stands by as soon as it is up.
func (c *cluster) Revive(ctx context.Context) error {
	if _, err := c.g.Restart(); err != nil {
		return err
	}
	for _, log := range c.o.Logs {
		if err := c.serves(ctx, log); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) Close() error {
	if c.nc != nil {
		c.nc.Close()
	}
	return c.g.Close()
}

// Client connects with a connection of its own.
func (c *cluster) Client(ctx context.Context, log string, o system.ClientOptions) (system.Client, error) {
	nc, err := nats.Connect(c.url, nats.CustomInboxPrefix("_INBOX_"+user), nats.MaxReconnects(-1))
	if err != nil {
		return nil, err
	}
	cl, err := client.New(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &caller{nc: nc, c: cl, log: cl.Log(log), window: make(chan struct{}, max(o.Window, 1))}, nil
}

type caller struct {
	nc     *nats.Conn
	c      *client.Client
	log    *client.Log
	p      *client.Producer
	window chan struct{}
}

func (c *caller) Append(ctx context.Context, payload []byte) error {
	_, err := c.log.Append(ctx, client.Entry{Payload: payload})
	return err
}

func (c *caller) Go(ctx context.Context, payload []byte, done func(error)) error {
	if c.p == nil {
		p, err := c.log.Producer(ctx)
		if err != nil {
			return err
		}
		c.p = p
	}
	c.window <- struct{}{}
	return c.p.Append(ctx, client.Entry{Payload: payload}, func(_ client.Ack, err error) {
		<-c.window
		done(err)
	})
}

func (c *caller) Subscribe(ctx context.Context, fromStart bool, ready func(), each func([]byte) bool) error {
	from := client.First()
	if !fromStart {
		last, err := c.log.LastOffset(ctx)
		if err != nil {
			return err
		}
		from = client.Offset(last + 1)
		ready()
	}
	for e, err := range c.log.Subscribe(ctx, from, client.Buffer(32<<20)) {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if !each(e.Payload) {
			return nil
		}
	}
	return nil
}

func (c *caller) Close() error {
	var err error
	if c.p != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		err = c.p.Close(ctx)
		cancel()
	}
	c.c.Close()
	c.nc.Close()
	return err
}

// Root finds the repository above the working folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "paxosd")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("run it inside the repository")
		}
	}
	return "", err
}
