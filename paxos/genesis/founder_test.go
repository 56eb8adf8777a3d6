package genesis

import (
	"slices"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

func threeAndTwo() *cluster {
	return newCluster([]string{"a1", "a2", "a3"}, []string{"l1", "l2"}, 2, 2, 2)
}

// run delivers everything, ticking as needed, until cond holds; it fails after a minute of the world's time.
func (c *cluster) until(t testing.TB, cond func() bool) {
	t.Helper()
	for range 600 {
		for !cond() && len(c.wire) > 0 {
			c.deliver(0)
		}
		if cond() {
			return
		}
		c.tick(100 * paxos.Millisecond)
	}
	stage, text := c.founder.Status()
	t.Fatalf("not reached: founder at stage %d (%s), %s", stage, text, c.states())
}

// PROTOCOL section 6: all listed prepare, then live; the record lists both sets.
func TestFoundsFromConfiguration(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	if _, _, ok := c.founder.Live(); ok {
		t.Fatal("live before anything happened")
	}
	if !c.settle() {
		t.Fatalf("not settled: %s", c.states())
	}
	id := c.wantLive(t)
	g, rec, ok := c.founder.Live()
	if !ok || g.ID != id || len(rec) == 0 || len(g.Membership.Acceptors) != 3 || len(g.Keepers.Members) != 2 {
		t.Fatalf("Live() = %v, %v", g, ok)
	}
	for _, m := range append(g.Membership.Acceptors, g.Keepers.Members...) {
		if c.store(m.Name).inc != m.Incarnation {
			t.Errorf("%s is listed under another incarnation", m.Name)
		}
	}
}

// PROTOCOL section 8: it goes on only if all answer "none"; live is sent after all answered prepared.
func TestWaitsForEveryListedProcess(t *testing.T) {
	for _, name := range []string{"a3", "l2"} {
		c := threeAndTwo()
		c.store(name).down = true
		c.found(t)
		if c.settle() || len(c.witnessed) > 0 {
			t.Fatalf("founded without %s: %s", name, c.states())
		}
		if _, text := c.founder.Status(); !strings.Contains(text, name) {
			t.Errorf("the status %q does not name %s", text, name)
		}
		for _, s := range c.stores {
			if len(s.part.All()) != 0 {
				t.Errorf("%s was asked to prepare", s.name)
			}
		}
		c.store(name).down = false
		c.settle()
		c.wantLive(t)
	}
}

func TestLiveOnlyAfterAllPrepared(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	prepared := func() bool { return c.store("a1").part.Holding(testLog) != nil }
	c.until(t, prepared)
	c.store("l2").down = true
	if c.settle() || len(c.witnessed) > 0 {
		t.Fatalf("live without l2: %s", c.states())
	}
	c.store("l2").down = false
	c.settle()
	c.wantLive(t)
}

// PROTOCOL section 8: "If one is prepared(G) it finishes G (the whole record is there)".
func TestFinishesWhatIsPrepared(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.until(t, func() bool { return c.store("l1").part.Holding(testLog) != nil })
	id := c.store("l1").part.Holding(testLog).ID
	c.wire = nil
	c.found(t)
	c.settle()
	if got := c.wantLive(t); got != id {
		t.Fatalf("founded %s, want %s finished", got, id)
	}
}

// PROTOCOL section 6: "one live acceptor proves it, and anyone may send live to the rest".
func TestOneLiveProvesIt(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.until(t, func() bool { return len(c.witnessed) > 0 })
	c.wire = nil // the rest heard nothing
	c.found(t)
	c.settle()
	if got := c.wantLive(t); got != c.witnessed[0] {
		t.Fatalf("founded %s, want %s finished", got, c.witnessed[0])
	}
}

// A live genesis is never prepared anew: a listed store that holds nothing of it has lost its memory (PROTOCOL A9).
func TestLiveIsNeverPreparedAnew(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.settle()
	c.restart(c.store("a2"), nil) // the same incarnation, without memory
	c.found(t)
	c.settle()
	if h := c.store("a2").part.Holding(testLog); h != nil {
		t.Fatalf("a2 was made %s again", h.State)
	}
}

// PROTOCOL section 8: "if it meets two prepared ids it aborts the greater".
func TestAbortsTheGreaterOfTwo(t *testing.T) {
	c := threeAndTwo()
	c.found(t) // id 99
	c.until(t, func() bool { return c.carries(paxos.GenesisPrepare) })
	delayed := c.wire
	c.wire = nil
	c.found(t) // id 98: all answer "none" to it, too
	c.until(t, func() bool { return c.carries(paxos.GenesisPrepare) })
	c.wire = append(delayed[:1:1], c.wire...)
	c.deliver(0) // a1 prepares 99, the others 98
	c.settle()
	if got := c.wantLive(t); got[0] != 98 {
		t.Fatalf("founded %x: %s", got[0], c.states())
	}
	if h := c.store("a1").part.find(testLog, paxos.GenesisID{99}); h == nil || h.State != paxos.LogAborted {
		t.Fatalf("the greater is not aborted: %s", c.states())
	}
}

// carries reports whether a step is on the wire.
func (c *cluster) carries(step paxos.GenesisStep) bool {
	for _, env := range c.wire {
		if m, ok := env.Msg.(*paxos.GenesisMsg); ok && m.Step == step {
			return true
		}
	}
	return false
}

// PROTOCOL section 8: "if a listed name has another incarnation and none is live(G), it aborts G; after n-R+1 confirmations
// it goes on".
func TestAbortsWhatListsAWipedStore(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.until(t, func() bool { return c.store("l2").part.Holding(testLog) != nil })
	first := c.store("l2").part.Holding(testLog).ID
	c.wire = nil
	c.wipe(c.store("a2"))
	c.found(t)
	c.settle()
	if got := c.wantLive(t); got == first {
		t.Fatal("the genesis that lists the wiped store became live")
	}
	for _, name := range []string{"a1", "a3"} {
		if h := c.store(name).part.find(testLog, first); h == nil || h.State != paxos.LogAborted {
			t.Errorf("%s did not abort", name)
		}
	}
}

// What one store aborted can never be prepared by all: the next founder clears it away, though it is the only one.
func TestClearsAwayWhatIsHalfAborted(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.until(t, func() bool { return c.store("l2").part.Holding(testLog) != nil })
	h := c.store("a1").part.Holding(testLog)
	env := paxos.Envelope{Log: testLog, Genesis: h.ID, From: "p1", To: "a1", Msg: &paxos.GenesisMsg{
		Step: paxos.GenesisAbort, ID: h.ID, Sender: "p1", Record: h.Record,
	}}
	c.wire = []paxos.Envelope{env}
	c.deliver(0)
	c.wire = nil
	c.found(t)
	c.settle()
	if got := c.wantLive(t); got == h.ID {
		t.Fatal("founded what was aborted")
	}
}

// A founder that sent live never aborts: some store may be live, though none said so, and a listed one was wiped since.
func TestNeverAbortsWhatItSentLiveFor(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.until(t, func() bool { return c.carries(paxos.GenesisGoLive) })
	id := c.store("a1").part.Holding(testLog).ID
	late := c.wire
	c.wire = nil
	c.wipe(c.store("a2"))
	for range 30 { // the founder learns of the new disk; nothing but its questions arrives
		c.tick(100 * paxos.Millisecond)
		c.wire = slices.DeleteFunc(c.wire, func(env paxos.Envelope) bool {
			m, ok := env.Msg.(*paxos.GenesisMsg)
			if ok && m.Step == paxos.GenesisAbort {
				t.Fatal("aborts what may be live")
			}
			return ok
		})
		for len(c.wire) > 0 {
			c.deliver(0)
		}
	}
	c.wire = late
	c.settle()
	for _, name := range []string{"a1", "a3", "l1", "l2"} {
		if h := c.store(name).part.find(testLog, id); h == nil || h.State != paxos.LogLive {
			t.Errorf("%s is not live: %s", name, c.states())
		}
	}
}

// Beside a live genesis nothing else may wait to become one: what a store outside it prepared is aborted.
func TestAbortsWhatIsPreparedBesideALive(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.settle()
	live := c.wantLive(t)
	a4 := &store{name: "a4", role: paxos.RoleAcceptor}
	c.wipe(a4)
	c.stores = append(c.stores, a4)
	c.template.Membership.Acceptors = append(c.template.Membership.Acceptors, paxos.Member{Name: "a4"})
	c.template.Membership.Read, c.template.Membership.Write = 3, 2
	other := recordOf(testLog, 1, func(g *paxos.Genesis) { g.Membership.Acceptors[2] = paxos.Member{Name: "a4", Incarnation: a4.inc} })
	env := message(paxos.GenesisPrepare, other)
	env.To = "a4"
	c.wire = []paxos.Envelope{*env}
	c.deliver(0)
	if a4.part.Holding(testLog) == nil {
		t.Fatal("a4 did not prepare")
	}
	c.wire = nil
	c.found(t)
	if !c.settle() || a4.part.Holding(testLog) != nil {
		t.Fatalf("not cleared away: %s", c.states())
	}
	if g, _, ok := c.founder.Live(); !ok || g.ID != live {
		t.Fatal("the live log is not found")
	}
}

// Answers may come late: what a peer holds only moves forward.
func TestPeerStatesOnlyMoveForward(t *testing.T) {
	id := paxos.GenesisID{1}
	p := &peer{}
	for _, s := range []struct {
		told, want paxos.LogState
	}{
		{paxos.LogPrepared, paxos.LogPrepared},
		{paxos.LogNone, paxos.LogPrepared},
		{paxos.LogLive, paxos.LogLive},
		{paxos.LogPrepared, paxos.LogLive},
		{paxos.LogAborted, paxos.LogLive},
		{paxos.LogRetired, paxos.LogRetired},
		{paxos.LogLive, paxos.LogRetired},
	} {
		p.merge(id, s.told)
		if got := p.state(id); got != s.want {
			t.Errorf("told %s: %s, want %s", s.told, got, s.want)
		}
	}
}

// With two of three acceptors wiped, n-R+1 confirmations cannot be had: the founder must not guess.
func TestGoesOnOnlyAfterEnoughConfirmations(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.until(t, func() bool { return c.store("l2").part.Holding(testLog) != nil })
	c.wire = nil
	c.wipe(c.store("a1"))
	c.wipe(c.store("a2"))
	c.found(t)
	if c.settle() || len(c.witnessed) > 0 {
		t.Fatalf("went on: %s", c.states())
	}
	if stage, text := c.founder.Status(); stage != StageAborting || !strings.Contains(text, "1 of the 2 confirmations") {
		t.Errorf("stage %d, %q", stage, text)
	}
}

// A wiped acceptor of a live log does not lead to a second genesis, nor to an abort.
func TestWipedStoreOfALiveLog(t *testing.T) {
	c := threeAndTwo()
	c.found(t)
	c.settle()
	c.wipe(c.store("a2"))
	c.found(t)
	c.settle()
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	if h := c.store("a2").part.Holding(testLog); h != nil {
		t.Fatalf("a2 takes part again: %s", c.states())
	}
	if _, _, ok := c.founder.Live(); !ok {
		t.Fatal("the log is not found to exist")
	}
}

// A log that any process knows is never founded again, though all listed stores are empty.
func TestNeverFoundsAKnownLog(t *testing.T) {
	for _, role := range []paxos.Role{paxos.RoleProposer, paxos.RoleLearner} {
		c := threeAndTwo()
		c.servers = []*server{{name: "x1", role: role, knows: paxos.GenesisID{50}}, {name: "x2", role: paxos.RoleProposer}}
		c.found(t)
		if c.settle(); len(c.witnessed) > 0 {
			t.Fatalf("%s knew it: %s", role, c.states())
		}
		if stage, text := c.founder.Status(); stage != StageStuck || !strings.Contains(text, "x1") {
			t.Errorf("stage %d, %q", stage, text)
		}
	}
}

func TestFoundsWithoutSilentServers(t *testing.T) {
	c := threeAndTwo()
	c.servers = []*server{{name: "x1", role: paxos.RoleProposer}}
	c.found(t)
	// x1 never answers: its messages are lost.
	for range 100 {
		c.tick(100 * paxos.Millisecond)
		for len(c.wire) > 0 {
			if c.wire[0].To == "x1" {
				c.wire = c.wire[1:]
				continue
			}
			c.deliver(0)
		}
		if c.now < paxos.Instant(DefaultSettle) && len(c.stores[0].part.All()) > 0 {
			t.Fatal("did not wait for the server")
		}
	}
	c.wantLive(t)
}

func TestFounderRefusesImpossibleConfigurations(t *testing.T) {
	for name, change := range map[string]func(*paxos.Genesis){
		"quorums that do not meet": func(g *paxos.Genesis) { g.Membership.Read = 1 },
		"a name twice":             func(g *paxos.Genesis) { g.Keepers.Members[0].Name = "a1" },
		"fewer keepers than k":     func(g *paxos.Genesis) { g.Keepers.K = 3 },
	} {
		c := threeAndTwo()
		change(&c.template)
		if _, err := NewFounder(FounderConfig{Name: "p1", Genesis: c.template, ID: paxos.GenesisID{1}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
