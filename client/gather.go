package client

import (
	"runtime"
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

// mayLeave reports whether the core would take a batch now. A full one leaves as soon as there is room. Others gather: each slot of the log
// costs the processors about the same, however little is in it. Where nothing is on its way, what there is leaves at once. Beside others a batch leaves
// that has at least as many entries as they have together, few batches at a time. So one that missed an earlier one by a moment waits for it to
// be done and joins what comes then, instead of following it for ever, while where little is appended nothing waits.
func (e *engine) mayLeave() bool {
	switch flying := e.s.Unanswered(); {
	case e.s.Room() == 0:
		return false
	case len(e.full) > 0:
		return true
	case e.open == nil || e.hold:
		return false
	case flying == 0:
		return true
	default:
		return flying < min(eagerBatches, e.cfg.window) && int(e.open.count) >= e.inFlight
	}
}

// maxYields bounds how often those who were told are let through before the open batch leaves.
const maxYields = 8

// tellAndGather tells the results that the core has, and lets those who get them give what they have next: callers that append one entry
// after the other all do so now, and their entries leave together instead of one alone and the others after it. There is no timer: it
// ends as soon as nobody gave anything. It is called with e.mu held, and returns so; meanwhile it is not.
func (e *engine) tellAndGather() {
	e.hold = true
	e.carry()
	for range maxYields {
		given := e.given
		e.mu.Unlock()
		runtime.Gosched()
		e.mu.Lock()
		if e.given == given || e.closed {
			break
		}
	}
	e.hold = false
}

// refill gives batches to the core while it has room.
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
