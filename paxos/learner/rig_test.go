package learner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// incarnation of the acceptor or keeper with this name; generation 1 is the one in the genesis record.
func incarnation(name string, generation byte) paxos.Incarnation {
	var inc paxos.Incarnation
	copy(inc[1:], name)
	inc[0] = generation
	return inc
}

func members(names ...string) []paxos.Member {
	ms := make([]paxos.Member, 0, len(names))
	for _, n := range names {
		ms = append(ms, paxos.Member{Name: n, Incarnation: incarnation(n, 1)})
	}
	return ms
}

func testGenesis(window uint64) *paxos.Genesis {
	return &paxos.Genesis{
		ID: paxos.GenesisID{1}, Cluster: "main", Log: "orders", Founded: 1, Level: 1, Window: window,
		ValueLimit: paxos.DefaultValueLimit, Sessions: 16, Outcomes: 8, MessageIDs: 16,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: members("a", "b", "c"), Read: 2, Write: 2},
		Keepers:    paxos.Keepers{Epoch: 1, Members: members("l1", "l2", "l3"), K: 2},
	}
}

func ballot(round uint64, proposer string) paxos.Ballot {
	return paxos.Ballot{Round: round, Proposer: proposer, Run: 1}
}

// origin of every test value: none is dropped for it.
var origin = ballot(1, "p1")

// text is a value of one plain entry.
func text(s string) []byte {
	frames := value.AppendFrame(nil, nil, []byte(s))
	body := value.EncodeBatch(nil, &value.Batch{Count: 1, Plain: true, Frames: frames})
	return compose(value.Item{Kind: value.ItemBatch, Body: body})
}

func noop() []byte { return compose() }

func command(c value.Command) []byte {
	return compose(value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, c)})
}

func compose(items ...value.Item) []byte {
	return value.Encode(nil, &value.Value{Origin: origin, Stamp: 1, Items: items})
}

// truth is a scripted log: the values of slots 1, 2, … and the running hashes that they give.
type truth struct {
	g      *paxos.Genesis
	seq    *sequencer.Sequencer
	values [][]byte     // of slot i+1
	hashes []paxos.Hash // of slot i, from slot 0
	marks  []checkpoint
}

type checkpoint struct {
	slot  paxos.Slot
	state []byte
}

func newTruth(g *paxos.Genesis) *truth {
	seq := sequencer.New(g)
	return &truth{g: g, seq: seq, hashes: []paxos.Hash{seq.Hash()}}
}

func (w *truth) add(v []byte) sequencer.Applied {
	ap, err := w.seq.Apply(paxos.Slot(len(w.values)+1), v)
	if err != nil {
		panic(err)
	}
	w.values = append(w.values, v)
	w.hashes = append(w.hashes, ap.Hash)
	if ap.Mark {
		w.marks = append(w.marks, checkpoint{slot: ap.Slot, state: slices.Clone(ap.State)})
	}
	return ap
}

func (w *truth) value(t paxos.Slot) []byte { return w.values[t-1] }

// answer is what a learner that holds slots [start, through] of w says to a fetch of [from, to].
func (w *truth) answer(name string, from, to, start, through paxos.Slot) *paxos.FetchAnswer {
	m := &paxos.FetchAnswer{Voter: voterOf(name), From: from, Start: start, Through: through}
	if from < start || from > through {
		return m
	}
	m.Before = w.hashes[from-1]
	for t := from; t <= min(to, through); t++ {
		m.Values = append(m.Values, paxos.ChosenValue{Slot: t, Value: w.value(t)})
		m.After = w.hashes[t]
	}
	return m
}

func voterOf(name string) paxos.Voter {
	return paxos.Voter{Name: name, Incarnation: incarnation(name, 1), Boot: 1, Run: 1, Written: 1}
}

// rig is one learner with its clock, whose outputs gather until they are read.
type rig struct {
	g      *paxos.Genesis
	l      *Learner
	now    paxos.Instant
	out    Output
	chosen []Chosen
	names  map[string]string // value bytes to the name that tests use
	ids    uint64
}

func newRig(g *paxos.Genesis, learners ...string) *rig {
	return newRigWith(g, Config{Learners: learners, Seed: 7})
}

func newRigWith(g *paxos.Genesis, cfg Config) *rig {
	r := &rig{g: g, names: map[string]string{}}
	cfg.Genesis, cfg.Self = g, "me"
	cfg.NextRequest = func() uint64 { r.ids++; return r.ids }
	r.l = New(cfg, sequencer.New(g))
	return r
}

// settled spends the first round of asking, so that a test sees only what it causes.
func (r *rig) settled() *rig {
	for len(r.l.repair.flying) > 0 || !r.l.repair.probed {
		r.l.Tick(r.now, &r.out)
		for _, f := range slices.Clone(r.l.repair.flying) {
			r.answer(f.request, f.name, &paxos.FetchAnswer{Voter: voterOf(f.name), From: f.from, Start: 1})
		}
	}
	r.take()
	return r
}

// take returns what was emitted since the last take, and remembers what was chosen.
func (r *rig) take() (requests []paxos.Envelope, events []paxos.Event) {
	r.chosen = append(r.chosen, r.out.Chosen...)
	requests, events = slices.Clone(r.out.Requests), slices.Clone(r.out.Events)
	r.out.Reset()
	return requests, events
}

func (r *rig) accept(b paxos.Ballot, t paxos.Slot, v []byte) {
	r.l.OnAccept(r.now, b.Proposer, &paxos.Accept{Ballot: b, Slot: t, Checksum: paxos.Sum(v), Value: v}, &r.out)
}

func (r *rig) vote(acceptor string, b paxos.Ballot, t paxos.Slot, v []byte) {
	r.voteAs(voterOf(acceptor), b, t, v)
}

func (r *rig) voteAs(voter paxos.Voter, b paxos.Ballot, t paxos.Slot, v []byte) {
	r.l.OnLearn(r.now, &paxos.Learn{Voter: voter, Ballot: b, Votes: []paxos.SlotSum{{Slot: t, Checksum: paxos.Sum(v)}}}, &r.out)
}

func (r *rig) beacon(b paxos.Ballot, n paxos.Slot, hash paxos.Hash) {
	r.l.OnBeacon(r.now, b.Proposer, &paxos.BeaconItem{
		Log: r.g.Log, Genesis: r.g.ID, Ballot: b, Chosen: n, ChosenHash: hash,
	}, &r.out)
}

// wait lets d pass in ticks of 10 ms.
func (r *rig) wait(d paxos.Span) {
	for end := r.now.Add(d); r.now < end; {
		r.now = r.now.Add(10 * paxos.Millisecond)
		r.l.Tick(r.now, &r.out)
	}
}

func (r *rig) answer(request uint64, from string, m paxos.Message) bool {
	return r.l.OnAnswer(r.now, &paxos.Envelope{Log: r.g.Log, Genesis: r.g.ID, From: from, Request: request, Msg: m}, &r.out)
}

// values returns what was chosen so far, in order.
func (r *rig) values() []string {
	r.take()
	var vs []string
	for i, c := range r.chosen {
		if c.Slot != paxos.Slot(i)+r.chosen[0].Slot || c.Applied.Slot != c.Slot {
			panic(fmt.Sprintf("slot %d handed over at place %d", c.Slot, i))
		}
		vs = append(vs, payload(c.Applied.Value))
	}
	return vs
}

// payload returns the entry of a text value, or what else the value is.
func payload(v []byte) string {
	val, err := value.Decode(v)
	if err != nil {
		return "malformed"
	}
	if len(val.Items) == 0 {
		return "noop"
	}
	if val.Items[0].Kind != value.ItemBatch {
		return "command"
	}
	b, err := value.DecodeBatch(val.Items[0].Body)
	if err != nil {
		return "malformed"
	}
	f, _, err := value.DecodeFrame(b.Frames)
	if err != nil {
		return "malformed"
	}
	return string(f.Payload)
}

// parseBallot reads "5.p1".
func parseBallot(s string) paxos.Ballot {
	round, proposer, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint(round, 10, 64)
	if err != nil {
		panic(err)
	}
	return ballot(n, proposer)
}
