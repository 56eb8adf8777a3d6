package learner

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// A checkpoint whose hash is the log's and whose state is not: whoever vouches for h(mark) vouches for the state too, so that it is
// not used, and another learner's is.
func TestBootstrapForgedState(t *testing.T) {
	c := markedLog()
	m := c.log.marks[0]
	other := &cluster{g: c.g, log: newTruth(c.g)} // one entry less, a mark in the same slot
	for _, v := range [][]byte{text("v1"), text("v2"), text("v3"), text("v4"), noop()} {
		other.log.add(v)
	}
	other.stable(4, true)
	for name, state := range map[string][]byte{"one entry less": other.log.marks[0].state} {
		c.offers = func(name string) (paxos.Slot, paxos.Hash, []byte) {
			if name == "l3" {
				return m.slot, c.log.hashes[m.slot], state
			}
			return m.slot, c.log.hashes[m.slot], m.state
		}
		c.spoil = nil
		s, ok := c.run(newBootstrap(c.g, "l3", "l1", "l2"), 60*paxos.Second)
		if !ok {
			t.Fatalf("%s: not done", name)
		}
		c.same(t, s, 6)
		if string(s.State) != string(m.state) {
			t.Fatalf("%s: the forged state was used", name)
		}
	}
}
