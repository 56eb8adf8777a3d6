package system

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

func (m *managed) runs() bool {
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
	if m == nil {
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
			ps = append(ps, Process{Name: m.name, Role: m.role, PID: m.cmd.Process.Pid})
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

// Usage is what processes have used since they started.
type Usage struct {
	CPU     time.Duration // user and system
	Written uint64        // bytes handed to the block layer, /proc/PID/io
	Peak    uint64        // resident memory in bytes, at most
}

// Measure reads the usage of a process.
func Measure(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	_, after, _ := bytes.Cut(stat, []byte(") ")) // the name may hold spaces
	fields := strings.Fields(string(after))
	if len(fields) < 13 {
		return u, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	const tick = time.Second / 100 // USER_HZ, the same on every Linux that Go runs on
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(n) * tick
	}
	if u.Written, err = field(fmt.Sprintf("/proc/%d/io", pid), "write_bytes:"); err != nil {
		return u, err
	}
	kib, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
	u.Peak = kib << 10
	return u, err
}

func field(path, name string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), name); ok {
			return strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// Ports returns n free ports of the loopback interface.
func Ports(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all are held until the last is known
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
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
