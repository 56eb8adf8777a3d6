package learner

import "github.com/paxosd/paxosd/paxos"

// hashChunk is the number of hashes in one piece of a hashes: 16 KiB.
const hashChunk = 512

// hashes keeps the running hash of each slot in a closed range that ends at the newest sequenced slot. It grows in pieces, so
// that a long range costs no copying, and forgets from its old end.
type hashes struct {
	first  paxos.Slot // slot of chunks[0][0]
	start  paxos.Slot // first slot kept; at or above first
	next   paxos.Slot // first slot not kept yet
	limit  uint64     // hashes kept at most
	chunks [][]paxos.Hash
}

func newHashes(slot paxos.Slot, hash paxos.Hash, limit int) hashes {
	h := hashes{first: slot, start: slot, next: slot, limit: uint64(max(limit, hashChunk))}
	h.push(hash)
	return h
}

// push adds the hash of the next slot.
func (h *hashes) push(hash paxos.Hash) {
	if uint64(h.next-h.start) >= h.limit {
		h.forget(h.start)
	}
	n := len(h.chunks)
	if n == 0 || len(h.chunks[n-1]) == hashChunk {
		h.chunks = append(h.chunks, make([]paxos.Hash, 0, hashChunk))
		n++
	}
	h.chunks[n-1] = append(h.chunks[n-1], hash)
	h.next++
}

// at returns the hash of slot t, if it is kept.
func (h *hashes) at(t paxos.Slot) (paxos.Hash, bool) {
	if t < h.start || t >= h.next {
		return paxos.Hash{}, false
	}
	i := uint64(t - h.first)
	return h.chunks[i/hashChunk][i%hashChunk], true
}

// forget drops the hashes at or below t; the newest one always stays.
func (h *hashes) forget(t paxos.Slot) {
	if t+1 >= h.next {
		t = h.next - 2
	}
	if t < h.start || h.next-h.start < 2 {
		return
	}
	h.start = t + 1
	for h.start-h.first >= hashChunk {
		h.chunks[0] = nil
		h.chunks = h.chunks[1:]
		h.first += hashChunk
	}
}

// recentSlots is how many sequenced slots keep their ballot and checksum, against votes that contradict them.
const recentSlots = 256

// decision is what is remembered of a slot that was sequenced.
type decision struct {
	slot   paxos.Slot
	ballot paxos.Ballot // zero: fetched without one
	sum    paxos.Checksum
}

// decisions is a ring of the newest recentSlots decisions.
type decisions struct{ ring []decision }

func (d *decisions) put(e decision) {
	if d.ring == nil {
		d.ring = make([]decision, recentSlots)
	}
	d.ring[e.slot%recentSlots] = e
}

func (d *decisions) at(t paxos.Slot) (decision, bool) {
	if d.ring == nil {
		return decision{}, false
	}
	e := d.ring[t%recentSlots]
	return e, e.slot == t && t != 0
}
