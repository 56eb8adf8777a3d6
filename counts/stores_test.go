package counts

import (
	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/wal"
)

// votes and chosen join wal to node, as the binary does. What a store holds when its role starts is given: nothing, in a new cluster.
type votes struct{ *wal.Votes }

func (s votes) Scan(g paxos.GenesisID, from, to paxos.Slot, maxVotes, maxBytes int, values bool) ([]paxos.VoteValue, paxos.Slot, error) {
	return s.Votes.Scan(g, from, to, wal.Limit{Votes: maxVotes, Bytes: maxBytes, Values: values})
}

func (s votes) Full() (bool, error) { return false, nil }

type chosen struct {
	*wal.Chosen
	logs []node.StoredLog
}

func (s chosen) Load() ([]node.StoredLog, error) { return s.logs, nil }

func (s chosen) Slots(g paxos.GenesisID, from, to paxos.Slot, maxBytes int, f func(node.StoredSlot) error) error {
	return s.Values(g, from, to, maxBytes, func(x *wal.Slot) error {
		return f(node.StoredSlot{Slot: x.Slot, Stamp: x.Stamp, First: x.First, Last: x.Last, Hash: x.Hash, Value: x.Value, Meta: x.Body})
	})
}

func (s chosen) OffsetSince(g paxos.GenesisID, at paxos.Stamp) (paxos.Offset, bool, error) {
	t, ok, err := s.SlotAt(g, at)
	if err != nil || !ok {
		return 0, false, err
	}
	x, ok, err := s.Slot(g, t)
	return x.First, ok, err
}

func (s chosen) HashAt(g paxos.GenesisID, t paxos.Slot) (paxos.Hash, bool, error) {
	return s.Hash(g, t)
}

func (s chosen) CheckpointAt(g paxos.GenesisID, t paxos.Slot) (node.StoredCheckpoint, error) {
	c, ok, err := s.Checkpoint(g, t)
	if err != nil || !ok {
		return node.StoredCheckpoint{}, err
	}
	return node.StoredCheckpoint{Slot: c.Slot, Hash: c.Hash, Last: c.Last, State: c.State}, nil
}

func (s chosen) Full() (bool, error) { return false, nil }
