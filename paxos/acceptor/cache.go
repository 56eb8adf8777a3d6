package acceptor

import "github.com/paxosd/paxosd/paxos"

// vote is what the cache knows of one slot. The zero vote is "none".
type vote struct {
	ballot   *paxos.Ballot // shared by all votes of one ballot; nil: no vote
	checksum paxos.Checksum
	bytes    uint32
}

// cache holds the votes of a log's top slots.
//
//	I1  Complete above its floor: a slot at or above floor has a vote if and only if the cache has it.
//	I2  At most CacheSlots slots; the floor rises to make room, and never falls.
//
// It is a ring: slot t lives at t modulo the ring's size, a power of two, and the window is [floor, floor+size).
type cache struct {
	floor paxos.Slot
	top   paxos.Slot // highest slot with a vote here; below floor: none
	ring  []vote
}

const cacheMin = 16 // slots of a first ring: an idle log stays small

// known reports whether the cache can speak for t.
func (c *cache) known(t paxos.Slot) bool { return t >= c.floor }

// get returns the vote in t. Precondition: known(t).
func (c *cache) get(t paxos.Slot) vote {
	if t > c.top || len(c.ring) == 0 {
		return vote{}
	}
	return c.ring[c.index(t)]
}

// put stores the vote in t, if the cache can speak for t, raising the floor where the window must move.
func (c *cache) put(t paxos.Slot, v vote) {
	if !c.known(t) {
		return
	}
	if span := t - c.floor; span >= paxos.Slot(len(c.ring)) {
		c.grow(span)
	}
	if size := paxos.Slot(len(c.ring)); t-c.floor >= size {
		c.raise(t - size + 1)
	}
	c.ring[c.index(t)] = v
	c.top = max(c.top, t)
}

// raise forgets the slots below floor.
func (c *cache) raise(floor paxos.Slot) {
	if floor <= c.floor {
		return
	}
	if c.top >= c.floor {
		last := min(c.top, floor-1)
		for t := c.floor; t <= last; t++ {
			c.ring[c.index(t)] = vote{}
		}
	}
	c.floor = floor
}

// grow makes the ring large enough for a window of span+1 slots, or as large as it may be.
func (c *cache) grow(span paxos.Slot) {
	size := max(len(c.ring), cacheMin)
	for size < CacheSlots && paxos.Slot(size) <= span {
		size *= 2
	}
	if size == len(c.ring) {
		return
	}
	old := cache{floor: c.floor, top: c.top, ring: c.ring}
	c.ring = make([]vote, size)
	if len(old.ring) == 0 || old.top < old.floor {
		return
	}
	for t := old.floor; t <= old.top; t++ {
		c.ring[c.index(t)] = old.ring[old.index(t)]
	}
}

func (c *cache) index(t paxos.Slot) paxos.Slot { return t & paxos.Slot(len(c.ring)-1) }
