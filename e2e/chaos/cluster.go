//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// The logs of a cluster: producers of the first share it; those of the second append on condition alone.
const (
	mainLog = "main"
	condLog = "cond"
)

// Ports: brokers take clients at the first and brokers at the second; proxies count up from the third in their node.
const (
	clientPort = 4222
	routePort  = 6222
	proxyPort  = 4300
	httpPort   = 7480
)

// member is where a role runs.
type member struct {
	name string
	kind string
	node int
}

// members are the cluster's roles, in the order of their start.
var members = []member{
	{"a1", "acceptor", 1},
	{"a2", "acceptor", 2},
	{"a3", "acceptor", 3},
	{"l1", "learner", 1},
	{"l2", "learner", 2},
	{"p1", "proposer", 1},
	{"p2", "proposer", 2},
}

// cluster is three brokers and the roles.
type cluster struct {
	dir     string
	configs string // folder of the shipped files
	net     *network
	home    bool // each role knows its own node's broker alone; else all three
	procs   map[string]*process
	order   []string // brokers first
	disks   map[string]*disk
	weather map[string]*weather
	close   []func() error

	mu    sync.Mutex
	found []string // violations that processes showed
	notes []string // ends that a supervisor mends
}

// newCluster writes the configuration of a new cluster and starts it.
func newCluster(o *options, n *network, dir string, home bool) (*cluster, error) {
	c := &cluster{
		dir: dir, configs: o.configs, net: n, home: home, procs: make(map[string]*process), disks: make(map[string]*disk), weather: make(map[string]*weather),
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return c, err
	}
	if err := c.addBrokers(o.paxosd); err != nil {
		return c, err
	}
	for i, m := range members {
		if err := c.addRole(o.paxosd, m, i); err != nil {
			return c, fmt.Errorf("set up %s: %w", m.name, err)
		}
	}
	for _, name := range c.order {
		if err := c.procs[name].start(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// shipped returns a file of configs/ with some lines changed. Each must be there.
func (c *cluster) shipped(name string, changes ...string) (string, error) {
	b, err := os.ReadFile(filepath.Join(c.configs, name))
	if err != nil {
		return "", err
	}
	s := string(b)
	for i := 0; i < len(changes); i += 2 {
		if strings.Count(s, changes[i]) != 1 {
			return "", fmt.Errorf("%s has %q not exactly once", name, changes[i])
		}
		s = strings.Replace(s, changes[i], changes[i+1], 1)
	}
	return s, nil
}

// addBrokers writes the shipped broker.conf for each broker, with routes to the others.
func (c *cluster) addBrokers(path string) error {
	passwords, err := c.shipped("broker-passwords.conf")
	if err != nil {
		return err
	}
	for i := 1; i <= nodes; i++ {
		var routes []string
		for j := 1; j <= nodes; j++ {
			if j != i {
				routes = append(routes, fmt.Sprintf("nats-route://%s:%d", routeAddress(j), routePort))
			}
		}
		name := fmt.Sprintf("b%d", i)
		conf, err := c.shipped(
			"broker.conf",
			"server_name: paxosd-broker", "server_name: "+name,
			"listen: 127.0.0.1:4222", fmt.Sprintf("listen: 0.0.0.0:%d", clientPort),
		)
		if err != nil {
			return err
		}
		conf += fmt.Sprintf("\ncluster {\n  name: chaos\n  listen: \"%s:%d\"\n  no_advertise: true\n  routes: [%s]\n}\n",
			routeAddress(i), routePort, strings.Join(routes, ", "))
		dir := filepath.Join(c.dir, name)
		file := filepath.Join(dir, "broker.conf")
		if err := errors.Join(
			os.MkdirAll(dir, 0o755),
			os.WriteFile(filepath.Join(dir, "broker-passwords.conf"), []byte(passwords), 0o600),
			os.WriteFile(file, []byte(conf), 0o600),
		); err != nil {
			return err
		}
		c.add(path, name, i, "", "broker", "--config", file)
	}
	return nil
}

// addRole makes a role's disk, its proxies and its configuration.
func (c *cluster) addRole(path string, m member, i int) error {
	w := newWeather()
	c.weather[m.name] = w
	var urls []string
	for b := 1; b <= nodes; b++ {
		if c.home && b != m.node {
			continue
		}
		at, to := fmt.Sprintf("127.0.0.1:%d", proxyPort+10*i+b), fmt.Sprintf("%s:%d", address(b), clientPort)
		l, err := c.net.listen(m.node, at)
		if err != nil {
			return err
		}
		c.close = append(c.close, l.Close)
		go serveProxy(c.net, m.node, l, to, w)
		urls = append(urls, "nats://"+at)
	}
	conf, err := c.shipped(
		m.kind+"-"+m.name+".yaml",
		"urls: [nats://127.0.0.1:4222]", "urls: ["+strings.Join(urls, ", ")+"]",
		"logs: [main]", "logs: ["+mainLog+", "+condLog+"]",
	)
	if err != nil {
		return err
	}
	file := filepath.Join(c.dir, m.name+".yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	web := fmt.Sprintf("%s:%d", address(m.node), httpPort+i)
	// The engine's own room to reopen is kept small, and no room is kept free: a full disk is to be met, not avoided.
	args := []string{m.kind, "--config", file, "--http", web, "--set", "disk.ballast=16MiB", "--set", "disk.min_free=0"}
	if m.kind != "proposer" {
		d, err := newDisk(c.dir, m.name)
		if err != nil {
			return err
		}
		c.disks[m.name] = d
		args = append(args, "--set", m.kind+".data="+d.store())
	}
	c.add(path, m.name, m.node, web, args...)
	return nil
}

func (c *cluster) add(path, name string, node int, web string, args ...string) {
	c.procs[name] = &process{
		name: name, node: node, path: path, args: args, http: web, net: c.net, logs: filepath.Join(c.dir, name+".log"), fell: c.fell,
	}
	c.order = append(c.order, name)
}

// fell is told of a process that ended by itself. One that failed is started again, as a supervisor would; one that found damage, or
// panicked, did so for no reason that the harness gave.
func (c *cluster) fell(p *process, code int, last string) {
	what := fmt.Sprintf("%s ended by itself with code %d: %s", p.name, code, last)
	c.mu.Lock()
	if code == 1 {
		c.notes = append(c.notes, what)
	} else {
		c.found = append(c.found, what)
	}
	c.mu.Unlock()
	if code == 1 {
		time.Sleep(500 * time.Millisecond)
		_ = p.start()
	}
}

// told returns what processes showed since the last call.
func (c *cluster) told() (found, notes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, notes = c.found, c.notes
	c.found, c.notes = nil, nil
	return found, notes
}

// end kills every process and gives back what the cluster has of the machine.
func (c *cluster) end() error {
	var errs []error
	for _, p := range c.procs {
		p.retire()
		p.signal(syscall.SIGCONT)
		errs = append(errs, p.stop(syscall.SIGKILL))
	}
	for _, f := range c.close {
		errs = append(errs, f())
	}
	for _, w := range c.weather {
		w.clear()
		w.reset()
	}
	for _, d := range c.disks {
		errs = append(errs, d.remove())
	}
	return errors.Join(errs...)
}

// connect returns a client's connection to any of the brokers.
func (c *cluster) connect() (*nats.Conn, error) {
	var urls []string
	for i := 1; i <= nodes; i++ {
		urls = append(urls, fmt.Sprintf("nats://%s:%d", address(i), clientPort))
	}
	return nats.Connect(
		strings.Join(urls, ","), nats.UserInfo("client", "change-me-client"), nats.CustomInboxPrefix("_INBOX_client"),
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(true),
		nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2), nats.Timeout(time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	)
}

// role is the part of /status that the harness looks at.
type role struct {
	Ready bool `json:"ready"`
	Logs  []struct {
		Log     string `json:"log"`
		Serving bool   `json:"serving"`
		Through uint64 `json:"through"`
		Hash    string `json:"hash"`
	} `json:"logs"`
}

// status asks a role for its state.
func (c *cluster) status(name string) (role, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.procs[name].http+"/status", http.NoBody)
	if err != nil {
		return role{}, false
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}}).Do(req)
	if err != nil {
		return role{}, false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	var all []role
	if err != nil || json.Unmarshal(b, &all) != nil || len(all) != 1 {
		return role{}, false
	}
	return all[0], true
}

// leader returns the proposer that serves a log, or "".
func (c *cluster) leader(log string) string {
	for _, name := range []string{"p1", "p2"} {
		r, ok := c.status(name)
		if !ok {
			continue
		}
		for _, l := range r.Logs {
			if l.Log == log && l.Serving {
				return name
			}
		}
	}
	return ""
}

// unready returns those that should run and do not, or say that they are not ready.
func (c *cluster) unready() []string {
	var not []string
	for _, name := range c.order {
		p := c.procs[name]
		if !p.wanted() {
			continue
		}
		ok := p.runs()
		if ok && p.http != "" {
			r, answered := c.status(name)
			ok = answered && r.Ready
		}
		if !ok {
			not = append(not, name)
		}
	}
	return not
}

// until polls cond, because processes tell of their state only when asked.
func until(limit time.Duration, cond func() bool) bool {
	for end := time.Now().Add(limit); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// sameHash waits until both learners are through the same slot of each log, and compares their running hashes.
func (c *cluster) sameHash() []string {
	var found []string
	for _, log := range []string{mainLog, condLog} {
		ok := until(60*time.Second, func() bool {
			var at [2]struct {
				through uint64
				hash    string
			}
			for i, name := range []string{"l1", "l2"} {
				r, answered := c.status(name)
				if !answered {
					return false
				}
				for _, l := range r.Logs {
					if l.Log == log {
						at[i].through, at[i].hash = l.Through, l.Hash
					}
				}
			}
			if at[0].through == 0 || at[0].through != at[1].through {
				return false
			}
			if at[0].hash != at[1].hash {
				found = append(found, fmt.Sprintf("log %s, slot %d: l1 has hash %s, l2 %s", log, at[0].through, at[0].hash, at[1].hash))
			}
			return true
		})
		if !ok {
			found = append(found, fmt.Sprintf("log %s: the learners did not come to one slot within a minute", log))
		}
	}
	return found
}

// of returns the names of all roles of a kind that may run.
func (c *cluster) of(kind string) []string {
	var names []string
	for _, m := range members {
		if m.kind == kind && c.procs[m.name].wanted() {
			names = append(names, m.name)
		}
	}
	return names
}

// on returns every process of a node.
func (c *cluster) on(node int) []string {
	return slices.DeleteFunc(slices.Clone(c.order), func(name string) bool { return c.procs[name].node != node })
}
