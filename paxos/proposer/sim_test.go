package proposer

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// cluster makes a world of three acceptors, some proposers, two keepers and clients, all up.
func cluster(t *testing.T, seed uint64, proposers int, window uint64) *world {
	gen := testGenesis(window, "a1", "a2", "a3")
	gen.Sessions = 1024 // an open that is sent again opens another
	w := newWorld(t, seed, gen)
	for i := range proposers {
		w.props = append(w.props, &propNode{w: w, id: fmt.Sprintf("p%d", i+1)})
	}
	for _, id := range []string{"l1", "l2"} {
		w.keeps = append(w.keeps, &keepNode{w: w, id: id, reports: true})
	}
	for _, id := range []string{"a1", "a2", "a3", "a4", "a5"} {
		// a4 and a5 know of nothing until a membership command adds them.
		live := gen.Membership.Index(id, inc(id, 1)) >= 0
		w.accs = append(w.accs, &accNode{w: w, id: id, durable: store{live: live, votes: map[paxos.Slot]paxos.VoteValue{}}})
	}
	for _, n := range w.accs {
		w.add(n)
	}
	for _, n := range w.keeps {
		w.add(n)
	}
	for _, n := range w.props {
		w.add(n)
	}
	return w
}

func (w *world) addClient(id string, plain bool, want uint64) *client {
	c := &client{
		w: w, id: id, plain: plain, want: want, window: 8,
		acked: map[uint64]paxos.Offset{}, bodies: map[uint64][]byte{}, line: map[string]paxos.Instant{},
	}
	w.clients = append(w.clients, c)
	c.start()
	return c
}

// settled reports whether all sessions are acknowledged and all keepers hold the same log.
func (w *world) settled() bool {
	for _, c := range w.clients {
		if !c.plain && !c.done() {
			return false
		}
	}
	through := w.check.through
	for _, p := range w.props {
		if p.up() {
			through = max(through, p.core.Status()[0].Through)
		}
	}
	for _, k := range w.keeps {
		if paxos.Slot(len(k.chosen)) < through {
			return false
		}
	}
	return true
}

// judge checks what clients were promised against the log itself.
func (w *world) judge() {
	w.t.Helper()
	at := map[string][]int{}
	all := w.payloads(w.keeps[0])
	for i, p := range all {
		at[p] = append(at[p], i+1)
	}
	for _, c := range w.clients {
		last := 0
		for n := uint64(1); n <= c.sent; n++ {
			p := at[c.payload(n)]
			off, acked := c.acked[n]
			switch {
			case len(p) > 1:
				w.fail("%s is in the log %d times", c.payload(n), len(p))
			case acked && len(p) == 0:
				w.fail("%s was acknowledged and is lost", c.payload(n))
			case acked && paxos.Offset(p[0]) != off:
				w.fail("%s was acknowledged at %d and is at %d", c.payload(n), off, p[0])
			}
			if !c.plain && len(p) == 1 {
				if p[0] < last {
					w.fail("%s is out of its session's order", c.payload(n))
				}
				last = p[0]
			}
		}
	}
}

func TestSimulatedColdStart(t *testing.T) {
	w := cluster(t, 1, 2, 64)
	w.runUntil(600*paxos.Millisecond, "a leader serves", func() bool { return w.leader() != nil })
	w.addClient("c1", false, 50)
	w.addClient("c2", true, 50)
	w.runUntil(5*paxos.Second, "all acknowledged", w.settled)
	w.run(500 * paxos.Millisecond)
	w.judge()
	if n := w.events[paxos.EventElection]; n != 1 {
		t.Errorf("%d elections, want 1", n)
	}
}

// TestSimulatedFailover: the leader dies, and a standby serves within 300 ms.
func TestSimulatedFailover(t *testing.T) {
	var took []paxos.Span
	defer func() {
		slices.Sort(took)
		if len(took) == 20 && took[10] > 150*paxos.Millisecond {
			t.Errorf("median %d ms", took[10]/paxos.Millisecond)
		}
	}()
	for seed := uint64(1); seed <= 20; seed++ {
		w := cluster(t, seed, 2, 64)
		w.runUntil(600*paxos.Millisecond, "a leader serves", func() bool { return w.leader() != nil })
		for i := range 8 {
			w.addClient(fmt.Sprintf("c%d", i+1), false, 60)
		}
		w.run(300 * paxos.Millisecond)
		died := w.now
		w.leader().crash()
		w.runUntil(300*paxos.Millisecond, "another leader serves", func() bool { return w.leader() != nil })
		took = append(took, w.now.Sub(died))
		w.runUntil(20*paxos.Second, "all acknowledged", w.settled)
		w.judge()
	}
}

// TestSimulatedHandOver: an orderly stop loses nothing, plain appends included, and another serves within 100 ms of "over".
func TestSimulatedHandOver(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := cluster(t, seed, 2, 64)
		w.runUntil(600*paxos.Millisecond, "a leader serves", func() bool { return w.leader() != nil })
		w.addClient("c1", false, 200)
		w.run(300 * paxos.Millisecond)
		p := w.leader()
		p.core.HandOver(w.now, w.wall(), &p.out)
		p.flush()
		w.runUntil(2*paxos.Second, "handed over", func() bool { return p.core.Done() })
		p.crash()
		w.runUntil(150*paxos.Millisecond, "another leader serves", func() bool { return w.leader() != nil })
		w.runUntil(20*paxos.Second, "all acknowledged", w.settled)
		w.judge()
	}
}

// A failure prints its seed: -chaos.seed=N -chaos.runs=1 repeats it.
var (
	chaosSeed = flag.Uint64("chaos.seed", 1, "first seed of TestSimulatedChaos")
	chaosRuns = flag.Uint64("chaos.runs", 60, "seeds that TestSimulatedChaos runs")
)

// TestSimulatedChaos: everything goes wrong for a while, then nothing.
func TestSimulatedChaos(t *testing.T) {
	runs := *chaosRuns
	if testing.Short() {
		runs = min(runs, 15)
	}
	total := map[string]int{}
	for seed := *chaosSeed; seed < *chaosSeed+runs; seed++ {
		chaos(t, seed, total)
	}
	for _, what := range []string{
		"memberships", "elections", "term starts", "resigned", "retransmits", "adopted", "holes filled", "stable", "raised", "fetched for adoption",
		"decided by a read quorum",
	} {
		t.Logf("%s: %d", what, total[what])
		if total[what] == 0 && runs >= 60 {
			t.Errorf("no run has shown: %s", what)
		}
	}
}

// changeMemberships proposes another three of the five acceptors, now and then.
func (w *world) changeMemberships() {
	admin := &client{w: w, id: "admin", line: map[string]paxos.Instant{}}
	var again func()
	again = func() {
		if w.calm {
			return
		}
		if p := w.leader(); p != nil {
			names := []string{"a1", "a2", "a3", "a4", "a5"}
			w.rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			names = names[:3]
			slices.Sort(names)
			body := value.EncodeCommand(nil, &value.SetMembership{
				Replaces:   p.core.Status()[0].Epoch,
				Membership: paxos.Membership{Acceptors: members(names...), Read: 2, Write: 2},
			})
			admin.publish(func(g uint64) paxos.Message { return &paxos.Admin{Command: body, Generation: g} },
				func(m *paxos.BatchAnswer) { w.note("members %v: code %d %s", names, m.Code, m.Text) })
		}
		w.after(100*paxos.Millisecond+paxos.Span(w.rng.Int64N(int64(400*paxos.Millisecond))), again)
	}
	w.after(200*paxos.Millisecond, again)
}

// highest returns the highest round that a live acceptor has promised.
func (w *world) highest() uint64 {
	r := uint64(0)
	for _, a := range w.accs {
		r = max(r, a.pending.promised.Round)
	}
	return r
}

func chaos(t *testing.T, seed uint64, total map[string]int) {
	w := cluster(t, seed, 2+int(seed%2), 4+8*(seed%5))
	defer func() {
		switch x := recover().(type) {
		case nil:
		case *paxos.Violation:
			w.fail("%v", x)
		default:
			panic(x)
		}
	}()
	for _, p := range w.props {
		p.cfg = func(c *Config) {
			c.StableBytes, c.StableEvery, c.MarkEvery = 4096, 200*paxos.Millisecond, 500*paxos.Millisecond
		}
		p.crash()
		p.start()
	}
	w.addClient("c1", false, 120)
	w.addClient("c2", false, 120)
	w.addClient("c3", true, 200)
	if seed%3 == 0 {
		w.changeMemberships()
	}
	w.faults = faults{loss: 0.2 * w.rng.Float64(), dup: 0.1, slow: 0.3 * w.rng.Float64(), false503: 0.1 * w.rng.Float64()}
	for range 30 {
		w.run(paxos.Span(w.rng.Int64N(int64(250 * paxos.Millisecond))))
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		switch k := w.rng.IntN(10); {
		case k < 3:
			if n.up() {
				w.note("crash %s", n.name())
				n.crash()
			}
		case k < 7:
			if !n.up() {
				w.note("start %s", n.name())
				n.start()
			}
		case k < 8 && w.rng.IntN(2) == 0:
			// A ballot of a candidate that vanished at once: a leader that meets it may raise in place.
			a := w.accs[w.rng.IntN(len(w.accs))]
			b := paxos.Ballot{Round: w.highest() + 1, Proposer: "zz", Run: 1}
			w.note("%s promises %s", a.id, b)
			if a.up() {
				a.deliver(&paxos.Envelope{Log: w.gen.Log, Genesis: w.gen.ID, From: "zz", Msg: &paxos.Prepare{Ballot: b, From: w.check.through + 1}})
			}
		case k < 8:
			w.note("isolate %s", n.name())
			w.isolate(n.name(), true)
		default:
			w.note("join %s", n.name())
			w.isolate(n.name(), false)
		}
	}
	w.note("heal")
	w.heal()
	w.calm = true
	w.runUntil(20*paxos.Second, "all acknowledged after healing", w.settled)
	w.run(2 * paxos.Second)
	w.judge()
	if len(w.keeps[0].chosen) == 0 {
		w.fail("nothing was chosen")
	}
	for kind, what := range map[paxos.EventKind]string{
		paxos.EventElection: "elections", paxos.EventTermStart: "term starts", paxos.EventResigned: "resigned",
		paxos.EventRetransmit: "retransmits", paxos.EventAdopted: "adopted", paxos.EventHoleFilled: "holes filled",
		paxos.EventStable: "stable",
	} {
		total[what] += w.events[kind]
	}
	total["memberships"] += int(w.props[0].core.groups.list[0].seq.Newest().Epoch) - 1
	total["raised"] += w.raised
	total["fetched for adoption"] += w.fetched
	total["decided by a read quorum"] += w.read
}
