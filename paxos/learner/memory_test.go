package learner

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// Values above the prefix stay within the bound, the nearest are kept, the head of the line always gets in.
func TestBufferIsBounded(t *testing.T) {
	const limit = 100 << 10
	r := newRigWith(testGenesis(1024), Config{BufferBytes: limit})
	v := text(string(make([]byte, 4000)))
	for s := paxos.Slot(1024); s > 0; s-- {
		for round := uint64(1); round <= 6; round++ {
			r.accept(ballot(round, "p1"), s, v)
			if n := r.l.Status().Buffered; n > limit {
				t.Fatalf("%d bytes buffered at slot %d", n, s)
			}
			r.take()
		}
	}
	if _, ok := r.l.Lookup(1, ballot(6, "p1"), paxos.Sum(v)); !ok {
		t.Fatal("the nearest value was dropped")
	}
	if _, ok := r.l.Lookup(1024, ballot(6, "p1"), paxos.Sum(v)); ok {
		t.Fatal("the farthest value was kept")
	}
	if _, ok := r.l.Lookup(1, ballot(2, "p1"), paxos.Sum(v)); ok {
		t.Fatal("more than a few ballots were kept")
	}
	big := text(string(make([]byte, 2*limit)))
	r.accept(ballot(7, "p1"), 1, big)
	r.vote("a", ballot(7, "p1"), 1, big)
	r.vote("b", ballot(7, "p1"), 1, big)
	if r.l.Through() != 1 {
		t.Fatal("a value larger than the bound stalls the log")
	}
}

// What this process proposes itself is bounded by its owner, and never dropped: a leader completes its slots by votes only.
func TestOwnAcceptsAreNeverDropped(t *testing.T) {
	const limit = 10 << 10
	b := ballot(2, "me")
	r := newRigWith(testGenesis(64), Config{BufferBytes: limit})
	v := text(string(make([]byte, 4000)))
	for s := paxos.Slot(1); s <= 64; s++ {
		r.l.OwnAccept(r.now, s, b, paxos.Sum(v), v, &r.out)
	}
	for s := paxos.Slot(1); s <= 5; s++ {
		r.accept(ballot(1, "p1"), s, v)
	}
	if n := r.l.Status().Buffered; n > limit {
		t.Fatalf("%d bytes", n)
	}
	for s := paxos.Slot(1); s <= 64; s++ {
		r.vote("a", b, s, v)
		r.vote("c", b, s, v)
	}
	if r.l.Through() != 64 {
		t.Fatalf("through %d", r.l.Through())
	}
}

// Hashes are kept above the stable mark, within a bound, and never the newest dropped.
func TestHashHistory(t *testing.T) {
	h := newHashes(10, paxos.Hash{10}, 2*hashChunk)
	for i := 11; i < 5000; i++ {
		h.push(paxos.Hash{byte(i), byte(i >> 8)})
		if got, ok := h.at(paxos.Slot(i)); !ok || got != (paxos.Hash{byte(i), byte(i >> 8)}) {
			t.Fatalf("slot %d: %v %v", i, got, ok)
		}
		if n := h.next - h.start; n > 2*hashChunk || len(h.chunks) > 4 {
			t.Fatalf("%d hashes in %d chunks", n, len(h.chunks))
		}
	}
	for _, s := range []paxos.Slot{4998, 4990, 4000} {
		h.forget(s)
		if got, ok := h.at(4999); !ok || got != (paxos.Hash{byte(4999 & 0xff), byte(4999 >> 8)}) {
			t.Fatal("the newest hash was forgotten")
		}
	}
	if _, ok := h.at(4998); ok {
		t.Fatal("not forgotten")
	}
	h.forget(9999)
	if _, ok := h.at(4999); !ok {
		t.Fatal("the newest hash was forgotten")
	}
	if _, ok := h.at(5000); ok {
		t.Fatal("a hash of the future")
	}
}

// The stores watched are bounded, and the excluded ones stay longest.
func TestWitnessIsBounded(t *testing.T) {
	var w Witness
	bad := voterOf("bad")
	w.Observe(&bad)
	bad.Run = 2
	if verdict, proof := w.Observe(&bad); verdict != Excluded || proof == "" {
		t.Fatal("two runs with one boot")
	}
	for i := range 10 * maxWitnessed {
		v := voterOf("s")
		v.Incarnation = paxos.Incarnation{byte(i), byte(i >> 8), 1}
		w.Observe(&v)
	}
	if len(w.stores) > maxWitnessed {
		t.Fatalf("%d stores", len(w.stores))
	}
	if !w.Excluded(paxos.Member{Name: "bad", Incarnation: bad.Incarnation}) {
		t.Fatal("the excluded store was forgotten")
	}
}

// A value taken by its ballot's mark, and dropped for want of room, is no evidence against the same value when it is fetched.
func TestDroppedMarkedValueIsFetched(t *testing.T) {
	w := newTruth(testGenesis(8))
	big := string(make([]byte, 4000))
	for range 3 {
		w.add(text(big))
	}
	r := newRigWith(w.g, Config{Learners: []string{"l2"}, BufferBytes: 6000, Seed: 7}).settled()
	b := ballot(1, "p1")
	r.beacon(b, 3, w.hashes[3])
	r.accept(b, 3, w.value(3))               // chosen, by the mark
	r.accept(ballot(2, "p2"), 1, w.value(1)) // nearer, and not chosen as far as is known: takes its room
	r.wait(60 * paxos.Millisecond)
	e, f := one(t, r)
	r.answer(e.Request, e.To, w.answer("l2", f.From, f.To, 1, 3))
	if _, events := r.take(); hasEvent(events, paxos.EventDropped) || r.l.Through() != 3 {
		t.Fatalf("through %d, events %+v", r.l.Through(), events)
	}
}

// Nor is it one against a write quorum for the same bytes at another ballot.
func TestDroppedMarkedValueIsNoConflict(t *testing.T) {
	v := text(string(make([]byte, 4000)))
	r := newRigWith(testGenesis(8), Config{BufferBytes: 6000, Seed: 7}).settled()
	r.beacon(ballot(1, "p1"), 3, paxos.Hash{1})
	r.accept(ballot(1, "p1"), 3, v) // chosen, by the mark
	r.accept(ballot(2, "p2"), 1, v) // takes its room
	r.vote("a", ballot(2, "p2"), 3, v)
	r.vote("b", ballot(2, "p2"), 3, v)
	if err := r.l.Stopped(); err != nil {
		t.Fatal(err)
	}
}
