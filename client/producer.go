package client

import (
	"context"
	"slices"
	"sync"
)

// Producer appends asynchronously: entries gather into batches while earlier ones are on their way, many batches are in flight, and
// results come in the order of Append. Whatever becomes of leaders meanwhile, each entry is appended once, in order. It is safe
// for concurrent use; the order is then that in which calls of Append return.
type Producer struct {
	e *engine

	mu       sync.Mutex
	queue    []*pending // told, in order, whose functions have not run
	wake     chan struct{}
	given    uint64    // entries, ever
	answered uint64    // of those, entries whose functions have been called
	flushes  []flushed // in order
	err      error     // of the first failure since the last Flush
	closed   bool
	wg       sync.WaitGroup
}

// flushed is a Flush that waits until so many entries have been told.
type flushed struct {
	until uint64
	done  chan struct{}
}

func newProducer(e *engine) *Producer {
	p := &Producer{e: e, wake: make(chan struct{}, 1)}
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
	if err := ctx.Err(); err != nil {
		return &Error{Op: opProduce, Log: p.e.log.name, Class: ErrRefused, Cause: err}
	}
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
	p.given++
	p.mu.Unlock()
}

// Flush waits until every entry given so far has its result, whatever is given meanwhile. It returns the first failure since the last
// Flush, or the context's error.
func (p *Producer) Flush(ctx context.Context) error {
	p.mu.Lock()
	f := flushed{until: p.given, done: make(chan struct{})}
	if p.answered >= f.until {
		close(f.done)
	} else {
		p.flushes = append(p.flushes, f)
	}
	p.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		p.mu.Lock()
		p.flushes = slices.DeleteFunc(p.flushes, func(x flushed) bool { return x.done == f.done })
		p.mu.Unlock()
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
	p.answered += uint64(len(b.waits))
	for len(p.flushes) > 0 && p.flushes[0].until <= p.answered {
		close(p.flushes[0].done)
		p.flushes = p.flushes[1:]
	}
}

// InFlight returns how many entries have no result yet.
func (p *Producer) InFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.given - p.answered)
}
