package proposer

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// Patience of a fetch for adoption.
const (
	fetchPatience = 250 * paxos.Millisecond
	fetchRetry    = 100 * paxos.Millisecond
)

// want is a reported value that is not in hand yet.
type want struct {
	asked  paxos.Member // whom a fetch is under way to; zero: nobody
	number uint64       // of that request
	until  paxos.Instant
	failed []paxos.Member // did not give it, since the last time that everybody was tried
}

// adopt opens slot t for the value of the highest reported ballot: from the learner, which mostly holds it, else fetched from
// an acceptor that reported it (PROTOCOL A6). The bytes are copied as they are, origin included (P6).
func (ld *leader) adopt(g *group, s *step, t paxos.Slot, rep report) bool {
	if !g.p.fits(int(rep.vote.Bytes)) {
		return g.starve()
	}
	o := ld.openNext(s)
	o.counted = int(rep.vote.Bytes) // while it is fetched, too: fetched values are all proposed at once (PROTOCOL P11)
	g.p.reserve(ld, o.counted)
	ld.resolve(g, s, o)
	return true
}

// resolve tries to give an open slot its value. The choice is made anew each time, since nothing was proposed there yet: where an
// acceptor that reported a value failed, the promises of another read quorum may do without it (PROTOCOL P5).
func (ld *leader) resolve(g *group, s *step, o *openSlot) {
	m, ok := g.membershipAt(o.slot)
	if !ok || !ld.mayPropose(g, m, o.slot) {
		return
	}
	rep, ok := ld.promises.decide(m, o.slot, o.want.failed)
	switch {
	case !ok: // everybody was tried: begin again
		o.want.failed = nil
		o.want.until = s.now.Add(fetchRetry)
	case !rep.voted:
		g.event(s, paxos.Event{Kind: paxos.EventHoleFilled, Slot: o.slot, Ballot: ld.ballot})
		ld.settle(g, s, o, ld.noop(s))
	default:
		if v, ok := g.learner.Lookup(o.slot, rep.vote.Ballot, rep.vote.Checksum); ok {
			ld.adopted(g, s, o, v)
			return
		}
		ld.fetch(g, s, o, rep)
	}
}

func (ld *leader) adopted(g *group, s *step, o *openSlot, v []byte) {
	g.event(s, paxos.Event{Kind: paxos.EventAdopted, Slot: o.slot, Ballot: ld.ballot})
	ld.settle(g, s, o, v)
}

// settle proposes the value that was found for a slot opened earlier.
func (ld *leader) settle(g *group, s *step, o *openSlot, v []byte) {
	ld.cancelWant(o)
	o.want = want{}
	ld.propose(g, s, o, v, nil)
}

// fetch asks an acceptor that reported the value, if not too many fetches are under way.
func (ld *leader) fetch(g *group, s *step, o *openSlot, rep report) {
	if ld.fetching >= maxFetches {
		o.want.until = s.now
		return
	}
	holder := rep.holders[int(g.p.rng.next()%uint64(len(rep.holders)))]
	n := g.p.request(s, request{purpose: forValue, group: g}, paxos.Envelope{
		Log: g.log, Genesis: g.id, To: holder.Name, Bulk: true,
		Msg: &paxos.Fetch{What: paxos.FetchVotes, From: o.slot, To: o.slot, MaxBytes: max(rep.vote.Bytes, 1)},
	})
	if n == 0 {
		o.want.until = s.now.Add(fetchRetry)
		return
	}
	ld.fetching++
	o.want.asked, o.want.number, o.want.until = holder, n, s.now.Add(fetchPatience)
}

// cancelWant forgets a fetch under way.
func (ld *leader) cancelWant(o *openSlot) {
	if o.want.number != 0 {
		o.want.number, o.want.asked = 0, paxos.Member{}
		ld.fetching--
	}
}

// fetchFailed notes that the acceptor asked did not give the value.
func (ld *leader) fetchFailed(o *openSlot) {
	if o.want.number == 0 {
		return
	}
	if !slices.Contains(o.want.failed, o.want.asked) {
		o.want.failed = append(o.want.failed, o.want.asked)
	}
	ld.cancelWant(o)
}

// tickWants goes on where a fetch took too long, or waited for its turn.
func (ld *leader) tickWants(g *group, s *step) {
	for i := 0; i < len(ld.open) && g.phase == phase(ld); i++ {
		o := ld.open[i]
		if o.value != nil || s.now < o.want.until {
			continue
		}
		ld.fetchFailed(o)
		ld.resolve(g, s, o)
	}
}

// onValue takes the answer of an acceptor to a fetch, or the news that there will be none (m is nil).
func (g *group) onValue(s *step, number uint64, m *paxos.VotesAnswer) {
	if m != nil {
		g.peek(s, m)
	}
	ld, ok := g.phase.(*leader)
	if !ok {
		return
	}
	i := slices.IndexFunc(ld.open, func(o *openSlot) bool { return o.value == nil && o.want.number == number })
	if i < 0 {
		return
	}
	o := ld.open[i]
	if m != nil && m.Name == o.want.asked.Name && m.Incarnation == o.want.asked.Incarnation {
		if v, ok := ld.reportedIn(g, o, m); ok {
			ld.adopted(g, s, o, v)
			ld.tickWants(g, s)
			return
		}
	}
	ld.fetchFailed(o)
	ld.resolve(g, s, o)
}

// peek takes from votes what concerns every phase: higher ballots, and the trim mark.
func (g *group) peek(s *step, m *paxos.VotesAnswer) {
	for i := range m.Votes {
		g.observe(s, m.Votes[i].Ballot, m.Name)
	}
	if g.member(&m.Voter) && g.credible(s, &m.Voter, false) {
		g.tell(s, m.Trimmed)
	}
}

// reportedIn finds in an answer the value that Phase 1 reported for o: the very ballot and checksum.
func (ld *leader) reportedIn(g *group, o *openSlot, m *paxos.VotesAnswer) ([]byte, bool) {
	in, ok := g.membershipAt(o.slot)
	if !ok {
		return nil, false
	}
	rep, ok := ld.promises.decide(in, o.slot, o.want.failed)
	if !ok || !rep.voted {
		return nil, false
	}
	for i := range m.Votes {
		v := &m.Votes[i]
		if v.Slot == o.slot && v.Ballot == rep.vote.Ballot && v.Checksum == rep.vote.Checksum &&
			paxos.Sum(v.Value) == v.Checksum {
			return v.Value, true
		}
	}
	return nil, false
}
