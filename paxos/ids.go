package paxos

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Slot numbers one Paxos instance of a log, from 1. Zero means "none". Slots are internal:
// users see offsets.
type Slot uint64

// MaxSlot is the closed end of a range that reaches to infinity (PROTOCOL A5).
const MaxSlot Slot = math.MaxUint64

// Offset is an entry's dense position in its log, from 1. Zero means "none", or "before the first".
type Offset uint64

// Epoch numbers the memberships of a log, from 1 (genesis).
type Epoch uint64

// Instant is a point on a process's own monotonic clock, in nanoseconds. Only differences within
// one process mean anything.
type Instant int64

// Span is a difference of Instants, in nanoseconds.
type Span int64

// Spans of time in the units that configuration uses.
const (
	Microsecond Span = 1000
	Millisecond Span = 1000 * Microsecond
	Second      Span = 1000 * Millisecond
)

// Sub returns t-u.
func (t Instant) Sub(u Instant) Span { return Span(t - u) }

// Add returns t+d.
func (t Instant) Add(d Span) Instant { return t + Instant(d) }

// Stamp is wall-clock time in nanoseconds since the Unix epoch. Nothing but readers depends on
// it (PROTOCOL Q5).
type Stamp int64

// Checksum is xxHash64 over a value's or a batch's bytes. It finds accidents, not attackers.
type Checksum uint64

// Sum returns the Checksum of b.
func Sum(b []byte) Checksum { return Checksum(xxhash.Sum64(b)) }

// Hash is the running SHA-256 of a log (docs/protocol.md, "Running hash").
type Hash [32]byte

// IsZero reports whether h is the zero hash, which no log has.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the first eight bytes in hexadecimal: enough to compare by eye.
func (h Hash) String() string { return hex.EncodeToString(h[:8]) }

// GenesisID is the random identity of a log, in every message, key and store (PROTOCOL section 6).
type GenesisID [16]byte

// IsZero reports whether g is absent.
func (g GenesisID) IsZero() bool { return g == GenesisID{} }

// Compare orders genesis ids bytewise; "the greater" of two prepared ids is aborted.
func (g GenesisID) Compare(o GenesisID) int { return slices.Compare(g[:], o[:]) }

// String returns g in hexadecimal.
func (g GenesisID) String() string { return hex.EncodeToString(g[:]) }

// ParseGenesisID reads what String wrote.
func ParseGenesisID(s string) (GenesisID, error) {
	var g GenesisID
	if hex.DecodedLen(len(s)) != len(g) {
		return g, fmt.Errorf("genesis id %q: want %d hexadecimal digits", s, 2*len(g))
	}
	if _, err := hex.Decode(g[:], []byte(s)); err != nil {
		return g, fmt.Errorf("genesis id %q: %w", s, err)
	}
	return g, nil
}

// Incarnation is the random identity that a store gets when it is created: a wiped disk is a stranger.
type Incarnation [16]byte

// IsZero reports whether i is absent.
func (i Incarnation) IsZero() bool { return i == Incarnation{} }

// Compare orders incarnations bytewise.
func (i Incarnation) Compare(o Incarnation) int { return slices.Compare(i[:], o[:]) }

// String returns i in hexadecimal.
func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }

// Ballot is a totally ordered attempt to lead a log: by round, then proposer, then run. Run is
// random per process start, so a restarted proposer never reuses a ballot (PROTOCOL A2). The zero
// Ballot is below every real one; real rounds start at 1.
type Ballot struct {
	Round    uint64
	Proposer string
	Run      uint64
}

// MaxRoundJump bounds how far above the promised round a ballot may be before an acceptor refuses it
// (PROTOCOL A2): one hostile or broken ballot must not use up the number space.
const MaxRoundJump = 1 << 32

// Compare returns -1, 0 or +1 as b is below, equal to or above o.
func (b Ballot) Compare(o Ballot) int {
	if c := cmp.Compare(b.Round, o.Round); c != 0 {
		return c
	}
	if c := strings.Compare(b.Proposer, o.Proposer); c != 0 {
		return c
	}
	return cmp.Compare(b.Run, o.Run)
}

// Less reports b < o.
func (b Ballot) Less(o Ballot) bool { return b.Compare(o) < 0 }

// IsZero reports whether b is "no ballot".
func (b Ballot) IsZero() bool { return b == Ballot{} }

// String returns "round.proposer.run", run in hexadecimal, or "-" for no ballot.
func (b Ballot) String() string {
	if b.IsZero() {
		return "-"
	}
	return strconv.FormatUint(b.Round, 10) + "." + b.Proposer + "." + strconv.FormatUint(b.Run, 16)
}

// SessionID names a producer session: the slot of its open command and its place in that slot's list,
// from 0 (PROTOCOL Q1). The zero SessionID is "no session".
type SessionID struct {
	Slot  Slot
	Place uint32
}

// IsZero reports whether s is "no session".
func (s SessionID) IsZero() bool { return s == SessionID{} }

// Compare orders sessions by their place in the log.
func (s SessionID) Compare(o SessionID) int {
	if c := cmp.Compare(s.Slot, o.Slot); c != 0 {
		return c
	}
	return cmp.Compare(s.Place, o.Place)
}

// String returns "slot/place".
func (s SessionID) String() string {
	return strconv.FormatUint(uint64(s.Slot), 10) + "/" + strconv.FormatUint(uint64(s.Place), 10)
}

// MaxNameBytes is the longest name of a cluster, log or node.
const MaxNameBytes = 64

// ValidName reports whether s may name a cluster, a log or a node: [A-Za-z0-9][A-Za-z0-9_-]{0,63}.
// Such a name is one NATS subject token, one file name and one metrics label, without quoting.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxNameBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '_' || c == '-') && i > 0:
		default:
			return false
		}
	}
	return true
}

// ProcessLog is the log token of messages that concern a whole process, not one log (PROTOCOL N6). It is
// no valid log name.
const ProcessLog = "_"
