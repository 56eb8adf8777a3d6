package proposer

import (
	"slices"
	"strings"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// accNode is an acceptor with a store: what is durable, and what waits for its sync.
type accNode struct {
	w       *world
	id      string
	core    *acceptor.Acceptor
	boot    uint64
	runs    uint64
	request uint64
	written uint64
	durable store
	pending store         // durable and what is being synced
	lives   int           // of crash: what was scheduled before counts no more
	syncAt  paxos.Instant // when the newest sync ends
	out     acceptor.Output
}

type store struct {
	live     bool
	promised paxos.Ballot
	trimmed  paxos.Slot
	votes    map[paxos.Slot]paxos.VoteValue
}

func (s *store) clone() store {
	c := *s
	c.votes = make(map[paxos.Slot]paxos.VoteValue, len(s.votes))
	for t, v := range s.votes {
		c.votes[t] = v
	}
	return c
}

func (s *store) apply(r *paxos.Record) {
	switch r.Kind {
	case paxos.RecordState:
		s.live = r.State == paxos.LogLive
	case paxos.RecordPromise:
		s.promised = r.Ballot
	case paxos.RecordVote:
		s.promised = r.Ballot
		s.votes[r.Slot] = paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: r.Slot, Ballot: r.Ballot, Checksum: r.Checksum, Bytes: uint32(len(r.Value))}, Value: r.Value,
		}
	case paxos.RecordTrim:
		s.trimmed = r.Slot
		for t := range s.votes {
			if t <= r.Slot {
				delete(s.votes, t)
			}
		}
	default:
	}
}

func (n *accNode) name() string { return n.id }
func (n *accNode) up() bool     { return n.core != nil }

func (n *accNode) start() {
	n.boot++
	n.runs++
	n.pending = n.durable.clone()
	var logs []acceptor.Restored
	if n.durable.live {
		r := acceptor.Restored{
			Log: n.w.gen.Log, Genesis: n.w.gen.ID, Record: value.EncodeGenesis(n.w.gen), State: paxos.LogLive,
			Promised: n.durable.promised, Trimmed: n.durable.trimmed,
		}
		for t := range n.durable.votes {
			r.HighestVoted = max(r.HighestVoted, t)
		}
		logs = append(logs, r)
	}
	core, err := acceptor.New(acceptor.Config{
		Cluster: n.w.gen.Cluster, Name: n.id, Incarnation: inc(n.id, 1), Boot: n.boot, Run: n.runs,
		Started: n.w.now, Wall: n.w.wall(), NextRequest: func() uint64 { n.request++; return n.request },
	}, logs)
	if err != nil {
		n.w.fail("acceptor %s: %v", n.id, err)
	}
	n.core = core
}

func (n *accNode) crash() {
	n.core = nil
	n.lives++
	n.out.Reset()
}

func (n *accNode) deliver(env *paxos.Envelope) {
	n.core.Deliver(n.w.now, env, &n.out)
	n.turn()
}

func (n *accNode) tick() {
	n.core.Tick(n.w.now, n.w.wall(), &n.out)
	n.turn()
}

// turn writes, sends what may leave now, and what waits for the sync after it.
func (n *accNode) turn() {
	n.core.Flush(&n.out)
	for len(n.out.Reads) > 0 {
		n.persist()
		reads := slices.Clone(n.out.Reads)
		n.out.Reads = n.out.Reads[:0]
		for i := range reads {
			n.core.OnRead(n.w.now, n.read(&reads[i]), &n.out)
		}
		n.core.Flush(&n.out)
	}
	n.persist()
	for i := range n.out.Now {
		n.w.send(n.id, &n.out.Now[i])
	}
	after := slices.Clone(n.out.After)
	state, written, life := n.pending.clone(), n.written, n.lives
	n.out.Reset()
	if len(after) == 0 {
		return
	}
	// Syncs end in the order in which they began.
	n.syncAt = max(n.syncAt, n.w.now.Add(paxos.Span(n.w.rng.Int64N(int64(2*paxos.Millisecond)))))
	n.w.after(n.syncAt.Sub(n.w.now), func() {
		if life != n.lives {
			return
		}
		n.durable = state
		for i := range after {
			stampVoter(&after[i], written)
			n.w.send(n.id, &after[i])
		}
	})
}

func (n *accNode) persist() {
	for i := range n.out.Records {
		n.pending.apply(&n.out.Records[i])
		n.written++
	}
	n.out.Records = n.out.Records[:0]
}

func stampVoter(env *paxos.Envelope, written uint64) {
	switch m := env.Msg.(type) {
	case *paxos.Promise:
		m.Written = written
	case *paxos.Learn:
		m.Written = written
	case *paxos.Refuse:
		m.Written = written
	case *paxos.Beat:
		m.Written = written
	case *paxos.AskAnswer:
		m.Written = written
	case *paxos.VotesAnswer:
		m.Written = written
	}
}

func (n *accNode) read(r *acceptor.Read) *acceptor.ReadResult {
	res := &acceptor.ReadResult{Number: r.Number, From: r.From, To: r.To}
	var slots []paxos.Slot
	for t := range n.pending.votes {
		if t >= r.From && t <= r.To {
			slots = append(slots, t)
		}
	}
	slices.Sort(slots)
	if len(slots) > r.MaxVotes {
		res.To = slots[r.MaxVotes] - 1
		slots = slots[:r.MaxVotes]
	}
	for _, t := range slots {
		res.Votes = append(res.Votes, n.pending.votes[t])
	}
	return res
}

// propNode is a proposer process: each start is another run.
type propNode struct {
	w       *world
	id      string
	core    *Proposer
	run     uint64
	request uint64
	out     Output
	gens    map[uint64]bool // subscriptions that stand
	cfg     func(*Config)
	queued  []*paxos.Envelope
	wake    bool
}

func (n *propNode) name() string { return n.id }
func (n *propNode) up() bool     { return n.core != nil }
func (n *propNode) crash()       { n.core, n.gens = nil, nil; n.queued = nil }

func (n *propNode) start() {
	n.run = n.w.rng.Uint64() | 1
	n.gens = map[uint64]bool{}
	n.out.Reset()
	next := func() uint64 { n.request++; return n.request }
	var names []string
	for _, p := range n.w.props {
		names = append(names, p.id)
	}
	cfg := Config{Name: n.id, Cluster: "c", Run: n.run, Seed: n.run, Proposers: names, NextRequest: next}
	if n.cfg != nil {
		n.cfg(&cfg)
	}
	n.core = New(cfg)
	var learners []string
	for _, k := range n.w.keeps {
		learners = append(learners, k.id)
	}
	l := learner.New(learner.Config{
		Genesis: n.w.gen, Self: n.id, Learners: learners, Seed: n.run, NextRequest: next,
	}, sequencer.New(n.w.gen))
	if err := n.core.AddLog(n.w.now, n.w.gen, l, &n.out); err != nil {
		n.w.fail("%v", err)
	}
	n.flush()
}

// deliver queues the message; a turn takes all that has queued, so that requests share values.
func (n *propNode) deliver(env *paxos.Envelope) {
	n.queued = append(n.queued, env)
	if n.wake {
		return
	}
	n.wake = true
	run := n.run
	n.w.after(20*paxos.Microsecond, func() {
		n.wake = false
		if n.core == nil || n.run != run {
			return
		}
		q := n.queued
		n.queued = nil
		for _, e := range q {
			n.core.Deliver(n.w.now, n.w.wall(), e, &n.out)
		}
		n.flush()
	})
}

func (n *propNode) tick() {
	n.core.Tick(n.w.now, n.w.wall(), &n.out)
	n.flush()
}

func (n *propNode) flush() {
	n.core.Flush(n.w.now, n.w.wall(), &n.out)
	for _, ev := range n.out.Events {
		n.w.events[ev.Kind]++
		if ev.Kind == paxos.EventPhase && strings.HasPrefix(ev.Text, "raised") {
			n.w.raised++
		}
		if ev.Kind != paxos.EventComposed && ev.Kind != paxos.EventChosen && ev.Kind != paxos.EventDropped {
			n.w.note("%s: event %d slot %d ballot %s n %d %s %s", n.id, ev.Kind, ev.Slot, ev.Ballot, ev.N, ev.Name, ev.Text)
		}
	}
	for i := range n.out.Now {
		env := &n.out.Now[i]
		if m, ok := env.Msg.(*paxos.Accept); ok {
			n.w.check.onAccept(m)
			n.w.note("%s: accept slot %d at %s sum %x", n.id, m.Slot, m.Ballot, uint64(m.Checksum))
		}
		if m, ok := env.Msg.(*paxos.Fetch); ok && m.From == m.To && m.What == paxos.FetchVotes &&
			n.core.requests.table[env.Request].purpose == forValue {
			n.w.fetched++
		}
		n.w.send(n.id, env)
	}
	subs := slices.Clone(n.out.Subscribe)
	n.out.Reset()
	for _, sub := range subs {
		n.subscribe(sub)
	}
	if st := n.core.Status()[0]; st.Stopped != nil {
		n.w.fail("%s stopped: %v", n.id, st.Stopped)
	}
}

// subscribe starts or ends a subscription, late, as a broker does.
func (n *propNode) subscribe(sub Subscription) {
	run := n.run
	n.w.after(paxos.Span(n.w.rng.Int64N(int64(3*paxos.Millisecond))), func() {
		if n.core == nil || n.run != run {
			return
		}
		if sub.Start {
			n.gens[sub.Generation] = true
			n.core.OnSubscribed(sub.Log, sub.Generation, &n.out)
		} else {
			delete(n.gens, sub.Generation)
			// What the broker still carried to the old subscription arrives before the confirmation.
			n.w.after(100*paxos.Millisecond, func() {
				if n.core != nil && n.run == run {
					n.core.OnUnsubscribed(sub.Log, sub.Generation, &n.out)
					n.flush()
				}
			})
		}
		n.flush()
	})
}

// keepNode is a learner that keeps what is chosen, serves fetches and reports.
type keepNode struct {
	w       *world
	id      string
	core    *learner.Learner
	boot    uint64
	request uint64
	chosen  []sequencer.Applied // durable
	hashes  []paxos.Hash        // of slots 0, 1, …
	out     learner.Output
	reports bool
	numbers map[uint64]uint64 // newest beacon in sequence, by run
}

func (n *keepNode) name() string { return n.id }
func (n *keepNode) up() bool     { return n.core != nil }
func (n *keepNode) crash()       { n.core = nil }

func (n *keepNode) start() {
	n.boot++
	n.numbers = map[uint64]uint64{}
	seq := sequencer.New(n.w.gen)
	n.hashes = []paxos.Hash{seq.Hash()}
	for i := range n.chosen {
		a, err := seq.Apply(n.chosen[i].Slot, n.chosen[i].Value)
		if err != nil {
			n.w.fail("%s: %v", n.id, err)
		}
		n.hashes = append(n.hashes, a.Hash)
	}
	var others []string
	for _, k := range n.w.keeps {
		others = append(others, k.id)
	}
	n.out.Reset()
	n.core = learner.New(learner.Config{
		Genesis: n.w.gen, Self: n.id, Learners: others, Seed: n.boot, NextRequest: func() uint64 { n.request++; return n.request },
	}, seq)
}

func (n *keepNode) tick() {
	n.core.Tick(n.w.now, &n.out)
	n.drain()
	if n.reports && n.w.rng.IntN(10) == 0 && len(n.chosen) > 0 {
		t := paxos.Slot(len(n.chosen))
		n.w.send(n.id, &paxos.Envelope{
			Log: n.w.gen.Log, Genesis: n.w.gen.ID, From: n.id,
			Msg: &paxos.Report{Voter: n.voter(), Slot: t, Hash: n.hashes[t], Start: 1},
		})
	}
}

func (n *keepNode) voter() paxos.Voter {
	return paxos.Voter{Name: n.id, Incarnation: inc(n.id, 1), Boot: n.boot, Run: n.boot, Written: uint64(len(n.chosen))}
}

func (n *keepNode) drain() {
	for i := range n.out.Chosen {
		a := n.out.Chosen[i].Applied
		n.w.check.onApplied(n.id, a.Slot, a.Value)
		n.chosen = append(n.chosen, a)
		n.hashes = append(n.hashes, a.Hash)
	}
	for i := range n.out.Requests {
		n.w.send(n.id, &n.out.Requests[i])
	}
	for _, ev := range n.out.Events {
		if ev.Kind == paxos.EventGapRepaired && !ev.Ballot.IsZero() {
			n.w.read++
			n.w.note("%s: slot %d decided by a read quorum, highest vote at %s", n.id, ev.Slot, ev.Ballot)
		}
	}
	n.out.Reset()
	if err := n.core.Stopped(); err != nil {
		n.w.fail("%s stopped: %v", n.id, err)
	}
}

func (n *keepNode) deliver(env *paxos.Envelope) {
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		n.core.OnAccept(n.w.now, env.From, m, &n.out)
	case *paxos.Learn:
		n.core.OnLearn(n.w.now, m, &n.out)
	case *paxos.Beacon:
		n.beacon(m)
	case *paxos.Fetch:
		n.serve(env, m)
	case *paxos.FetchAnswer, *paxos.VotesAnswer, *paxos.NoResponders:
		n.core.OnAnswer(n.w.now, env, &n.out)
	}
	n.drain()
}

// beacon follows beacons as every receiver does: who missed a number asks for the full list (PROTOCOL N6).
func (n *keepNode) beacon(m *paxos.Beacon) {
	for i := range m.Items {
		n.core.OnBeacon(n.w.now, m.Proposer, &m.Items[i], &n.out)
	}
	last := n.numbers[m.Run]
	if m.Full || m.Number == last+1 {
		n.numbers[m.Run] = max(last, m.Number)
		return
	}
	if m.Number > last {
		n.request++
		n.w.send(n.id, &paxos.Envelope{
			Log: paxos.ProcessLog, From: n.id, To: m.Proposer, ToRun: m.Run, Request: n.request, Msg: &paxos.Beacons{Run: m.Run},
		})
	}
}

func (n *keepNode) serve(env *paxos.Envelope, m *paxos.Fetch) {
	through := paxos.Slot(len(n.chosen))
	a := &paxos.FetchAnswer{Voter: n.voter(), From: m.From, Start: 1, Through: through}
	if m.From <= through+1 {
		a.Before = n.hashes[m.From-1]
		a.After = a.Before
		for t := m.From; t <= min(m.To, through) && len(a.Values) < 32; t++ {
			a.Values = append(a.Values, paxos.ChosenValue{Slot: t, Value: n.chosen[t-1].Value})
			a.After = n.hashes[t]
		}
	}
	n.w.send(n.id, &paxos.Envelope{Log: env.Log, Genesis: env.Genesis, From: n.id, Request: env.Request, Reply: env.Reply, Msg: a})
}
