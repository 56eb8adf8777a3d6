package world

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Proxy stands between one program and what it connects to, and makes the way as bad as it is told.
type Proxy struct {
	machine *Namespace
	listen  net.Listener
	to      string

	mu       sync.Mutex
	changed  chan struct{} // closed when way changes
	way      Way
	came     chan struct{}  // closed when a connection was accepted
	accepted int            // connections, ever
	from     map[string]int // how many there were with the newest one from an address
	own      int            // of those, Connections' own
	conns    map[*net.TCPConn]struct{}
	wg       sync.WaitGroup
	closed   bool
}

// Way is how a proxy treats what it carries. The zero value is a good one.
type Way struct {
	Delay    time.Duration // of every byte, in both directions
	StallOut bool          // nothing is carried from the program
	StallIn  bool          // nothing is carried to it
	Refuse   bool          // connections are reset, as soon as they are made
}

// Sizes of what a proxy holds for one direction of a connection.
const (
	chunkBytes  = 32 << 10
	delayChunks = 256
)

// NewProxy listens on a machine and carries connections to another address of it.
func NewProxy(m *Namespace, listen, to string) (*Proxy, error) {
	l, err := m.Listen(listen)
	if err != nil {
		return nil, err
	}
	p := &Proxy{machine: m, listen: l, to: to, changed: make(chan struct{}), came: make(chan struct{}), from: make(map[string]int), conns: make(map[*net.TCPConn]struct{})}
	p.wg.Go(p.accept)
	return p, nil
}

// Set changes the way, for connections that there are, too.
func (p *Proxy) Set(w Way) {
	p.mu.Lock()
	p.way = w
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	if w.Refuse {
		p.Reset()
	}
}

// Reset resets every connection that there is.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}

// Close ends the proxy.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listen.Close()
	p.Reset()
	p.Set(Way{})
	p.wg.Wait()
}

func (p *Proxy) now() (Way, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.way, p.changed
}

func (p *Proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.mu.Lock()
		p.accepted++
		p.from[c.RemoteAddr().String()] = p.accepted
		close(p.came)
		p.came = make(chan struct{})
		p.mu.Unlock()
		p.wg.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

// Connections returns how many connections programs have made so far, all of those included that a program had made before it ended. They are
// accepted in the order in which they were made: once one of its own has been, so have all earlier ones.
func (p *Proxy) Connections() (int, error) {
	p.mu.Lock()
	before := p.accepted
	p.mu.Unlock()
	c, err := p.machine.Dial("tcp", p.listen.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("count connections: %w", err)
	}
	defer func() { _ = c.Close() }() // it carried nothing
	late := time.After(dialTimeout)
	for {
		p.mu.Lock()
		n, came := p.from[c.LocalAddr().String()], p.came
		if n > before {
			p.own++
			n -= p.own
			p.mu.Unlock()
			return n, nil
		}
		p.mu.Unlock()
		select {
		case <-came:
		case <-late:
			return 0, fmt.Errorf("count connections: %w", os.ErrDeadlineExceeded)
		}
	}
}

// serve carries one connection until either side ends it.
func (p *Proxy) serve(near *net.TCPConn) {
	if w, _ := p.now(); w.Refuse {
		_ = near.SetLinger(0)
		_ = near.Close()
		return
	}
	c, err := p.machine.Dial("tcp", p.to)
	if err != nil {
		_ = near.Close()
		return
	}
	far := c.(*net.TCPConn)
	p.mu.Lock()
	gone := p.closed || p.way.Refuse
	p.conns[near], p.conns[far] = struct{}{}, struct{}{}
	p.mu.Unlock()
	if gone {
		_ = near.Close()
		_ = far.Close()
	}
	var wg sync.WaitGroup
	wg.Go(func() { p.carry(far, near, func(w Way) bool { return w.StallOut }) })
	wg.Go(func() { p.carry(near, far, func(w Way) bool { return w.StallIn }) })
	wg.Wait()
	p.mu.Lock()
	delete(p.conns, near)
	delete(p.conns, far)
	p.mu.Unlock()
}

type chunk struct {
	bytes []byte
	due   time.Time
}

// carry carries one direction, and closes both connections at its end.
func (p *Proxy) carry(to, from *net.TCPConn, stalled func(Way) bool) {
	chunks := make(chan chunk, delayChunks)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for c := range chunks {
			if wait := time.Until(c.due); wait > 0 {
				time.Sleep(wait) // the length of the way
			}
			if _, err := to.Write(c.bytes); err != nil {
				break
			}
		}
		_ = to.Close()
		_ = from.Close()
		for range chunks { // what nobody takes any more
		}
	}()
	buf := make([]byte, chunkBytes)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			w := p.waitWhile(stalled, ended)
			chunks <- chunk{bytes: append([]byte(nil), buf[:n]...), due: time.Now().Add(w.Delay)}
		}
		if err != nil {
			break
		}
	}
	close(chunks)
	<-ended
}

// waitWhile waits while the way stalls, or until the connection has ended.
func (p *Proxy) waitWhile(stalled func(Way) bool, ended <-chan struct{}) Way {
	for {
		w, changed := p.now()
		if !stalled(w) {
			return w
		}
		select {
		case <-changed:
		case <-ended:
			return w
		}
	}
}
