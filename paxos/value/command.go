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
		dst = AppendMembers(dst, c.Keepers)
		dst = appendBool(dst, c.Mark)
	case *SetMembership:
		dst = le.AppendUint64(dst, uint64(c.Replaces))
		dst = AppendMembership(dst, &c.Membership)
	case *SetKeepers:
		dst = le.AppendUint64(dst, uint64(c.Replaces))
		dst = AppendKeepers(dst, &c.Keepers)
	case *SetLevel:
		dst = le.AppendUint32(dst, c.Level)
	case *Retain:
		dst = le.AppendUint64(dst, uint64(c.Through))
	}
	return dst
}

// DecodeCommand reads a command. ErrUnknownCommand: it is of a newer version.
func DecodeCommand(b []byte) (Command, error) {
	r := Reader{b: b}
	kind := CommandKind(r.U8())
	if r.bad {
		return nil, fmt.Errorf("command is empty: %w", ErrMalformed)
	}
	var c Command
	switch kind {
	case CommandOpen:
		o := &Open{Token: r.U64()}
		o.Client = r.Name()
		c = o
	case CommandTermStart:
		c = &TermStart{}
	case CommandStable:
		s := &Stable{Slot: paxos.Slot(r.U64())}
		copy(s.Hash[:], r.Take(len(s.Hash)))
		s.Keepers = r.Members(paxos.MaxKeepers)
		s.Mark = r.Bool()
		c = s
	case CommandSetMembership:
		m := &SetMembership{Replaces: paxos.Epoch(r.U64())}
		m.Membership = r.Membership()
		c = m
	case CommandSetKeepers:
		k := &SetKeepers{Replaces: paxos.Epoch(r.U64())}
		k.Keepers = r.Keepers()
		c = k
	case CommandSetLevel:
		c = &SetLevel{Level: r.U32()}
	case CommandRetain:
		c = &Retain{Through: paxos.Offset(r.U64())}
	default:
		return nil, fmt.Errorf("command kind %d: %w", kind, ErrUnknownCommand)
	}
	if err := r.End("command"); err != nil {
		return nil, err
	}
	return c, nil
}

// Bool reads one byte that must be 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	r.bad = r.bad || v > 1
	return v == 1
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendMembership appends epoch, first slot, quorum sizes and acceptors.
func AppendMembership(b []byte, m *paxos.Membership) []byte {
	b = le.AppendUint64(b, uint64(m.Epoch))
	b = le.AppendUint64(b, uint64(m.From))
	b = append(b, uint8(m.Read), uint8(m.Write))
	return AppendMembers(b, m.Acceptors)
}

// Membership reads what AppendMembership wrote.
func (r *Reader) Membership() paxos.Membership {
	m := paxos.Membership{Epoch: paxos.Epoch(r.U64()), From: paxos.Slot(r.U64())}
	m.Read, m.Write = int(r.U8()), int(r.U8())
	m.Acceptors = r.Members(paxos.MaxAcceptors)
	return m
}

// AppendKeepers appends epoch, k and keepers.
func AppendKeepers(b []byte, k *paxos.Keepers) []byte {
	b = le.AppendUint64(b, uint64(k.Epoch))
	b = append(b, uint8(k.K))
	return AppendMembers(b, k.Members)
}

// Keepers reads what AppendKeepers wrote.
func (r *Reader) Keepers() paxos.Keepers {
	k := paxos.Keepers{Epoch: paxos.Epoch(r.U64()), K: int(r.U8())}
	k.Members = r.Members(paxos.MaxKeepers)
	return k
}
