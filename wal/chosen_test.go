package wal

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// chosenModel is what Chosen should be for one log: a list.
type chosenModel struct {
	start       paxos.Slot
	slots       []paxos.Record
	checkpoints []paxos.Record
}

func (m *chosenModel) last() (slot paxos.Slot, last paxos.Offset) {
	if n := len(m.slots); n > 0 {
		return m.slots[n-1].Slot, m.slots[n-1].Last
	}
	if n := len(m.checkpoints); n > 0 && m.start > 1 {
		return m.checkpoints[0].Slot, m.checkpoints[0].Last
	}
	return m.start - 1, 0
}

// next draws the slot after the last one: with none, one or some entries.
func (m *chosenModel) next(t *rapid.T) paxos.Record {
	slot, last := m.last()
	entries := rapid.SampledFrom([]paxos.Offset{0, 0, 1, 3, 50}).Draw(t, "entries")
	size := rapid.SampledFrom([]int{0, 10, 500, 40_000}).Draw(t, "size")
	r := chosenRecord(slot+1, last+1, last+entries, valueOf(slot+1, size))
	r.Stamp = paxos.Stamp((slot + 1) / 3 * 10) // some slots share one
	if entries == 0 {
		r.Ballot = paxos.Ballot{}
	}
	return r
}

func TestChosenAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fsys := vfs.NewCrashableMem()
		c := openChosen(t, fsys)
		apply(t, c, stateRecord())
		m := &chosenModel{start: 1}
		if rapid.Bool().Draw(rt, "from a checkpoint") {
			cp := checkpointRecord(100, []byte("begun from"))
			cp.Last, cp.Stamp = 1000, 330
			apply(t, c, cp)
			m.start, m.checkpoints = 101, append(m.checkpoints, cp)
		}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				closeStore(t, c)
				c = openChosen(t, fsys)
			case 1:
				after := crash(fsys, rapid.Uint64().Draw(rt, "seed"), 40)
				closeStore(t, c)
				fsys = after
				c = openChosen(t, fsys)
			case 2:
				if len(m.slots) == 0 {
					continue
				}
				s := m.slots[len(m.slots)-1]
				cp := checkpointRecord(s.Slot, []byte(fmt.Sprintf("state %d", s.Slot)))
				cp.Hash, cp.Last, cp.Stamp = s.Hash, s.Last, s.Stamp
				apply(t, c, cp)
				if n := len(m.checkpoints); n > 0 && m.checkpoints[n-1].Slot == cp.Slot {
					m.checkpoints = m.checkpoints[:n-1]
				}
				m.checkpoints = append(m.checkpoints, cp)
			case 3:
				if n := len(m.checkpoints); n > 1 {
					keep := rapid.IntRange(0, n-1).Draw(rt, "keep from")
					apply(t, c, paxos.Record{Kind: paxos.RecordForget, Log: testName, Genesis: testGenesis, Slot: m.checkpoints[keep].Slot})
					m.checkpoints = m.checkpoints[keep:]
					if keep > 0 && len(m.slots) == 0 {
						rt.Fatal("the only checkpoint was dropped")
					}
				}
			default:
				var recs []paxos.Record
				for range rapid.IntRange(1, 5).Draw(rt, "slots") {
					r := m.next(rt)
					recs = append(recs, r)
					m.slots = append(m.slots, r)
				}
				apply(t, c, recs...)
			}
			m.check(t, rt, c)
		}
		closeStore(t, c)
	})
}

func (m *chosenModel) check(t *testing.T, rt *rapid.T, c *Chosen) {
	logs, err := c.Load()
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	l := logs[0]
	through, last := m.last()
	if l.Start != m.start || l.Through != through || l.Last != last {
		rt.Fatalf("store has [%d, %d] and last offset %d, model [%d, %d] and %d", l.Start, l.Through, l.Last, m.start, through, last)
	}
	var newest *paxos.Record
	if n := len(m.checkpoints); n > 0 {
		newest = &m.checkpoints[n-1]
	}
	if (l.Checkpoint == nil) != (newest == nil) || newest != nil && (l.Checkpoint.Slot != newest.Slot || string(l.Checkpoint.State) != string(newest.Body)) {
		rt.Fatalf("newest checkpoint is %+v, model has %+v", l.Checkpoint, newest)
	}
	i := 0
	err = c.Values(testGenesis, 0, paxos.MaxSlot, 0, func(s *Slot) error {
		if i >= len(m.slots) {
			rt.Fatalf("slot %d is one too many", s.Slot)
		}
		if diff := differs(s, &m.slots[i]); diff != "" {
			rt.Fatal(diff)
		}
		i++
		return nil
	})
	if err != nil || i != len(m.slots) {
		rt.Fatalf("%d slots of %d, %v", i, len(m.slots), err)
	}
	m.checkSearches(rt, c)
}

func differs(s *Slot, r *paxos.Record) string {
	if s.Slot != r.Slot || s.Ballot != r.Ballot || s.Stamp != r.Stamp || s.First != r.First || s.Last != r.Last || s.Hash != r.Hash ||
		string(s.Body) != string(r.Body) || string(s.Value) != string(r.Value) || s.Checksum != paxos.Sum(r.Value) {
		return fmt.Sprintf("stored %+v, recorded %+v", *s, *r)
	}
	return ""
}

// checkSearches compares each kind of look-up with a walk over the list.
func (m *chosenModel) checkSearches(rt *rapid.T, c *Chosen) {
	_, last := m.last()
	at := paxos.Offset(rapid.Uint64Range(0, uint64(last)+2).Draw(rt, "offset"))
	stamp := paxos.Stamp(rapid.Int64Range(-1, 700).Draw(rt, "stamp"))
	below := paxos.Slot(rapid.Uint64Range(0, 150).Draw(rt, "slot"))
	var slotOf, slotAt, markBelow paxos.Slot
	var hash paxos.Hash
	for _, r := range m.slots {
		if slotOf == 0 && r.First <= at && at <= r.Last {
			slotOf = r.Slot
		}
		if slotAt == 0 && r.Stamp >= stamp {
			slotAt = r.Slot
		}
		if r.Slot == below {
			hash = r.Hash
		}
	}
	for _, cp := range m.checkpoints {
		if cp.Slot <= below {
			markBelow = cp.Slot
		}
		if cp.Slot == below {
			hash = cp.Hash
		}
	}
	if got, ok, err := c.SlotOf(testGenesis, at); err != nil || got != slotOf || ok != (slotOf != 0) {
		rt.Fatalf("offset %d is in slot %d, %t, %v; want %d", at, got, ok, err, slotOf)
	}
	if got, ok, err := c.SlotAt(testGenesis, stamp); err != nil || got != slotAt || ok != (slotAt != 0) {
		rt.Fatalf("stamp %d is in slot %d, %t, %v; want %d", stamp, got, ok, err, slotAt)
	}
	if got, ok, err := c.Checkpoint(testGenesis, below); err != nil || got.Slot != markBelow || ok != (markBelow != 0) {
		rt.Fatalf("checkpoint at or below %d is %d, %t, %v; want %d", below, got.Slot, ok, err, markBelow)
	}
	if got, ok, err := c.Hash(testGenesis, below); err != nil || got != hash || ok != !hash.IsZero() {
		rt.Fatalf("hash at %d is %s, %t, %v; want %s", below, got, ok, err, hash)
	}
}

// PROTOCOL L5: nothing overwrites a stored slot, and there is never a hole.
func TestL5ChosenRefusesContradictions(t *testing.T) {
	again := chosenRecord(3, 4, 4, []byte("another value"))
	hole := chosenRecord(5, 4, 4, nil)
	back := chosenRecord(4, 4, 4, nil)
	back.Stamp = 1
	wrong := chosenRecord(4, 4, 4, []byte("x"))
	wrong.Checksum = 5
	otherMark := checkpointRecord(3, nil)
	otherMark.Hash = paxos.Hash{9}
	for name, r := range map[string]paxos.Record{
		"stored slot again":        again,
		"hole":                     hole,
		"stamp goes back":          back,
		"offset hole":              chosenRecord(4, 5, 5, nil),
		"offset again":             chosenRecord(4, 3, 4, nil),
		"last goes back":           chosenRecord(4, 4, 2, nil),
		"checksum":                 wrong,
		"mark above":               checkpointRecord(4, nil),
		"mark with another hash":   otherMark,
		"forgetting the newest":    {Kind: paxos.RecordForget, Log: testName, Genesis: testGenesis, Slot: 2},
		"diverged without a word":  {Kind: paxos.RecordDiverged, Log: testName, Genesis: testGenesis},
		"an acceptor's record":     promiseRecord(1),
		"no kind of record at all": {Genesis: testGenesis},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDeath()
			c, err := OpenChosen("l1", Want{"main", "l1"}, testOptions(vfs.NewMem(), d))
			if err != nil {
				t.Fatal(err)
			}
			apply(t, c, stateRecord())
			for s := paxos.Slot(1); s <= 3; s++ {
				apply(t, c, chosenRecord(s, paxos.Offset(s), paxos.Offset(s), valueOf(s, 20)))
			}
			if err := dies(t, d, func() { _ = c.Submit([]paxos.Record{r}, nil) }); !errors.Is(err, errMisuse) {
				t.Fatalf("died of %v", err)
			}
		})
	}
}

// PROTOCOL L5: that a copy contradicts the log outlives the process.
func TestL5DivergedIsDurable(t *testing.T) {
	fsys := vfs.NewCrashableMem()
	c := openChosen(t, fsys)
	apply(t, c, stateRecord(), chosenRecord(1, 1, 1, nil))
	apply(t, c, paxos.Record{Kind: paxos.RecordDiverged, Log: testName, Genesis: testGenesis, Text: "hash at 1"})
	after := crash(fsys, 1, 0)
	closeStore(t, c)
	c = openChosen(t, after)
	defer closeStore(t, c)
	logs, err := c.Load()
	if err != nil || logs[0].Diverged != "hash at 1" {
		t.Fatalf("%+v, %v", logs, err)
	}
}

func TestValuesRespectsItsBoundAndItsCaller(t *testing.T) {
	c := openChosen(t, vfs.NewMem())
	defer closeStore(t, c)
	apply(t, c, stateRecord())
	for s := paxos.Slot(1); s <= 10; s++ {
		apply(t, c, chosenRecord(s, paxos.Offset(s), paxos.Offset(s), valueOf(s, 100)))
	}
	read := func(from, to paxos.Slot, maxBytes int, fail error) (got []paxos.Slot, err error) {
		err = c.Values(testGenesis, from, to, maxBytes, func(s *Slot) error {
			got = append(got, s.Slot)
			return fail
		})
		return got, err
	}
	errStop := errors.New("enough")
	for _, x := range []struct {
		from, to paxos.Slot
		max      int
		fail     error
		want     string
	}{
		{3, 6, 0, nil, "[3 4 5 6]"},
		{3, 100, 250, nil, "[3 4]"},
		{3, 100, 1, nil, "[3]"},
		{11, 20, 0, nil, "[]"},
		{6, 3, 0, nil, "[]"},
		{3, 6, 0, errStop, "[3]"},
	} {
		got, err := read(x.from, x.to, x.max, x.fail)
		if fmt.Sprint(got) != x.want || !errors.Is(err, x.fail) {
			t.Errorf("[%d, %d] %d bytes: %v, %v", x.from, x.to, x.max, got, err)
		}
	}
}

// Readers run beside the writer; each sees a prefix, whole.
func TestReadersBesideTheWriter(t *testing.T) {
	c := openChosen(t, vfs.NewMem())
	apply(t, c, stateRecord())
	const slots = 400
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for through := paxos.Slot(0); ; {
				next := paxos.Slot(1)
				err := c.Values(testGenesis, 1, paxos.MaxSlot, 0, func(s *Slot) error {
					if s.Slot != next || string(s.Value) != string(valueOf(s.Slot, 300)) {
						return fmt.Errorf("slot %d where %d was due", s.Slot, next)
					}
					next++
					return nil
				})
				if err != nil || next-1 < through {
					t.Errorf("%v; through %d after %d", err, next-1, through)
					return
				}
				through = next - 1
				if _, _, err := c.SlotOf(testGenesis, paxos.Offset(through)); err != nil {
					t.Error(err)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	for s := paxos.Slot(1); s <= slots; s++ {
		if err := c.Submit([]paxos.Record{chosenRecord(s, paxos.Offset(s), paxos.Offset(s), valueOf(s, 300))}, nil); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, c)
	close(stop)
	readers.Wait()
	closeStore(t, c)
}

// A slot that is not there between two that are is damage (PROTOCOL A8).
func TestA8MissingSlotEndsTheProcess(t *testing.T) {
	d := newDeath()
	c, err := OpenChosen("l1", Want{"main", "l1"}, testOptions(vfs.NewMem(), d))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, c, stateRecord())
	for s := paxos.Slot(1); s <= 5; s++ {
		apply(t, c, chosenRecord(s, paxos.Offset(s), paxos.Offset(s), valueOf(s, 20)))
	}
	if err := c.db.Delete(appendSlotKey(nil, kindSlot, testGenesis, 3), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	err = dies(t, d, func() {
		err := c.Values(testGenesis, 1, 5, 0, func(*Slot) error { return nil })
		t.Errorf("read over it: %v", err)
	})
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("died of %v", err)
	}
}

// Checkpoints stood behind the chosen values once (format.go): those of a store made then still count, the newer ones before them.
func TestCheckpointOfAnOlderBuildIsRead(t *testing.T) {
	fsys := vfs.NewMem()
	c := openChosen(t, fsys)
	apply(t, c, stateRecord(), chosenRecord(1, 1, 2, []byte("one")), chosenRecord(2, 3, 2, nil), checkpointRecord(2, []byte("older")))
	move := c.db.NewBatch()
	from := appendSlotKey(nil, kindCheckpoint, testGenesis, 2)
	cp, ok, err := c.newestCheckpoint(testGenesis, paxos.MaxSlot)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	w := writer{buf: appendSlotKey(nil, kindOldCheckpoint, testGenesis, 2)}
	cp.encode(&w)
	key, rec := w.end()
	if err := errors.Join(move.Set(key, rec, nil), move.Delete(from, nil), move.Commit(pebble.Sync), move.Close()); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := c.Checkpoint(testGenesis, 2); !ok || err != nil || string(got.State) != "older" {
		t.Fatalf("got %+v, %t, %v", got, ok, err)
	}
	// Such a build may have been at work after this one.
	apply(t, c, checkpointRecord(1, []byte("oldest")))
	if got, ok, err := c.Checkpoint(testGenesis, paxos.MaxSlot); !ok || err != nil || string(got.State) != "older" {
		t.Fatalf("got %+v, %t, %v", got, ok, err)
	}
	apply(t, c, chosenRecord(3, 3, 2, nil), checkpointRecord(3, []byte("newer")))
	if l, err := c.Load(); err != nil || l[0].Checkpoint == nil || l[0].Checkpoint.Slot != 3 {
		t.Errorf("loaded %+v, %v", l, err)
	}
	for slot, want := range map[paxos.Slot]string{2: "older", 3: "newer", paxos.MaxSlot: "newer"} {
		if got, ok, err := c.Checkpoint(testGenesis, slot); !ok || err != nil || string(got.State) != want {
			t.Errorf("at or below %d: got %+v, %t, %v; want %s", slot, got, ok, err, want)
		}
	}
	closeStore(t, c)
}
