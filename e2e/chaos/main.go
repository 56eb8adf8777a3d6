//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Exit codes.
const (
	exitHeld     = 0
	exitViolated = 1
	exitUnable   = 2 // the harness itself could not go on: nothing was shown
)

// options are the flags.
type options struct {
	minutes  float64
	seed     uint64
	json     string
	faults   int
	only     string
	keep     string
	paxosd   string
	configs  string
	work     string
	verbose  bool
	deadline time.Time
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	var o options
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.Float64Var(&o.minutes, "minutes", 10, "how long to run; the round that is under way is finished")
	fs.Uint64Var(&o.seed, "seed", 0, "seed of the plan; 0 takes any, and prints it")
	fs.StringVar(&o.json, "json", "", "write the results to this `file`, too")
	fs.IntVar(&o.faults, "faults", 40, "faults of a round, before the acceptor's store is damaged")
	fs.StringVar(&o.only, "only", "", "only faults whose `kinds` are listed here, separated by commas")
	fs.StringVar(&o.keep, "keep", "", "`folder` for the processes' logs of rounds that were violated (default: a new one)")
	fs.StringVar(&o.paxosd, "paxosd", "", "`binary` to run (default: built from this module)")
	fs.StringVar(&o.configs, "configs", "configs", "`folder` of the shipped configuration")
	fs.StringVar(&o.work, "inside", "", "folder of a run that has its namespaces; the harness gives it to itself")
	fs.BoolVar(&o.verbose, "v", false, "show each step")
	if err := fs.Parse(args); err != nil {
		return exitUnable
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1e9) + 1
		args = append(args, fmt.Sprintf("-seed=%d", o.seed))
	}
	o.deadline = time.Now().Add(time.Duration(o.minutes * float64(time.Minute)))
	var code int
	var err error
	if o.work == "" {
		code, err = enter(&o, args, out, errs)
	} else {
		code, err = inside(&o, out)
	}
	if err != nil {
		fmt.Fprintf(errs, "chaos: %v\n", err)
		return exitUnable
	}
	return code
}

// enter makes the run's folder, removes what killed runs left, builds the binary and runs this program again in namespaces of its own.
func enter(o *options, args []string, out, errs io.Writer) (int, error) {
	if os.Getuid() != 0 {
		return 0, errors.New("needs root: it makes namespaces, bridges and mounts")
	}
	work, done, err := newFolder()
	if err != nil {
		return 0, err
	}
	defer done()
	if o.paxosd == "" {
		o.paxosd = filepath.Join(work, "paxosd")
		build := exec.Command("go", "build", "-o", o.paxosd, "github.com/paxosd/paxosd/cmd/paxosd")
		if text, err := build.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("build paxosd: %w\n%s", err, text)
		}
	}
	cmd := exec.Command("/proc/self/exe", append(args, "-inside="+work, "-paxosd="+o.paxosd)...)
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	// An interrupt from the terminal reaches both: the one inside ends its round and reports.
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("enter namespaces: %w", err)
	}
	go func() {
		for s := range stop {
			_ = cmd.Process.Signal(s)
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	if code := cmd.ProcessState.ExitCode(); code >= 0 {
		return code, nil
	}
	return 0, fmt.Errorf("the run was ended: %v", cmd.ProcessState)
}

const folderPattern = "paxosd-chaos-"

// newFolder returns a folder for a run and a function that removes it. Folders whose run is gone are removed first: a run holds a lock
// on its own.
func newFolder() (string, func(), error) {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), folderPattern+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range left {
		if f, err := lockFolder(dir); err == nil {
			err = os.RemoveAll(dir)
			_ = f.Close()
			if err != nil {
				return "", nil, fmt.Errorf("remove what a killed run left: %w", err)
			}
		}
	}
	dir, err := os.MkdirTemp("", folderPattern)
	if err != nil {
		return "", nil, err
	}
	f, err := lockFolder(dir)
	if err != nil {
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir); _ = f.Close() }, nil
}

func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// inside is the run, as the first process of its namespaces.
func inside(o *options, out io.Writer) (int, error) {
	if err := settle(); err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(out, "seed %d, %g minutes\n", o.seed, o.minutes)
	net, err := newNetwork()
	if err != nil {
		return 0, err
	}
	rep := newReport(o, out)
	for number := 1; number == 1 || (time.Now().Before(o.deadline) && ctx.Err() == nil); number++ {
		if err := playRound(ctx, o, net, rep, number); err != nil {
			rep.end()
			return 0, fmt.Errorf("round %d: %w", number, err)
		}
	}
	if err := rep.end(); err != nil {
		return 0, err
	}
	if len(rep.Violations) > 0 {
		return exitViolated, nil
	}
	return exitHeld, nil
}

// settle makes the namespaces fit to work in: mounts stay private, /proc shows our processes, and /run keeps named network namespaces.
func settle() error {
	if os.Getpid() != 1 {
		return errors.New("-inside is for the harness itself")
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", syscall.MS_PRIVATE | syscall.MS_REC},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0},
	} {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}
