package value

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/paxosd/paxosd/paxos"
)

const (
	batchVersion = 1

	flagExpect = 1 << 0
	flagTail   = 1 << 1
	flagPlain  = 1 << 2
	flagKnown  = flagExpect | flagTail | flagPlain
)

// Batch is the entries of one producer request.
type Batch struct {
	Session   paxos.SessionID // zero: none
	Number    uint64          // in its session, from 1; 0 without a session
	Count     uint32          // entries; 0 only with Tail
	HasExpect bool
	Expect    paxos.Offset // the last offset that must be the log's, with HasExpect
	MessageID string       // for the whole batch; empty: none
	Tail      bool         // no entries: asks for the last offset (PROTOCOL P10)
	Plain     bool         // a plain append, one entry without a session
	Checksum  paxos.Checksum
	Frames    []byte
}

// EncodeBatch appends b's bytes to dst and sets b.Checksum, which is over all of them but itself.
func EncodeBatch(dst []byte, b *Batch) []byte {
	start := len(dst)
	var flags uint8
	if b.HasExpect {
		flags |= flagExpect
	}
	if b.Tail {
		flags |= flagTail
	}
	if b.Plain {
		flags |= flagPlain
	}
	dst = append(dst, batchVersion, flags)
	dst = le.AppendUint64(dst, uint64(b.Session.Slot))
	dst = le.AppendUint32(dst, b.Session.Place)
	dst = le.AppendUint64(dst, b.Number)
	dst = le.AppendUint32(dst, b.Count)
	dst = le.AppendUint64(dst, uint64(b.Expect))
	dst = le.AppendUint16(dst, uint16(len(b.MessageID)))
	dst = append(dst, b.MessageID...)
	b.Checksum = batchSum(dst[start:], b.Frames)
	dst = le.AppendUint64(dst, uint64(b.Checksum))
	return append(dst, b.Frames...)
}

func batchSum(head, frames []byte) paxos.Checksum {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(head)
	_, _ = d.Write(frames)
	return paxos.Checksum(d.Sum64())
}

// DecodeBatch reads a batch and checks its checksum and the shape of its head. Frames alias b and are not looked into: ScanFrames
// does that, once, before a leader proposes them (PROTOCOL Q8).
func DecodeBatch(b []byte) (Batch, error) {
	v, head, err := openBatch(b)
	if err != nil {
		return v, err
	}
	if sum := batchSum(b[:head], v.Frames); sum != v.Checksum {
		return Batch{}, fmt.Errorf("batch checksum %x, bytes have %x: %w", v.Checksum, sum, ErrMalformed)
	}
	return v, nil
}

// OpenBatch reads a batch out of bytes that are known to be whole, as those of a value that was sequenced or whose own checksum was
// checked: it leaves out the batch's.
func OpenBatch(b []byte) (Batch, error) {
	v, _, err := openBatch(b)
	return v, err
}

// openBatch returns a batch and the length of its head, which its checksum follows.
func openBatch(b []byte) (Batch, int, error) {
	r := Reader{b: b}
	if v := r.U8(); v != batchVersion && !r.bad {
		return Batch{}, 0, fmt.Errorf("batch version %d: %w", v, ErrUnknownVersion)
	}
	flags := r.U8()
	v := Batch{HasExpect: flags&flagExpect != 0, Tail: flags&flagTail != 0, Plain: flags&flagPlain != 0}
	v.Session.Slot = paxos.Slot(r.U64())
	v.Session.Place = r.U32()
	v.Number = r.U64()
	v.Count = r.U32()
	v.Expect = paxos.Offset(r.U64())
	n := int(r.U16())
	v.MessageID = string(r.Take(n))
	head := len(b) - len(r.b)
	v.Checksum = paxos.Checksum(r.U64())
	v.Frames = r.b
	if r.bad {
		return Batch{}, 0, fmt.Errorf("batch of %d bytes is cut short: %w", len(b), ErrMalformed)
	}
	return v, head, v.check(flags, n)
}

func (b *Batch) check(flags uint8, idBytes int) error {
	session := b.Session != paxos.SessionID{}
	switch {
	case flags&^flagKnown != 0:
		return fmt.Errorf("batch flags %#x: %w", flags, ErrUnknownVersion)
	case idBytes > paxos.MaxMessageIDBytes:
		return fmt.Errorf("message id of %d bytes, at most %d: %w", idBytes, paxos.MaxMessageIDBytes, ErrMalformed)
	case b.Count > paxos.MaxBatchEntries:
		return fmt.Errorf("batch of %d entries, at most %d: %w", b.Count, paxos.MaxBatchEntries, ErrMalformed)
	case b.Tail != (b.Count == 0):
		return fmt.Errorf("batch of %d entries, tail %t: %w", b.Count, b.Tail, ErrMalformed)
	case b.Tail && len(b.Frames) > 0:
		return fmt.Errorf("tail with frames: %w", ErrMalformed)
	case b.Plain && (session || b.Count != 1):
		return fmt.Errorf("plain batch of %d entries in session %s: %w", b.Count, b.Session, ErrMalformed)
	case session != (b.Number > 0) || (b.Session.Slot == 0 && b.Session.Place > 0):
		return fmt.Errorf("batch number %d in session %s: %w", b.Number, b.Session, ErrMalformed)
	case !b.HasExpect && b.Expect != 0:
		return fmt.Errorf("expected offset without its flag: %w", ErrMalformed)
	}
	return nil
}
