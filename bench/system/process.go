package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Group starts and ends the processes of a cluster. Several goroutines may use it.
type Group struct {
	Dir string

	mu  sync.Mutex
	all []*managed
}

type managed struct {
	name, role string
	metrics    string
	env, args  []string
	cmd        *exec.Cmd
	done       chan struct{}
}

// Start starts a process whose output goes to a file. Started again under the same name it takes the place of the one before.
func (g *Group) Start(name, role string, env []string, args ...string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.find(name)
	if m == nil {
		m = &managed{name: name, role: role}
		g.all = append(g.all, m)
	}
	m.env, m.args = env, args
	return m.start(g.Dir)
}

// Serves says where a process serves metrics.
func (g *Group) Serves(name, metrics string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m := g.find(name); m != nil {
		m.metrics = metrics
	}
}

func (g *Group) find(name string) *managed {
	for _, m := range g.all {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (m *managed) start(dir string) error {
	out, err := os.OpenFile(filepath.Join(dir, m.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(m.args[0], m.args[1:]...)
	cmd.Env = append(os.Environ(), m.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the benchmark
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", m.name, err), out.Close())
	}
	done := make(chan struct{})
	m.cmd, m.done = cmd, done
	go func() {
		_ = cmd.Wait() // how it ended is of no interest: it was killed, or its log says why
		_ = out.Close()
		close(done)
	}()
	return nil
}

// runs reports whether the process was started and has not ended.
func (m *managed) runs() bool {
	if m.cmd == nil {
		return false
	}
	select {
	case <-m.done:
		return false
	default:
		return true
	}
}

// Kill kills a process and waits for its end.
func (g *Group) Kill(name string) error {
	g.mu.Lock()
	m := g.find(name)
	g.mu.Unlock()
	if m == nil || m.cmd == nil {
		return fmt.Errorf("kill %s: there is no such process", name)
	}
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	<-m.done
	return nil
}

// Restart starts every process again that does not run.
func (g *Group) Restart() (names []string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.all {
		if m.runs() {
			continue
		}
		if err := m.start(g.Dir); err != nil {
			return names, err
		}
		names = append(names, m.name)
	}
	return names, nil
}

// Processes lists what runs.
func (g *Group) Processes() (ps []Process) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.all {
		if m.runs() {
			ps = append(ps, Process{Name: m.name, Role: m.role, PID: m.cmd.Process.Pid, Metrics: m.metrics})
		}
	}
	return ps
}

// Close kills all processes.
func (g *Group) Close() error {
	var err error
	for _, p := range g.Processes() {
		err = errors.Join(err, g.Kill(p.Name))
	}
	return err
}

// Tail returns the last lines of a process's output, for errors.
func (g *Group) Tail(name string) string {
	b, err := os.ReadFile(filepath.Join(g.Dir, name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}

// Ports returns n free ports of the loopback interface. They are below those that systems give to connections: one of those may be taken before the
// process it is for listens, at its first start or at a later one.
func Ports(n int) ([]int, error) {
	const first, last, tries = 10_000, 30_000, 1000
	var ports []int
	for range tries {
		if len(ports) == n {
			return ports, nil
		}
		port := first + rand.IntN(last-first)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // all are held until the last is known
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("of %d ports only %d are free", tries, len(ports))
}

// Until calls try until it succeeds or ctx ends, and returns its last error then.
func Until(ctx context.Context, try func(ctx context.Context) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := try(one)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// together is how many of Each run at a time.
const together = 16

// Each calls f for each name, some at a time, and returns their errors.
func Each(ctx context.Context, names []string, f func(ctx context.Context, name string) error) error {
	var wg sync.WaitGroup
	room := make(chan struct{}, together)
	errs := make([]error, len(names))
	for i, n := range names {
		room <- struct{}{}
		wg.Go(func() {
			errs[i] = f(ctx, n)
			<-room
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
