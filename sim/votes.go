package sim

import (
	"bytes"
	"maps"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
)

// voteLog is what an acceptor's store holds of one log.
type voteLog struct {
	log      string
	genesis  paxos.GenesisID
	record   []byte
	state    paxos.LogState
	epoch    paxos.Epoch
	promised paxos.Ballot
	trimmed  paxos.Slot
	highest  paxos.Slot
	votes    map[paxos.Slot]paxos.VoteValue
}

func (l *voteLog) clone() *voteLog {
	c := *l
	c.votes = maps.Clone(l.votes)
	return &c
}

// apply takes a record over. The checker has judged it.
func (l *voteLog) apply(r *paxos.Record) {
	switch r.Kind {
	case paxos.RecordState:
		l.state, l.epoch = r.State, r.Epoch
		if len(r.Body) > 0 {
			l.record = bytes.Clone(r.Body)
		}
	case paxos.RecordPromise:
		l.promised = r.Ballot
	case paxos.RecordVote:
		l.promised = r.Ballot
		l.highest = max(l.highest, r.Slot)
		l.votes[r.Slot] = paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: r.Slot, Ballot: r.Ballot, Checksum: r.Checksum, Bytes: uint32(len(r.Value))}, Value: r.Value,
		}
	case paxos.RecordTrim:
		for t := l.trimmed + 1; t <= r.Slot && t <= l.highest; t++ {
			delete(l.votes, t)
		}
		l.trimmed = r.Slot
	default:
	}
}

// voteStore is an acceptor's store.
//
//	I1  durable is what a crash leaves; memory is durable and what was submitted since.
type voteStore struct {
	incarnation paxos.Incarnation
	boot        uint64
	memory      []*voteLog // by genesis id
	durable     []*voteLog
	damage      string // what is wrong with the files; empty: nothing
}

func cloneLogs(logs []*voteLog) []*voteLog {
	c := make([]*voteLog, len(logs))
	for i, l := range logs {
		c[i] = l.clone()
	}
	return c
}

// clone copies what is durable, as copying the folder of a stopped process does.
func (s *voteStore) clone() *voteStore {
	return &voteStore{incarnation: s.incarnation, boot: s.boot, memory: cloneLogs(s.durable), durable: cloneLogs(s.durable), damage: s.damage}
}

func find(logs []*voteLog, g paxos.GenesisID) *voteLog {
	for _, l := range logs {
		if l.genesis == g {
			return l
		}
	}
	return nil
}

// ensure returns the log, new where nothing is held of it.
func ensure(logs *[]*voteLog, r *paxos.Record) *voteLog {
	if l := find(*logs, r.Genesis); l != nil {
		return l
	}
	l := &voteLog{log: r.Log, genesis: r.Genesis, votes: map[paxos.Slot]paxos.VoteValue{}}
	*logs = append(*logs, l)
	slices.SortFunc(*logs, func(a, b *voteLog) int { return a.genesis.Compare(b.genesis) })
	return l
}

// restored says what the store holds, as a starting acceptor takes it.
func (s *voteStore) restored() []acceptor.Restored {
	var all []acceptor.Restored
	for _, l := range s.durable {
		all = append(all, acceptor.Restored{
			Log: l.log, Genesis: l.genesis, Record: l.record, State: l.state, Epoch: l.epoch,
			Promised: l.promised, Trimmed: l.trimmed, HighestVoted: l.highest,
		})
	}
	return all
}

// verify reads everything back, as opening a store does, and says what is damaged.
func (s *voteStore) verify() string {
	for _, l := range s.durable {
		for t := l.trimmed + 1; t <= l.highest; t++ {
			if v, ok := l.votes[t]; ok && paxos.Sum(v.Value) != v.Checksum {
				return "the value voted for in slot " + decimal(t) + " does not fit its checksum"
			}
		}
	}
	return s.damage
}

// scan answers a read of the core from memory, with so many votes at most.
func (s *voteStore) scan(r *acceptor.Read, most int) *acceptor.ReadResult {
	res := &acceptor.ReadResult{Number: r.Number, From: r.From, To: r.To}
	l := find(s.memory, r.Genesis)
	if l == nil {
		return res
	}
	size := 0
	for t := max(r.From, l.trimmed+1); t <= r.To && t <= l.highest; t++ {
		v, ok := l.votes[t]
		if !ok {
			continue
		}
		if len(res.Votes) >= min(r.MaxVotes, most) || r.Values && len(res.Votes) > 0 && size+len(v.Value) > r.MaxBytes {
			res.To = t - 1
			break
		}
		size += len(v.Value)
		if !r.Values {
			v.Value = nil
		}
		res.Votes = append(res.Votes, v)
	}
	return res
}
