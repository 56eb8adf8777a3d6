//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// binary is the program under test, built once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "paxosd-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "paxosd")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/paxosd")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// proc is one process of the cluster. Its arguments stay the same over restarts.
type proc struct {
	name string
	args []string
	logs string // file that its output is appended to
	http string // address of its HTTP listener; empty: none

	mu   sync.Mutex
	cmd  *exec.Cmd
	end  chan struct{}
	code int // its last exit code; -1 if a signal ended it
}

// start runs the process, if it does not run.
func (p *proc) start(t testing.TB) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return
	}
	f, err := os.OpenFile(p.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, p.args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	p.cmd, p.end = cmd, end
	go func() {
		_ = cmd.Wait()
		_ = f.Close()
		p.mu.Lock()
		p.cmd, p.code = nil, cmd.ProcessState.ExitCode()
		p.mu.Unlock()
		close(end)
	}()
}

// signal sends a signal to the process, if it runs.
func (p *proc) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// stop signals the process and waits for its end.
func (p *proc) stop(t testing.TB, s syscall.Signal) {
	t.Helper()
	p.mu.Lock()
	end, running := p.end, p.cmd != nil
	p.mu.Unlock()
	if !running {
		return
	}
	p.signal(s)
	select {
	case <-end:
	case <-time.After(30 * time.Second):
		t.Errorf("%s did not end on %v", p.name, s)
		p.signal(syscall.SIGKILL)
		<-end
	}
}

// runs reports whether the process runs.
func (p *proc) runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// ended waits until the process ends by itself, and returns its exit code and all it said.
func (p *proc) ended(t testing.TB, limit time.Duration) (code int, said string) {
	t.Helper()
	p.mu.Lock()
	end := p.end
	p.mu.Unlock()
	select {
	case <-end:
	case <-time.After(limit):
		t.Fatalf("%s did not end within %v", p.name, limit)
	}
	b, err := os.ReadFile(p.logs)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code, string(b)
}

// cluster is the eight processes of the shipped configuration.
type cluster struct {
	t     testing.TB
	dir   string
	url   string // with the client's credentials
	host  string
	procs map[string]*proc
	order []string
}

// root is the repository's folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// freePort returns a port that nobody listens on, and none twice. It is below those that systems give to connections: one of those may be taken before
// the process it is for listens, at its first start or at a later one; the broker must keep its port over restarts.
func freePort(t testing.TB) int {
	t.Helper()
	const first, last, tries = 10_000, 30_000, 100
	for range tries {
		port := first + rand.IntN(last-first)
		if _, given := portsGiven.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("none of %d ports is free", tries)
	return 0
}

var portsGiven sync.Map

// newCluster starts a cluster from configs/ in a temporary folder and waits until it takes appends.
func newCluster(t testing.TB, extra ...string) *cluster {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	host := fmt.Sprintf("127.0.0.1:%d", port)
	c := &cluster{t: t, dir: dir, host: host, procs: make(map[string]*proc)}
	c.url = "nats://client:change-me-client@" + host
	cfg := filepath.Join(root(t), "configs")
	c.add("broker", "", "broker", "--config", filepath.Join(cfg, "broker.conf"), "--listen", host)
	for _, n := range []string{"a1", "a2", "a3", "l1", "l2", "p1", "p2"} {
		role := map[byte]string{'a': "acceptor", 'l': "learner", 'p': "proposer"}[n[0]]
		web := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		args := []string{
			role, "--config", filepath.Join(cfg, role+"-"+n+".yaml"), "--server", "nats://" + host, "--http", web,
			"--set", "disk.ballast=1MiB",
		}
		if role != "proposer" {
			args = append(args, "--set", role+".data="+filepath.Join(dir, n))
		}
		c.add(n, web, append(args, extra...)...)
	}
	t.Cleanup(c.close)
	for _, n := range c.order {
		c.procs[n].start(t)
	}
	c.waitAppend(30 * time.Second)
	return c
}

func (c *cluster) add(name, web string, args ...string) {
	c.procs[name] = &proc{name: name, args: args, http: web, logs: filepath.Join(c.dir, name+".log")}
	c.order = append(c.order, name)
}

// close ends every process, and prints the ends of their logs if the test failed.
func (c *cluster) close() {
	if c.t.Failed() {
		if out, stderr, _ := c.run(nil, "status", "--json", "--timeout", "3s"); out != "" || stderr != "" {
			c.t.Logf("--- status\n%s%s", out, stderr)
		}
	}
	for i := len(c.order) - 1; i >= 0; i-- {
		p := c.procs[c.order[i]]
		p.signal(syscall.SIGCONT)
		p.stop(c.t, syscall.SIGKILL)
	}
	if c.t.Failed() {
		for _, n := range c.order {
			b, _ := os.ReadFile(c.procs[n].logs)
			if len(b) > 6000 {
				b = b[len(b)-6000:]
			}
			c.t.Logf("--- %s\n%s", n, b)
		}
	}
}

// connect returns a client's connection.
func (c *cluster) connect(opts ...nats.Option) *nats.Conn {
	c.t.Helper()
	opts = append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectBufSize(-1),
		nats.CustomInboxPrefix("_INBOX_client"), nats.PingInterval(2 * time.Second), nats.RetryOnFailedConnect(true),
	}, opts...)
	nc, err := nats.Connect(c.url, opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	return nc
}

// waitAppend waits until a plain append is acknowledged.
func (c *cluster) waitAppend(limit time.Duration) {
	c.t.Helper()
	nc := c.connect()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for ctx.Err() == nil {
		try, done := context.WithTimeout(ctx, time.Second)
		m, err := nc.RequestWithContext(try, "paxos.main.main.append", []byte("are you there?"))
		if err == nil && m.Header.Get("Nats-Service-Error") == "" {
			done()
			return
		}
		if err != nil && strings.Contains(err.Error(), "no responders") {
			// The broker answers at once where nobody leads: what is left of the second is the pause.
			select {
			case <-try.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
		done()
	}
	c.t.Fatalf("no append was acknowledged in %v", limit)
}

// get reads one of a process's HTTP pages.
func (p *proc) get(path string) (int, string, error) {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get("http://" + p.http + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// run runs the binary as a user would, and returns what it said. It must end by itself: one that goes on is killed, and has the code -1.
func (c *cluster) run(in io.Reader, args ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	path, err := binary()
	if err != nil {
		c.t.Fatal(err)
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(limit, path, args...)
	cmd.Env = append(os.Environ(), "NATS_URL="+c.url, "PAXOSD_INBOX_PREFIX=_INBOX_client")
	cmd.Stdin = in
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// until polls cond until it holds: processes tell of their state only when asked.
func until(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
