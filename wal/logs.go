package wal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

// errMisuse is a record that a store may not hold: a role that asks for it has lost its invariants.
var errMisuse = errors.New("record refused")

func misusef(r *paxos.Record, format string, args ...any) error {
	return fmt.Errorf("%w: log %q, kind %d, slot %d: %s", errMisuse, r.Log, r.Kind, r.Slot, fmt.Sprintf(format, args...))
}

// setState encodes a RecordState and returns what is then known of the log. old is what was known before, or nil.
func setState(b *pebble.Batch, w *writer, r *paxos.Record, old *logRecord) (logRecord, error) {
	l := logRecord{Log: r.Log, State: r.State, Epoch: r.Epoch, Genesis: r.Body}
	if old != nil {
		switch {
		case l.Log != old.Log:
			return l, misusef(r, "genesis %s is of log %q", r.Genesis, old.Log)
		case len(old.Genesis) > 0 && len(l.Genesis) > 0 && !bytes.Equal(l.Genesis, old.Genesis):
			return l, misusef(r, "another record for genesis %s", r.Genesis)
		case old.State == paxos.LogRetired && l.State != paxos.LogRetired, old.State == paxos.LogAborted && l.State != paxos.LogAborted,
			old.State == paxos.LogLive && l.State != paxos.LogLive && l.State != paxos.LogRetired:
			return l, misusef(r, "state %s cannot follow %s", l.State, old.State)
		case len(l.Genesis) == 0:
			l.Genesis = old.Genesis
		}
	}
	l.Genesis = bytes.Clone(l.Genesis)
	w.buf = appendLogKey(w.buf[:0], kindLog, r.Genesis)
	l.encode(w)
	key, rec := w.end()
	return l, b.Set(key, rec, nil)
}

// eachOfKind calls f with the genesis id and the record of each key of a kind that has one per log.
func (s *store) eachOfKind(kind keyKind, f func(g paxos.GenesisID, r reader) error) (err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{byte(kind)}, UpperBound: []byte{byte(kind) + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var scratch []byte
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		g, ok := genesisOfKey(it.Key())
		if !ok {
			return corruptf("key %x has a wrong length", it.Key())
		}
		if err := f(g, open(&scratch, it.Key(), v)); err != nil {
			return corruptf("key %x: %w", it.Key(), err)
		}
	}
	return it.Error()
}

// lastSlot returns the key and record of a log's last slot of a kind, for as long as the iterator is open.
func (s *store) lastSlot(kind keyKind, g paxos.GenesisID, f func(t paxos.Slot, r reader) error) (err error) {
	it, err := s.slots(kind, g, 0, paxos.MaxSlot)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return it.Error()
	}
	var scratch []byte
	return readSlotRecord(it, &scratch, f)
}

// slots returns an iterator over the keys of a kind and log in [from, to].
func (s *store) slots(kind keyKind, g paxos.GenesisID, from, to paxos.Slot) (*pebble.Iterator, error) {
	upper := appendAfterLog(nil, kind, g)
	if to < paxos.MaxSlot {
		upper = appendSlotKey(nil, kind, g, to+1)
	}
	return s.db.NewIter(&pebble.IterOptions{LowerBound: appendSlotKey(nil, kind, g, from), UpperBound: upper})
}

// readSlotRecord hands over the record that it stands on.
func readSlotRecord(it *pebble.Iterator, scratch *[]byte, f func(t paxos.Slot, r reader) error) error {
	v, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	t, ok := slotOfKey(it.Key())
	if !ok {
		return corruptf("key %x has a wrong length", it.Key())
	}
	if err := f(t, open(scratch, it.Key(), v)); err != nil {
		return corruptf("key %x: %w", it.Key(), err)
	}
	return nil
}

// checkValue returns a copy of a stored value, once its length and checksum are what its vote or slot says.
func checkValue(key, v []byte, bytesWant uint32, sum paxos.Checksum) ([]byte, error) {
	if uint64(len(v)) != uint64(bytesWant) {
		return nil, corruptf("key %x: value has %d bytes, not %d", key, len(v), bytesWant)
	}
	if got := paxos.Sum(v); got != sum {
		return nil, corruptf("key %x: value has checksum %016x, not %016x", key, uint64(got), uint64(sum))
	}
	if v == nil {
		v = []byte{}
	}
	return slices.Clone(v), nil
}

// sortedLogs returns the genesis ids of a map in order, so that what is made from it does not depend on the map.
func sortedLogs[T any](m map[paxos.GenesisID]T) []paxos.GenesisID {
	ids := make([]paxos.GenesisID, 0, len(m))
	for g := range m {
		ids = append(ids, g)
	}
	slices.SortFunc(ids, paxos.GenesisID.Compare)
	return ids
}
