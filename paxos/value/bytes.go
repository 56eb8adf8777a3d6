package value

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// Errors of the decoders.
var (
	// ErrMalformed says that bytes do not have the layout that they should have.
	ErrMalformed = errors.New("malformed")
	// ErrUnknownCommand says that a command is of a newer version of paxosd (PROTOCOL Q6).
	ErrUnknownCommand = errors.New("unknown command: upgrade")
	// ErrUnknownVersion says that a value or batch is of a newer format (PROTOCOL Q6).
	ErrUnknownVersion = errors.New("unknown format: upgrade")
)

var le = binary.LittleEndian

// Reader takes fixed-width fields off the front of bytes. Once they are short, or Fail was called, it stays bad and returns zeros:
// a decoder checks once, at its end.
type Reader struct {
	b   []byte
	bad bool
}

// NewReader returns a Reader of b, which the results of Take alias.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Bad reports whether the bytes were short or did not fit.
func (r *Reader) Bad() bool { return r.bad }

// Fail marks the bytes as unfit.
func (r *Reader) Fail() { r.bad = true }

// Take returns the next n bytes, aliasing the input, or nil.
func (r *Reader) Take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if v := r.Take(1); v != nil {
		return v[0]
	}
	return 0
}

// U16 reads two bytes.
func (r *Reader) U16() uint16 {
	if v := r.Take(2); v != nil {
		return le.Uint16(v)
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if v := r.Take(4); v != nil {
		return le.Uint32(v)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if v := r.Take(8); v != nil {
		return le.Uint64(v)
	}
	return 0
}

// Name reads a node's name, or none. Nothing is longer than a name may be, so that the largest command and a value's head
// have a bound.
func (r *Reader) Name() string {
	b := r.Take(int(r.U8()))
	if len(b) > paxos.MaxNameBytes {
		r.bad = true
		return ""
	}
	return string(b)
}

// Ballot reads what AppendBallot wrote.
func (r *Reader) Ballot() paxos.Ballot {
	b := paxos.Ballot{Round: r.U64(), Run: r.U64()}
	b.Proposer = r.Name()
	return b
}

// Member reads a name and an incarnation.
func (r *Reader) Member() (m paxos.Member) {
	m.Name = r.Name()
	copy(m.Incarnation[:], r.Take(len(m.Incarnation)))
	return m
}

// Members reads a counted list, at most limit long.
func (r *Reader) Members(limit int) []paxos.Member {
	n := int(r.U8())
	if r.bad || n > limit {
		r.bad = true
		return nil
	}
	ms := make([]paxos.Member, 0, n)
	for range n {
		ms = append(ms, r.Member())
	}
	return ms
}

// End returns an error unless everything was there and nothing is left.
func (r *Reader) End(what string) error {
	if r.bad {
		return fmt.Errorf("%s is cut short: %w", what, ErrMalformed)
	}
	if len(r.b) > 0 {
		return fmt.Errorf("%s has %d bytes too many: %w", what, len(r.b), ErrMalformed)
	}
	return nil
}

func appendShort(b []byte, s string) []byte {
	b = append(b, uint8(len(s)))
	return append(b, s...)
}

// AppendBallot appends round, run and proposer.
func AppendBallot(b []byte, v paxos.Ballot) []byte {
	b = le.AppendUint64(b, v.Round)
	b = le.AppendUint64(b, v.Run)
	return appendShort(b, v.Proposer)
}

// AppendMembers appends a counted list of at most 255 members.
func AppendMembers(b []byte, ms []paxos.Member) []byte {
	b = append(b, uint8(len(ms)))
	for i := range ms {
		b = appendShort(b, ms[i].Name)
		b = append(b, ms[i].Incarnation[:]...)
	}
	return b
}
