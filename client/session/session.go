package session

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Defaults and limits of a session.
const (
	// MaxWindow is F, the outcomes that a log keeps per session unless it was founded with another number.
	MaxWindow = paxos.DefaultOutcomes

	DefaultResend    = 250 * paxos.Millisecond // silence after which everything unanswered is sent again
	DefaultResendMax = 2 * paxos.Second
	DefaultRetry     = 10 * paxos.Millisecond // after "no leader" or "not now"
	DefaultRetryMax  = 250 * paxos.Millisecond

	// DefaultIdle is how long a session is used again after its last batch was settled. A log ends the sessions that were used
	// least recently, and what is sent in one that has ended is "unknown"; a new one costs one request.
	DefaultIdle = 60 * paxos.Second

	// maxSends bounds the unanswered sends that are remembered per batch. One that is forgotten counts as never answered.
	maxSends = 8
)

// Config is constant for a session's life. Spans and Window take their defaults where they are zero.
type Config struct {
	Client      string        // for people, in the log's open command; at most paxos.MaxNameBytes
	Seed        uint64        // of the open's token and of jitter; two sessions must not share one
	Window      int           // batches unanswered at a time, at most the log's F
	NextRequest func() uint64 // request numbers, unique in the process
	Resend      paxos.Span
	ResendMax   paxos.Span
	Retry       paxos.Span
	RetryMax    paxos.Span
	Idle        paxos.Span

	// StopOnFailure ends the session at the first batch that is not appended: none after it is, unless it was already. Without
	// it each batch stands for itself, and a failed one is a gap in what was submitted.
	StopOnFailure bool
}

// Batch is what the owner submits. Session and Number of Value are filled in here; Frames must not change until the batch is done.
type Batch struct {
	Tag      uint64 // the owner's name for it, returned in Done
	Value    value.Batch
	Deadline paxos.Instant // when it is given up; 0: never
	Explain  bool          // the answer is to say where the time went
}

// Class says what is known of a batch that is done.
type Class uint8

// Classes.
const (
	Appended Class = iota + 1 // in the log, durably: Answer says where
	Refused                   // certainly not in the log, and never will be
	Unknown                   // it may be in the log, or appear there yet
)

// String returns the class's word.
func (c Class) String() string {
	switch c {
	case Appended:
		return "appended"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return "none"
}

// Done is the end of one batch.
type Done struct {
	Tag     uint64
	Class   Class
	Sent    bool              // it left this process at least once
	Again   bool              // it left more than once: a "duplicate" may be of itself
	SentAt  paxos.Instant     // when it left last
	Foreign bool              // something that is no leader of this log answered (docs/protocol.md P9)
	Answer  paxos.BatchAnswer // the outcome, or the newest refusal; Code is CodeNone where there was neither
}

// Send is one message to be published to whoever leads the log, with Request in the envelope.
type Send struct {
	Request uint64
	Msg     paxos.Message // *paxos.Batch or *paxos.Open
}

// Output is what a session asks of its owner after a step. The owner publishes Sends in order, then tells Done in order.
type Output struct {
	Sends []Send
	Done  []Done
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Sends)
	clear(o.Done)
	o.Sends, o.Done = o.Sends[:0], o.Done[:0]
}

// Session is the state of one producer session of one log. One owner steps it; it is not safe for concurrent use.
type Session struct {
	cfg  Config
	rand splitmix

	id      paxos.SessionID // zero while none is open
	last    uint64          // newest number used in it
	usedAt  paxos.Instant   // when the queue was last seen not empty
	opening opening
	queue   []*batch // in order of submission
	sends   map[uint64]*batch
	free    []*batch // for reuse

	pace    pace
	stopped bool // by StopOnFailure
}

// New returns a session that opens itself when the first batch is submitted.
func New(cfg Config) *Session {
	if cfg.Window <= 0 {
		cfg.Window = MaxWindow
	}
	cfg.Resend = orDefault(cfg.Resend, DefaultResend)
	cfg.ResendMax = orDefault(cfg.ResendMax, DefaultResendMax)
	cfg.Retry = orDefault(cfg.Retry, DefaultRetry)
	cfg.RetryMax = orDefault(cfg.RetryMax, DefaultRetryMax)
	cfg.Idle = orDefault(cfg.Idle, DefaultIdle)
	s := &Session{cfg: cfg, rand: splitmix(cfg.Seed), sends: make(map[uint64]*batch)}
	s.opening.token = s.rand.next()
	s.pace.allowed, s.pace.epoch = cfg.Window, 1
	return s
}

func orDefault(v, d paxos.Span) paxos.Span {
	if v > 0 {
		return v
	}
	return d
}

// Room returns how many more batches may be submitted now.
func (s *Session) Room() int {
	if s.stopped {
		return 0
	}
	return s.cfg.Window - len(s.queue)
}

// Stopped reports whether a failure ended the session (Config.StopOnFailure).
func (s *Session) Stopped() bool { return s.stopped }

// Unanswered returns how many batches are submitted and not settled, fillers included.
func (s *Session) Unanswered() int { return len(s.queue) }

// ID returns the session's id; zero while none is open.
func (s *Session) ID() paxos.SessionID { return s.id }

// Leader returns the ballot that envelopes name now; zero: none.
func (s *Session) Leader() paxos.Ballot { return s.pace.known }

// Submit takes the next batch and sends it if it may leave now. It reports false, and does nothing, when there is no room.
func (s *Session) Submit(now paxos.Instant, in Batch, out *Output) bool {
	if s.Room() <= 0 {
		return false
	}
	if len(s.queue) == 0 && !s.id.IsZero() && now.Sub(s.usedAt) > s.cfg.Idle {
		s.reopen()
	}
	s.usedAt = now
	b := s.take()
	b.tag, b.body, b.deadline, b.explain = in.Tag, in.Value, in.Deadline, in.Explain
	s.queue = append(s.queue, b)
	s.pump(now, out)
	return true
}

// take returns an empty batch.
func (s *Session) take() *batch {
	n := len(s.free)
	if n == 0 {
		return &batch{}
	}
	b := s.free[n-1]
	s.free[n-1] = nil
	s.free = s.free[:n-1]
	return b
}

// Sent reports whether any send of the batch left this process: while false, giving it up is harmless.
func (s *Session) Sent(tag uint64) bool {
	for _, b := range s.queue {
		if b.tag == tag {
			return b.wasSent
		}
	}
	return false
}

// Tick lets time pass: deadlines, resends, retries. It does nothing before the Instant that Wake returns.
func (s *Session) Tick(now paxos.Instant, out *Output) {
	for _, b := range s.queue {
		if b.deadline != 0 && b.deadline <= now {
			s.giveUp(b)
		}
	}
	s.settle(out)
	if s.pace.paused && s.pace.retryAt <= now {
		s.resume(1)
	}
	s.listen(now, out)
	s.pump(now, out)
}

// Wake returns when Tick is next needed; zero: not before something else happens.
func (s *Session) Wake() paxos.Instant {
	var at paxos.Instant
	earlier := func(t paxos.Instant) {
		if at == 0 || t < at {
			at = t
		}
	}
	if len(s.queue) == 0 {
		return 0
	}
	for _, b := range s.queue {
		if b.deadline != 0 && !b.givenUp && !b.settled {
			earlier(b.deadline)
		}
	}
	switch {
	case s.pace.down:
	case s.pace.paused:
		earlier(s.pace.retryAt)
	case s.id.IsZero():
		earlier(s.opening.sentAt.Add(s.opening.wait))
	default:
		if b := s.oldestSent(); b != nil {
			earlier(b.sentAt.Add(b.wait))
		}
	}
	return at
}

// settle gives results in order and drops what is settled from the front of the queue.
func (s *Session) settle(out *Output) {
	for _, b := range s.queue {
		if b.told {
			continue
		}
		if !b.settled && !b.givenUp {
			break
		}
		b.told = true
		out.Done = append(out.Done, b.result)
		if s.cfg.StopOnFailure && b.result.Class != Appended {
			s.halt(b.result, out)
			return
		}
	}
	n := 0
	for n < len(s.queue) && s.queue[n].settled && s.queue[n].told {
		s.release(s.queue[n])
		n++
	}
	if n > 0 {
		rest := copy(s.queue, s.queue[n:])
		clear(s.queue[rest:])
		s.queue = s.queue[:rest]
	}
}

// halt ends the session at its first failure. If that batch never takes its number, no later number can be taken: those batches share
// its class. If it was judged, or may yet be appended, they may have been too.
func (s *Session) halt(failure Done, out *Output) {
	class := failure.Class
	switch failure.Answer.Code {
	case paxos.CodeConditionFails, paxos.CodeMismatch, paxos.CodeForgotten, paxos.CodeExpired:
		class = Unknown
	default:
	}
	for _, b := range s.queue {
		if !b.told && !b.settled {
			c := class
			if b.number == 0 {
				c = Refused
			}
			b.finish(c, failure.Answer)
		}
		if !b.told {
			out.Done = append(out.Done, b.result)
		}
		s.release(b)
	}
	s.stopped, s.queue = true, nil
}

// release forgets a batch's sends and keeps the struct. Its bytes may still be on their way.
func (s *Session) release(b *batch) {
	for i := range b.sends {
		delete(s.sends, b.sends[i].request)
	}
	*b = batch{sends: b.sends[:0]}
	s.free = append(s.free, b)
}

// splitmix is a small generator: state in, next number out (Steele, Lea, Flood, "Fast splittable pseudorandom number generators").
type splitmix uint64

func (r *splitmix) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// jitter returns d plus up to a quarter of it.
func (r *splitmix) jitter(d paxos.Span) paxos.Span {
	return d + paxos.Span(r.next()%uint64(d/4+1))
}
