package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

func emptyView() *view {
	return newView("orders", testGenesis().ID, beginning{start: 1, first: 1, hash: sequencer.New(testGenesis()).Hash()})
}

// source joins a view with a store as a learner does.
func testSource(v *view, s *lateStore) streamSource { return streamSource{view: v, store: s} }

// TestViewReadsWholeBatches: a chunk begins with the batch that holds the offset, has at least one batch, and names the newest
// slot that it completes.
func TestViewReadsWholeBatches(t *testing.T) {
	c, v := newChain(t), emptyView()
	id := c.session()
	v.through = 1 // the session's slot is not shown here
	push(t, v, c.apply(10, sessionBatch(id, 1, "a", "b", "c"), sessionBatch(id, 2, "d")))
	push(t, v, c.noop(11))
	push(t, v, c.entries(12, "e", "f"))
	one := func(s string) int { return value.FrameSize(nil, []byte(s)) + paxos.ReadBatchBytes }
	for _, x := range []struct {
		from paxos.Offset
		max  int
		want string
		slot paxos.Slot
	}{
		{1, 1, "1=a 2=b 3=c", 0},
		{2, 1, "1=a 2=b 3=c", 0},
		{4, 1, "4=d", 3}, // the empty slot behind it is complete, too
		{3, 1 << 20, "1=a 2=b 3=c 4=d 5=e 6=f", 4},
		{4, one("d") + one("e"), "4=d 5=e", 3},
		{5, one("e"), "5=e", 0},
		{6, 1, "6=f", 4},
		{7, 1, "", 0},
	} {
		bs, slot, hash, ok := v.batchesFrom(x.from, x.max)
		if got := strings.Join(texts(t, bs), " "); !ok || got != x.want || slot != x.slot {
			t.Errorf("from %d, %d bytes: %q through slot %d (%v), want %q through %d", x.from, x.max, got, slot, ok, x.want, x.slot)
		}
		if (slot == 0) != hash.IsZero() || slot == 4 && hash != c.seq.Hash() {
			t.Errorf("from %d: hash %v at slot %d", x.from, hash, slot)
		}
	}
}

// TestViewSkipsWhatWasNotAppended: duplicates stay in the value and are never shown.
func TestViewSkipsWhatWasNotAppended(t *testing.T) {
	c, v := newChain(t), emptyView()
	push(t, v, c.apply(1, plain("a", "id"), plain("again", "id"), plain("b", "")))
	bs, _, _, _ := v.batchesFrom(1, 1<<20)
	if got := texts(t, bs); !slices.Equal(got, []string{"1=a", "2=b"}) {
		t.Fatalf("shown: %v", got)
	}
}

// TestViewAndStoreHaveNoHole reads every offset from memory and store together, while slots leave memory in any way that the store
// allows: never a hole, a repeat or an entry from elsewhere; and the values for other learners join by hash.
func TestViewAndStoreHaveNoHole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &chain{seq: sequencer.New(testGenesis())}
		v, s := emptyView(), &lateStore{}
		v.limit = 4 * chunkOverhead
		src := testSource(v, s)
		var all []*sequencer.Applied
		var want []string
		kept := 0
		big := strings.Repeat("x", chunkOverhead)
		for range rapid.IntRange(1, 25).Draw(t, "slots") {
			var items []value.Item
			for range rapid.IntRange(0, 3).Draw(t, "entries") {
				p := fmt.Sprint("e", len(want)+1)
				if rapid.IntRange(0, 2).Draw(t, "big") == 0 {
					p += big
				}
				want = append(want, p)
				items = append(items, plain(p, ""))
			}
			a, err := c.seq.Apply(c.seq.Next(), value.Encode(nil, &value.Value{Origin: testOrigin, Stamp: paxos.Stamp(len(all)), Items: items}))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &a)
			bs, err := readBatches(&a)
			if err != nil {
				t.Fatal(err)
			}
			v.push(&a, bs)
			for kept < len(all) && rapid.Bool().Draw(t, "store") {
				s.keep(all[kept])
				kept++
				v.storedThrough(paxos.Slot(kept))
			}
			checkView(t, src, want, rapid.IntRange(1, 2000).Draw(t, "max"))
			checkValues(t, src, all)
		}
	})
}

func checkView(t *rapid.T, src streamSource, want []string, maxBytes int) {
	for next := paxos.Offset(1); next <= paxos.Offset(len(want)); {
		bs, _, _, err := src.batchesFrom(next, maxBytes)
		if err != nil || len(bs) == 0 {
			t.Fatalf("offset %d of %d: %d batches, %v", next, len(want), len(bs), err)
		}
		for i := range bs {
			f, _, err := value.DecodeFrame(bs[i].Frames)
			if err != nil || bs[i].First != next || bs[i].Count != 1 || string(f.Payload) != want[next-1] {
				t.Fatalf("batch at %d (%d entries, %v) where %d was due", bs[i].First, bs[i].Count, err, next)
			}
			next++
		}
	}
}

func checkValues(t *rapid.T, src streamSource, all []*sequencer.Applied) {
	from := paxos.Slot(rapid.IntRange(1, len(all)).Draw(t, "from"))
	vs, before, after, ok := src.valuesFrom(from, from+1, 1<<30)
	if !ok {
		if src.stored < from {
			t.Fatalf("slot %d is neither in memory nor stored", from)
		}
		return
	}
	h := sequencer.New(testGenesis()).Hash()
	if from > 1 {
		h = all[from-2].Hash
	}
	if before != h || len(vs) == 0 || vs[0].Slot != from || after != all[from-2+paxos.Slot(len(vs))].Hash {
		t.Fatalf("slots from %d: %d values, hash before %v, want %v", from, len(vs), before, h)
	}
}

// TestViewIsBounded: slots without entries cost memory, too, and leave it in constant time.
func TestViewIsBounded(t *testing.T) {
	c, v := newChain(t), emptyView()
	v.limit = 100 * chunkOverhead
	const slots = 10_000
	a := c.noop(1)
	for i := range slots {
		x := *a
		x.Slot = paxos.Slot(i + 1)
		v.push(&x, nil)
		v.storedThrough(x.Slot)
	}
	if n := len(v.chunks); n > 100 || cap(v.chunks) > 1000 || v.bytes > v.limit {
		t.Fatalf("%d chunks of %d bytes in memory", n, v.bytes)
	}
	if v.chunks[len(v.chunks)-1].slot != slots {
		t.Fatal("the newest slot is gone")
	}
}

// TestViewKeepsWhatIsNotStored: memory grows past its bound rather than leave a hole.
func TestViewKeepsWhatIsNotStored(t *testing.T) {
	c, v := newChain(t), emptyView()
	v.limit = 4 * chunkOverhead
	for range 8 {
		push(t, v, c.entries(1, "x"))
	}
	if len(v.chunks) != 8 || v.bytes < v.limit {
		t.Fatalf("%d chunks, %d bytes", len(v.chunks), v.bytes)
	}
	v.storedThrough(8)
	if len(v.chunks) == 8 || v.bytes > v.limit {
		t.Fatalf("after the store took all: %d chunks, %d bytes", len(v.chunks), v.bytes)
	}
}

// TestSinceWhileTheStoreLags: a point in time is found in memory, in the store, and where memory holds what the store does not yet.
func TestSinceWhileTheStoreLags(t *testing.T) {
	c, v, s := newChain(t), emptyView(), &lateStore{}
	src := testSource(v, s)
	since := func(at paxos.Stamp, want paxos.Offset) {
		t.Helper()
		o, here, err := src.offsetSince(at)
		if err != nil || !here || o != want {
			t.Errorf("since %d: offset %d (%v, %v), want %d", at, o, here, err, want)
		}
	}
	since(1, 1) // nothing yet: whatever comes
	a := c.entries(10, "a")
	push(t, v, a)
	since(5, 1) // only memory has it
	since(10, 1)
	since(11, 2)
	push(t, v, c.noop(15))
	b := c.entries(20, "b", "c")
	push(t, v, b)
	since(5, 1)
	since(12, 2)
	since(20, 2)
	since(21, 4)
	s.keep(a)
	v.storedThrough(1)
	v.chunks = v.chunks[1:] // as if memory had filled up
	since(5, 1)
	since(10, 1)
	since(12, 2)
}

// TestSinceBeforeTheBeginning: a learner that begins later must not pass for one that has nothing earlier.
func TestSinceBeforeTheBeginning(t *testing.T) {
	c := newChain(t)
	c.entries(10, "a", "b")
	for _, x := range []struct {
		name  string
		stamp paxos.Stamp
		since paxos.Stamp
		want  paxos.Offset
		here  bool
	}{
		{"before what was cut", 10, 5, 3, false},
		{"at the last stamp cut", 10, 10, 3, false},
		{"after it", 10, 11, 3, true},
		{"the stamp is forgotten", stampUnknown, 11, 3, false},
		{"later than the first held", stampUnknown, 21, 4, true},
	} {
		v := newView("orders", testGenesis().ID, beginning{
			start: 2, first: 3, stamp: x.stamp, through: 1, last: 2, hash: c.seq.Hash(),
		})
		twin := newChain(t)
		twin.entries(10, "a", "b")
		push(t, v, twin.entries(20, "c"))
		push(t, v, twin.entries(30, "d"))
		o, here, err := testSource(v, &lateStore{}).offsetSince(x.since)
		if err != nil || here != x.here || here && o != x.want {
			t.Errorf("%s: offset %d, here %v, %v; want %d, %v", x.name, o, here, err, x.want, x.here)
		}
	}
}

// TestViewWakesWhoeverWaits: the channel taken before a look is closed by every change after it.
func TestViewWakesWhoeverWaits(t *testing.T) {
	c, v := newChain(t), emptyView()
	woken := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	a, b := v.wait(), v.wait()
	if woken(a) {
		t.Fatal("woken by nothing")
	}
	push(t, v, c.entries(1, "x"))
	if !woken(a) || !woken(b) {
		t.Fatal("a push wakes not everybody")
	}
	push(t, v, c.entries(1, "x")) // nobody waits
	if woken(v.wait()) {
		t.Fatal("woken by what happened before")
	}
	d := v.wait()
	if v.stop(); !woken(d) || !v.marks().stopped {
		t.Fatal("the end of serving wakes nobody")
	}
}
