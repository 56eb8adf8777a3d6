package messaging

import (
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// request holds requests, their answers and the steps of founding to their rules.
func (c *checker) request(msg paxos.Message) {
	switch m := msg.(type) {
	case *paxos.Ask:
		c.name(m.Asker, "asker")
	case *paxos.AskAnswer:
		c.voter(m.Voter)
		c.ballotOrNone(m.Promised)
		c.want(m.Gone <= paxos.GoneCandidate, "unknown reason")
		c.want(m.State <= paxos.LogAborted, "unknown state")
	case *paxos.Live:
		c.ballot(m.Ballot)
	case *paxos.LiveAnswer:
		c.name(m.Name, "name")
		c.ballotOrNone(m.Ballot)
		c.want(m.Phase <= paxos.PhaseLeader, "unknown phase")
	case *paxos.Ident:
		c.want(m.Role <= paxos.RoleLearner, "unknown role")
		if m.Role != paxos.RoleNone || m.Asker != "" {
			c.name(m.Asker, "asker")
		}
	case *paxos.IdentAnswer:
		c.identAnswer(m)
	case *paxos.Beacons: // its run is the subject's
	case *paxos.Fetch:
		c.want(m.What >= paxos.FetchChosen && m.What <= paxos.FetchHash, "unknown thing to fetch")
		c.slot(m.From)
		c.want(m.From <= m.To, "a range that ends before it begins")
	case *paxos.FetchAnswer:
		c.fetchAnswer(m)
	case *paxos.VotesAnswer:
		c.votesAnswer(m)
	case *paxos.Checkpoint:
	case *paxos.CheckpointAnswer:
		c.voter(m.Voter)
		c.want(uint64(m.Offset)+uint64(len(m.State)) <= uint64(m.Total), "a piece past the end of the state")
	default:
		c.client(msg)
	}
}

// client holds what clients send and get to its rules.
func (c *checker) client(msg paxos.Message) {
	switch m := msg.(type) {
	case *paxos.Batch:
		c.ballotOrNone(m.Ballot)
		c.want(len(m.Batch) > 0, "no batch")
	case *paxos.Open:
		c.ballotOrNone(m.Ballot)
		c.most(len(m.Client), paxos.MaxNameBytes, "bytes of client's name")
	case *paxos.Admin:
		c.ballotOrNone(m.Ballot)
		c.want(len(m.Command) > 0, "no command")
	case *paxos.BatchAnswer:
		c.ballot(m.Ballot)
		c.want(answerable(m.Code), "no outcome that is ever answered")
		c.most(len(m.Text), paxos.MaxTextBytes, "bytes of text")
	case *paxos.Read:
	case *paxos.ReadAnswer:
		c.readAnswer(m)
	case *paxos.Get:
		c.want(m.From > 0, "offset 0: offsets begin at 1")
		c.want(m.Max > 0, "no entries wanted")
		c.most(int(m.Max), paxos.MaxGetEntries, "entries")
	default:
		c.fail(ErrUnknownKind, "%s has no envelope", msg.Kind())
	}
}

func (c *checker) identAnswer(m *paxos.IdentAnswer) {
	c.name(m.Name, "name")
	c.name(m.Cluster, "cluster")
	c.want(m.Role <= paxos.RoleLearner, "unknown role")
	c.most(len(m.Version), paxos.MaxTextBytes, "bytes of version")
	c.most(len(m.Logs), paxos.MaxIdentLogs, "logs")
	for i := range m.Logs {
		l := &m.Logs[i]
		c.name(l.Log, "log")
		c.want(l.State <= paxos.LogAborted, "unknown state")
		c.ballotOrNone(l.Leads)
	}
}

func (c *checker) fetchAnswer(m *paxos.FetchAnswer) {
	c.voter(m.Voter)
	c.slot(m.From)
	c.most(len(m.Values), paxos.MaxFetchValues, "values")
	if n := paxos.Slot(len(m.Values)); n > paxos.MaxSlot-m.From {
		c.fail(ErrMalformed, "%d values from slot %d", n, m.From)
	}
	for i := range m.Values {
		v := &m.Values[i]
		c.want(v.Slot == m.From+paxos.Slot(i), "values of slots that do not follow each other")
		c.want(len(v.Value) > 0, "an empty value")
	}
}

func (c *checker) votesAnswer(m *paxos.VotesAnswer) {
	c.voter(m.Voter)
	c.slot(m.From)
	c.want(m.From <= m.To, "a range that ends before it begins")
	c.most(len(m.Votes), paxos.MaxFetchValues, "votes")
	at := m.From - 1
	for i := range m.Votes {
		c.vote(&m.Votes[i].VoteInfo, at, m.To)
		c.want(len(m.Votes[i].Value) > 0, "an empty value")
		if c.err != nil {
			return
		}
		at = m.Votes[i].Slot
	}
}

func (c *checker) readAnswer(m *paxos.ReadAnswer) {
	c.name(m.Learner, "learner")
	c.want(m.Number > 0, "a chunk without a number")
	c.want(m.Code <= paxos.ReadBusy, "unknown code")
	c.most(len(m.Batches), paxos.MaxReadBatches, "batches")
	var next paxos.Offset
	for i := range m.Batches {
		b := &m.Batches[i]
		c.want(b.First > 0 && (next == 0 || b.First == next), "batches that do not follow each other")
		c.want(b.Count > 0 && b.Count <= paxos.MaxBatchEntries, "a batch of no or too many entries")
		next = b.First + paxos.Offset(b.Count)
	}
}

// genesis holds a step of founding to PROTOCOL section 6.
func (c *checker) genesis(m *paxos.GenesisMsg) {
	c.name(m.Sender, "sender")
	c.want(m.Step >= paxos.GenesisPrepare && m.Step <= paxos.GenesisJoin, "unknown step")
	c.want(m.State <= paxos.LogAborted, "unknown state")
	if m.ID.IsZero() {
		c.fail(ErrGenesis, "the step names none")
	}
	if m.Step == paxos.GenesisPrepare || m.Step == paxos.GenesisJoin {
		c.want(len(m.Record) > 0, "the step carries no genesis record")
	}
	c.want((m.Membership != nil) == (m.Step == paxos.GenesisJoin), "only a join carries a membership, and it must")
	if m.Membership != nil {
		c.membership(m.Membership)
	}
}

// membership wants what paxos.Membership promises (I1, I2), as far as sizes and order go; it proves nothing about being chosen.
func (c *checker) membership(m *paxos.Membership) {
	n := len(m.Acceptors)
	c.want(n > 0, "a membership without acceptors")
	c.most(n, paxos.MaxAcceptors, "acceptors")
	c.want(m.Epoch > 0 && m.From > 0, "a membership without epoch or first slot")
	c.want(m.Read > 0 && m.Read <= n && m.Write > 0 && m.Write <= n && m.Read+m.Write > n, "quorums that need not meet")
	for i := range m.Acceptors {
		a := &m.Acceptors[i]
		c.name(a.Name, "acceptor")
		c.want(!a.Incarnation.IsZero(), "an acceptor without an incarnation")
		if i > 0 {
			c.want(strings.Compare(m.Acceptors[i-1].Name, a.Name) < 0, "acceptors out of order")
		}
	}
}
