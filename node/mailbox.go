package node

import (
	"sync"

	"github.com/paxosd/paxosd/paxos"
)

// event is one thing that a loop reacts to: a message, or a function to run on the loop's goroutine.
type event struct {
	env  *paxos.Envelope
	call func()
	size int
}

// mailbox is the bounded queue in front of a loop. Many goroutines put, one takes everything at once, so that a busy
// loop pays one lock and one wake-up for a whole turn: what queued while the last turn ran is the next turn.
//
// When it is full, put waits: the transport's own bounded buffers fill behind it, and past those the broker's
// messages are dropped and counted. Nothing is lost for good by that: everything is sent again until answered.
type mailbox struct {
	mu      sync.Mutex
	room    sync.Cond
	items   []event
	bytes   int
	closed  bool
	wake    chan struct{} // capacity 1: there is something to take
	maxLen  int
	maxSize int
}

// Bounds of a mailbox. Bytes bound the memory that values take; the length bounds the small messages.
const (
	mailboxEvents = 16 << 10
	mailboxBytes  = 64 << 20
)

func newMailbox() *mailbox {
	m := &mailbox{wake: make(chan struct{}, 1), maxLen: mailboxEvents, maxSize: mailboxBytes}
	m.room.L = &m.mu
	return m
}

// put queues e, waiting while the mailbox is full. It reports false once the mailbox is closed.
func (m *mailbox) put(e event) bool {
	m.mu.Lock()
	for !m.closed && len(m.items) > 0 && (len(m.items) >= m.maxLen || m.bytes+e.size > m.maxSize) {
		m.room.Wait()
	}
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.add(e)
	return true
}

// push queues e without waiting, be the mailbox full. It is for completions, whose number is bounded where the work begins: a
// store that had to wait for room before it goes on would wait for the loop, which may be waiting for that very store.
// It reports false once the mailbox is closed.
func (m *mailbox) push(e event) bool {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return false
	}
	m.add(e)
	return true
}

// add queues e and unlocks mu.
func (m *mailbox) add(e event) {
	first := len(m.items) == 0
	m.items = append(m.items, e)
	m.bytes += e.size
	m.mu.Unlock()
	if first {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// take returns all that is queued; spare's memory is used for what comes next.
func (m *mailbox) take(spare []event) []event {
	clear(spare)
	m.mu.Lock()
	items := m.items
	m.items = spare[:0]
	m.bytes = 0
	m.mu.Unlock()
	m.room.Broadcast()
	return items
}

// length returns the number of queued events, for metrics.
func (m *mailbox) length() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}

// close wakes everyone who waits to put; later puts report false. What is queued can still be taken.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.room.Broadcast()
}
