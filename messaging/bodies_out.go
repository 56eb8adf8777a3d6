package messaging

import (
	"github.com/paxosd/paxosd/messaging/pb"
	"github.com/paxosd/paxosd/paxos"
)

func ballotOut(b paxos.Ballot) *pb.Ballot {
	if b.IsZero() {
		return nil
	}
	return &pb.Ballot{Round: b.Round, Proposer: b.Proposer, Run: b.Run}
}

func voterOut(v paxos.Voter) *pb.Voter {
	return &pb.Voter{Name: v.Name, Incarnation: incarnationOut(v.Incarnation), Boot: v.Boot, Run: v.Run, Written: v.Written}
}

func incarnationOut(i paxos.Incarnation) []byte {
	if i.IsZero() {
		return nil
	}
	return i[:]
}

func genesisIDOut(g paxos.GenesisID) []byte {
	if g.IsZero() {
		return nil
	}
	return g[:]
}

func hashOut(h paxos.Hash) []byte {
	if h.IsZero() {
		return nil
	}
	return h[:]
}

// votesOut makes parallel arrays of votes. Most have the ballot of the one before: its owner is looked for from the newest.
func votesOut(votes []paxos.VoteInfo) *pb.Votes {
	if len(votes) == 0 {
		return nil
	}
	v := newVotes(len(votes))
	for i := range votes {
		addVote(v, &votes[i])
	}
	return v
}

func newVotes(n int) *pb.Votes {
	return &pb.Votes{
		Slots: make([]uint64, 0, n), Rounds: make([]uint64, 0, n), Owners: make([]uint32, 0, n),
		Checksums: make([]uint64, 0, n), Lengths: make([]uint32, 0, n),
	}
}

func addVote(v *pb.Votes, i *paxos.VoteInfo) {
	v.Slots = append(v.Slots, uint64(i.Slot))
	v.Rounds = append(v.Rounds, i.Ballot.Round)
	v.Owners = append(v.Owners, ownerIndex(v, i.Ballot))
	v.Checksums = append(v.Checksums, uint64(i.Checksum))
	v.Lengths = append(v.Lengths, i.Bytes)
}

// ownerIndex returns the place of b's proposer and run, which it adds if they are new.
func ownerIndex(v *pb.Votes, b paxos.Ballot) uint32 {
	for i := len(v.Proposers) - 1; i >= 0; i-- {
		if v.Proposers[i] == b.Proposer && v.Runs[i] == b.Run {
			return uint32(i)
		}
	}
	v.Proposers = append(v.Proposers, b.Proposer)
	v.Runs = append(v.Runs, b.Run)
	return uint32(len(v.Proposers) - 1)
}

// spanOut writes a span of time; one that is none is no time.
func spanOut(d paxos.Span) uint64 { return uint64(max(d, 0)) }

func learnOut(m *paxos.Learn) *pb.Learn {
	p := &pb.Learn{
		Voter: voterOut(m.Voter), Ballot: ballotOut(m.Ballot),
		Slots: make([]uint64, len(m.Votes)), Checksums: make([]uint64, len(m.Votes)),
	}
	for i := range m.Votes {
		p.Slots[i], p.Checksums[i] = uint64(m.Votes[i].Slot), uint64(m.Votes[i].Checksum)
	}
	for i := range m.Times {
		t := &m.Times[i]
		p.Timed, p.Synced, p.Fsynced = append(p.Timed, uint64(t.Slot)), append(p.Synced, spanOut(t.Synced)), append(p.Fsynced, spanOut(t.Fsync))
	}
	return p
}

func chosenOut(m *paxos.ChosenMsg) *pb.Chosen {
	n := len(m.Values)
	p := &pb.Chosen{
		Ballot: ballotOut(m.Ballot), Through: uint64(m.Through), Hash: hashOut(m.Hash),
		Slots: make([]uint64, n), Checksums: make([]uint64, n), Tail: make([]uint32, n),
	}
	for i := range m.Values {
		v := &m.Values[i]
		p.Slots[i], p.Checksums[i], p.Tail[i] = uint64(v.Slot), uint64(v.Checksum), uint32(len(v.Value))
	}
	return p
}

func beaconOut(m *paxos.Beacon) *pb.Beacon {
	p := &pb.Beacon{
		Proposer: m.Proposer, Run: m.Run, Number: m.Number, Full: m.Full, Over: m.Over, Clock: int64(m.Clock),
		Succession: m.Succession,
	}
	for i := range m.Items {
		it := &m.Items[i]
		p.Items = append(p.Items, &pb.BeaconItem{
			Log: it.Log, Genesis: genesisIDOut(it.Genesis), Ballot: ballotOut(it.Ballot), Withdrawn: it.Withdrawn,
			Chosen: uint64(it.Chosen), ChosenHash: hashOut(it.ChosenHash), Stable: uint64(it.Stable), Last: uint64(it.Last),
		})
	}
	return p
}

func beatOut(m *paxos.Beat) *pb.Beat {
	p := &pb.Beat{
		Voter: voterOut(m.Voter), Proposer: m.Proposer, ToRun: m.ToRun, Number: m.Number, Clock: int64(m.Clock), Full: m.Full,
	}
	for i := range m.Differs {
		it := &m.Differs[i]
		p.Differs = append(p.Differs, &pb.BeatItem{Log: it.Log, Genesis: genesisIDOut(it.Genesis), Promised: ballotOut(it.Promised)})
	}
	return p
}

func genesisOut(m *paxos.GenesisMsg) *pb.Genesis {
	p := &pb.Genesis{
		Step: uint32(m.Step), Id: genesisIDOut(m.ID), Sender: m.Sender, Incarnation: incarnationOut(m.Incarnation), Run: m.Run,
		State: uint32(m.State), Holds: genesisIDOut(m.Holds),
	}
	if s := m.Membership; s != nil {
		p.Membership = &pb.Membership{Epoch: uint64(s.Epoch), From: uint64(s.From), Read: uint32(s.Read), Write: uint32(s.Write)}
		for i := range s.Acceptors {
			p.Membership.Names = append(p.Membership.Names, s.Acceptors[i].Name)
			p.Membership.Incarnations = append(p.Membership.Incarnations, s.Acceptors[i].Incarnation[:]...)
		}
	}
	return p
}

func batchAnswerOut(m *paxos.BatchAnswer) *pb.BatchAnswer {
	p := &pb.BatchAnswer{
		Code: uint32(m.Code), Ballot: ballotOut(m.Ballot), Checksum: uint64(m.Checksum), First: uint64(m.First), Count: m.Count,
		Last: uint64(m.Last), Number: m.Number, Stamp: int64(m.Stamp), Text: m.Text,
	}
	if !m.Session.IsZero() {
		p.Session = &pb.Session{Slot: uint64(m.Session.Slot), Place: m.Session.Place}
	}
	if st := m.Stages; st != nil {
		p.Stages = &pb.Stages{
			Arrived: int64(st.Arrived), Queued: spanOut(st.Queued), Voted: spanOut(st.Voted), Synced: spanOut(st.Synced),
			Fsynced: spanOut(st.Fsync), Answered: spanOut(st.Answered),
		}
	}
	return p
}

func identAnswerOut(m *paxos.IdentAnswer) *pb.IdentAnswer {
	p := &pb.IdentAnswer{
		Name: m.Name, Role: uint32(m.Role), Cluster: m.Cluster, Incarnation: incarnationOut(m.Incarnation), Boot: m.Boot, Run: m.Run,
		Written: m.Written, Version: m.Version, Clock: int64(m.Clock),
	}
	for i := range m.Logs {
		l := &m.Logs[i]
		p.Logs = append(p.Logs, &pb.LogInfo{
			Log: l.Log, Genesis: genesisIDOut(l.Genesis), State: uint32(l.State), Leads: ballotOut(l.Leads),
			Through: uint64(l.Through), Last: uint64(l.Last),
		})
		p.Tail = append(p.Tail, uint32(len(l.Record)))
	}
	return p
}

func readAnswerOut(m *paxos.ReadAnswer) *pb.ReadAnswer {
	n := len(m.Batches)
	p := &pb.ReadAnswer{
		Learner: m.Learner, Run: m.Run, Stream: m.Stream, Number: m.Number, Code: uint32(m.Code), First: uint64(m.First),
		Last: uint64(m.Last), Slot: uint64(m.Slot), Hash: hashOut(m.Hash),
		Firsts: make([]uint64, n), Counts: make([]uint32, n), Stamps: make([]int64, n), Tail: make([]uint32, n),
	}
	for i := range m.Batches {
		b := &m.Batches[i]
		p.Firsts[i], p.Counts[i], p.Stamps[i], p.Tail[i] = uint64(b.First), b.Count, int64(b.Stamp), uint32(len(b.Frames))
	}
	return p
}

func fetchAnswerOut(m *paxos.FetchAnswer) *pb.FetchAnswer {
	p := &pb.FetchAnswer{
		Voter: voterOut(m.Voter), From: uint64(m.From), Before: hashOut(m.Before), After: hashOut(m.After), Start: uint64(m.Start),
		Through: uint64(m.Through), Known: m.Known, Tail: make([]uint32, len(m.Values)),
	}
	for i := range m.Values {
		p.Tail[i] = uint32(len(m.Values[i].Value))
	}
	return p
}

func votesAnswerOut(m *paxos.VotesAnswer) *pb.VotesAnswer {
	p := &pb.VotesAnswer{Voter: voterOut(m.Voter), From: uint64(m.From), To: uint64(m.To), Trimmed: uint64(m.Trimmed)}
	if len(m.Votes) == 0 {
		return p
	}
	p.Votes = newVotes(len(m.Votes))
	for i := range m.Votes {
		v := m.Votes[i].VoteInfo
		v.Bytes = uint32(len(m.Votes[i].Value))
		addVote(p.Votes, &v)
	}
	return p
}
