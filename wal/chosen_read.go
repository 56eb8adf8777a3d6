package wal

import (
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

// Reads of Chosen. Any number may run at once and beside Submit. A read that fails or finds damage ends the process
// (PROTOCOL A8): no slot is ever skipped.

// Values calls f for each slot held in [from, to], in order, with its value, until maxBytes of values have been passed (0: no
// bound; at least one slot is) or f returns an error, which Values returns. Slots below Start and above Through are not
// held: f is not called for them. The slot and what it points to are f's to keep, but for Body, which is valid during the call.
func (c *Chosen) Values(g paxos.GenesisID, from, to paxos.Slot, maxBytes int, f func(s *Slot) error) error {
	return c.each(g, from, to, maxBytes, true, f)
}

// Slots is Values without the values.
func (c *Chosen) Slots(g paxos.GenesisID, from, to paxos.Slot, f func(s *Slot) error) error {
	return c.each(g, from, to, 0, false, f)
}

// stopped is an error of a caller's function on its way out: it is not the store's.
type stopped struct{ error }

func (c *Chosen) each(g paxos.GenesisID, from, to paxos.Slot, maxBytes int, values bool, f func(s *Slot) error) error {
	if err := c.broken(); err != nil || from > to {
		return err
	}
	err := c.scan(g, from, to, maxBytes, values, f)
	var stop stopped
	if errors.As(err, &stop) {
		return stop.error
	}
	if err != nil {
		return c.readFailed(err)
	}
	return nil
}

func (c *Chosen) scan(g paxos.GenesisID, from, to paxos.Slot, maxBytes int, want bool, f func(s *Slot) error) (err error) {
	it, values, err := c.pair(kindSlot, kindSlotValue, g, from, to, want)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close(), values.close()) }()
	if maxBytes <= 0 {
		maxBytes = math.MaxInt
	}
	var scratch []byte
	var next paxos.Slot
	size := 0
	for it.First(); it.Valid(); it.Next() {
		s := &Slot{}
		if err := readSlotRecord(it, &scratch, func(t paxos.Slot, r reader) error { return s.decode(r, t) }); err != nil {
			return err
		}
		if next != 0 && s.Slot != next {
			return corruptf("key %x: slots %d to %d are not there", it.Key(), next, s.Slot-1)
		}
		next = s.Slot + 1
		if size += int(s.Bytes); size > maxBytes && size > int(s.Bytes) {
			return nil
		}
		if s.Value, err = values.at(s.Slot, s.Bytes, s.Checksum); err != nil {
			return err
		}
		if err := f(s); err != nil {
			return stopped{err}
		}
	}
	return it.Error()
}

// Slot returns a slot without its value; ok is false if it is not held. Body is the caller's.
func (c *Chosen) Slot(g paxos.GenesisID, t paxos.Slot) (s Slot, ok bool, err error) {
	err = c.Slots(g, t, t, func(found *Slot) error {
		s, ok = *found, true
		s.Body = append([]byte(nil), s.Body...)
		return nil
	})
	return s, ok, err
}

// Hash returns the running hash at a slot; ok is false if it is known neither from the slot nor from a checkpoint.
func (c *Chosen) Hash(g paxos.GenesisID, t paxos.Slot) (h paxos.Hash, ok bool, err error) {
	s, ok, err := c.Slot(g, t)
	if ok || err != nil {
		return s.Hash, ok, err
	}
	cp, ok, err := c.Checkpoint(g, t)
	if err != nil || !ok || cp.Slot != t {
		return paxos.Hash{}, false, err
	}
	return cp.Hash, true, nil
}

// SlotOf returns the slot that holds an offset; ok is false if none held does.
func (c *Chosen) SlotOf(g paxos.GenesisID, at paxos.Offset) (t paxos.Slot, ok bool, err error) {
	s, ok, err := c.search(g, func(s *Slot) bool { return s.Last >= at })
	if err != nil || !ok || at < s.First {
		return 0, false, err
	}
	return s.Slot, true, nil
}

// SlotAt returns the first slot held whose stamp is at or after a point in time; ok is false if there is none yet.
func (c *Chosen) SlotAt(g paxos.GenesisID, stamp paxos.Stamp) (t paxos.Slot, ok bool, err error) {
	s, ok, err := c.search(g, func(s *Slot) bool { return s.Stamp >= stamp })
	return s.Slot, ok, err
}

// search finds the first slot held for which reached is true, as it then is for all after it. Slots are dense and their records
// small and apart from the values, so a binary search over them costs some twenty point reads and no index.
func (c *Chosen) search(g paxos.GenesisID, reached func(*Slot) bool) (s Slot, ok bool, err error) {
	if err := c.broken(); err != nil {
		return Slot{}, false, err
	}
	s, ok, err = c.bisect(g, reached)
	if err != nil {
		return Slot{}, false, c.readFailed(err)
	}
	return s, ok, nil
}

func (c *Chosen) bisect(g paxos.GenesisID, reached func(*Slot) bool) (s Slot, ok bool, err error) {
	it, err := c.slots(kindSlot, g, 0, paxos.MaxSlot)
	if err != nil {
		return Slot{}, false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var scratch []byte
	at := func() error {
		return readSlotRecord(it, &scratch, func(t paxos.Slot, r reader) error { return s.decode(r, t) })
	}
	if !it.First() {
		return Slot{}, false, it.Error()
	}
	if err := at(); err != nil {
		return Slot{}, false, err
	}
	low := s.Slot // the first that may be
	if !it.Last() {
		return Slot{}, false, it.Error()
	}
	if err := at(); err != nil {
		return Slot{}, false, err
	}
	if !reached(&s) {
		return Slot{}, false, nil
	}
	high := s.Slot // reached
	for low < high {
		middle := low + (high-low)/2
		if s, err = exactly(it, g, middle); err != nil {
			return Slot{}, false, err
		}
		if reached(&s) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	s, err = exactly(it, g, low)
	return s, err == nil, err
}

// exactly reads one slot that must be there. Body is the caller's.
func exactly(it *pebble.Iterator, g paxos.GenesisID, t paxos.Slot) (s Slot, err error) {
	key := appendSlotKey(nil, kindSlot, g, t)
	if !it.SeekGE(key) || string(it.Key()) != string(key) {
		if err := it.Error(); err != nil {
			return Slot{}, err
		}
		return Slot{}, corruptf("key %x: the slot is not there", key)
	}
	var scratch []byte
	err = readSlotRecord(it, &scratch, func(t paxos.Slot, r reader) error { return s.decode(r, t) })
	s.Body = append([]byte(nil), s.Body...)
	return s, err
}

// firstSlot returns the first slot held, or 0.
func (c *Chosen) firstSlot(g paxos.GenesisID) (first paxos.Slot, err error) {
	it, err := c.slots(kindSlot, g, 0, paxos.MaxSlot)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.First() {
		return 0, it.Error()
	}
	first, ok := slotOfKey(it.Key())
	if !ok {
		return 0, corruptf("key %x has a wrong length", it.Key())
	}
	return first, it.Error()
}

// Checkpoint returns the newest checkpoint at or below a slot; ok is false where there is none.
func (c *Chosen) Checkpoint(g paxos.GenesisID, atOrBelow paxos.Slot) (cp Checkpoint, ok bool, err error) {
	if err := c.broken(); err != nil {
		return Checkpoint{}, false, err
	}
	cp, ok, err = c.newestCheckpoint(g, atOrBelow)
	if err != nil {
		return Checkpoint{}, false, c.readFailed(err)
	}
	return cp, ok, nil
}

// newestCheckpoint looks also where an older build kept them. Those may be the newer ones, if such a build was at work in between.
func (c *Chosen) newestCheckpoint(g paxos.GenesisID, atOrBelow paxos.Slot) (newest Checkpoint, found bool, err error) {
	for _, kind := range []keyKind{kindCheckpoint, kindOldCheckpoint} {
		cp, ok, err := c.newestOfKind(kind, g, atOrBelow)
		if err != nil {
			return Checkpoint{}, false, err
		}
		if ok && (!found || cp.Slot > newest.Slot) {
			newest, found = cp, true
		}
	}
	return newest, found, nil
}

func (c *Chosen) newestOfKind(kind keyKind, g paxos.GenesisID, atOrBelow paxos.Slot) (cp Checkpoint, ok bool, err error) {
	it, err := c.slots(kind, g, 0, atOrBelow)
	if err != nil {
		return Checkpoint{}, false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if !it.Last() {
		return Checkpoint{}, false, it.Error()
	}
	var scratch []byte
	err = readSlotRecord(it, &scratch, func(t paxos.Slot, r reader) error { return cp.decode(r, t) })
	return cp, err == nil, err
}
