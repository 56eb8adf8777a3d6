package harness

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// role is a process of the cluster that is no broker, with its store, its way to its broker and its pages.
type role struct {
	place
	proc      *world.Process
	proxy     *world.Proxy
	disk      *world.Disk // nil: a proposer
	store     string      // folder on the disk
	pages     *http.Client
	http      string
	full      bool  // its disk was filled in this step, and it has not ended of that
	fullSince int64 // place in what it says

	begins uint64 // first offset of main that a learner holds: 1, unless its store was replaced

	out string // why it stays out of this cluster for good; empty: it does not

	harmed bool   // its store was damaged, and it has not noticed yet
	reason string // what it said when it did
	heard  int    // connections to its broker until then
}

// Cluster is all processes, on a network of their own.
type Cluster struct {
	dir     string
	binary  string
	net     *world.Network
	brokers []*world.Process // of machine 1, 2, …
	roles   []*role
	victim  *role // the learner whose store is damaged, now and again; nil: none was yet
}

// NewCluster starts a cluster in an empty folder. binary is a paxosd.
func NewCluster(dir, binary string) (_ *Cluster, err error) {
	c := &Cluster{dir: dir, binary: binary}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.net, err = world.NewNetwork(clientMachine); err != nil {
		return nil, err
	}
	if err := c.writeFiles(); err != nil {
		return nil, err
	}
	for i := 1; i <= machines; i++ {
		b := &world.Process{
			Name: brokerName(i), Machine: c.net.Machine(i), Path: binary, Env: []string{oneProcessor}, Output: c.path(brokerName(i) + ".log"),
			Args: []string{"broker", "--config", c.path(brokerName(i) + ".conf")},
		}
		c.brokers = append(c.brokers, b)
		if err := b.Start(); err != nil {
			return nil, err
		}
	}
	for i, p := range places() {
		if err := c.addRole(i, p); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// oneProcessor is what docs/operations.md advises where many processes share few processors.
const oneProcessor = "GOMAXPROCS=1"

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

// writeFiles writes the shipped configuration for this cluster, with what a broker needs to be one of three.
func (c *Cluster) writeFiles() error {
	t := topology()
	files := configs.RoleFiles(t)
	files["broker-passwords.conf"] = configs.PasswordsFile(t)
	for i := 1; i <= machines; i++ {
		text, err := brokerFile(t, i)
		if err != nil {
			return err
		}
		files[brokerName(i)+".conf"] = text
	}
	for name, text := range files {
		if err := os.WriteFile(c.path(name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func brokerFile(t *configs.Topology, machine int) ([]byte, error) {
	text := string(configs.BrokerFile(t))
	for _, x := range [][2]string{
		{"server_name: paxosd-broker", "server_name: " + brokerName(machine)},
		{"listen: 127.0.0.1:4222", fmt.Sprintf("listen: 0.0.0.0:%d", brokerPort)},
	} {
		if !strings.Contains(text, x[0]) {
			return nil, fmt.Errorf("the shipped broker configuration has no line %q", x[0])
		}
		text = strings.Replace(text, x[0], x[1], 1)
	}
	var b bytes.Buffer
	b.WriteString(text)
	fmt.Fprintf(&b, "\ncluster {\n  name: chaos\n  listen: %s:%d\n  no_advertise: true\n  routes: [\n", world.Address(machine), routePort)
	for _, i := range others(machine) {
		fmt.Fprintf(&b, "    nats-route://%s:%d\n", world.Address(i), routePort)
	}
	b.WriteString("  ]\n}\n")
	return b.Bytes(), nil
}

// addRole makes a role with its disk and its proxy, and starts it.
func (c *Cluster) addRole(i int, p place) error {
	m := c.net.Machine(p.machine)
	r := &role{place: p, begins: 1, http: fmt.Sprintf("127.0.0.1:%d", httpPort+i)}
	r.pages = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DialContext: m.DialContext, DisableKeepAlives: true}}
	c.roles = append(c.roles, r)
	var err error
	way := fmt.Sprintf("127.0.0.1:%d", proxyPort+i)
	if r.proxy, err = world.NewProxy(m, way, fmt.Sprintf("127.0.0.1:%d", brokerPort)); err != nil {
		return err
	}
	args := []string{
		string(p.kind), "--config", c.path(string(p.kind) + "-" + p.name + ".yaml"), "--server", "nats://" + way, "--http", r.http,
		"--set", "logs=" + logMain + "," + logSingle, "--set", "disk.ballast=16MiB",
	}
	if p.kind != proposer {
		if r.disk, err = world.NewDisk(c.path(p.name), storeBytes); err != nil {
			return err
		}
		r.store = filepath.Join(r.disk.Dir(), "store")
		args = append(args, "--set", string(p.kind)+".data="+r.store)
	}
	r.proc = &world.Process{
		Name: p.name, Machine: m, Path: c.binary, Args: args, Env: []string{oneProcessor}, Output: c.path(p.name + ".log"),
	}
	return r.proc.Start()
}

// Close ends every process and lets go of everything. The logs of the processes stay.
func (c *Cluster) Close() {
	for _, p := range c.all() {
		p.Signal(syscall.SIGKILL)
	}
	for _, p := range c.all() {
		p.Ends(time.Minute)
	}
	for _, r := range c.roles {
		if r.proxy != nil {
			r.proxy.Close()
		}
		if r.disk != nil {
			_ = r.disk.Close()
		}
	}
	if c.net != nil {
		c.net.Close()
	}
}

// all returns every process.
func (c *Cluster) all() []*world.Process {
	ps := append([]*world.Process(nil), c.brokers...)
	for _, r := range c.roles {
		if r.proc != nil {
			ps = append(ps, r.proc)
		}
	}
	return ps
}

// on returns the roles of a machine.
func (c *Cluster) on(machine int) []*role {
	var rs []*role
	for _, r := range c.roles {
		if r.machine == machine {
			rs = append(rs, r)
		}
	}
	return rs
}

// of returns the roles of a kind that are not out.
func (c *Cluster) of(kind roleKind) []*role {
	var rs []*role
	for _, r := range c.roles {
		if r.kind == kind && r.out == "" {
			rs = append(rs, r)
		}
	}
	return rs
}

// Ready waits until every role that is not out is ready.
func (c *Cluster) Ready(ctx context.Context) error {
	for {
		waits, err := c.waits(ctx)
		if err != nil {
			return err
		}
		if waits == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s: %w", waits, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended deals with a role that does not run any more. Only damage that it noticed late is a reason for that, and a write that failed just
// before a full disk had room again.
func (c *Cluster) ended(ctx context.Context, r *role) error {
	if r.endedFull() {
		r.full = false
		return r.proc.Start()
	}
	said := r.proc.SaidSince(0)
	if !r.harmed {
		return fmt.Errorf("%w: %s ended by itself with code %d: %s", errViolated, r.name, r.proc.Code(), lastLine(said))
	}
	if err := r.gaveUp(said); err != nil {
		return err
	}
	if r.kind == learner {
		return c.replaceLearner(ctx, r)
	}
	r.out = "its store was damaged"
	return nil
}

// waits names a role that is not ready; empty: all are.
func (c *Cluster) waits(ctx context.Context) (string, error) {
	for _, r := range c.roles {
		if r.out != "" {
			continue
		}
		if !r.proc.Runs() {
			if err := c.ended(ctx, r); err != nil {
				return "", err
			}
			return r.name + " had ended", nil
		}
		if code, body := r.get(ctx, "/readyz"); code != http.StatusOK {
			return r.name + ": " + strings.TrimSpace(body), nil
		}
	}
	return "", nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
