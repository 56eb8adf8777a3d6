package node

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// broker carries envelopes between services in memory, as the real one does with their bytes: broadcasts fan out, requests find
// one process or nobody, answers go to whoever asked. It loses what it is told to.
type broker struct {
	t testing.TB

	mu    sync.Mutex
	rng   *rand.Rand
	loss  float64
	cut   map[string]bool // hears and says nothing
	ports map[string]*port
	subs  []*sub
	// refuse is what Subscribe fails with, if not nil.
	refuse error
}

// port is one process at the broker. What is for it is delivered in order, by a goroutine of its own.
type port struct {
	b    *broker
	name string
	role paxos.Role
	run  uint64
	recv func(*paxos.Envelope)

	queue []*paxos.Envelope
	wake  chan struct{}
	quit  chan struct{}
	done  chan struct{}
}

// sub is a leader's subscription to a log's requests.
type sub struct {
	p   *port
	log string
	gen uint64
	h   func(*paxos.Envelope)
	off bool
}

func newBroker(t testing.TB) *broker {
	return &broker{t: t, rng: rand.New(rand.NewPCG(1, 2)), cut: make(map[string]bool), ports: make(map[string]*port)}
}

var errGone = errors.New("not connected")

// connect makes a port; recv is told of everything that is for it.
func (b *broker) connect(name string, role paxos.Role, run uint64) *port {
	p := &port{b: b, name: name, role: role, run: run, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	return p
}

// listen begins to deliver to recv.
func (p *port) listen(recv func(*paxos.Envelope)) {
	p.recv = recv
	p.b.mu.Lock()
	p.b.ports[p.name] = p
	p.b.mu.Unlock()
	go p.deliver()
}

func (p *port) deliver() {
	defer close(p.done)
	for {
		select {
		case <-p.quit:
			return
		case <-p.wake:
		}
		p.b.mu.Lock()
		batch := p.queue
		p.queue = nil
		p.b.mu.Unlock()
		for _, env := range batch {
			p.hand(env)
		}
	}
}

// hand delivers one envelope; requests of clients go to the subscription that they came by.
func (p *port) hand(env *paxos.Envelope) {
	var gen uint64
	switch m := env.Msg.(type) {
	case *paxos.Append:
		gen = m.Generation
	case *paxos.Batch:
		gen = m.Generation
	default:
		p.recv(env)
		return
	}
	p.b.mu.Lock()
	var h func(*paxos.Envelope)
	for _, s := range p.b.subs {
		if s.p == p && s.gen == gen && s.log == env.Log && !s.off {
			h = s.h
		}
	}
	p.b.mu.Unlock()
	if h != nil {
		h(env)
	}
}

// close takes the process away: whoever asks it is told so.
func (p *port) close() {
	p.b.mu.Lock()
	if p.b.ports[p.name] == p {
		delete(p.b.ports, p.name)
	}
	for _, s := range p.b.subs {
		s.off = s.off || s.p == p
	}
	p.b.mu.Unlock()
	close(p.quit)
	<-p.done
}

// Send implements Transport.
func (p *port) Send(env *paxos.Envelope) error {
	p.b.check(env)
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.b.cut[p.name] {
		return errGone
	}
	if p.b.lose() {
		return nil
	}
	p.b.route(p, env)
	return nil
}

// Subscribe implements Subscriber.
func (p *port) Subscribe(_ context.Context, log string, gen uint64, h func(*paxos.Envelope)) (func(context.Context) error, error) {
	if p.b.refuse != nil {
		return nil, p.b.refuse
	}
	s := &sub{p: p, log: log, gen: gen, h: h}
	p.b.mu.Lock()
	p.b.subs = append(p.b.subs, s)
	p.b.mu.Unlock()
	return func(context.Context) error {
		// What came before is in the queue, and is handed over by the port's goroutine before this marker.
		p.b.mu.Lock()
		s.off = true
		p.b.mu.Unlock()
		return nil
	}, nil
}

// check holds every message to the wire's rules.
func (b *broker) check(env *paxos.Envelope) {
	switch env.Msg.(type) {
	case *paxos.Append, *paxos.Get, *paxos.GetAnswer:
		return
	case *paxos.BatchAnswer:
		if strings.HasSuffix(env.Reply, "|plain") {
			return
		}
	}
	p, err := messaging.Encode(nil, env)
	if err != nil {
		b.t.Errorf("%s sends what nobody would take: %v: %+v", env.From, err, env.Msg)
	}
	if len(p) > 1<<20 {
		b.t.Errorf("%s sends %s of %d bytes: more than a broker takes", env.From, env.Msg.Kind(), len(p))
	}
}

func (b *broker) lose() bool { return b.loss > 0 && b.rng.Float64() < b.loss }

// route queues env wherever it goes; mu is held.
func (b *broker) route(from *port, env *paxos.Envelope) {
	kind := env.Msg.Kind()
	switch {
	case env.Reply != "":
		name, _, _ := strings.Cut(env.Reply, "|")
		a := *env
		a.Reply = ""
		b.to(b.ports[name], &a)
	case kind == paxos.KindAppend || kind == paxos.KindBatch || kind == paxos.KindOpen || kind == paxos.KindAdmin:
		b.toLeaders(from, env)
	case kind.IsRequest():
		p := b.ports[env.To]
		if p == nil || env.ToRun != 0 && env.ToRun != p.run || b.cut[env.To] {
			b.to(from, &paxos.Envelope{Log: env.Log, From: env.To, Request: env.Request, Msg: &paxos.NoResponders{}})
			return
		}
		r := *env
		r.Reply = from.name + "|" + env.To
		b.to(p, &r)
	default:
		for _, p := range b.ports {
			if wants(p.role, kind) && (env.To == "" || env.To == p.name) {
				e := *env
				b.to(p, &e)
			}
		}
	}
}

// wants says which broadcasts a role subscribes to.
func wants(role paxos.Role, kind paxos.Kind) bool {
	switch kind {
	case paxos.KindGenesis, paxos.KindBeacon:
		return role != paxos.RoleNone
	case paxos.KindPrepare, paxos.KindPropose:
		return role == paxos.RoleAcceptor
	case paxos.KindVote:
		return role == paxos.RoleProposer
	case paxos.KindChosen:
		return role == paxos.RoleProposer || role == paxos.RoleLearner
	case paxos.KindAccept:
		return role != paxos.RoleNone
	case paxos.KindLearn:
		return role == paxos.RoleProposer || role == paxos.RoleLearner
	case paxos.KindPromise, paxos.KindRefuse, paxos.KindBeat, paxos.KindReport:
		return role == paxos.RoleProposer
	case paxos.KindLeader:
		return role == paxos.RoleNone
	default:
		return false
	}
}

// toLeaders hands a client's request to everyone subscribed.
func (b *broker) toLeaders(from *port, env *paxos.Envelope) {
	found := false
	for _, s := range b.subs {
		if s.off || s.log != env.Log || b.cut[s.p.name] {
			continue
		}
		found = true
		e := *env
		switch m := env.Msg.(type) {
		case *paxos.Append:
			x := *m
			x.Generation, e.Msg, e.Reply = s.gen, &x, from.name+"|plain"
		case *paxos.Batch:
			x := *m
			x.Generation, e.Msg, e.Reply = s.gen, &x, from.name+"|"
		}
		b.to(s.p, &e)
	}
	if !found {
		b.to(from, &paxos.Envelope{Log: env.Log, Request: env.Request, Msg: &paxos.NoResponders{}})
	}
}

func (b *broker) to(p *port, env *paxos.Envelope) {
	if p == nil || b.cut[p.name] || b.lose() {
		return
	}
	p.queue = append(p.queue, env)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (b *broker) setLoss(f float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loss = f
}

func (b *broker) setCut(name string, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut[name] = on
}
