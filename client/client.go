package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// Limits of the inbox on which answers arrive. Answers are small; what is lost is asked for again.
const (
	inboxMessages = 256 << 10
	inboxBytes    = 256 << 20
)

// Client is one program's access to the logs of a cluster, over a connection that it does not own. It is safe for concurrent
// use.
//
// Every answer arrives on one inbox, inbox.<endpoint>.<request>: whoever waits for answers is an endpoint. So an answer finds its
// request even when it is the broker's empty 503.
type Client struct {
	cfg      config
	nc       *nats.Conn
	subjects messaging.Subjects
	inbox    string // ends in a dot
	started  time.Time
	sub      *nats.Subscription
	status   chan nats.Status
	ctx      context.Context // ends with the client: what runs in the background outlives the call that began it
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	ends   map[uint64]endpoint
	newest uint64 // endpoint number
	logs   map[string]*Log
	subs   map[*subscription]struct{}
}

// endpoint takes an answer to one of its requests. It is called from the inbox's one goroutine and must not block.
type endpoint func(request uint64, msg *nats.Msg)

// New returns a client of one cluster. The connection stays the caller's: close it after the client. It should reconnect for
// ever and buffer nothing meanwhile (nats.MaxReconnects(-1), nats.ReconnectBufSize(-1)).
//
// New asks nobody: a cluster that is not there is noticed by the first call that needs it.
func New(ctx context.Context, nc *nats.Conn, opts ...Option) (*Client, error) {
	cfg, subjects, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if nc == nil {
		return nil, fmt.Errorf("new client: %w: no connection", ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("new client: %w", err)
	}
	c := &Client{
		cfg: cfg, nc: nc, subjects: subjects, inbox: nc.NewInbox() + ".", started: time.Now(),
		ends: make(map[uint64]endpoint), logs: make(map[string]*Log), subs: make(map[*subscription]struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if c.sub, err = nc.Subscribe(c.inbox+"*.*", c.onAnswer); err != nil {
		c.cancel()
		return nil, fmt.Errorf("new client: subscribe to answers: %w", err)
	}
	if err := c.sub.SetPendingLimits(inboxMessages, inboxBytes); err != nil {
		c.cancel()
		return nil, errors.Join(fmt.Errorf("new client: bound what may wait: %w", err), c.sub.Unsubscribe())
	}
	c.status = nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	c.wg.Add(1)
	go c.watch()
	return c, nil
}

// Close ends every call, producer and subscription of the client, and frees what it holds. Appends that are on their way end as
// "unknown"; flush producers first. The connection is left open.
func (c *Client) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	logs := make([]*Log, 0, len(c.logs))
	for _, l := range c.logs {
		logs = append(logs, l)
	}
	subs := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	c.mu.Unlock()
	for _, s := range subs {
		s.fail(&Error{Op: "read", Log: s.log.name, Reason: ErrClosed})
	}
	for _, l := range logs {
		l.close()
	}
	c.cancel()
	c.nc.RemoveStatusListener(c.status)
	c.wg.Wait()
	_ = c.sub.Unsubscribe() // fails only if the connection is closed already
}

// Log returns a handle of the log with this name. It asks nobody: whether there is such a log shows when it is used.
func (c *Client) Log(name string) *Log {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.logs[name]
	if l == nil {
		l = newLog(c, name)
		c.logs[name] = l
	}
	return l
}

// now returns the time as cores want it. It is never zero.
func (c *Client) now() paxos.Instant { return paxos.Instant(time.Since(c.started)) + 1 }

// seed returns a random number for a core: for jitter, and for tokens that only tell apart.
func (c *Client) seed() uint64 { return rand.Uint64() }

// watch tells the parts of the client when the connection comes and goes.
func (c *Client) watch() {
	defer c.wg.Done()
	up, reconnects := c.nc.IsConnected(), c.nc.Stats().Reconnects
	for {
		select {
		case <-c.ctx.Done():
			return
		case _, ok := <-c.status:
			if !ok {
				return
			}
			if c.nc.IsClosed() {
				c.onClosed()
				return
			}
			// A cut that was over before it was noticed is one all the same: what was on its way then is lost.
			n := c.nc.Stats().Reconnects
			if n != reconnects && up {
				up = false
				c.onConnection(false)
			}
			reconnects = n
			if now := c.nc.IsConnected(); now != up {
				up = now
				c.onConnection(up)
			}
		}
	}
}

// background runs f until it returns; its context ends with the client.
func (c *Client) background(f func(ctx context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		f(c.ctx)
	}()
}

func (c *Client) onConnection(up bool) {
	for _, l := range c.allLogs() {
		l.onConnection(up)
	}
	if !up {
		return
	}
	for _, s := range c.allSubscriptions() {
		s.onConnection()
	}
}

func (c *Client) onClosed() {
	for _, s := range c.allSubscriptions() {
		s.fail(&Error{Op: "read", Log: s.log.name, Reason: ErrClosed, Cause: nats.ErrConnectionClosed})
	}
	for _, l := range c.allLogs() {
		l.close()
	}
}

func (c *Client) allLogs() []*Log {
	c.mu.Lock()
	defer c.mu.Unlock()
	logs := make([]*Log, 0, len(c.logs))
	for _, l := range c.logs {
		logs = append(logs, l)
	}
	return logs
}

func (c *Client) allSubscriptions() []*subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	subs := make([]*subscription, 0, len(c.subs))
	for s := range c.subs {
		subs = append(subs, s)
	}
	return subs
}

// attach makes e an endpoint and returns its number.
func (c *Client) attach(e endpoint) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, ErrClosed
	}
	c.newest++
	c.ends[c.newest] = e
	return c.newest, nil
}

func (c *Client) detach(end uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, end)
}

// reply returns the subject to which the answer to an endpoint's request must go.
func (c *Client) reply(end, request uint64) string {
	b := make([]byte, 0, len(c.inbox)+28)
	b = append(b, c.inbox...)
	b = strconv.AppendUint(b, end, 36)
	b = append(b, '.')
	return string(strconv.AppendUint(b, request, 36))
}

// onAnswer hands an answer to its endpoint. What nobody waits for any more is dropped.
func (c *Client) onAnswer(msg *nats.Msg) {
	rest, ok := strings.CutPrefix(msg.Subject, c.inbox)
	if !ok {
		return
	}
	first, second, _ := strings.Cut(rest, ".")
	end, err := strconv.ParseUint(first, 36, 64)
	if err != nil {
		return
	}
	request, err := strconv.ParseUint(second, 36, 64)
	if err != nil {
		return
	}
	c.mu.Lock()
	e := c.ends[end]
	c.mu.Unlock()
	if e != nil {
		e(request, msg)
	}
}

// nobody reports whether msg is the broker's 503: the request was delivered to nobody.
func nobody(msg *nats.Msg) bool {
	return len(msg.Data) == 0 && msg.Header.Get("Status") == "503"
}

// answerTo decodes an answer and checks that it is one to this request about this log (docs/protocol.md P9). It returns nil for
// anything else.
func answerTo(msg *nats.Msg, request uint64, genesis paxos.GenesisID) paxos.Message {
	env, err := messaging.DecodeAnswer(msg.Data)
	if err != nil || env.Request != request || env.Genesis != genesis {
		return nil
	}
	return env.Msg
}

// publish sends one request whose answer goes to an endpoint. buf is scratch that is returned for the next one.
func (c *Client) publish(buf []byte, env *paxos.Envelope, end uint64) ([]byte, error) {
	return c.publishTo(buf, env, c.reply(end, env.Request))
}

func (c *Client) publishTo(buf []byte, env *paxos.Envelope, reply string) ([]byte, error) {
	a, err := c.subjects.Of(env)
	if err != nil {
		return buf, err
	}
	buf, err = messaging.Encode(buf[:0], env)
	if err != nil {
		return buf, err
	}
	return buf, c.nc.PublishRequest(c.subjects.Subject(a), reply, buf)
}
