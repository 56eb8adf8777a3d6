package learner

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// votesAnswer is what acceptor name answers: its votes at b for values of w in [from, to].
func votesAnswer(w *truth, name string, b paxos.Ballot, from, to, trimmed paxos.Slot) *paxos.VotesAnswer {
	m := &paxos.VotesAnswer{Voter: voterOf(name), From: from, To: to, Trimmed: trimmed}
	for t := max(from, trimmed+1); t <= min(to, paxos.Slot(len(w.values))); t++ {
		v := w.value(t)
		m.Votes = append(m.Votes, paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: t, Ballot: b, Checksum: paxos.Sum(v), Bytes: uint32(len(v))}, Value: v,
		})
	}
	return m
}

func threeSlots(g *paxos.Genesis) *truth {
	w := newTruth(g)
	for _, s := range []string{"x", "y", "z"} {
		w.add(text(s))
	}
	return w
}

func fetchOf(t *testing.T, e paxos.Envelope) *paxos.Fetch {
	t.Helper()
	f, ok := e.Msg.(*paxos.Fetch)
	if !ok || e.Request == 0 || e.Log != "orders" || e.Genesis.IsZero() {
		t.Fatalf("no fetch: %+v", e)
	}
	return f
}

// one returns the only request emitted since the last take.
func one(t *testing.T, r *rig) (paxos.Envelope, *paxos.Fetch) {
	t.Helper()
	requests, _ := r.take()
	if len(requests) != 1 {
		t.Fatalf("%d requests, want 1: %+v", len(requests), requests)
	}
	return requests[0], fetchOf(t, requests[0])
}

// PROTOCOL L3: the last message of an idle log was lost; the beacon's mark alone starts a repair.
func TestL3BeaconStartsRepair(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g, "l2").settled()
	r.wait(10 * paxos.Second)
	if requests, _ := r.take(); len(requests) != 0 {
		t.Fatal("an idle log is asked about")
	}
	r.beacon(ballot(1, "p1"), 3, w.hashes[3])
	r.wait(60 * paxos.Millisecond)
	e, f := one(t, r)
	if e.To != "l2" || f.What != paxos.FetchChosen || f.From != 1 || f.To < 3 {
		t.Fatalf("asked %q %+v", e.To, f)
	}
	r.answer(e.Request, "l2", w.answer("l2", f.From, f.To, 1, 3))
	expect(t, r, "x", "y", "z")
	if _, ok := r.l.BallotOf(3); ok {
		t.Fatal("a slot fetched from a learner has a ballot") // PROTOCOL L2: n stops before such a slot
	}
}

// A learner asks once at its start, and for slots above what it holds: the log may be idle, with nobody to tell.
func TestL3AsksOnceAtTheStart(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g, "l2", "l3")
	r.l.Tick(r.now, &r.out)
	e, f := one(t, r)
	if r.l.CaughtUp() {
		t.Fatal("caught up before anyone answered")
	}
	r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, 1, 2))
	for i := 0; !r.l.CaughtUp(); i++ {
		if i == 10 {
			t.Fatal("not caught up after ten rounds")
		}
		requests, _ := r.take()
		for _, e := range requests {
			f := fetchOf(t, e)
			r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, 1, 2))
		}
		r.wait(10 * paxos.Millisecond)
	}
	expect(t, r, "x", "y")
}

// PROTOCOL L4: other learners first, each in turn; then the acceptors, whose equal votes choose.
func TestL4LearnersThenAcceptors(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	b := ballot(1, "p1")
	r := newRig(g, "l2", "l3").settled()
	r.beacon(ballot(9, "p1"), 3, w.hashes[3])
	r.wait(60 * paxos.Millisecond)
	asked := map[string]bool{}
	for range 2 {
		e, f := one(t, r)
		asked[e.To] = true
		r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, 1, 0)) // has nothing
	}
	if !asked["l2"] || !asked["l3"] {
		t.Fatalf("asked %v", asked)
	}
	requests, _ := r.take()
	if len(requests) != 3 {
		t.Fatalf("%d requests to acceptors, want 3", len(requests))
	}
	for i, e := range requests {
		f := fetchOf(t, e)
		if f.What != paxos.FetchVotes || f.From != 1 || f.To != 3 {
			t.Fatalf("asked %+v", f)
		}
		if i == 1 {
			expect(t, r) // one acceptor is no quorum
		}
		r.answer(e.Request, e.To, votesAnswer(w, e.To, b, f.From, f.To, 0))
	}
	expect(t, r, "x", "y", "z")
	if got, ok := r.l.BallotOf(2); !ok || got != b {
		t.Fatal("votes lost their ballot")
	}
}

// PROTOCOL L4: equal (slot, ballot, checksum) from a write quorum, not just from anyone, where nothing says that the slot is chosen.
func TestL4AcceptorsMustAgree(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g).settled()
	r.beacon(ballot(3, "p1"), 1, w.hashes[1])
	r.wait(60 * paxos.Millisecond)
	requests, _ := r.take()
	for i, e := range requests {
		f := fetchOf(t, e)
		r.answer(e.Request, e.To, votesAnswer(w, e.To, ballot(uint64(3-i), "p1"), f.From, f.To, 0))
	}
	// Ballot 3 is the mark's own, and its value came with the vote.
	expect(t, r, "x")
	if got, _ := r.l.BallotOf(1); got != ballot(3, "p1") {
		t.Fatalf("chosen at %v", got)
	}
	r = newRig(g).settled()
	r.vote("a", ballot(1, "p1"), 1, w.value(1))
	r.wait(700 * paxos.Millisecond)
	requests, _ = r.take()
	if len(requests) != 3 {
		t.Fatalf("%d requests to acceptors, want 3", len(requests))
	}
	for i, e := range requests {
		f := fetchOf(t, e)
		r.answer(e.Request, e.To, votesAnswer(w, e.To, ballot(uint64(i+1), "p1"), f.From, f.To, 0))
	}
	expect(t, r)
}

// PROTOCOL L4: "trimmed T": what acceptors forgot is chosen, and learners have it.
func TestL4TrimmedAsksLearners(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	b := ballot(1, "p1")
	r := newRig(g, "l2").settled()
	r.accept(b, 1, text("x"))
	r.wait(700 * paxos.Millisecond)
	e, f := one(t, r)
	r.answer(e.Request, e.To, w.answer("l2", f.From, f.To, 1, 0))
	requests, _ := r.take()
	for _, e := range requests {
		f := fetchOf(t, e)
		r.answer(e.Request, e.To, votesAnswer(w, e.To, b, f.From, f.To, 3))
	}
	if r.l.Known() != 4 || r.l.Status().Trimmed != 3 { // the command that let them trim is above
		t.Fatalf("known chosen %d", r.l.Known())
	}
	r.wait(200 * paxos.Millisecond)
	e, f = one(t, r)
	if e.To != "l2" || f.What != paxos.FetchChosen {
		t.Fatalf("asked %q %+v", e.To, f)
	}
	r.answer(e.Request, e.To, w.answer("l2", f.From, f.To, 1, 3))
	expect(t, r, "x", "y", "z")
}

// A chosen slot whose value was lost is asked of one acceptor that voted, not of all.
func TestL4ValueAloneIsAskedOfOneVoter(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	b := ballot(1, "p1")
	r := newRig(g).settled()
	r.vote("a", b, 1, text("x"))
	r.vote("c", b, 1, text("x"))
	r.wait(50 * paxos.Millisecond)
	e, f := one(t, r)
	if e.To != "a" && e.To != "c" || f.What != paxos.FetchVotes {
		t.Fatalf("asked %q %+v", e.To, f)
	}
	r.answer(e.Request, e.To, votesAnswer(w, e.To, b, 1, 1, 0))
	expect(t, r, "x")
}

// PROTOCOL L4, PITFALLS 24: one request in flight for a range, and pauses that grow while nobody answers.
func TestL4BoundedAndSpaced(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g, "l2", "l3").settled()
	r.beacon(ballot(1, "p1"), 3, w.hashes[3])
	sent := 0
	for range 3000 { // half a minute, and nobody answers
		r.wait(10 * paxos.Millisecond)
		requests, _ := r.take()
		sent += len(requests)
		inFlight := map[string]int{}
		for _, f := range r.l.repair.flying {
			inFlight[f.name+fmt.Sprint(f.what)]++
		}
		for name, n := range inFlight {
			if n > 1 {
				t.Fatalf("%d requests in flight to %s", n, name)
			}
		}
	}
	// A round is two learners and three acceptors, and takes two seconds and more.
	if sent < 10 || sent > 100 {
		t.Fatalf("%d requests in 30 s", sent)
	}
}

// PROTOCOL L4: the acceptors have trimmed, and each learner was out of reach for one answer. Both are asked again soon after, because nobody
// else has what is missing; those that stay silent are left alone for longer and longer.
func TestL4OneLostAnswerCostsLittle(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g, "l2", "l3").settled()
	r.beacon(ballot(1, "p1"), 3, w.hashes[3])
	asks := map[string][]paxos.Instant{}
	for range 3000 {
		r.wait(10 * paxos.Millisecond)
		requests, _ := r.take()
		for _, e := range requests {
			f := fetchOf(t, e)
			if f.What == paxos.FetchVotes {
				r.answer(e.Request, e.To, votesAnswer(w, e.To, ballot(1, "p1"), f.From, f.To, 3))
				continue
			}
			asks[e.To] = append(asks[e.To], r.now)
		}
	}
	for _, name := range []string{"l2", "l3"} {
		at := asks[name]
		if len(at) < 4 {
			t.Fatalf("%s was asked %d times in half a minute", name, len(at))
		}
		if d := at[1].Sub(at[0]); d > 3*paxos.Second+500*paxos.Millisecond {
			t.Errorf("%s was asked again after %d ms", name, d/paxos.Millisecond)
		}
		if d := at[len(at)-1].Sub(at[len(at)-2]); d < lastRest {
			t.Errorf("%s, silent %d times in a row, was left alone for %d ms", name, len(at)-1, d/paxos.Millisecond)
		}
	}
}

// Requests of learners that lost the same message do not come at once.
func TestL4Jittered(t *testing.T) {
	g := testGenesis(8)
	first := map[paxos.Instant]bool{}
	for seed := range uint64(20) {
		r := newRigWith(g, Config{Learners: []string{"l2"}, Seed: seed}).settled()
		r.accept(ballot(1, "p1"), 1, text("x"))
		for {
			r.wait(10 * paxos.Millisecond)
			if requests, _ := r.take(); len(requests) > 0 {
				first[r.now] = true
				break
			}
		}
	}
	if len(first) < 5 {
		t.Fatalf("20 learners asked at only %d instants", len(first))
	}
}

// A slot below one that is ready is asked for within two ticks and a half; half a slot alone waits for its leader.
func TestL4Urgency(t *testing.T) {
	g := testGenesis(8)
	b := ballot(1, "p1")
	after := func(act func(r *rig)) paxos.Span {
		r := newRig(g, "l2").settled()
		act(r)
		from := r.now
		for {
			r.wait(10 * paxos.Millisecond)
			if requests, _ := r.take(); len(requests) > 0 {
				return r.now.Sub(from)
			}
		}
	}
	if d := after(func(r *rig) { r.accept(b, 2, text("y")); r.vote("a", b, 2, text("y")); r.vote("b", b, 2, text("y")) }); d > 30*paxos.Millisecond {
		t.Fatalf("a gap below a chosen slot waited %d ns", d)
	}
	if d := after(func(r *rig) { r.accept(b, 1, text("x")) }); d < 400*paxos.Millisecond {
		t.Fatalf("a value without votes was asked about after %d ns", d)
	}
}

// PITFALLS 4, 7: answers to nobody's question, of the wrong party, of another log, or of a kind not asked for.
func TestAnswersMustMatchTheirRequest(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	ask := func() (*rig, paxos.Envelope) {
		r := newRig(g, "l2", "l3").settled()
		r.beacon(ballot(1, "p1"), 3, w.hashes[3])
		r.wait(60 * paxos.Millisecond)
		e, _ := one(t, r)
		return r, e
	}
	r, e := ask()
	if r.answer(e.Request+1, e.To, w.answer(e.To, 1, 3, 1, 3)) {
		t.Fatal("an answer to nobody's question was taken")
	}
	if !r.answer(e.Request, e.To, w.answer(e.To, 1, 3, 1, 3)) {
		t.Fatal("an answer was not taken")
	}
	expect(t, r, "x", "y", "z")
	if r.answer(e.Request, e.To, w.answer(e.To, 1, 3, 1, 3)) {
		t.Fatal("an answer was taken twice")
	}
	for name, m := range map[string]paxos.Message{
		"another learner": w.answer("l9", 1, 3, 1, 3),
		"another kind":    votesAnswer(w, "l2", ballot(1, "p1"), 1, 3, 0),
		"another range":   w.answer("l2", 2, 3, 1, 3),
		"not an answer":   &paxos.Report{},
	} {
		r, e := ask()
		r.answer(e.Request, e.To, m)
		if expect(t, r); r.l.Stopped() != nil || len(r.l.repair.stash) > 0 {
			t.Fatalf("%s: %v, %d answers kept", name, r.l.Stopped(), len(r.l.repair.stash))
		}
	}
	r, e = ask()
	r.l.OnAnswer(r.now, &paxos.Envelope{Genesis: paxos.GenesisID{9}, Request: e.Request, Msg: w.answer(e.To, 1, 3, 1, 3)}, &r.out)
	expect(t, r)
}

// fetching returns a rig with one request for slots from 1 in flight.
func fetching(t *testing.T, g *paxos.Genesis, n paxos.Slot, hash paxos.Hash) (*rig, paxos.Envelope, *paxos.Fetch) {
	t.Helper()
	r := newRig(g, "l2", "l3").settled()
	r.beacon(ballot(1, "p1"), n, hash)
	r.wait(60 * paxos.Millisecond)
	e, f := one(t, r)
	return r, e, f
}

// PROTOCOL L5: fetched values join only onto one's own equal hash; who differs is left alone for a while.
func TestL5JoinsOnlyOntoEqualHash(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r, e, f := fetching(t, g, 3, w.hashes[3])
	bad := w.answer(e.To, f.From, f.To, 1, 3)
	bad.Before = paxos.Hash{0xbd}
	r.answer(e.Request, e.To, bad)
	requests, events := r.take()
	expect(t, r)
	if r.l.Stopped() != nil || !hasEvent(events, paxos.EventDropped) {
		t.Fatalf("stopped %v, events %v", r.l.Stopped(), events)
	}
	if len(requests) != 1 || requests[0].To == e.To {
		t.Fatalf("asked again: %+v", requests)
	}
	f = fetchOf(t, requests[0])
	r.answer(requests[0].Request, requests[0].To, w.answer(requests[0].To, f.From, f.To, 1, 3))
	expect(t, r, "x", "y", "z")
}

// PROTOCOL L5: a hash after the fetched values that differs stops the log, and nothing of them is handed over.
func TestL5MismatchAfterHandsNothingOver(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r, e, f := fetching(t, g, 3, w.hashes[3])
	bad := w.answer(e.To, f.From, f.To, 1, 2)
	bad.Values[1].Value = text("forged")
	r.answer(e.Request, e.To, bad)
	_, events := r.take()
	expect(t, r)
	if !errors.Is(r.l.Stopped(), ErrConflict) || errors.Is(r.l.Stopped(), ErrDiverged) || !hasEvent(events, paxos.EventDiverged) {
		t.Fatalf("stopped %v, events %v", r.l.Stopped(), events)
	}
	if r.l.Through() != 0 {
		t.Fatalf("through %d", r.l.Through())
	}
}

// PROTOCOL L5: a mark inside the fetched range that differs stops the log before any of it is handed over.
func TestL5MarkInsideAFetchHandsNothingOver(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r, e, f := fetching(t, g, 2, paxos.Hash{0xbd})
	r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, 1, 3))
	expect(t, r)
	if !errors.Is(r.l.Stopped(), ErrConflict) {
		t.Fatalf("stopped %v", r.l.Stopped())
	}
}

// A fetched value that differs from the one whose votes were counted here is not taken, and the log goes on.
func TestL5FetchedAgainstCountedVotes(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	b := ballot(1, "p1")
	r := newRig(g, "l2").settled()
	r.vote("a", b, 2, text("y"))
	r.vote("b", b, 2, text("y"))
	r.accept(b, 2, text("y"))
	r.wait(60 * paxos.Millisecond)
	e, _ := one(t, r)
	r.vote("a", b, 3, text("other"))
	r.vote("b", b, 3, text("other"))
	// The answer claims more than was asked for slot 1: slot 3 would contradict the votes.
	f, ok := land(&r.l.repair.flying, e.Request)
	if !ok {
		t.Fatal("no flight")
	}
	f.to = 3
	r.l.repair.flying = append(r.l.repair.flying, f)
	r.answer(e.Request, e.To, w.answer("l2", 1, 3, 1, 3))
	expect(t, r)
	if r.l.Stopped() != nil {
		t.Fatal(r.l.Stopped())
	}
}

// Live messages that overtake a fetch leave its answer partly or wholly old: it is compared, and what is new is taken.
func TestL5OverlappingAnswer(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	b := ballot(1, "p1")
	live := func(r *rig, slots ...paxos.Slot) {
		for _, s := range slots {
			r.accept(b, s, w.value(s))
			r.vote("a", b, s, w.value(s))
			r.vote("b", b, s, w.value(s))
		}
	}
	r, e, f := fetching(t, g, 3, w.hashes[3])
	live(r, 1, 2)
	r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, 1, 3))
	expect(t, r, "x", "y", "z")

	r, e, f = fetching(t, g, 3, w.hashes[3])
	live(r, 1, 2)
	old := w.answer(e.To, f.From, f.To, 1, 2)
	old.After = paxos.Hash{0xbd} // all of it was handed over here, and the other's differs
	r.answer(e.Request, e.To, old)
	if !errors.Is(r.l.Stopped(), ErrDiverged) {
		t.Fatalf("stopped %v", r.l.Stopped())
	}
}

// A far-behind learner stays with one source, two requests in flight, and joins answers in order though they arrive out of it.
func TestCatchUpIsPipelined(t *testing.T) {
	g := testGenesis(8)
	w := newTruth(g)
	const n = 3000
	for i := range n {
		w.add(text(fmt.Sprint(i)))
	}
	r := newRig(g, "l2")
	r.l.Tick(r.now, &r.out)
	pipelined, rounds := false, 0
	for r.l.Through() < n {
		if rounds++; rounds > 200 {
			t.Fatalf("at %d after %d rounds", r.l.Through(), rounds)
		}
		requests, _ := r.take()
		if len(requests) == 0 {
			r.wait(10 * paxos.Millisecond)
		}
		if len(r.l.repair.flying)+len(r.l.repair.stash) > maxFlying {
			t.Fatalf("%d requests in flight, %d answers waiting", len(r.l.repair.flying), len(r.l.repair.stash))
		}
		pipelined = pipelined || len(requests) == 2 || len(r.l.repair.flying) == 2
		for i := len(requests) - 1; i >= 0; i-- { // the later one first
			f := fetchOf(t, requests[i])
			r.answer(requests[i].Request, "l2", w.answer("l2", f.From, min(f.To, f.From+99), 1, n))
		}
	}
	if got := len(r.values()); got != n || !pipelined {
		t.Fatalf("%d slots, pipelined %v", got, pipelined)
	}
	if r.now > paxos.Instant(200*paxos.Millisecond) {
		t.Fatalf("the catch-up waited: %d ns", r.now)
	}
}

// A learner below what every other one holds says that it needs a checkpoint; one that might still help is waited for.
func TestNeedCheckpoint(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r := newRig(g, "l2", "l3").settled()
	r.beacon(ballot(1, "p1"), 3, w.hashes[3])
	for i := 0; !r.out.NeedCheckpoint; i++ {
		if i > 1000 {
			t.Fatal("never said so")
		}
		r.wait(10 * paxos.Millisecond)
		need := r.out.NeedCheckpoint
		requests, _ := r.take()
		for _, e := range requests {
			f := fetchOf(t, e)
			if f.What == paxos.FetchChosen {
				r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, 2, 3))
			} else {
				r.answer(e.Request, e.To, votesAnswer(w, e.To, ballot(1, "p1"), f.From, f.To, 3))
			}
		}
		if r.out.NeedCheckpoint = r.out.NeedCheckpoint || need; r.out.NeedCheckpoint {
			break
		}
	}
	r = newRig(g, "l2", "l3").settled()
	r.beacon(ballot(1, "p1"), 3, w.hashes[3])
	for range 1000 {
		r.wait(10 * paxos.Millisecond)
		if r.out.NeedCheckpoint {
			t.Fatal("l3 holds all, and answers")
		}
		requests, _ := r.take()
		for _, e := range requests {
			if f := fetchOf(t, e); f.What == paxos.FetchChosen {
				start := paxos.Slot(2)
				if e.To == "l3" {
					start = 1
				}
				r.answer(e.Request, e.To, w.answer(e.To, f.From, f.To, start, 3))
			}
		}
	}
	expect(t, r, "x", "y", "z")
}

// Who counts when everyone was asked in vain: a learner that has the slot, or was never heard yet, is waited for.
func TestNeedCheckpointCountsWhoMayHelp(t *testing.T) {
	lacks := source{name: "l1", told: true, start: 5, through: 9}
	for name, c := range map[string]struct {
		other  source
		rounds int
		want   bool
	}{
		"lacks it too":         {lacks, 1, true},
		"has it":               {source{told: true, start: 1, through: 9}, 9, false},
		"had it and is gone":   {source{told: true, failed: true, start: 1, through: 9}, 1, true},
		"is behind as well":    {source{told: true, start: 1, through: 2}, 1, true},
		"unheard":              {source{}, 1, false},
		"unheard for too long": {source{}, roundsUnheard, true},
	} {
		r := newRig(testGenesis(8)).settled()
		r.l.repair.gap.head, r.l.repair.gap.rounds = 3, c.rounds
		r.l.repair.sources.all = []source{lacks, c.other}
		if got := r.l.needsCheckpoint(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		r.l.repair.sources.all = []source{c.other}
		if r.l.needsCheckpoint() && !c.other.lacks(3) {
			t.Errorf("%s: nobody said that the slot is gone", name)
		}
	}
}

// The broker says that a learner is not there: the next one is asked at once.
func TestNoRespondersAsksTheNext(t *testing.T) {
	g := testGenesis(8)
	w := threeSlots(g)
	r, e, _ := fetching(t, g, 3, w.hashes[3])
	if !r.l.OnAnswer(r.now, &paxos.Envelope{Request: e.Request, Msg: &paxos.NoResponders{}}, &r.out) {
		t.Fatal("not taken")
	}
	next, f := one(t, r)
	if next.To == e.To {
		t.Fatalf("asked %q again", next.To)
	}
	r.answer(next.Request, next.To, w.answer(next.To, f.From, f.To, 1, 3))
	expect(t, r, "x", "y", "z")
}

// PROTOCOL L4: acceptors' answers are cut short by their size. A repair of many slots asks for the rest at once, and does not wait for an
// acceptor that never answers.
func TestL4AnswersCutShortGoOnAtOnce(t *testing.T) {
	g := testGenesis(64)
	w := newTruth(g)
	for i := range 40 {
		w.add(text(strconv.Itoa(i)))
	}
	b := ballot(1, "p1")
	r := newRig(g).settled()
	r.accept(b, 40, w.value(40)) // all before it was lost
	r.wait(700 * paxos.Millisecond)
	began := r.now
	for {
		requests, _ := r.take()
		flights := len(r.l.repair.flying)
		if flights > 3 {
			t.Fatalf("%d requests under way to 3 acceptors", flights)
		}
		for _, e := range requests {
			if f := fetchOf(t, e); e.To != "c" { // never answers
				r.answer(e.Request, e.To, votesAnswer(w, e.To, b, f.From, f.From, 0)) // one slot fits
			}
		}
		if r.l.Through() == 40 {
			break
		}
		if r.now.Sub(began) > 500*paxos.Millisecond {
			t.Fatalf("slot %d after %v", r.l.Through(), r.now.Sub(began))
		}
		if len(requests) == 0 {
			r.wait(10 * paxos.Millisecond)
		}
	}
}
