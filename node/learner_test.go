package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// stepped is a learner whose loop a test steps by hand, over a store that completes late.
type stepped struct {
	*Learner
	t     *testing.T
	store *lateStore
	tr    *recorder
	clock *handClock
	gen   *paxos.Genesis
	err   error
}

type handClock struct{ now paxos.Instant }

func (c *handClock) Now() paxos.Instant { return c.now }
func (c *handClock) Wall() paxos.Stamp  { return paxos.Stamp(c.now) }

type deaf struct{}

func (deaf) Observe(paxos.Role, string, paxos.Event) {}

// newStepped returns learner l1, a keeper beside l2 and l3.
func newStepped(t *testing.T) *stepped {
	s := &stepped{t: t, store: &lateStore{}, tr: newRecorder(), clock: &handClock{now: 1}, gen: testGenesis()}
	s.gen.Keepers.Members = members("l1", "l2", "l3")
	s.Learner = NewLearner(LearnerConfig{
		Cluster: "main", Name: "l1", Incarnation: members("l1")[0].Incarnation, Boot: 1, Run: 5,
		Acceptors: []string{"a1", "a2", "a3"}, Learners: []string{"l1", "l2", "l3"},
		Store: s.store, Transport: s.tr, Clock: s.clock, Observer: deaf{}, Failed: func(err error) { s.err = err },
	})
	t.Cleanup(s.Stop)
	if err := s.restore(); err != nil {
		t.Fatal(err)
	}
	return s
}

// turn delivers messages and ends the turn.
func (s *stepped) turn(envs ...*paxos.Envelope) {
	for _, env := range envs {
		s.deliver(env)
	}
	s.flush()
	s.work()
}

// work runs what the loop and the jobs' goroutine would.
func (s *stepped) work() {
	for _, box := range []*mailbox{s.jobs, s.loop.box} {
		for _, e := range box.take(nil) {
			e.call()
		}
	}
	s.flush()
}

// pass lets time pass, a tick at a time.
func (s *stepped) pass(span paxos.Span) {
	for end := s.clock.now.Add(span); s.clock.now < end; {
		s.clock.now = s.clock.now.Add(TickEvery)
		s.tick()
		s.flush()
		s.work()
	}
}

// log makes the test's log known.
func (s *stepped) log() *learnerLog {
	s.turn(&paxos.Envelope{Log: "orders", Genesis: s.gen.ID, Msg: &paxos.GenesisMsg{
		Step: paxos.GenesisIsLive, ID: s.gen.ID, Record: value.EncodeGenesis(s.gen), Sender: "a1",
	}})
	return s.logs[s.gen.ID]
}

// requests returns what was asked since the last call, by addressee.
func (s *stepped) asked(kind paxos.Kind) map[string]paxos.Envelope {
	all := make(map[string]paxos.Envelope)
	for _, env := range s.tr.take() {
		if env.Msg.Kind() == kind {
			all[env.To] = env
		}
	}
	return all
}

func (s *stepped) to(q *paxos.Envelope, m paxos.Message) *paxos.Envelope {
	return &paxos.Envelope{Log: q.Log, Genesis: q.Genesis, From: q.To, Request: q.Request, Msg: m}
}

func voterOf(name string) paxos.Voter {
	return paxos.Voter{Name: name, Incarnation: members(name)[0].Incarnation, Boot: 1, Run: 2}
}

// atGenesis begins the log at its beginning: nobody has a checkpoint.
func (s *stepped) atGenesis() *learnerLog {
	s.t.Helper()
	g := s.log()
	s.pass(TickEvery)
	for _, q := range s.asked(paxos.KindCheckpoint) {
		s.turn(s.to(&q, &paxos.CheckpointAnswer{Voter: voterOf(q.To)}))
	}
	s.pass(TickEvery)
	if g.core == nil {
		s.t.Fatal("not begun")
	}
	return g
}

// learns hands a chosen slot to the learner: the accept and two votes.
func (s *stepped) learns(a *sequencer.Applied) {
	s.t.Helper()
	sum := paxos.Sum(a.Value)
	envs := []*paxos.Envelope{{Log: "orders", Genesis: s.gen.ID, From: "p1", Msg: &paxos.Accept{Ballot: testOrigin, Slot: a.Slot, Checksum: sum, Value: a.Value}}}
	for _, n := range []string{"a1", "a2"} {
		envs = append(envs, &paxos.Envelope{Log: "orders", Genesis: s.gen.ID, From: n, Msg: &paxos.Learn{
			Voter: voterOf(n), Ballot: testOrigin, Votes: []paxos.SlotSum{{Slot: a.Slot, Checksum: sum}},
		}})
	}
	s.turn(envs...)
}

// chainOf is a chain on the stepped learner's genesis.
func (s *stepped) chainOf() *chain { return &chain{t: s.t, seq: sequencer.New(s.gen)} }

func (s *stepped) reports() (slots []paxos.Slot) {
	for _, env := range s.tr.take() {
		if m, ok := env.Msg.(*paxos.Report); ok {
			slots = append(slots, m.Slot)
		}
	}
	return slots
}

// TestK1ReportsAreDurable: a keeper tells of a slot only once it is synced; readers see it before (PROTOCOL N7).
func TestK1ReportsAreDurable(t *testing.T) {
	s := newStepped(t)
	g := s.atGenesis()
	s.store.settle(s.store.pending())
	c := s.chainOf()
	s.learns(c.entries(1, "a"))
	s.pass(paxos.Second)
	if mk := g.view.marks(); mk.last != 1 {
		t.Fatalf("readers see %+v", mk)
	}
	if got := s.reports(); len(got) != 0 || s.store.pending() != 1 {
		t.Fatalf("reported %v, %d groups wait", got, s.store.pending())
	}
	s.store.settle(1)
	s.work()
	if got := s.reports(); !slices.Equal(got, []paxos.Slot{1}) {
		t.Fatalf("reported %v after the sync", got)
	}
}

// TestK1CheckpointIsReportedOnceDurable: a keeper that begins from a checkpoint holds it only when it is synced.
func TestK1CheckpointIsReportedOnceDurable(t *testing.T) {
	s := newStepped(t)
	c := s.chainOf()
	c.entries(1, "a", "b")
	cmd := &value.Stable{Slot: 1, Hash: c.seq.Hash(), Keepers: s.gen.Keepers.Members, Mark: true}
	mark := c.apply(2, value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, cmd)})
	g := s.log()
	s.store.settle(s.store.pending())
	s.pass(TickEvery)
	for range 100 {
		for _, env := range s.tr.take() {
			switch m := env.Msg.(type) {
			case *paxos.Checkpoint:
				s.turn(s.to(&env, &paxos.CheckpointAnswer{
					Voter: voterOf(env.To), Mark: mark.Slot, Hash: mark.Hash, Total: uint32(len(mark.State)), Offset: m.Offset,
					State: mark.State[m.Offset:], Through: mark.Slot,
				}))
			case *paxos.Fetch:
				if m.What == paxos.FetchHash {
					s.turn(s.to(&env, &paxos.FetchAnswer{Voter: voterOf(env.To), From: m.From, After: mark.Hash, Known: true, Start: 1, Through: mark.Slot}))
				}
			case *paxos.Report:
				t.Fatalf("slot %d is reported, and nothing of it is synced", m.Slot)
			}
		}
		s.pass(TickEvery)
	}
	if g.core == nil || g.view.marks() != (marks{through: 2, last: 2, start: 3, first: 3}) {
		t.Fatalf("begun: %v", g.core != nil)
	}
	s.store.settle(s.store.pending())
	s.work()
	if got := s.reports(); !slices.Equal(got, []paxos.Slot{mark.Slot}) {
		t.Fatalf("reported %v", got)
	}
}

// TestCompletionsDoNotWaitForTheLoop: a store that waited for room in the mailbox would never sync again what the loop waits for.
func TestCompletionsDoNotWaitForTheLoop(t *testing.T) {
	s := newStepped(t)
	g := s.atGenesis()
	c := s.chainOf()
	s.learns(c.entries(1, "a"))
	s.pass(paxos.Second)
	s.loop.box.maxLen = 1
	s.loop.receive(&paxos.Envelope{Msg: &paxos.NoResponders{}})
	s.store.settle(s.store.pending()) // would hang
	for _, e := range s.loop.box.take(nil) {
		if e.call != nil {
			e.call()
		}
	}
	if g.report.Newest().Slot != 1 {
		t.Fatal("the completion is lost")
	}
}

// TestStateComesBeforeWhatItHolds: whatever order a turn's parts put their records in, the store is told of a log first.
func TestStateComesBeforeWhatItHolds(t *testing.T) {
	s := newStepped(t)
	s.records = append(s.records, paxos.Record{Kind: paxos.RecordCheckpoint})
	s.log()
	if recs := s.store.waiting[0].recs; len(recs) != 2 || recs[0].Kind != paxos.RecordState {
		t.Fatalf("%+v", recs)
	}
}

// TestReplacedViewEndsItsStreams: a learner that begins again from a checkpoint leaves nobody waiting on what it gave up, and
// answers nothing from it.
func TestReplacedViewEndsItsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStepped(t)
		g := s.atGenesis()
		s.turn(&paxos.Envelope{Log: "orders", Genesis: s.gen.ID, Reply: "x", Request: 1, Msg: &paxos.Read{Stream: 1, From: 1, Credit: lots}})
		synctest.Wait()
		if s.Readers() != 1 {
			t.Fatal("not served")
		}
		g.restart()
		synctest.Wait()
		sent := s.tr.take()
		if len(sent) == 0 || sent[len(sent)-1].Msg.(*paxos.ReadAnswer).Code != paxos.ReadStopped || s.Readers() != 0 {
			t.Fatalf("a reader waits for ever: %+v", sent)
		}
		for _, m := range []paxos.Message{
			&paxos.Fetch{What: paxos.FetchHash, From: 1, To: 1}, &paxos.Fetch{What: paxos.FetchChosen, From: 1, To: 1},
			&paxos.Read{Stream: 2, From: 1}, &paxos.Get{From: 1, Max: 1}, &paxos.Checkpoint{},
		} {
			s.turn(&paxos.Envelope{Log: "orders", Genesis: s.gen.ID, Reply: "x", Request: 2, Msg: m})
		}
		if st := g.status(); st.Begun || st.Stopped != "" {
			t.Fatalf("%+v", st)
		}
		s.Stop()
	})
}

// TestBootingLearnersDoNotWaitForEachOther: one that looks for its beginning says at once that it has no checkpoint.
func TestBootingLearnersDoNotWaitForEachOther(t *testing.T) {
	s := newStepped(t)
	s.log()
	s.turn(&paxos.Envelope{Log: "orders", Genesis: s.gen.ID, Reply: "x", Request: 9, Msg: &paxos.Checkpoint{}})
	for _, env := range s.tr.take() {
		if m, ok := env.Msg.(*paxos.CheckpointAnswer); ok && m.Mark == 0 && env.Request == 9 && env.Reply == "x" {
			return
		}
	}
	t.Fatal("no answer")
}

// TestL3LogThatBeginsLateHearsTheNewestMark: of an idle log the newest mark is told once, maybe while a learner still looks for its
// beginning, and by another learner that lags: so it asks again once it has begun.
func TestL3LogThatBeginsLateHearsTheNewestMark(t *testing.T) {
	s := newStepped(t)
	s.log()
	item := paxos.BeaconItem{Log: "orders", Genesis: s.gen.ID, Ballot: paxos.Ballot{Round: 1, Proposer: "p1", Run: 7}, Chosen: 5}
	s.turn(&paxos.Envelope{Log: paxos.ProcessLog, From: "p1", Msg: &paxos.Beacon{Proposer: "p1", Run: 7, Number: 1, Items: []paxos.BeaconItem{item}}})
	s.pass(TickEvery)
	for _, q := range s.asked(paxos.KindCheckpoint) {
		s.turn(s.to(&q, &paxos.CheckpointAnswer{Voter: voterOf(q.To)}))
	}
	s.pass(TickEvery)
	q, ok := s.asked(paxos.KindBeacons)["p1"]
	if !ok {
		t.Fatal("it does not ask what p1's beacons said before it began")
	}
	s.turn(s.to(&q, &paxos.Beacon{Proposer: "p1", Run: 7, Number: 1, Full: true, Items: []paxos.BeaconItem{item}}))
	if known := s.logs[s.gen.ID].core.Known(); known != 5 {
		t.Fatalf("it knows that %d slots are chosen, want 5", known)
	}
}

// TestFetchAnswersFitTheBroker, whatever is asked for, from memory and from the store; the hashes join.
func TestFetchAnswersFitTheBroker(t *testing.T) {
	for _, size := range []int{1, 200, 300, 20_000, 900_000} {
		s := newStepped(t)
		g := s.atGenesis()
		c := s.chainOf()
		h := c.seq.Hash()
		n := min(6000, 3<<20/size)
		hashes := []paxos.Hash{h}
		for range n {
			a := c.entries(1, strings.Repeat("x", size))
			hashes = append(hashes, a.Hash)
			push(t, g.view, a)
			s.store.keep(a)
			g.view.storedThrough(a.Slot)
		}
		for _, stored := range []bool{false, true} {
			if stored {
				g.view.limit = 0
				g.view.storedThrough(paxos.Slot(n))
			}
			for from := paxos.Slot(1); from <= paxos.Slot(n); {
				a := fetchFrom(t, g, &paxos.Fetch{What: paxos.FetchChosen, From: from, To: paxos.MaxSlot})
				if len(a.Values) == 0 || a.Before != hashes[from-1] || a.After != hashes[from-1+paxos.Slot(len(a.Values))] {
					t.Fatalf("size %d, slot %d: %d values, hashes do not join", size, from, len(a.Values))
				}
				b, err := messaging.Encode(nil, &paxos.Envelope{Log: "orders", Genesis: s.gen.ID, From: "l1", Reply: "x", Msg: a})
				if err != nil || len(b) > 1<<20 {
					t.Fatalf("size %d: %d values make %d bytes: %v", size, len(a.Values), len(b), err)
				}
				from += paxos.Slot(len(a.Values))
			}
		}
	}
}

// TestIdentFitsOneMessage: a learner of very many logs still says who it is.
func TestIdentFitsOneMessage(t *testing.T) {
	s := newStepped(t)
	for i := range paxos.MaxIdentLogs + 10 {
		g := testGenesis()
		g.Log = fmt.Sprint("log", i)
		g.ID = paxos.GenesisID{1, byte(i), byte(i >> 8)}
		g.Membership.Acceptors = nil
		for j := range 20 {
			g.Membership.Acceptors = append(g.Membership.Acceptors, paxos.Member{Name: strings.Repeat("a", 30) + string(rune('a'+j))})
		}
		s.begin(g, value.EncodeGenesis(g))
	}
	infos := s.infos()
	if len(infos) != paxos.MaxIdentLogs {
		t.Fatalf("%d logs", len(infos))
	}
	bytes := 0
	for i := range infos {
		bytes += len(infos[i].Record)
	}
	if bytes > 600<<10 {
		t.Fatalf("%d bytes of records", bytes)
	}
}

func TestGetReadsPlainly(t *testing.T) {
	s := newStepped(t)
	g := s.atGenesis()
	c := s.chainOf()
	push(t, g.view, c.entries(1, "a", "b", "c"))
	get := func(id paxos.GenesisID, from paxos.Offset, most uint32) *paxos.GetAnswer {
		t.Helper()
		s.tr.take()
		s.turn(&paxos.Envelope{Log: "orders", Genesis: id, Reply: "x", Msg: &paxos.Get{From: from, Max: most}})
		for _, env := range s.tr.take() {
			if m, ok := env.Msg.(*paxos.GetAnswer); ok {
				return m
			}
		}
		t.Fatal("no answer")
		return nil
	}
	if a := get(paxos.GenesisID{}, 2, 1); a.Code != paxos.ReadOK || len(a.Entries) != 1 || a.Entries[0].Offset != 2 || string(a.Entries[0].Payload) != "b" || a.Last != 3 {
		t.Fatalf("%+v", a)
	}
	if a := get(s.gen.ID, 1, 9); len(a.Entries) != 3 {
		t.Fatalf("%+v", a)
	}
	if a := get(s.gen.ID, 4, 9); a.Code != paxos.ReadIdle || a.Last != 3 {
		t.Fatalf("%+v", a)
	}
	if a := get(paxos.GenesisID{9}, 1, 9); a.Code != paxos.ReadUnknown {
		t.Fatalf("%+v", a)
	}
	g.diverge("test")
	if a := get(s.gen.ID, 1, 9); a.Code != paxos.ReadStopped {
		t.Fatalf("%+v", a)
	}
}

// TestL5DivergenceIsDurable: the copy is given up at once, for ever, and nothing reports or answers from it.
func TestL5DivergenceIsDurable(t *testing.T) {
	s := newStepped(t)
	g := s.atGenesis()
	c := s.chainOf()
	s.learns(c.entries(1, "a"))
	wrong := paxos.BeaconItem{Log: "orders", Genesis: s.gen.ID, Ballot: testOrigin, Chosen: 1, ChosenHash: paxos.Hash{1}}
	s.turn(&paxos.Envelope{Log: paxos.ProcessLog, From: "p1", Msg: &paxos.Beacon{Proposer: "p1", Run: 7, Number: 1, Full: true, Items: []paxos.BeaconItem{wrong}}})
	if g.diverged == "" || !g.view.marks().stopped {
		t.Fatal("another hash in a beacon goes unnoticed")
	}
	s.pass(paxos.Second)
	s.store.settle(s.store.pending())
	s.work()
	s.tr.take()
	s.pass(paxos.Second)
	s.turn(&paxos.Envelope{Log: "orders", Genesis: s.gen.ID, Reply: "x", Msg: &paxos.Fetch{What: paxos.FetchChosen, From: 1, To: 1}})
	if got := s.reports(); len(got) != 0 {
		t.Fatalf("reports %v", got)
	}
	if !s.store.diverged {
		t.Fatal("not stored")
	}
}

// TestStopWithoutStart: a service that never ran can be stopped, more than once, and frees who waits to hand it something.
func TestStopWithoutStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lateStore{}
		l := NewLearner(LearnerConfig{Name: "l1", Store: store, Transport: newRecorder(), Clock: &handClock{}, Observer: deaf{}})
		a := NewAcceptor(AcceptorConfig{Name: "a1", Clock: &handClock{}, Observer: deaf{}})
		p, err := NewProposer(ProposerConfig{Cluster: "main", Name: "p1", Clock: &handClock{}, Observer: deaf{}})
		if err != nil {
			t.Fatal(err)
		}
		for _, box := range []*mailbox{l.loop.box, a.loop.box, p.loop.box} {
			box.maxLen = 1
		}
		for range 3 {
			go l.Receive(&paxos.Envelope{Msg: &paxos.NoResponders{}})
			go a.Receive(&paxos.Envelope{Msg: &paxos.NoResponders{}})
			go p.Receive(&paxos.Envelope{Msg: &paxos.NoResponders{}})
		}
		synctest.Wait()
		for range 2 {
			l.Stop()
			a.Stop()
			p.Stop()
		}
		if err := p.HandOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Reconnected()
		p.OnConnection(true)
	})
}

// TestFailedStartEndsTheService: nothing that was received meanwhile is left waiting.
func TestFailedStartEndsTheService(t *testing.T) {
	s, l, _ := stored(t, func(c *chain, keep func(*sequencer.Applied)) { keep(c.entries(1, "a")) })
	l.Hash[0]++
	s.slots[0].Hash[0]++
	s.logs = []StoredLog{*l}
	svc := NewLearner(LearnerConfig{Cluster: "main", Name: "l1", Store: s, Transport: newRecorder(), Clock: &handClock{}, Observer: deaf{}})
	if err := svc.Start(); err == nil {
		t.Fatal("started on a store that contradicts itself")
	}
	if svc.loop.post(func() {}) || svc.Status() != nil {
		t.Fatal("takes work")
	}
}

// TestL2WithdrawnMarkIsForgotten: a ballot that its proposer withdrew vouches for nothing that comes after.
func TestL2WithdrawnMarkIsForgotten(t *testing.T) {
	for _, withdrawn := range []bool{false, true} {
		s := newStepped(t)
		g := s.atGenesis()
		a := s.chainOf().entries(1, "a")
		it := paxos.BeaconItem{Log: "orders", Genesis: s.gen.ID, Ballot: testOrigin, Chosen: 1, ChosenHash: a.Hash}
		beacon := func(number uint64) {
			s.turn(&paxos.Envelope{Log: paxos.ProcessLog, From: "p1", Msg: &paxos.Beacon{
				Proposer: "p1", Run: 7, Number: number, Full: true, Items: []paxos.BeaconItem{it},
			}})
		}
		beacon(1)
		if it.Withdrawn = withdrawn; withdrawn {
			beacon(2)
		}
		s.turn(&paxos.Envelope{Log: "orders", Genesis: s.gen.ID, From: "p1", Msg: &paxos.Accept{
			Ballot: testOrigin, Slot: 1, Checksum: paxos.Sum(a.Value), Value: a.Value,
		}})
		if taken := g.view.marks().through == 1; taken == withdrawn {
			t.Errorf("withdrawn %v: taken %v", withdrawn, taken)
		}
	}
}

// TestReconnectedKeeperReportsAgain: what it sent while it was away is lost, and an idle log makes it speak no more.
func TestReconnectedKeeperReportsAgain(t *testing.T) {
	s := newStepped(t)
	s.atGenesis()
	c := s.chainOf()
	s.learns(c.entries(1, "a"))
	s.pass(paxos.Second)
	s.store.settle(s.store.pending())
	s.pass(paxos.Span(60) * paxos.Second)
	s.tr.take()
	s.Reconnected()
	s.pass(paxos.Second)
	if got := s.reports(); len(got) == 0 {
		t.Fatal("silent")
	}
}
