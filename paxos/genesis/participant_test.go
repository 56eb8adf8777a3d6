package genesis

import (
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// self is the participant under test: acceptor a1.
var self = ParticipantConfig{Cluster: "main", Name: "a1", Role: paxos.RoleAcceptor, Incarnation: paxos.Incarnation{1}, Run: 9}

// recordOf is a genesis that lists a1 to a3 and l1, l2 under incarnations 1 to 5.
func recordOf(log string, id byte, change func(*paxos.Genesis)) *paxos.Genesis {
	c := threeAndTwo()
	g := c.template
	g.Log, g.ID = log, paxos.GenesisID{id}
	g.Membership.Epoch, g.Membership.From, g.Keepers.Epoch = 1, 1, 1
	for i := range g.Membership.Acceptors {
		g.Membership.Acceptors[i].Incarnation = paxos.Incarnation{byte(i + 1)}
	}
	for i := range g.Keepers.Members {
		g.Keepers.Members[i].Incarnation = paxos.Incarnation{byte(i + 4)}
	}
	if change != nil {
		change(&g)
	}
	return &g
}

func message(step paxos.GenesisStep, g *paxos.Genesis) *paxos.Envelope {
	return &paxos.Envelope{Log: g.Log, Genesis: g.ID, From: "p1", Msg: &paxos.GenesisMsg{
		Step: step, ID: g.ID, Sender: "p1", Record: value.EncodeGenesis(g),
	}}
}

// take delivers a message and returns the answer, or nil, and how many records were written.
func take(p *Participant, env *paxos.Envelope) (*paxos.GenesisMsg, int) {
	var out paxos.Output
	p.OnGenesis(env, &out)
	if len(out.Now) > 0 {
		panic("an answer that does not wait for its record")
	}
	if len(out.After) == 0 {
		return nil, len(out.Records)
	}
	return out.After[0].Msg.(*paxos.GenesisMsg), len(out.Records)
}

func newSelf(t *testing.T, held ...Held) *Participant {
	t.Helper()
	p, err := NewParticipant(self, held)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParticipantIgnoresWhatIsNotForIt(t *testing.T) {
	good := recordOf("orders", 1, nil)
	other := message(paxos.GenesisPrepare, good)
	other.Log = "other"
	renamed := message(paxos.GenesisPrepare, good)
	renamed.Genesis = paxos.GenesisID{9}
	broken := message(paxos.GenesisPrepare, good)
	broken.Msg.(*paxos.GenesisMsg).Record = []byte("x")
	for name, env := range map[string]*paxos.Envelope{
		"another log":      other,
		"another id":       renamed,
		"a broken record":  broken,
		"another cluster":  message(paxos.GenesisPrepare, recordOf("orders", 1, func(g *paxos.Genesis) { g.Cluster = "test" })),
		"not listed":       message(paxos.GenesisPrepare, recordOf("orders", 1, func(g *paxos.Genesis) { g.Membership.Acceptors[0].Name = "a0" })),
		"an answer":        message(paxos.GenesisPrepared, good),
		"no step":          message(77, good),
		"no genesis":       {Log: "orders", Msg: &paxos.GenesisMsg{Step: paxos.GenesisPrepare}},
		"no message":       {Log: "orders", Genesis: good.ID, Msg: &paxos.NoResponders{}},
		"unlisted go-live": message(paxos.GenesisGoLive, recordOf("orders", 1, func(g *paxos.Genesis) { g.Membership.Acceptors[0].Name = "a0" })),
		"unlisted abort":   message(paxos.GenesisAbort, recordOf("orders", 1, func(g *paxos.Genesis) { g.Membership.Acceptors[0].Name = "a0" })),
		"join of nothing":  message(paxos.GenesisJoin, good),
	} {
		p := newSelf(t)
		if a, n := take(p, env); a != nil || n != 0 || len(p.All()) != 0 {
			t.Errorf("%s: answer %v, %d records", name, a, n)
		}
	}
}

func TestOneIDServesOneLog(t *testing.T) {
	p := newSelf(t)
	take(p, message(paxos.GenesisPrepare, recordOf("orders", 1, nil)))
	if a, n := take(p, message(paxos.GenesisPrepare, recordOf("other", 1, nil))); a != nil || n != 0 {
		t.Fatal("one id prepared for two logs")
	}
	changed := recordOf("orders", 1, func(g *paxos.Genesis) { g.Window++ })
	if a, n := take(p, message(paxos.GenesisPrepare, changed)); a != nil || n != 0 {
		t.Fatal("another record under a known id was answered")
	}
}

func TestKeepersPrepareAsAcceptorsDo(t *testing.T) {
	cfg := ParticipantConfig{Cluster: "main", Name: "l2", Role: paxos.RoleLearner, Incarnation: paxos.Incarnation{5}}
	p, err := NewParticipant(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := recordOf("orders", 1, nil)
	if a, n := take(p, message(paxos.GenesisPrepare, g)); a == nil || a.Step != paxos.GenesisPrepared || n != 1 {
		t.Fatalf("keeper answered %v", a)
	}
	join := message(paxos.GenesisJoin, recordOf("other", 2, nil))
	join.Msg.(*paxos.GenesisMsg).Membership = &paxos.Membership{Acceptors: []paxos.Member{{Name: "l2", Incarnation: cfg.Incarnation}}}
	if a, n := take(p, join); a != nil || n != 0 {
		t.Fatal("a keeper joined as an acceptor")
	}
}

func TestJoinIsOnlyForTheListedStore(t *testing.T) {
	g := recordOf("orders", 1, func(g *paxos.Genesis) {
		g.Membership.Acceptors[0] = paxos.Member{Name: "a0", Incarnation: paxos.Incarnation{7}}
	})
	join := func(inc byte) *paxos.Envelope {
		env := message(paxos.GenesisJoin, g)
		env.Msg.(*paxos.GenesisMsg).Membership = &paxos.Membership{
			Epoch: 2, From: 99, Acceptors: []paxos.Member{{Name: "a1", Incarnation: paxos.Incarnation{inc}}},
		}
		return env
	}
	p := newSelf(t)
	if a, n := take(p, join(8)); a != nil || n != 0 {
		t.Fatal("another incarnation joined")
	}
	if a, n := take(p, join(1)); a == nil || a.Step != paxos.GenesisIsLive || n != 1 {
		t.Fatalf("join answered %v with %d records", a, n)
	}
	if a, n := take(p, join(1)); a == nil || a.Step != paxos.GenesisIsLive || n != 0 {
		t.Fatalf("a second join answered %v with %d records", a, n)
	}
	q := newSelf(t)
	take(q, message(paxos.GenesisPrepare, recordOf("orders", 2, nil)))
	if a, n := take(q, join(1)); a == nil || a.Step != paxos.GenesisRefused || a.Holds != (paxos.GenesisID{2}) || n != 0 {
		t.Fatalf("join beside another genesis answered %v", a)
	}
}

func TestRetireIsForLiveOnly(t *testing.T) {
	p := newSelf(t)
	g := recordOf("orders", 1, nil)
	take(p, message(paxos.GenesisPrepare, g))
	var out paxos.Output
	if p.Retire(g.Log, g.ID, 2, &out) != nil || len(out.Records) != 0 {
		t.Fatal("retired what is not live")
	}
	take(p, message(paxos.GenesisGoLive, g))
	if h := p.Retire(g.Log, g.ID, 2, &out); h == nil || h.Epoch != 2 || len(out.Records) != 1 || out.Records[0].State != paxos.LogRetired {
		t.Fatal("did not retire")
	}
	if p.Retire(g.Log, g.ID, 3, &out) != nil {
		t.Fatal("retired twice")
	}
}

func TestAbortedGenesesAreBounded(t *testing.T) {
	p := newSelf(t)
	for i := range MaxAborted + 3 {
		env := &paxos.Envelope{Log: "orders", Genesis: paxos.GenesisID{byte(i + 1)}, From: "p1"}
		env.Msg = &paxos.GenesisMsg{Step: paxos.GenesisAbort, ID: env.Genesis, Sender: "p1"}
		a, n := take(p, env)
		if ok := i < MaxAborted; a == nil || (a.Step == paxos.GenesisAborted) != ok || (n == 1) != ok {
			t.Fatalf("abort %d answered %v with %d records", i, a, n)
		}
	}
}

// An abort of what a store never heard of must hold, though it holds another genesis: that one may be aborted, too.
func TestAbortBesidePreparedIsDurable(t *testing.T) {
	p := newSelf(t)
	held, late := recordOf("orders", 1, nil), recordOf("orders", 2, nil)
	take(p, message(paxos.GenesisPrepare, held))
	if a, n := take(p, message(paxos.GenesisAbort, late)); a == nil || a.Step != paxos.GenesisAborted || n != 1 {
		t.Fatalf("answered %v with %d records", a, n)
	}
	take(p, message(paxos.GenesisAbort, held))
	if a, _ := take(p, message(paxos.GenesisPrepare, late)); a == nil || a.Step != paxos.GenesisRefused {
		t.Fatalf("prepared what it had confirmed as aborted: %v", a)
	}
}

func TestLogsAndInfosAreBounded(t *testing.T) {
	p := newSelf(t)
	for i := range MaxLogs + 1 {
		name := "log" + string(rune('a'+i/676)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26))
		g := recordOf(name, 1, func(g *paxos.Genesis) { g.ID = paxos.GenesisID{byte(i), byte(i >> 8), 1} })
		a, _ := take(p, message(paxos.GenesisPrepare, g))
		if a == nil || (a.Step == paxos.GenesisPrepared) != (i < MaxLogs) {
			t.Fatalf("log %d answered %v", i, a)
		}
	}
	size := 0
	infos := p.Infos()
	for _, l := range infos {
		size += len(l.Record)
	}
	if len(infos) != MaxLogs || size > MaxInfoBytes || len(infos[0].Record) == 0 {
		t.Fatalf("%d infos with %d bytes of records", len(infos), size)
	}
	aborted := &paxos.Envelope{Log: "aaa", Genesis: paxos.GenesisID{7}, Msg: &paxos.GenesisMsg{Step: paxos.GenesisAbort, ID: paxos.GenesisID{7}}}
	take(p, aborted)
	if infos := p.Infos(); len(infos) != paxos.MaxIdentLogs || slices.ContainsFunc(infos, func(l paxos.LogInfo) bool { return l.Log == "aaa" }) {
		t.Fatal("an aborted genesis took the place of a log")
	}
}

func TestParticipantComesBackAsItWas(t *testing.T) {
	p := newSelf(t)
	live, gone := recordOf("orders", 1, nil), recordOf("other", 2, nil)
	take(p, message(paxos.GenesisPrepare, live))
	take(p, message(paxos.GenesisGoLive, live))
	take(p, message(paxos.GenesisAbort, gone))
	var held []Held
	for _, h := range p.All() {
		held = append(held, Held{Log: h.Log, ID: h.ID, State: h.State, Record: h.Record, Epoch: h.Epoch})
	}
	q := newSelf(t, held...)
	if h := q.Holding("orders"); h == nil || h.State != paxos.LogLive || h.Genesis().ID != live.ID {
		t.Fatal("the live log is forgotten")
	}
	if a, _ := take(q, message(paxos.GenesisPrepare, gone)); a.Step != paxos.GenesisRefused || a.State != paxos.LogAborted {
		t.Fatalf("an aborted genesis was answered %v", a)
	}
}

// A restart's messages of an earlier founder may come late; an abort that is on its way must never meet a live that is, too. See survivor.
func TestOwnUnpreparedGenesisNeverDoomsAnother(t *testing.T) {
	c := threeAndTwo()
	c.found(t) // 99: its prepare is delayed
	c.until(t, func() bool { return c.carries(paxos.GenesisPrepare) })
	delayed := c.wire
	c.wire = nil
	c.found(t) // 98: all say "none"
	c.until(t, func() bool { return c.carries(paxos.GenesisPrepare) })
	mine := c.wire
	c.wire = delayed
	for len(c.wire) > 0 && c.carries(paxos.GenesisPrepare) {
		c.deliver(0) // all prepare 99
	}
	c.wire = append(c.wire, mine...)
	for len(c.wire) > 0 {
		c.deliver(0)
		if c.carries(paxos.GenesisAbort) {
			t.Fatal("a genesis that all stores prepared is being aborted")
		}
	}
	c.settle()
	if got := c.wantLive(t); got[0] != 99 {
		t.Fatalf("founded %x", got[0])
	}
}

// PROTOCOL section 6: what is live, or was and is retired, is never aborted, whoever asks.
func TestLiveIsNeverAborted(t *testing.T) {
	p := newSelf(t)
	r := recordOf("orders", 1, nil)
	take(p, message(paxos.GenesisPrepare, r))
	take(p, message(paxos.GenesisGoLive, r))
	a, n := take(p, message(paxos.GenesisAbort, r))
	if h := p.Holding("orders"); h == nil || h.State != paxos.LogLive || n != 0 {
		t.Fatalf("after an abort: %v, %d records", h, n)
	}
	if a == nil || a.Step == paxos.GenesisAborted {
		t.Fatalf("an abort of a live log was answered %v", a)
	}
}
