package messaging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// Interest says which messages a subscription wants.
type Interest struct {
	Kinds []paxos.Kind
	Log   string // one log; "": every log. Ignored for kinds that concern a process
	Name  string // the name token: the own name for requests and votes, usually "" (everyone) for broadcasts
	// Run is the own run, for live and beacons, which name one. Ident is then taken with and without it.
	Run uint64
	// Generation is put into every append, batch, open and admin that arrives (PROTOCOL P8).
	Generation uint64
}

// LeaderKinds are what a leader subscribes to once its term start is sequenced (PROTOCOL P6).
func LeaderKinds() []paxos.Kind {
	return []paxos.Kind{paxos.KindAppend, paxos.KindBatch, paxos.KindOpen, paxos.KindAdmin}
}

// Subscription is a running subscription.
type Subscription struct {
	subs []subscribed

	gate  sync.RWMutex // held for reading while the handler runs
	ended bool
}

type subscribed struct {
	link *link
	sub  *nats.Subscription
}

// Subscribe starts to deliver what in asks for to h. It does not wait for the broker: Flush does. There are no queue
// groups (PROTOCOL N3). Subscriptions outlive disconnections.
func (t *Transport) Subscribe(in Interest, h Handler) (*Subscription, error) {
	s := &Subscription{}
	deliver := func(env *paxos.Envelope) { s.deliver(h, env) }
	for _, k := range in.Kinds {
		patterns, err := t.patterns(in, k)
		if err != nil {
			return nil, errors.Join(err, s.abandon())
		}
		l := t.control
		if bulkKind(k) {
			l = t.bulk
		}
		for _, p := range patterns {
			sub, err := t.listen(l, p, t.receive(l, in.Generation, deliver))
			if err != nil {
				return nil, errors.Join(err, s.abandon())
			}
			s.subs = append(s.subs, subscribed{l, sub})
		}
	}
	return s, nil
}

// patterns returns the subjects of one kind.
func (t *Transport) patterns(in Interest, k paxos.Kind) ([]string, error) {
	a := Address{Log: in.Log, Kind: k, Name: in.Name}
	if shapeOf(k) == shapeNone {
		return nil, fmt.Errorf("subscribe to %s: %w: it travels to inboxes only", k, ErrSubject)
	}
	if processKind(k) {
		a.Log = paxos.ProcessLog
	}
	switch shapeOf(k) {
	case shapeLeader:
		a.Name = ""
	case shapeBoth:
		a.Name, a.To = "", in.Name
	default:
	}
	if a.Log != "" && a.Log != paxos.ProcessLog && !paxos.ValidName(a.Log) || a.Name != "" && !paxos.ValidName(a.Name) || a.To != "" && !paxos.ValidName(a.To) {
		return nil, fmt.Errorf("subscribe to %s: %w: log %q, name %q", k, ErrSubject, a.Log, a.Name)
	}
	switch k {
	case paxos.KindLive, paxos.KindBeacons:
		if a.Run = in.Run; a.Run == 0 {
			return nil, fmt.Errorf("subscribe to %s: %w: it names a run", k, ErrSubject)
		}
	case paxos.KindIdent:
		if in.Run != 0 {
			withRun := a
			withRun.Run = in.Run
			return []string{t.subjects.Pattern(a), t.subjects.Pattern(withRun)}, nil
		}
	default:
	}
	return []string{t.subjects.Pattern(a)}, nil
}

// abandon ends what was begun of a subscription that failed.
func (s *Subscription) abandon() error {
	var errs []error
	for _, x := range s.subs {
		errs = append(errs, x.sub.Unsubscribe())
		x.link.forget(x.sub, 0)
	}
	return errors.Join(errs...)
}

// Stop ends the subscription. When it returns, the handler does not run and is never called again: it waits for one that is running, whatever
// ctx says. When it returns nil, moreover every message that the broker had sent before was handed over: nothing was
// lost in between. An error says that ctx, or the connection, ended first, and that messages on their way may be lost.
// It must not be called from the handler, nor by whoever the handler waits for.
func (s *Subscription) Stop(ctx context.Context) error {
	lost := make([]uint64, len(s.subs)) // the client library forgets with the subscription
	for i, x := range s.subs {
		lost[i] = dropped(x.sub)
	}
	err := s.drain(ctx)
	for i, x := range s.subs {
		// Drained or not, it must not be there after a reconnect: nobody would be told that nobody listens.
		if e := x.sub.Unsubscribe(); e != nil && !errors.Is(e, nats.ErrConnectionClosed) && !errors.Is(e, nats.ErrBadSubscription) {
			err = errors.Join(err, fmt.Errorf("unsubscribe from %q: %w", x.sub.Subject, e))
		}
		x.link.forget(x.sub, lost[i])
	}
	s.gate.Lock()
	s.ended = true
	s.gate.Unlock()
	return err
}

// drain tells the broker to stop, and waits until what it sent before was handled.
func (s *Subscription) drain(ctx context.Context) error {
	var links []*link
	for _, x := range s.subs {
		if !x.link.up.Load() {
			return ErrDisconnected
		}
		if err := x.sub.Drain(); err != nil {
			return fmt.Errorf("unsubscribe from %q: %w", x.sub.Subject, err)
		}
		if !slices.Contains(links, x.link) {
			links = append(links, x.link)
		}
	}
	for _, l := range links {
		if err := l.flushSubscriptions(ctx); err != nil {
			return fmt.Errorf("wait for the broker to end a subscription: %w", err)
		}
		if err := l.barrier(ctx); err != nil {
			return fmt.Errorf("wait for the handlers of a subscription: %w", err)
		}
	}
	return nil
}

// deliver calls h, unless the subscription has ended.
func (s *Subscription) deliver(h Handler, env *paxos.Envelope) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.ended {
		h(env)
	}
}

// flushSubscriptions waits until the broker has read what the client library wrote before.
func (l *link) flushSubscriptions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.t.cfg.Timeout)
	defer cancel()
	return l.nc.FlushWithContext(ctx)
}

// remember keeps sub for the count of what it lost.
func (l *link) remember(sub *nats.Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribed = append(l.subscribed, sub)
}

// forget lets sub go, and adds what it lost to the total.
func (l *link) forget(sub *nats.Subscription, lost uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.subscribed, sub); i >= 0 {
		l.subscribed = slices.Delete(l.subscribed, i, i+1)
		l.t.count.slow.Add(lost)
	}
}

// lost returns how many messages the running subscriptions lost.
func (l *link) lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum uint64
	for _, sub := range l.subscribed {
		sum += dropped(sub)
	}
	return sum
}

// dropped returns how many messages sub lost; 0 once it has ended.
func dropped(sub *nats.Subscription) uint64 {
	n, err := sub.Dropped()
	if err != nil || n < 0 {
		return 0
	}
	return uint64(n)
}
