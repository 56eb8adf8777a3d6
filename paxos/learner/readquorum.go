package learner

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// ballotBox holds what the acceptors answered to the newest poll, as far as it may decide a slot that is known to be chosen though no
// write quorum's votes of one ballot are left to count: a candidate that died may have overwritten some (PROTOCOL L4).
//
// The rule: let t be known to be chosen before the poll left, and a read quorum of M(t) have answered that very poll with t covered
// and not trimmed. Then the vote of the highest ballot among those answers is for the chosen value.
//
// The proof: t was chosen at some ballot b by a write quorum, before the poll left, hence before any of its answers was read from a
// store. The read quorum contains one of those acceptors; it has not trimmed t, and a vote is only ever replaced by one of a
// higher ballot (A3), so it answered a vote at b or above. The highest vote is therefore at b or above, and every vote there is for
// the value chosen at b: at b since no ballot has two values, above it since its proposer met b's votes in Phase 1 (P1).
//
// Without the knowledge, or with an answer read before t was chosen, the highest vote may be that of a minority that lost.
//
//	I1  of one poll, answers of distinct members of the membership that governs all of its slots, one each.
//	I2  empty while the Learner learns by counted votes alone.
type ballotBox struct {
	poll    uint64     // number of the poll; 0: none may decide anything
	known   paxos.Slot // every slot through it was known to be chosen before the poll left
	to      paxos.Slot // last slot polled
	answers []votesIn
}

// votesIn is what one acceptor said of a range: its votes there are exactly these, and nothing of the range was trimmed.
type votesIn struct {
	voter    paxos.Voter
	from, to paxos.Slot
	votes    []paxos.VoteInfo
}

// openBox begins a poll of slots through to, and returns the number that its requests carry; 0 if its answers will be counted as
// votes only. It is called before any of them leaves.
//
// Known to be chosen is what a beacon's mark covers, what an acceptor's trim mark shows, or what a write quorum was counted for here. Not
// enough is the word of another learner, whose copy may differ (L5): it has the slot, so it will be fetched from there.
func (l *Learner) openBox(head, to paxos.Slot) uint64 {
	r := &l.repair
	r.box = ballotBox{}
	known := l.marked
	if s := l.win.at(head); s != nil && s.decided != undecided && s.voted {
		known = max(known, head)
	}
	if r.votesOnly || known < head {
		return 0
	}
	r.polls++
	r.box = ballotBox{poll: r.polls, known: known, to: to}
	return r.polls
}

// put keeps an answer to the box's own poll.
func (x *ballotBox) put(f *flight, m *paxos.VotesAnswer) {
	from, to := max(f.from, m.From), min(f.to, m.To)
	if x.poll == 0 || f.poll != x.poll || m.Trimmed >= to || from > to {
		return
	}
	in := votesIn{voter: m.Voter, from: max(from, m.Trimmed+1), to: to, votes: make([]paxos.VoteInfo, len(m.Votes))}
	for i := range m.Votes {
		in.votes[i] = m.Votes[i].VoteInfo
		if i > 0 && in.votes[i].Slot <= in.votes[i-1].Slot {
			return // not what an acceptor sends: its votes are one a slot, ascending
		}
	}
	x.answers = append(x.answers, in)
}

// at returns the vote in slot t, if there is one.
func (v *votesIn) at(t paxos.Slot) (paxos.VoteInfo, bool) {
	for i := range v.votes {
		if v.votes[i].Slot == t {
			return v.votes[i], true
		}
	}
	return paxos.VoteInfo{}, false
}

// highestVote returns the vote of the highest ballot in slot t among the answers that cover it, and whose it is. It reports false if they
// are not those of a read quorum of m, or hold no vote. An answer counts as long as its store stands as it did then (A9).
func (l *Learner) highestVote(m *paxos.Membership, t paxos.Slot) (best paxos.VoteInfo, name string, ok bool) {
	var answered quorum.Set
	for i := range l.repair.box.answers {
		in := &l.repair.box.answers[i]
		k := m.Index(in.voter.Name, in.voter.Incarnation)
		if k < 0 || t < in.from || t > in.to || !l.witness.Stands(&in.voter) {
			continue
		}
		answered.Add(k)
		if v, voted := in.at(t); voted && best.Ballot.Less(v.Ballot) {
			best, name = v, in.voter.Name
		}
	}
	return best, name, quorum.HasRead(m, answered) && name != ""
}

// settleByRead sequences the head of the line if a read quorum's answers decide it, and the decided value is in hand.
func (l *Learner) settleByRead(out *Output) bool {
	x := &l.repair.box
	t := l.win.base + 1
	if x.poll == 0 || l.stopped != nil {
		return false
	}
	if t > min(x.known, x.to) {
		*x = ballotBox{}
		return false
	}
	best, name, ok := l.highestVote(l.governs(t), t)
	if !ok || l.refutes(t, &best, out) {
		return false
	}
	value, ok := l.Lookup(t, best.Ballot, best.Checksum)
	if !ok {
		return false
	}
	var b paxos.Ballot // the highest vote's ballot need not be one at which it was chosen
	if s := l.win.at(t); s != nil && s.decided != undecided && s.voted {
		b = s.tallies[s.decided].ballot
	}
	if !l.apply(b, best.Checksum, value, out) {
		return false
	}
	l.event(out, paxos.Event{Kind: paxos.EventGapRepaired, Slot: t, Ballot: best.Ballot, Name: name, N: 1})
	return true
}

// refutes reports whether votes seen here contradict that best is for the chosen value of slot t: a write quorum's, or one at its
// ballot or above. No such votes exist while the protocol holds; if they do, this log stops.
func (l *Learner) refutes(t paxos.Slot, best *paxos.VoteInfo, out *Output) bool {
	s := l.win.at(t)
	if s == nil {
		return false
	}
	for i := range s.tallies {
		y := &s.tallies[i]
		if y.votes.Len() == 0 || y.voteSum == best.Checksum {
			continue
		}
		if s.decided == i && s.voted || !y.ballot.Less(best.Ballot) {
			l.conflict(out, t, best.Ballot, fmt.Sprintf("the highest vote of a read quorum differs from a vote at %v", y.ballot))
			return true
		}
	}
	return false
}
