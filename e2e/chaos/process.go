//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one process of the cluster. Its arguments stay the same over restarts.
type process struct {
	name string
	node int
	path string
	args []string
	logs string // file that its output is appended to
	http string // address of its HTTP listener; empty: none
	net  *network
	fell func(p *process, code int, last string) // it ended without being asked to

	mu     sync.Mutex
	cmd    *exec.Cmd
	end    chan struct{}
	asked  bool // its end is no surprise
	code   int  // its last exit code; -1 if a signal ended it
	outOf  bool // not to be started again: its store is damaged
	starts int
}

// start runs the process in its node's network, if it does not run.
func (p *process) start() error { return p.launch(false) }

// startDoomed starts a process that is expected to end by itself.
func (p *process) startDoomed() error { return p.launch(true) }

func (p *process) launch(doomed bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil || p.outOf {
		return nil
	}
	f, err := os.OpenFile(p.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := p.net.within(p.node, cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	end := make(chan struct{})
	p.cmd, p.end, p.asked = cmd, end, doomed
	p.starts++
	go p.wait(cmd, f, end)
	return nil
}

func (p *process) wait(cmd *exec.Cmd, f *os.File, end chan struct{}) {
	_ = cmd.Wait()
	_ = f.Close()
	p.mu.Lock()
	p.cmd, p.code = nil, cmd.ProcessState.ExitCode()
	asked, code := p.asked, p.code
	p.mu.Unlock()
	close(end)
	if !asked {
		p.fell(p, code, p.lastLine())
	}
}

// expect says that the process may end by itself from now on.
func (p *process) expect() {
	p.mu.Lock()
	p.asked = true
	p.mu.Unlock()
}

// signal sends a signal to the process, if it runs.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		if s == syscall.SIGKILL || s == syscall.SIGTERM {
			p.asked = true
		}
		_ = p.cmd.Process.Signal(s)
	}
}

// stop signals the process and waits for its end.
func (p *process) stop(s syscall.Signal) error {
	p.signal(s)
	if _, ok := p.ended(30 * time.Second); !ok {
		return fmt.Errorf("%s did not end on %v", p.name, s)
	}
	return nil
}

// ended waits until the process does not run, and returns its exit code.
func (p *process) ended(limit time.Duration) (code int, ok bool) {
	p.mu.Lock()
	end, running := p.end, p.cmd != nil
	p.mu.Unlock()
	if running {
		select {
		case <-end:
		case <-time.After(limit):
			return 0, false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.code, true
}

func (p *process) runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// wanted reports whether the process should run: its store is not damaged.
func (p *process) wanted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.outOf
}

// retire says that the process is never to be started again.
func (p *process) retire() {
	p.mu.Lock()
	p.outOf = true
	p.mu.Unlock()
}

// said returns what the process printed from a place on.
func (p *process) said(from int64) string {
	b, err := os.ReadFile(p.logs)
	if err != nil || from > int64(len(b)) {
		return ""
	}
	return string(b[from:])
}

// length is how much the process has printed.
func (p *process) length() int64 {
	info, err := os.Stat(p.logs)
	if err != nil {
		return 0
	}
	return info.Size()
}

func (p *process) lastLine() string {
	lines := strings.Split(strings.TrimSpace(p.said(0)), "\n")
	return lines[len(lines)-1]
}
