package learner

import "github.com/paxosd/paxosd/paxos"

// Bounds of what waits for its membership (PROTOCOL P2).
const (
	// maxParked bounds the messages: each acceptor may vote for a window of slots at two ballots.
	maxParked = 16384
	// parkedShare is the part of Config.BufferBytes that parked values may take, as a divisor.
	parkedShare = 4
	// parkedOverhead is what a parked message costs beside its value, in bytes.
	parkedOverhead = 128
)

// parkedItem is an accept or a single vote for a slot above the window.
type parkedItem struct {
	slot   paxos.Slot
	ballot paxos.Ballot
	sum    paxos.Checksum
	vote   bool
	voter  paxos.Voter // of a vote
	value  []byte      // of an accept
	own    bool
}

func (p *parkedItem) size() int {
	if p.own {
		return parkedOverhead
	}
	return parkedOverhead + len(p.value)
}

// parked holds messages for slots whose membership is not defined yet, in order of arrival. Nothing in it counts for
// anything until the window reaches its slot.
type parked struct {
	items  []parkedItem
	bytes  int
	lowest paxos.Slot // lowest slot in items; meaningless if there are none
}

// add keeps it unless it does not fit.
func (p *parked) add(it parkedItem, limit int) bool {
	if len(p.items) >= maxParked || p.bytes+it.size() > limit {
		return false
	}
	if len(p.items) == 0 || it.slot < p.lowest {
		p.lowest = it.slot
	}
	p.items = append(p.items, it)
	p.bytes += it.size()
	return true
}

// take moves the items at or below through to dst, in order of arrival.
func (p *parked) take(dst []parkedItem, through paxos.Slot) []parkedItem {
	if len(p.items) == 0 || p.lowest > through {
		return dst
	}
	kept := p.items[:0]
	for _, it := range p.items {
		if it.slot <= through {
			dst = append(dst, it)
			p.bytes -= it.size()
			continue
		}
		if len(kept) == 0 || it.slot < p.lowest {
			p.lowest = it.slot
		}
		kept = append(kept, it)
	}
	clear(p.items[len(kept):])
	p.items = kept
	return dst
}

// find returns the parked value of exactly this slot and ballot, if there is one.
func (p *parked) find(t paxos.Slot, b paxos.Ballot) *parkedItem {
	for i := range p.items {
		if it := &p.items[i]; !it.vote && it.slot == t && it.ballot == b {
			return it
		}
	}
	return nil
}
