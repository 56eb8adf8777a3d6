package sequencer

import (
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// command decides one command.
func (s *Sequencer) command(c value.Command, o *Outcome, a *Applied) {
	o.Code, o.Last = paxos.CodeCommandDone, s.last
	var refused string
	switch c := c.(type) {
	case *value.Open:
		o.Code = paxos.CodeOpened
		o.Session = paxos.SessionID{Slot: a.Slot, Place: uint32(o.Item)}
		s.sessions.open(o.Session)
	case *value.TermStart:
		s.termStart(o, a)
	case *value.Stable:
		refused = s.setStable(c, a)
	case *value.SetMembership:
		refused = s.setMembership(c, a)
	case *value.SetKeepers:
		refused = s.setKeepers(c)
	case *value.SetLevel:
		if c.Level <= s.level {
			refused = fmt.Sprintf("format level %d is not above the level in force, %d", c.Level, s.level)
			break
		}
		s.level = c.Level
	case *value.Retain:
		if c.Through <= s.retained || c.Through > s.last {
			refused = fmt.Sprintf("retention through offset %d: it is through %d, and the last offset is %d", c.Through, s.retained, s.last)
			break
		}
		s.retained = c.Through
	}
	if refused != "" {
		o.Code, o.Text = paxos.CodeCommandRefused, refused
	}
}

// termStart begins the term of the value's origin (PROTOCOL P6). One at a ballot that already began has no further effect; a
// lower one was dropped before.
func (s *Sequencer) termStart(o *Outcome, a *Applied) {
	if s.term.Less(a.Origin) {
		s.term = a.Origin
		a.TermStart = a.Origin
		o.Code = paxos.CodeTermStart
	}
}

// setStable moves the stable mark (PROTOCOL K2). The proposer has compared the hash with its own; here it is held to what the
// state remembers.
func (s *Sequencer) setStable(c *value.Stable, a *Applied) string {
	switch {
	case c.Slot < s.stable || c.Slot == 0 || c.Slot >= a.Slot:
		return fmt.Sprintf("stable through slot %d: it is through %d, and the command is in slot %d", c.Slot, s.stable, a.Slot)
	case c.Slot == s.stable && c.Hash != s.stableAt:
		return fmt.Sprintf("stable through slot %d with hash %s: it is on record with %s", c.Slot, c.Hash, s.stableAt)
	case len(c.Keepers) < s.keepers.K:
		return fmt.Sprintf("stable through slot %d by %d keepers, want %d", c.Slot, len(c.Keepers), s.keepers.K)
	}
	for i, m := range c.Keepers {
		if i > 0 && c.Keepers[i-1].Name >= m.Name {
			return "stable: keepers must be sorted and distinct"
		}
		if s.keepers.Index(m.Name, m.Incarnation) < 0 {
			return fmt.Sprintf("stable: %q with incarnation %s is no keeper", m.Name, m.Incarnation)
		}
	}
	if c.Slot > s.stable {
		s.onRecord = nil
	}
	// Stated again with more keepers (PROTOCOL K3), those of before stay on record.
	for _, m := range c.Keepers {
		i, found := slices.BinarySearchFunc(s.onRecord, m.Name, func(m paxos.Member, name string) int { return compareNames(m.Name, name) })
		if found {
			s.onRecord = slices.Clone(s.onRecord)
			s.onRecord[i] = m
			continue
		}
		s.onRecord = slices.Insert(slices.Clone(s.onRecord), i, m)
	}
	s.stable, s.stableAt = c.Slot, c.Hash
	a.Mark = a.Mark || c.Mark
	return ""
}

func compareNames(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// maxMemberships bounds the memberships that govern slots which are not stable yet. Each change waits for the one before to be in
// force: this many are far more than a log needs whose keepers are well, and the state counts them in one byte.
const maxMemberships = 64

// setMembership chooses the acceptors of slots from the command's own + α on (PROTOCOL Q7; Lamport, Malkhi, Zhou).
func (s *Sequencer) setMembership(c *value.SetMembership, a *Applied) string {
	newest := s.Newest()
	switch {
	case c.Replaces != newest.Epoch:
		return fmt.Sprintf("membership names epoch %d, the newest chosen is %d", c.Replaces, newest.Epoch)
	case newest.From > a.Slot:
		return fmt.Sprintf("membership epoch %d governs only from slot %d on, and the command is in slot %d", newest.Epoch, newest.From, a.Slot)
	case len(s.members) >= maxMemberships:
		return fmt.Sprintf("%d memberships govern slots above the stable mark, slot %d: wait until the keepers hold more", len(s.members), s.stable)
	}
	m := c.Membership
	m.Epoch = newest.Epoch + 1
	m.From = a.Slot + paxos.Slot(s.g.Window)
	if err := quorum.Validate(&m); err != nil {
		return err.Error()
	}
	if err := quorum.ValidateKeepers(s.keepers, &m); err != nil {
		return "change the keepers first: " + err.Error()
	}
	s.members = append(s.members, &m)
	a.Membership = &m
	return ""
}

// setKeepers replaces the keepers at once (PROTOCOL K3). Removing one is refused unless k of those who stay hold all that
// acceptors may have forgotten.
func (s *Sequencer) setKeepers(c *value.SetKeepers) string {
	if c.Replaces != s.keepers.Epoch {
		return fmt.Sprintf("keepers name epoch %d, the set in force is %d", c.Replaces, s.keepers.Epoch)
	}
	k := c.Keepers
	k.Epoch = s.keepers.Epoch + 1
	for _, m := range s.members {
		if err := quorum.ValidateKeepers(&k, m); err != nil {
			return err.Error()
		}
	}
	if s.stable > 0 {
		stay := 0
		for _, m := range s.onRecord {
			if k.Index(m.Name, m.Incarnation) >= 0 {
				stay++
			}
		}
		if stay < k.K {
			return fmt.Sprintf("%d of the new keepers are on record at the stable mark, slot %d, want %d: add keepers first, and wait until they are stated", stay, s.stable, k.K)
		}
	}
	s.keepers = &k
	// Who is no keeper any more leaves the record: were it to come back, it would count only once stated again.
	s.onRecord = slices.DeleteFunc(slices.Clone(s.onRecord), func(m paxos.Member) bool { return k.Index(m.Name, m.Incarnation) < 0 })
	return ""
}

// MayGo reports whether an acceptor may be retired (PROTOCOL K4): every slot of every membership that lists it is stable. One that no
// membership ever listed may go too.
func (s *Sequencer) MayGo(m paxos.Member) bool {
	for _, x := range s.members {
		if x.Index(m.Name, m.Incarnation) >= 0 {
			return false
		}
	}
	return true
}

// forgetMemberships drops memberships all of whose slots are stable: nobody asks their acceptors any more.
func (s *Sequencer) forgetMemberships() {
	n := 0
	for n+1 < len(s.members) && s.members[n+1].From <= s.stable+1 {
		n++
	}
	if n > 0 {
		s.members = slices.Clone(s.members[n:])
	}
}
