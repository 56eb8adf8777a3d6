package world

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dialTimeout bounds a connection attempt.
const dialTimeout = 2 * time.Second

// Namespace is a network namespace. It lives as long as its file or a process in it.
type Namespace struct {
	name string
	file *os.File
	home *os.File // of this process
}

// NewNamespace makes a network namespace whose loopback is up.
func NewNamespace(name string) (*Namespace, error) {
	n := &Namespace{name: name}
	made := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		made <- n.make()
	}()
	if err := <-made; err != nil {
		n.Close()
		return nil, fmt.Errorf("make network namespace %s: %w", name, err)
	}
	if err := n.IP("link set lo up"); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

const ownNamespace = "/proc/thread-self/ns/net"

func (n *Namespace) make() (err error) {
	if n.home, err = os.Open(ownNamespace); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	n.file, err = os.Open(ownNamespace)
	return err
}

// Close lets go of the namespace.
func (n *Namespace) Close() {
	for _, f := range []*os.File{n.file, n.home} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Do calls f on a thread that is in the namespace: sockets that f makes and processes that it starts belong there. A Namespace
// that nobody made is the one in which the program is.
func (n *Namespace) Do(f func() error) error {
	if n.file == nil {
		return f()
	}
	runtime.LockOSThread()
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %s: %w", n.name, err)
	}
	err := f()
	if e := unix.Setns(int(n.home.Fd()), unix.CLONE_NEWNET); e != nil {
		return fmt.Errorf("leave network namespace %s: %w", n.name, e) // the thread stays locked and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// Dial connects from within the namespace. The address must be a number: names would be looked up elsewhere.
func (n *Namespace) Dial(network, address string) (net.Conn, error) {
	var c net.Conn
	err := n.Do(func() (err error) {
		c, err = net.DialTimeout(network, address, dialTimeout)
		return err
	})
	return c, err
}

// DialContext is Dial for HTTP transports.
func (n *Namespace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var c net.Conn
	err := n.Do(func() (err error) {
		c, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen listens within the namespace.
func (n *Namespace) Listen(address string) (net.Listener, error) {
	var l net.Listener
	err := n.Do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Start starts a command within the namespace.
func (n *Namespace) Start(cmd *exec.Cmd) error { return n.Do(cmd.Start) }

// IP runs lines of the program ip within the namespace.
func (n *Namespace) IP(lines ...string) error {
	cmd, said := ipCommand(lines)
	if err := n.Start(cmd); err != nil {
		return fmt.Errorf("run ip: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ip %q in %s: %w: %s", lines, n.name, err, said)
	}
	return nil
}

// ip runs lines of the program ip in this process's namespace. Open files are /proc/self/fd/3 and so on.
func ip(open []*os.File, lines ...string) error {
	cmd, said := ipCommand(lines)
	cmd.ExtraFiles = open
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ip %q: %w: %s", lines, err, said)
	}
	return nil
}

func ipCommand(lines []string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	return cmd, &said
}
