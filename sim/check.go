package sim

import (
	"github.com/paxosd/paxosd/paxos"
)

// Checkers, as Failure.Checker names them.
const (
	CheckAgreement       = "agreement"        // one value per slot, for ever; what was chosen is what higher ballots propose
	CheckProposed        = "proposed"         // what is chosen was proposed, and what is in it was sent by a client or composed by a leader
	CheckPromiseMonotone = "promise-monotone" // an acceptor's promises only rise, across restarts
	CheckVoteMonotone    = "vote-monotone"    // no vote below a promise or a trim mark, none replaced by a lower ballot's, none left out of a report
	CheckDurableAck      = "durable-ack"      // what is told is durable; what is acknowledged is so on a write quorum at that instant
	CheckPrefix          = "prefix"           // learners and proposers hold prefixes of one history, with equal hashes
	CheckDense           = "dense"            // offsets without hole or repeat, stamps never back
	CheckExactlyOnce     = "exactly-once"     // each acknowledged batch once, where acknowledged, in its producer's order; no refused one
	CheckLinearizable    = "linearizable"     // append, conditional append and last offset
	CheckStable          = "stable"           // nothing is trimmed that keepers do not hold
	CheckBounds          = "bounds"           // queues stay within their bounds
	CheckProgress        = "progress"         // a healed quorum goes on
	CheckInvariant       = "invariant"        // no core contradicts itself or panics
	CheckDamagedSilent   = "damaged-silent"   // a damaged store never answers
)

// Checkers lists the names of all checkers.
func Checkers() []string {
	return []string{
		CheckAgreement, CheckProposed, CheckPromiseMonotone, CheckVoteMonotone, CheckDurableAck, CheckPrefix, CheckDense, CheckExactlyOnce,
		CheckLinearizable, CheckStable, CheckBounds, CheckProgress, CheckInvariant, CheckDamagedSilent,
	}
}

// checker holds what must never be contradicted.
type checker struct {
	w       *world
	batches []*batchRecord
	opens   map[uint64]bool
	admins  map[paxos.Checksum]bool
}

func (c *checker) opened(token uint64) {
	if c.opens == nil {
		c.opens = map[uint64]bool{}
	}
	c.opens[token] = true
}

func (c *checker) commanded(body []byte) {
	if c.admins == nil {
		c.admins = map[paxos.Checksum]bool{}
	}
	c.admins[paxos.Sum(body)] = true
}

// record judges what an acceptor is about to write, by what its store holds (PROTOCOL A2, A3, A4).
func (c *checker) record(p *process, l *voteLog, r *paxos.Record) {
	w := c.w
	switch r.Kind {
	case paxos.RecordPromise:
		if r.Ballot.Less(l.promised) {
			w.fail(CheckPromiseMonotone, "%s promised %s and now promises %s", p.name, l.promised, r.Ballot)
		}
	case paxos.RecordVote:
		old, voted := l.votes[r.Slot]
		switch {
		case l.state != paxos.LogLive:
			w.fail(CheckVoteMonotone, "%s votes in slot %d of a log in which it is %s", p.name, r.Slot, l.state)
		case r.Ballot.Less(l.promised):
			w.fail(CheckVoteMonotone, "%s promised %s and votes at %s in slot %d", p.name, l.promised, r.Ballot, r.Slot)
		case r.Slot <= l.trimmed:
			w.fail(CheckVoteMonotone, "%s trimmed to %d and votes in slot %d", p.name, l.trimmed, r.Slot)
		case voted && old.Ballot == r.Ballot && old.Checksum != r.Checksum:
			w.fail(CheckAgreement, "%s votes for two values in slot %d at %s", p.name, r.Slot, r.Ballot)
		}
	case paxos.RecordTrim:
		if r.Slot < l.trimmed {
			w.fail(CheckStable, "%s trimmed to %d and now to %d", p.name, l.trimmed, r.Slot)
		}
		c.trimmed(p, r)
	default:
	}
}

// durable takes note of what reached an acceptor's disk.
func (c *checker) durable(p *process, i paxos.Incarnation, r *paxos.Record) {
	l := c.w.logOf(r.Genesis)
	switch {
	case l == nil:
	case r.Kind == paxos.RecordPromise:
		l.promised(i, r.Ballot)
	case r.Kind == paxos.RecordVote:
		l.promised(i, r.Ballot)
		l.voted(r.Slot, r.Ballot, r.Checksum, paxos.Member{Name: p.name, Incarnation: i})
	}
}

// sends judges what a process says as it leaves (PROTOCOL A1).
func (c *checker) sends(p *process, env *paxos.Envelope) {
	w := c.w
	if p.votes != nil && p.votes.damage != "" || p.chosen != nil && p.chosen.damage != "" {
		w.fail(CheckDamagedSilent, "%s sends %s from a damaged store", p.name, env.Msg.Kind())
	}
	if m, ok := env.Msg.(*paxos.Accept); ok {
		if l := w.logOf(env.Genesis); l != nil {
			l.proposedBy(p, m)
		}
		return
	}
	if p.votes == nil {
		return
	}
	l := find(p.votes.durable, env.Genesis)
	told := func(b paxos.Ballot) {
		if l == nil && !b.IsZero() || l != nil && l.promised.Less(b) {
			w.fail(CheckDurableAck, "%s tells by %s that it promised %s, which is not durable", p.name, env.Msg.Kind(), b)
		}
	}
	trimmed := func(t paxos.Slot) {
		if t > 0 && (l == nil || l.trimmed < t) {
			w.fail(CheckDurableAck, "%s tells by %s that it trimmed to %d, which is not durable", p.name, env.Msg.Kind(), t)
		}
	}
	switch m := env.Msg.(type) {
	case *paxos.Promise:
		told(m.Ballot)
		trimmed(m.Trimmed)
		c.promise(p, l, m)
	case *paxos.Refuse:
		told(m.Promised)
		trimmed(m.Trimmed)
	case *paxos.AskAnswer:
		told(m.Promised)
		trimmed(m.Trimmed)
	case *paxos.VotesAnswer:
		trimmed(m.Trimmed)
		c.votesAnswer(p, l, env, m)
	case *paxos.Learn:
		for _, v := range m.Votes {
			if l == nil || v.Slot > l.trimmed && l.votes[v.Slot].Ballot.Less(m.Ballot) {
				w.fail(CheckDurableAck, "%s tells its vote in slot %d at %s, which is not durable", p.name, v.Slot, m.Ballot)
			}
			if l.votes[v.Slot].Ballot == m.Ballot && l.votes[v.Slot].Checksum != v.Checksum {
				w.fail(CheckVoteMonotone, "%s tells another vote than its own in slot %d at %s", p.name, v.Slot, m.Ballot)
			}
		}
	}
}

// promise judges what a chunk leaves out: every durable vote in its range, but those at the ballot promised (PROTOCOL A4, A5).
func (c *checker) promise(p *process, l *voteLog, m *paxos.Promise) {
	i := 0
	for t := max(m.From, l.trimmed+1); t <= m.To && t <= l.highest; t++ {
		v, ok := l.votes[t]
		if !ok || !v.Ballot.Less(m.Ballot) {
			continue
		}
		for i < len(m.Votes) && m.Votes[i].Slot < t {
			i++
		}
		if i == len(m.Votes) || m.Votes[i].Slot != t || m.Votes[i].Checksum != v.Checksum || m.Votes[i].Ballot.Less(v.Ballot) {
			c.w.fail(CheckVoteMonotone, "%s promises %s for slots %d to %d and leaves out its vote in slot %d at %s",
				p.name, m.Ballot, m.From, m.To, t, v.Ballot)
		}
	}
}
