package sim

import (
	"strconv"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
)

const acceptorTick = 50 * paxos.Millisecond

func decimal[T ~uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

// acceptorService runs an acceptor's core over its store, as package node does.
type acceptorService struct {
	p     *process
	store *voteStore
	core  *acceptor.Acceptor
	out   acceptor.Output
}

// beginAcceptor opens the store and asks whether the name is taken, before anything else is said.
func beginAcceptor(p *process) {
	s := p.votes
	why := s.verify()
	if why == "" && p.real != nil {
		why = p.real.begin()
		s.damage = why
	}
	if why != "" {
		p.w.count("damage found")
		p.w.note("%s: %s", p.name, why)
		p.ends("its store is damaged: " + why)
		return
	}
	s.boot++
	s.memory = cloneLogs(s.durable)
	p.disk.apply = func(g *group) {
		for i := range g.records {
			r := &g.records[i]
			l := ensure(&s.durable, r)
			l.apply(r)
			p.w.check.durable(p, s.incarnation, r)
		}
	}
	p.disk.forget = func() { s.memory = cloneLogs(s.durable) }
	guardStart(p, paxos.Ident{
		Asker: p.name, Role: paxos.RoleAcceptor, Incarnation: s.incarnation, Boot: s.boot, Run: p.run,
	}, func() service {
		a := &acceptorService{p: p, store: s}
		core, err := acceptor.New(acceptor.Config{
			Cluster: p.w.profile.cluster, Name: p.name, Incarnation: s.incarnation, Boot: s.boot, Run: p.run,
			Started: p.clock(), Wall: p.wall(), NextRequest: p.next(partCore),
		}, s.restored())
		if err != nil {
			p.w.fail(CheckInvariant, "%s does not start from its own store: %v", p.name, err)
		}
		a.core = core
		if p.stuffed {
			a.core.SetFull(true, &a.out)
			a.turn()
		}
		return a
	})
}

func (a *acceptorService) deliver(env *paxos.Envelope) {
	switch m := env.Msg.(type) {
	case *paxos.Fetch:
		a.p.w.check.fetched(a.p, env, m)
	case *paxos.Accept:
		if l := find(a.store.memory, env.Genesis); l != nil && l.votes[m.Slot].Ballot == m.Ballot {
			a.p.w.count("accept again after a vote")
		}
	}
	a.core.Deliver(a.p.clock(), env, &a.out)
	a.turn()
}

func (a *acceptorService) tick() {
	a.core.Tick(a.p.clock(), a.p.wall(), &a.out)
	a.turn()
}

func (a *acceptorService) connection(bool) {}

// full tells that the disk fills, or has room again.
func (a *acceptorService) full(on bool) {
	a.core.SetFull(on, &a.out)
	a.turn()
}

// turn ends a step: what may leave leaves, records go to the disk with what waits for them, and reads start after.
func (a *acceptorService) turn() {
	p := a.p
	a.core.Flush(&a.out)
	p.w.observe(p, a.out.Events)
	for i := range a.out.Records {
		r := &a.out.Records[i]
		l := ensure(&a.store.memory, r)
		p.w.check.record(p, l, r)
		l.apply(r)
		if r.Kind == paxos.RecordTrim && p.stuffed {
			p.stuffed = false
			p.w.count("room by trimming")
			p.alive(10*paxos.Millisecond, func() { a.full(false) })
		}
	}
	p.leave(a.out.Now)
	if !p.up() {
		return
	}
	p.commit(a.out.Records, nil, a.out.After, nil)
	if !p.up() {
		return
	}
	for i := range a.out.Reads {
		r := a.out.Reads[i]
		p.alive(20*paxos.Microsecond+span(p.w.forDisk, 500*paxos.Microsecond)+p.disk.slow/4, func() {
			if p.real != nil {
				if p.real.scanned(&r); !p.up() {
					return
				}
			}
			a.core.OnRead(p.clock(), a.store.scan(&r, p.w.profile.scan), &a.out)
			a.turn()
		})
	}
	stop := a.out.Stop
	a.out.Reset()
	if stop != "" {
		p.w.count("twin found")
		p.ends(stop)
	}
}
