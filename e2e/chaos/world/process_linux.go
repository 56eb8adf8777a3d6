package world

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a program on a machine. Its arguments stay the same over restarts.
type Process struct {
	Name    string
	Machine *Namespace
	Path    string
	Args    []string
	Env     []string
	Output  string // file that what it says is appended to

	mu   sync.Mutex
	cmd  *exec.Cmd
	end  chan struct{}
	code int
}

// Start starts the process, if it does not run.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	f, err := os.OpenFile(p.Output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := p.Machine.Start(cmd); err != nil {
		_ = f.Close()
		return fmt.Errorf("start %s: %w", p.Name, err)
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
	return nil
}

// Signal sends a signal to the process, if it runs.
func (p *Process) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// Kill ends the process and waits for its end.
func (p *Process) Kill() { p.Stop(syscall.SIGKILL, 0) }

// Stop signals the process and waits for its end; it is killed when that takes longer than limit. It reports whether that
// was necessary.
func (p *Process) Stop(s syscall.Signal, limit time.Duration) (killed bool) {
	p.Signal(s)
	if s != syscall.SIGKILL && !p.Ends(limit) {
		p.Signal(syscall.SIGKILL)
		killed = true
	}
	p.Ends(time.Minute)
	return killed
}

// Ends waits until the process does not run, and reports whether that was so within limit.
func (p *Process) Ends(limit time.Duration) bool {
	p.mu.Lock()
	end := p.end
	p.mu.Unlock()
	if end == nil {
		return true
	}
	select {
	case <-end:
		return true
	case <-time.After(limit):
		return false
	}
}

// Runs reports whether the process runs.
func (p *Process) Runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// Code returns the exit code with which the process ended last; -1: by a signal.
func (p *Process) Code() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code
}

// Said returns how much the process has said so far, in bytes: a place for SaidSince.
func (p *Process) Said() int64 {
	info, err := os.Stat(p.Output)
	if err != nil {
		return 0
	}
	return info.Size()
}

// SaidSince returns what the process said after a place.
func (p *Process) SaidSince(place int64) string {
	b, err := os.ReadFile(p.Output)
	if err != nil || int64(len(b)) < place {
		return ""
	}
	return string(b[place:])
}
