package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// Log is a handle of one log. It is safe for concurrent use.
type Log struct {
	c    *Client
	name string
	find chan struct{} // capacity 1: held while the log is looked for

	mu      sync.Mutex
	closed  bool
	known   *known
	own     *engine // Append's
	engines map[*engine]struct{}
	leaders *nats.Subscription
	leader  paxos.Ballot  // newest that announced itself
	changed chan struct{} // closed when a leader announces itself, or the connection is back
}

func newLog(c *Client, name string) *Log {
	return &Log{c: c, name: name, find: make(chan struct{}, 1), engines: make(map[*engine]struct{}), changed: make(chan struct{})}
}

// Name returns the log's name.
func (l *Log) Name() string { return l.name }

// Append appends entries, together and in order, and returns once they can no longer be lost: each exactly once, whatever becomes of
// leaders meanwhile. A call that begins after another of the same Client has returned comes after it in the log; so do, in one
// session, calls that overlap, in the order in which they got into the buffer.
//
// It tries until ctx ends; give it a deadline. Then the error is ErrRefused where the entries certainly are not in the log,
// else ErrUnknown. All entries of one call must fit one batch: see ErrTooLarge.
func (l *Log) Append(ctx context.Context, entries ...Entry) (Ack, error) {
	return l.AppendBatch(ctx, entries)
}

// AppendBatch is Append with a condition or a message id, which stand for all entries together.
func (l *Log) AppendBatch(ctx context.Context, entries []Entry, opts ...AppendOption) (Ack, error) {
	var cfg appendConfig
	for _, o := range opts {
		o(&cfg)
	}
	size, err := l.measure(entries, &cfg)
	if err != nil {
		return Ack{}, err
	}
	if err := ctx.Err(); err != nil {
		return Ack{}, &Error{Op: opAppend, Log: l.name, Class: ErrRefused, Cause: err}
	}
	for {
		e, err := l.engine(ctx)
		if err != nil {
			return Ack{}, err
		}
		ack, err := e.append(ctx, entries, size, &cfg)
		if errors.Is(err, ErrRefounded) && errors.Is(err, ErrRefused) && !cfg.hasExpect && ctx.Err() == nil {
			continue // it was never sent to the old log
		}
		return ack, err
	}
}

// measure checks what does not depend on the log and returns the bytes of all frames.
func (l *Log) measure(entries []Entry, cfg *appendConfig) (int, error) {
	if len(entries) == 0 {
		return 0, invalid(opAppend, l.name, "no entries")
	}
	if len(entries) > paxos.MaxBatchEntries {
		return 0, &Error{Op: opAppend, Log: l.name, Class: ErrRefused, Reason: ErrTooLarge, Text: "more than 65,536 entries at once"}
	}
	if len(cfg.id) > paxos.MaxMessageIDBytes {
		return 0, invalid(opAppend, l.name, "the message id has %d bytes, at most %d are possible", len(cfg.id), paxos.MaxMessageIDBytes)
	}
	size := 0
	for i := range entries {
		n, err := frameSize(opAppend, l.name, &entries[i])
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// engine returns the session that Append shares, and makes it at first.
func (l *Log) engine(ctx context.Context) (*engine, error) {
	l.mu.Lock()
	if e := l.own; e != nil {
		l.mu.Unlock()
		return e, nil
	}
	l.mu.Unlock()
	k, err := l.resolve(ctx, opAppend)
	if err != nil {
		return nil, err
	}
	cfg := defaultProducer()
	cfg.timeout = 0 // callers have deadlines of their own
	e, err := newEngine(l, k, cfg, opAppend)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own != nil || l.closed {
		e.close(ErrClosed)
		if l.closed {
			return nil, &Error{Op: opAppend, Log: l.name, Class: ErrRefused, Reason: ErrClosed}
		}
		return l.own, nil
	}
	l.own = e
	l.engines[e] = struct{}{}
	e.begin(l.leader)
	return e, nil
}

// Producer returns an asynchronous producer with a session of its own. Close it.
func (l *Log) Producer(ctx context.Context, opts ...ProducerOption) (*Producer, error) {
	cfg := defaultProducer()
	for _, o := range opts {
		o(&cfg)
	}
	if err := cfg.validate(l.name); err != nil {
		return nil, err
	}
	k, err := l.resolve(ctx, opProduce)
	if err != nil {
		return nil, err
	}
	e, err := newEngine(l, k, cfg, opProduce)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		e.close(ErrClosed)
		return nil, &Error{Op: opProduce, Log: l.name, Class: ErrRefused, Reason: ErrClosed}
	}
	l.engines[e] = struct{}{}
	p := newProducer(e)
	e.begin(l.leader)
	return p, nil
}

// resolve returns what must be known of the log, asking learners where it is not.
func (l *Log) resolve(ctx context.Context, op string) (*known, error) {
	if k := l.cached(); k != nil {
		return k, nil
	}
	select {
	case l.find <- struct{}{}:
	case <-ctx.Done():
		return nil, &Error{Op: op, Log: l.name, Class: ErrRefused, Reason: ErrNoLearner, Cause: ctx.Err(), Text: l.c.whereabouts()}
	}
	defer func() { <-l.find }()
	if k := l.cached(); k != nil {
		return k, nil
	}
	k, err := l.c.find(ctx, op, l.name)
	if err != nil {
		return nil, err
	}
	if err := l.listen(); err != nil {
		return nil, &Error{Op: op, Log: l.name, Class: ErrRefused, Reason: ErrClosed, Cause: err}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = k
	return k, nil
}

func (l *Log) cached() *known {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

// doubt is called when nobody answered for the log. If it has not been confirmed for a while, it is looked for again in the
// background; should it have been founded anew, the next call goes on with that one.
func (l *Log) doubt(k *known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known != k || l.closed || time.Since(k.at) < l.c.cfg.confirm {
		return
	}
	k.at = time.Now()
	l.c.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, confirmAfter)
		defer cancel()
		if found, err := l.c.find(ctx, opAppend, l.name); err == nil {
			l.replace(found)
		}
	})
}

// confirm notes who serves the log now.
func (l *Log) confirm(k *known, learners []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == k {
		k.learners, k.at = learners, time.Now()
	}
}

// replace takes newer knowledge of the log.
func (l *Log) replace(k *known) {
	l.mu.Lock()
	same := l.known != nil && l.known.genesis == k.genesis
	if same {
		l.known.learners, l.known.at = k.learners, k.at
		l.mu.Unlock()
		return
	}
	own := l.own
	l.known, l.own, l.leader = k, nil, paxos.Ballot{}
	l.mu.Unlock()
	if own != nil {
		l.drop(own, ErrRefounded)
	}
}

// drop ends an engine.
func (l *Log) drop(e *engine, reason error) {
	l.mu.Lock()
	delete(l.engines, e)
	l.mu.Unlock()
	e.close(reason)
}

// listen subscribes to the announcements of the log's leaders.
func (l *Log) listen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.leaders != nil {
		return nil
	}
	var err error
	l.leaders, err = l.c.nc.Subscribe(l.c.subjects.Pattern(messaging.Address{Log: l.name, Kind: paxos.KindLeader}), l.onLeader)
	return err
}

// onLeader takes an announcement: who leads takes appends now.
func (l *Log) onLeader(msg *nats.Msg) {
	env, err := l.c.subjects.Decode(msg.Subject, msg.Data)
	if err != nil {
		return
	}
	m, ok := env.Msg.(*paxos.Leader)
	if !ok {
		return
	}
	l.mu.Lock()
	if l.known != nil && env.Genesis != l.known.genesis {
		l.mu.Unlock()
		return
	}
	if l.leader.Less(m.Ballot) {
		l.leader = m.Ballot
	}
	l.signal()
	engines := l.all()
	l.mu.Unlock()
	for _, e := range engines {
		e.onLeader(m.Ballot)
	}
}

func (l *Log) onConnection(up bool) {
	l.mu.Lock()
	if up {
		l.signal()
	}
	engines := l.all()
	l.mu.Unlock()
	for _, e := range engines {
		e.onConnection(up)
	}
}

// signal wakes those who wait for a leader; l.mu is held.
func (l *Log) signal() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Log) all() []*engine {
	es := make([]*engine, 0, len(l.engines))
	for e := range l.engines {
		es = append(es, e)
	}
	return es
}

// change returns a channel that is closed when a leader next announces itself, or the connection is back, and the
// newest leader heard of.
func (l *Log) change() (<-chan struct{}, paxos.Ballot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed, l.leader
}

func (l *Log) close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	engines := l.all()
	sub := l.leaders
	l.mu.Unlock()
	for _, e := range engines {
		e.close(ErrClosed)
	}
	if sub != nil {
		_ = sub.Unsubscribe() // fails only if the connection is closed already
	}
}
