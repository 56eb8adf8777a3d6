package wal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

// Votes is an acceptor's store: per log its genesis state, its promise, T, and the vote of each slot above T.
//
//	I1  A log's promise never decreases (PROTOCOL A2), and no vote is at a ballot above it (A3).
//	I2  T never decreases, and no vote is at or below it (A4): both are one atomic write.
//	I3  A log without a state has nothing else (A10).
//
// A record that would break one is refused and ends the process: the acceptor's core keeps the same invariants, and one of
// the two is wrong. Readers may run beside Submit; they see what was submitted as soon as the engine has it, which may be
// before it is durable. Whoever tells others of it waits for the done of an empty Submit.
type Votes struct {
	*store
	logs map[paxos.GenesisID]*votesState // guarded by store.mu
	key  []byte                          // scratch of encode
	rec  writer                          // scratch of encode
}

// votesState is what encode must know of a log.
type votesState struct {
	logRecord
	promised paxos.Ballot
	trimmed  paxos.Slot
	highest  paxos.Slot
}

// VotesLog is what the store holds of a log when it opens.
type VotesLog struct {
	Log          string
	Genesis      paxos.GenesisID
	Record       []byte // the genesis record
	State        paxos.LogState
	Epoch        paxos.Epoch
	Promised     paxos.Ballot
	Trimmed      paxos.Slot // T
	HighestVoted paxos.Slot // highest slot above T with a vote; 0: none
}

// OpenVotes opens the acceptor's store in dir, or creates it where dir is empty. Errors: ErrInUse, ErrForeign, ErrNewer,
// ErrCorrupt, or what the file system says.
func OpenVotes(dir string, want Want, opts Options) (*Votes, error) {
	s, err := openStore(dir, want, paxos.RoleAcceptor, opts)
	if err != nil {
		return nil, err
	}
	v := &Votes{store: s, logs: map[paxos.GenesisID]*votesState{}}
	s.reclaim.ranges = v.trimmedRanges
	if err := s.finishOpen(v.load); err != nil {
		return nil, err
	}
	s.start(v.encode)
	return v, nil
}

// Load returns what is known of each log, in the order of genesis ids.
func (v *Votes) Load() []VotesLog {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := make([]VotesLog, 0, len(v.logs))
	for _, g := range sortedLogs(v.logs) {
		l := v.logs[g]
		out = append(out, VotesLog{
			Log: l.Log, Genesis: g, Record: l.Genesis, State: l.State, Epoch: l.Epoch,
			Promised: l.promised, Trimmed: l.trimmed, HighestVoted: l.highest,
		})
	}
	return out
}

func (v *Votes) load() error {
	err := v.eachOfKind(kindLog, func(g paxos.GenesisID, r reader) error {
		l := &votesState{}
		v.logs[g] = l
		return l.decode(r)
	})
	if err != nil {
		return err
	}
	err = v.eachOfKind(kindPromise, func(g paxos.GenesisID, r reader) (err error) {
		l, ok := v.logs[g]
		if !ok {
			return errStray
		}
		l.promised, err = decodeBallot(r)
		return err
	})
	if err != nil {
		return err
	}
	err = v.eachOfKind(kindTrim, func(g paxos.GenesisID, r reader) error {
		l, ok := v.logs[g]
		if !ok {
			return errStray
		}
		n, err := decodeNumber(r)
		l.trimmed = paxos.Slot(n)
		return err
	})
	if err != nil {
		return err
	}
	for _, g := range sortedLogs(v.logs) {
		l := v.logs[g]
		err := v.lastSlot(kindVote, g, func(t paxos.Slot, r reader) error {
			l.highest = t
			vote, err := decodeVote(r, t)
			if err == nil && (t <= l.trimmed || l.promised.Less(vote.Ballot)) {
				err = fmt.Errorf("vote in slot %d at %s, but T is %d and the promise %s", t, vote.Ballot, l.trimmed, l.promised)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var errStray = errors.New("log has no state")

// encode adds one record to a group. It runs under store.mu.
func (v *Votes) encode(b *pebble.Batch, r *paxos.Record) error {
	l, known := v.logs[r.Genesis]
	if r.Kind == paxos.RecordState {
		var old *logRecord
		if known {
			old = &l.logRecord
		} else {
			l = &votesState{}
		}
		next, err := setState(b, &v.rec, r, old)
		l.logRecord = next
		v.logs[r.Genesis] = l
		return err
	}
	if !known {
		return misusef(r, "the log has no state")
	}
	switch r.Kind {
	case paxos.RecordPromise:
		return v.encodePromise(b, r, l)
	case paxos.RecordVote:
		return v.encodeVote(b, r, l)
	case paxos.RecordTrim:
		return v.encodeTrim(b, r, l)
	case paxos.RecordState, paxos.RecordChosen, paxos.RecordCheckpoint, paxos.RecordForget, paxos.RecordDiverged:
	}
	return misusef(r, "not of an acceptor")
}

func (v *Votes) encodePromise(b *pebble.Batch, r *paxos.Record, l *votesState) error {
	if r.Ballot.Less(l.promised) {
		return misusef(r, "promise %s is below %s", r.Ballot, l.promised)
	}
	l.promised = r.Ballot
	v.rec.buf = appendLogKey(v.rec.buf[:0], kindPromise, r.Genesis)
	encodeBallot(&v.rec, r.Ballot)
	key, rec := v.rec.end()
	return b.Set(key, rec, nil)
}

// encodeVote raises the promise in the same group (PROTOCOL A3).
func (v *Votes) encodeVote(b *pebble.Batch, r *paxos.Record, l *votesState) error {
	if r.Slot <= l.trimmed {
		return misusef(r, "vote at or below T = %d", l.trimmed)
	}
	if got := paxos.Sum(r.Value); got != r.Checksum {
		return misusef(r, "value has checksum %016x, not %016x", uint64(got), uint64(r.Checksum))
	}
	if r.Ballot.Less(l.promised) {
		return misusef(r, "vote at %s is below the promise %s", r.Ballot, l.promised)
	}
	if r.Ballot != l.promised {
		if err := v.encodePromise(b, r, l); err != nil {
			return err
		}
	}
	l.highest = max(l.highest, r.Slot)
	v.rec.buf = appendSlotKey(v.rec.buf[:0], kindVote, r.Genesis, r.Slot)
	encodeVote(&v.rec, &paxos.VoteInfo{Slot: r.Slot, Ballot: r.Ballot, Checksum: r.Checksum, Bytes: uint32(len(r.Value))})
	key, rec := v.rec.end()
	if err := b.Set(key, rec, nil); err != nil {
		return err
	}
	v.key = appendSlotKey(v.key[:0], kindVoteValue, r.Genesis, r.Slot)
	return b.Set(v.key, r.Value, nil)
}

// trimmedRanges returns the keys of all that was trimmed. The caller holds store.mu.
func (v *Votes) trimmedRanges() (all []pebble.KeyRange) {
	for _, g := range sortedLogs(v.logs) {
		if l := v.logs[g]; l.trimmed > 0 {
			for _, kind := range []keyKind{kindVote, kindVoteValue} {
				all = append(all, pebble.KeyRange{
					Start: appendSlotKey(nil, kind, g, 1), End: appendSlotKey(nil, kind, g, l.trimmed+1),
				})
			}
		}
	}
	return all
}

// encodeTrim deletes the range since the last T, not from the first slot: tombstones that do not overlap stay cheap.
func (v *Votes) encodeTrim(b *pebble.Batch, r *paxos.Record, l *votesState) error {
	if r.Slot < l.trimmed || r.Slot == paxos.MaxSlot {
		return misusef(r, "T would be %d after %d", r.Slot, l.trimmed)
	}
	if r.Slot == l.trimmed {
		return nil
	}
	for _, kind := range []keyKind{kindVote, kindVoteValue} {
		v.rec.buf = appendSlotKey(v.rec.buf[:0], kind, r.Genesis, l.trimmed+1)
		v.key = appendSlotKey(v.key[:0], kind, r.Genesis, r.Slot+1)
		if err := b.DeleteRange(v.rec.buf, v.key, nil); err != nil {
			return err
		}
	}
	l.trimmed = r.Slot
	v.reclaim.trims++
	if l.highest <= r.Slot {
		l.highest = 0
	}
	v.rec.buf = appendLogKey(v.rec.buf[:0], kindTrim, r.Genesis)
	encodeNumber(&v.rec, uint64(r.Slot))
	key, rec := v.rec.end()
	return b.Set(key, rec, nil)
}
