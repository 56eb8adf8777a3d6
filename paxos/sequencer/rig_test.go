package sequencer

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// rig drives one Sequencer, slot by slot.
type rig struct {
	t   testing.TB
	g   *paxos.Genesis
	seq *Sequencer
}

// members returns one member a name; its incarnation begins with the name's bytes.
func members(names ...string) []paxos.Member {
	ms := make([]paxos.Member, len(names))
	for i, n := range names {
		ms[i] = member(n, 1)
	}
	return ms
}

func member(name string, generation uint8) paxos.Member {
	m := paxos.Member{Name: name}
	copy(m.Incarnation[:], name)
	m.Incarnation[15] = generation
	return m
}

// testGenesis has small limits: 3 sessions, 4 outcomes each, 4 message ids, α = 10.
func testGenesis() *paxos.Genesis {
	return &paxos.Genesis{
		ID: paxos.GenesisID{1, 2, 3}, Cluster: "main", Log: "orders", Founded: 7, Level: 1,
		Window: 10, ValueLimit: 1 << 16, Sessions: 3, Outcomes: 4, MessageIDs: 4,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: members("a", "b", "c"), Read: 2, Write: 2},
		Keepers:    paxos.Keepers{Epoch: 1, Members: members("l1", "l2"), K: 2},
	}
}

func newRig(t testing.TB) *rig { return newRigOf(t, testGenesis()) }

func newRigOf(t testing.TB, g *paxos.Genesis) *rig {
	t.Helper()
	if _, err := value.DecodeGenesis(value.EncodeGenesis(g)); err != nil {
		t.Fatalf("genesis of the test: %v", err)
	}
	return &rig{t: t, g: g, seq: New(g)}
}

func ballot(round uint64) paxos.Ballot { return paxos.Ballot{Round: round, Proposer: "p1", Run: 9} }

// batchItem encodes a batch of b.Count empty entries, unless it has frames of its own.
func batchItem(b value.Batch) value.Item {
	if b.Frames == nil {
		for range b.Count {
			b.Frames = value.AppendFrame(b.Frames, nil, nil)
		}
	}
	b.Tail = b.Count == 0
	return value.Item{Kind: value.ItemBatch, Body: value.EncodeBatch(nil, &b)}
}

func commandItem(c value.Command) value.Item {
	return value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, c)}
}

// try applies the next slot.
func (r *rig) try(origin paxos.Ballot, stamp paxos.Stamp, items ...value.Item) (Applied, error) {
	r.t.Helper()
	return r.seq.Apply(r.seq.Next(), value.Encode(nil, &value.Value{Origin: origin, Stamp: stamp, Items: items}))
}

// put applies the next slot, composed at ballot 1, and must succeed.
func (r *rig) put(items ...value.Item) Applied {
	r.t.Helper()
	return r.at(1, items...)
}

// at is put with a value first composed at a ballot.
func (r *rig) at(round uint64, items ...value.Item) Applied {
	r.t.Helper()
	a, err := r.try(ballot(round), 0, items...)
	if err != nil {
		r.t.Fatalf("slot %d: %v", r.seq.Next(), err)
	}
	return a
}

// one applies one item in a slot of its own and returns what became of it.
func (r *rig) one(it value.Item) Outcome {
	r.t.Helper()
	return r.put(it).Outcomes[0]
}

// open opens a session.
func (r *rig) open() paxos.SessionID {
	r.t.Helper()
	o := r.one(commandItem(&value.Open{Client: "c"}))
	r.is(o, paxos.CodeOpened)
	return o.Session
}

// send applies number n of a session with count entries.
func (r *rig) send(s paxos.SessionID, n uint64, count uint32) Outcome {
	r.t.Helper()
	return r.one(batchItem(value.Batch{Session: s, Number: n, Count: count}))
}

// stable states slot n by keepers, with this rig's own hash where it is known.
func (r *rig) stable(n paxos.Slot, mark bool, keepers ...string) Applied {
	r.t.Helper()
	return r.put(commandItem(&value.Stable{Slot: n, Hash: paxos.Hash{byte(n)}, Keepers: members(keepers...), Mark: mark}))
}

// noops applies no-ops until slot t is the next one.
func (r *rig) noops(t paxos.Slot) {
	r.t.Helper()
	for r.seq.Next() < t {
		r.put()
	}
}

func (r *rig) is(o Outcome, want paxos.Code) {
	r.t.Helper()
	if o.Code != want {
		r.t.Fatalf("slot %d item %d: code %d %q, want %d", r.seq.Through(), o.Item, o.Code, o.Text, want)
	}
}

// entries checks that an outcome stands for count entries from first on.
func (r *rig) entries(o Outcome, want paxos.Code, first paxos.Offset, count uint32) {
	r.t.Helper()
	r.is(o, want)
	if o.First != first || o.Count != count {
		r.t.Fatalf("slot %d: offsets %d+%d, want %d+%d", r.seq.Through(), o.First, o.Count, first, count)
	}
}

// again returns a Sequencer restored from this one's state.
func (r *rig) again() *Sequencer {
	r.t.Helper()
	s, err := restore(r.g, r.seq.Through(), r.seq.Hash(), r.seq.State())
	if err != nil {
		r.t.Fatalf("restore after slot %d: %v", r.seq.Through(), err)
	}
	return s
}
