package sim

import "github.com/paxosd/paxosd/paxos"

// question names a request for votes that an acceptor has not answered.
type question struct {
	reply   string
	request uint64
}

// maxQuestions bounds those remembered of one process: more are under way at a time only where answers get lost before they leave.
const maxQuestions = 1024

// fetched takes note of the votes that are durable as a request for them arrives: the answer must have them (PROTOCOL A5, L4).
func (c *checker) fetched(p *process, env *paxos.Envelope, m *paxos.Fetch) {
	l := find(p.votes.durable, env.Genesis)
	if m.What != paxos.FetchVotes || l == nil {
		return
	}
	if p.asked == nil || len(p.asked) >= maxQuestions {
		p.asked = map[question][]paxos.VoteInfo{}
	}
	var votes []paxos.VoteInfo
	for t := max(m.From, l.trimmed+1); t <= m.To && t <= l.highest; t++ {
		if v, ok := l.votes[t]; ok {
			votes = append(votes, v.VoteInfo)
		}
	}
	p.asked[question{env.Reply, env.Request}] = votes
}

// votesAnswer judges an answer about votes: nothing in it that is not durable, and nothing left out that was durable when it was asked for,
// but what has been trimmed since.
func (c *checker) votesAnswer(p *process, l *voteLog, env *paxos.Envelope, m *paxos.VotesAnswer) {
	for i := range m.Votes {
		if v := &m.Votes[i]; l == nil || v.Slot > l.trimmed && l.votes[v.Slot].Ballot.Less(v.Ballot) {
			c.w.fail(CheckDurableAck, "%s answers with a vote in slot %d at %s that is not durable", p.name, v.Slot, v.Ballot)
		}
	}
	key := question{env.Reply, env.Request}
	owed := p.asked[key]
	delete(p.asked, key)
	i := 0
	for _, v := range owed {
		if v.Slot < m.From || v.Slot > m.To || v.Slot <= m.Trimmed || v.Slot <= l.trimmed {
			continue
		}
		for i < len(m.Votes) && m.Votes[i].Slot < v.Slot {
			i++
		}
		if i == len(m.Votes) || m.Votes[i].Slot != v.Slot || m.Votes[i].Ballot.Less(v.Ballot) {
			c.w.fail(CheckVoteMonotone, "%s answers for slots %d to %d and leaves out its vote in slot %d at %s", p.name, m.From, m.To, v.Slot, v.Ballot)
		}
	}
	if len(owed) > 0 {
		c.w.count("votes told to a repair")
	}
}
