package proposer

import "github.com/paxosd/paxosd/paxos"

// leaving is an orderly stop: unsubscribe, flush, propose and acknowledge everything held, say "over".
type leaving struct {
	begun bool
	done  bool
	until paxos.Instant
}

// HandOver begins an orderly stop. Leaders unsubscribe; once OnUnsubscribed says that nothing more will come, they propose and
// acknowledge what they hold and withdraw. When all have, or after Config.HandOverLimit, the last beacon says "over". The service
// goes on delivering, ticking and flushing until Done.
func (p *Proposer) HandOver(now paxos.Instant, wall paxos.Stamp, out *Output) {
	if p.leaving.begun {
		return
	}
	s := &step{now, wall, out}
	p.leaving = leaving{begun: true, until: now.Add(p.cfg.HandOverLimit)}
	for _, g := range p.groups.list {
		switch ph := g.phase.(type) {
		case *standby:
			ph.asking = nil
		case *candidate:
			g.giveUp(s, "the process stops")
		case *contested:
			g.resign(s, "the process stops", 0)
		case *leader:
			ph.leave(g, s)
		}
	}
	p.checkLeft(s)
}

// leave stops a leader from taking requests.
func (ld *leader) leave(g *group, s *step) {
	if !ld.serving() {
		g.resign(s, "the process stops", 0)
		return
	}
	ld.leaving = true
	ld.stating = 0
	g.subscribe(s, ld.generation, false)
	g.touch()
}

// checkLeft resigns what is finished, and ends the stop when everything is, or the time is up.
func (p *Proposer) checkLeft(s *step) {
	if !p.leaving.begun || p.leaving.done {
		return
	}
	late := s.now >= p.leaving.until
	led := false
	for _, g := range p.groups.list {
		ld, ok := g.phase.(*leader)
		if !ok {
			continue
		}
		if late || ld.closed && ld.queue.len() == 0 && len(ld.open) == 0 {
			g.resign(s, "handed over", 0)
			continue
		}
		led = true
	}
	if !led {
		p.leaving.done = true
		p.sendOver(s)
	}
}

// Done reports whether an orderly stop has ended: everything in the Outputs may leave, and the process may end.
func (p *Proposer) Done() bool { return p.leaving.done }
