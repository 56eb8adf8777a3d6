package sequencer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// The canonical encoding of a state: equal states have equal bytes, whatever led to them. Stored, hashed and sent: never change,
// only add under a new version.
//
//	version u8 │ slot │ last offset │ stamp │ level u32 │ term start ballot │ retained
//	stable slot, hash │ on record: members │ keepers │ memberships (u8 count, oldest first)
//	sessions (u32 count, least recently used first): id, last number, outcomes (u32 count, oldest first)
//	message ids (u32 count, oldest first): id (u16 length), first, count
//
// Integers are u64, little-endian, where no width is given. The running hash is not in it: it is stored beside it.
const stateVersion = 1

// State returns the canonical encoding of the state after Through.
func (s *Sequencer) State() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, s.stateSize()), stateVersion)
	b = le.AppendUint64(b, uint64(s.through))
	b = le.AppendUint64(b, uint64(s.last))
	b = le.AppendUint64(b, uint64(s.stamp))
	b = le.AppendUint32(b, s.level)
	b = value.AppendBallot(b, s.term)
	b = le.AppendUint64(b, uint64(s.retained))
	b = le.AppendUint64(b, uint64(s.stable))
	b = append(b, s.stableAt[:]...)
	b = value.AppendMembers(b, s.onRecord)
	b = value.AppendKeepers(b, s.keepers)
	b = append(b, uint8(len(s.members)))
	for _, m := range s.members {
		b = value.AppendMembership(b, m)
	}
	b = s.sessions.encode(b)
	return s.ids.encode(b)
}

// stateSize is about the bytes of State: megabytes, where a log is full, which should not be moved as they grow.
func (s *Sequencer) stateSize() int {
	const head, membership, member, session, outcome, id = 256, 20, 1 + paxos.MaxNameBytes + 16, 24, 29, 14 + 36
	n := head + member*(len(s.onRecord)+len(s.keepers.Members)) + id*len(s.ids.ring)
	for _, m := range s.members {
		n += membership + member*len(m.Acceptors)
	}
	for x := s.sessions.oldest; x != nil; x = x.newer {
		n += session + outcome*len(x.ring)
	}
	return n
}

func (s *sessions) encode(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(len(s.byID)))
	for n := s.oldest; n != nil; n = n.newer {
		b = le.AppendUint64(b, uint64(n.id.Slot))
		b = le.AppendUint32(b, n.id.Place)
		b = le.AppendUint64(b, n.last)
		b = le.AppendUint32(b, uint32(len(n.ring)))
		for i := range uint64(len(n.ring)) {
			k := n.outcome(n.last-uint64(len(n.ring))+1+i, s.outcomes)
			b = le.AppendUint64(b, uint64(k.checksum))
			b = append(b, uint8(k.code))
			b = le.AppendUint64(b, uint64(k.first))
			b = le.AppendUint32(b, k.count)
			b = le.AppendUint64(b, uint64(k.last))
		}
	}
	return b
}

func (m *messageIDs) encode(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(len(m.ring)))
	m.each(func(id string, e idEntry) {
		b = le.AppendUint16(b, uint16(len(id)))
		b = append(b, id...)
		b = le.AppendUint64(b, uint64(e.first))
		b = le.AppendUint32(b, e.count)
	})
	return b
}

// seal makes a checkpoint: what h(mark) was computed over before the state's hash, then the state. Whoever vouches for h(mark) so
// vouches for the state too.
//
//	length u32 │ h(mark-1) │ mark │ SHA-256(value) │ stamp │ outcomes │ state
func seal(before, state []byte) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(before)+len(state)), uint32(len(before)))
	return append(append(b, before...), state...)
}

// unseal returns the state in a checkpoint, if hash was computed over it.
func unseal(hash paxos.Hash, checkpoint []byte) ([]byte, error) {
	r := value.NewReader(checkpoint)
	before := r.Take(int(r.U32()))
	if r.Bad() {
		return nil, fmt.Errorf("checkpoint of %d bytes: %w", len(checkpoint), ErrState)
	}
	state := checkpoint[4+len(before):]
	sum := sha256.Sum256(state)
	if paxos.Hash(sha256.Sum256(append(slices.Clip(before), sum[:]...))) != hash {
		return nil, fmt.Errorf("the running hash at its slot does not cover it: %w", ErrState)
	}
	return state, nil
}

// Restore returns the state of a checkpoint after slot, a mark whose running hash is given. The bytes may come from anyone: they
// are held to hash, which others vouch for (docs/protocol.md, "Stores").
func Restore(g *paxos.Genesis, slot paxos.Slot, hash paxos.Hash, checkpoint []byte) (*Sequencer, error) {
	state, err := unseal(hash, checkpoint)
	if err != nil {
		return nil, fmt.Errorf("log %q slot %d: %w", g.Log, slot, err)
	}
	return restore(g, slot, hash, state)
}

// restore returns the state that State has encoded after slot.
func restore(g *paxos.Genesis, slot paxos.Slot, hash paxos.Hash, state []byte) (*Sequencer, error) {
	s := New(g)
	s.hash = hash
	r := value.NewReader(state)
	if v := r.U8(); v != stateVersion {
		return nil, fmt.Errorf("log %q: state version %d: %w", g.Log, v, ErrState)
	}
	s.through = paxos.Slot(r.U64())
	s.last = paxos.Offset(r.U64())
	s.stamp = paxos.Stamp(r.U64())
	s.level = r.U32()
	s.term = r.Ballot()
	s.retained = paxos.Offset(r.U64())
	s.stable = paxos.Slot(r.U64())
	copy(s.stableAt[:], r.Take(len(s.stableAt)))
	if ms := r.Members(paxos.MaxKeepers); len(ms) > 0 {
		s.onRecord = ms
	}
	k := r.Keepers()
	s.keepers = &k
	s.members = nil
	for n := r.U8(); n > 0 && !r.Bad(); n-- {
		m := r.Membership()
		s.members = append(s.members, &m)
	}
	s.sessions.decode(r)
	s.ids.decode(r)
	if err := r.End("state"); err != nil {
		return nil, fmt.Errorf("log %q: %w: %w", g.Log, ErrState, err)
	}
	if err := s.plausible(slot); err != nil {
		return nil, fmt.Errorf("log %q: %w: %w", g.Log, ErrState, err)
	}
	return s, nil
}

func (s *sessions) decode(r *value.Reader) {
	n := r.U32()
	if uint64(n) > uint64(s.limit) {
		r.Fail()
		return
	}
	for ; n > 0 && !r.Bad(); n-- {
		x := &session{id: paxos.SessionID{Slot: paxos.Slot(r.U64()), Place: r.U32()}, last: r.U64()}
		count := uint64(r.U32())
		if count > uint64(s.outcomes) || count > x.last || (count < uint64(s.outcomes) && count != x.last) || x.id.Slot == 0 || s.byID[x.id] != nil {
			r.Fail()
			return
		}
		ring := make([]kept, 0, min(count, 64))
		for range count {
			if r.Bad() {
				return
			}
			ring = append(ring, kept{
				checksum: paxos.Checksum(r.U64()), code: paxos.Code(r.U8()), first: paxos.Offset(r.U64()),
				count: r.U32(), last: paxos.Offset(r.U64()),
			})
		}
		// The oldest kept outcome is that of number last-count+1; each goes to its own place in the ring.
		x.ring = make([]kept, len(ring))
		for i := range ring {
			*x.outcome(x.last-count+1+uint64(i), s.outcomes) = ring[i]
		}
		s.push(x)
	}
}

func (m *messageIDs) decode(r *value.Reader) {
	n := int(r.U32())
	if n > m.limit {
		r.Fail()
		return
	}
	for range n {
		id := string(r.Take(int(r.U16())))
		e := idEntry{first: paxos.Offset(r.U64()), count: r.U32()}
		if _, twice := m.byID[id]; r.Bad() || twice || id == "" {
			r.Fail()
			return
		}
		m.ring = append(m.ring, id)
		m.byID[id] = e
	}
}

// plausible checks what every state of a log has in common. A checkpoint comes from one learner, and is used to find those
// who vouch for it: it must not name quorums of nobody.
func (s *Sequencer) plausible(slot paxos.Slot) error {
	switch {
	case s.through != slot:
		return fmt.Errorf("it is of slot %d, not %d", s.through, slot)
	case s.stable > 0 && s.stable >= s.through:
		return fmt.Errorf("stable through slot %d, after slot %d", s.stable, s.through)
	case s.retained > s.last:
		return fmt.Errorf("retention through offset %d of %d", s.retained, s.last)
	case s.level < s.g.Level:
		return fmt.Errorf("format level %d, below the log's first, %d", s.level, s.g.Level)
	case s.level > paxos.FormatLevel:
		return fmt.Errorf("format level %d: %w", s.level, ErrUpgrade)
	}
	if err := s.plausibleMembers(); err != nil {
		return err
	}
	for i, m := range s.onRecord {
		if s.keepers.Index(m.Name, m.Incarnation) < 0 || (i > 0 && s.onRecord[i-1].Name >= m.Name) {
			return fmt.Errorf("%q is on record at slot %d out of its order, or is no keeper", m.Name, s.stable)
		}
	}
	for x := s.sessions.oldest; x != nil; x = x.newer {
		if x.id.Slot > s.through {
			return fmt.Errorf("session %s after slot %d", x.id, s.through)
		}
	}
	return nil
}

func (s *Sequencer) plausibleMembers() error {
	if n := len(s.members); n == 0 || n > maxMemberships || s.members[0].From > s.stable+1 {
		return fmt.Errorf("%d memberships, want 1 to %d, the first of which governs slot %d", n, maxMemberships, s.stable+1)
	}
	for i, m := range s.members {
		if i > 0 && (m.From <= s.members[i-1].From || m.Epoch != s.members[i-1].Epoch+1) {
			return fmt.Errorf("membership epoch %d after %d", m.Epoch, s.members[i-1].Epoch)
		}
		if i > 0 && m.From <= s.stable+1 {
			return fmt.Errorf("membership epoch %d should be forgotten", s.members[i-1].Epoch)
		}
		if m.From > s.through && uint64(m.From-s.through) > s.g.Window {
			return fmt.Errorf("membership epoch %d governs only from slot %d on", m.Epoch, m.From)
		}
		if err := quorum.Validate(m); err != nil {
			return fmt.Errorf("membership epoch %d: %w", m.Epoch, err)
		}
		if err := quorum.ValidateKeepers(s.keepers, m); err != nil {
			return fmt.Errorf("keepers under membership epoch %d: %w", m.Epoch, err)
		}
	}
	return nil
}
