package node

import (
	"math"
	"slices"
	"sync"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// Bounds of what a view keeps in memory of the newest slots, beyond what its store has not taken yet.
const (
	tailBytes     = 16 << 20
	chunkOverhead = 256 // what a slot takes beside its value, so that empty ones cost something too
)

// stampUnknown is later than any stamp.
const stampUnknown paxos.Stamp = math.MaxInt64

// chunk is one sequenced slot as readers need it.
type chunk struct {
	slot    paxos.Slot
	first   paxos.Offset // last+1 where the slot appended nothing
	last    paxos.Offset // last offset of the log after the slot
	stamp   paxos.Stamp
	hash    paxos.Hash
	value   []byte // as it travelled; batches alias it
	batches []paxos.ReadBatch
}

func (c *chunk) cost() int { return len(c.value) + chunkOverhead }

// beginning is where a learner's copy of a log begins, and how far it goes when a view of it is made.
type beginning struct {
	start   paxos.Slot   // first slot held
	first   paxos.Offset // first offset held
	stamp   paxos.Stamp  // of the slot before start; 0 where there is none, stampUnknown where it was forgotten
	through paxos.Slot
	last    paxos.Offset
	hash    paxos.Hash // running hash at through
}

// view is what readers see of one log on a learner: the newest slots in memory, and how far the log goes. The loop
// pushes, many readers look; a reader that wants more than there is waits on wait.
//
//	I1  chunks are consecutive slots; the newest is through. before is the running hash before the first.
//	I2  a chunk leaves memory only after the store holds it (stored), so that memory and store together have no hole.
type view struct {
	log     string
	genesis paxos.GenesisID
	beginning

	mu      sync.Mutex // guards through and last of beginning, too
	chunks  []chunk
	before  paxos.Hash
	bytes   int
	limit   int        // of bytes: tailBytes
	stored  paxos.Slot // the store holds every slot through it
	changed chan struct{}
	waiting bool
	stopped bool
}

func newView(log string, g paxos.GenesisID, b beginning) *view {
	return &view{log: log, genesis: g, beginning: b, before: b.hash, limit: tailBytes, stored: b.through, changed: make(chan struct{})}
}

// push adds the next sequenced slot.
func (v *view) push(a *sequencer.Applied, batches []paxos.ReadBatch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	paxos.Assert(a.Slot == v.through+1, "log %q: slot %d was sequenced after %d", v.log, a.Slot, v.through)
	v.chunks = append(v.chunks, chunk{
		slot: a.Slot, first: a.First, last: a.Last, stamp: a.Stamp, hash: a.Hash, value: a.Value, batches: batches,
	})
	v.bytes += v.chunks[len(v.chunks)-1].cost()
	v.through, v.last = a.Slot, a.Last
	v.evict()
	v.signal()
}

// storedThrough says that the store holds every slot through t.
func (v *view) storedThrough(t paxos.Slot) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stored = max(v.stored, t)
	v.evict()
}

// evict drops the oldest chunks past the bound. What is left is not moved: append does that when it has used up the memory.
func (v *view) evict() {
	n := 0
	for n < len(v.chunks) && v.bytes > v.limit && v.chunks[n].slot <= v.stored {
		v.bytes -= v.chunks[n].cost()
		v.before = v.chunks[n].hash
		n++
	}
	clear(v.chunks[:n])
	v.chunks = v.chunks[n:]
}

// signal wakes the readers. A channel is closed only when somebody waits on it.
func (v *view) signal() {
	if v.waiting {
		close(v.changed)
		v.changed = make(chan struct{})
		v.waiting = false
	}
}

// stop ends serving: this copy contradicts the log (PROTOCOL L5), or another one takes its place.
func (v *view) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stopped = true
	v.signal()
}

// wait returns a channel that is closed at the next change after the call.
func (v *view) wait() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting = true
	return v.changed
}

// marks is how far a view goes, at one moment.
type marks struct {
	through paxos.Slot
	last    paxos.Offset
	start   paxos.Slot
	first   paxos.Offset
	stopped bool
}

func (v *view) marks() marks {
	v.mu.Lock()
	defer v.mu.Unlock()
	return marks{through: v.through, last: v.last, start: v.start, first: v.first, stopped: v.stopped}
}

// batchesFrom returns the batches in memory that hold offset from or later ones, up to maxBytes of their cost and at
// least one, with the newest slot that they complete and its hash; slot 0 if they complete none. ok is false when offset from is no
// longer in memory: read the store.
func (v *view) batchesFrom(from paxos.Offset, maxBytes int) (bs []paxos.ReadBatch, slot paxos.Slot, hash paxos.Hash, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if from > v.last {
		return nil, 0, paxos.Hash{}, true
	}
	i, _ := slices.BinarySearchFunc(v.chunks, from, func(c chunk, o paxos.Offset) int {
		if c.last < o {
			return -1
		}
		return 1
	})
	// The chunk found is the first that reaches offset from; it must begin at or before it, else the entry was evicted.
	if i == len(v.chunks) || v.chunks[i].first > from {
		return nil, 0, paxos.Hash{}, false
	}
	size := 0
	for ; i < len(v.chunks); i++ {
		c := &v.chunks[i]
		for j := range c.batches {
			b := &c.batches[j]
			if b.First+paxos.Offset(b.Count) <= from {
				continue
			}
			if size > 0 && size+b.Cost() > maxBytes {
				return bs, slot, hash, true
			}
			bs = append(bs, *b)
			size += b.Cost()
		}
		slot, hash = c.slot, c.hash
	}
	return bs, slot, hash, true
}

// valuesFrom returns the values in memory of slots [t, to], up to maxBytes and at least one, with the hash before the
// first and after the last. ok is false when t is not in memory: read the store.
func (v *view) valuesFrom(t, to paxos.Slot, maxBytes int) (vs []paxos.ChosenValue, before, after paxos.Hash, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.chunks) == 0 || t < v.chunks[0].slot || t > v.through {
		return nil, before, after, false
	}
	i := int(t - v.chunks[0].slot)
	before = v.before
	if i > 0 {
		before = v.chunks[i-1].hash
	}
	after = before
	size := 0
	for ; i < len(v.chunks) && v.chunks[i].slot <= to; i++ {
		c := &v.chunks[i]
		if size > 0 && size+len(c.value) > maxBytes {
			break
		}
		vs = append(vs, paxos.ChosenValue{Slot: c.slot, Value: c.value})
		size += len(c.value)
		after = c.hash
	}
	return vs, before, after, true
}

// readBatches cuts the batches that were appended out of a slot's value. The frames alias it.
func readBatches(a *sequencer.Applied) ([]paxos.ReadBatch, error) {
	if a.First > a.Last {
		return nil, nil
	}
	v, err := value.Decode(a.Value)
	if err != nil {
		return nil, err
	}
	var bs []paxos.ReadBatch
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		if o.Code != paxos.CodeAppended {
			continue
		}
		b, err := value.OpenBatch(v.Items[o.Item].Body)
		if err != nil {
			return nil, err
		}
		bs = append(bs, paxos.ReadBatch{First: o.First, Count: o.Count, Stamp: a.Stamp, Frames: b.Frames})
	}
	return bs, nil
}

// offsetSince returns the first offset in memory whose stamp is at or after s; last+1 where there is none. sure is false
// where an earlier one may be in the store: then o is only the best that memory knows.
func (v *view) offsetSince(s paxos.Stamp) (o paxos.Offset, sure bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o = v.last + 1
	for i := range v.chunks {
		if c := &v.chunks[i]; c.stamp >= s && c.first <= c.last {
			o = c.first
			break
		}
	}
	return o, len(v.chunks) > 0 && v.chunks[0].stamp < s
}
