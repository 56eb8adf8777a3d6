package acceptor

import (
	"fmt"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// rig is an acceptor with a service around it: a store in two states, applied and durable, and a queue of what waits for the
// sync between them.
type rig struct {
	t       testing.TB
	a       *Acceptor
	applied *disk
	durable *disk
	waiting []paxos.Envelope // After envelopes whose records are not durable
	reads   []Read
	now     paxos.Instant
	boots   uint64
	request uint64
}

var incarnation = paxos.Incarnation{0xa1}

// testGenesis is a log whose acceptors are a1 (this one), a2 and a3.
func testGenesis(log string, id byte) *paxos.Genesis {
	m := func(name string, inc byte) paxos.Member {
		return paxos.Member{Name: name, Incarnation: paxos.Incarnation{inc}}
	}
	return &paxos.Genesis{
		ID: paxos.GenesisID{id}, Cluster: "main", Log: log, Founded: 1, Level: paxos.FormatLevel,
		Window: paxos.DefaultWindow, ValueLimit: 8192, Sessions: paxos.DefaultSessions,
		Outcomes: paxos.DefaultOutcomes, MessageIDs: paxos.DefaultMessageIDs,
		Membership: paxos.Membership{
			Epoch: 1, From: 1, Acceptors: []paxos.Member{m("a1", 0xa1), m("a2", 0xa2), m("a3", 0xa3)}, Read: 2, Write: 2,
		},
		Keepers: paxos.Keepers{Epoch: 1, Members: []paxos.Member{m("l1", 0xb1), m("l2", 0xb2)}, K: 2},
	}
}

// newRig returns a rig whose acceptor is live in the given logs; genesis ids are 1, 2 and so on.
func newRig(t testing.TB, logs ...string) *rig {
	r := &rig{t: t, applied: newDisk(), now: 1_000_000}
	for i, log := range logs {
		g := testGenesis(log, byte(i+1))
		r.applied.logs[g.ID] = &diskLog{
			log: log, record: value.EncodeGenesis(g), state: paxos.LogLive, votes: map[paxos.Slot]paxos.VoteValue{},
		}
	}
	r.durable = r.applied.clone()
	r.start()
	return r
}

// start begins a new process on what is durable.
func (r *rig) start() {
	r.boots++
	r.applied = r.durable.clone()
	r.waiting, r.reads = nil, nil
	a, err := New(Config{
		Cluster: "main", Name: "a1", Incarnation: incarnation, Boot: r.boots, Run: 0x10 + r.boots,
		Started: r.now, Wall: paxos.Stamp(r.now), NextRequest: func() uint64 { r.request++; return r.request },
	}, r.durable.restored())
	if err != nil {
		r.t.Fatal(err)
	}
	r.a = a
}

// step runs one step of the core as a service does: records are applied, reads queued, messages held until sync.
func (r *rig) step(f func(out *Output)) *Output {
	out := new(Output)
	f(out)
	r.a.Flush(out)
	for i := range out.Records {
		if err := r.applied.apply(&out.Records[i]); err != nil {
			r.t.Fatalf("record %d of kind %d: %v", i, out.Records[i].Kind, err)
		}
	}
	r.waiting = append(r.waiting, out.After...)
	r.reads = append(r.reads, out.Reads...)
	return out
}

// sync makes everything durable and returns what may leave now.
func (r *rig) sync() []paxos.Envelope {
	r.durable = r.applied.clone()
	left := r.waiting
	r.waiting = nil
	return left
}

// do delivers a message and returns what it caused to leave, at once and after a sync.
func (r *rig) do(env paxos.Envelope) []paxos.Message {
	out := r.step(func(out *Output) { r.a.Deliver(r.now, &env, out) })
	return r.messages(out.Now)
}

// messages syncs and returns the messages that left, those that need no sync first.
func (r *rig) messages(now []paxos.Envelope) []paxos.Message {
	var ms []paxos.Message
	for _, env := range append(now, r.sync()...) {
		ms = append(ms, env.Msg)
	}
	return ms
}

// read answers the oldest read and returns what left.
func (r *rig) read() []paxos.Message {
	if len(r.reads) == 0 {
		r.t.Fatal("no read is under way")
	}
	q := r.reads[0]
	r.reads = r.reads[1:]
	res := r.applied.scan(&q)
	return r.messages(r.step(func(out *Output) { r.a.OnRead(r.now, res, out) }).Now)
}

func (r *rig) tick(d paxos.Span) []paxos.Message {
	r.now = r.now.Add(d)
	return r.messages(r.step(func(out *Output) { r.a.Tick(r.now, paxos.Stamp(r.now), out) }).Now)
}

func bal(round uint64, proposer string) paxos.Ballot {
	return paxos.Ballot{Round: round, Proposer: proposer, Run: 1}
}

func about(id byte, log, from string, m paxos.Message) paxos.Envelope {
	return paxos.Envelope{Log: log, Genesis: paxos.GenesisID{id}, From: from, Msg: m}
}

func prepare(b paxos.Ballot, from paxos.Slot) paxos.Envelope {
	return about(1, "main", b.Proposer, &paxos.Prepare{Ballot: b, From: from})
}

// batchValue is a value that carries a batch; text tells values apart.
func batchValue(origin paxos.Ballot, text string) []byte {
	return value.Encode(nil, &value.Value{Origin: origin, Items: []value.Item{{Kind: value.ItemBatch, Body: []byte(text)}}})
}

// commandValue is a value that carries only a command.
func commandValue(origin paxos.Ballot, text string) []byte {
	return value.Encode(nil, &value.Value{Origin: origin, Items: []value.Item{{Kind: value.ItemCommand, Body: []byte(text)}}})
}

func accept(b paxos.Ballot, t paxos.Slot, v []byte) paxos.Envelope {
	return about(1, "main", b.Proposer, &paxos.Accept{Ballot: b, Slot: t, Checksum: paxos.Sum(v), Value: v})
}

func beacon(m *paxos.Beacon) paxos.Envelope {
	return paxos.Envelope{Log: paxos.ProcessLog, From: m.Proposer, Msg: m}
}

func leads(b paxos.Ballot, stable paxos.Slot) paxos.BeaconItem {
	return paxos.BeaconItem{Log: "main", Genesis: paxos.GenesisID{1}, Ballot: b, Stable: stable}
}

// one returns the only message, which must be of type M.
func one[M paxos.Message](t testing.TB, ms []paxos.Message) M {
	t.Helper()
	if len(ms) != 1 {
		t.Fatalf("%d messages left, want one: %s", len(ms), kinds(ms))
	}
	m, ok := ms[0].(M)
	if !ok {
		t.Fatalf("a %s left", ms[0].Kind())
	}
	return m
}

func kinds(ms []paxos.Message) string {
	s := ""
	for _, m := range ms {
		s += fmt.Sprint(m.Kind(), " ")
	}
	return s
}
