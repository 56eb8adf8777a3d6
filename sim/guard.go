package sim

import "github.com/paxosd/paxosd/paxos"

const guardWait = paxos.Second

// guard is a store's process before it says anything else: it asks whether its name or its store is in use (PROTOCOL A9).
type guard struct {
	p      *process
	self   paxos.Ident
	number uint64
	begin  func() service
}

func guardStart(p *process, self paxos.Ident, begin func() service) {
	g := &guard{p: p, self: self, number: p.next(partGuard)(), begin: begin}
	p.svc = g
	m := self
	p.send(&paxos.Envelope{Log: paxos.ProcessLog, From: p.name, To: p.name, Request: g.number, Msg: &m})
	if p.up() {
		p.alive(guardWait, g.passed)
	}
}

// passed begins the service itself, once.
func (g *guard) passed() {
	if g.p.svc == g {
		g.p.svc = g.begin()
	}
}

func (g *guard) deliver(env *paxos.Envelope) {
	if env.Request != g.number || env.Msg.Kind() != paxos.KindIdentAnswer {
		if env.Request == g.number && env.Msg.Kind() == paxos.KindNoResponders {
			g.passed()
		}
		return
	}
	m := env.Msg.(*paxos.IdentAnswer)
	if m.Name != g.self.Asker || m.Run == g.self.Run {
		return
	}
	g.p.w.count("twin found")
	g.p.ends("its name runs already, incarnation " + m.Incarnation.String())
}

func (g *guard) tick()           {}
func (g *guard) connection(bool) {}
