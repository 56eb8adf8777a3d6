package node

import (
	"slices"
	"sync"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// tailBytes bounds what a view keeps in memory of the newest slots, beyond what its store has not taken yet.
const tailBytes = 16 << 20

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

// view is what readers see of one log on a learner: the newest slots in memory, and how far the log goes. The loop
// pushes, many readers look; a reader that wants more than there is waits on Changed.
//
//	I1  chunks are consecutive slots; the newest is through.
//	I2  a chunk leaves memory only after the store holds it (stored), so that memory and store together have no hole.
type view struct {
	log     string
	genesis paxos.GenesisID

	mu       sync.Mutex
	chunks   []chunk
	bytes    int
	through  paxos.Slot
	last     paxos.Offset
	start    paxos.Slot   // first slot that this learner holds
	first    paxos.Offset // first offset that this learner holds
	stored   paxos.Slot   // the store holds every slot through it
	changed  chan struct{}
	waiting  bool
	diverged bool
}

func newView(log string, g paxos.GenesisID, through paxos.Slot, last paxos.Offset, start paxos.Slot, first paxos.Offset) *view {
	return &view{
		log: log, genesis: g, through: through, last: last, start: start, first: first, stored: through,
		changed: make(chan struct{}),
	}
}

// push adds the next sequenced slot.
func (v *view) push(a *sequencer.Applied, batches []paxos.ReadBatch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	paxos.Assert(a.Slot == v.through+1, "log %q: slot %d was sequenced after %d", v.log, a.Slot, v.through)
	v.chunks = append(v.chunks, chunk{
		slot: a.Slot, first: a.First, last: a.Last, stamp: a.Stamp, hash: a.Hash, value: a.Value, batches: batches,
	})
	v.bytes += len(a.Value)
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

func (v *view) evict() {
	n := 0
	for n < len(v.chunks) && v.bytes > tailBytes && v.chunks[n].slot <= v.stored {
		v.bytes -= len(v.chunks[n].value)
		n++
	}
	if n > 0 {
		v.chunks = slices.Delete(v.chunks, 0, n)
	}
}

// signal wakes the readers. A channel is closed only when somebody waits on it.
func (v *view) signal() {
	if v.waiting {
		close(v.changed)
		v.changed = make(chan struct{})
		v.waiting = false
	}
}

// stop ends serving: this copy contradicts the log (PROTOCOL L5).
func (v *view) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.diverged = true
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
	through  paxos.Slot
	last     paxos.Offset
	start    paxos.Slot
	first    paxos.Offset
	diverged bool
}

func (v *view) marks() marks {
	v.mu.Lock()
	defer v.mu.Unlock()
	return marks{through: v.through, last: v.last, start: v.start, first: v.first, diverged: v.diverged}
}

// batchesFrom returns the batches in memory that hold offset from or later ones, up to maxBytes of frames and at
// least one, with the newest slot touched and its hash. ok is false when offset from is no longer in memory: read the store.
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
			if size > 0 && size+batchCost(b) > maxBytes {
				return bs, slot, hash, true
			}
			bs = append(bs, *b)
			size += batchCost(b)
		}
		slot, hash = c.slot, c.hash
	}
	return bs, slot, hash, true
}

// batchCost is what a batch takes of a chunk: its frames, and the lines that describe it.
func batchCost(b *paxos.ReadBatch) int { return len(b.Frames) + 64 }

// valuesFrom returns the values in memory from slot t on, up to maxBytes and at least one, with the hash before the
// first and after the last. ok is false when t is not in memory.
func (v *view) valuesFrom(t, to paxos.Slot, maxBytes int) (vs []paxos.ChosenValue, before, after paxos.Hash, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	// The hash before the first chunk in memory is not here, so the first one cannot begin an answer.
	if len(v.chunks) == 0 || t <= v.chunks[0].slot || t > v.through {
		return nil, before, after, false
	}
	i := int(t - v.chunks[0].slot)
	before = v.chunks[i-1].hash
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
		b, err := value.DecodeBatch(v.Items[o.Item].Body)
		if err != nil {
			return nil, err
		}
		bs = append(bs, paxos.ReadBatch{First: o.First, Count: o.Count, Stamp: a.Stamp, Frames: b.Frames})
	}
	return bs, nil
}

// offsetSince returns the first offset in memory whose stamp is at or after s. ok is false if memory cannot tell.
func (v *view) offsetSince(s paxos.Stamp) (o paxos.Offset, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.chunks) == 0 || v.chunks[0].stamp >= s {
		return 0, false // an earlier one may be in the store
	}
	for i := range v.chunks {
		if c := &v.chunks[i]; c.stamp >= s && c.first <= c.last {
			return c.first, true
		}
	}
	return v.last + 1, true
}
