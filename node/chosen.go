package node

import (
	"github.com/paxosd/paxosd/paxos"
)

// StoredSlot is a chosen slot as a learner's store holds it.
type StoredSlot struct {
	Slot  paxos.Slot
	Stamp paxos.Stamp
	First paxos.Offset // first offset of its entries; Last+1 where it has none
	Last  paxos.Offset // last offset of the log after it
	Hash  paxos.Hash
	Value []byte // as it travelled
	Meta  []byte // which items were appended
}

// StoredCheckpoint is the sequencer's state after a mark.
type StoredCheckpoint struct {
	Slot  paxos.Slot // the mark; 0: none
	Hash  paxos.Hash
	Last  paxos.Offset
	State []byte
}

// StoredLog is what a learner's store holds of one log when the process starts.
type StoredLog struct {
	Log        string
	Genesis    paxos.GenesisID
	Record     []byte
	State      paxos.LogState
	Epoch      paxos.Epoch
	Start      paxos.Slot // first slot held; Through+1 where none is
	Through    paxos.Slot // last slot held, without a gap from Start
	Hash       paxos.Hash // running hash at Through
	Last       paxos.Offset
	Checkpoint StoredCheckpoint // the newest
	Marks      []paxos.Slot     // of all checkpoints held, ascending
	Diverged   string           // why this copy is never served again; empty: it is sound
}

// ChosenStore is what a learner needs of its store. Reads may run beside Submit, from any goroutine; an error of a read means
// that the store is damaged and that the process must end.
type ChosenStore interface {
	Committer
	Load() ([]StoredLog, error)
	// Slots calls f with each slot held in [from, to], in order, until maxBytes of values were read; at least one if there is one.
	// The slices belong to f.
	Slots(genesis paxos.GenesisID, from, to paxos.Slot, maxBytes int, f func(StoredSlot) error) error
	// SlotOf returns the slot that holds an offset; ok is false if none here does.
	SlotOf(genesis paxos.GenesisID, o paxos.Offset) (t paxos.Slot, ok bool, err error)
	// OffsetSince returns the first offset held whose stamp is at or after s; ok is false if there is none.
	OffsetSince(genesis paxos.GenesisID, s paxos.Stamp) (o paxos.Offset, ok bool, err error)
	// HashAt returns the running hash at a slot held, or at a checkpoint.
	HashAt(genesis paxos.GenesisID, t paxos.Slot) (h paxos.Hash, ok bool, err error)
	// CheckpointAt returns the newest checkpoint at or below t; Slot is 0 if there is none.
	CheckpointAt(genesis paxos.GenesisID, t paxos.Slot) (StoredCheckpoint, error)
	Full() (bool, error)
}
