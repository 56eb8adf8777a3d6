package counts

import (
	"runtime"
	"testing"
	"time"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
	"github.com/paxosd/paxosd/wal"
)

// mallocs returns how many objects were allocated since the process began.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// wire is a message as it travels.
type wire struct {
	subject string
	payload []byte
}

// Each role's part of an append alone, from bytes to bytes: without broker and client library, and in lockstep, so that batches and slots
// have one size and nothing else happens meanwhile. A slot has three batches of 200 entries of 128 bytes, as a pipelined load has
// them; what allocations there are come with slots, batches and votes, none with entries.
func TestAllocationsOfEachRole(t *testing.T) {
	const (
		batches = 3
		entries = 200 // of a batch
		warm    = 50
	)
	slots := 400
	if testing.Short() || raced {
		slots = 100
	}
	r := newRig(t)
	r.lead()
	session := r.open()
	prefix := r.values
	var leader, acceptor uint64
	var accepts, learns []wire
	number := uint64(0)
	for i := range warm + slots {
		requests := make([]wire, batches)
		for j := range requests {
			number++
			requests[j] = r.batch(session, number, entries)
		}
		at := mallocs()
		accept := r.propose(requests)
		proposed := mallocs()
		votes := []wire{r.vote(0, accept)}
		voted := mallocs()
		votes = append(votes, r.vote(1, accept), r.vote(2, accept))
		before := mallocs()
		answers := r.count(votes)
		answered := mallocs()
		if answers != batches {
			t.Fatalf("slot %d: %d answers, want %d", i, answers, batches)
		}
		if i >= warm {
			leader += proposed - at + answered - before
			acceptor += voted - proposed
		}
		accepts, learns = append(accepts, accept), append(learns, votes...)
	}
	learner := r.learn(prefix, accepts, learns)
	if raced {
		return // the race detector allocates for itself; the messages went their way all the same
	}
	// Per entry no role may allocate: 0.2 is 120 for the 600 entries of a slot.
	show := func(role string, n uint64, slots int, perSlot float64) {
		t.Helper()
		atMost(t, "allocations per slot, "+role, float64(n)/float64(slots), perSlot)
		atMost(t, "allocations per entry, "+role, float64(n)/float64(slots*batches*entries), 0.2)
	}
	// Measured 90 to 96: three requests decoded, a value composed, an accept, three votes, and three answers.
	show("leader", leader, slots, 120)
	// Measured 22 to 26: an accept decoded, a group of one record, a vote.
	show("acceptor", acceptor, slots, 35)
	// Measured 54 to 58: an accept and three votes decoded, three batches read, a record. Its store's groups have several slots.
	show("learner", learner, warm+slots, 75)
}

// learn has a learner that holds what was chosen before take slots off the wire and store them, and returns what it allocated.
func (r *rig) learn(prefix [][]byte, accepts, learns []wire) uint64 {
	t := r.t
	t.Helper()
	store, err := wal.OpenChosen(t.TempDir(), wal.Want{Cluster: clusterName, Owner: "l1"}, wal.Options{
		Rand: incarnations("l1"), OnFatal: func(err error) { panic(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	seq := sequencer.New(r.gen)
	recs := []paxos.Record{{Kind: paxos.RecordState, Log: logName, Genesis: r.gen.ID, State: paxos.LogLive, Body: value.EncodeGenesis(r.gen)}}
	for _, v := range prefix {
		a, err := seq.Apply(seq.Next(), v)
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, paxos.Record{
			Kind: paxos.RecordChosen, Log: logName, Genesis: r.gen.ID, Slot: a.Slot, Ballot: r.ballot, Checksum: paxos.Sum(v),
			Value: v, First: a.First, Last: a.Last, Hash: a.Hash, Stamp: a.Stamp,
		})
	}
	if _, err := store.Apply(recs); err != nil {
		t.Fatal(err)
	}
	l := node.NewLearner(node.LearnerConfig{
		Cluster: clusterName, Name: "l1", Incarnation: store.Identity().Incarnation, Boot: store.Boot(), Run: 1, Seed: 1,
		Acceptors: acceptors, Learners: []string{"l1"}, Transport: nowhere{}, Clock: clock{time.Now()}, Observer: unobserved{},
		Failed: func(err error) { t.Error(err) },
		Store: chosen{store, []node.StoredLog{{
			Log: logName, Genesis: r.gen.ID, Record: value.EncodeGenesis(r.gen), State: paxos.LogLive,
			Start: 1, Through: seq.Through(), Hash: seq.Hash(), Last: seq.LastOffset(),
		}}},
	})
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	defer l.Stop()
	last := seq.Through() + paxos.Slot(len(accepts))
	before := mallocs()
	for i, a := range accepts {
		l.Receive(r.decode(a))
		for j := range acceptors {
			l.Receive(r.decode(learns[i*len(acceptors)+j]))
		}
	}
	if !await(patience, func() bool { return l.Status()[0].Durable == last }) {
		t.Fatalf("the learner has %+v, want slot %d", l.Status(), last)
	}
	return mallocs() - before
}

// nowhere takes messages and drops them.
type nowhere struct{}

func (nowhere) Send(*paxos.Envelope) error { return nil }

var _ node.Transport = nowhere{}

// decode reads a message as a role's transport does.
func (r *rig) decode(w wire) *paxos.Envelope {
	env, err := r.subjects.Decode(w.subject, w.payload)
	if err != nil {
		r.t.Fatalf("%s: %v", w.subject, err)
	}
	return &env
}

// encode writes a message as a role's transport does, but into memory of its own where it is kept: that is not counted as the role's.
func (r *rig) encode(env *paxos.Envelope) wire {
	a, err := r.subjects.Of(env)
	if err != nil {
		r.t.Fatal(err)
	}
	subject := r.subjects.Subject(a)
	if r.scratch, err = messaging.Encode(r.scratch[:0], env); err != nil {
		r.t.Fatal(err)
	}
	return wire{subject, r.scratch}
}
