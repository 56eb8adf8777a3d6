package client

import (
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client/session"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Operations, as errors name them.
const (
	opAppend  = "append to"
	opProduce = "produce to"
	opLast    = "ask for the last offset of"
	opRead    = "read"
)

// engine carries one producer session: it gathers entries into batches, steps the core, publishes what it asks for, and tells the
// results. Whoever has something for the core steps it, under mu: a caller that appends, the inbox, the timer. So an append alone
// passes through no other goroutine.
//
//	I1  Batches are done in the order of their entries: waiting ones (full, then the open one) come after those in the core.
//	I2  At most cfg.buffered bytes of frames are not told yet, and one call's.
//	I3  After close no result is owed: every call and function has got one.
type engine struct {
	c     *Client
	log   *Log
	known *known
	cfg   producerConfig
	op    string // as errors name it
	limit int    // bytes of frames in one batch
	end   uint64

	mu       sync.Mutex
	s        *session.Session
	out      session.Output
	buf      []byte
	request  uint64
	tag      uint64
	next     uint64     // with chain: the offset expected before the next batch
	open     *pending   // takes entries
	full     []*pending // in order; they wait for room in the core
	flying   []*pending // in the core, in order
	inFlight int        // entries in flying
	given    uint64     // calls that gave entries, ever
	hold     bool       // those who were just told are about to give more: the open batch waits for it
	buffered int        // bytes of frames not told yet
	room     chan struct{}
	waiters  int // callers that wait on room
	timer    *time.Timer
	timerAt  paxos.Instant // 0: not set
	closed   bool
	why      error          // it was closed
	failed   error          // of the first failure, once the producer stopped at it
	tell     func(*pending) // a producer's; nil: calls alone wait
	ended    func()         // called once, when the engine is closed
	spare    [][]byte
	begun    uint64 // batches, counted where some are to be explained
}

// pending is one batch with those who wait for it.
type pending struct {
	tag       uint64
	frames    []byte
	count     uint32
	cfg       appendConfig
	alone     bool // it has a condition or an id: no other call's entries join
	deadline  paxos.Instant
	waits     []wait
	callers   int // calls that have not left
	submitted bool
	begunAt   paxos.Instant // 0: it is not to be explained

	class session.Class
	ack   Ack
	err   error
}

// wait is one call's entries, or one entry of a producer, within a batch.
type wait struct {
	call  *call
	done  func(Ack, error)
	count uint32
}

// call is a caller of Append that waits.
type call struct{ result chan result }

type result struct {
	ack Ack
	err error
}

func newEngine(l *Log, k *known, cfg producerConfig, op string) (*engine, error) {
	e := &engine{c: l.c, log: l, known: k, cfg: cfg, op: op, next: cfg.expect, room: make(chan struct{})}
	e.limit = k.limit - batchRoom
	e.s = session.New(session.Config{
		Client: l.c.cfg.name, Seed: l.c.seed(), Window: min(cfg.window, k.window), StopOnFailure: cfg.stop,
		NextRequest: func() uint64 { e.request++; return e.request },
	})
	end, err := l.c.attach(e.onAnswer)
	if err != nil {
		return nil, &Error{Op: op, Log: l.name, Class: ErrRefused, Reason: ErrClosed}
	}
	e.end = end
	return e, nil
}

// maxSpare bounds the buffers kept for later batches.
const maxSpare = 2 * eagerBatches

// batchRoom is what a batch takes beside its frames, message id included.
const batchRoom = 512

// begin tells the core what is known when it starts.
func (e *engine) begin(leader paxos.Ballot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.c.nc.IsConnected() {
		e.s.OnConnection(e.c.now(), false, &e.out)
	}
	e.s.OnLeader(e.c.now(), leader, &e.out)
	e.carry()
}

func (e *engine) submit(p *pending) {
	e.tag++
	p.tag, p.submitted = e.tag, true
	b := value.Batch{
		Count: p.count, HasExpect: p.cfg.hasExpect, Expect: paxos.Offset(p.cfg.expect), MessageID: p.cfg.id, Frames: p.frames,
	}
	if e.cfg.chain {
		b.HasExpect, b.Expect = true, paxos.Offset(e.next)
		e.next += uint64(p.count)
	}
	e.flying = append(e.flying, p)
	e.inFlight += int(p.count)
	e.s.Submit(e.c.now(), session.Batch{Tag: p.tag, Value: b, Deadline: p.deadline, Explain: p.begunAt != 0}, &e.out)
}

// carry does what the core asks for, until it asks for nothing more, and sets the timer.
func (e *engine) carry() {
	for len(e.out.Sends)+len(e.out.Done) > 0 {
		for i := range e.out.Sends {
			s := &e.out.Sends[i]
			env := paxos.Envelope{Log: e.log.name, Genesis: e.known.genesis, Request: s.Request, Bulk: true, Msg: s.Msg}
			// What cannot be published is as good as lost: the core sends it again when nobody answers.
			e.buf, _ = e.c.publish(e.buf, &env, e.end)
		}
		for i := range e.out.Done {
			e.settle(&e.out.Done[i])
		}
		e.out.Reset()
		if e.failed != nil {
			e.refuseAll(e.failed)
		}
		e.refill()
	}
	e.arm()
}

// pump gives the core what it has room for and carries out what follows.
func (e *engine) pump() {
	e.refill()
	e.carry()
}

// settle takes the core's result for the oldest batch in it.
func (e *engine) settle(d *session.Done) {
	p := e.flying[0]
	e.flying[0] = nil
	e.flying = e.flying[1:]
	e.inFlight -= int(p.count)
	p.class = d.Class
	e.explain(p, d)
	if d.Class == session.Appended {
		p.ack = Ack{
			Offset: uint64(d.Answer.First), Count: int(d.Answer.Count), Time: timeOf(d.Answer.Stamp),
			// A batch that was sent more than once may be a duplicate of itself.
			Duplicate: p.cfg.id != "" && d.Answer.Code == paxos.CodeDuplicate && !d.Again,
		}
	} else {
		err := e.errorOf(d)
		p.err = err
		switch {
		case e.failed != nil:
			err.Reason = ErrStopped
		case e.s.Stopped():
			// What comes later is never given to the core, and so certainly is not in the log.
			e.failed = &Error{Op: e.op, Log: e.log.name, Class: ErrRefused, Reason: ErrStopped, Text: err.Error()}
		}
	}
	e.tellAll(p)
}

// errorOf turns a result into what callers get.
func (e *engine) errorOf(d *session.Done) *Error {
	err := &Error{Op: e.op, Log: e.log.name, Class: ErrUnknown, Reason: reasonOf(d.Answer.Code), Last: uint64(d.Answer.Last), Text: d.Answer.Text}
	if d.Class == session.Refused {
		err.Class = ErrRefused
	}
	switch {
	case err.Reason != nil:
	case d.Foreign:
		err.Reason = ErrForeignAnswer
	case d.Class == session.Refused:
		err.Reason = ErrNoLeader
	}
	return err
}

// tellAll gives every waiter of p its result. Calls get it at once; functions run elsewhere, in order.
func (e *engine) tellAll(p *pending) {
	if e.tell != nil {
		e.tell(p) // it frees p's room when its functions have run
		return
	}
	p.each(func(w *wait, a Ack, err error) { w.call.result <- result{a, err} })
	e.free(p)
}

// each goes over the waiters of a batch that is done.
func (p *pending) each(f func(w *wait, a Ack, err error)) {
	at := p.ack.Offset
	for i := range p.waits {
		w := &p.waits[i]
		if p.err != nil {
			f(w, Ack{}, p.err)
			continue
		}
		a := Ack{Offset: at, Count: int(w.count), Time: p.ack.Time, Duplicate: p.ack.Duplicate}
		if p.cfg.id != "" {
			a.Count = p.ack.Count // the original's, if it is a duplicate: a batch with an id has one waiter
		}
		f(w, a, nil)
		at += uint64(w.count)
	}
}

// free gives back what a told batch held.
func (e *engine) free(p *pending) {
	e.buffered -= len(p.frames)
	if len(e.spare) < maxSpare && cap(p.frames) <= 2*DefaultMaxBatchBytes {
		e.spare = append(e.spare, p.frames)
	}
	p.frames = nil
	if e.waiters > 0 {
		close(e.room)
		e.room = make(chan struct{})
	}
}

// onAnswer is the engine's endpoint.
func (e *engine) onAnswer(request uint64, msg *nats.Msg) {
	none := nobody(msg)
	var m *paxos.BatchAnswer
	ours := none
	if !none {
		m, ours = answerTo(msg, request, e.known.genesis).(*paxos.BatchAnswer)
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	switch {
	case none:
		e.s.OnNoResponders(e.c.now(), request, &e.out)
	case ours:
		ours = e.s.OnAnswer(e.c.now(), request, m, &e.out)
	default:
		e.s.OnForeign(request)
	}
	if len(e.out.Done) > 0 {
		e.tellAndGather()
	}
	if !e.closed { // it may have been while the engine was not held
		e.pump()
	}
	e.mu.Unlock()
	if !ours {
		e.c.cfg.foreign(msg.Subject)
	}
}

func (e *engine) onLeader(b paxos.Ballot) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.s.OnLeader(e.c.now(), b, &e.out)
		e.pump()
	}
}

func (e *engine) onConnection(up bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.s.OnConnection(e.c.now(), up, &e.out)
		e.pump()
	}
}

// arm sets the timer to when the core, or a batch outside it, next needs the time. A timer that fires early does no harm.
func (e *engine) arm() {
	at := e.s.Wake()
	if w := e.oldestWaiting(); w != nil && w.deadline != 0 && (at == 0 || w.deadline < at) {
		at = w.deadline
	}
	if at == 0 || e.closed || (e.timerAt != 0 && e.timerAt <= at) {
		return
	}
	e.timerAt = at
	d := max(time.Duration(at.Sub(e.c.now())), 0) + time.Millisecond
	if e.timer == nil {
		e.timer = time.AfterFunc(d, e.onTimer)
		return
	}
	e.timer.Reset(d)
}

func (e *engine) onTimer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timerAt = 0
	if e.closed {
		return
	}
	now := e.c.now()
	e.s.Tick(now, &e.out)
	e.carry()
	e.expire(now)
	e.pump()
}

// refuse ends a batch that was never given to the core.
func (e *engine) refuse(p *pending, err error) {
	p.class, p.err = session.Refused, err
	e.tellAll(p)
}

// refuseAll ends every batch that was never given to the core.
func (e *engine) refuseAll(err error) {
	for p := e.oldestWaiting(); p != nil; p = e.oldestWaiting() {
		e.drop(p)
		e.refuse(p, err)
	}
}

// close ends the engine for a reason: what is on its way is unknown, what was not sent is refused.
func (e *engine) close(reason error) {
	e.c.detach(e.end)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	e.closed, e.why = true, reason
	if e.timer != nil {
		e.timer.Stop()
	}
	for _, p := range e.flying {
		class := ErrUnknown
		if !e.s.Sent(p.tag) {
			class = ErrRefused
		}
		p.class, p.err = session.Unknown, &Error{Op: e.op, Log: e.log.name, Class: class, Reason: reason}
		e.tellAll(p)
	}
	e.flying, e.inFlight = nil, 0
	e.refuseAll(&Error{Op: e.op, Log: e.log.name, Class: ErrRefused, Reason: reason})
	close(e.room)
	e.room = make(chan struct{})
	if e.ended != nil {
		e.ended()
	}
}

func (e *engine) tooLarge(size int) error {
	return &Error{Op: e.op, Log: e.log.name, Class: ErrRefused, Reason: ErrTooLarge, Text: fmt.Sprintf(
		"%d bytes in one batch, the log takes %d", size, e.limit)}
}
