package sim

import "github.com/paxosd/paxosd/paxos"

// publish brings a client's request to every subscription of the log that stands, as the broker does: a copy each, in order. A
// plain append is never repeated and never held up behind later ones: a broker delivers at most once.
func (p *process) publish(log string, g paxos.GenesisID, request uint64, msg paxos.Message) {
	n := &p.w.network
	if !p.link.up {
		return
	}
	seen := 0
	for _, q := range p.w.procs {
		s, ok := q.svc.(*proposerService)
		if !ok || !q.up() || !n.passes(p, q) {
			continue
		}
		for _, sub := range s.subs {
			if sub.log != log {
				continue
			}
			seen++
			_, plain := msg.(*paxos.Append)
			env := &paxos.Envelope{Log: log, Genesis: g, Request: request, Reply: replyTo(p, request), Bulk: true, Msg: byGeneration(msg, sub.generation)}
			if chance(n.w.forNet, n.loss) {
				continue
			}
			n.w.plans(event{at: n.arrival(p, q, true, plain), p: q, life: q.life, env: env, kind: eventDeliver})
			if !plain && chance(n.w.forNet, n.dup) {
				n.w.plans(event{at: n.w.now.Add(n.delay()), p: q, life: q.life, env: env, kind: eventDeliver})
			}
		}
	}
	if _, plain := msg.(*paxos.Append); plain && seen > 1 {
		p.w.count("plain append to two leaders")
	}
	if seen == 0 {
		no := &paxos.Envelope{Log: log, Genesis: g, Request: request, Msg: &paxos.NoResponders{}}
		n.w.plans(event{at: n.w.now.Add(200 * paxos.Microsecond), p: p, life: p.life, env: no, kind: eventDeliver})
	}
}

// byGeneration says by which subscription a copy comes.
func byGeneration(msg paxos.Message, g uint64) paxos.Message {
	switch m := msg.(type) {
	case *paxos.Append:
		c := *m
		c.Generation = g
		return &c
	case *paxos.Batch:
		c := *m
		c.Generation = g
		return &c
	case *paxos.Open:
		c := *m
		c.Generation = g
		return &c
	case *paxos.Admin:
		c := *m
		c.Generation = g
		return &c
	}
	return msg
}
