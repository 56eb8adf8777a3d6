package proposer

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// span is a closed range of slots.
type span struct{ from, to paxos.Slot }

// promiser is what one acceptor has promised at the term's ballot, and what it reported.
//
//	I1  covered is ascending, disjoint and not adjacent.
//	I2  within covered, votes are exactly the acceptor's votes below the ballot, above what was sequenced here.
type promiser struct {
	member  paxos.Member
	covered []span
	votes   map[paxos.Slot]paxos.VoteInfo
	highest paxos.Slot // highest slot ever reported
}

// covers reports whether a chunk that was received covers t (PROTOCOL A5).
func (r *promiser) covers(t paxos.Slot) bool { return r.coversRange(t, t) }

// coversRange reports whether chunks that were received cover all of [from, to].
func (r *promiser) coversRange(from, to paxos.Slot) bool {
	for _, c := range r.covered {
		if c.from <= from && to <= c.to {
			return true
		}
	}
	return false
}

// firstUncovered returns the first slot at or above t that no chunk covers.
func (r *promiser) firstUncovered(t paxos.Slot) (paxos.Slot, bool) {
	for _, c := range r.covered {
		if c.from <= t && t <= c.to {
			if c.to == paxos.MaxSlot {
				return 0, false
			}
			t = c.to + 1
		}
	}
	return t, true
}

// cover adds [from, to].
func (r *promiser) cover(from, to paxos.Slot) {
	r.covered = append(r.covered, span{from, to})
	slices.SortFunc(r.covered, func(a, b span) int {
		if a.from < b.from {
			return -1
		}
		return 1
	})
	merged := r.covered[:1]
	for _, c := range r.covered[1:] {
		last := &merged[len(merged)-1]
		if last.to == paxos.MaxSlot || c.from <= last.to+1 {
			last.to = max(last.to, c.to)
			continue
		}
		merged = append(merged, c)
	}
	r.covered = merged
}

// add takes a chunk. What was covered before keeps its first report: an acceptor that promised accepts nothing below
// the ballot any more, so that a repeat can differ only by what it accepted at this very ballot, which is ignored
// anyway (PROTOCOL P5). It reports false if there is no room for the chunk's votes.
func (r *promiser) add(m *paxos.Promise, through paxos.Slot) bool {
	if len(r.votes)+len(m.Votes) > maxReports {
		return false
	}
	for i := range m.Votes {
		v := &m.Votes[i]
		if v.Slot <= through || r.covers(v.Slot) {
			continue
		}
		if v.Ballot == m.Ballot { // PROTOCOL P5
			continue
		}
		if r.votes == nil {
			r.votes = make(map[paxos.Slot]paxos.VoteInfo)
		}
		r.votes[v.Slot] = *v
		r.highest = max(r.highest, v.Slot)
	}
	r.cover(m.From, m.To)
	return true
}

// promises is what the acceptors have promised at one ballot. An acceptor's promise counts in every membership that it is
// a member of.
type promises struct {
	list []*promiser // in order of their first chunk
}

func (ps *promises) find(m paxos.Member) *promiser {
	for _, r := range ps.list {
		if r.member == m {
			return r
		}
	}
	return nil
}

// of returns what this acceptor promised, making an empty one if needed.
func (ps *promises) of(m paxos.Member) *promiser {
	r := ps.find(m)
	if r == nil {
		r = &promiser{member: m}
		ps.list = append(ps.list, r)
	}
	return r
}

// keep forgets acceptors that are members of none of the memberships in force.
func (ps *promises) keep(inForce []*paxos.Membership) {
	ps.list = slices.DeleteFunc(ps.list, func(r *promiser) bool {
		return !slices.ContainsFunc(inForce, func(m *paxos.Membership) bool {
			return m.Index(r.member.Name, r.member.Incarnation) >= 0
		})
	})
}

// forget drops the reports of a slot that is sequenced.
func (ps *promises) forget(t paxos.Slot) {
	for _, r := range ps.list {
		if len(r.votes) > 0 {
			delete(r.votes, t)
		}
	}
}

// highest returns the highest slot that any acceptor reported a vote in.
func (ps *promises) highest() paxos.Slot {
	var t paxos.Slot
	for _, r := range ps.list {
		t = max(t, r.highest)
	}
	return t
}

// hasRead reports whether a read quorum of m promised all of [from, to]. Only chunks that cover the range count.
func (ps *promises) hasRead(m *paxos.Membership, from, to paxos.Slot) bool {
	var s quorum.Set
	for i, a := range m.Acceptors {
		if r := ps.find(a); r != nil && r.coversRange(from, to) {
			s.Add(i)
		}
	}
	return quorum.HasRead(m, s)
}

// report is what Phase 1 says of one slot: the vote of the highest ballot, if there is one, and who holds it.
type report struct {
	voted    bool
	vote     paxos.VoteInfo
	holders  []paxos.Member
	conflict bool // two values at one ballot: an invariant is broken elsewhere
}

// decide returns the highest vote in slot t among the members of m whose promise covers t, leaving out those that failed. It
// reports false if the rest is no read quorum. Any read quorum will do, as long as nothing was proposed in t at this
// ballot yet (PROTOCOL P1, P5).
func (ps *promises) decide(m *paxos.Membership, t paxos.Slot, failed []paxos.Member) (report, bool) {
	var s quorum.Set
	var rep report
	for i, a := range m.Acceptors {
		r := ps.find(a)
		if r == nil || !r.covers(t) || slices.Contains(failed, a) {
			continue
		}
		s.Add(i)
		v, ok := r.votes[t]
		if !ok {
			continue
		}
		switch c := v.Ballot.Compare(rep.vote.Ballot); {
		case !rep.voted || c > 0:
			rep = report{voted: true, vote: v, holders: []paxos.Member{a}}
		case c == 0:
			rep.conflict = rep.conflict || v.Checksum != rep.vote.Checksum
			rep.holders = append(rep.holders, a)
		}
	}
	return rep, quorum.HasRead(m, s)
}

// lacking returns the first slot at or above from that some member of m has not covered, up to to. It reports false
// if all have covered the whole range.
func (ps *promises) lacking(m *paxos.Membership, from, to paxos.Slot) (paxos.Slot, bool) {
	first, found := to, false
	for _, a := range m.Acceptors {
		t, ok := from, true
		if r := ps.find(a); r != nil {
			t, ok = r.firstUncovered(from)
		}
		if ok && t <= to {
			first, found = min(first, t), true
		}
	}
	return first, found
}
