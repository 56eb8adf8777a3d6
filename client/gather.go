package client

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// batch returns the batch that takes n entries of size bytes together.
func (e *engine) batch(n, size int, cfg *appendConfig) *pending {
	alone := cfg.hasExpect || cfg.id != ""
	limit := min(e.limit, max(e.cfg.maxBatch, size))
	if p := e.open; p != nil && (alone || len(p.frames)+size > limit || int(p.count)+n > paxos.MaxBatchEntries) {
		e.seal()
	}
	p := e.open
	if p == nil {
		p = &pending{cfg: *cfg, alone: alone, frames: e.buffer(size)}
		if e.cfg.timeout > 0 {
			p.deadline = e.c.now().Add(paxos.Span(e.cfg.timeout))
		}
		e.toExplain(p)
		e.open = p
		if alone {
			e.seal()
		}
	}
	return p
}

// buffer returns an empty buffer for a batch's frames.
func (e *engine) buffer(size int) []byte {
	if n := len(e.spare); n > 0 {
		b := e.spare[n-1]
		e.spare = e.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, size)
}

// seal closes the open batch.
func (e *engine) seal() {
	e.full = append(e.full, e.open)
	e.open = nil
}

// refill gives batches to the core while it has room. A batch that is not full waits while a few are on their way: what
// arrives until one of them is done joins it.
func (e *engine) refill() {
	for e.mayLeave() {
		if len(e.full) == 0 {
			if e.open == nil {
				return
			}
			e.seal()
		}
		p := e.full[0]
		e.full[0] = nil
		if e.full = e.full[1:]; len(e.full) == 0 {
			e.full = nil
		}
		e.submit(p)
	}
}

// oldestWaiting returns the oldest batch that was not given to the core.
func (e *engine) oldestWaiting() *pending {
	if len(e.full) > 0 {
		return e.full[0]
	}
	return e.open
}

// expire refuses batches that waited for room in the core until their deadline: they were never sent. Deadlines are in order,
// so those in the core have been given up before.
func (e *engine) expire(now paxos.Instant) {
	for p := e.oldestWaiting(); p != nil && p.deadline != 0 && p.deadline <= now && len(e.flying) == 0; p = e.oldestWaiting() {
		e.drop(p)
		e.refuse(p, &Error{Op: e.op, Log: e.log.name, Class: ErrRefused, Reason: ErrNoLeader})
	}
}

// drop takes a batch that was not given to the core off the list.
func (e *engine) drop(p *pending) {
	if e.open == p {
		e.open = nil
	}
	e.full = slices.DeleteFunc(e.full, func(x *pending) bool { return x == p })
}
