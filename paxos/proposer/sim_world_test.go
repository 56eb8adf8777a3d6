package proposer

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// The simulator runs real proposer, acceptor and learner cores over a network that loses, repeats, delays and reorders, with crashes,
// restarts and cuts, all decided by one seed. It checks agreement at every step, and progress once everything is healed.

const tickEvery = 10 * paxos.Millisecond

// happening is something that will happen at an instant.
type happening struct {
	at  paxos.Instant
	seq uint64
	do  func()
}

type agenda []happening

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(happening)) }
func (a *agenda) Pop() any {
	old := *a
	x := old[len(old)-1]
	*a = old[:len(old)-1]
	return x
}

// faults are the probabilities of what goes wrong with one message.
type faults struct {
	loss, dup, slow float64
	false503        float64
}

type node interface {
	name() string
	up() bool
	deliver(env *paxos.Envelope)
	tick()
	crash()
	start()
}

type world struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	now     paxos.Instant
	seq     uint64
	agenda  agenda
	faults  faults
	cut     map[[2]string]bool // from, to
	gen     *paxos.Genesis
	nodes   []node
	accs    []*accNode
	props   []*propNode
	keeps   []*keepNode
	clients []*client
	replies uint64
	waiting map[string]pendingReply
	check   *checker
	events  map[paxos.EventKind]int
	trace   []string
	calm    bool // nothing is changed any more
	raised  int  // leaders that raised in place
	fetched int  // fetches for adoption
	read    int  // slots that a read quorum decided for a keeper (PROTOCOL L4)
}

// pendingReply is a request on its way: where its answer belongs.
type pendingReply struct {
	from    string
	request uint64
	take    func(env *paxos.Envelope)
}

func inc(name string, generation byte) paxos.Incarnation {
	var i paxos.Incarnation
	copy(i[:], name)
	i[15] = generation
	return i
}

func members(names ...string) []paxos.Member {
	var ms []paxos.Member
	for _, n := range names {
		ms = append(ms, paxos.Member{Name: n, Incarnation: inc(n, 1)})
	}
	return ms
}

func testGenesis(window uint64, acceptors ...string) *paxos.Genesis {
	n := len(acceptors)
	return &paxos.Genesis{
		ID: paxos.GenesisID{1, 2, 3}, Cluster: "c", Log: "main", Level: paxos.FormatLevel,
		Window: window, ValueLimit: 1 << 16, Sessions: 16, Outcomes: 64, MessageIDs: 64,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: members(acceptors...), Read: n/2 + 1, Write: n/2 + 1},
		Keepers:    paxos.Keepers{Epoch: 1, Members: members("l1", "l2"), K: max(2, n/2+1)},
	}
}

func newWorld(t *testing.T, seed uint64, gen *paxos.Genesis) *world {
	w := &world{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), gen: gen, now: 1,
		cut: map[[2]string]bool{}, waiting: map[string]pendingReply{}, events: map[paxos.EventKind]int{},
	}
	w.check = newChecker(w)
	return w
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, l := range w.trace[max(0, len(w.trace)-60):] {
		w.t.Log(l)
	}
	w.t.Fatalf("seed %d at %d ms: %s", w.seed, w.now/paxos.Instant(paxos.Millisecond), fmt.Sprintf(format, args...))
}

func (w *world) note(format string, args ...any) {
	if len(w.trace) > 4000 {
		w.trace = slices.Delete(w.trace, 0, 2000)
	}
	w.trace = append(w.trace, fmt.Sprintf("%7.1f ms  ", float64(w.now)/1e6)+fmt.Sprintf(format, args...))
}

func (w *world) wall() paxos.Stamp { return paxos.Stamp(w.now) + 1_700_000_000_000_000_000 }

func (w *world) after(d paxos.Span, do func()) {
	w.seq++
	heap.Push(&w.agenda, happening{w.now.Add(d), w.seq, do})
}

// run lets time pass.
func (w *world) run(d paxos.Span) {
	end := w.now.Add(d)
	for len(w.agenda) > 0 && w.agenda[0].at <= end {
		h := heap.Pop(&w.agenda).(happening)
		w.now = h.at
		h.do()
	}
	w.now = end
}

// runUntil lets time pass until ok, or fails after limit.
func (w *world) runUntil(limit paxos.Span, what string, ok func() bool) {
	w.t.Helper()
	for end := w.now.Add(limit); !ok(); {
		if w.now >= end {
			w.fail("not within %d ms: %s", limit/paxos.Millisecond, what)
		}
		w.run(5 * paxos.Millisecond)
	}
}

func (w *world) add(n node) {
	w.nodes = append(w.nodes, n)
	n.start()
	var tick func()
	tick = func() {
		if n.up() {
			n.tick()
		}
		w.after(tickEvery, tick)
	}
	w.after(paxos.Span(w.rng.Int64N(int64(tickEvery))), tick)
}

func (w *world) find(name string) node {
	for _, n := range w.nodes {
		if n.name() == name {
			return n
		}
	}
	return nil
}

func (w *world) delay() paxos.Span {
	d := 50*paxos.Microsecond + paxos.Span(w.rng.Int64N(int64(300*paxos.Microsecond)))
	if w.rng.Float64() < w.faults.slow {
		d += paxos.Span(w.rng.Int64N(int64(60 * paxos.Millisecond)))
	}
	return d
}

// carry brings env from one node to another, if the network lets it.
func (w *world) carry(from string, to node, env paxos.Envelope) {
	if w.cut[[2]string{from, to.name()}] || w.rng.Float64() < w.faults.loss {
		return
	}
	n := 1
	if w.rng.Float64() < w.faults.dup {
		n = 2
	}
	for range n {
		e := env
		w.after(w.delay(), func() {
			if to.up() {
				to.deliver(&e)
			}
		})
	}
}

// send is the broker: broadcasts reach all but the sender, requests their addressee, answers who asked.
func (w *world) send(from string, env *paxos.Envelope) {
	switch {
	case env.Msg.Kind().IsAnswer() || env.Reply != "":
		w.answer(from, env)
	case env.To != "" && env.Request != 0:
		w.request(from, env)
	default:
		for _, n := range w.nodes {
			if n.name() != from {
				w.carry(from, n, *env)
			}
		}
		for _, c := range w.clients {
			c.hear(env)
		}
	}
}

func (w *world) request(from string, env *paxos.Envelope) {
	to := w.find(env.To)
	back := func(env *paxos.Envelope) {
		if n := w.find(from); n != nil && n.up() {
			n.deliver(env)
		}
	}
	gone := to == nil || !to.up()
	if p, ok := to.(*propNode); ok && env.ToRun != 0 && p.run != env.ToRun {
		gone = true
	}
	if gone || w.rng.Float64() < w.faults.false503 {
		no := paxos.Envelope{Request: env.Request, Msg: &paxos.NoResponders{}}
		w.after(200*paxos.Microsecond, func() { back(&no) })
		return
	}
	w.replies++
	e := *env
	e.Reply = fmt.Sprintf("inbox.%d", w.replies)
	w.waiting[e.Reply] = pendingReply{from: from, request: env.Request, take: back}
	w.carry(from, to, e)
}

func (w *world) answer(from string, env *paxos.Envelope) {
	r, ok := w.waiting[env.Reply]
	if !ok || w.cut[[2]string{from, r.from}] || w.rng.Float64() < w.faults.loss {
		return
	}
	e := *env
	e.Reply, e.Request, e.From = "", r.request, from
	w.after(w.delay(), func() { r.take(&e) })
}

// isolate cuts a node off from all others, or joins it again.
func (w *world) isolate(name string, on bool) {
	for _, n := range w.nodes {
		w.cut[[2]string{name, n.name()}] = on
		w.cut[[2]string{n.name(), name}] = on
	}
}

func (w *world) heal() {
	w.faults = faults{}
	w.cut = map[[2]string]bool{}
	for _, n := range w.nodes {
		if !n.up() {
			n.start()
		}
	}
}

func (w *world) leader() *propNode {
	for _, p := range w.props {
		if p.up() && p.core.Status()[0].Serving {
			return p
		}
	}
	return nil
}

// checker holds what must never be contradicted.
type checker struct {
	w        *world
	proposed map[string]paxos.Checksum // slot@ballot
	votes    map[string]map[paxos.Incarnation]bool
	chosen   map[paxos.Slot]paxos.Checksum
	applied  map[paxos.Slot]paxos.Checksum
	values   map[paxos.Slot][]byte
	through  paxos.Slot
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, proposed: map[string]paxos.Checksum{}, votes: map[string]map[paxos.Incarnation]bool{},
		chosen: map[paxos.Slot]paxos.Checksum{}, applied: map[paxos.Slot]paxos.Checksum{}, values: map[paxos.Slot][]byte{},
	}
}

// onAccept: never two values at one (slot, ballot).
func (c *checker) onAccept(m *paxos.Accept) {
	k := fmt.Sprint(m.Slot, "@", m.Ballot)
	if sum, ok := c.proposed[k]; ok && sum != m.Checksum {
		c.w.fail("two values proposed at %s", k)
	}
	c.proposed[k] = m.Checksum
}

// onApplied: whoever sequences a slot sequences the same value.
func (c *checker) onApplied(who string, t paxos.Slot, v []byte) {
	sum := paxos.Sum(v)
	if old, ok := c.applied[t]; ok && old != sum {
		c.w.fail("%s sequenced another value in slot %d", who, t)
	}
	c.applied[t] = sum
	c.values[t] = slices.Clone(v)
	c.through = max(c.through, t)
}

// payloads returns every payload that the log holds, in order, as the sequencer of a keeper saw them.
func (w *world) payloads(k *keepNode) []string {
	var all []string
	for i := range k.chosen {
		a := &k.chosen[i]
		v, err := value.Decode(a.Value)
		if err != nil {
			w.fail("slot %d: %v", a.Slot, err)
		}
		for j := range v.Items {
			if a.Outcomes[j].Code != paxos.CodeAppended {
				continue
			}
			b, err := value.DecodeBatch(v.Items[j].Body)
			if err != nil {
				w.fail("slot %d: %v", a.Slot, err)
			}
			all = append(all, frameText(w, b.Frames))
		}
	}
	return all
}

func frameText(w *world, frames []byte) string {
	f, _, err := value.DecodeFrame(frames)
	if err != nil {
		w.fail("frame: %v", err)
	}
	return string(f.Payload)
}
