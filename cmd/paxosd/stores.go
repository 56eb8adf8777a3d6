package main

import (
	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/wal"
)

// voteStore joins wal.Votes to what an acceptor's service needs.
type voteStore struct {
	*wal.Votes
	measured func(wal.Space)
}

func (s voteStore) Scan(g paxos.GenesisID, from, to paxos.Slot, maxVotes, maxBytes int, values bool) ([]paxos.VoteValue, paxos.Slot, error) {
	return s.Votes.Scan(g, from, to, wal.Limit{Votes: maxVotes, Bytes: maxBytes, Values: values})
}

func (s voteStore) Full() (bool, error) {
	sp, err := s.Space()
	if err == nil {
		s.measured(sp)
	}
	return sp.Full, err
}

// restoredVotes turns what the store holds into what the core remembers.
func restoredVotes(logs []wal.VotesLog) []acceptor.Restored {
	rs := make([]acceptor.Restored, 0, len(logs))
	for _, l := range logs {
		rs = append(rs, acceptor.Restored{
			Log: l.Log, Genesis: l.Genesis, Record: l.Record, State: l.State, Epoch: l.Epoch,
			Promised: l.Promised, Trimmed: l.Trimmed, HighestVoted: l.HighestVoted,
		})
	}
	return rs
}

// chosenStore joins wal.Chosen to what a learner's service needs.
type chosenStore struct {
	*wal.Chosen
	measured func(wal.Space)
}

func (s chosenStore) Load() ([]node.StoredLog, error) {
	logs, err := s.Chosen.Load()
	if err != nil {
		return nil, err
	}
	out := make([]node.StoredLog, 0, len(logs))
	for i := range logs {
		l := &logs[i]
		st := node.StoredLog{
			Log: l.Log, Genesis: l.Genesis, Record: l.Record, State: l.State, Epoch: l.Epoch,
			Start: l.Start, Through: l.Through, Hash: l.Hash, Last: l.Last, Diverged: l.Diverged,
		}
		if l.Checkpoint != nil {
			st.Checkpoint = storedCheckpoint(l.Checkpoint)
		}
		if st.Marks, err = s.marks(l); err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// marks returns the slots of all checkpoints held, ascending.
func (s chosenStore) marks(l *wal.ChosenLog) ([]paxos.Slot, error) {
	var ms []paxos.Slot
	for at := l.Through; at > 0; {
		c, ok, err := s.Checkpoint(l.Genesis, at)
		if err != nil || !ok {
			reverse(ms)
			return ms, err
		}
		ms = append(ms, c.Slot)
		at = c.Slot - 1
	}
	reverse(ms)
	return ms, nil
}

func reverse(ms []paxos.Slot) {
	for i, j := 0, len(ms)-1; i < j; i, j = i+1, j-1 {
		ms[i], ms[j] = ms[j], ms[i]
	}
}

func storedCheckpoint(c *wal.Checkpoint) node.StoredCheckpoint {
	return node.StoredCheckpoint{Slot: c.Slot, Hash: c.Hash, Last: c.Last, State: c.State}
}

func (s chosenStore) Slots(g paxos.GenesisID, from, to paxos.Slot, maxBytes int, f func(node.StoredSlot) error) error {
	return s.Values(g, from, to, maxBytes, func(x *wal.Slot) error {
		return f(node.StoredSlot{Slot: x.Slot, Stamp: x.Stamp, First: x.First, Last: x.Last, Hash: x.Hash, Value: x.Value, Meta: x.Body})
	})
}

func (s chosenStore) OffsetSince(g paxos.GenesisID, stamp paxos.Stamp) (paxos.Offset, bool, error) {
	t, ok, err := s.SlotAt(g, stamp)
	if err != nil || !ok {
		return 0, false, err
	}
	x, ok, err := s.Slot(g, t)
	if err != nil || !ok {
		return 0, false, err
	}
	// A slot without entries has First = Last+1: the first offset after it, which is what is asked for.
	return x.First, true, nil
}

func (s chosenStore) HashAt(g paxos.GenesisID, t paxos.Slot) (paxos.Hash, bool, error) {
	return s.Hash(g, t)
}

func (s chosenStore) CheckpointAt(g paxos.GenesisID, t paxos.Slot) (node.StoredCheckpoint, error) {
	c, ok, err := s.Checkpoint(g, t)
	if err != nil || !ok {
		return node.StoredCheckpoint{}, err
	}
	return storedCheckpoint(&c), nil
}

func (s chosenStore) Full() (bool, error) {
	sp, err := s.Space()
	if err == nil {
		s.measured(sp)
	}
	return sp.Full, err
}

var (
	_ node.VoteStore   = voteStore{}
	_ node.ChosenStore = chosenStore{}
)
