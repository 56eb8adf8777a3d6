package node

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/proposer"
)

// Subscriber starts and stops a leader's subscriptions to append, batch, open and admin of one log.
type Subscriber interface {
	// Subscribe delivers the log's requests to h, each with its generation, and returns once the broker knows of it. stop returns
	// once everything that came before the broker took note was handed over.
	Subscribe(ctx context.Context, log string, generation uint64, h func(*paxos.Envelope)) (stop func(context.Context) error, err error)
}

// ProposerConfig is what a proposer's service is made of.
type ProposerConfig struct {
	Cluster string
	Name    string
	Run     uint64
	Version string
	Seed    uint64

	Acceptors []string
	Learners  []string // asked for what was chosen
	Proposers []string // in the order of succession before any beacon

	// Found lists the logs to be founded if nobody knows them; empty where this process founds nothing.
	Found []genesis.FounderConfig

	Core       proposer.Config // Name, Cluster, Run, Seed, Proposers, Version and NextRequest are filled in
	Transport  Transport
	Subscriber Subscriber
	Clock      Clock
	Observer   Observer
	Failed     func(error) // as AcceptorConfig.Failed
}

// Proposer is a proposer's service: one loop that owns the core of all logs, the founders, and what finds logs and begins with
// them. It has no store.
type Proposer struct {
	cfg  ProposerConfig
	loop loop
	core *proposer.Proposer
	out  proposer.Output

	reqs     requests
	coreReq  func() uint64
	dir      *directory
	founders *genesis.Founders
	known    map[paxos.GenesisID]*paxos.Genesis
	booting  []*booting // in the order in which the logs were found
	words    learner.Words

	subs     chan proposer.Subscription
	stopSubs context.CancelFunc
	wg       sync.WaitGroup
	left     chan struct{} // closed when a hand-over is done
	leftOnce sync.Once
}

// booting is a log that this process looks for a beginning of.
type booting struct {
	gen     *paxos.Genesis
	boot    *learner.Bootstrap
	out     learner.Output
	replace bool
}

// maxSubscriptions bounds the subscriptions that wait to be made or ended: each log has at most one of each under way, and
// starts and stops alternate.
const maxSubscriptions = 4 * proposer.MaxLogs

// NewProposer returns a service that does nothing until Start, or an error that says what cannot be founded.
func NewProposer(cfg ProposerConfig) (*Proposer, error) {
	p := &Proposer{cfg: cfg, loop: newLoop(TickEvery), subs: make(chan proposer.Subscription, maxSubscriptions), left: make(chan struct{}), known: make(map[paxos.GenesisID]*paxos.Genesis)}
	p.coreReq = p.reqs.source(askerCore)
	self := paxos.Ident{Asker: cfg.Name, Role: paxos.RoleProposer, Run: cfg.Run}
	p.dir = newDirectory(self, cfg.Acceptors, cfg.Learners, p.reqs.source(askerDirectory))
	found := slices.Clone(cfg.Found)
	for i := range found {
		found[i].Name = cfg.Name
	}
	var err error
	if p.founders, err = genesis.NewFounders(found, p.reqs.source(askerFounder)); err != nil {
		return nil, err
	}
	c := cfg.Core
	c.Name, c.Cluster, c.Run, c.Seed, c.Proposers, c.Version = cfg.Name, cfg.Cluster, cfg.Run, cfg.Seed, cfg.Proposers, cfg.Version
	c.NextRequest = p.coreReq
	p.core = proposer.New(c)
	p.loop.deliver = p.deliver
	p.loop.tick = p.tick
	p.loop.flush = p.flush
	return p, nil
}

// Start begins to serve. Messages come by Receive.
func (p *Proposer) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stopSubs = cancel
	p.loop.start()
	p.wg.Add(1)
	go p.runSubscriptions(ctx)
}

// Receive takes a message from the transport; it may block while the proposer is busy.
func (p *Proposer) Receive(env *paxos.Envelope) {
	env.Arrived = p.cfg.Clock.Now()
	p.loop.receive(env)
}

// OnConnection says whether the broker is reached. It does not wait.
func (p *Proposer) OnConnection(up bool) {
	p.loop.complete(func() {
		p.core.OnConnection(p.cfg.Clock.Now(), up, &p.out)
		if up {
			p.dir.refresh()
		}
	})
}

// HandOver begins an orderly stop and waits until it is done: nothing new is taken, what is held is proposed and
// acknowledged, and the last beacon says "over". It takes two seconds at most.
func (p *Proposer) HandOver(ctx context.Context) error {
	if !p.loop.post(func() { p.core.HandOver(p.cfg.Clock.Now(), p.cfg.Clock.Wall(), &p.out) }) {
		return nil
	}
	select {
	case <-p.left:
		return nil
	case <-p.loop.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("proposer %q: hand over: %w", p.cfg.Name, ctx.Err())
	}
}

// Stop ends the service, started or not, and waits for its goroutines. Call HandOver before, for an orderly stop.
func (p *Proposer) Stop() {
	if p.stopSubs != nil {
		p.stopSubs()
	}
	p.loop.end()
	p.wg.Wait()
}

// QueueLength returns how many messages wait for the loop.
func (p *Proposer) QueueLength() int { return p.loop.box.length() }

// ProposerStatus is a proposer's state, for people.
type ProposerStatus struct {
	Logs     []proposer.LogStatus
	Finding  []string // logs known to be live whose beginning is being looked for
	InFlight int
	Founding []string // logs that this process founds and that have no entry yet: how far it is
}

// Status asks the loop and waits for it; the zero status once the service has stopped.
func (p *Proposer) Status() ProposerStatus {
	return ask(&p.loop, func() ProposerStatus {
		st := ProposerStatus{Logs: p.core.Status(), InFlight: p.core.InFlight()}
		for _, b := range p.booting {
			st.Finding = append(st.Finding, b.gen.Log)
		}
		for _, f := range p.founders.All() {
			if !f.Settled() && !begun(st.Logs, f) {
				_, text := f.Status()
				st.Founding = append(st.Founding, text)
			}
		}
		return st
	})
}

// begun reports whether the log that f founds is in use: whoever of its stores is still to be told is no reason to wait then, and one
// that is gone for good would be one for ever.
func begun(logs []proposer.LogStatus, f *genesis.Founder) bool {
	g, _, live := f.Live()
	return live && slices.ContainsFunc(logs, func(l proposer.LogStatus) bool { return l.Genesis == g.ID && l.Through > 0 })
}

func (p *Proposer) send(envs []paxos.Envelope) {
	for i := range envs {
		// What is not sent is lost, as on any network: everything is sent again until answered.
		_ = p.cfg.Transport.Send(&envs[i])
	}
}

// deliver takes one message on the loop: answers go to whichever part asked.
func (p *Proposer) deliver(env *paxos.Envelope) {
	now, wall := p.cfg.Clock.Now(), p.cfg.Clock.Wall()
	if env.Msg.Kind().IsAnswer() && env.Request != 0 {
		switch askerOf(env.Request) {
		case askerDirectory:
			for _, f := range p.dir.onAnswer(env, &p.out.Output) {
				p.found(f)
			}
			return
		case askerFounder:
			p.founders.Deliver(now, env, &p.out.Output)
			return
		case askerBootstrap:
			p.onBootAnswer(now, env)
			return
		default:
		}
	}
	switch m := env.Msg.(type) {
	case *paxos.GenesisMsg:
		p.founders.Deliver(now, env, &p.out.Output)
		if f, ok := p.dir.onGenesis(m, env.Log, &p.out.Output); ok {
			p.found(f)
		}
		return
	case *paxos.Beacon:
		for i := range m.Items {
			p.dir.onBeaconItem(&m.Items[i])
			p.words.Hear(m.Proposer, &m.Items[i])
		}
	case *paxos.Append:
		// A plain request names no genesis: it is for whatever log has the name here.
		if env.Genesis.IsZero() {
			named := *env
			named.Genesis = p.dir.known[env.Log]
			env = &named
		}
	}
	p.core.Deliver(now, wall, env, &p.out)
}

// found looks for the beginning of a log that is live.
func (p *Proposer) found(f found) {
	p.begin(f.genesis, false)
}

func (p *Proposer) begin(g *paxos.Genesis, replace bool) {
	p.known[g.ID] = g
	b := &booting{gen: g, replace: replace}
	b.boot = learner.NewBootstrap(p.learnerConfig(g, p.reqs.source(askerBootstrap)))
	p.booting = append(p.booting, b)
	p.out.Events = append(p.out.Events, paxos.Event{Kind: paxos.EventGenesis, Log: g.Log, Text: "follows genesis " + g.ID.String()})
}

func (p *Proposer) learnerConfig(g *paxos.Genesis, next func() uint64) learner.Config {
	return learner.Config{
		Genesis: g, Self: p.cfg.Name, Learners: p.cfg.Learners, Seed: p.cfg.Seed, NextRequest: next,
	}
}

func (p *Proposer) onBootAnswer(now paxos.Instant, env *paxos.Envelope) {
	for _, b := range p.booting {
		if b.boot.OnAnswer(now, env, &b.out) {
			break
		}
	}
	p.settleBooting(now)
}

// settleBooting hands every log whose beginning was found to the core.
func (p *Proposer) settleBooting(now paxos.Instant) {
	kept := p.booting[:0]
	for _, b := range p.booting {
		p.out.Now = append(p.out.Now, b.out.Requests...)
		p.out.Events = append(p.out.Events, b.out.Events...)
		b.out.Reset()
		start, ok := b.boot.Done()
		if !ok {
			kept = append(kept, b)
			continue
		}
		l := learner.New(p.learnerConfig(b.gen, p.coreReq), start.Sequencer)
		p.words.Begun(b.gen.ID, l)
		add := p.core.AddLog
		if b.replace {
			add = p.core.ReplaceLog
		}
		if err := add(now, b.gen, l, &p.out); err != nil {
			p.out.Events = append(p.out.Events, paxos.Event{Kind: paxos.EventDropped, Log: b.gen.Log, Text: err.Error()})
		}
	}
	clear(p.booting[len(kept):])
	p.booting = kept
}

func (p *Proposer) tick() {
	now, wall := p.cfg.Clock.Now(), p.cfg.Clock.Wall()
	p.dir.tick(now, &p.out.Output)
	p.founders.Tick(now, &p.out.Output)
	for _, b := range p.booting {
		p.words.Tell(b.gen.ID, b.boot)
		b.boot.Tick(now, &b.out)
	}
	p.settleBooting(now)
	p.core.Tick(now, wall, &p.out)
}

// timed measures answers as they leave: the core knows when what they answer was chosen.
func (p *Proposer) timed() {
	now := p.cfg.Clock.Now()
	for i := range p.out.Events {
		if ev := &p.out.Events[i]; ev.Kind == paxos.EventAnswered {
			ev.N = int64(now.Sub(paxos.Instant(ev.N)))
		}
	}
	for i := range p.out.Now {
		if m, ok := p.out.Now[i].Msg.(*paxos.BatchAnswer); ok {
			paxos.SetAnswered(m, now)
		}
	}
}

// flush ends a turn: what waited is proposed, and everything leaves.
func (p *Proposer) flush() {
	p.core.Flush(p.cfg.Clock.Now(), p.cfg.Clock.Wall(), &p.out)
	for _, id := range p.out.NeedCheckpoint {
		if g := p.known[id]; g != nil {
			p.begin(g, true)
		}
	}
	p.timed()
	observe(p.cfg.Observer, paxos.RoleProposer, p.cfg.Name, p.out.Events)
	p.send(p.out.Now)
	p.send(p.out.After) // founders and the directory store nothing: nothing is waited for
	for _, s := range p.out.Subscribe {
		select {
		case p.subs <- s:
		default:
			p.cfg.Failed(fmt.Errorf("proposer %q: %w: %d subscriptions wait for the broker", p.cfg.Name, ErrStopped, len(p.subs)))
		}
	}
	if p.core.Done() {
		p.leftOnce.Do(func() { close(p.left) })
	}
	p.out.Reset()
}

// runSubscriptions starts and stops subscriptions, in order: both wait for the broker, which the loop must not.
func (p *Proposer) runSubscriptions(ctx context.Context) {
	defer p.wg.Done()
	stops := make(map[uint64]func(context.Context) error)
	defer func() {
		for _, stop := range stops {
			_ = stop(ctx) // ended: whatever came is dropped with the loop
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-p.subs:
			if s.Start {
				p.subscribe(ctx, s, stops)
				continue
			}
			if stop := stops[s.Generation]; stop != nil {
				delete(stops, s.Generation)
				if err := stop(ctx); err != nil && ctx.Err() == nil {
					p.loop.post(func() {
						p.out.Events = append(p.out.Events, paxos.Event{Kind: paxos.EventDropped, Log: s.Log, Text: "requests on their way may be lost: " + err.Error()})
					})
				}
			}
			p.loop.post(func() { p.core.OnUnsubscribed(s.Log, s.Generation, &p.out) })
		}
	}
}

func (p *Proposer) subscribe(ctx context.Context, s proposer.Subscription, stops map[uint64]func(context.Context) error) {
	stop, err := p.cfg.Subscriber.Subscribe(ctx, s.Log, s.Generation, p.Receive)
	if stop != nil {
		stops[s.Generation] = stop
	}
	switch {
	case err == nil:
		p.loop.post(func() { p.core.OnSubscribed(s.Log, s.Generation, &p.out) })
	case ctx.Err() != nil:
	case stop != nil:
		// The subscription stands in the client library and is made when the broker is back: requests will come by it, only
		// the announcement is missed, and clients try again by themselves.
		p.loop.post(func() {
			p.out.Events = append(p.out.Events, paxos.Event{Kind: paxos.EventDropped, Log: s.Log, Text: "subscribe: " + err.Error()})
		})
	default:
		// A leader that nobody can reach would lead for ever: another one takes over.
		p.cfg.Failed(fmt.Errorf("proposer %q: %w: subscribe to the requests of log %q: %w", p.cfg.Name, ErrStopped, s.Log, err))
	}
}
