package genesis

import (
	"fmt"
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// cluster is a world for founders: stores whose records are durable at once, and a network that keeps every message until the
// test delivers or drops it.
type cluster struct {
	template  paxos.Genesis
	stores    []*store
	servers   []*server
	founder   *Founder
	wire      []paxos.Envelope
	now       paxos.Instant
	request   uint64
	founders  uint64
	wipes     uint64
	witnessed []paxos.GenesisID // every genesis that was ever live at a store
}

// store is an acceptor or keeper.
type store struct {
	name string
	role paxos.Role
	inc  paxos.Incarnation
	part *Participant
	down bool
}

// server is a proposer or learner that only knows logs, or nothing.
type server struct {
	name  string
	role  paxos.Role
	knows paxos.GenesisID
}

const testLog = "orders"

func newCluster(acceptors, keepers []string, read, write, k int) *cluster {
	c := &cluster{template: paxos.Genesis{
		Cluster: "main", Log: testLog, Founded: 7, Level: paxos.FormatLevel, Window: paxos.DefaultWindow,
		ValueLimit: paxos.DefaultValueLimit, Sessions: paxos.DefaultSessions, Outcomes: paxos.DefaultOutcomes,
		MessageIDs: paxos.DefaultMessageIDs,
		Membership: paxos.Membership{Read: read, Write: write},
		Keepers:    paxos.Keepers{K: k},
	}}
	for _, n := range acceptors {
		c.template.Membership.Acceptors = append(c.template.Membership.Acceptors, paxos.Member{Name: n})
		c.stores = append(c.stores, &store{name: n, role: paxos.RoleAcceptor})
	}
	for _, n := range keepers {
		c.template.Keepers.Members = append(c.template.Keepers.Members, paxos.Member{Name: n})
		c.stores = append(c.stores, &store{name: n, role: paxos.RoleLearner})
	}
	for _, s := range c.stores {
		c.wipe(s)
	}
	return c
}

// wipe gives a store an empty disk: it is a stranger from then on.
func (c *cluster) wipe(s *store) {
	c.wipes++
	s.inc = paxos.Incarnation{byte(c.wipes)}
	c.restart(s, nil)
}

// restart starts a store's process on what its disk holds.
func (c *cluster) restart(s *store, held []Held) {
	part, err := NewParticipant(ParticipantConfig{
		Cluster: "main", Name: s.name, Role: s.role, Incarnation: s.inc, Run: c.wipes,
	}, held)
	if err != nil {
		panic(err)
	}
	s.part = part
}

// found starts a new founder process; the old one is dead.
func (c *cluster) found(t testing.TB) {
	c.founders++
	cfg := FounderConfig{
		Name: "p1", Genesis: c.template, ID: paxos.GenesisID{byte(100 - c.founders)}, // each new one is the smaller
		NextRequest: func() uint64 { c.request++; return c.request },
	}
	for _, s := range c.servers {
		cfg.Others = append(cfg.Others, Peer{Name: s.name, Role: s.role})
	}
	f, err := NewFounder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.founder = f
}

func (c *cluster) tick(d paxos.Span) {
	c.now = c.now.Add(d)
	var out paxos.Output
	c.founder.Tick(c.now, &out)
	c.send(&out)
}

// send puts an output's messages on the wire: one copy for each store of a broadcast.
func (c *cluster) send(out *paxos.Output) {
	for _, env := range append(slices.Clone(out.Now), out.After...) {
		if env.To != "" || env.From != "p1" {
			c.put(env)
			continue
		}
		for _, s := range c.stores {
			env.To = s.name
			c.put(env)
		}
	}
}

// put adds a message, unless its twin is on the wire already.
func (c *cluster) put(env paxos.Envelope) {
	if m, ok := env.Msg.(*paxos.GenesisMsg); ok {
		for _, o := range c.wire {
			if om, ok := o.Msg.(*paxos.GenesisMsg); ok && o.From == env.From && o.To == env.To && om.Step == m.Step && om.ID == m.ID && om.Incarnation == m.Incarnation {
				return
			}
		}
	}
	c.wire = append(c.wire, env)
}

// deliver takes message i off the wire and delivers it.
func (c *cluster) deliver(i int) {
	env := c.wire[i]
	c.wire = slices.Delete(slices.Clone(c.wire), i, i+1)
	if s := c.store(env.To); s != nil {
		c.toStore(s, &env)
		return
	}
	for _, s := range c.servers {
		if s.name == env.To {
			a := &paxos.IdentAnswer{Name: s.name, Role: s.role, Cluster: "main", Run: 1}
			if !s.knows.IsZero() {
				a.Logs = []paxos.LogInfo{{Log: testLog, Genesis: s.knows}}
			}
			c.put(paxos.Envelope{Log: env.Log, From: s.name, Request: env.Request, Msg: a})
			return
		}
	}
	var out paxos.Output
	c.founder.Deliver(c.now, &env, &out)
	c.send(&out)
}

func (c *cluster) toStore(s *store, env *paxos.Envelope) {
	if s.down {
		if env.Request != 0 {
			c.put(paxos.Envelope{Log: env.Log, Request: env.Request, Msg: &paxos.NoResponders{}})
		}
		return
	}
	if _, ok := env.Msg.(*paxos.Ident); ok {
		c.put(paxos.Envelope{Log: env.Log, From: s.name, Request: env.Request, Msg: &paxos.IdentAnswer{
			Name: s.name, Role: s.role, Cluster: "main", Incarnation: s.inc, Boot: 1, Run: 1, Logs: s.part.Infos(),
		}})
		return
	}
	var out paxos.Output
	s.part.OnGenesis(env, &out)
	c.send(&out)
	for _, h := range s.part.All() {
		if h.State == paxos.LogLive && !slices.Contains(c.witnessed, h.ID) {
			c.witnessed = append(c.witnessed, h.ID)
		}
	}
}

func (c *cluster) store(name string) *store {
	for _, s := range c.stores {
		if s.name == name {
			return s
		}
	}
	return nil
}

// settle runs the founder in a fair world until it is settled, or for at most a minute.
func (c *cluster) settle() bool {
	for range 600 {
		c.tick(100 * paxos.Millisecond)
		for len(c.wire) > 0 {
			c.deliver(0)
		}
		if c.founder.Settled() {
			return true
		}
	}
	return false
}

// check returns what is wrong with the world: two geneses of one log that were ever live.
func (c *cluster) check() error {
	if len(c.witnessed) > 1 {
		return fmt.Errorf("two geneses became live: %v", c.witnessed)
	}
	return nil
}

// states lists what every store holds, for messages and fingerprints.
func (c *cluster) states() string {
	s := ""
	for _, st := range c.stores {
		s += fmt.Sprintf("%s/%x:", st.name, st.inc[0])
		for _, h := range st.part.All() {
			s += fmt.Sprintf(" %x %s", h.ID[0], h.State)
		}
		s += "; "
	}
	return s
}

// wantLive fails unless every store is live in one genesis.
func (c *cluster) wantLive(t testing.TB) paxos.GenesisID {
	t.Helper()
	var id paxos.GenesisID
	for _, s := range c.stores {
		h := s.part.Holding(testLog)
		if h == nil || h.State != paxos.LogLive || (!id.IsZero() && h.ID != id) {
			t.Fatalf("not all live in one genesis: %s", c.states())
		}
		id = h.ID
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	return id
}
