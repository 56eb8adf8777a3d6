//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// forged returns messages that would harm the log if they were believed, in the names of its processes.
func forged(g paxos.GenesisID) []paxos.Envelope {
	high := paxos.Ballot{Round: 1000, Proposer: "p2", Run: 7}
	voter := paxos.Voter{Name: "a1", Incarnation: paxos.Incarnation{1}, Boot: 1, Run: 9, Written: 1 << 40}
	value := []byte("no value at all")
	return []paxos.Envelope{
		{Log: "main", Genesis: g, From: "p2", Msg: &paxos.Prepare{Ballot: high, From: 1}},
		{Log: "main", Genesis: g, From: "p2", Msg: &paxos.Accept{Ballot: high, Slot: 2, Value: value, Checksum: paxos.Sum(value)}},
		{Log: "main", Genesis: g, From: "a1", Msg: &paxos.Promise{Voter: voter, Ballot: high, From: 1, To: paxos.MaxSlot}},
		{Log: "main", Genesis: g, From: "a1", Msg: &paxos.Learn{Voter: voter, Ballot: high, Votes: []paxos.SlotSum{{Slot: 2, Checksum: paxos.Sum(value)}}}},
		{Log: "main", Genesis: g, From: "a1", Msg: &paxos.Refuse{Voter: voter, Of: paxos.KindAccept, Refused: high, Slot: 2, Reason: paxos.RefusedBallot, Promised: high}},
		{Log: "main", Genesis: g, From: "l1", Msg: &paxos.Report{Voter: paxos.Voter{Name: "l1", Incarnation: paxos.Incarnation{2}, Boot: 1, Run: 3}, Slot: 1 << 30, Hash: paxos.Hash{1}, Start: 1}},
		{Log: paxos.ProcessLog, From: "p2", Msg: &paxos.Beacon{Proposer: "p2", Run: 7, Number: 1, Full: true, Items: []paxos.BeaconItem{
			{Log: "main", Genesis: g, Ballot: high, Chosen: 1 << 40, Stable: 1 << 40},
		}}},
		{Log: "main", Genesis: g, From: "p1", Msg: &paxos.GenesisMsg{Step: paxos.GenesisAbort, ID: g, Sender: "p1"}},
		{Log: "main", Genesis: g, From: "p2", Msg: &paxos.Leader{Ballot: high}},
	}
}

// genesisOf returns the identity of main.
func (c *cluster) genesisOf(log string) paxos.GenesisID {
	c.t.Helper()
	logs, err := c.sdk().Logs(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, l := range logs {
		if l.Name == log {
			g, err := paxos.ParseGenesisID(l.Genesis)
			if err != nil {
				c.t.Fatal(err)
			}
			return g
		}
	}
	c.t.Fatalf("no log %q", log)
	return paxos.GenesisID{}
}

// ballots returns what the acceptors and the leader say of ballots, which an intruder must not change. (A standby may only be
// finding the log.)
func (c *cluster) ballots() string {
	var b strings.Builder
	for _, n := range []string{"a1", "a2", "a3", c.leaderOr("p1")} {
		_, body, err := c.procs[n].get("/status")
		if err != nil {
			c.t.Fatal(err)
		}
		var all []struct {
			Boot int `json:"boot"`
			Logs []struct {
				Ballot string `json:"ballot"`
				Phase  string `json:"phase"`
				State  string `json:"state"`
			} `json:"logs"`
		}
		if err := json.Unmarshal([]byte(body), &all); err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %v\n", n, all)
	}
	return b.String()
}

// TestIntruder: who has a client's credentials and publishes accepts, votes, promises, beacons or reports, or abuses reply
// subjects, gets nowhere: the broker forbids it, and appends go on as if nothing had been.
func TestIntruder(t *testing.T) {
	c := newCluster(t)
	g := c.genesisOf("main")
	subjects, err := messaging.NewSubjects("", "main")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	forbidden := make(map[string]bool)
	nc := c.connect(nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		mu.Lock()
		defer mu.Unlock()
		forbidden[err.Error()] = true
	}))
	before := c.ballots()
	wanted := 0
	for _, env := range forged(g) {
		a, err := subjects.Of(&env)
		if err != nil {
			t.Fatal(err)
		}
		data, err := messaging.Encode(nil, &env)
		if err != nil {
			t.Fatalf("%s: %v", a.Kind, err)
		}
		subject := subjects.Subject(a)
		if err := nc.Publish(subject, data); err != nil {
			t.Fatal(err)
		}
		wanted++
		// The same by the leader's hand: its answer would go to a protocol subject.
		m := nats.NewMsg("paxos.main.main.append")
		m.Reply, m.Data = subject, []byte("reply abuse")
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	until(t, 5*time.Second, "the broker refuses each forged message", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(forbidden) >= wanted
	})
	c.waitAppend(5 * time.Second)
	if after := c.ballots(); after != before {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
	for e, err := range c.sdk().Log("main").Subscribe(t.Context(), client.First(), client.UntilLast()) {
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Payload) == "reply abuse" {
			t.Errorf("offset %d: an append with a forged reply subject is in the log", e.Offset)
		}
	}
	for _, n := range c.order {
		if !c.procs[n].running() {
			t.Errorf("%s has ended", n)
		}
	}
}

// TestGarbage: whatever arrives on whichever subject, by whoever may publish there, no role ends and appends go on. The senders
// here have the credentials of processes, which the broker lets through.
func TestGarbage(t *testing.T) {
	c := newCluster(t)
	g := c.genesisOf("main")
	subjects, err := messaging.NewSubjects("", "main")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, env := range forged(g) {
		a, err := subjects.Of(&env)
		if err != nil {
			t.Fatal(err)
		}
		user := a.Name
		nc, err := nats.Connect(fmt.Sprintf("nats://%s:change-me-%s@%s", user, user, c.host))
		if err != nil {
			t.Fatal(err)
		}
		good, err := messaging.Encode(nil, &env)
		if err != nil {
			t.Fatal(err)
		}
		other := env
		other.Genesis = paxos.GenesisID{0xff}
		foreign, err := messaging.Encode(nil, &other)
		if err != nil {
			foreign = nil
		}
		for _, payload := range garbage(rng, good, foreign) {
			if err := nc.Publish(subjects.Subject(a), payload); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		nc.Close()
	}
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	nc := c.connect(quiet)
	for _, s := range []string{
		"append", "batch", "open", "read.l1", "get.l1", "fetch.l1", "checkpoint.l1",
	} {
		for _, payload := range garbage(rng, []byte("PXD1 and nothing more"), nil) {
			_ = nc.PublishRequest("paxos.main.main."+s, "_INBOX_client.garbage", payload) // some the broker forbids
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c.waitAppend(10 * time.Second)
	for _, n := range c.order {
		if !c.procs[n].running() {
			t.Errorf("%s has ended", n)
		}
	}
	c.sameHash(t)
}

// garbage returns payloads that are no message: cut short, flipped, of another version, random, empty, and of another genesis.
func garbage(rng *rand.Rand, good, foreign []byte) [][]byte {
	all := [][]byte{nil, {0}, foreign, good[:len(good)/2], make([]byte, 100_000)}
	version := append([]byte(nil), good...)
	version[4] = 99
	all = append(all, version)
	for range 50 {
		b := append([]byte(nil), good...)
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		all = append(all, b)
		r := make([]byte, rng.IntN(200))
		for i := range r {
			r[i] = byte(rng.Uint32())
		}
		all = append(all, r)
	}
	return all
}

func (p *proc) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && p.cmd.Process.Signal(syscall.Signal(0)) == nil
}
