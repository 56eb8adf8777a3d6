package world

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// inside marks the process that has namespaces of its own.
const inside = "CHAOS_INSIDE"

// Enter runs this program again in mount, network and process namespaces of its own, waits for its end and returns its exit code with
// outside true. In the program that runs there it returns outside false, and the caller goes on.
//
// The kernel ends everything in a process namespace with its first process, and frees namespaces, mounts and loop devices that nobody
// has any more: so nothing is left behind, even if this program is killed.
func Enter() (code int, outside bool, err error) {
	if os.Getenv(inside) != "" {
		return 0, false, settle()
	}
	if os.Getuid() != 0 {
		return 1, true, errors.New("make namespaces and mount file systems: this needs root")
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // an interrupt of the terminal comes by way of this process, once
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 1, true, fmt.Errorf("make namespaces: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return max(exit.ExitCode(), 1), true, nil
			}
			return 0, true, err
		}
	}
}

// settle keeps mounts to the new namespace, and shows its processes.
func settle() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("keep mounts to this namespace: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	return os.Unsetenv(inside)
}
