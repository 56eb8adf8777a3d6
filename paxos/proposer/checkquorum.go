package proposer

import (
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// beat is the newest answer of one acceptor to this process's beacons.
type beat struct {
	member paxos.Member
	number uint64 // of the beacon
	full   bool   // PROTOCOL K5
}

// beats is what the acceptors have answered (PROTOCOL P8).
type beats struct{ list []beat }

func (bs *beats) find(m paxos.Member) *beat {
	for i := range bs.list {
		if bs.list[i].member == m {
			return &bs.list[i]
		}
	}
	return nil
}

// take notes an answer. One that names an older beacon than the last says nothing new.
func (bs *beats) take(m paxos.Member, number uint64, full bool) {
	b := bs.find(m)
	if b == nil {
		if len(bs.list) >= maxBeats {
			bs.list = append(bs.list[:0], bs.list[1:]...)
		}
		bs.list = append(bs.list, beat{member: m})
		b = &bs.list[len(bs.list)-1]
	}
	if number >= b.number {
		b.number, b.full = number, full
	}
}

// full notes that an acceptor refused a value as full, until its next beat says otherwise.
func (bs *beats) full(m paxos.Member) {
	if b := bs.find(m); b != nil {
		b.full = true
	}
}

// fresh reports whether an acceptor answered a beacon of the last Timeout.
func (p *Proposer) fresh(b *beat, now paxos.Instant) bool {
	return b != nil && now.Sub(p.beacon.sentAt(b.number, now)) < p.cfg.Timeout
}

// lackSpace reports whether acceptors of m that refuse batches leave too few for a write quorum: those that are silent are none of it
// either (PROTOCOL K5).
func (p *Proposer) lackSpace(m *paxos.Membership, now paxos.Instant) bool {
	var usable quorum.Set
	full := false
	for i, a := range m.Acceptors {
		switch b := p.beats.find(a); {
		case b != nil && b.full:
			full = true
		case p.fresh(b, now):
			usable.Add(i)
		}
	}
	return full && !quorum.HasWrite(m, usable)
}

// onBeat takes an acceptor's answer to a beacon of this run.
func (p *Proposer) onBeat(s *step, m *paxos.Beat) {
	if m.Proposer != p.cfg.Name || m.ToRun != p.cfg.Run || m.Number == 0 || m.Number > p.beacon.number {
		return
	}
	known := false
	for _, g := range p.groups.list {
		if !g.member(&m.Voter) {
			continue
		}
		if !known && !g.credible(s, &m.Voter, false) {
			return
		}
		known = true
	}
	if !known {
		return
	}
	p.beats.take(paxos.Member{Name: m.Name, Incarnation: m.Incarnation}, m.Number, m.Full)
	for i := range m.Differs {
		d := &m.Differs[i]
		if g := p.groups.byID[d.Genesis]; g != nil && g.log == d.Log && g.member(&m.Voter) {
			g.observe(s, d.Promised, m.Name)
		}
	}
}

// inUse returns the memberships that govern an open slot or the next one (PROTOCOL P8).
func (ld *leader) inUse(g *group) []*paxos.Membership {
	n := 0
	for n < len(g.inForce) && g.inForce[n].From <= ld.next {
		n++
	}
	return g.inForce[:max(n, 1)]
}

// mustResign reports whether the leader has lost a write quorum, or the log does not move (PROTOCOL P8).
func (ld *leader) mustResign(g *group, s *step) (string, bool) {
	limit := g.p.cfg.Timeout
	if s.now.Sub(ld.since) >= limit {
		for _, m := range ld.inUse(g) {
			var fresh quorum.Set
			for i, a := range m.Acceptors {
				if g.p.fresh(g.p.beats.find(a), s.now) {
					fresh.Add(i)
				}
			}
			if !quorum.HasWrite(m, fresh) {
				return fmt.Sprintf("%d acceptors of epoch %d answered a beacon of the last %d ms; %d are needed",
					fresh.Len(), m.Epoch, limit/paxos.Millisecond, m.Write), true
			}
		}
	}
	oldest := s.now
	switch {
	case len(ld.open) > 0:
		oldest = ld.open[0].opened
	case ld.generation == 0:
		oldest = max(ld.since, ld.moved)
	}
	switch age := s.now.Sub(oldest); {
	case age >= g.p.cfg.ProgressLimit:
		return "the oldest open slot does not get chosen", true
	case age >= g.p.cfg.Timeout && ld.stuckFull(g, s):
		return "acceptors lack the disk space for the oldest open slot", true
	}
	return "", false
}

// stuckFull reports whether the oldest open slot is a batch composed here that acceptors refuse for want of space. A stable command above it,
// by which they would get some, waits to be sequenced behind it, and this ballot has no other value for it. The next one has: what nobody
// voted for gets a no-op, and what somebody did is adopted, which passes (PROTOCOL K5).
func (ld *leader) stuckFull(g *group, s *step) bool {
	if len(ld.open) == 0 {
		return false
	}
	o := ld.open[0]
	m, ok := g.membershipAt(o.slot)
	return ok && slices.ContainsFunc(o.items, func(it *item) bool { return it.kind == value.ItemBatch }) && g.p.lackSpace(m, s.now)
}
