package messaging

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// link is one of a transport's two connections (PROTOCOL N5) with its outgoing queue and its inbox.
//
//	I1  up is false from the moment a break is noticed until the callback that says the connection is back.
//	I2  epoch grows at every break; an item leaves only in the epoch in which it was queued.
type link struct {
	t     *Transport
	name  string // "bulk" or "control"
	inbox inbox
	nc    *nats.Conn
	out   *outbox

	up    atomic.Bool
	epoch atomic.Uint64
	since atomic.Int64 // time.Time of the last (re)connect, in Unix nanoseconds
	dials atomic.Uint64
	busy  atomic.Int32 // writes to the socket under way
	told  atomic.Int64 // when waiting was last told, in Unix nanoseconds

	mu         sync.Mutex // orders callbacks against close
	refused    error      // the broker met last has too small a max_payload
	retry      *time.Timer
	closing    bool
	subscribed []*nats.Subscription // for the slow consumer counts
}

// Names of the connections.
const (
	connBulk    = "bulk"
	connControl = "control"
)

// noticing is a socket that tells its link when it breaks. The client library tells much later, after callbacks of
// others, and publishes meanwhile would wait for the next connection and arrive late.
type noticing struct {
	net.Conn
	link *link
	dial uint64
}

// Read marks the link down on an error.
func (c *noticing) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && !isTimeout(err) {
		c.link.broke(c.dial)
	}
	return n, err
}

// Write marks the link down on an error: a message may be cut in half.
func (c *noticing) Write(b []byte) (int, error) {
	c.link.busy.Add(1)
	defer c.link.busy.Add(-1)
	n, err := c.Conn.Write(b)
	if err != nil {
		c.link.broke(c.dial)
	}
	return n, err
}

// Close marks the link down.
func (c *noticing) Close() error {
	c.link.broke(c.dial)
	return c.Conn.Close()
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Dial is called by the client library for every attempt.
func (l *link) Dial(network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: l.t.cfg.Timeout}
	c, err := d.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &noticing{Conn: c, link: l, dial: l.dials.Add(1)}, nil
}

// broke marks the link down if it is on the connection of this dial.
func (l *link) broke(dial uint64) {
	if l.dials.Load() == dial {
		l.down()
	}
}

// idle reports whether nothing is being written to the socket: then the client library takes a message without waiting.
func (l *link) idle() bool { return l.busy.Load() == 0 }

func (l *link) down() {
	if l.up.CompareAndSwap(true, false) {
		l.epoch.Add(1)
	}
}

// connect makes the first connection. It tries until ctx ends, or until the broker's answer shows that trying again is of no use.
func (l *link) connect(ctx context.Context) error {
	opts, err := l.t.cfg.options(l.name)
	if err != nil {
		return err
	}
	opts = append(opts,
		nats.SetCustomDialer(l),
		nats.DisconnectErrHandler(l.onDisconnect), nats.ReconnectHandler(l.onReconnect),
		nats.ErrorHandler(l.onError), nats.ReconnectErrHandler(l.onReconnectError),
	)
	o := nats.GetDefaultOptions()
	o.Servers = l.t.cfg.URLs
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	for {
		nc, err := o.Connect()
		if err == nil {
			l.nc = nc
			return l.accept(nc)
		}
		if hopeless(err) {
			return fmt.Errorf("connect to broker %s: %w", l.t.cfg.broker(), err)
		}
		l.waiting(err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("connect to broker %s: %w: %w", l.t.cfg.broker(), context.Cause(ctx), err)
		case <-time.After(reconnectWait):
		}
	}
}

// accept takes a new connection into use, unless its max_payload is too small.
func (l *link) accept(nc *nats.Conn) error {
	if most := nc.MaxPayload(); most < l.t.cfg.MinPayload {
		return fmt.Errorf("%w: broker %s allows %d bytes, the logs need %d: set max_payload in its configuration",
			ErrMaxPayload, nc.ConnectedUrlRedacted(), most, l.t.cfg.MinPayload)
	}
	l.since.Store(time.Now().UnixNano())
	l.told.Store(0)
	l.up.Store(true)
	return nil
}

func (l *link) onDisconnect(_ *nats.Conn, err error) {
	l.down()
	l.t.event(Event{Kind: EventDisconnected, Conn: l.name, Err: err})
	l.t.connectionChanged()
}

func (l *link) onReconnect(nc *nats.Conn) {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return
	}
	l.refused = nil
	if nc.IsConnected() {
		if err := l.accept(nc); err != nil {
			l.refused = err
			l.retry = time.AfterFunc(l.t.cfg.Timeout, func() { _ = nc.ForceReconnect() })
		}
	}
	err := l.refused
	l.mu.Unlock()
	l.t.count.reconnects.Add(1)
	if err != nil {
		l.t.event(Event{Kind: EventMaxPayload, Conn: l.name, Err: err})
	} else {
		l.t.event(Event{Kind: EventReconnected, Conn: l.name, Text: nc.ConnectedUrlRedacted()})
	}
	l.t.connectionChanged()
}

func (l *link) onReconnectError(_ *nats.Conn, err error) { l.waiting(err) }

// waiting says that there is no broker, at once and then every few seconds.
func (l *link) waiting(err error) {
	now := time.Now().UnixNano()
	if told := l.told.Load(); now-told < int64(waitingEvery) || !l.told.CompareAndSwap(told, now) {
		return
	}
	l.t.event(Event{Kind: EventWaiting, Conn: l.name, Err: fmt.Errorf("connect to broker %s: %w", l.t.cfg.broker(), err)})
}

func (l *link) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	ev := Event{Kind: EventError, Conn: l.name, Err: err}
	if sub != nil {
		ev.Subject = sub.Subject
	}
	switch {
	case errors.Is(err, nats.ErrSlowConsumer) && sub != nil:
		ev.Kind, ev.N = EventSlowConsumer, int64(dropped(sub))
	case errors.Is(err, nats.ErrPermissionViolation):
		ev.Kind = EventPermission
	}
	l.t.event(ev)
}

// young reports whether the connection is so new that a 503 means nothing yet (PROTOCOL N5).
func (l *link) young() bool {
	return time.Since(time.Unix(0, l.since.Load())) < l.t.cfg.Timeout
}

// publish hands one item to the client library, unless the connection for which it was queued is gone.
func (l *link) publish(it *item) {
	if !l.up.Load() || it.epoch != l.epoch.Load() {
		_ = l.t.drop(l, it.subject, ErrDisconnected) // counted; nobody waits
		return
	}
	m := nats.Msg{Subject: it.subject, Reply: it.reply, Header: it.header, Data: it.data.b}
	if err := l.nc.PublishMsg(&m); err != nil {
		switch {
		case errors.Is(err, nats.ErrMaxPayload):
			err = ErrTooLarge
		case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
			err = ErrDisconnected
		}
		_ = l.t.drop(l, it.subject, err) // counted; nobody waits
		return
	}
	l.t.count.sent.Add(1)
	l.t.count.sentBytes.Add(uint64(len(it.data.b)))
}

// flush waits until everything queued before has left and the broker has read it, or ctx ends. A ctx without
// deadline is fine.
func (l *link) flush(ctx context.Context) error {
	reached := make(chan struct{})
	if err := l.out.put(item{reached: reached}); err != nil {
		return err
	}
	select {
	case <-reached:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !l.up.Load() {
		return ErrDisconnected
	}
	ctx, cancel := context.WithTimeout(ctx, l.t.cfg.Timeout) // the client library insists on a deadline
	defer cancel()
	return l.nc.FlushWithContext(ctx)
}

// barrier waits until every handler of this connection has run for what had arrived before, or ctx ends.
func (l *link) barrier(ctx context.Context) error {
	reached := make(chan struct{})
	if err := l.nc.Barrier(func() { close(reached) }); err != nil {
		if errors.Is(err, nats.ErrConnectionClosed) {
			return ErrClosed
		}
		return err
	}
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets everything that is queued leave, bounded by ctx, and ends the connection.
func (l *link) close(ctx context.Context) {
	l.mu.Lock()
	l.closing = true
	if l.retry != nil {
		l.retry.Stop()
	}
	l.mu.Unlock()
	if l.out != nil {
		_ = l.flush(ctx) // best effort: what does not leave now is lost, as on any link
	}
	if l.nc != nil {
		l.nc.Close()
	}
	if l.out != nil {
		l.down()
		l.out.close()
	}
}
