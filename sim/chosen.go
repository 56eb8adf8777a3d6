package sim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// keptSlot is a chosen slot as a learner keeps it.
type keptSlot struct {
	genesis paxos.GenesisID
	ballot  paxos.Ballot
	applied sequencer.Applied
}

// keptMark is a checkpoint of a learner's store.
type keptMark struct {
	slot  paxos.Slot
	hash  paxos.Hash
	state []byte
}

// keptLog is what a learner's store holds of one log: slots [start, through], without a hole.
type keptLog struct {
	log      string
	genesis  paxos.GenesisID
	record   []byte
	state    paxos.LogState
	epoch    paxos.Epoch
	start    paxos.Slot // 0: not known yet
	slots    []keptSlot
	marks    []keptMark
	diverged string
}

func (l *keptLog) through() paxos.Slot { return max(l.start, 1) + paxos.Slot(len(l.slots)) - 1 }

func (l *keptLog) at(t paxos.Slot) *keptSlot {
	if t < l.start || t > l.through() || len(l.slots) == 0 {
		return nil
	}
	return &l.slots[t-l.start]
}

func (l *keptLog) apply(r *paxos.Record, k *keptSlot) {
	switch r.Kind {
	case paxos.RecordState:
		l.state, l.epoch = r.State, r.Epoch
		if len(r.Body) > 0 {
			l.record = bytes.Clone(r.Body)
		}
	case paxos.RecordChosen:
		if l.start == 0 {
			l.start = r.Slot
		}
		l.slots = append(l.slots, *k)
	case paxos.RecordCheckpoint:
		if l.start == 0 {
			l.start = r.Slot + 1
		}
		l.marks = append(l.marks, keptMark{r.Slot, r.Hash, r.Body})
	case paxos.RecordForget:
		l.marks = slices.DeleteFunc(slices.Clone(l.marks), func(m keptMark) bool { return m.slot < r.Slot })
	case paxos.RecordDiverged:
		l.diverged = r.Text
	default:
	}
}

// hashAt returns the running hash at a slot held, or at a checkpoint, or before the first slot.
func (l *keptLog) hashAt(g *paxos.Genesis, t paxos.Slot) (paxos.Hash, bool) {
	if t == 0 {
		return sequencer.New(g).Hash(), true
	}
	if k := l.at(t); k != nil {
		return k.applied.Hash, true
	}
	for i := range l.marks {
		if l.marks[i].slot == t {
			return l.marks[i].hash, true
		}
	}
	return paxos.Hash{}, false
}

// markAt returns the newest checkpoint at or below a slot.
func (l *keptLog) markAt(t paxos.Slot) *keptMark {
	for i := len(l.marks) - 1; i >= 0; i-- {
		if l.marks[i].slot <= t {
			return &l.marks[i]
		}
	}
	return nil
}

// restore rebuilds the sequencer from the newest checkpoint, or the genesis, by replaying what follows: what is damaged does not
// lead to its own hash.
func (l *keptLog) restore(g *paxos.Genesis) (*sequencer.Sequencer, error) {
	seq := sequencer.New(g)
	if n := len(l.marks); n > 0 {
		m := &l.marks[n-1]
		var err error
		if seq, err = sequencer.Restore(g, m.slot, m.hash, m.state); err != nil {
			return nil, fmt.Errorf("checkpoint at slot %d: %w", m.slot, err)
		}
	}
	for len(l.slots) > 0 && seq.Through() < l.through() {
		k := l.at(seq.Next())
		if k == nil {
			return nil, fmt.Errorf("slot %d is missing", seq.Next())
		}
		a, err := seq.Apply(seq.Next(), k.applied.Value)
		if err != nil {
			return nil, err
		}
		if a.Hash != k.applied.Hash {
			return nil, fmt.Errorf("slot %d has hash %s, stored %s", a.Slot, a.Hash, k.applied.Hash)
		}
	}
	return seq, nil
}

// chosenStore is a learner's store; memory and durable as in voteStore.
type chosenStore struct {
	incarnation paxos.Incarnation
	boot        uint64
	memory      []*keptLog // by genesis id
	durable     []*keptLog
	damage      string
}

func cloneKept(logs []*keptLog) []*keptLog {
	c := make([]*keptLog, len(logs))
	for i, l := range logs {
		k := *l
		k.slots, k.marks = slices.Clip(k.slots), slices.Clip(k.marks)
		c[i] = &k
	}
	return c
}

func (s *chosenStore) clone() *chosenStore {
	return &chosenStore{incarnation: s.incarnation, boot: s.boot, memory: cloneKept(s.durable), durable: cloneKept(s.durable), damage: s.damage}
}

func findKept(logs []*keptLog, g paxos.GenesisID) *keptLog {
	for _, l := range logs {
		if l.genesis == g {
			return l
		}
	}
	return nil
}

func ensureKept(logs *[]*keptLog, r *paxos.Record) *keptLog {
	if l := findKept(*logs, r.Genesis); l != nil {
		return l
	}
	l := &keptLog{log: r.Log, genesis: r.Genesis}
	*logs = append(*logs, l)
	slices.SortFunc(*logs, func(a, b *keptLog) int { return a.genesis.Compare(b.genesis) })
	return l
}

// write takes a group over into a copy of the store.
func writeKept(logs *[]*keptLog, records []paxos.Record, chosen []keptSlot) {
	for i := range records {
		r := &records[i]
		var k *keptSlot
		if r.Kind == paxos.RecordChosen {
			k, chosen = &chosen[0], chosen[1:]
		}
		ensureKept(logs, r).apply(r, k)
	}
}

// verify reads everything back and says what is damaged.
func (s *chosenStore) verify() string {
	for _, l := range s.durable {
		if l.state != paxos.LogLive {
			continue
		}
		g, err := value.DecodeGenesis(l.record)
		if err != nil {
			return err.Error()
		}
		if _, err := l.restore(g); err != nil {
			return err.Error()
		}
		for i := range l.slots {
			if a := &l.slots[i].applied; a.Hash.IsZero() {
				return "a slot has no hash"
			}
		}
	}
	return s.damage
}
