package node

import (
	"errors"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// stored returns a store that holds the chain's slots, and what it tells of them.
func stored(t *testing.T, build func(c *chain, keep func(*sequencer.Applied))) (*lateStore, *StoredLog, *chain) {
	t.Helper()
	c, s := newChain(t), &lateStore{}
	l := &StoredLog{Log: "orders", Genesis: testGenesis().ID, Record: value.EncodeGenesis(testGenesis()), State: paxos.LogLive, Start: 1}
	build(c, func(a *sequencer.Applied) {
		s.keep(a)
		l.Through, l.Hash, l.Last = a.Slot, a.Hash, a.Last
		if a.Mark {
			p := StoredCheckpoint{Slot: a.Slot, Hash: a.Hash, Last: a.Last, State: a.State}
			s.points, l.Checkpoint, l.Marks = append(s.points, p), p, append(l.Marks, a.Slot)
		}
	})
	return s, l, c
}

func TestRestoreReplays(t *testing.T) {
	for _, mark := range []bool{false, true} {
		s, l, c := stored(t, func(c *chain, keep func(*sequencer.Applied)) {
			keep(c.entries(1, "a", "b"))
			keep(c.noop(2))
			keep(c.stable(3, 1, paxos.Hash{}, mark))
			keep(c.entries(4, "c"))
		})
		if (l.Checkpoint.Slot == 3) != mark {
			t.Fatalf("mark %v: checkpoint at %d", mark, l.Checkpoint.Slot)
		}
		g, seq, err := restore(s, l)
		if err != nil || g.ID != l.Genesis {
			t.Fatal(err)
		}
		if seq.Through() != 4 || seq.Hash() != c.seq.Hash() || seq.LastOffset() != c.seq.LastOffset() || string(seq.State()) != string(c.seq.State()) {
			t.Fatalf("restored slot %d, last %d", seq.Through(), seq.LastOffset())
		}
	}
}

// TestRestoreRefusesWhatContradictsItself: a slot that is missing, changed, or out of place ends the start; nothing is skipped.
func TestRestoreRefusesWhatContradictsItself(t *testing.T) {
	for _, x := range []struct {
		name   string
		damage func(*lateStore, *StoredLog)
	}{
		{"a hole", func(s *lateStore, _ *StoredLog) { s.slots = append(s.slots[:1], s.slots[2:]...) }},
		{"a missing end", func(s *lateStore, _ *StoredLog) { s.slots = s.slots[:2] }},
		{"another value", func(s *lateStore, _ *StoredLog) { s.slots[1].Value = s.slots[0].Value }},
		{"another hash", func(s *lateStore, _ *StoredLog) { s.slots[2].Hash[0]++ }},
		{"no genesis", func(_ *lateStore, l *StoredLog) { l.Record = l.Record[:20] }},
		{"a checkpoint that is none", func(_ *lateStore, l *StoredLog) {
			l.Checkpoint = StoredCheckpoint{Slot: 1, Hash: paxos.Hash{1}, State: []byte("junk")}
		}},
		{"an unreadable store", func(s *lateStore, _ *StoredLog) { s.readErr = errors.New("checksum") }},
	} {
		s, l, _ := stored(t, func(c *chain, keep func(*sequencer.Applied)) {
			keep(c.entries(1, "a"))
			keep(c.entries(2, "b"))
			keep(c.entries(3, "c"))
		})
		x.damage(s, l)
		if _, _, err := restore(s, l); err == nil {
			t.Errorf("%s: restored", x.name)
		}
	}
}

// reopened returns a learner's log after a start on what the store holds.
func reopened(t *testing.T, s *lateStore, l *StoredLog) *learnerLog {
	t.Helper()
	s.logs = []StoredLog{*l}
	svc := NewLearner(LearnerConfig{Cluster: "main", Name: "l1", Incarnation: members("l1")[0].Incarnation, Store: s, Transport: newRecorder(), Learners: []string{"l1", "l2"}})
	t.Cleanup(svc.Stop)
	if err := svc.restore(); err != nil {
		t.Fatal(err)
	}
	return svc.logs[l.Genesis]
}

func TestReopenFromTheBeginning(t *testing.T) {
	s, l, c := stored(t, func(c *chain, keep func(*sequencer.Applied)) { keep(c.entries(1, "a", "b")) })
	g := reopened(t, s, l)
	if mk := g.view.marks(); mk != (marks{through: 1, last: 2, start: 1, first: 1}) {
		t.Fatalf("%+v", mk)
	}
	if r := g.report.Newest(); r.Slot != 1 || r.Hash != c.seq.Hash() || r.Start != 1 {
		t.Fatalf("reports %+v", g.report)
	}
}

// TestReopenFromACheckpoint: the first offset is found from the checkpoint that the copy was begun from, or, where newer ones
// took its place, from the first slot.
func TestReopenFromACheckpoint(t *testing.T) {
	build := func(slots int) (*lateStore, *StoredLog) {
		s, l, _ := stored(t, func(c *chain, keep func(*sequencer.Applied)) {
			keep(c.entries(10, "a", "b", "c"))
			keep(c.stable(20, 1, paxos.Hash{}, true))
			for range slots {
				keep(c.entries(30, "d"))
			}
			if slots > 0 {
				keep(c.stable(40, 2, paxos.Hash{}, true))
			}
		})
		s.slots, l.Start = s.slots[2:], 3 // begun from the mark at 2
		return s, l
	}
	s, l := build(0)
	g := reopened(t, s, l)
	if mk := g.view.marks(); mk != (marks{through: 2, last: 3, start: 3, first: 4}) || g.view.stamp != 20 {
		t.Fatalf("only a checkpoint: %+v, stamp %d", mk, g.view.stamp)
	}
	s, l = build(2)
	s.points = s.points[1:]
	g = reopened(t, s, l)
	if mk := g.view.marks(); mk != (marks{through: 5, last: 5, start: 3, first: 4}) || g.view.stamp != stampUnknown {
		t.Fatalf("its checkpoint forgotten: %+v, stamp %d", mk, g.view.stamp)
	}
	if len(g.marks) != 2 || g.report.Newest().Start != 3 || g.report.Newest().Slot != 5 {
		t.Fatalf("marks %v, report %+v", g.marks, g.report)
	}
	// Nobody can join onto the first slot: the hash before it is not known here any more (PROTOCOL L5).
	a := fetchFrom(t, g, &paxos.Fetch{What: paxos.FetchChosen, From: 3, To: 9})
	if len(a.Values) != 0 || a.Start != 4 {
		t.Fatalf("fetch of slot 3: %+v", a)
	}
	a = fetchFrom(t, g, &paxos.Fetch{What: paxos.FetchChosen, From: 4, To: 9})
	if len(a.Values) != 2 || a.Before != s.slots[0].Hash || a.After != l.Hash || a.Start != 3 {
		t.Fatalf("fetch of slot 4: %+v", a)
	}
}

func fetchFrom(t *testing.T, g *learnerLog, m *paxos.Fetch) *paxos.FetchAnswer {
	t.Helper()
	tr := g.svc.cfg.Transport.(*recorder)
	tr.take()
	g.svc.fetch(&paxos.Envelope{Log: g.log, Genesis: g.id, Reply: "x"}, m, g.view, g.gen)
	sent := tr.take()
	if len(sent) != 1 {
		t.Fatalf("%d answers", len(sent))
	}
	return sent[0].Msg.(*paxos.FetchAnswer)
}

// TestL5DivergedCopyStaysUnserved, through every start.
func TestL5DivergedCopyStaysUnserved(t *testing.T) {
	for _, slots := range []int{0, 1} {
		s, l, _ := stored(t, func(c *chain, keep func(*sequencer.Applied)) {
			for range slots {
				keep(c.entries(1, "a"))
			}
		})
		l.Diverged = "another hash"
		g := reopened(t, s, l)
		if !g.view.marks().stopped || g.status().Stopped != l.Diverged {
			t.Fatalf("served: %+v", g.status())
		}
		if g.core.Sequencer().Keepers().Index("l1", g.svc.cfg.Incarnation) < 0 {
			t.Fatal("no keeper")
		}
		if g.tickReport(1 << 40); len(g.svc.envs) != 0 {
			t.Fatal("reports")
		}
	}
}

// TestQ6OneLogStopsAtAnUpgrade: a log that a newer version has written stops here; the process and its other logs go on.
func TestQ6OneLogStopsAtAnUpgrade(t *testing.T) {
	s, l, _ := stored(t, func(c *chain, keep func(*sequencer.Applied)) {
		a := c.entries(1, "a")
		a.Value = append([]byte(nil), a.Value...)
		a.Value[0] = 0xee // a value layout to come
		keep(a)
	})
	g := reopened(t, s, l)
	if st := g.status(); st.Stopped == "" || st.Begun {
		t.Fatalf("%+v", st)
	}
	if g.svc.source(l.Genesis) != nil {
		t.Fatal("readers are served")
	}
	for range 300 {
		g.tick(paxos.Instant(paxos.Second))
	}
}
