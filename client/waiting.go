package client

import (
	"context"
	"errors"

	"github.com/paxosd/paxosd/paxos/value"
)

// append gives entries to the session and waits for their result.
func (e *engine) append(ctx context.Context, entries []Entry, size int, cfg *appendConfig) (Ack, error) {
	if size > e.limit {
		return Ack{}, e.tooLarge(size)
	}
	w := wait{call: &call{result: make(chan result, 1)}, count: uint32(len(entries))}
	p, err := e.put(ctx, entries, size, cfg, w)
	if err != nil {
		return Ack{}, err
	}
	var r result
	select {
	case r = <-w.call.result:
	case <-ctx.Done():
		r = e.leave(ctx, p, w.call)
	}
	if r.err != nil && !errors.Is(r.err, ErrClosed) {
		e.log.doubt(e.known)
	}
	return r.ack, r.err
}

// put adds entries to the open batch, or makes one of their own. It waits while too much is buffered.
func (e *engine) put(ctx context.Context, entries []Entry, size int, cfg *appendConfig, w wait) (*pending, error) {
	e.mu.Lock()
	if err := e.await(ctx, size); err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	p := e.batch(len(entries), size, cfg)
	for i := range entries {
		p.frames = value.AppendFrame(p.frames, entries[i].Headers, entries[i].Payload)
	}
	p.count += w.count
	p.waits = append(p.waits, w)
	if w.call != nil {
		p.callers++
	}
	e.buffered += size
	e.given++
	e.pump()
	return p, nil
}

// putOne is put for one entry of a producer.
func (e *engine) putOne(ctx context.Context, entry *Entry, size int, done func(Ack, error), owner *Producer) error {
	e.mu.Lock()
	if err := e.await(ctx, size); err != nil {
		return err
	}
	defer e.mu.Unlock()
	p := e.batch(1, size, &appendConfig{})
	p.frames = value.AppendFrame(p.frames, entry.Headers, entry.Payload)
	p.count++
	p.waits = append(p.waits, wait{done: done, count: 1})
	e.buffered += size
	e.given++
	owner.owe()
	switch {
	case e.mayLeave():
		e.pump()
	case p.count == 1:
		e.arm() // its deadline may be all that ends its wait
	}
	return nil
}

// await returns with e.mu held once size more bytes may be buffered; on an error it is not held.
func (e *engine) await(ctx context.Context, size int) error {
	for {
		switch {
		case e.failed != nil:
			err := e.failed
			e.mu.Unlock()
			return err
		case e.closed:
			e.mu.Unlock()
			return &Error{Op: e.op, Log: e.log.name, Class: ErrRefused, Reason: e.why}
		case e.buffered == 0 || e.buffered+size <= e.cfg.buffered:
			return nil
		}
		room := e.room
		e.waiters++
		e.mu.Unlock()
		var ended bool
		select {
		case <-room:
		case <-ctx.Done():
			ended = true
		}
		e.mu.Lock()
		e.waiters--
		if ended {
			e.mu.Unlock()
			return &Error{Op: e.op, Log: e.log.name, Class: ErrRefused, Reason: ErrOverloaded, Cause: ctx.Err(), Text: "the buffer is full"}
		}
	}
}

// leave ends a call whose context ended.
func (e *engine) leave(ctx context.Context, p *pending, w *call) result {
	e.mu.Lock()
	p.callers--
	sent := true
	if p.callers == 0 {
		sent = e.abandon(p)
	}
	e.mu.Unlock()
	select {
	case r := <-w.result:
		var err *Error
		if errors.As(r.err, &err) {
			x := *err
			x.Cause = ctx.Err()
			r.err = &x
		}
		return r
	default:
	}
	err := &Error{Op: e.op, Log: e.log.name, Class: ErrUnknown, Cause: ctx.Err()}
	if !sent {
		err.Class, err.Reason = ErrRefused, ErrNoLeader
	}
	return result{err: err}
}

// abandon gives up a batch that nobody waits for, and reports whether it may have left this process.
func (e *engine) abandon(p *pending) bool {
	if e.closed {
		return true // close has told the result
	}
	if p.submitted {
		sent := e.s.Sent(p.tag)
		e.s.Abandon(e.c.now(), p.tag, &e.out)
		e.carry()
		return sent
	}
	e.drop(p)
	if p.frames != nil {
		e.free(p)
	}
	return false
}
