package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// finding is a directory with what it put out.
type finding struct {
	t    *testing.T
	d    *directory
	now  paxos.Instant
	out  paxos.Output
	reqs map[string]uint64 // newest request to each
}

func newFinding(t *testing.T) *finding {
	var r requests
	f := &finding{t: t, now: 1, reqs: make(map[string]uint64)}
	f.d = newDirectory(paxos.Ident{Asker: "l1", Role: paxos.RoleLearner, Run: 3}, []string{"a1", "a2", "a3"}, []string{"l1", "l2"}, r.source(askerDirectory))
	return f
}

// asked lets time pass and returns who was asked, each time.
func (f *finding) asked(span paxos.Span) string {
	var names []string
	for end := f.now.Add(span); f.now < end; f.now = f.now.Add(TickEvery) {
		f.d.tick(f.now, &f.out)
		for _, env := range f.out.Now {
			m, ok := env.Msg.(*paxos.Ident)
			if !ok || m.Asker != "l1" || env.Log != paxos.ProcessLog || env.From != "l1" || askerOf(env.Request) != askerDirectory {
				f.t.Fatalf("sent %+v", env)
			}
			f.reqs[env.To] = env.Request
			names = append(names, env.To)
		}
		f.out.Reset()
	}
	return strings.Join(names, " ")
}

func (f *finding) answer(name string, logs ...paxos.LogInfo) (found []string) {
	for _, x := range f.d.onAnswer(&paxos.Envelope{Request: f.reqs[name], From: name, Msg: &paxos.IdentAnswer{
		Name: name, Cluster: "main", Logs: logs,
	}}, &f.out) {
		found = append(found, x.genesis.Log)
	}
	return found
}

func info(g *paxos.Genesis, state paxos.LogState) paxos.LogInfo {
	return paxos.LogInfo{Log: g.Log, Genesis: g.ID, State: state, Record: value.EncodeGenesis(g)}
}

func (f *finding) want(got, want string) {
	f.t.Helper()
	if got != want {
		f.t.Fatalf("%q, want %q", got, want)
	}
}

func TestDirectoryAsksUntilEveryAcceptorHasAnswered(t *testing.T) {
	f, g := newFinding(t), testGenesis()
	f.want(f.asked(TickEvery), "a1 a2 a3 l2")
	if got := f.answer("a2", info(g, paxos.LogLive)); !slices.Equal(got, []string{"orders"}) {
		t.Fatalf("found %v", got)
	}
	if got := f.answer("a1", info(g, paxos.LogLive)); got != nil {
		t.Fatalf("found again: %v", got)
	}
	f.want(f.asked(directoryFirst-TickEvery), "")
	f.want(f.asked(TickEvery), "a3 l2")
	stale := f.reqs["a3"]
	f.want(f.asked(directoryFirst), "")
	f.want(f.asked(directoryFirst), "a3 l2")
	f.d.onAnswer(&paxos.Envelope{Request: stale, Msg: &paxos.IdentAnswer{Name: "a3", Cluster: "main"}}, &f.out)
	f.d.onAnswer(&paxos.Envelope{Request: f.reqs["a3"], Msg: &paxos.IdentAnswer{Name: "a1", Cluster: "main"}}, &f.out)
	f.d.onAnswer(&paxos.Envelope{Request: f.reqs["a3"], Msg: &paxos.NoResponders{}}, &f.out)
	if got := strings.Count(f.asked(60*paxos.Second), "a3"); got != 31 { // after 400 ms, 800, 1.6 s, then each 2 s
		t.Fatalf("a3 was asked %d times in a minute", got)
	}
	f.answer("a3")
	f.want(f.asked(3600*paxos.Second), "")
}

// TestDirectoryIsNotHurried: a log that nobody can describe is asked for with growing pauses, however often it is named.
func TestDirectoryIsNotHurried(t *testing.T) {
	f := newFinding(t)
	rounds := 0
	for range 6000 { // a minute
		f.d.onBeaconItem(&paxos.BeaconItem{Log: "ghost", Genesis: paxos.GenesisID{1}})
		if asked := f.asked(TickEvery); asked != "" {
			rounds++
			for _, a := range strings.Fields(asked) {
				f.answer(a)
			}
		}
	}
	if rounds > 36 {
		t.Fatalf("%d rounds in a minute", rounds)
	}
	for range 1000 {
		for _, a := range strings.Fields(f.asked(TickEvery)) {
			f.answer(a)
		}
	}
	f.d.onBeaconItem(&paxos.BeaconItem{Log: "new", Genesis: paxos.GenesisID{2}})
	f.want(f.asked(TickEvery), "a1 a2 a3 l2") // after a quiet time at once
}

// TestOneLiveAcceptorRevivesThePrepared: whoever missed "live" is told, in whichever order the answers come, and again if that
// was lost (PROTOCOL section 6).
func TestOneLiveAcceptorRevivesThePrepared(t *testing.T) {
	g := testGenesis()
	told := func(f *finding) (n int) {
		for _, env := range f.out.Now {
			m, ok := env.Msg.(*paxos.GenesisMsg)
			if !ok || m.Step != paxos.GenesisGoLive || m.ID != g.ID || env.Genesis != g.ID || len(m.Record) == 0 || m.Sender != "l1" {
				t.Fatalf("sent %+v", env)
			}
			n++
		}
		f.out.Reset()
		return n
	}
	for _, order := range [][]string{{"live", "prepared"}, {"prepared", "live"}} {
		t.Run(strings.Join(order, " then "), func(t *testing.T) {
			f := newFinding(t)
			f.asked(TickEvery)
			for i, what := range order {
				state := paxos.LogLive
				if what == "prepared" {
					state = paxos.LogPrepared
				}
				f.answer(fmt.Sprint("a", i+1), info(g, state))
			}
			f.answer("a3")
			if n := told(f); n != 1 {
				t.Fatalf("told %d times that it is live", n)
			}
			late := "a1"
			if order[0] == "live" {
				late = "a2"
			}
			f.want(f.asked(directoryFirst), late+" l2") // did it hear?
			f.answer(late, info(g, paxos.LogPrepared))
			if n := told(f); n != 1 {
				t.Fatalf("told %d times again", n)
			}
			f.asked(directoryMax)
			f.answer(late, info(g, paxos.LogLive))
			f.want(f.asked(60*paxos.Second), "")
		})
	}
}

// TestDirectoryPinsTheFirstGenesis: a second live one is told once and never followed (PROTOCOL section 6).
func TestDirectoryPinsTheFirstGenesis(t *testing.T) {
	f, g := newFinding(t), testGenesis()
	other := testGenesis()
	other.ID = paxos.GenesisID{0xcc}
	f.asked(TickEvery)
	f.answer("a1", info(g, paxos.LogLive))
	for range 3 {
		m := &paxos.GenesisMsg{Step: paxos.GenesisIsLive, ID: other.ID, Record: value.EncodeGenesis(other)}
		if _, ok := f.d.onGenesis(m, "orders", &f.out); ok {
			t.Fatal("a second genesis is followed")
		}
	}
	if len(f.out.Events) != 1 || f.out.Events[0].Kind != paxos.EventGenesis {
		t.Fatalf("told %+v", f.out.Events)
	}
	if f.d.known["orders"] != g.ID {
		t.Fatal("the pin moved")
	}
}

// TestDirectoryBelievesRecordsOnly: no state comes of a record that is none, or another log's.
func TestDirectoryBelievesRecordsOnly(t *testing.T) {
	f, g := newFinding(t), testGenesis()
	f.asked(TickEvery)
	wrong := info(g, paxos.LogLive)
	wrong.Log = "other"
	id := info(g, paxos.LogLive)
	id.Genesis = paxos.GenesisID{9}
	cut := info(g, paxos.LogLive)
	cut.Record = cut.Record[:10]
	none := info(g, paxos.LogLive)
	none.Record = nil
	if got := f.answer("a1", wrong, id, cut, none, info(g, paxos.LogAborted), info(g, paxos.LogNone), paxos.LogInfo{Log: "x", State: paxos.LogPrepared}); got != nil || len(f.d.known) != 0 {
		t.Fatalf("found %v", got)
	}
	for i := range 2 * maxPrepared {
		p := testGenesis()
		p.ID = paxos.GenesisID{byte(i), 1}
		f.d.revive(prepared{"orders", p.ID, []byte("x")}, &f.out)
	}
	if len(f.d.prepared) > maxPrepared || len(f.out.Now) != 0 {
		t.Fatalf("%d prepared are remembered", len(f.d.prepared))
	}
	m := &paxos.GenesisMsg{Step: paxos.GenesisIsLive, ID: g.ID}
	f.asked(2 * paxos.Second)
	for _, a := range []string{"a1", "a2", "a3"} {
		f.answer(a)
	}
	f.asked(10 * paxos.Second)
	if _, ok := f.d.onGenesis(m, "orders", &f.out); ok {
		t.Fatal("found without a record")
	}
	f.want(f.asked(TickEvery), "a1 a2 a3 l2") // who says so has it
}
