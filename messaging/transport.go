package messaging

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// Handler takes an arrived message. Handlers of different subscriptions run at the same time; those of one do not. A
// handler that blocks fills its subscription's buffer, and past that messages are dropped and counted.
type Handler func(env *paxos.Envelope)

// Transport carries one role's messages over NATS: two connections (PROTOCOL N5), no queue groups (N3), replies only
// where they belong (N2). It is safe for use by many goroutines.
//
// It gives no delivery guarantee: while disconnected, or where a queue is full, messages are dropped and counted. Order
// holds per connection and sender only.
type Transport struct {
	cfg      Config
	subjects Subjects
	replies  replyPolicy
	bulk     *link
	control  *link
	answers  Handler
	count    counters

	mu     sync.Mutex // orders OnConnection
	wasUp  bool
	closed bool
}

// Connect makes both connections and subscribes to their inboxes. It waits for a broker that is down, and says so
// through Observe, until ctx ends; it returns at once when the broker refuses the credentials, or its max_payload is too
// small (ErrMaxPayload). Answers, and 503s as *paxos.NoResponders, go to the handler answers.
func Connect(ctx context.Context, cfg Config, answers Handler) (*Transport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Transport{cfg: cfg, answers: answers}
	if t.subjects, err = NewSubjects(cfg.Prefix, cfg.Cluster); err != nil {
		return nil, err
	}
	prefixes := append([]string{DefaultInboxPrefix, cfg.InboxPrefix}, cfg.ReplyPrefixes...)
	if t.replies, err = newReplyPolicy(prefixes, t.subjects.Prefix+"."); err != nil {
		return nil, err
	}
	t.bulk, t.control = t.newLink(connBulk), t.newLink(connControl)
	for _, l := range []*link{t.bulk, t.control} {
		if err := t.open(ctx, l); err != nil {
			t.Close(ctx)
			return nil, err
		}
	}
	t.connectionChanged()
	return t, nil
}

func (t *Transport) newLink(name string) *link {
	return &link{t: t, name: name, inbox: newInbox(t.cfg.InboxPrefix, t.cfg.Name, name[:1], t.cfg.Run)}
}

func (t *Transport) open(ctx context.Context, l *link) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	l.out = newOutbox(t.cfg.QueueMessages, t.cfg.QueueBytes, l.publish, l.idle)
	if _, err := t.listen(l, l.inbox.pattern(), func(m *nats.Msg) { t.receiveAnswer(l, m) }); err != nil {
		return err
	}
	t.event(Event{Kind: EventConnected, Conn: l.name, Text: l.nc.ConnectedUrlRedacted()})
	return nil
}

// listen subscribes one subject on one connection.
func (t *Transport) listen(l *link, subject string, handle func(*nats.Msg)) (*nats.Subscription, error) {
	sub, err := l.nc.Subscribe(subject, func(m *nats.Msg) {
		t.count.received.Add(1)
		t.count.receivedBytes.Add(uint64(len(m.Data)))
		handle(m)
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", subject, err)
	}
	if err := sub.SetPendingLimits(t.cfg.PendingMessages, t.cfg.PendingBytes); err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", subject, err)
	}
	l.remember(sub)
	return sub, nil
}

// Subjects returns the subjects of the transport's cluster.
func (t *Transport) Subjects() Subjects { return t.subjects }

// MaxPayload returns the largest message that both brokers take, in bytes.
func (t *Transport) MaxPayload() int64 { return min(t.bulk.nc.MaxPayload(), t.control.nc.MaxPayload()) }

// Up reports whether both connections are up.
func (t *Transport) Up() bool { return t.bulk.up.Load() && t.control.up.Load() }

// Send encodes env and queues it on the connection that its kind, or Bulk, asks for. It keeps no reference to env and does not wait for the
// network: a small message goes straight to the client library if the socket is not being written to, which at worst, when
// the broker stops reading at that moment, costs Config.Timeout once. An error means that nothing was sent: ErrDisconnected and ErrQueueFull are part of life
// (everything in the protocol is sent again until answered), others show a mistake of the caller. All are counted.
//
// An answer to a request that left no reply subject goes nowhere, without error.
func (t *Transport) Send(env *paxos.Envelope) error {
	kind := env.Msg.Kind()
	if kind.IsAnswer() && env.Reply == "" {
		return nil
	}
	l := t.control
	if env.Bulk || bulkKind(kind) {
		l = t.bulk
	}
	if !l.up.Load() {
		return t.drop(l, kind.String(), ErrDisconnected)
	}
	it := item{epoch: l.epoch.Load(), data: getBuffer()}
	err := t.address(l, &it, env)
	if err == nil {
		err = l.out.put(it)
	}
	if err != nil {
		it.data.release()
		return t.drop(l, kind.String(), err)
	}
	return nil
}

// address fills in where env goes and what it says.
func (t *Transport) address(l *link, it *item, env *paxos.Envelope) (err error) {
	if env.Reply != "" {
		return t.addressAnswer(l, it, env)
	}
	a, err := t.subjects.Of(env)
	if err != nil {
		return err
	}
	it.subject = t.subjects.Subject(a)
	if a.Kind.IsRequest() {
		it.reply = l.inbox.subject(env)
	}
	it.data.b, err = Encode(it.data.b, env)
	return err
}

// addressAnswer writes an answer in the form in which it was asked for.
func (t *Transport) addressAnswer(l *link, it *item, env *paxos.Envelope) error {
	form, subject, err := cutReply(env.Reply)
	if err != nil {
		return err
	}
	it.subject = subject
	var body []byte
	switch m := env.Msg.(type) {
	case *paxos.BatchAnswer:
		if form != replyPlain {
			break
		}
		it.header, body, err = EncodePlain(env.Log, env.Genesis, m)
		it.data.b = append(it.data.b, body...)
		return err
	case *paxos.GetAnswer:
		it.header, body, err = EncodeGetAnswer(env.Log, m, int(l.nc.MaxPayload()))
		it.data.b = append(it.data.b, body...)
		return err
	}
	if form != replyEnveloped {
		return fmt.Errorf("%w: %s does not answer that request", ErrReply, env.Msg.Kind())
	}
	it.data.b, err = Encode(it.data.b, env)
	return err
}

// Flush waits until everything sent before, and every subscription made before, has reached the broker.
func (t *Transport) Flush(ctx context.Context) error {
	return errors.Join(t.bulk.flush(ctx), t.control.flush(ctx))
}

// Close sends what is queued, waits until the broker has read it or ctx ends, and closes both connections. Handlers may
// still be running when it returns; none is started after.
func (t *Transport) Close(ctx context.Context) {
	t.mu.Lock()
	closed := t.closed
	t.closed = true
	t.mu.Unlock()
	if closed {
		return
	}
	var wg sync.WaitGroup
	for _, l := range []*link{t.bulk, t.control} {
		wg.Go(func() { l.close(ctx) })
	}
	wg.Wait()
}

// Stats returns the counters.
func (t *Transport) Stats() Stats {
	c := &t.count
	s := Stats{
		Sent: c.sent.Load(), SentBytes: c.sentBytes.Load(), Received: c.received.Load(), ReceivedBytes: c.receivedBytes.Load(),
		Rejected: c.rejected.snapshot(), Dropped: c.dropped.snapshot(), SlowConsumers: c.slow.Load(),
		Reconnects: c.reconnects.Load(), Suppressed: c.suppressed.Load(),
	}
	for _, l := range []*link{t.bulk, t.control} {
		n, b := l.out.load()
		s.Queued += n
		s.QueuedBytes += b
		s.SlowConsumers += l.lost()
	}
	return s
}

// drop counts a message that will not leave, and returns why.
func (t *Transport) drop(l *link, subject string, err error) error {
	word := Reason(err)
	t.count.dropped.add(word)
	t.event(Event{Kind: EventDropped, Conn: l.name, Subject: subject, Reason: word, Err: err})
	return err
}

// reject counts a message that arrived in vain.
func (t *Transport) reject(l *link, subject string, err error) {
	word := Reason(err)
	t.count.rejected.add(word)
	t.event(Event{Kind: EventRejected, Conn: l.name, Subject: subject, Reason: word, Err: err})
}

func (t *Transport) event(ev Event) {
	if t.cfg.Observe != nil {
		t.cfg.Observe(ev)
	}
}

// connectionChanged tells OnConnection if both connections' state, taken together, changed.
func (t *Transport) connectionChanged() {
	t.mu.Lock()
	defer t.mu.Unlock()
	up := t.Up()
	if up == t.wasUp {
		return
	}
	t.wasUp = up
	if t.cfg.OnConnection != nil {
		t.cfg.OnConnection(up)
	}
}

// RoundTrip measures the way to the broker and back on the control connection.
func (t *Transport) RoundTrip() (time.Duration, error) { return t.control.nc.RTT() }
