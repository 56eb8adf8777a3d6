package wal

import (
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

// Limit bounds a scan. At least one vote is returned if there is one.
type Limit struct {
	Votes  int  // 0: no bound
	Bytes  int  // of the values, read or not; 0: no bound
	Values bool // read the values too
}

// Vote returns the vote in a slot, with its value; ok is false where there is none.
func (v *Votes) Vote(g paxos.GenesisID, t paxos.Slot) (vote paxos.VoteValue, ok bool, err error) {
	votes, _, err := v.Scan(g, t, t, Limit{Values: true})
	if err != nil || len(votes) == 0 {
		return paxos.VoteValue{}, false, err
	}
	return votes[0], true, nil
}

// Scan returns the votes in [from, to], in slot order, up to the limit. They are all that there are in [from, through]; through
// is to unless the limit was reached. What it reads is one state of the store, between two groups. A read that fails or
// finds damage ends the process (PROTOCOL A8): no key is ever skipped.
func (v *Votes) Scan(g paxos.GenesisID, from, to paxos.Slot, limit Limit) (votes []paxos.VoteValue, through paxos.Slot, err error) {
	if err := v.broken(); err != nil {
		return nil, 0, err
	}
	if from > to {
		return nil, to, nil
	}
	votes, through, err = v.scan(g, from, to, limit)
	if err != nil {
		return nil, 0, v.readFailed(err)
	}
	return votes, through, nil
}

func (v *Votes) scan(g paxos.GenesisID, from, to paxos.Slot, limit Limit) (votes []paxos.VoteValue, through paxos.Slot, err error) {
	it, values, err := v.pair(kindVote, kindVoteValue, g, from, to, limit.Values)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, it.Close(), values.close()) }()
	if limit.Votes <= 0 {
		limit.Votes = math.MaxInt
	}
	if limit.Bytes <= 0 {
		limit.Bytes = math.MaxInt
	}
	var scratch []byte
	size := 0
	for it.First(); it.Valid(); it.Next() {
		var vote paxos.VoteValue
		err := readSlotRecord(it, &scratch, func(t paxos.Slot, r reader) (err error) {
			vote.VoteInfo, err = decodeVote(r, t)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		size += int(vote.Bytes)
		if len(votes) > 0 && (len(votes) >= limit.Votes || size > limit.Bytes) {
			return votes, vote.Slot - 1, nil
		}
		if vote.Value, err = values.at(vote.Slot, vote.Bytes, vote.Checksum); err != nil {
			return nil, 0, err
		}
		votes = append(votes, vote)
	}
	return votes, to, it.Error()
}

// pair opens iterators over the records and, if wanted, the values of a range, in one state of the store.
func (s *store) pair(records, values keyKind, g paxos.GenesisID, from, to paxos.Slot, want bool) (*pebble.Iterator, *valueReader, error) {
	it, err := s.slots(records, g, from, to)
	if err != nil || !want {
		return it, &valueReader{}, err
	}
	upper := appendAfterLog(nil, values, g)
	second, err := it.Clone(pebble.CloneOptions{IterOptions: &pebble.IterOptions{
		LowerBound: appendSlotKey(nil, values, g, from), UpperBound: upper,
	}})
	if err != nil {
		return nil, nil, errors.Join(err, it.Close())
	}
	return it, &valueReader{it: second, kind: values, g: g}, nil
}

// valueReader finds the value of each record, in ascending order. Without an iterator it finds nil.
type valueReader struct {
	it      *pebble.Iterator
	kind    keyKind
	g       paxos.GenesisID
	key     []byte
	started bool
}

func (r *valueReader) at(t paxos.Slot, n uint32, sum paxos.Checksum) ([]byte, error) {
	if r.it == nil {
		return nil, nil
	}
	r.key = appendSlotKey(r.key[:0], r.kind, r.g, t)
	if r.started {
		r.it.Next() // nearly always there
	}
	if !r.started || !r.it.Valid() || string(r.it.Key()) != string(r.key) {
		r.it.SeekGE(r.key)
	}
	r.started = true
	if err := r.it.Error(); err != nil {
		return nil, err
	}
	if !r.it.Valid() || string(r.it.Key()) != string(r.key) {
		return nil, corruptf("key %x: the value is not there", r.key)
	}
	v, err := r.it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return checkValue(r.key, v, n, sum)
}

func (r *valueReader) close() error {
	if r.it == nil {
		return nil
	}
	return r.it.Close()
}
