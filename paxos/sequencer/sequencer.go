package sequencer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Errors of Apply and Restore.
var (
	// ErrUpgrade says that the log holds a value, command or format level that this build does not know: the log stops in
	// this process until it is upgraded (PROTOCOL Q6). Nothing of the slot was applied.
	ErrUpgrade = errors.New("this log needs a newer version of paxosd")
	// ErrMalformed says that a chosen value does not have its layout, which no leader proposes. Nothing of the slot was applied.
	ErrMalformed = errors.New("a chosen value is malformed")
	// ErrState says that bytes are no state that State has returned for this log.
	ErrState = errors.New("not a state of this log")
)

// Outcome is what became of one item of a value.
type Outcome struct {
	Item      int // its place in the value's list
	Kind      value.ItemKind
	Command   value.CommandKind // of a command
	Code      paxos.Code
	Session   paxos.SessionID
	Number    uint64
	First     paxos.Offset // of its entries, or of the original's for a duplicate
	Count     uint32
	Checksum  paxos.Checksum // of a batch
	Last      paxos.Offset   // the log's last offset after it, or what a condition met
	Expected  uint64         // with CodeHole, CodeHoleFar: the number expected
	Plain     bool           // a plain append
	MessageID bool           // it has a message id
	Text      string         // with CodeCommandRefused: why
}

// Applied is what one slot did.
type Applied struct {
	Slot          paxos.Slot
	Value         []byte // as given to Apply
	Origin        paxos.Ballot
	Stamp         paxos.Stamp       // of the slot: never goes back
	First         paxos.Offset      // of the slot's entries; Last+1 where it has none
	Last          paxos.Offset      // last offset of the log after it
	Hash          paxos.Hash        // h(Slot)
	Outcomes      []Outcome         // one for each item, in order
	Noop          bool              // no items
	NotOnlyStable bool              // it holds anything but stable commands: another item, or nothing at all
	Mark          bool              // State is set
	State         []byte            // only at a mark: the checkpoint that Restore takes, with the state after the slot
	Membership    *paxos.Membership // newly chosen, or nil
	Stable        paxos.Slot        // newest stable mark after it
	TermStart     paxos.Ballot      // that took effect in it, or zero
}

// Sequencer is the state of one log after some slot.
//
//	I1  last never decreases, and grows by exactly the counts of appended batches.
//	I2  stamp never decreases.
//	I3  members is ascending by From; its first governs the oldest slot that is not stable, its last is the newest chosen.
//	I4  the state is a function of the genesis and the values applied: nothing else reaches it.
type Sequencer struct {
	g        *paxos.Genesis
	through  paxos.Slot
	hash     paxos.Hash
	last     paxos.Offset
	stamp    paxos.Stamp
	level    uint32
	term     paxos.Ballot // highest-ballot term start
	members  []*paxos.Membership
	keepers  *paxos.Keepers
	stable   paxos.Slot
	stableAt paxos.Hash // hash at stable
	onRecord []paxos.Member
	retained paxos.Offset
	sessions sessions
	ids      messageIDs

	decoded []decoded // scratch
	buf     []byte    // scratch
}

// decoded is an item of the value being applied.
type decoded struct {
	kind    value.ItemKind
	batch   value.Batch
	command value.Command
}

// New returns the state before slot 1. h(0) is SHA-256 of the genesis record.
func New(g *paxos.Genesis) *Sequencer {
	first := g.Membership
	keepers := g.Keepers
	return &Sequencer{
		g: g, hash: sha256.Sum256(value.EncodeGenesis(g)), level: g.Level,
		members: []*paxos.Membership{&first}, keepers: &keepers,
		sessions: newSessions(int(g.Sessions), int(g.Outcomes)), ids: newMessageIDs(int(g.MessageIDs)),
	}
}

// Through returns the newest slot applied.
func (s *Sequencer) Through() paxos.Slot { return s.through }

// Next returns the slot that Apply wants next.
func (s *Sequencer) Next() paxos.Slot { return s.through + 1 }

// LastOffset returns the log's last offset; 0 while it is empty.
func (s *Sequencer) LastOffset() paxos.Offset { return s.last }

// Hash returns the running hash at Through.
func (s *Sequencer) Hash() paxos.Hash { return s.hash }

// Stamp returns the newest slot's stamp.
func (s *Sequencer) Stamp() paxos.Stamp { return s.stamp }

// Level returns the format level in force.
func (s *Sequencer) Level() uint32 { return s.level }

// TermStart returns the highest ballot whose term start took effect, or zero.
func (s *Sequencer) TermStart() paxos.Ballot { return s.term }

// Genesis returns the log's founding record.
func (s *Sequencer) Genesis() *paxos.Genesis { return s.g }

// Retained returns the last offset that the log's retention has dropped.
func (s *Sequencer) Retained() paxos.Offset { return s.retained }

// Stable returns the newest stable mark and the running hash at it.
func (s *Sequencer) Stable() (paxos.Slot, paxos.Hash) { return s.stable, s.stableAt }

// OnRecord returns the keepers of the set in force that are stated to hold the stable mark. It is shared: read only.
func (s *Sequencer) OnRecord() []paxos.Member { return s.onRecord }

// Keepers returns the keeper set in force. It is shared: read only.
func (s *Sequencer) Keepers() *paxos.Keepers { return s.keepers }

// Newest returns the newest chosen membership.
func (s *Sequencer) Newest() *paxos.Membership { return s.members[len(s.members)-1] }

// MembershipAt returns the membership that governs slot t. It is false while that is undefined, because a slot at or
// below t-α is not applied yet (PROTOCOL P2), and for old slots that a forgotten membership governed.
func (s *Sequencer) MembershipAt(t paxos.Slot) (*paxos.Membership, bool) {
	if t == 0 || (t > s.through && uint64(t-s.through) > s.g.Window) {
		return nil, false
	}
	for i := len(s.members) - 1; i >= 0; i-- {
		if s.members[i].From <= t {
			return s.members[i], true
		}
	}
	return nil, false
}

// InForce returns the memberships that govern any slot in [Next, Next+α), ascending.
func (s *Sequencer) InForce() []*paxos.Membership {
	first := 0
	for i, m := range s.members {
		if m.From <= s.Next() {
			first = i
		}
	}
	// Each member's From is at most a slot applied plus α, so that all later ones govern within the window.
	return slices.Clone(s.members[first:])
}

// Apply applies the value chosen for slot t, which must be Next. On an error nothing is changed.
func (s *Sequencer) Apply(t paxos.Slot, v []byte) (Applied, error) {
	paxos.Assert(t == s.Next(), "log %q: slot %d applied after slot %d", s.g.Log, t, s.through)
	val, err := s.decode(v)
	if err != nil {
		return Applied{}, fmt.Errorf("log %q slot %d: %w", s.g.Log, t, classify(err))
	}
	a := Applied{Slot: t, Value: v, Origin: val.Origin, First: s.last + 1, Noop: len(val.Items) == 0, NotOnlyStable: len(val.Items) == 0}
	s.stamp = max(s.stamp, val.Stamp)
	a.Stamp = s.stamp
	if len(val.Items) > 0 {
		a.Outcomes = make([]Outcome, len(val.Items))
	}
	dropped := val.Origin.Less(s.term) // by term starts in lower slots only: this slot's own is applied below
	for i := range s.decoded {
		d, o := &s.decoded[i], &a.Outcomes[i]
		o.Item, o.Kind = i, d.kind
		if d.kind == value.ItemBatch {
			o.Checksum, o.Plain, o.MessageID = d.batch.Checksum, d.batch.Plain, d.batch.MessageID != ""
			o.Session, o.Number = d.batch.Session, d.batch.Number
			a.NotOnlyStable = true
		} else {
			o.Command = d.command.Kind()
			a.NotOnlyStable = a.NotOnlyStable || o.Command != value.CommandStable
		}
		switch {
		case dropped:
			o.Code, o.Last = paxos.CodeDropped, s.last
		case d.kind == value.ItemBatch:
			s.batch(&d.batch, o)
		default:
			s.command(d.command, o, &a)
		}
	}
	a.Last = s.last
	s.through = t
	s.forgetMemberships()
	a.Stable = s.stable
	if a.Mark {
		a.State = s.State()
	}
	s.chain(&a)
	clear(s.decoded)
	s.decoded = s.decoded[:0]
	return a, nil
}

// decode reads a value and every item of it before any is applied, so that a slot is applied whole or not at all.
func (s *Sequencer) decode(v []byte) (value.Value, error) {
	s.decoded = s.decoded[:0]
	if s.level > paxos.FormatLevel {
		return value.Value{}, newer(s.level)
	}
	val, err := value.Decode(v)
	if err != nil {
		return val, err
	}
	for i := range val.Items {
		it := &val.Items[i]
		d := decoded{kind: it.Kind}
		if it.Kind == value.ItemBatch {
			d.batch, err = value.DecodeBatch(it.Body)
		} else {
			d.command, err = value.DecodeCommand(it.Body)
		}
		if c, ok := d.command.(*value.SetLevel); ok && c.Level > paxos.FormatLevel {
			err = newer(c.Level)
		}
		if err != nil {
			return val, fmt.Errorf("item %d: %w", i, err)
		}
		s.decoded = append(s.decoded, d)
	}
	return val, nil
}

// newer is the error of a format level that this build does not know.
func newer(level uint32) error {
	return fmt.Errorf("format level %d, this build knows %d: %w", level, paxos.FormatLevel, ErrUpgrade)
}

func classify(err error) error {
	switch {
	case errors.Is(err, ErrUpgrade):
		return err
	case errors.Is(err, value.ErrUnknownCommand), errors.Is(err, value.ErrUnknownVersion):
		return fmt.Errorf("%w: %w", ErrUpgrade, err)
	default:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
}

// chain computes h(t).
func (s *Sequencer) chain(a *Applied) {
	le := binary.LittleEndian
	sum := sha256.Sum256(a.Value)
	b := append(s.buf[:0], s.hash[:]...)
	b = le.AppendUint64(b, uint64(a.Slot))
	b = append(b, sum[:]...)
	b = le.AppendUint64(b, uint64(a.Stamp))
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		b = append(b, uint8(o.Code))
		b = le.AppendUint64(b, uint64(o.Session.Slot))
		b = le.AppendUint32(b, o.Session.Place)
		b = le.AppendUint64(b, o.Number)
		b = le.AppendUint64(b, uint64(o.First))
		b = le.AppendUint32(b, o.Count)
	}
	if a.Mark {
		state := sha256.Sum256(a.State)
		a.State = seal(b, a.State)
		b = append(b, state[:]...)
	}
	s.buf = b
	s.hash = sha256.Sum256(b)
	a.Hash = s.hash
}
