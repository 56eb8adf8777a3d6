package sequencer

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// author writes random histories that go to the edges: resends, numbers around the window of outcomes, sessions that ended,
// ids about to be forgotten, origins around the term, changes of members and keepers, right and wrong.
type author struct {
	t      *rapid.T
	o      *oracle
	opened []paxos.SessionID // ended ones too
	sent   []value.Batch
}

func (w *author) int(low, high int) int { return rapid.IntRange(low, high).Draw(w.t, "n") }

func (w *author) chance(percent int) bool { return w.int(1, 100) <= percent }

// near returns a number around n.
func (w *author) near(n uint64, by int) uint64 { return uint64(max(0, int(n)+w.int(-by, by))) }

func (w *author) batch() value.Batch {
	if len(w.sent) > 0 && w.chance(25) { // byte-identical
		return w.sent[w.int(max(0, len(w.sent)-8), len(w.sent)-1)]
	}
	b := value.Batch{Count: uint32(w.int(0, 3))}
	if len(w.opened) > 0 && w.chance(70) {
		b.Session = w.opened[w.int(max(0, len(w.opened)-5), len(w.opened)-1)]
		b.Number = w.number(b.Session)
	} else if w.chance(10) {
		b.Session, b.Number = paxos.SessionID{Slot: paxos.Slot(w.int(1, 99)), Place: 7}, 1
	} else if b.Plain = b.Count == 1; b.Plain {
		b.Frames = []byte{uint8(w.int(0, 3))}
	}
	if w.chance(40) {
		b.MessageID = fmt.Sprintf("id%d", w.int(0, 7))
	}
	if w.chance(30) {
		b.HasExpect, b.Expect = true, paxos.Offset(w.near(uint64(w.o.last), 2))
	}
	return b
}

// number is mostly the session's next one.
func (w *author) number(id paxos.SessionID) uint64 {
	last := 0
	for _, s := range w.o.used {
		if s.id == id {
			last = len(s.outcomes)
		}
	}
	if w.chance(70) {
		return uint64(last) + 1
	}
	return max(1, w.near(uint64(last), int(w.o.g.Outcomes)+2))
}

// some returns most of these, now and then out of order or of another incarnation.
func (w *author) some(names ...string) []paxos.Member {
	var who []string
	for _, n := range names {
		if w.chance(70) {
			who = append(who, n)
		}
	}
	ms := members(who...)
	if len(ms) > 1 && w.chance(5) {
		ms[0], ms[1] = ms[1], ms[0]
	}
	if len(ms) > 0 && w.chance(5) {
		ms[0].Incarnation[15]++
	}
	return ms
}

func (w *author) command() value.Command {
	switch k := w.int(1, 100); {
	case k <= 25:
		return &value.Open{Client: "c", Token: uint64(w.int(0, 3))}
	case k <= 40:
		return &value.TermStart{}
	case k <= 65:
		s := &value.Stable{Slot: paxos.Slot(w.near(uint64(w.o.stable), 4)), Mark: w.chance(40)}
		if w.chance(30) {
			s.Slot = paxos.Slot(w.near(uint64(w.o.slot), 2))
		}
		s.Hash = paxos.Hash{uint8(s.Slot)}
		if w.chance(5) {
			s.Hash[1] = 1
		}
		s.Keepers = w.some("l1", "l2", "l3", "l4")
		return s
	case k <= 80:
		c := &value.SetMembership{Replaces: paxos.Epoch(len(w.o.members))}
		if w.chance(15) {
			c.Replaces = paxos.Epoch(w.near(uint64(c.Replaces), 1))
		}
		c.Membership.Acceptors = w.some("a", "b", "c", "d", "e")
		n := len(c.Membership.Acceptors)
		c.Membership.Read, c.Membership.Write = n/2+1, n/2+1
		if w.chance(10) {
			c.Membership.Write = w.int(0, 5)
		}
		return c
	case k <= 92:
		c := &value.SetKeepers{Replaces: w.o.keepers.Epoch}
		if w.chance(15) {
			c.Replaces = paxos.Epoch(w.near(uint64(c.Replaces), 1))
		}
		c.Keepers = paxos.Keepers{Members: w.some("l1", "l2", "l3", "l4"), K: w.int(1, 3)}
		return c
	case k <= 95:
		return &value.SetLevel{Level: uint32(w.int(0, 1))}
	default:
		return &value.Retain{Through: paxos.Offset(w.near(uint64(w.o.last), 3))}
	}
}

// advise asks for advice on the first item, if it is a batch that will not be dropped. Asking must change nothing.
func (w *author) advise(s *Sequencer, v *value.Value, meant []oracleItem) (Outcome, bool) {
	if len(meant) == 0 || meant[0].batch == nil || v.Origin.Less(w.o.term(w.o.slot+1)) {
		return Outcome{}, false
	}
	b, err := value.DecodeBatch(v.Items[0].Body)
	if err != nil {
		w.t.Fatal(err)
	}
	before := s.State()
	advice, final := s.Advise(&b)
	if !bytes.Equal(before, s.State()) {
		w.t.Fatal("advice changed the state")
	}
	return advice, final
}

// slot returns the items of one slot, for both twins.
func (w *author) slot() (items []value.Item, meant []oracleItem) {
	for range w.int(0, 4) {
		if w.chance(60) {
			b := w.batch()
			b.Tail = b.Count == 0
			if b.Tail {
				b.Frames = nil
			}
			items = append(items, value.Item{Kind: value.ItemBatch, Body: value.EncodeBatch(nil, &b)})
			meant = append(meant, oracleItem{batch: &b})
			w.sent = append(w.sent, b)
			continue
		}
		c := w.command()
		if _, ok := c.(*value.Open); ok {
			w.opened = append(w.opened, paxos.SessionID{Slot: w.o.slot + 1, Place: uint32(len(items))})
		}
		items = append(items, commandItem(c))
		meant = append(meant, oracleItem{command: c})
	}
	return items, meant
}

// TestTwin holds the Sequencer to its oracle over random histories: outcomes, offsets, memberships, running hash, and the
// canonical state, byte by byte, after every slot. Now and then the Sequencer is replaced by one restored from its own state or
// from a mark's checkpoint, which must go on exactly alike.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := testGenesis()
		g.Window = uint64(rapid.SampledFrom([]int{1, 3, 10}).Draw(t, "window"))
		g.Sessions = rapid.Uint32Range(1, 3).Draw(t, "sessions")
		g.Outcomes = rapid.Uint32Range(1, 4).Draw(t, "outcomes")
		g.MessageIDs = rapid.Uint32Range(0, 4).Draw(t, "ids")
		o, s := newOracle(g), New(g)
		w := &author{t: t, o: o}
		for range rapid.IntRange(1, 60).Draw(t, "slots") {
			items, meant := w.slot()
			v := value.Value{Origin: ballot(uint64(w.int(1, 4))), Stamp: paxos.Stamp(w.int(-2, 50)), Items: items}
			raw := value.Encode(nil, &v)
			before := o.last
			advice, final := w.advise(s, &v, meant)
			want := o.apply(v.Origin, v.Stamp, meant, raw)
			a, err := s.Apply(s.Next(), raw)
			if err != nil {
				t.Fatal(err)
			}
			sameApplied(t, o, &a, &want, before, &v)
			if final && advice != a.Outcomes[0] {
				t.Fatalf("advice %+v, outcome %+v", advice, a.Outcomes[0])
			}
			sameState(t, o, s)
			switch {
			case a.Mark && w.chance(50):
				s, err = Restore(g, a.Slot, a.Hash, a.State)
			case w.chance(10):
				s, err = restore(g, a.Slot, a.Hash, s.State())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func sameApplied(t *rapid.T, o *oracle, a *Applied, want *oracleApplied, before paxos.Offset, v *value.Value) {
	t.Helper()
	for i := range a.Outcomes {
		got := a.Outcomes[i]
		if (got.Text != "") != (got.Code == paxos.CodeCommandRefused) {
			t.Fatalf("slot %d item %d: code %d with text %q", a.Slot, i, got.Code, got.Text)
		}
		got.Text = ""
		if got != want.outcomes[i] {
			t.Fatalf("slot %d item %d:\n got %+v\nwant %+v\ntext %q", a.Slot, i, got, want.outcomes[i], a.Outcomes[i].Text)
		}
	}
	switch {
	case len(a.Outcomes) != len(want.outcomes), a.Slot != o.slot, a.Origin != v.Origin, a.Stamp != o.stamp(),
		a.First != before+1, a.Last != o.last, a.Hash != paxos.Hash(want.hash), a.Mark != want.mark, (a.State != nil) != want.mark,
		a.Stable != o.stable, a.TermStart != want.termStart, a.Noop != (len(v.Items) == 0):
		t.Fatalf("slot %d: %+v\noracle %+v", a.Slot, a, want)
	case (a.Membership != nil) != (want.chosen != nil):
		t.Fatalf("slot %d: membership %+v, want %+v", a.Slot, a.Membership, want.chosen)
	}
	solid := len(v.Items) == 0
	for i := range a.Outcomes {
		solid = solid || a.Outcomes[i].Command != value.CommandStable
	}
	if a.NotOnlyStable != solid {
		t.Fatalf("slot %d: NotOnlyStable %t", a.Slot, a.NotOnlyStable)
	}
}

func sameState(t *rapid.T, o *oracle, s *Sequencer) {
	t.Helper()
	if got, want := s.State(), o.state(); !bytes.Equal(got, want) {
		t.Fatalf("state after slot %d:\n%x\n%x", o.slot, got, want)
	}
	if s.Through() != o.slot || s.LastOffset() != o.last || s.Hash() != paxos.Hash(o.hash) || s.TermStart() != o.term(o.slot+1) ||
		s.Stamp() != o.stamp() || s.Retained() != o.kept {
		t.Fatalf("after slot %d: through %d, last %d, term %s, stamp %d", o.slot, s.Through(), s.LastOffset(), s.TermStart(), s.Stamp())
	}
	for slot := o.stable + 1; slot <= o.slot+paxos.Slot(o.g.Window)+2; slot++ {
		m, ok := s.MembershipAt(slot)
		if want := o.at(slot); ok != (want != nil) || (ok && m.Epoch != want.Epoch) {
			t.Fatalf("membership at %d after slot %d: %+v, want %+v", slot, o.slot, m, want)
		}
	}
	seen := map[paxos.Epoch]bool{}
	for slot := s.Next(); slot < s.Next()+paxos.Slot(o.g.Window); slot++ {
		seen[o.at(slot).Epoch] = true
	}
	for i, m := range s.InForce() {
		if !seen[m.Epoch] || (i > 0 && s.InForce()[i-1].From >= m.From) {
			t.Fatalf("after slot %d: epoch %d is not in force", o.slot, m.Epoch)
		}
		delete(seen, m.Epoch)
	}
	if len(seen) > 0 {
		t.Fatalf("after slot %d: %v are in force, too", o.slot, seen)
	}
}
