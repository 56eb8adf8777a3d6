package sim

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/proposer"
)

const (
	proposerTick = 10 * paxos.Millisecond
	turnAfter    = 20 * paxos.Microsecond // what arrives meanwhile shares a turn
	statusEvery  = 5                      // ticks
)

// proposerService runs a proposer's core, as package node does.
type proposerService struct {
	p        *process
	core     *proposer.Proposer
	out      proposer.Output
	queued   []*paxos.Envelope
	wake     bool
	subs     []subscription // that stand at the broker, in order
	booting  []*booting
	words    learner.Words
	founders *genesis.Founders
	known    []*logState
	lookAt   paxos.Instant
	ticks    int
	leaving  bool         // an orderly stop has begun
	through  []paxos.Slot // by log, as last looked at
}

// subscription is one that the broker knows.
type subscription struct {
	log        string
	generation uint64
}

// booting is a log whose beginning is looked for.
type booting struct {
	log     *logState
	boot    *learner.Bootstrap
	out     learner.Output
	replace bool
}

func beginProposer(p *process) {
	s := &proposerService{p: p}
	cfg := p.w.profile.proposer
	cfg.Name, cfg.Cluster, cfg.Run, cfg.Seed = p.name, p.w.profile.cluster, p.run, p.run
	cfg.Proposers, cfg.NextRequest = p.w.profile.proposerNames(), p.next(partCore)
	s.core = proposer.New(cfg)
	s.found(p.w.profile.founding && p.name == "p1" && !p.twin)
	p.svc = s
	s.flush()
}

// found begins to found the logs, if it is to and nobody knows them.
func (s *proposerService) found(founds bool) {
	w := s.p.w
	var cfgs []genesis.FounderConfig
	for i := range w.profile.geneses {
		if !founds {
			break
		}
		cfg := genesis.FounderConfig{Name: s.p.name, Genesis: *w.profile.geneses[i]}
		for j := range cfg.ID {
			cfg.ID[j] = byte(w.forLife.Uint32())
		}
		for _, n := range w.profile.proposerNames() {
			if n != s.p.name {
				cfg.Others = append(cfg.Others, genesis.Peer{Name: n, Role: paxos.RoleProposer})
			}
		}
		cfgs = append(cfgs, cfg)
	}
	var err error
	if s.founders, err = genesis.NewFounders(cfgs, s.p.next(partFounder)); err != nil {
		w.fail(CheckInvariant, "founding: %v", err)
	}
}

// deliver queues the message; a turn takes all that has queued, so that requests share values.
func (s *proposerService) deliver(env *paxos.Envelope) {
	s.queued = append(s.queued, env)
	if !s.wake {
		s.wake = true
		s.p.alive(turnAfter, s.turn)
	}
}

func (s *proposerService) turn() {
	s.wake = false
	q := s.queued
	s.queued = nil
	for _, env := range q {
		s.take(env)
	}
	s.flush()
}

func (s *proposerService) take(env *paxos.Envelope) {
	now, p := s.p.clock(), s.p
	if env.Msg.Kind().IsAnswer() && env.Request != 0 {
		switch partOf(env.Request) {
		case partFounder:
			s.founders.Deliver(now, env, &s.out.Output)
			return
		case partBoot:
			for _, b := range s.booting {
				if b.boot.OnAnswer(now, env, &b.out) {
					break
				}
			}
			s.settleBooting(now)
			return
		}
	}
	switch m := env.Msg.(type) {
	case *paxos.GenesisMsg:
		s.founders.Deliver(now, env, &s.out.Output)
		return
	case *paxos.Beacon:
		for i := range m.Items {
			s.words.Hear(m.Proposer, &m.Items[i])
		}
	case *paxos.Promise:
		if p.deaf {
			return
		}
	case *paxos.Append:
		if env.Genesis.IsZero() {
			named := *env
			for _, l := range s.known {
				if l.gen.Log == env.Log {
					named.Genesis = l.gen.ID
				}
			}
			env = &named
		}
	default:
		_ = m
	}
	s.core.Deliver(now, p.wall(), env, &s.out)
}

func (s *proposerService) begin(l *logState, replace bool) {
	if !replace {
		s.known = append(s.known, l)
		s.through = append(s.through, 0)
	}
	s.booting = append(s.booting, &booting{log: l, replace: replace, boot: learner.NewBootstrap(s.learnerConfig(l, partBoot))})
}

func (s *proposerService) learnerConfig(l *logState, part uint64) learner.Config {
	return learner.Config{
		Genesis: l.gen, Self: s.p.name, Learners: s.p.w.profile.learnerNames(), Seed: s.p.run, NextRequest: s.p.next(part),
		BufferBytes: s.p.w.profile.buffer,
	}
}

func (s *proposerService) settleBooting(now paxos.Instant) {
	kept := s.booting[:0]
	for _, b := range s.booting {
		s.out.Now = append(s.out.Now, b.out.Requests...)
		b.out.Reset()
		start, ok := b.boot.Done()
		if !ok {
			kept = append(kept, b)
			continue
		}
		if start.Mark > 0 {
			s.p.w.count("began from a checkpoint")
			s.p.w.check.restored(s.p, b.log.gen.ID, start.Mark, start.Hash)
		}
		l := learner.New(s.learnerConfig(b.log, partCore), start.Sequencer)
		s.words.Begun(b.log.gen.ID, l)
		add := s.core.AddLog
		if b.replace {
			add = s.core.ReplaceLog
		}
		if err := add(now, b.log.gen, l, &s.out); err != nil {
			s.p.w.fail(CheckInvariant, "%s adds %s: %v", s.p.name, b.log.gen.Log, err)
		}
	}
	s.booting = kept
}

func (s *proposerService) tick() {
	now := s.p.clock()
	if s.p.w.now >= s.lookAt {
		s.lookAt = s.p.w.now.Add(lookEvery)
		for _, l := range s.p.looks(&s.out.Output) {
			if !slices.ContainsFunc(s.known, func(k *logState) bool { return k.gen.Log == l.gen.Log }) {
				s.begin(l, false)
			}
		}
	}
	s.founders.Tick(now, &s.out.Output)
	for _, b := range s.booting {
		s.words.Tell(b.log.gen.ID, b.boot)
		b.boot.Tick(now, &b.out)
	}
	s.settleBooting(now)
	s.core.Tick(now, s.p.wall(), &s.out)
	s.flush()
	if s.ticks++; s.ticks%statusEvery == 0 && s.p.svc == s {
		s.p.w.check.status(s)
	}
}

func (s *proposerService) connection(up bool) {
	s.core.OnConnection(s.p.clock(), up, &s.out)
	if !up {
		s.wake = s.wake && len(s.queued) > 0
	}
	s.flush()
}

// flush ends a turn: what waited is proposed, and everything leaves.
func (s *proposerService) flush() {
	p := s.p
	s.core.Flush(p.clock(), p.wall(), &s.out)
	for _, id := range s.out.NeedCheckpoint {
		if l := p.w.logOf(id); l != nil {
			s.begin(l, true)
		}
	}
	p.w.observe(p, s.out.Events)
	p.leave(s.out.Now)
	if p.up() {
		p.leave(s.out.After)
	}
	subs := slices.Clone(s.out.Subscribe)
	s.out.Reset()
	if !p.up() {
		return
	}
	for _, sub := range subs {
		s.subscribe(sub)
	}
	if s.core.Done() {
		p.w.count("handed over")
		p.crash("handed over")
		if p.w.calm {
			p.w.after(100*paxos.Millisecond, p.start) // the fault that stopped it has no end any more
		}
	}
}

// subscribe starts or ends a subscription at the broker, which takes a while.
func (s *proposerService) subscribe(sub proposer.Subscription) {
	s.p.alive(span(s.p.w.forNet, 3*paxos.Millisecond), func() {
		if sub.Start {
			s.subs = append(s.subs, subscription{sub.Log, sub.Generation})
			s.core.OnSubscribed(sub.Log, sub.Generation, &s.out)
			s.flush()
			return
		}
		s.subs = slices.DeleteFunc(s.subs, func(x subscription) bool { return x == subscription{sub.Log, sub.Generation} })
		// What the broker still carried to the old subscription arrives before the confirmation.
		s.p.alive(100*paxos.Millisecond, func() {
			s.core.OnUnsubscribed(sub.Log, sub.Generation, &s.out)
			s.flush()
		})
	})
}

// handOver begins an orderly stop.
func (s *proposerService) handOver() {
	s.leaving = true
	s.core.HandOver(s.p.clock(), s.p.wall(), &s.out)
	s.flush()
}

// looks finds out which logs are live, by asking the acceptors that are reached: package node's directory does it by messages. Who
// holds one half founded is told.
func (p *process) looks(out *paxos.Output) []*logState {
	var live []*logState
	for _, q := range p.w.procs {
		if q.role != paxos.RoleAcceptor || !q.up() || !p.w.network.passes(p, q) || !p.w.network.passes(q, p) {
			continue
		}
		for _, l := range q.votes.durable {
			if l.state == paxos.LogLive || l.state == paxos.LogRetired {
				if g := p.w.live(l.record); !slices.Contains(live, g) {
					live = append(live, g)
				}
			}
		}
	}
	if p.w.profile.founding {
		for _, g := range live {
			p.revive(g, out)
		}
	}
	return live
}

// revive tells acceptors and keepers that missed "live": one live acceptor proves it.
func (p *process) revive(g *logState, out *paxos.Output) {
	for _, q := range p.w.procs {
		if !q.up() || !p.w.network.passes(p, q) {
			continue
		}
		half := false
		if q.votes != nil {
			l := find(q.votes.durable, g.gen.ID)
			half = l != nil && l.state == paxos.LogPrepared
		}
		if q.chosen != nil {
			l := findKept(q.chosen.durable, g.gen.ID)
			half = l != nil && l.state == paxos.LogPrepared
		}
		if half {
			out.Now = append(out.Now, paxos.Envelope{
				Log: g.gen.Log, Genesis: g.gen.ID, From: p.name,
				Msg: &paxos.GenesisMsg{Step: paxos.GenesisGoLive, ID: g.gen.ID, Record: g.record, Sender: p.name, Run: p.run},
			})
			return
		}
	}
}
