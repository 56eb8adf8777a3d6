package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"go.uber.org/fx"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/paxos"
)

// devOptions are dev's flags.
type devOptions struct {
	data, listen, http, level string
	logs                      []string
}

// newDev is `paxosd dev`: a whole cluster in one process.
func newDev(std stdio) *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:     "dev",
		Short:   "Run a whole cluster in one process, with a NATS server in it",
		Long:    "Runs 3 acceptors, 2 proposers and 2 learners in one process on an embedded NATS server: a running log to try things out with.\nEvery acknowledgement is fsynced on two of the three acceptors, here as everywhere.",
		GroupID: groupServe,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDev(cmd.Context(), std, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "`folder` to keep the log in; a restart finds everything again (default a temporary one)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:4222", "`address` of the NATS server; port 0 takes any")
	f.StringVar(&o.http, "http", "127.0.0.1:7480", "`address` of /metrics, /livez, /readyz and /status; port 0 takes any, off for none")
	f.StringSliceVar(&o.logs, "logs", []string{"main"}, "`names` of the logs to have")
	f.StringVar(&o.level, "log-level", "warn", "`level` of log lines: debug, info, warn, error")
	return cmd
}

func runDev(ctx context.Context, std stdio, o devOptions) error {
	if len(o.logs) == 0 {
		return usagef("--logs is empty: name at least one")
	}
	for i, l := range o.logs {
		if slices.Contains(o.logs[:i], l) {
			return usagef("--logs: %q is there twice", l)
		}
		if !paxos.ValidName(l) {
			return usagef("--logs: %q is no valid name: letters, digits, '-' and '_', at most %d, beginning with a letter or digit", l, paxos.MaxNameBytes)
		}
	}
	if err := checkAddress("--listen", o.listen); err != nil {
		return err
	}
	if o.http != "off" {
		if err := checkAddress("--http", o.http); err != nil {
			return err
		}
	}
	temporary := o.data == ""
	if temporary {
		dir, err := os.MkdirTemp("", "paxosd-dev-")
		if err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		o.data = dir
		defer func() { _ = os.RemoveAll(dir) }() // what is left is in a temporary folder
	}
	unlock, err := lockFolder(o.data)
	if err != nil {
		return err
	}
	defer unlock()
	log, err := newLogger(configs.Logging{Level: o.level, Format: "text"}, std.err)
	if err != nil {
		return &usageError{err: err}
	}
	broker, err := startBroker(ctx, o.listen, "", log)
	if err != nil {
		return err
	}
	defer broker.Shutdown()
	leads, closeLeads, err := watchLeaders(broker.ClientURL(), o.logs)
	if err != nil {
		return err
	}
	defer closeLeads()
	cfg, ps := devConfig(o, broker.ClientURL())
	var web *httpServer
	return serve(ctx, application(cfg, ps, std, fx.Populate(&web)), func(h *host) {
		fmt.Fprintf(std.out, "paxosd dev, pid %d, starting: 3 acceptors, 2 proposers, 2 learners\n", os.Getpid())
		go func() {
			if waitFor(ctx, h.ready) && waitFor(ctx, leads) {
				greet(std, o, broker.ClientURL(), web.address(), temporary)
			}
		}()
	})
}

// checkAddress refuses what no process can listen at, and names the flag.
func checkAddress(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return usagef("%s: %q is no host:port", flag, address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return usagef("%s: %q is no port: 0 to 65535", flag, port)
	}
	return nil
}

// greet says what there is and what to try next.
func greet(std stdio, o devOptions, url, web string, temporary bool) {
	var b strings.Builder
	server := ""
	if url != nats.DefaultURL && url != "nats://127.0.0.1:4222" {
		server = " --server " + url
	}
	fmt.Fprintf(&b, "ready: log %s at %s\n", strings.Join(o.logs, ", "), url)
	if web != "" {
		fmt.Fprintf(&b, "http:  http://%s/status, /metrics, /readyz\n", web)
	}
	if temporary {
		fmt.Fprintf(&b, "data:  %s, a temporary folder that goes with this process; keep a log with --data DIR\n", o.data)
	} else {
		fmt.Fprintf(&b, "data:  %s\n", o.data)
	}
	fmt.Fprintf(&b, "try:   seq 1 1000 | paxosd append%s\n", server)
	fmt.Fprintf(&b, "       paxosd subscribe%s --from first\n", server)
	fmt.Fprintf(&b, "       nats req%s paxos.main.%s.append 'hello'\n", server, o.logs[0])
	fmt.Fprint(std.out, b.String())
}

// devConfig returns the configurations of dev's roles. They share all but names and folders.
func devConfig(o devOptions, url string) (*configs.Config, []part) {
	base := configs.Default()
	base.Node = "dev"
	base.Broker.URLs = []string{url}
	base.HTTP.Listen = o.http
	base.HTTP.Pprof = true
	base.Logging.Level = o.level
	base.Logs = o.logs
	base.Acceptors, base.Proposers = []string{"a1", "a2", "a3"}, []string{"p1", "p2"}
	base.Learners, base.Keepers = []string{"l1", "l2"}, []string{"l1", "l2"}
	base.Quorum = configs.Quorum{Read: 2, Write: 2, Keepers: 2}
	base.Disk.Ballast = 16 * configs.MiB
	var ps []part
	add := func(kind paxos.Role, name string, set func(c *configs.Config, name, dir string)) {
		c := *base
		set(&c, name, filepath.Join(o.data, name))
		ps = append(ps, part{kind: kind, cfg: &c})
	}
	for _, n := range base.Acceptors {
		add(paxos.RoleAcceptor, n, func(c *configs.Config, n, d string) { c.Acceptor = configs.Acceptor{Name: n, Data: d} })
	}
	for _, n := range base.Learners {
		add(paxos.RoleLearner, n, func(c *configs.Config, n, d string) { c.Learner = configs.Learner{Name: n, Data: d, Keeper: true} })
	}
	for _, n := range base.Proposers {
		add(paxos.RoleProposer, n, func(c *configs.Config, n, _ string) { c.Proposer = configs.Proposer{Name: n, Found: n == "p1"} })
	}
	return base, ps
}

// watchLeaders returns a channel that is closed once every log has announced a leader.
func watchLeaders(url string, logs []string) (<-chan struct{}, func(), error) {
	nc, err := nats.Connect(url, nats.MaxReconnects(-1))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the embedded broker: %w", err)
	}
	all := make(chan struct{})
	missing := make(map[string]bool)
	for _, l := range logs {
		missing[l] = true
	}
	_, err = nc.Subscribe("paxos.main.*.leader.*", func(m *nats.Msg) { // one goroutine calls it
		if len(missing) == 0 {
			return
		}
		delete(missing, strings.Split(m.Subject, ".")[2])
		if len(missing) == 0 {
			close(all)
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("watch for leaders: %w", err)
	}
	return all, nc.Close, nil
}

// lockFolder makes the folder and keeps other processes out of it, until the returned function is called or the process
// ends, however it ends.
func lockFolder(dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--data %s: %w", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--data %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("--data %s is in use by another process: stop it, or choose another folder", dir)
		}
		return nil, fmt.Errorf("--data %s: lock: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}
