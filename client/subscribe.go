package client

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Subscribe reads the log from a place on, and goes on for ever: every entry once, in order of offsets, without a hole, whichever
// learners and leaders come and go. It yields an error only as its last pair: when ctx ends, when the entries wanted were dropped by
// retention (ErrGone), when the log is not there. To go on later subscribe from the offset after the last entry.
//
//	for e, err := range log.Subscribe(ctx, client.First()) {
//		if err != nil {
//			return err
//		}
//		use(e)
//	}
//
// Entries arrive in the background within a buffer, and wait while the loop's body runs. An entry's Payload and Headers stay valid.
func (l *Log) Subscribe(ctx context.Context, from From, opts ...SubscribeOption) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		cfg := subscribeConfig{buffer: stream.DefaultWindow}
		for _, o := range opts {
			o(&cfg)
		}
		start, until, err := l.place(ctx, from, &cfg)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if until == 0 && cfg.untilLast {
			return
		}
		s, err := l.subscribe(ctx, start, uint32(cfg.buffer))
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer s.close()
		s.deliver(ctx, until, yield)
	}
}

// place turns From into what a reader needs, and the last offset to deliver; until 0: none, or nothing if cfg.untilLast.
func (l *Log) place(ctx context.Context, from From, cfg *subscribeConfig) (start stream.Start, until uint64, err error) {
	if cfg.buffer <= 0 || cfg.buffer > 1<<30 {
		return start, 0, invalidRead(l.name, "Buffer %d: want a positive number of bytes, at most 1 GiB", cfg.buffer)
	}
	if from.kind == fromOffset && from.offset == 0 {
		return start, 0, invalidRead(l.name, "offset 0: offsets begin at 1")
	}
	var last uint64
	if cfg.untilLast || from.kind == fromNext {
		if last, err = l.LastOffset(ctx); err != nil {
			return start, 0, err
		}
	}
	switch from.kind {
	case fromFirst:
		start = stream.Start{From: 1, SkipGone: true}
	case fromNext:
		start = stream.Start{From: paxos.Offset(last + 1)}
	case fromOffset:
		start = stream.Start{From: paxos.Offset(from.offset)}
	case fromTime:
		start = stream.Start{Since: from.stamp()}
		if cfg.untilLast {
			return l.placeSince(ctx, start, last)
		}
	}
	if cfg.untilLast {
		until = last
		if uint64(start.From) > last {
			until = 0
		}
	}
	return start, until, nil
}

// placeSince returns what place does where reading ends at offset last: nothing if all up to there is older than the start. A learner
// would wait for an entry that is late enough. Stamps never fall (docs/protocol.md, Q5), so the last entry decides.
func (l *Log) placeSince(ctx context.Context, start stream.Start, last uint64) (stream.Start, uint64, error) {
	if last == 0 {
		return start, 0, nil
	}
	e, err := l.Get(ctx, last)
	switch {
	case errors.Is(err, ErrGone):
		return start, 0, nil // retention has dropped all that was there
	case err != nil:
		return start, 0, err
	case e.Time.UnixNano() < int64(start.Since):
		return start, 0, nil
	}
	return start, last, nil
}

func invalidRead(log, format string, args ...any) error {
	err := invalid(opRead, log, format, args...)
	err.Class = nil
	return err
}

// subscription joins a stream's core to the inbox, the timer and one consumer. Chunks and the timer step the core in the background; the consumer
// takes batches and says so.
type subscription struct {
	c     *Client
	log   *Log
	known *known
	sub   *nats.Subscription
	inbox string // where chunks arrive: subject and stream number

	mu      sync.Mutex
	r       *stream.Reader
	out     stream.Output
	buf     []byte
	queue   []stream.Batch
	wake    chan struct{} // capacity 1: the queue, or err, has changed
	timer   *time.Timer
	timerAt paxos.Instant
	streams uint64 // newest stream number
	asking  bool   // learners are being looked for
	err     error
	closed  bool
}

// chunkMessages bounds the messages that wait for the core. The core's credit bounds their bytes.
const chunkMessages = 64 << 10

// subscribe starts reading.
func (l *Log) subscribe(ctx context.Context, start stream.Start, window uint32) (*subscription, error) {
	k, err := l.resolve(ctx, opRead)
	if err != nil {
		return nil, withoutClass(err)
	}
	s := &subscription{c: l.c, log: l, known: k, inbox: l.c.nc.NewInbox(), wake: make(chan struct{}, 1)}
	s.r = stream.New(stream.Config{
		Seed: l.c.seed(), Window: window, ChunkBytes: min(stream.DefaultChunkBytes, max(window/4, 1)), NextStream: s.number,
	}, start)
	if s.sub, err = l.c.nc.Subscribe(s.inbox+".*", s.onChunk); err != nil {
		return nil, &Error{Op: opRead, Log: l.name, Reason: ErrClosed, Cause: err}
	}
	// The credit window bounds what waits, and one chunk more per stream begun.
	if err := s.sub.SetPendingLimits(chunkMessages, -1); err != nil {
		return nil, &Error{Op: opRead, Log: l.name, Reason: ErrClosed, Cause: err}
	}
	l.c.mu.Lock()
	closed := l.c.closed
	if !closed {
		l.c.subs[s] = struct{}{}
	}
	l.c.mu.Unlock()
	if closed {
		_ = s.sub.Unsubscribe()
		return nil, &Error{Op: opRead, Log: l.name, Reason: ErrClosed}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.SetLearners(l.c.now(), l.learners(), &s.out)
	s.carry()
	s.ask() // the learner that answered first serves at once; who else there is is good to know before it stops
	return s, nil
}

// number returns the next stream's number. A learner tells streams apart by reply subject too.
func (s *subscription) number() uint64 {
	s.streams++
	return s.streams
}

// learners returns those that are known to serve the log.
func (l *Log) learners() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		return nil
	}
	return slices.Clone(l.known.learners)
}

// deliver yields entries up to until, or for ever where it is 0.
func (s *subscription) deliver(ctx context.Context, until uint64, yield func(Entry, error) bool) {
	var batches []stream.Batch
	for {
		var err error
		batches, err = s.take(ctx, batches[:0])
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for i := range batches {
			b := &batches[i]
			if !deliverBatch(b, until, yield) {
				return
			}
			s.consumed(b.Cost())
			*b = stream.Batch{}
		}
	}
}

// deliverBatch yields a batch's entries, and reports whether to go on.
func deliverBatch(b *stream.Batch, until uint64, yield func(Entry, error) bool) bool {
	frames := b.Frames
	at, skip := uint64(b.First), b.Skip
	t := timeOf(b.Stamp)
	for range b.Count {
		f, rest, err := value.DecodeFrame(frames)
		if err != nil {
			return yield(Entry{}, err) && false // cannot happen: the core has scanned them
		}
		frames = rest
		if skip > 0 {
			skip--
		} else {
			if until > 0 && at > until {
				return false // what was asked for is no longer held
			}
			if !yield(Entry{Offset: at, Time: t, Headers: f.Headers, Payload: f.Payload}, nil) {
				return false
			}
			if at == until {
				return false
			}
		}
		at++
	}
	return true
}

// take waits for batches.
func (s *subscription) take(ctx context.Context, to []stream.Batch) ([]stream.Batch, error) {
	for {
		s.mu.Lock()
		to = append(to, s.queue...)
		clear(s.queue)
		s.queue = s.queue[:0]
		err := s.err
		s.mu.Unlock()
		if len(to) > 0 {
			return to, nil
		}
		if err != nil {
			return to, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return to, s.interrupted(ctx)
		}
	}
}

// interrupted says why nothing came, as far as that is known.
func (s *subscription) interrupted(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := &Error{Op: opRead, Log: s.log.name, Cause: ctx.Err()}
	t := s.r.Trouble()
	switch {
	case s.r.Learner() != "":
	case t.Code == paxos.ReadElsewhere:
		err.Reason, err.Text = ErrNoLearner, "learner "+t.Learner+" begins later, and no other answers"
	default:
		err.Reason = ErrNoLearner
	}
	return err
}

func (s *subscription) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// consumed tells the core that there is room again.
func (s *subscription) consumed(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Consumed(s.c.now(), n, &s.out)
	s.carry()
}

// carry does what the core asks for; s.mu is held.
func (s *subscription) carry() {
	if s.closed {
		s.out.Reset()
		return
	}
	s.send()
	if len(s.out.Batches) > 0 {
		s.queue = append(s.queue, s.out.Batches...)
		s.poke()
	}
	if s.out.Gone && s.err == nil {
		s.err = &Error{Op: opRead, Log: s.log.name, Class: ErrGone, First: uint64(s.out.First)}
		s.poke()
	}
	ask := s.out.Ask
	s.out.Reset()
	if ask {
		s.ask()
	}
	s.arm()
}

func (s *subscription) send() {
	for i := range s.out.Sends {
		x := &s.out.Sends[i]
		env := paxos.Envelope{Log: s.log.name, Genesis: s.known.genesis, To: x.To, Request: x.Read.Stream, Bulk: true, Msg: x.Read}
		// What cannot be published is noticed as silence.
		s.buf, _ = s.c.publishTo(s.buf, &env, s.inbox+"."+strconv.FormatUint(x.Read.Stream, 10))
	}
}

func (s *subscription) arm() {
	at := s.r.Wake()
	if at == 0 || (s.timerAt != 0 && s.timerAt <= at) {
		return
	}
	s.timerAt = at
	d := max(time.Duration(at.Sub(s.c.now())), 0) + time.Millisecond
	if s.timer == nil {
		s.timer = time.AfterFunc(d, s.onTimer)
		return
	}
	s.timer.Reset(d)
}

func (s *subscription) onTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timerAt = 0
	if s.closed {
		return
	}
	s.r.Tick(s.c.now(), &s.out)
	s.carry()
}

// onChunk takes what a learner sent, or the broker's 503.
func (s *subscription) onChunk(msg *nats.Msg) {
	number, err := strconv.ParseUint(strings.TrimPrefix(msg.Subject, s.inbox+"."), 10, 64)
	if err != nil {
		return
	}
	none := nobody(msg)
	var m *paxos.ReadAnswer
	if !none {
		var ok bool
		if m, ok = answerTo(msg, number, s.known.genesis).(*paxos.ReadAnswer); !ok {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if none {
		s.r.OnNoResponders(s.c.now(), number, &s.out)
	} else {
		s.r.OnAnswer(s.c.now(), m, &s.out)
	}
	s.carry()
}

func (s *subscription) onConnection() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.r.OnConnection(s.c.now(), &s.out)
		s.carry()
	}
}

// ask looks for learners in the background; s.mu is held.
func (s *subscription) ask() {
	if s.asking {
		return
	}
	s.asking = true
	s.c.background(s.survey)
}

// survey looks for learners, and for whether the log is still the one that is being read.
func (s *subscription) survey(ctx context.Context) {
	found, err := s.c.survey(ctx, "")
	names, another := s.sort(found)
	s.mu.Lock()
	s.asking = false
	if err != nil || s.closed {
		s.mu.Unlock()
		return
	}
	if len(names) > 0 {
		s.r.SetLearners(s.c.now(), names, &s.out)
		s.carry()
	}
	s.mu.Unlock()
	switch {
	case len(names) > 0:
		s.log.confirm(s.known, names)
	case another != "":
		s.log.doubt(s.known)
		s.fail(&Error{Op: opRead, Log: s.log.name, Class: ErrGone, Reason: ErrRefounded, Text: "it was " + s.known.genesis.String() + ", and is " + another})
	}
}

// sort returns the names of those that serve the log, and the identity of another log of its name, if one is served.
func (s *subscription) sort(found []learner) (names []string, another string) {
	for i := range found {
		for j := range found[i].logs {
			switch l := &found[i].logs[j]; {
			case l.Log != s.log.name:
			case l.Genesis == s.known.genesis:
				names = append(names, found[i].name)
			default:
				another = l.Genesis.String()
			}
		}
	}
	return names, another
}

// fail ends the subscription with an error, once what has arrived is consumed.
func (s *subscription) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.poke()
}

// close tells the learner to stop and frees everything.
func (s *subscription) close() {
	s.mu.Lock()
	s.r.Stop(&s.out)
	s.send()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	_ = s.sub.Unsubscribe() // fails only if the connection is closed already
	s.c.mu.Lock()
	delete(s.c.subs, s)
	s.c.mu.Unlock()
}
