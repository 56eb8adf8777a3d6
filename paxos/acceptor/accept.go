package acceptor

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// parked is an accept that waits for a read of its slot.
type parked struct {
	ballot   paxos.Ballot
	slot     paxos.Slot
	checksum paxos.Checksum
	value    []byte
	arrived  paxos.Instant
	explain  bool // its vote is to say how long it took
	quiet    bool // its vote is for the proposer alone
}

// onAccept votes, repeats a vote, or refuses (PROTOCOL A3, A4, K5). Where the slot's vote is neither known by heart
// nor known to be none, the accept is parked until a read tells.
func (a *Acceptor) onAccept(now paxos.Instant, g *group, env *paxos.Envelope, m *paxos.Accept, out *Output) {
	if !sane(&m.Ballot, env.From) || m.Slot == 0 || m.Slot == paxos.MaxSlot || len(m.Value) == 0 ||
		uint64(len(m.Value)) > uint64(g.held.Genesis().ValueLimit) {
		a.drop(env, "malformed accept", out)
		return
	}
	p := parked{
		ballot: m.Ballot, slot: m.Slot, checksum: m.Checksum, value: m.Value, arrived: env.ArrivedBy(now), explain: m.Explain,
		quiet: m.Quiet,
	}
	if a.refuseAccept(g, &p, out) {
		return
	}
	if m.Slot > g.highest || g.cache.known(m.Slot) {
		a.vote(now, g, &p, g.cache.get(m.Slot), out)
		return
	}
	a.park(g, env, p, out)
}

// refuseAccept applies the rules that need no knowledge of the slot's vote. A trimmed slot is refused as such at
// whatever ballot (A4), except by a retired acceptor, which has no say at all.
func (a *Acceptor) refuseAccept(g *group, p *parked, out *Output) bool {
	if g.live() && p.slot <= g.trimmed {
		a.refuse(g, paxos.KindAccept, p.ballot, p.slot, paxos.RefusedTrimmed, out)
		return true
	}
	return a.refuseBallot(g, paxos.KindAccept, p.ballot, p.slot, out)
}

// vote judges an accept by the vote that the slot has, and returns the vote that it has afterwards. The accept's
// ballot is at or above the promise.
func (a *Acceptor) vote(now paxos.Instant, g *group, p *parked, has vote, out *Output) vote {
	if has.ballot != nil {
		switch c := p.ballot.Compare(*has.ballot); {
		case c == 0 && p.checksum == has.checksum:
			a.learned(g, p, out) // repeated without writing; leaves once the first is durable (A9)
			return has
		case c == 0:
			paxos.Violated("log %q slot %d: two values at ballot %s: %x was voted for, %x came",
				g.log, p.slot, p.ballot, uint64(has.checksum), uint64(p.checksum))
		case c < 0:
			paxos.Violated("log %q slot %d: vote at %s above the promise %s", g.log, p.slot, has.ballot, g.promised)
		}
	}
	if a.full && spends(p) {
		a.refuse(g, paxos.KindAccept, p.ballot, p.slot, paxos.RefusedFull, out)
		return has
	}
	if g.promised.Less(p.ballot) {
		a.raise(now, g, p.ballot, out)
	}
	out.Records = append(out.Records, paxos.Record{
		Kind: paxos.RecordVote, Log: g.log, Genesis: g.id,
		Slot: p.slot, Ballot: p.ballot, Checksum: p.checksum, Value: p.value,
	})
	has = vote{ballot: g.promised, checksum: p.checksum, bytes: uint32(len(p.value))}
	g.cache.put(p.slot, has)
	g.highest = max(g.highest, p.slot)
	a.learned(g, p, out)
	return has
}

// spends reports whether the value may be refused for want of disk space: it carries batches and was composed at
// the accept's own ballot. What cannot be told passes: the ballast has room for it (PROTOCOL K5).
func spends(p *parked) bool {
	origin, err := value.Origin(p.value)
	return err == nil && origin == p.ballot && value.CarriesBatches(p.value)
}

// park keeps an accept until its slot was read. One read serves all accepts parked for a slot.
func (a *Acceptor) park(g *group, env *paxos.Envelope, p parked, out *Output) {
	if a.parkedCount >= MaxParked || a.parkedBytes+len(p.value) > MaxParkedBytes {
		a.drop(env, "too many accepts wait for a read", out)
		return
	}
	reading := false
	for i := range g.parked {
		if g.parked[i].slot != p.slot {
			continue
		}
		reading = true
		if g.parked[i].ballot == p.ballot && g.parked[i].checksum == p.checksum {
			return // a repeat: the first will be answered
		}
	}
	g.parked = append(g.parked, p)
	a.parkedCount++
	a.parkedBytes += len(p.value)
	if !reading {
		a.read(g, pending{kind: readVote, group: g}, Read{From: p.slot, To: p.slot, MaxVotes: 1}, out)
	}
}

// onSlotRead judges the accepts parked for a slot, in order of arrival, by what holds now.
func (a *Acceptor) onSlotRead(now paxos.Instant, g *group, r *ReadResult, out *Output) {
	var has vote
	if len(r.Votes) > 0 {
		v := &r.Votes[0]
		has = vote{ballot: &v.Ballot, checksum: v.Checksum, bytes: v.Bytes}
	}
	var mine []parked
	g.parked = slices.DeleteFunc(g.parked, func(p parked) bool {
		if p.slot != r.From {
			return false
		}
		mine = append(mine, p)
		return true
	})
	for i := range mine {
		p := &mine[i]
		a.parkedCount--
		a.parkedBytes -= len(p.value)
		if !a.refuseAccept(g, p, out) {
			has = a.vote(now, g, p, has, out)
		}
	}
}
