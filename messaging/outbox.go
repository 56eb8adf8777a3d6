package messaging

import (
	"sync"

	"github.com/nats-io/nats.go"
)

// outbox is the bounded queue between Send and one connection, and the goroutine that empties it. A publish can block for as long
// as the broker does not read; a role's loop must not, or its disk and its other messages would wait too.
//
// What was queued before a break never leaves after it: every item carries the connection's epoch (PROTOCOL N5).
//
// A small message that finds the queue empty is published by its sender, which saves an append that is alone the goroutine's wake-up: the client
// library only copies it, unless it is writing to the socket. That is what idle asks first.
//
//	I1  at most one goroutine publishes at any time: run, or the sender for whom direct is set.
//	I2  items leave in the order in which they were put.
type outbox struct {
	publish func(*item) // does not fail: drops and counts
	idle    func() bool // the socket is not being written to
	limit   struct{ messages, bytes int }

	mu       sync.Mutex
	queue    []item
	messages int // queued or being published
	bytes    int
	closed   bool
	direct   bool // a sender publishes

	wake chan struct{} // capacity 1
	done chan struct{}
}

// item is one message that waits to leave, or a mark: reached is closed when everything before it has left.
type item struct {
	subject string
	reply   string
	header  nats.Header
	data    *buffer
	epoch   uint64
	reached chan struct{}
}

// buffer is a payload's memory, reused.
type buffer struct{ b []byte }

// maxDirectBytes is the largest message that its sender may publish: well below what the client library gathers before it
// writes to the socket by itself.
const maxDirectBytes = 8 << 10

// maxPooledBytes keeps a single huge message from pinning its memory.
const maxPooledBytes = 2 << 20

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer() *buffer {
	b, _ := buffers.Get().(*buffer)
	b.b = b.b[:0]
	return b
}

func (b *buffer) release() {
	if b != nil && cap(b.b) <= maxPooledBytes {
		buffers.Put(b)
	}
}

func newOutbox(messages, bytes int, publish func(*item), idle func() bool) *outbox {
	o := &outbox{publish: publish, idle: idle, wake: make(chan struct{}, 1), done: make(chan struct{})}
	o.limit.messages, o.limit.bytes = messages, bytes
	go o.run()
	return o
}

// put queues it, or publishes it at once. On error the caller keeps the item's buffer.
func (o *outbox) put(it item) error {
	size := 0
	if it.data != nil {
		size = len(it.data.b)
	}
	o.mu.Lock()
	switch {
	case o.closed:
		o.mu.Unlock()
		return ErrClosed
	case it.reached == nil && (o.messages >= o.limit.messages || o.bytes+size > o.limit.bytes):
		o.mu.Unlock()
		return ErrQueueFull
	}
	direct := o.messages == 0 && size <= maxDirectBytes && o.idle()
	o.messages++
	o.bytes += size
	if !direct {
		o.queue = append(o.queue, it)
		o.mu.Unlock()
		o.rouse()
		return nil
	}
	o.direct = true
	o.mu.Unlock()
	o.leave(&it)
	o.mu.Lock()
	o.direct = false
	o.messages--
	o.bytes -= size
	more := len(o.queue) > 0 || o.closed
	o.mu.Unlock()
	if more {
		o.rouse()
	}
	return nil
}

// rouse lets run look at the queue.
func (o *outbox) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close ends the goroutine after what is queued has left, and waits for it.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.rouse()
	<-o.done
}

func (o *outbox) run() {
	defer close(o.done)
	var batch []item
	var closed bool
	for !closed {
		<-o.wake
		batch, closed = o.take(batch)
		size := 0
		for i := range batch {
			size += o.leave(&batch[i])
		}
		o.left(len(batch), size)
		clear(batch)
	}
}

// leave publishes one item and returns its bytes.
func (o *outbox) leave(it *item) int {
	if it.reached != nil {
		close(it.reached)
		return 0
	}
	o.publish(it)
	n := 0
	if it.data != nil {
		n = len(it.data.b)
		it.data.release()
	}
	return n
}

// take swaps the queue for the emptied batch of before. What was taken still counts until it has left. While a sender publishes there is nothing
// to take; it rouses run when it is done.
func (o *outbox) take(old []item) (batch []item, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.direct {
		return old[:0], false
	}
	batch = o.queue
	o.queue = old[:0]
	return batch, o.closed
}

func (o *outbox) left(messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages -= messages
	o.bytes -= bytes
}

func (o *outbox) load() (messages, bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.messages, o.bytes
}
