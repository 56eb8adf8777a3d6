package learner

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestWordsAreKeptUntilTheyHelp: the only beacon that lists the log comes before the Bootstrap has come to where a mark helps. It is told of
// it later; else, with nobody else to vouch, it could not begin until the log moves.
func TestWordsAreKeptUntilTheyHelp(t *testing.T) {
	c := markedLog()
	c.gone = map[string]bool{"l2": true, "l3": true, "a": true, "b": true}
	b := newBootstrap(c.g, "l1", "l2")
	ballot := paxos.Ballot{Round: 3, Proposer: "p1", Run: 1}
	var w Words
	for _, x := range []struct {
		from string
		item paxos.BeaconItem
	}{
		{"p1", paxos.BeaconItem{Genesis: c.g.ID, Ballot: ballot, Chosen: 9, ChosenHash: c.log.hashes[9]}},
		{"p1", paxos.BeaconItem{Genesis: c.g.ID, Ballot: ballot, Chosen: 3, ChosenHash: c.log.hashes[3]}},            // older
		{"p1", paxos.BeaconItem{Genesis: c.g.ID, Ballot: ballot, Chosen: 30, Withdrawn: true}},                       // says nothing of slots
		{"p2", paxos.BeaconItem{Genesis: c.g.ID, Ballot: ballot, Chosen: 40, ChosenHash: paxos.Hash{1}}},             // another's ballot
		{"p1", paxos.BeaconItem{Genesis: paxos.GenesisID{9}, Ballot: ballot, Chosen: 50, ChosenHash: paxos.Hash{1}}}, // another log
	} {
		w.Hear(x.from, &x.item)
	}
	w.Tell(c.g.ID, b) // too early to help
	c.before = func(*cluster, string, paxos.Message) { w.Tell(c.g.ID, b) }
	s, ok := c.run(b, 20*paxos.Second)
	if !ok {
		t.Fatal("not vouched for")
	}
	c.same(t, s, 6)
}

func TestWordsAreBounded(t *testing.T) {
	var w Words
	for i := range paxos.MaxBeaconItems + 10 {
		item := paxos.BeaconItem{Ballot: paxos.Ballot{Proposer: "p1"}, Chosen: 1}
		item.Genesis[0], item.Genesis[1], item.Genesis[2] = byte(i), byte(i>>8), byte(i>>16)
		w.Hear("p1", &item)
	}
	if len(w.all) != paxos.MaxBeaconItems {
		t.Fatalf("%d logs", len(w.all))
	}
}

// TestL3WordsBeforeTheBeginning: a log goes farther than where this process begins, as a beacon said before. It is fetched, though no beacon says so again.
func TestL3WordsBeforeTheBeginning(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g, "l2").settled()
	item := paxos.BeaconItem{Genesis: g.ID, Ballot: ballot(1, "p1"), Chosen: 3, ChosenHash: w.hashes[3]}
	var words Words
	words.Hear("p1", &item)
	words.Begun(g.ID, r.l)
	r.wait(paxos.Second)
	if requests, _ := r.take(); r.l.Known() != 3 || len(requests) == 0 {
		t.Fatalf("known through %d, %d requests", r.l.Known(), len(requests))
	}
}
