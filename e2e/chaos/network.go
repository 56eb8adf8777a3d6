//go:build linux

package main

import (
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

// nodes is how many nodes there are. They are numbered from 1; 0 is the hub, where clients are.
const nodes = 3

// network is one namespace for each node, joined by a bridge in the harness's own.
type network struct {
	spaces [nodes + 1]*os.File // the namespaces; 0 is the harness's
}

func newNetwork() (*network, error) {
	n := &network{}
	var err error
	if n.spaces[0], err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return nil, err
	}
	steps := []string{"link set lo up", "link add br0 type bridge forward_delay 0", "addr add 10.77.0.254/24 dev br0", "link set br0 up"}
	for i := 1; i <= nodes; i++ {
		steps = append(steps,
			fmt.Sprintf("netns add n%d", i),
			fmt.Sprintf("link add v%d type veth peer name eth0 netns n%d", i, i),
			fmt.Sprintf("link set v%d master br0", i),
			fmt.Sprintf("link set v%d up", i),
			fmt.Sprintf("-n n%d link set lo up", i),
			fmt.Sprintf("-n n%d addr add %s/24 dev eth0", i, address(i)),
			fmt.Sprintf("-n n%d addr add %s/24 dev eth0", i, routeAddress(i)),
			fmt.Sprintf("-n n%d link set eth0 up", i),
		)
	}
	for _, s := range steps {
		if err := ip(s); err != nil {
			return nil, err
		}
	}
	for i := 1; i <= nodes; i++ {
		if n.spaces[i], err = os.Open(fmt.Sprintf("/run/netns/n%d", i)); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// address is where a node takes clients; routeAddress where its broker takes other brokers.
func address(node int) string {
	if node == 0 {
		return "10.77.0.254"
	}
	return fmt.Sprintf("10.77.0.%d", node)
}

func routeAddress(node int) string { return fmt.Sprintf("10.78.0.%d", node) }

func ip(args string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}

// within calls f in a node's network. Sockets and processes that f makes on its own goroutine belong there.
func (n *network) within(node int, f func() error) error {
	runtime.LockOSThread()
	if err := unix.Setns(int(n.spaces[node].Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter node %d's network: %w", node, err)
	}
	err := f()
	if back := unix.Setns(int(n.spaces[0].Fd()), unix.CLONE_NEWNET); back != nil {
		return fmt.Errorf("leave node %d's network: %w", node, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

func (n *network) listen(node int, addr string) (l net.Listener, err error) {
	err = n.within(node, func() error {
		l, err = net.Listen("tcp", addr)
		return err
	})
	return l, err
}

func (n *network) dial(node int, addr string, limit time.Duration) (c net.Conn, err error) {
	err = n.within(node, func() error {
		c, err = net.DialTimeout("tcp", addr, limit)
		return err
	})
	return c, err
}

// plug closes or opens the switch's port to a node: nothing passes either way, and neither side is told.
func (n *network) plug(node int, on bool) error {
	state := 0 // disabled
	if on {
		state = 3 // forwarding
	}
	return ip(fmt.Sprintf("link set v%d type bridge_slave state %d", node, state))
}

// mute makes what one node sends to another vanish: it is sent to a machine that is not there. The other way stays open.
func (n *network) mute(from, to int, clients, brokers bool) error {
	return n.neighbour(from, to, clients, brokers, "replace %s lladdr 02:00:00:00:00:99 dev %s nud permanent")
}

// unmute undoes mute.
func (n *network) unmute(from, to int, clients, brokers bool) error {
	return n.neighbour(from, to, clients, brokers, "del %s dev %s")
}

func (n *network) neighbour(from, to int, clients, brokers bool, what string) error {
	where, dev := fmt.Sprintf("-n n%d neigh ", from), "eth0"
	if from == 0 {
		where, dev = "neigh ", "br0"
	}
	if clients {
		if err := ip(where + fmt.Sprintf(what, address(to), dev)); err != nil {
			return err
		}
	}
	if brokers && from != 0 && to != 0 {
		return ip(where + fmt.Sprintf(what, routeAddress(to), dev))
	}
	return nil
}
