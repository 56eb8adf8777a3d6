package acceptor

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// The cache agrees with a map above its floor, whatever is put and however the floor moves.
func TestCacheIsCompleteAboveItsFloor(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := cache{floor: paxos.Slot(rapid.IntRange(1, 50).Draw(r, "floor"))}
		all := map[paxos.Slot]vote{}
		b := bal(1, "p1")
		at := c.floor
		for i := range rapid.IntRange(1, 60).Draw(r, "steps") {
			at += paxos.Slot(rapid.SampledFrom([]int{0, 1, 1, 1, 7, 40, 900, 3000, 5000}).Draw(r, "ahead"))
			slot := max(1, at-min(at-1, paxos.Slot(rapid.SampledFrom([]int{0, 0, 3, 50, 5000}).Draw(r, "back"))))
			floor := c.floor
			if rapid.IntRange(0, 9).Draw(r, "raise") == 0 {
				c.raise(slot)
			} else {
				v := vote{ballot: &b, checksum: paxos.Checksum(i)}
				if all[slot] = v; slot < floor {
					c.put(slot, v)
					if c.floor != floor {
						r.Fatalf("a slot below the floor moved it")
					}
				} else {
					c.put(slot, v)
				}
			}
			if c.floor < floor || len(c.ring) > CacheSlots {
				r.Fatalf("floor %d after %d, %d slots", c.floor, floor, len(c.ring))
			}
			for s := c.floor; s <= at+2; s++ {
				if got := c.get(s); got != all[s] {
					r.Fatalf("slot %d: %v, want %v", s, got, all[s])
				}
			}
		}
	})
}

// Idle logs cost little, busy ones a bounded amount, hostile slots nothing more.
func TestCacheStaysSmall(t *testing.T) {
	r := newRig(t, "main")
	g := r.a.groups[paxos.GenesisID{1}]
	b := bal(1, "p1")
	r.do(accept(b, 1, batchValue(b, "x")))
	if n := len(g.cache.ring); n != cacheMin {
		t.Errorf("one vote takes a ring of %d", n)
	}
	r.do(accept(b, paxos.MaxSlot-1, batchValue(b, "x")))
	if n := len(g.cache.ring); n > CacheSlots {
		t.Errorf("a far slot takes a ring of %d", n)
	}
	r.do(accept(b, 2, batchValue(b, "x")))
	if len(r.reads) != 1 {
		t.Errorf("a slot below the floor was judged without a read")
	}
}

func TestParkedAcceptsAreBounded(t *testing.T) {
	r := newRig(t, "main")
	b := bal(2, "p1")
	r.do(accept(b, 100_000, batchValue(b, "x")))
	dropped := 0
	for n := range paxos.Slot(MaxParked + 10) {
		env := accept(b, n+1, batchValue(b, "x"))
		out := r.step(func(out *Output) { r.a.Deliver(r.now, &env, out) })
		dropped += len(out.Events)
	}
	if len(r.reads) != MaxParked || dropped != 10 || r.a.parkedCount != MaxParked {
		t.Fatalf("%d reads, %d dropped, %d parked", len(r.reads), dropped, r.a.parkedCount)
	}
	for len(r.reads) > 0 {
		r.read()
	}
	if r.a.parkedCount != 0 || r.a.parkedBytes != 0 {
		t.Fatalf("%d parked with %d bytes are left", r.a.parkedCount, r.a.parkedBytes)
	}
	r.a.parkedBytes = MaxParkedBytes
	env := accept(b, 1, batchValue(b, "y"))
	if out := r.step(func(out *Output) { r.a.Deliver(r.now, &env, out) }); len(out.Events) != 1 || len(out.Reads) != 0 {
		t.Fatal("parked beyond the limit of bytes")
	}
}

func TestFetchesAreBounded(t *testing.T) {
	r := newRig(t, "main")
	b := bal(2, "p1")
	r.do(accept(b, 10, batchValue(b, "x")))
	for range MaxFetches + 5 {
		r.do(about(1, "main", "l1", &paxos.Fetch{What: paxos.FetchVotes, From: 1, To: 20, MaxBytes: 1}))
	}
	if len(r.reads) != MaxFetches {
		t.Fatalf("%d reads under way", len(r.reads))
	}
	for len(r.reads) > 0 {
		one[*paxos.VotesAnswer](t, r.read())
	}
	if r.a.fetches != 0 {
		t.Fatalf("%d fetches are left", r.a.fetches)
	}
}

func TestWaitingAsksAreBounded(t *testing.T) {
	r := newRig(t, "main")
	r.do(prepare(bal(1, "p0"), 1))
	for i := range MaxWaitingAsks + 5 {
		by := fmt.Sprintf("q%d", i)
		r.do(about(1, "main", by, &paxos.Ask{Asker: by, Run: 1}))
	}
	if n := len(r.tick(DefaultProbeTimeout)); n != MaxWaitingAsks {
		t.Fatalf("%d answers", n)
	}
}

func TestFollowedRunsAreBounded(t *testing.T) {
	r := newRig(t, "main")
	hear := func(name string, run uint64) {
		r.now++
		r.do(beacon(&paxos.Beacon{Proposer: name, Run: run, Number: 2})) // behind: the full list is asked for
	}
	for i := range MaxProposers + 7 {
		hear(fmt.Sprintf("p%d", i), 1)
		hear(fmt.Sprintf("p%d", i), 2)
	}
	for run := range uint64(MaxRuns + 3) {
		hear("p5", run)
	}
	s := &r.a.beacons
	if len(s.names) > MaxProposers || len(s.runs) > MaxProposers*MaxRuns || len(s.runs) != len(s.seen) || s.names["p5"] != MaxRuns {
		t.Fatalf("%d names, %d runs, %d of p5", len(s.names), len(s.runs), s.names["p5"])
	}
	if len(s.asked) > len(s.runs) {
		t.Fatalf("%d questions for %d runs", len(s.asked), len(s.runs))
	}
	if s.seen[runKey{"p0", 1}] != nil || s.seen[runKey{"p5", MaxRuns + 2}] == nil {
		t.Fatal("not the longest silent gave way")
	}
	for n := range uint64(2 * MaxHeldBeacons) {
		r.do(beacon(&paxos.Beacon{Proposer: "p5", Run: 0, Number: 10 + n}))
	}
	if n := len(s.seen[runKey{"p5", 0}].held); n > MaxHeldBeacons {
		t.Fatalf("%d beacons held", n)
	}
	items := make([]paxos.BeaconItem, MaxRunItems+5)
	for i := range items {
		b := paxos.Ballot{Round: 1, Proposer: "p9", Run: 9}
		items[i] = paxos.BeaconItem{Log: "main", Genesis: paxos.GenesisID{byte(i), byte(i >> 8), 1}, Ballot: b}
	}
	r.do(beacon(&paxos.Beacon{Proposer: "p9", Run: 9, Number: 1, Full: true, Items: items}))
	if n := len(s.seen[runKey{"p9", 9}].items); n != MaxRunItems {
		t.Fatalf("%d items followed", n)
	}
}

// A log whose ballot changes within a turn still publishes every vote, in messages within their limit.
func TestLearnsAreGathered(t *testing.T) {
	r := newRig(t, "main")
	b := bal(1, "p1")
	out := r.step(func(out *Output) {
		for n := range paxos.Slot(paxos.MaxVotesPerLearn) {
			env := accept(b, paxos.MaxVotesPerLearn-n, batchValue(b, "x")) // from the top down
			r.a.Deliver(r.now, &env, out)
		}
		again := accept(b, 5, batchValue(b, "x"))
		r.a.Deliver(r.now, &again, out)
	})
	var counts []int
	for _, env := range out.After {
		l := env.Msg.(*paxos.Learn)
		counts = append(counts, len(l.Votes))
		for i := 1; i < len(l.Votes); i++ {
			if l.Votes[i-1].Slot >= l.Votes[i].Slot {
				t.Fatalf("slot %d before %d", l.Votes[i-1].Slot, l.Votes[i].Slot)
			}
		}
	}
	if fmt.Sprint(counts) != fmt.Sprint([]int{paxos.MaxVotesPerLearn, 1}) {
		t.Fatalf("messages of %v votes", counts)
	}
	out.Reset()
	if len(out.Records)+len(out.After)+len(out.Reads) != 0 || out.Stop != "" {
		t.Fatal("Reset left something")
	}
}

func TestDropsWhatIsNotForIt(t *testing.T) {
	r := newRig(t, "main")
	elsewhere := about(1, "main", "p1", &paxos.Ask{Asker: "p1"})
	elsewhere.To = "a2"
	for name, env := range map[string]paxos.Envelope{
		"another's request":    elsewhere,
		"a kind of no concern": about(1, "main", "a2", &paxos.Promise{}),
		"an ask of nobody":     about(1, "main", "", &paxos.Ask{}),
		"a fetch of chosen":    about(1, "main", "l1", &paxos.Fetch{What: paxos.FetchChosen, From: 1, To: 2}),
		"a value too large":    accept(bal(1, "p1"), 1, make([]byte, 8193)),
		"an empty value":       accept(bal(1, "p1"), 1, nil),
	} {
		out := r.step(func(out *Output) { r.a.Deliver(r.now, &env, out) })
		if len(out.Records)+len(out.After)+len(out.Now) != 0 || len(out.Events) != 1 || out.Events[0].Kind != paxos.EventDropped {
			t.Errorf("%s: %+v", name, out)
		}
	}
	r.do(about(1, "main", "", &paxos.NoResponders{})) // to a question long settled
	r.step(func(out *Output) { r.a.OnRead(r.now, &ReadResult{Number: 99}, out) })
}

func TestNewRefusesAContradictingStore(t *testing.T) {
	r := newRig(t, "main")
	good := r.durable.restored()
	for name, logs := range map[string][]Restored{
		"no record":          {{Log: "main", Genesis: paxos.GenesisID{1}, State: paxos.LogLive}},
		"no state":           {{Log: "main", Genesis: paxos.GenesisID{1}}},
		"twice":              {good[0], good[0]},
		"record of another":  {{Log: "other", Genesis: paxos.GenesisID{1}, State: paxos.LogLive, Record: good[0].Record}},
		"two for one log":    {good[0], newTwin(good[0])},
		"state of no known":  {{Log: "main", Genesis: paxos.GenesisID{1}, State: 77, Record: good[0].Record}},
		"garbage for record": {{Log: "main", Genesis: paxos.GenesisID{1}, State: paxos.LogPrepared, Record: []byte("x")}},
	} {
		if _, err := New(Config{Cluster: "main", Name: "a1", Incarnation: incarnation}, logs); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func newTwin(r Restored) Restored {
	r.Genesis, r.Record = paxos.GenesisID{7}, value.EncodeGenesis(testGenesis(r.Log, 7))
	return r
}

func BenchmarkAccept(b *testing.B) {
	r := newRig(b, "main")
	bl := bal(1, "p1")
	v := batchValue(bl, string(make([]byte, 1000)))
	sum := paxos.Sum(v)
	var out Output
	b.ReportAllocs()
	for n := range b.N {
		env := about(1, "main", "p1", &paxos.Accept{Ballot: bl, Slot: paxos.Slot(n + 1), Checksum: sum, Value: v})
		r.a.Deliver(r.now, &env, &out)
		if n%64 == 63 {
			r.a.Flush(&out)
			out.Reset()
		}
	}
}

// A turn that takes accepts out of order, and one of them twice, tells each vote's time once: more times than votes are refused by whoever
// receives them.
func TestTimesOfOneTurn(t *testing.T) {
	r := newRig(t, "main")
	b := bal(1, "p1")
	r.step(func(out *Output) {
		for i, n := range []paxos.Slot{3, 1, 3, 2} {
			env := accept(b, n, batchValue(b, "v"))
			env.Arrived = r.now.Add(paxos.Span(i - 10))
			env.Msg.(*paxos.Accept).Explain = n != 2
			r.a.Deliver(r.now, &env, out)
		}
	})
	m := one[*paxos.Learn](t, r.messages(nil))
	paxos.SetSynced(m, r.now, 0)
	want := []paxos.VoteTime{{Slot: 1, Synced: 9, Arrived: r.now.Add(-9)}, {Slot: 3, Synced: 10, Arrived: r.now.Add(-10)}}
	if !slices.Equal(m.Times, want) || m.Arrived != r.now.Add(-10) {
		t.Errorf("times %+v, want %+v; oldest %d", m.Times, want, m.Arrived)
	}
}
