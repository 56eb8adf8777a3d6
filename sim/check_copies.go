package sim

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// applied judges a slot that a learner takes over.
func (c *checker) applied(p *process, g paxos.GenesisID, a *sequencer.Applied) {
	l := c.w.logOf(g)
	if l == nil {
		return
	}
	if a.Slot > l.through() {
		c.w.fail(CheckAgreement, "%s takes slot %d of %s, which no write quorum has chosen: %d are", p.name, a.Slot, l.gen.Log, l.through())
	}
	s := l.slot(a.Slot)
	if sum := paxos.Sum(a.Value); sum != s.sum {
		c.w.fail(CheckAgreement, "%s takes another value in slot %d of %s than was chosen", p.name, a.Slot, l.gen.Log)
	}
	if a.Hash != s.hash {
		c.w.fail(CheckPrefix, "%s has hash %s at slot %d of %s, not %s", p.name, a.Hash, a.Slot, l.gen.Log, s.hash)
	}
}

// restored judges a checkpoint from which a process begins.
func (c *checker) restored(p *process, g paxos.GenesisID, mark paxos.Slot, h paxos.Hash) {
	l := c.w.logOf(g)
	if l == nil {
		return
	}
	if mark > l.through() || l.hashAt(mark) != h {
		c.w.fail(CheckPrefix, "%s begins %s at slot %d with hash %s", p.name, l.gen.Log, mark, h)
	}
}

// status looks at a proposer from outside: its prefix, and its bounds.
func (c *checker) status(s *proposerService) {
	w := c.w
	all := s.core.Status()
	open := 0
	for i := range all {
		st := &all[i]
		open += st.Open
		l := w.logOf(st.Genesis)
		if l == nil {
			continue
		}
		if st.Stopped != nil {
			w.fail(CheckInvariant, "%s stopped %s: %v", s.p.name, st.Log, st.Stopped)
		}
		if st.Through > l.through() {
			w.fail(CheckAgreement, "%s has sequenced slot %d of %s, which no write quorum has chosen: %d are", s.p.name, st.Through, st.Log, l.through())
		}
		if st.Hash != l.hashAt(st.Through) {
			w.fail(CheckPrefix, "%s has hash %s at slot %d of %s, not %s", s.p.name, st.Hash, st.Through, st.Log, l.hashAt(st.Through))
		}
		if st.Stable > l.stable {
			w.fail(CheckStable, "%s holds slot %d of %s for stable, the log says %d", s.p.name, st.Stable, st.Log, l.stable)
		}
		if b := w.profile.queueBytes(); st.QueuedBytes > b+int(l.gen.ValueLimit) {
			w.fail(CheckBounds, "%s has %d bytes queued, at most %d", s.p.name, st.QueuedBytes, b)
		}
		if st.Open > int(l.gen.Window)+1 {
			w.fail(CheckBounds, "%s has %d slots open in a window of %d", s.p.name, st.Open, l.gen.Window)
		}
		if st.Phase == paxos.PhaseCandidate && st.Trimmed > st.Through {
			w.count("candidate behind the trim mark")
		}
		if st.Phase == paxos.PhaseStandby && st.Trimmed > st.Through {
			w.count("standby behind the trim mark")
		}
	}
	if open == 0 && s.core.InFlight() != 0 {
		w.fail(CheckBounds, "%s has %d bytes in flight and no slot open", s.p.name, s.core.InFlight())
	}
	if b := w.profile.inFlight(); s.core.InFlight() > b+1<<16 {
		w.fail(CheckBounds, "%s has %d bytes in flight, at most %d", s.p.name, s.core.InFlight(), b)
	}
}

func (p *profile) queueBytes() int {
	if p.proposer.QueueBytes > 0 {
		return p.proposer.QueueBytes
	}
	return paxos.DefaultInFlightBytes
}

func (p *profile) inFlight() int {
	if p.proposer.InFlightBytes > 0 {
		return p.proposer.InFlightBytes
	}
	return paxos.DefaultInFlightBytes
}

// durableNow demands that a write quorum holds what is acknowledged, at this instant. Stores that are gone for good excuse themselves.
func (c *checker) durableNow(b *batchRecord) {
	w := c.w
	l := w.logNamed(b.log)
	t := paxos.Slot(1)
	for lo, hi := 0, len(l.slots); lo < hi; {
		mid := (lo + hi) / 2
		if l.slots[mid].applied && l.slots[mid].last < b.offset {
			lo = mid + 1
		} else {
			hi = mid
		}
		t = paxos.Slot(lo + 1)
	}
	s := l.slot(t)
	m := l.governing(t)
	n := 0
	for _, a := range m.Acceptors {
		if w.lost[a.Incarnation] || c.holds(l, a, t, s.sum) {
			n++
		}
	}
	if n < m.Write {
		w.fail(CheckDurableAck, "batch %d is acknowledged at offset %d; slot %d is durable on %d acceptors of %d", b.number, b.offset, t, n, m.Write)
	}
}

// holds reports whether an acceptor's disk has the slot's value, or has trimmed it.
func (c *checker) holds(l *logState, a paxos.Member, t paxos.Slot, sum paxos.Checksum) bool {
	for _, p := range c.w.procs {
		if p.votes == nil || p.votes.incarnation != a.Incarnation {
			continue
		}
		d := find(p.votes.durable, l.gen.ID)
		if d != nil && (t <= d.trimmed || d.votes[t].Checksum == sum && !d.votes[t].Ballot.IsZero()) {
			return true
		}
	}
	return false
}

// stated judges a stable command as it is chosen: its keepers hold what it says (PROTOCOL K2).
func (c *checker) stated(l *logState, m *value.Stable, at paxos.Slot) {
	w := c.w
	if m.Slot >= at || l.hashAt(m.Slot) != m.Hash {
		w.fail(CheckStable, "slot %d states that %d is stable with hash %s", at, m.Slot, m.Hash)
	}
	for _, k := range m.Keepers {
		if !w.lost[k.Incarnation] && c.keeps(l, k) < m.Slot {
			w.fail(CheckStable, "slot %d states that %s holds slot %d, its disk has %d", at, k.Name, m.Slot, c.keeps(l, k))
		}
	}
}

// keeps returns how far a keeper's disk goes, from the log's first slot on: a copy that begins later vouches for nothing (PROTOCOL K1).
func (c *checker) keeps(l *logState, k paxos.Member) paxos.Slot {
	for _, p := range c.w.procs {
		if p.chosen != nil && p.chosen.incarnation == k.Incarnation && p.name == k.Name {
			if d := findKept(p.chosen.durable, l.gen.ID); d != nil && len(d.slots)+len(d.marks) > 0 && d.start <= 1 {
				if len(d.slots) == 0 {
					return d.marks[len(d.marks)-1].slot
				}
				return d.through()
			}
		}
	}
	return 0
}

// trimmed judges what an acceptor is about to forget: somebody sound holds it (PROTOCOL K2).
func (c *checker) trimmed(p *process, r *paxos.Record) {
	w := c.w
	l := w.logOf(r.Genesis)
	if l == nil {
		return
	}
	w.count("trimmed")
	if r.Slot > l.stable {
		w.fail(CheckStable, "%s trims to slot %d of %s; stable is %d", p.name, r.Slot, l.gen.Log, l.stable)
	}
	for _, q := range w.procs {
		if q.chosen != nil && !w.lost[q.chosen.incarnation] && c.keeps(l, paxos.Member{Name: q.name, Incarnation: q.chosen.incarnation}) >= r.Slot {
			return
		}
	}
	w.fail(CheckStable, "%s trims to slot %d of %s, which no keeper holds", p.name, r.Slot, l.gen.Log)
}
