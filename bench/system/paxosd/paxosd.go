// Package paxosd runs paxosd for the benchmark, from configuration files and with permissions written as the project writes those that it ships.
package paxosd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/bench/system"
	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/configs"
)

// Paxosd is the system.
type Paxosd struct {
	Nodes bool // the roles of a node share a process: three of "paxosd node" beside the broker, instead of one process for each role
}

var _ system.System = Paxosd{}

// Name is "paxosd" or "paxosd-node".
func (p Paxosd) Name() string {
	if p.Nodes {
		return "paxosd-node"
	}
	return "paxosd"
}

// Durable is true: an append is acknowledged once a majority of the acceptors has synced it.
func (Paxosd) Durable() bool { return true }

// About names the processes.
func (p Paxosd) About() string {
	who := "broker (NATS, in memory), 3 acceptors, 2 proposers, 2 learners, one process each, GOMAXPROCS=1"
	if p.Nodes {
		who = "broker (NATS, in memory), and 3 processes: acceptor, proposer and learner; the same; an acceptor"
	}
	return "this tree; configuration as shipped; " + who + "; fsync on a majority of acceptors before each acknowledgement"
}

// procs is GOMAXPROCS of each process, as docs/operations.md advises where processes are many and processors few; 0: Go's own.
func (p Paxosd) procs() int {
	if p.Nodes {
		return 0
	}
	return 1
}

// topology is the shipped one, with so many learners; 0: as many as are shipped. Fewer than two there cannot be: acceptors forget what two copies hold.
func topology(learners int) *configs.Topology {
	t := configs.ShippedTopology()
	if learners > 0 {
		t.Learners = nil
		for i := range learners {
			t.Learners = append(t.Learners, fmt.Sprint("l", i+1))
		}
	}
	return t
}

// The shipped users.
const (
	user, password = "client", "change-me-client"
	monitor        = "monitor:change-me-monitor"
)

// Start starts broker, acceptors, learners and proposers.
func (p Paxosd) Start(ctx context.Context, o system.Options) (_ system.Cluster, err error) {
	t := topology(o.Learners)
	c := &cluster{g: system.Group{Dir: o.Dir}, o: o, ready: make(map[string]string), process: make(map[string]string)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := write(t, o.Dir); err != nil {
		return nil, err
	}
	files := len(configs.RoleFiles(t))
	ports, err := system.Ports(1 + files)
	if err != nil {
		return nil, err
	}
	at := fmt.Sprintf("127.0.0.1:%d", ports[0])
	c.url = fmt.Sprintf("nats://%s:%s@%s", user, password, at)
	var env []string
	if procs := max(o.Procs, p.procs()); procs > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", procs))
	}
	if err := c.g.Start("broker", "broker", env, o.Paxosd, "broker", "--config", filepath.Join(o.Dir, "broker.conf"), "--listen", at); err != nil {
		return nil, err
	}
	for i, r := range c.roles(t, p.Nodes) {
		web := fmt.Sprintf("127.0.0.1:%d", ports[1+i])
		args := []string{o.Paxosd, r.command, "--config", filepath.Join(o.Dir, r.file), "--server", "nats://" + at, "--http", web, "--set", "logs=" + strings.Join(o.Logs, ",")}
		for _, d := range r.data {
			args = append(args, "--set", d+".data="+filepath.Join(o.Dir, r.name+"-"+d))
		}
		if err := c.g.Start(r.name, r.role, env, args...); err != nil {
			return nil, err
		}
		c.g.Serves(r.name, "http://"+web+"/metrics")
		c.ready[r.name] = "http://" + web + "/readyz"
	}
	return c, c.begin(ctx)
}

// write writes the configuration of every process.
func write(t *configs.Topology, dir string) error {
	files := configs.RoleFiles(t)
	files["broker.conf"], files["broker-passwords.conf"] = configs.BrokerFile(t), configs.PasswordsFile(t)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// role is one process to start.
type role struct {
	name, role, command, file string
	data                      []string // sections of the configuration that have a folder
}

// roles lists the processes, and notes which process has which role.
func (c *cluster) roles(t *configs.Topology, nodes bool) (rs []role) {
	if nodes {
		for i, n := range t.Nodes {
			r := role{name: n.Name, role: "node", command: "node", file: fmt.Sprintf("node-%d.yaml", i+1)}
			for _, name := range n.Roles {
				c.process[name] = n.Name
				switch {
				case slices.Contains(t.Acceptors, name):
					r.data = append(r.data, "acceptor")
				case slices.Contains(t.Learners, name):
					r.data = append(r.data, "learner")
				}
			}
			rs = append(rs, r)
		}
		return rs
	}
	for _, k := range []struct {
		kind  string
		names []string
		data  []string
	}{{"acceptor", t.Acceptors, []string{"acceptor"}}, {"learner", t.Learners, []string{"learner"}}, {"proposer", t.Proposers, nil}} {
		for _, name := range k.names {
			c.process[name] = name
			rs = append(rs, role{name: name, role: k.kind, command: k.kind, file: k.kind + "-" + name + ".yaml", data: k.data})
		}
	}
	return rs
}

// begin waits until the cluster serves all its logs.
func (c *cluster) begin(ctx context.Context) error {
	err := system.Until(ctx, func(context.Context) (err error) {
		c.nc, err = nats.Connect(c.url, nats.CustomInboxPrefix("_INBOX_"+user), nats.MaxReconnects(-1))
		return err
	})
	if err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	if c.c, err = client.New(ctx, c.nc); err != nil {
		return err
	}
	return system.Each(ctx, c.o.Logs, c.serves)
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
