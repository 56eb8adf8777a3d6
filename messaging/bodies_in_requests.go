package messaging

import (
	"github.com/paxosd/paxosd/messaging/pb"
	"github.com/paxosd/paxosd/paxos"
)

func (d *decoder) batch() paxos.Message {
	var p pb.Batch
	d.parse(&p)
	return &paxos.Batch{Ballot: d.ballot(p.GetBallot()), Batch: d.rest(), Explain: p.GetExplain()}
}

func (d *decoder) open() paxos.Message {
	var p pb.Open
	d.parse(&p)
	d.noTail()
	return &paxos.Open{Ballot: d.ballot(p.GetBallot()), Client: p.GetClient(), Token: p.GetToken()}
}

func (d *decoder) admin() paxos.Message {
	var p pb.Admin
	d.parse(&p)
	return &paxos.Admin{Ballot: d.ballot(p.GetBallot()), Command: d.rest()}
}

func (d *decoder) batchAnswer() paxos.Message {
	var p pb.BatchAnswer
	d.parse(&p)
	d.noTail()
	return &paxos.BatchAnswer{
		Code: paxos.Code(d.enum(p.GetCode(), "code")), Ballot: d.ballot(p.GetBallot()), Checksum: paxos.Checksum(p.GetChecksum()),
		First: paxos.Offset(p.GetFirst()), Count: p.GetCount(), Last: paxos.Offset(p.GetLast()), Number: p.GetNumber(),
		Session: paxos.SessionID{Slot: paxos.Slot(p.GetSession().GetSlot()), Place: p.GetSession().GetPlace()},
		Stamp:   paxos.Stamp(p.GetStamp()), Text: p.GetText(), Stages: stagesIn(p.GetStages()),
	}
}

// stagesIn reads where the time of an append went; nil where it was not asked for.
func stagesIn(p *pb.Stages) *paxos.Stages {
	if p == nil {
		return nil
	}
	return &paxos.Stages{
		Arrived: paxos.Stamp(p.GetArrived()), Queued: spanIn(p.GetQueued()), Voted: spanIn(p.GetVoted()), Synced: spanIn(p.GetSynced()),
		Fsync: spanIn(p.GetFsynced()), Answered: spanIn(p.GetAnswered()),
	}
}

func (d *decoder) ask() paxos.Message {
	var p pb.Ask
	d.parse(&p)
	d.noTail()
	return &paxos.Ask{Asker: p.GetAsker(), Run: p.GetRun(), PromiseOnly: p.GetPromiseOnly()}
}

func (d *decoder) askAnswer() paxos.Message {
	var p pb.AskAnswer
	d.parse(&p)
	d.noTail()
	return &paxos.AskAnswer{
		Voter: d.voter(p.GetVoter()), Promised: d.ballot(p.GetPromised()), Gone: paxos.GoneReason(d.enum(p.GetGone(), "reason")),
		Trimmed: paxos.Slot(p.GetTrimmed()), Clock: paxos.Stamp(p.GetClock()), State: paxos.LogState(d.enum(p.GetState(), "state")),
		Epoch: paxos.Epoch(p.GetEpoch()),
	}
}

func (d *decoder) live() paxos.Message {
	var p pb.Live
	d.parse(&p)
	d.noTail()
	return &paxos.Live{Ballot: d.ballot(p.GetBallot())}
}

func (d *decoder) liveAnswer() paxos.Message {
	var p pb.LiveAnswer
	d.parse(&p)
	d.noTail()
	return &paxos.LiveAnswer{
		Name: p.GetName(), Run: p.GetRun(), Ballot: d.ballot(p.GetBallot()), Phase: paxos.Phase(d.enum(p.GetPhase(), "phase")),
	}
}

func (d *decoder) ident() paxos.Message {
	var p pb.Ident
	d.parse(&p)
	d.noTail()
	return &paxos.Ident{
		Asker: p.GetAsker(), Role: paxos.Role(d.enum(p.GetRole(), "role")), Incarnation: d.incarnation(p.GetIncarnation()),
		Boot: p.GetBoot(), Run: p.GetRun(),
	}
}

func (d *decoder) identAnswer() paxos.Message {
	var p pb.IdentAnswer
	d.parse(&p)
	records := d.pieces(p.GetTail(), paxos.MaxIdentLogs)
	m := &paxos.IdentAnswer{
		Name: p.GetName(), Role: paxos.Role(d.enum(p.GetRole(), "role")), Cluster: p.GetCluster(),
		Incarnation: d.incarnation(p.GetIncarnation()), Boot: p.GetBoot(), Run: p.GetRun(), Written: p.GetWritten(),
		Version: p.GetVersion(), Clock: paxos.Stamp(p.GetClock()),
	}
	if d.err == nil && len(records) != len(p.GetLogs()) {
		d.fail(ErrMalformed, "%d logs with %d records", len(p.GetLogs()), len(records))
	}
	if d.err != nil {
		return m
	}
	for i, l := range p.GetLogs() {
		m.Logs = append(m.Logs, paxos.LogInfo{
			Log: l.GetLog(), Genesis: d.genesisID(l.GetGenesis()), State: paxos.LogState(d.enum(l.GetState(), "state")),
			Record: records[i], Leads: d.ballot(l.GetLeads()), Through: paxos.Slot(l.GetThrough()), Last: paxos.Offset(l.GetLast()),
		})
	}
	return m
}

func (d *decoder) beacons() paxos.Message {
	var p pb.Beacons
	d.parse(&p)
	d.noTail()
	return &paxos.Beacons{Run: p.GetRun()}
}

func (d *decoder) read() paxos.Message {
	var p pb.Read
	d.parse(&p)
	d.noTail()
	return &paxos.Read{
		Stream: p.GetStream(), From: paxos.Offset(p.GetFrom()), Credit: p.GetCredit(), MaxBytes: p.GetMaxBytes(),
		Since: paxos.Stamp(p.GetSince()), Stop: p.GetStop(),
	}
}

func (d *decoder) readAnswer() paxos.Message {
	var p pb.ReadAnswer
	d.parse(&p)
	frames := d.pieces(p.GetTail(), paxos.MaxReadBatches)
	m := &paxos.ReadAnswer{
		Learner: p.GetLearner(), Run: p.GetRun(), Stream: p.GetStream(), Number: p.GetNumber(),
		Code: paxos.ReadCode(d.enum(p.GetCode(), "code")), First: paxos.Offset(p.GetFirst()), Last: paxos.Offset(p.GetLast()),
		Slot: paxos.Slot(p.GetSlot()), Hash: d.hash(p.GetHash()),
	}
	n := len(frames)
	if d.err == nil && (n != len(p.GetFirsts()) || n != len(p.GetCounts()) || n != len(p.GetStamps())) {
		d.fail(ErrMalformed, "arrays of batches differ in length")
	}
	if d.err != nil || n == 0 {
		return m
	}
	m.Batches = make([]paxos.ReadBatch, n)
	for i := range m.Batches {
		m.Batches[i] = paxos.ReadBatch{
			First: paxos.Offset(p.Firsts[i]), Count: p.Counts[i], Stamp: paxos.Stamp(p.Stamps[i]), Frames: frames[i],
		}
	}
	return m
}

func (d *decoder) fetch() paxos.Message {
	var p pb.Fetch
	d.parse(&p)
	d.noTail()
	return &paxos.Fetch{
		What: paxos.FetchWhat(d.enum(p.GetWhat(), "what to fetch")), From: paxos.Slot(p.GetFrom()), To: paxos.Slot(p.GetTo()),
		MaxBytes: p.GetMaxBytes(),
	}
}

func (d *decoder) fetchAnswer() paxos.Message {
	var p pb.FetchAnswer
	d.parse(&p)
	values := d.pieces(p.GetTail(), paxos.MaxFetchValues)
	m := &paxos.FetchAnswer{
		Voter: d.voter(p.GetVoter()), From: paxos.Slot(p.GetFrom()), Before: d.hash(p.GetBefore()), After: d.hash(p.GetAfter()),
		Start: paxos.Slot(p.GetStart()), Through: paxos.Slot(p.GetThrough()), Known: p.GetKnown(),
	}
	for i, v := range values {
		m.Values = append(m.Values, paxos.ChosenValue{Slot: m.From + paxos.Slot(i), Value: v})
	}
	return m
}

func (d *decoder) votesAnswer() paxos.Message {
	var p pb.VotesAnswer
	d.parse(&p)
	votes := d.votes(p.GetVotes(), paxos.MaxFetchValues)
	values := d.pieces(p.GetVotes().GetLengths(), paxos.MaxFetchValues)
	m := &paxos.VotesAnswer{
		Voter: d.voter(p.GetVoter()), From: paxos.Slot(p.GetFrom()), To: paxos.Slot(p.GetTo()), Trimmed: paxos.Slot(p.GetTrimmed()),
	}
	if d.err != nil {
		return m
	}
	for i, v := range votes {
		if paxos.Sum(values[i]) != v.Checksum {
			d.fail(ErrChecksum, "of the value for slot %d", v.Slot)
			return m
		}
		m.Votes = append(m.Votes, paxos.VoteValue{VoteInfo: v, Value: values[i]})
	}
	return m
}

func (d *decoder) checkpoint() paxos.Message {
	var p pb.Checkpoint
	d.parse(&p)
	d.noTail()
	return &paxos.Checkpoint{Mark: paxos.Slot(p.GetMark()), Offset: p.GetOffset()}
}

func (d *decoder) checkpointAnswer() paxos.Message {
	var p pb.CheckpointAnswer
	d.parse(&p)
	const state, record = 0, 1
	pieces := d.pieces(p.GetTail(), 2)
	m := &paxos.CheckpointAnswer{
		Voter: d.voter(p.GetVoter()), Mark: paxos.Slot(p.GetMark()), Hash: d.hash(p.GetHash()), Total: p.GetTotal(),
		Offset: p.GetOffset(), Through: paxos.Slot(p.GetThrough()),
	}
	switch {
	case d.err != nil:
	case len(pieces) != 2:
		d.fail(ErrMalformed, "%d pieces in the tail, want the state and the record", len(pieces))
	default:
		m.State, m.Record = pieces[state], pieces[record]
	}
	return m
}
