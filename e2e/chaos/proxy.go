//go:build linux

package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxyBuffer is what a proxy holds of a connection for each direction, beside the kernel's buffers.
const proxyBuffer = 64 << 10

// weather is what a role's proxies do to its connections. One role's share it.
type weather struct {
	delay atomic.Int64 // nanoseconds that each piece waits, both ways; pieces wait one after the other
	up    atomic.Bool  // what the role sends stays here
	down  atomic.Bool  // what the broker sends stays here

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func newWeather() *weather { return &weather{conns: make(map[net.Conn]struct{})} }

func (w *weather) add(c net.Conn) {
	w.mu.Lock()
	w.conns[c] = struct{}{}
	w.mu.Unlock()
}

func (w *weather) drop(c net.Conn) {
	w.mu.Lock()
	delete(w.conns, c)
	w.mu.Unlock()
	_ = c.Close()
}

// reset ends every connection with a TCP reset: what was on its way is gone.
func (w *weather) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
	}
}

// clear ends what delay and stall began. What was held passes now, late.
func (w *weather) clear() {
	w.delay.Store(0)
	w.up.Store(false)
	w.down.Store(false)
}

// serveProxy joins each connection that arrives to the broker, until the listener is closed.
func serveProxy(n *network, node int, l net.Listener, broker string, w *weather) {
	for {
		role, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			far, err := n.dial(node, broker, 2*time.Second)
			if err != nil {
				_ = role.Close()
				return
			}
			w.add(role)
			w.add(far)
			go w.pump(far, role, &w.up)
			w.pump(role, far, &w.down)
		}()
	}
}

// pump moves bytes one way, and ends both connections when one ends.
func (w *weather) pump(to, from net.Conn, stalled *atomic.Bool) {
	defer w.drop(to)
	defer w.drop(from)
	buf := make([]byte, proxyBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			time.Sleep(time.Duration(w.delay.Load()))
			for stalled.Load() {
				time.Sleep(5 * time.Millisecond)
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
