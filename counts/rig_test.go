package counts

import (
	"io"
	"math/rand/v2"
	"testing"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/proposer"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
	"github.com/paxosd/paxosd/wal"
)

// rig is a leader and three acceptors in one goroutine, on a clock that stands still unless it is told to go on. The first acceptor
// has a store in a folder; the others only say that they have.
type rig struct {
	t        *testing.T
	gen      *paxos.Genesis
	subjects messaging.Subjects
	now      paxos.Instant
	scratch  []byte

	leader     *proposer.Proposer
	out        proposer.Output
	ballot     paxos.Ballot
	generation uint64
	values     [][]byte // chosen before any batch, by slot
	voters     [3]*rigAcceptor
}

type rigAcceptor struct {
	name    string
	core    *acceptor.Acceptor
	out     acceptor.Output
	store   *wal.Votes // nil: none
	written uint64
	done    chan uint64
}

// incarnations is what a store draws its incarnation from.
func incarnations(name string) io.Reader { return rand.NewChaCha8([32]byte{name[0], name[1]}) }

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, now: paxos.Instant(paxos.Second)}
	var err error
	if r.subjects, err = messaging.NewSubjects("", clusterName); err != nil {
		t.Fatal(err)
	}
	store, err := wal.OpenVotes(t.TempDir(), wal.Want{Cluster: clusterName, Owner: acceptors[0]}, wal.Options{
		Rand: incarnations(acceptors[0]), OnFatal: func(err error) { panic(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	ms, keepers := members(acceptors), members(learners)
	for _, all := range [][]paxos.Member{ms, keepers} {
		for i := range all {
			all[i].Incarnation = paxos.Incarnation{all[i].Name[0], all[i].Name[1]}
		}
	}
	ms[0].Incarnation = store.Identity().Incarnation
	r.gen = &paxos.Genesis{
		ID: paxos.GenesisID{1}, Cluster: clusterName, Log: logName, Founded: 1, Level: paxos.FormatLevel, Window: paxos.DefaultWindow,
		ValueLimit: paxos.DefaultValueLimit, Sessions: paxos.DefaultSessions, Outcomes: paxos.DefaultOutcomes, MessageIDs: paxos.DefaultMessageIDs,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: ms, Read: 2, Write: 2},
		Keepers:    paxos.Keepers{Epoch: 1, Members: keepers, K: 2},
	}
	record := value.EncodeGenesis(r.gen)
	if _, err := store.Apply([]paxos.Record{{Kind: paxos.RecordState, Log: logName, Genesis: r.gen.ID, State: paxos.LogLive, Body: record}}); err != nil {
		t.Fatal(err)
	}
	var requests uint64
	next := func() uint64 { requests++; return requests }
	for i, m := range ms {
		core, err := acceptor.New(acceptor.Config{
			Cluster: clusterName, Name: m.Name, Incarnation: m.Incarnation, Boot: 1, Run: 1, Started: r.now, Wall: r.wall(), NextRequest: next,
		}, []acceptor.Restored{{Log: logName, Genesis: r.gen.ID, Record: record, State: paxos.LogLive}})
		if err != nil {
			t.Fatal(err)
		}
		r.voters[i] = &rigAcceptor{name: m.Name, core: core, done: make(chan uint64, 1)}
	}
	r.voters[0].store = store
	r.leader = proposer.New(proposer.Config{
		Name: "p1", Cluster: clusterName, Run: 7, Seed: 1, Proposers: []string{"p1"}, NextRequest: next,
	})
	l := learner.New(learner.Config{Genesis: r.gen, Self: "p1", Seed: 1, NextRequest: next}, sequencer.New(r.gen))
	if err := r.leader.AddLog(r.now, r.gen, l, &r.out); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) wall() paxos.Stamp { return 1_000_000_000_000 + paxos.Stamp(r.now) }

// lead lets time pass until the proposer leads and serves.
func (r *rig) lead() {
	r.t.Helper()
	for range 2000 {
		r.now = r.now.Add(10 * paxos.Millisecond)
		r.leader.Tick(r.now, r.wall(), &r.out)
		for _, a := range r.voters {
			a.core.Tick(r.now, r.wall(), &a.out)
		}
		r.settle()
		if st := r.leader.Status()[0]; st.Serving && r.generation > 0 {
			r.ballot = st.Ballot
			return
		}
	}
	r.t.Fatalf("nobody leads: %+v", r.leader.Status())
}

// settle carries messages until nobody has one to say.
func (r *rig) settle() {
	r.t.Helper()
	for range 1000 {
		r.leader.Flush(r.now, r.wall(), &r.out)
		said := r.out.Now
		subs := r.out.Subscribe
		r.out = proposer.Output{}
		for _, s := range subs {
			if s.Start {
				r.generation = s.Generation
				r.leader.OnSubscribed(s.Log, s.Generation, &r.out)
			}
		}
		for i := range said {
			r.toAcceptors(&said[i])
		}
		quiet := len(said) == 0 && len(r.out.Now) == 0
		for _, a := range r.voters {
			for _, env := range r.turn(a) {
				quiet = false
				if env.To != "" && !env.Msg.Kind().IsAnswer() {
					env.Reply = "r"
				} else {
					env.Reply = ""
				}
				env.From = a.name
				r.leader.Deliver(r.now, r.wall(), &env, &r.out)
			}
		}
		if quiet {
			return
		}
	}
	r.t.Fatal("the rig never comes to rest")
}

// toAcceptors gives a message of the leader to whom it is for.
func (r *rig) toAcceptors(env *paxos.Envelope) {
	e := *env
	e.From, e.Reply = "p1", ""
	if e.Msg.Kind().IsRequest() {
		e.Reply = "r"
	}
	if m, ok := e.Msg.(*paxos.Accept); ok && m.Slot == paxos.Slot(len(r.values)+1) {
		r.values = append(r.values, m.Value)
	}
	for _, a := range r.voters {
		if e.To == "" || e.To == a.name {
			a.core.Deliver(r.now, &e, &a.out)
		}
	}
}

// turn ends a turn of an acceptor: what it wrote is durable when it returns what the acceptor says.
func (r *rig) turn(a *rigAcceptor) (says []paxos.Envelope) {
	for again := true; again; {
		a.core.Flush(&a.out)
		reads := a.out.Reads
		for i := range a.out.Now {
			paxos.SetWritten(&a.out.Now[i], a.written)
		}
		says = append(says, a.out.Now...)
		r.write(a)
		says = append(says, a.out.After...)
		a.out = acceptor.Output{}
		for _, x := range reads { // there are no votes yet where anybody asks
			a.core.OnRead(r.now, &acceptor.ReadResult{Number: x.Number, From: x.From, To: x.To}, &a.out)
		}
		again = len(reads) > 0
	}
	return says
}

// write makes an acceptor's records durable and says so in what waits for them.
func (r *rig) write(a *rigAcceptor) {
	switch {
	case len(a.out.Records) == 0:
	case a.store == nil:
		a.written++
	default:
		if err := a.store.Submit(a.out.Records, func(n uint64) { a.done <- n }); err != nil {
			r.t.Fatal(err)
		}
		a.written = <-a.done
	}
	for i := range a.out.After {
		paxos.SetWritten(&a.out.After[i], max(a.written, 1))
	}
}

// open opens a session.
func (r *rig) open() paxos.SessionID {
	r.t.Helper()
	r.leader.Deliver(r.now, r.wall(), &paxos.Envelope{
		Log: logName, Genesis: r.gen.ID, Request: 1, Reply: "r", Msg: &paxos.Open{Client: "c", Token: 1, Generation: r.generation},
	}, &r.out)
	r.settle()
	return paxos.SessionID{Slot: r.leader.Status()[0].Through}
}

// batch is a client's request.
func (r *rig) batch(session paxos.SessionID, number uint64, entries int) wire {
	var frames []byte
	payload := make([]byte, 128)
	for range entries {
		frames = value.AppendFrame(frames, nil, payload)
	}
	body := value.EncodeBatch(nil, &value.Batch{Session: session, Number: number, Count: uint32(entries), Frames: frames})
	return r.keep(&paxos.Envelope{Log: logName, Genesis: r.gen.ID, Request: number, Bulk: true, Msg: &paxos.Batch{Ballot: r.ballot, Batch: body}})
}

// keep encodes into memory that stays.
func (r *rig) keep(env *paxos.Envelope) wire {
	w := r.encode(env)
	return wire{w.subject, append([]byte(nil), w.payload...)}
}

// propose gives the leader requests and returns its accept.
func (r *rig) propose(requests []wire) (accept wire) {
	for _, w := range requests {
		env := r.decode(w)
		env.Reply = "r"
		env.Msg.(*paxos.Batch).Generation = r.generation
		r.leader.Deliver(r.now, r.wall(), env, &r.out)
	}
	r.leader.Flush(r.now, r.wall(), &r.out)
	n := 0
	for i := range r.out.Now {
		if _, ok := r.out.Now[i].Msg.(*paxos.Accept); ok {
			accept = r.keep(&r.out.Now[i])
			n++
		}
	}
	r.out.Reset()
	if n != 1 {
		r.t.Fatalf("%d accepts, want 1", n)
	}
	return accept
}

// vote gives an acceptor the accept and returns its vote.
func (r *rig) vote(i int, accept wire) (learn wire) {
	a := r.voters[i]
	a.core.Deliver(r.now, r.decode(accept), &a.out)
	a.core.Flush(&a.out)
	r.write(a)
	if len(a.out.After) != 1 || len(a.out.Now) != 0 {
		r.t.Fatalf("%s says %d and %d messages, want its vote alone", a.name, len(a.out.Now), len(a.out.After))
	}
	learn = r.keep(&a.out.After[0])
	a.out.Reset()
	return learn
}

// count gives the leader votes and returns how many answers it gives to clients.
func (r *rig) count(votes []wire) (answers int) {
	for _, w := range votes {
		r.leader.Deliver(r.now, r.wall(), r.decode(w), &r.out)
		r.leader.Flush(r.now, r.wall(), &r.out)
		for i := range r.out.Now {
			if m, ok := r.out.Now[i].Msg.(*paxos.BatchAnswer); ok && m.Code == paxos.CodeAppended {
				var err error
				if r.scratch, err = messaging.Encode(r.scratch[:0], &r.out.Now[i]); err != nil {
					r.t.Fatal(err)
				}
				answers++
			}
		}
		r.out.Reset()
	}
	return answers
}
