package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/wal"
)

// numbered returns the payloads e<from> … e<to>.
func numbered(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint("e", i))
	}
	return all
}

// appendAll appends e<from> … e<to> and expects those offsets.
func (x *testClient) appendAll(from, to int) {
	x.c.t.Helper()
	for i := from; i <= to; i++ {
		if o := x.append(fmt.Sprint("e", i)); int(o) != i {
			x.c.t.Fatalf("entry %d got offset %d", i, o)
		}
	}
}

// holds expects that a learner serves exactly e1 … e<to>.
func (x *testClient) holds(learner string, to int) {
	x.c.t.Helper()
	if got := x.read([]string{learner}, 1, paxos.Offset(to)); !slices.Equal(got, numbered(1, to)) {
		x.c.t.Fatalf("%s serves %q", learner, got)
	}
}

// agree expects that the learners named have the same hash at the same slot.
func (c *cluster) agree(names ...string) {
	c.t.Helper()
	c.until("equal hashes on "+strings.Join(names, ", "), func() bool {
		a := c.learner(names[0])
		for _, n := range names {
			if b := c.learner(n); !b.Begun || b.Through != a.Through || b.Hash != a.Hash {
				return false
			}
		}
		return true
	})
}

// TestFoundElectAppendRead is the way of an append, from empty disks to a subscriber.
func TestFoundElectAppendRead(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		x.appendAll(1, 50)
		x.holds("l1", 50)
		x.holds("l2", 50)
		c.agree("l1", "l2")
		for name, err := range c.failed {
			t.Errorf("%s: %v", name, err)
		}
	})
}

// TestLossyBroker: every message may be lost, and the log goes on: nothing acknowledged is missing, nothing comes twice.
func TestLossyBroker(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		c.b.setLoss(0.15)
		for i := 1; i <= 40; i++ {
			x.append(fmt.Sprint("e", i))
		}
		c.b.setLoss(0)
		x.holds("l1", 40)
		x.holds("l2", 40)
		c.agree("l1", "l2")
	})
}

// TestEveryServiceRestarts, one after the other, while appends go on.
func TestEveryServiceRestarts(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		n := 0
		for _, name := range []string{"a1", "a2", "a3", "l1", "l2", "p1", "p2"} {
			x.appendAll(n+1, n+5)
			c.kill(name)
			x.appendAll(n+6, n+10)
			c.start(name)
			n += 10
		}
		x.appendAll(n+1, n+5)
		x.holds("l1", n+5)
		x.holds("l2", n+5)
		c.agree("l1", "l2")
	})
}

// TestPowerLossEverywhere: what was acknowledged is there when everything starts again.
func TestPowerLossEverywhere(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		x.appendAll(1, 20)
		for name := range c.nodes {
			c.kill(name)
		}
		c.startAll()
		x.holds("l2", 20)
		x.appendAll(21, 25)
		x.holds("l1", 25)
		c.agree("l1", "l2")
	})
}

// TestFailover: a leader that vanishes is replaced in a fraction of a second, one that is cut off within a few time-outs.
func TestFailover(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		x.appendAll(1, 3)
		old := c.leader()
		c.kill(old)
		begun := time.Now()
		x.appendAll(4, 4)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("an append took %v after the leader's end", took)
		}
		c.start(old)
		cut := c.leader()
		c.b.setCut(cut, true)
		x.appendAll(5, 5)
		c.b.setCut(cut, false)
		c.nodes[cut].pr.OnConnection(true)
		x.appendAll(6, 8)
		x.holds("l1", 8)
	})
}

// TestHandOver: an orderly stop acknowledges what it holds and says so; the next leader needs no time-out.
func TestHandOver(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		x.appendAll(1, 3)
		old := c.leader()
		if err := c.nodes[old].pr.HandOver(c.t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		x.appendAll(4, 6)
		if took := time.Since(begun); took > time.Second || c.leader() == old {
			t.Errorf("%q leads %v after the hand-over", c.leader(), took)
		}
		c.kill(old)
		if err := c.nodes["p2"].pr.HandOver(c.t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestL3IdleLogIsRepaired: the last accept, its votes and the only beacon that names it are lost at one learner; nothing is appended
// after it, and the learner finds out nevertheless (PROTOCOL N6).
func TestL3IdleLogIsRepaired(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		x.appendAll(1, 3)
		time.Sleep(10 * time.Second) // idle
		c.b.setCut("l2", true)
		x.appendAll(4, 4)
		time.Sleep(300 * time.Millisecond)
		c.b.setCut("l2", false)
		x.holds("l2", 4)
		c.agree("l1", "l2")
	})
}

// marked makes checkpoints and trims happen within seconds.
func (c *cluster) marked() {
	c.core.MarkEvery, c.core.StableEvery = 2*paxos.Second, paxos.Second
}

// trimmed waits until every acceptor has forgotten something.
func (c *cluster) trimmed(past paxos.Slot) {
	c.t.Helper()
	c.until(fmt.Sprint("acceptors forget slot ", past), func() bool {
		for _, n := range c.acceptors {
			st := c.nodes[n].a.Status()
			if len(st) == 0 || st[0].Trimmed < past {
				return false
			}
		}
		return true
	})
}

// TestFreshLearnerBeginsFromACheckpoint, since acceptors have forgotten the beginning; it serves what it has, sends readers of the rest
// elsewhere, and goes on from its store after a restart.
func TestFreshLearnerBeginsFromACheckpoint(t *testing.T) {
	inBareCluster(t, func(c *cluster) {
		c.marked()
		c.startAll()
		x := c.client()
		defer x.close()
		n := 0
		for range 8 {
			x.appendAll(n+1, n+10)
			n += 10
			time.Sleep(time.Second)
		}
		c.trimmed(20)
		c.start("l3")
		c.until("l3 begins", func() bool { return c.learner("l3").Begun })
		st := c.learner("l3")
		if st.First <= 1 {
			t.Fatalf("l3 begins at offset %d: not from a checkpoint", st.First)
		}
		first := int(st.First)
		x.appendAll(n+1, n+5)
		n += 5
		check := func() {
			t.Helper()
			if got := x.read([]string{"l3"}, paxos.Offset(first), paxos.Offset(n)); !slices.Equal(got, numbered(first, n)) {
				t.Fatalf("l3 serves %q", got)
			}
			if got, ok := x.try([]string{"l3"}, paxos.Offset(first-1), paxos.Offset(n), 3*time.Second); ok || len(got) != 0 {
				t.Fatalf("l3 serves what it does not hold: %q", got)
			}
			if got := x.read([]string{"l3", "l1"}, 1, paxos.Offset(n)); !slices.Equal(got, numbered(1, n)) {
				t.Fatalf("l3 and l1 serve %q", got)
			}
			c.agree("l1", "l2", "l3")
		}
		check()
		for range 2 { // the second time newer checkpoints have taken the first one's place
			c.kill("l3")
			x.appendAll(n+1, n+5)
			n += 5
			c.start("l3")
			check()
			for range 4 {
				x.appendAll(n+1, n+2)
				n += 2
				time.Sleep(time.Second)
			}
		}
		if st := c.learner("l3"); int(st.First) != first {
			t.Fatalf("l3 begins at %d, was %d", st.First, first)
		}
	})
}

// TestFreshProposerLeadsATrimmedLog: it begins from a checkpoint, and may lead.
func TestFreshProposerLeadsATrimmedLog(t *testing.T) {
	inBareCluster(t, func(c *cluster) {
		c.marked()
		c.startAll()
		c.until("a leader serves", func() bool { return c.leader() != "" })
		x := c.client()
		defer x.close()
		for i := range 6 {
			x.appendAll(5*i+1, 5*i+5)
			time.Sleep(time.Second)
		}
		c.trimmed(10)
		c.kill("p1")
		c.kill("p2")
		c.start("p2")
		x.appendAll(31, 35)
		x.holds("l2", 35)
	})
}

// TestLearnerFarBehindCatchesUp from another learner, in answers that a broker takes: broker.check measures them.
func TestLearnerFarBehindCatchesUp(t *testing.T) {
	inCluster(t, func(c *cluster) {
		x := c.client()
		defer x.close()
		x.appendAll(1, 1)
		c.kill("l2")
		for i := range 40 {
			x.append(fmt.Sprint(i, strings.Repeat("x", 100_000)))
		}
		for i := range 200 {
			x.append(fmt.Sprint("small", i))
		}
		c.kill("l1") // its memory, so that it answers from its store
		c.start("l1")
		c.start("l2")
		c.until("l2 has all", func() bool { return c.learner("l2").Last == 241 })
		c.agree("l1", "l2")
	})
}

// TestA9SecondProcessOnOneStore: both stop.
func TestA9SecondProcessOnOneStore(t *testing.T) {
	inCluster(t, func(c *cluster) {
		for _, name := range []string{"a1", "l1"} {
			inc := c.nodes[name].store.(interface{ Identity() wal.Identity }).Identity().Incarnation
			answers := make(chan *paxos.Envelope, 1)
			p := c.b.connect("twin", paxos.RoleNone, 99)
			p.listen(func(env *paxos.Envelope) { answers <- env })
			self := paxos.Ident{Asker: name, Role: paxos.RoleAcceptor, Incarnation: inc, Boot: 1, Run: 99}
			if err := Guard(c.t.Context(), p, self, answers); err == nil {
				t.Errorf("%s: a second process starts", name)
			}
			synctest.Wait()
			if c.failure(name) == nil {
				t.Errorf("%s: the first process goes on", name)
			}
			p.close()
		}
	})
}

// TestProposerBeginsAgain from a checkpoint: while it was cut off, every learner that holds the log's beginning was lost.
func TestProposerBeginsAgain(t *testing.T) {
	inBareCluster(t, func(c *cluster) {
		c.marked()
		c.startAll()
		c.until("a leader serves", func() bool { return c.leader() != "" })
		old := c.proposers[0]
		if c.leader() == old {
			old = c.proposers[1]
		}
		x := c.client()
		defer x.close()
		x.appendAll(1, 5)
		c.b.setCut(old, true)
		n := 5
		for range 8 {
			x.appendAll(n+1, n+5)
			n += 5
			time.Sleep(time.Second)
		}
		c.trimmed(20)
		c.start("l3")
		c.until("l3 has all", func() bool { return int(c.learner("l3").Last) == n })
		c.kill("l1")
		c.kill("l2")
		c.b.setCut(old, false)
		c.nodes[old].pr.OnConnection(true)
		x.appendAll(n+1, n+5)
		n += 5
		c.until(old+" has caught up", func() bool {
			st := c.nodes[old].pr.Status()
			return len(st.Logs) == 1 && int(st.Logs[0].Last) == n
		})
	})
}

// TestFailedSubscriptionEndsTheLeader: one that nobody can reach makes way for another.
func TestFailedSubscriptionEndsTheLeader(t *testing.T) {
	inBareCluster(t, func(c *cluster) {
		c.b.refuse = errGone
		c.startAll()
		c.until("the leader gives up", func() bool { return c.failure("p1") != nil || c.failure("p2") != nil })
	})
}

// A founder that starts again while a founding acceptor is gone for good must get ready: nobody will ever tell that one.
func TestFounderIsReadyWithoutALostStore(t *testing.T) {
	inCluster(t, func(c *cluster) {
		for _, name := range []string{"a2", "p1", "p2"} {
			c.kill(name)
		}
		c.start("p1")
		c.until("p1 founds nothing any more", func() bool {
			s := c.nodes["p1"].pr.Status()
			return len(s.Logs) > 0 && len(s.Founding) == 0
		})
	})
}
