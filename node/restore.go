package node

import (
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// ErrRestore says that what a learner's store holds does not add up: replaying its values does not lead to its own hash.
var ErrRestore = errors.New("the stored log contradicts itself")

// replayBytes is how much of the store one step of a replay reads.
const replayBytes = 8 << 20

// restore rebuilds the sequencer of a stored log: from its newest checkpoint, or its genesis, by replaying what follows.
// Checkpoints lie at most a mark's distance apart, so that it takes a moment, however long the log is. The genesis is returned
// beside an error, too, once it is known.
func restore(store ChosenStore, l *StoredLog) (*paxos.Genesis, *sequencer.Sequencer, error) {
	g, err := value.DecodeGenesis(l.Record)
	if err != nil {
		return nil, nil, fmt.Errorf("restore log %q: genesis record: %w", l.Log, err)
	}
	seq := sequencer.New(g)
	if c := &l.Checkpoint; c.Slot > 0 {
		if seq, err = sequencer.Restore(g, c.Slot, c.Hash, c.State); err != nil {
			return g, nil, fmt.Errorf("restore log %q from its checkpoint at slot %d: %w", l.Log, c.Slot, err)
		}
	}
	for seq.Through() < l.Through {
		before := seq.Through()
		err := store.Slots(l.Genesis, seq.Next(), l.Through, replayBytes, func(s StoredSlot) error {
			if s.Slot != seq.Next() {
				return fmt.Errorf("slot %d is missing: %w", seq.Next(), ErrRestore)
			}
			a, err := seq.Apply(s.Slot, s.Value)
			if err != nil {
				return err
			}
			if a.Hash != s.Hash {
				return fmt.Errorf("slot %d: hash %s, stored %s: %w", s.Slot, a.Hash, s.Hash, ErrRestore)
			}
			return nil
		})
		if err != nil {
			return g, nil, fmt.Errorf("replay log %q: %w", l.Log, err)
		}
		if seq.Through() == before {
			return nil, nil, fmt.Errorf("replay log %q: slot %d is missing: %w", l.Log, seq.Next(), ErrRestore)
		}
	}
	return g, seq, nil
}
