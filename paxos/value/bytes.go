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

// reader takes fixed-width fields off the front of b; once it is short it stays bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) u8() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if v := r.take(2); v != nil {
		return le.Uint16(v)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if v := r.take(4); v != nil {
		return le.Uint32(v)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if v := r.take(8); v != nil {
		return le.Uint64(v)
	}
	return 0
}

func (r *reader) short() string { return string(r.take(int(r.u8()))) }

func (r *reader) ballot() paxos.Ballot {
	b := paxos.Ballot{Round: r.u64(), Run: r.u64()}
	b.Proposer = r.short()
	return b
}

func (r *reader) member() (m paxos.Member) {
	m.Name = r.short()
	copy(m.Incarnation[:], r.take(len(m.Incarnation)))
	return m
}

// members reads a counted list, at most limit long.
func (r *reader) members(limit int) []paxos.Member {
	n := int(r.u8())
	if r.bad || n > limit {
		r.bad = true
		return nil
	}
	ms := make([]paxos.Member, 0, n)
	for range n {
		ms = append(ms, r.member())
	}
	return ms
}

// end returns an error unless everything was there and nothing is left.
func (r *reader) end(what string) error {
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

func appendBallot(b []byte, v paxos.Ballot) []byte {
	b = le.AppendUint64(b, v.Round)
	b = le.AppendUint64(b, v.Run)
	return appendShort(b, v.Proposer)
}

func appendMembers(b []byte, ms []paxos.Member) []byte {
	b = append(b, uint8(len(ms)))
	for i := range ms {
		b = appendShort(b, ms[i].Name)
		b = append(b, ms[i].Incarnation[:]...)
	}
	return b
}
