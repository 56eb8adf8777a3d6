package value

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// CommandKind says what a command does. Stored and hashed: never renumber.
type CommandKind uint8

// Kinds of commands.
const (
	CommandOpen          CommandKind = 1
	CommandTermStart     CommandKind = 2
	CommandStable        CommandKind = 3
	CommandSetMembership CommandKind = 4
	CommandSetKeepers    CommandKind = 5
	CommandSetLevel      CommandKind = 6
	CommandRetain        CommandKind = 7
)

// Command is one of the pointer types below.
type Command interface {
	Kind() CommandKind
}

// Open begins a producer session, whose id is the command's place in the log (PROTOCOL Q1).
type Open struct {
	Client string // for people
	Token  uint64 // random, so that two opens differ
}

// TermStart is a leader's first own slot (PROTOCOL P6). The value's origin is the ballot that starts.
type TermStart struct{}

// Stable says that Keepers hold every slot through Slot durably (PROTOCOL K2).
type Stable struct {
	Slot    paxos.Slot
	Hash    paxos.Hash
	Keepers []paxos.Member // sorted by name
	Mark    bool           // a checkpoint is taken after this command
}

// SetMembership replaces the acceptors from the command's slot + α on (PROTOCOL Q7). Epoch and From of Membership are given by the
// sequencer; what is encoded of them is ignored.
type SetMembership struct {
	Replaces   paxos.Epoch
	Membership paxos.Membership
}

// SetKeepers replaces the keepers at once (PROTOCOL K3). Epoch of Keepers is given by the sequencer.
type SetKeepers struct {
	Replaces paxos.Epoch
	Keepers  paxos.Keepers
}

// SetLevel raises the format level (PROTOCOL Q6).
type SetLevel struct {
	Level uint32
}

// Retain drops entries through an offset, as far as they are stable. The kind is decided from the first version on.
type Retain struct {
	Through paxos.Offset
}

// Kind implementations.

func (*Open) Kind() CommandKind          { return CommandOpen }
func (*TermStart) Kind() CommandKind     { return CommandTermStart }
func (*Stable) Kind() CommandKind        { return CommandStable }
func (*SetMembership) Kind() CommandKind { return CommandSetMembership }
func (*SetKeepers) Kind() CommandKind    { return CommandSetKeepers }
func (*SetLevel) Kind() CommandKind      { return CommandSetLevel }
func (*Retain) Kind() CommandKind        { return CommandRetain }

// EncodeCommand appends c's bytes to dst.
func EncodeCommand(dst []byte, c Command) []byte {
	dst = append(dst, uint8(c.Kind()))
	switch c := c.(type) {
	case *Open:
		dst = le.AppendUint64(dst, c.Token)
		dst = appendShort(dst, c.Client)
	case *TermStart:
	case *Stable:
		dst = le.AppendUint64(dst, uint64(c.Slot))
		dst = append(dst, c.Hash[:]...)
		dst = appendMembers(dst, c.Keepers)
		dst = appendBool(dst, c.Mark)
	case *SetMembership:
		dst = le.AppendUint64(dst, uint64(c.Replaces))
		dst = appendMembership(dst, &c.Membership)
	case *SetKeepers:
		dst = le.AppendUint64(dst, uint64(c.Replaces))
		dst = appendKeepers(dst, &c.Keepers)
	case *SetLevel:
		dst = le.AppendUint32(dst, c.Level)
	case *Retain:
		dst = le.AppendUint64(dst, uint64(c.Through))
	}
	return dst
}

// DecodeCommand reads a command. ErrUnknownCommand: it is of a newer version.
func DecodeCommand(b []byte) (Command, error) {
	r := reader{b: b}
	kind := CommandKind(r.u8())
	if r.bad {
		return nil, fmt.Errorf("command is empty: %w", ErrMalformed)
	}
	var c Command
	switch kind {
	case CommandOpen:
		o := &Open{Token: r.u64()}
		o.Client = r.short()
		if len(o.Client) > paxos.MaxNameBytes {
			return nil, fmt.Errorf("open: client name of %d bytes: %w", len(o.Client), ErrMalformed)
		}
		c = o
	case CommandTermStart:
		c = &TermStart{}
	case CommandStable:
		s := &Stable{Slot: paxos.Slot(r.u64())}
		copy(s.Hash[:], r.take(len(s.Hash)))
		s.Keepers = r.members(paxos.MaxKeepers)
		s.Mark = r.bool()
		c = s
	case CommandSetMembership:
		m := &SetMembership{Replaces: paxos.Epoch(r.u64())}
		m.Membership = r.membership()
		c = m
	case CommandSetKeepers:
		k := &SetKeepers{Replaces: paxos.Epoch(r.u64())}
		k.Keepers = r.keepers()
		c = k
	case CommandSetLevel:
		c = &SetLevel{Level: r.u32()}
	case CommandRetain:
		c = &Retain{Through: paxos.Offset(r.u64())}
	default:
		return nil, fmt.Errorf("command kind %d: %w", kind, ErrUnknownCommand)
	}
	if err := r.end("command"); err != nil {
		return nil, err
	}
	return c, nil
}

func (r *reader) bool() bool {
	v := r.u8()
	r.bad = r.bad || v > 1
	return v == 1
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendMembership(b []byte, m *paxos.Membership) []byte {
	b = le.AppendUint64(b, uint64(m.Epoch))
	b = le.AppendUint64(b, uint64(m.From))
	b = append(b, uint8(m.Read), uint8(m.Write))
	return appendMembers(b, m.Acceptors)
}

func (r *reader) membership() paxos.Membership {
	m := paxos.Membership{Epoch: paxos.Epoch(r.u64()), From: paxos.Slot(r.u64())}
	m.Read, m.Write = int(r.u8()), int(r.u8())
	m.Acceptors = r.members(paxos.MaxAcceptors)
	return m
}

func appendKeepers(b []byte, k *paxos.Keepers) []byte {
	b = le.AppendUint64(b, uint64(k.Epoch))
	b = append(b, uint8(k.K))
	return appendMembers(b, k.Members)
}

func (r *reader) keepers() paxos.Keepers {
	k := paxos.Keepers{Epoch: paxos.Epoch(r.u64()), K: int(r.u8())}
	k.Members = r.members(paxos.MaxKeepers)
	return k
}
