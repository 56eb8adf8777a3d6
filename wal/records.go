package wal

import (
	"github.com/paxosd/paxosd/paxos"
)

// On disk: the fields of each kind of record, in order. Never change one; a later version of a record gets a new
// recordVersion, and its reader here.

// logRecord is what the store knows of one log (kindLog).
type logRecord struct {
	Log     string
	State   paxos.LogState
	Epoch   paxos.Epoch
	Genesis []byte // the genesis record, canonical bytes
}

func (l *logRecord) encode(w *writer) {
	w.begin()
	w.str(l.Log)
	w.u8(uint8(l.State))
	w.u64(uint64(l.Epoch))
	w.bytes(l.Genesis)
}

func (l *logRecord) decode(r reader) error {
	l.Log = r.str()
	l.State = paxos.LogState(r.u8())
	l.Epoch = paxos.Epoch(r.u64())
	l.Genesis = append([]byte(nil), r.bytes()...)
	return r.close()
}

func encodeBallot(w *writer, b paxos.Ballot) {
	w.begin()
	w.ballot(b)
}

func decodeBallot(r reader) (paxos.Ballot, error) {
	b := r.ballot()
	return b, r.close()
}

func encodeNumber(w *writer, n uint64) {
	w.begin()
	w.u64(n)
}

func decodeNumber(r reader) (uint64, error) {
	n := r.u64()
	return n, r.close()
}

func encodeIncarnation(w *writer, i paxos.Incarnation) {
	w.begin()
	w.raw(i[:])
}

func decodeIncarnation(r reader) (i paxos.Incarnation, err error) {
	copy(i[:], r.take(len(i)))
	return i, r.close()
}

func encodeText(w *writer, s string) {
	w.begin()
	w.str(s)
}

func decodeText(r reader) (string, error) {
	s := r.str()
	return s, r.close()
}

// encodeVote and decodeVote have a vote without its value (kindVote). The slot is in the key.
func encodeVote(w *writer, v *paxos.VoteInfo) {
	w.begin()
	w.ballot(v.Ballot)
	w.u64(uint64(v.Checksum))
	w.u32(v.Bytes)
}

func decodeVote(r reader, t paxos.Slot) (paxos.VoteInfo, error) {
	v := paxos.VoteInfo{Slot: t}
	v.Ballot = r.ballot()
	v.Checksum = paxos.Checksum(r.u64())
	v.Bytes = r.u32()
	return v, r.close()
}

// Slot is a chosen slot as the learner stored it.
type Slot struct {
	Slot     paxos.Slot
	Ballot   paxos.Ballot // at which it was learned; zero if it was fetched without one
	Stamp    paxos.Stamp
	First    paxos.Offset // first offset of its entries; Last+1 where it has none
	Last     paxos.Offset // last offset of the log after it
	Hash     paxos.Hash   // running hash at it
	Checksum paxos.Checksum
	Bytes    uint32 // length of the value
	Body     []byte // what the learner keeps of it beside the value; opaque here
	Value    []byte // as it travelled; nil where only the slot was asked for
}

func (s *Slot) encode(w *writer) {
	w.begin()
	w.ballot(s.Ballot)
	w.u64(uint64(s.Stamp))
	w.u64(uint64(s.First))
	w.u64(uint64(s.Last))
	w.raw(s.Hash[:])
	w.u64(uint64(s.Checksum))
	w.u32(s.Bytes)
	w.bytes(s.Body)
}

// decode fills s but for its value. Body aliases the record.
func (s *Slot) decode(r reader, t paxos.Slot) error {
	s.Slot = t
	s.Ballot = r.ballot()
	s.Stamp = paxos.Stamp(r.u64())
	s.First = paxos.Offset(r.u64())
	s.Last = paxos.Offset(r.u64())
	s.Hash = r.hash()
	s.Checksum = paxos.Checksum(r.u64())
	s.Bytes = r.u32()
	s.Body = r.bytes()
	s.Value = nil
	return r.close()
}

// Checkpoint is the sequencer's state after a mark.
type Checkpoint struct {
	Slot  paxos.Slot // the mark
	Hash  paxos.Hash // running hash at it
	Last  paxos.Offset
	Stamp paxos.Stamp
	State []byte // canonical encoding; opaque here
}

func (c *Checkpoint) encode(w *writer) {
	w.begin()
	w.raw(c.Hash[:])
	w.u64(uint64(c.Last))
	w.u64(uint64(c.Stamp))
	w.bytes(c.State)
}

func (c *Checkpoint) decode(r reader, t paxos.Slot) error {
	c.Slot = t
	c.Hash = r.hash()
	c.Last = paxos.Offset(r.u64())
	c.Stamp = paxos.Stamp(r.u64())
	c.State = append([]byte(nil), r.bytes()...)
	return r.close()
}
