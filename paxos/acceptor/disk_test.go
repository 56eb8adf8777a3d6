package acceptor

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// disk is a slow and obvious acceptor's store.
type disk struct {
	logs map[paxos.GenesisID]*diskLog
}

type diskLog struct {
	log      string
	record   []byte
	state    paxos.LogState
	epoch    paxos.Epoch
	promised paxos.Ballot
	trimmed  paxos.Slot
	votes    map[paxos.Slot]paxos.VoteValue
}

func newDisk() *disk { return &disk{logs: map[paxos.GenesisID]*diskLog{}} }

func (d *disk) clone() *disk {
	n := newDisk()
	for id, l := range d.logs {
		c := *l
		c.votes = maps.Clone(l.votes)
		n.logs[id] = &c
	}
	return n
}

// apply does what the record says, and fails where it breaks an invariant of STYLE.md: the promise decreases (I1), a vote moves
// to a lower ballot or above the promise (I2), a vote lands at or below T (I3).
func (d *disk) apply(r *paxos.Record) error {
	l := d.logs[r.Genesis]
	if l == nil {
		l = &diskLog{log: r.Log, votes: map[paxos.Slot]paxos.VoteValue{}}
		d.logs[r.Genesis] = l
	}
	switch r.Kind {
	case paxos.RecordState:
		l.state, l.epoch = r.State, r.Epoch
		if r.Body != nil {
			l.record = bytes.Clone(r.Body)
		}
	case paxos.RecordPromise:
		if !l.promised.Less(r.Ballot) {
			return fmt.Errorf("promise moves from %s to %s", l.promised, r.Ballot)
		}
		l.promised = r.Ballot
	case paxos.RecordVote:
		old, voted := l.votes[r.Slot]
		switch {
		case r.Ballot.Less(l.promised):
			return fmt.Errorf("vote at %s below the promise %s", r.Ballot, l.promised)
		case r.Slot <= l.trimmed:
			return fmt.Errorf("vote in slot %d, trimmed through %d", r.Slot, l.trimmed)
		case voted && !old.Ballot.Less(r.Ballot):
			return fmt.Errorf("vote in slot %d moves from %s to %s", r.Slot, old.Ballot, r.Ballot)
		}
		l.promised = r.Ballot
		l.votes[r.Slot] = paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: r.Slot, Ballot: r.Ballot, Checksum: r.Checksum, Bytes: uint32(len(r.Value))},
			Value:    bytes.Clone(r.Value),
		}
	case paxos.RecordTrim:
		if r.Slot <= l.trimmed {
			return fmt.Errorf("trim mark moves from %d to %d", l.trimmed, r.Slot)
		}
		l.trimmed = r.Slot
		maps.DeleteFunc(l.votes, func(t paxos.Slot, _ paxos.VoteValue) bool { return t <= r.Slot })
	default:
		return fmt.Errorf("record of kind %d", r.Kind)
	}
	return nil
}

// scan answers a read as package wal does: whole votes in order, within the limits.
func (d *disk) scan(r *Read) *ReadResult {
	res := &ReadResult{Number: r.Number, From: r.From, To: r.To}
	size := 0
	for _, v := range d.logs[r.Genesis].between(r.From, r.To) {
		if !r.Values {
			v.Value = nil
		}
		if len(res.Votes) == r.MaxVotes || (r.Values && len(res.Votes) > 0 && size+len(v.Value) > r.MaxBytes) {
			res.To = v.Slot - 1
			return res
		}
		size += len(v.Value)
		res.Votes = append(res.Votes, v)
	}
	return res
}

// between returns the votes in [from, to], in order.
func (l *diskLog) between(from, to paxos.Slot) []paxos.VoteValue {
	var vs []paxos.VoteValue
	for t, v := range l.votes {
		if from <= t && t <= to {
			vs = append(vs, v)
		}
	}
	slices.SortFunc(vs, func(a, b paxos.VoteValue) int { return cmp.Compare(a.Slot, b.Slot) })
	return vs
}

// restored is what an acceptor is started on.
func (d *disk) restored() []Restored {
	var rs []Restored
	for id, l := range d.logs {
		r := Restored{
			Log: l.log, Genesis: id, Record: l.record, State: l.state, Epoch: l.epoch, Promised: l.promised, Trimmed: l.trimmed,
		}
		for t := range l.votes {
			r.HighestVoted = max(r.HighestVoted, t)
		}
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b Restored) int { return a.Genesis.Compare(b.Genesis) })
	return rs
}
