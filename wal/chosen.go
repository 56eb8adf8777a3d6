package wal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

// Chosen is a learner's store: per log the chosen values in slot order, with what the sequencer said of each, and checkpoints of
// the sequencer's state.
//
//	I1  Slots are stored in order, without a gap, from the first one after genesis or after the checkpoint that the
//	    log was begun from.
//	I2  A stored slot is never written again (PROTOCOL L5).
//	I3  Last offsets, stamps and slots ascend together: searches rely on it.
//
// A record that would break one is refused and ends the process. Readers may run beside Submit; they see what was submitted
// as soon as the engine has it, which may be before it is durable: streams may do that, reports may not (PROTOCOL N7).
type Chosen struct {
	*store
	logs map[paxos.GenesisID]*chosenState // guarded by store.mu
	key  []byte                           // scratch of encode
	rec  writer                           // scratch of encode
}

// chosenState is what encode must know of a log.
type chosenState struct {
	logRecord
	start      paxos.Slot // first slot that is or will be stored
	through    paxos.Slot // last slot stored; start-1: none
	last       paxos.Offset
	stamp      paxos.Stamp
	hash       paxos.Hash
	checkpoint paxos.Slot // newest; 0: none
	diverged   string
}

// ChosenLog is what the store holds of a log when it opens.
type ChosenLog struct {
	Log        string
	Genesis    paxos.GenesisID
	Record     []byte // the genesis record
	State      paxos.LogState
	Epoch      paxos.Epoch
	Start      paxos.Slot   // first slot held: 1, or the slot after the checkpoint that it was begun from
	Through    paxos.Slot   // last slot held; Start-1: none
	Last       paxos.Offset // last offset at Through
	Stamp      paxos.Stamp  // at Through
	Hash       paxos.Hash   // running hash at Through; zero where nothing is held and the log begins at genesis
	Checkpoint *Checkpoint  // the newest one; nil: none
	Diverged   string       // not empty: this copy contradicts the log; never serve it (PROTOCOL L5)
}

// OpenChosen opens the learner's store in dir, or creates it where dir is empty. Errors are those of OpenVotes.
func OpenChosen(dir string, want Want, opts Options) (*Chosen, error) {
	s, err := openStore(dir, want, paxos.RoleLearner, opts)
	if err != nil {
		return nil, err
	}
	c := &Chosen{store: s, logs: map[paxos.GenesisID]*chosenState{}}
	if err := s.finishOpen(c.load); err != nil {
		return nil, err
	}
	s.start(c.encode)
	return c, nil
}

// Load returns what is held of each log, in the order of genesis ids. Errors are those of a read.
func (c *Chosen) Load() ([]ChosenLog, error) {
	c.mu.Lock()
	out := make([]ChosenLog, 0, len(c.logs))
	for _, g := range sortedLogs(c.logs) {
		l := c.logs[g]
		out = append(out, ChosenLog{
			Log: l.Log, Genesis: g, Record: l.Genesis, State: l.State, Epoch: l.Epoch,
			Start: l.start, Through: l.through, Last: l.last, Stamp: l.stamp, Hash: l.hash, Diverged: l.diverged,
		})
	}
	c.mu.Unlock()
	for i := range out {
		cp, ok, err := c.Checkpoint(out[i].Genesis, paxos.MaxSlot)
		if err != nil {
			return nil, err
		}
		if ok {
			out[i].Checkpoint = &cp
		}
	}
	return out, nil
}

func (c *Chosen) load() error {
	err := c.eachOfKind(kindLog, func(g paxos.GenesisID, r reader) error {
		l := &chosenState{start: 1}
		c.logs[g] = l
		return l.decode(r)
	})
	if err != nil {
		return err
	}
	err = c.eachOfKind(kindDiverged, func(g paxos.GenesisID, r reader) (err error) {
		l, ok := c.logs[g]
		if !ok {
			return errStray
		}
		l.diverged, err = decodeText(r)
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range sortedLogs(c.logs) {
		if err := c.loadSlots(g, c.logs[g]); err != nil {
			return err
		}
	}
	return nil
}

// loadSlots finds the first and last slot held, and the newest checkpoint.
func (c *Chosen) loadSlots(g paxos.GenesisID, l *chosenState) error {
	cp, ok, err := c.newestCheckpoint(g, paxos.MaxSlot)
	if err != nil {
		return err
	}
	if ok {
		l.checkpoint = cp.Slot
		l.start, l.through = cp.Slot+1, cp.Slot
		l.last, l.stamp, l.hash = cp.Last, cp.Stamp, cp.Hash
	}
	first, err := c.firstSlot(g)
	if err != nil || first == 0 {
		return err
	}
	l.start = first
	return c.lastSlot(kindSlot, g, func(t paxos.Slot, r reader) error {
		var s Slot
		if err := s.decode(r, t); err != nil {
			return err
		}
		if t < l.checkpoint {
			return fmt.Errorf("last slot is %d, but there is a checkpoint at %d", t, l.checkpoint)
		}
		l.through, l.last, l.stamp, l.hash = t, s.Last, s.Stamp, s.Hash
		return nil
	})
}

// encode adds one record to a group. It runs under store.mu.
func (c *Chosen) encode(b *pebble.Batch, r *paxos.Record) error {
	l, known := c.logs[r.Genesis]
	if r.Kind == paxos.RecordState {
		var old *logRecord
		if known {
			old = &l.logRecord
		} else {
			l = &chosenState{start: 1}
		}
		next, err := setState(b, &c.rec, r, old)
		l.logRecord = next
		c.logs[r.Genesis] = l
		return err
	}
	if !known {
		return misusef(r, "the log has no state")
	}
	switch r.Kind {
	case paxos.RecordChosen:
		return c.encodeChosen(b, r, l)
	case paxos.RecordCheckpoint:
		return c.encodeCheckpoint(b, r, l)
	case paxos.RecordForget:
		return c.encodeForget(b, r, l)
	case paxos.RecordDiverged:
		return c.encodeDiverged(b, r, l)
	case paxos.RecordState, paxos.RecordPromise, paxos.RecordVote, paxos.RecordTrim:
	}
	return misusef(r, "not of a learner")
}

func (c *Chosen) encodeChosen(b *pebble.Batch, r *paxos.Record, l *chosenState) error {
	sum := paxos.Sum(r.Value)
	switch {
	case r.Slot != l.through+1:
		return misusef(r, "the next slot is %d", l.through+1)
	case r.Checksum != 0 && r.Checksum != sum:
		return misusef(r, "value has checksum %016x, not %016x", uint64(sum), uint64(r.Checksum))
	case r.First != l.last+1 || r.Last < l.last:
		return misusef(r, "offsets %d to %d cannot follow %d", r.First, r.Last, l.last)
	case r.Stamp < l.stamp:
		return misusef(r, "stamp %d is before %d", r.Stamp, l.stamp)
	}
	s := Slot{
		Ballot: r.Ballot, Stamp: r.Stamp, First: r.First, Last: r.Last, Hash: r.Hash,
		Checksum: sum, Bytes: uint32(len(r.Value)), Body: r.Body,
	}
	c.rec.buf = appendSlotKey(c.rec.buf[:0], kindSlot, r.Genesis, r.Slot)
	s.encode(&c.rec)
	key, rec := c.rec.end()
	if err := b.Set(key, rec, nil); err != nil {
		return err
	}
	l.through, l.last, l.stamp, l.hash = r.Slot, r.Last, r.Stamp, r.Hash
	c.key = appendSlotKey(c.key[:0], kindSlotValue, r.Genesis, r.Slot)
	return b.Set(c.key, r.Value, nil)
}

// encodeCheckpoint takes a mark at or below what is held; where nothing is held yet, the log begins after it.
func (c *Chosen) encodeCheckpoint(b *pebble.Batch, r *paxos.Record, l *chosenState) error {
	begins := l.through < l.start && l.checkpoint == 0
	switch {
	case r.Slot == 0 || r.Slot == paxos.MaxSlot:
		return misusef(r, "no mark")
	case !begins && r.Slot > l.through:
		return misusef(r, "mark is above slot %d, the last one held", l.through)
	case r.Slot == l.through && !begins && r.Hash != l.hash:
		return misusef(r, "hash %s is not that of the slot, %s", r.Hash, l.hash)
	}
	if begins {
		l.start, l.through = r.Slot+1, r.Slot
		l.last, l.stamp, l.hash = r.Last, r.Stamp, r.Hash
	}
	l.checkpoint = max(l.checkpoint, r.Slot)
	cp := Checkpoint{Hash: r.Hash, Last: r.Last, Stamp: r.Stamp, State: r.Body}
	c.rec.buf = appendSlotKey(c.rec.buf[:0], kindCheckpoint, r.Genesis, r.Slot)
	cp.encode(&c.rec)
	key, rec := c.rec.end()
	return b.Set(key, rec, nil)
}

// encodeForget drops checkpoints below a slot, never the newest one: a log that was begun from it may hold nothing else.
func (c *Chosen) encodeForget(b *pebble.Batch, r *paxos.Record, l *chosenState) error {
	if r.Slot > l.checkpoint {
		return misusef(r, "the newest checkpoint is at %d", l.checkpoint)
	}
	c.key = appendSlotKey(c.key[:0], kindCheckpoint, r.Genesis, 0)
	c.rec.buf = appendSlotKey(c.rec.buf[:0], kindCheckpoint, r.Genesis, r.Slot)
	return b.DeleteRange(c.key, c.rec.buf, nil)
}

func (c *Chosen) encodeDiverged(b *pebble.Batch, r *paxos.Record, l *chosenState) error {
	if r.Text == "" {
		return misusef(r, "no text")
	}
	l.diverged = r.Text
	c.rec.buf = appendLogKey(c.rec.buf[:0], kindDiverged, r.Genesis)
	encodeText(&c.rec, r.Text)
	key, rec := c.rec.end()
	return b.Set(key, rec, nil)
}
