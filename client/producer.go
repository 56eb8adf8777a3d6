package client

import (
	"context"
	"sync"
)

// Producer appends asynchronously: entries gather into batches while earlier ones are on their way, many batches are in flight, and
// results come in the order of Append. Whatever becomes of leaders meanwhile, each entry is appended once, in order. It is safe
// for concurrent use; the order is then that in which calls of Append return.
type Producer struct {
	e *engine

	mu     sync.Mutex
	queue  []*pending // told, in order, whose functions have not run
	wake   chan struct{}
	quiet  chan struct{} // closed when nothing is owed; replaced when something is
	owed   int           // entries
	err    error         // of the first failure since the last Flush
	closed bool
	wg     sync.WaitGroup
}

func newProducer(e *engine) *Producer {
	p := &Producer{e: e, wake: make(chan struct{}, 1), quiet: make(chan struct{})}
	close(p.quiet)
	e.tell, e.ended = p.told, p.end
	p.wg.Add(1)
	go p.run()
	return p
}

// Append takes one entry and returns; done is called once with its result, or not at all where Append returned an error. It waits,
// until ctx ends, only while too much is buffered.
//
// done, or the function given with OnAck where done is nil, is called in the order of entries, on one goroutine of the producer: it
// must not take long, since nothing else is told meanwhile, and not wait for this producer's Append, Flush or Close. Headers and
// Payload may be used again when Append has returned.
func (p *Producer) Append(ctx context.Context, entry Entry, done func(Ack, error)) error {
	size, err := frameSize(opProduce, p.e.log.name, &entry)
	if err != nil {
		return err
	}
	if size > p.e.limit {
		return p.e.tooLarge(size)
	}
	if done == nil {
		done = p.e.cfg.onAck
	}
	return p.e.putOne(ctx, &entry, size, done, p)
}

// owe counts an entry whose result is owed.
func (p *Producer) owe() {
	p.mu.Lock()
	if p.owed == 0 {
		p.quiet = make(chan struct{})
	}
	p.owed++
	p.mu.Unlock()
}

// Flush waits until every entry given so far has its result. It returns the first failure since the last Flush, or the context's
// error.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	select {
	case <-quiet:
	case <-ctx.Done():
		return &Error{Op: "flush", Log: p.e.log.name, Cause: ctx.Err()}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.err
	p.err = nil
	return err
}

// Close flushes, then ends the producer. When ctx ends first, the results of what is left come as ErrUnknown, or ErrRefused where
// it was never sent. Every function has been called when Close returns.
func (p *Producer) Close(ctx context.Context) error {
	err := p.Flush(ctx)
	p.e.log.drop(p.e, ErrClosed)
	p.wg.Wait()
	return err
}

// end lets the producer's goroutine end once everything is told. The engine calls it when it is closed.
func (p *Producer) end() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.poke()
}

// told queues a batch whose functions are to be called. The engine calls it, in order, with its lock held.
func (p *Producer) told(b *pending) {
	p.mu.Lock()
	p.queue = append(p.queue, b)
	p.mu.Unlock()
	p.poke()
}

func (p *Producer) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run calls functions until the producer is closed and owes nothing.
func (p *Producer) run() {
	defer p.wg.Done()
	for range p.wake {
		p.mu.Lock()
		queue, closed := p.queue, p.closed
		p.queue = nil
		p.mu.Unlock()
		for _, b := range queue {
			p.call(b)
		}
		if closed && len(queue) == 0 {
			return
		}
		if closed {
			p.poke()
		}
	}
}

// call gives one batch's entries their results, then frees its room.
func (p *Producer) call(b *pending) {
	b.each(func(w *wait, a Ack, err error) {
		if w.done != nil {
			w.done(a, err)
		}
	})
	p.e.mu.Lock()
	p.e.free(b)
	p.e.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.err != nil && p.err == nil {
		p.err = b.err
	}
	if p.owed -= len(b.waits); p.owed == 0 {
		close(p.quiet)
	}
}

// InFlight returns how many entries have no result yet.
func (p *Producer) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owed
}
