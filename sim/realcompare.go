package sim

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/wal"
)

// begin opens the store of a process that starts, and holds what is in it against the model. It returns what is damaged.
func (s *realStore) begin() (damage string) {
	fresh := s.written == 0
	if damage = s.open(); damage != "" {
		return damage
	}
	if fresh {
		s.write(s.states()) // logs that were there before the simulation began
	}
	var differ error
	err, fatal := s.guarded(func() error {
		var err error
		if s.votes != nil {
			differ, err = s.compareVotes()
		} else {
			differ, err = s.compareChosen()
		}
		return err
	})
	if err = errors.Join(err, fatal); err != nil {
		if s.harmed != "" && errors.Is(err, wal.ErrCorrupt) {
			s.votes, s.chosen = nil, nil
			s.p.w.count("real store: damage found by a read")
			return err.Error()
		}
		s.p.w.fail(CheckDurableAck, "%s reads its own store (%s): %v", s.p.name, s.harmed, err)
	}
	if differ != nil && s.harmed != "" {
		s.p.w.fail(CheckDamagedSilent, "%s starts from a damaged store (%s) as if nothing was: %v", s.p.name, s.harmed, differ)
	}
	if differ != nil {
		s.p.w.fail(CheckDurableAck, "%s finds something else than what it wrote: %v", s.p.name, differ)
	}
	return ""
}

// states are the records of what the model holds from the start.
func (s *realStore) states() (records []paxos.Record) {
	if s.p.votes != nil {
		for _, l := range s.p.votes.durable {
			records = append(records, paxos.Record{
				Kind: paxos.RecordState, Log: l.log, Genesis: l.genesis, State: l.state, Epoch: l.epoch, Body: l.record,
			})
		}
		return records
	}
	for _, l := range s.p.chosen.durable {
		records = append(records, paxos.Record{
			Kind: paxos.RecordState, Log: l.log, Genesis: l.genesis, State: l.state, Epoch: l.epoch, Body: l.record,
		})
	}
	return records
}

// compareVotes says how an acceptor's store differs from the model's durable one.
func (s *realStore) compareVotes() (differ, err error) {
	logs := s.votes.Load()
	if len(logs) != len(s.p.votes.durable) {
		return fmt.Errorf("%d logs, the model has %d", len(logs), len(s.p.votes.durable)), nil
	}
	for i, m := range s.p.votes.durable {
		l := &logs[i]
		if l.Log != m.log || l.Genesis != m.genesis || l.State != m.state || l.Epoch != m.epoch || !bytes.Equal(l.Record, m.record) {
			return fmt.Errorf("log %s is %s of epoch %d, the model has %s is %s of epoch %d", l.Log, l.State, l.Epoch, m.log, m.state, m.epoch), nil
		}
		if l.Promised != m.promised || l.Trimmed != m.trimmed {
			return fmt.Errorf("log %s: promised %s and trimmed %d, the model %s and %d", l.Log, l.Promised, l.Trimmed, m.promised, m.trimmed), nil
		}
		found, _, err := s.votes.Scan(m.genesis, 1, paxos.MaxSlot, wal.Limit{Values: true})
		if err != nil {
			return nil, err
		}
		if len(found) != len(m.votes) {
			return fmt.Errorf("log %s: %d votes, the model has %d", l.Log, len(found), len(m.votes)), nil
		}
		for j := range found {
			if err := sameVote(&found[j], m.votes[found[j].Slot], true); err != nil {
				return err, nil
			}
		}
	}
	return nil, nil
}

func sameVote(a *paxos.VoteValue, b paxos.VoteValue, values bool) error {
	if a.Ballot != b.Ballot || a.Checksum != b.Checksum || a.Bytes != b.Bytes || values && !bytes.Equal(a.Value, b.Value) {
		return fmt.Errorf("the vote in slot %d is at %s for %016x, the model's at %s for %016x", a.Slot, a.Ballot, a.Checksum, b.Ballot, b.Checksum)
	}
	return nil
}

// scanned holds a read of the store against the model's durable votes.
func (s *realStore) scanned(r *acceptor.Read) {
	m := find(s.p.votes.durable, r.Genesis)
	if m == nil || !s.isOpen() {
		return
	}
	most := min(r.MaxVotes, s.p.w.profile.scan)
	var found []paxos.VoteValue
	var through paxos.Slot
	err, fatal := s.guarded(func() (err error) {
		found, through, err = s.votes.Scan(r.Genesis, r.From, r.To, wal.Limit{Votes: most, Values: r.Values})
		return err
	})
	if err = errors.Join(err, fatal); err != nil {
		if s.harmed != "" && errors.Is(err, wal.ErrCorrupt) {
			s.giveUp(err)
			return
		}
		s.p.w.fail(CheckDurableAck, "%s reads its own store (%s): %v", s.p.name, s.harmed, err)
	}
	store := voteStore{memory: s.p.votes.durable}
	want := store.scan(&acceptor.Read{
		Genesis: r.Genesis, From: r.From, To: r.To, MaxVotes: r.MaxVotes, MaxBytes: math.MaxInt, Values: r.Values,
	}, most)
	differ := len(found) != len(want.Votes) || r.From <= r.To && through < want.To
	for i := 0; !differ && i < len(found); i++ {
		differ = found[i].Slot != want.Votes[i].Slot || sameVote(&found[i], want.Votes[i], r.Values) != nil
	}
	if differ {
		s.p.w.fail(CheckVoteMonotone, "%s reads %d votes in [%d, %d] through %d (%s), the model has %d through %d",
			s.p.name, len(found), r.From, r.To, through, s.harmed, len(want.Votes), want.To)
	}
	s.p.w.count("real store: read")
}

// compareChosen says how a learner's store differs from the model's durable one.
func (s *realStore) compareChosen() (differ, err error) {
	logs, err := s.chosen.Load()
	if err != nil {
		return nil, err
	}
	if len(logs) != len(s.p.chosen.durable) {
		return fmt.Errorf("%d logs, the model has %d", len(logs), len(s.p.chosen.durable)), nil
	}
	for i, m := range s.p.chosen.durable {
		l := &logs[i]
		if l.Log != m.log || l.State != m.state || l.Epoch != m.epoch || !bytes.Equal(l.Record, m.record) || l.Diverged != m.diverged {
			return fmt.Errorf("log %s is %s, the model's is %s", l.Log, l.State, m.state), nil
		}
		if l.Through != m.through() || l.Start != max(m.start, 1) {
			return fmt.Errorf("log %s: slots %d to %d, the model has %d to %d", l.Log, l.Start, l.Through, m.start, m.through()), nil
		}
		n := 0
		err := s.chosen.Values(m.genesis, l.Start, l.Through, 0, func(x *wal.Slot) error {
			n++
			k := m.at(x.Slot)
			if a := &k.applied; x.Hash != a.Hash || x.First != a.First || x.Last != a.Last || x.Stamp != a.Stamp || !bytes.Equal(x.Value, a.Value) {
				differ = fmt.Errorf("log %s slot %d: not what was written", l.Log, x.Slot)
			}
			return nil
		})
		if err != nil || differ != nil {
			return differ, err
		}
		if n != len(m.slots) {
			return fmt.Errorf("log %s: %d slots, the model has %d", l.Log, n, len(m.slots)), nil
		}
		at := paxos.MaxSlot
		for j := len(m.marks) - 1; j >= 0; j-- {
			cp, ok, err := s.chosen.Checkpoint(m.genesis, at)
			if err != nil {
				return nil, err
			}
			if k := &m.marks[j]; !ok || cp.Slot != k.slot || cp.Hash != k.hash || !bytes.Equal(cp.State, k.state) {
				return fmt.Errorf("log %s: checkpoint at %d, the model has one at %d", l.Log, cp.Slot, k.slot), nil
			}
			at = cp.Slot - 1
		}
	}
	return nil, nil
}
