package node

import (
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
)

// LearnerConfig is what a learner's service is made of. The service restores its cores from Store at Start and closes
// neither store nor transport.
type LearnerConfig struct {
	Cluster     string
	Name        string
	Incarnation paxos.Incarnation
	Boot        uint64
	Run         uint64
	Version     string
	Seed        uint64
	BufferBytes int

	Acceptors []string // asked which logs there are
	Learners  []string // all of the cluster, this one too; asked for what is missing here

	Store     ChosenStore
	Transport Transport
	Clock     Clock
	Observer  Observer
	Streamed  func(bytes, entries int) // told of what readers were sent; may be nil
	Failed    func(error)              // as AcceptorConfig.Failed
}

// Learner is a learner's service: one loop that owns the cores of all logs, a goroutine for each reader, and one that
// answers fetches from the store.
type Learner struct {
	cfg     LearnerConfig
	loop    loop
	commits *commits
	streams *streams
	jobs    *mailbox
	stop    chan struct{}
	once    sync.Once
	ended   bool // another process runs on this store: nothing is done any more
	wg      sync.WaitGroup

	reqs        requests
	coreRequest func() uint64
	part        *genesis.Participant
	dir         *directory
	beacons     *learner.Beacons
	logs        map[paxos.GenesisID]*learnerLog
	order       []*learnerLog // by log name

	// Of the turn that runs.
	envs   []paxos.Envelope
	out    paxos.Output
	events []paxos.Event

	// What was taken and gathers over turns.
	records       []paxos.Record
	durable       []prefix      // how far each log goes with it
	gatheredSince paxos.Instant // 0: none
	weighed       int           // records counted in weight
	weight        int           // their bytes
	ending        bool          // commit at once: the service is about to end

	mu    sync.Mutex
	views map[paxos.GenesisID]*view
	byLog map[string]*learnerLog
}

// prefix is how far a log's records of one turn go.
type prefix struct {
	log  *learnerLog
	view *view
	slot paxos.Slot
	hash paxos.Hash
	size int // bytes of values up to slot
}

// NewLearner returns a service that does nothing until Start.
func NewLearner(cfg LearnerConfig) *Learner {
	s := &Learner{
		cfg: cfg, loop: newLoop(learnerTickEvery), jobs: newMailbox(), stop: make(chan struct{}),
		logs: make(map[paxos.GenesisID]*learnerLog), views: make(map[paxos.GenesisID]*view), byLog: make(map[string]*learnerLog),
	}
	if s.cfg.Streamed == nil {
		s.cfg.Streamed = func(int, int) {}
	}
	s.coreRequest = s.reqs.source(askerCore)
	s.commits = newCommits(cfg.Store, s.send, cfg.Failed, s.stop)
	s.streams = newStreams(cfg.Name, cfg.Run, cfg.Transport, s.failRead, s.cfg.Streamed)
	self := paxos.Ident{Asker: cfg.Name, Role: paxos.RoleLearner, Incarnation: cfg.Incarnation, Boot: cfg.Boot, Run: cfg.Run}
	s.dir = newDirectory(self, cfg.Acceptors, cfg.Learners, s.reqs.source(askerDirectory))
	s.beacons = learner.NewBeacons(cfg.Name, s.reqs.source(askerBeacons))
	s.loop.deliver = s.deliver
	s.loop.tick = s.tick
	s.loop.flush = s.flush
	s.loop.last = func() {
		s.ending = true
		s.flush()
	}
	return s
}

// Start restores what the store holds and begins to serve. It returns an error if the store contradicts itself; then the
// service is stopped.
func (s *Learner) Start() error {
	if err := s.restore(); err != nil {
		s.Stop()
		return err
	}
	s.loop.start()
	s.wg.Add(1)
	go s.runJobs()
	return nil
}

func (s *Learner) restore() error {
	stored, err := s.cfg.Store.Load()
	if err != nil {
		return fmt.Errorf("learner %q: load: %w", s.cfg.Name, err)
	}
	held := make([]genesis.Held, 0, len(stored))
	for i := range stored {
		l := &stored[i]
		held = append(held, genesis.Held{Log: l.Log, ID: l.Genesis, State: l.State, Record: l.Record, Epoch: l.Epoch})
	}
	s.part, err = genesis.NewParticipant(genesis.ParticipantConfig{
		Cluster: s.cfg.Cluster, Name: s.cfg.Name, Role: paxos.RoleLearner, Incarnation: s.cfg.Incarnation, Run: s.cfg.Run,
	}, held)
	if err != nil {
		return fmt.Errorf("learner %q: %w", s.cfg.Name, err)
	}
	for i := range stored {
		if err := s.reopen(&stored[i]); err != nil {
			return fmt.Errorf("learner %q: %w", s.cfg.Name, err)
		}
	}
	return nil
}

// reopen goes on with a stored log.
func (s *Learner) reopen(l *StoredLog) error {
	if l.State != paxos.LogLive {
		return nil
	}
	g, seq, err := restore(s.cfg.Store, l)
	if errors.Is(err, sequencer.ErrUpgrade) {
		// Written by a newer version: this log stops here, the others go on (PROTOCOL Q6).
		s.add(g, l.Record).diverged = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	ll := s.add(g, l.Record)
	ll.marks = l.Marks
	if seq.Through() == 0 && l.Diverged == "" {
		// Nothing was learned yet: maybe the others are far ahead, and have forgotten the beginning.
		ll.boot = learner.NewBootstrap(ll.config())
		return nil
	}
	at := beginning{start: max(l.Start, 1), first: 1}
	if at.start > 1 {
		if err := s.beginsAt(l, seq, &at); err != nil {
			return err
		}
	}
	ll.begin(seq, at)
	ll.report.Durable(seq.Through(), seq.Hash(), at.start)
	if l.Diverged != "" {
		ll.diverged = l.Diverged
		ll.view.stop()
	}
	return nil
}

// beginsAt finds the first offset of a copy that was begun from a checkpoint: from that checkpoint, or, where newer ones have
// taken its place, from the first slot held.
func (s *Learner) beginsAt(l *StoredLog, seq *sequencer.Sequencer, at *beginning) error {
	at.stamp = stampUnknown
	if seq.Through() < at.start {
		at.first, at.stamp = seq.LastOffset()+1, seq.Stamp()
		return nil
	}
	found := false
	err := s.cfg.Store.Slots(l.Genesis, at.start, at.start, 1, func(st StoredSlot) error {
		at.first, found = st.First, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("log %q: slot %d is missing: %w", l.Log, at.start, ErrRestore)
	}
	return err
}

// add makes the state of a log that begins or goes on.
func (s *Learner) add(g *paxos.Genesis, record []byte) *learnerLog {
	ll := &learnerLog{svc: s, log: g.Log, id: g.ID, record: record, gen: g}
	s.logs[g.ID] = ll
	i := sort.Search(len(s.order), func(i int) bool { return s.order[i].log >= g.Log })
	s.order = append(s.order, nil)
	copy(s.order[i+1:], s.order[i:])
	s.order[i] = ll
	s.dir.pin(g.Log, g.ID)
	s.mu.Lock()
	s.byLog[g.Log] = ll
	s.mu.Unlock()
	return ll
}

// publish makes a log's view visible to readers.
func (s *Learner) publish(g *learnerLog) {
	s.mu.Lock()
	s.views[g.id] = g.view
	s.mu.Unlock()
}

// unpublish hides a log from readers until it begins again.
func (s *Learner) unpublish(g *learnerLog) {
	s.mu.Lock()
	delete(s.views, g.id)
	s.mu.Unlock()
}

// Receive takes a message from the transport; it may block while the learner is busy.
func (s *Learner) Receive(env *paxos.Envelope) { s.loop.receive(env) }

// Reconnected tells that the broker was away: messages were lost, reports among them, and logs may have been founded meanwhile.
func (s *Learner) Reconnected() {
	s.loop.complete(func() {
		s.dir.refresh()
		for _, g := range s.order {
			g.report.Again()
		}
	})
}

// Stop ends every stream, so that readers go elsewhere, then the service, started or not, and waits for its goroutines.
func (s *Learner) Stop() {
	s.streams.close()
	s.once.Do(func() { close(s.stop) })
	s.loop.end()
	s.jobs.close()
	s.wg.Wait()
}

// QueueLength returns how many messages wait for the loop.
func (s *Learner) QueueLength() int { return s.loop.box.length() }

// Readers returns how many streams are served.
func (s *Learner) Readers() int { return s.streams.count() }

func (s *Learner) send(env *paxos.Envelope) {
	// What is not sent is lost, as on any network: it is asked for again.
	_ = s.cfg.Transport.Send(env)
}

func (s *Learner) failRead(err error) {
	s.cfg.Failed(fmt.Errorf("learner %q: read: %w", s.cfg.Name, err))
}

func (s *Learner) voter() paxos.Voter {
	return paxos.Voter{Name: s.cfg.Name, Incarnation: s.cfg.Incarnation, Boot: s.cfg.Boot, Run: s.cfg.Run}
}

func (s *Learner) note(ev paxos.Event) { s.events = append(s.events, ev) }

// taken remembers how far the log goes once this turn's records are durable, and that a value of size bytes is among them.
func (s *Learner) taken(g *learnerLog, t paxos.Slot, h paxos.Hash, size int) {
	for i := range s.durable {
		if s.durable[i].view == g.view {
			s.durable[i].slot, s.durable[i].hash = t, h
			s.durable[i].size += size
			return
		}
	}
	s.durable = append(s.durable, prefix{log: g, view: g.view, slot: t, hash: h, size: size})
}

func (s *Learner) tick() {
	now := s.cfg.Clock.Now()
	for _, g := range s.order {
		g.tick(now)
	}
	s.dir.tick(now, &s.out)
	s.beacons.Tick(now, &s.out)
}

// A keeper reports at most every 100 ms and nobody waits for a learner's sync, so that what it takes gathers for a while: a sync for
// each slot would only compete with the acceptors' for the disk. What a crash loses is fetched again.
const (
	gatherFor   = 50 * paxos.Millisecond
	gatherBytes = 1 << 20
)

// flush ends a turn: what may leave leaves, and what was gathered long enough becomes one group of records over all logs; what it
// makes durable is reported after.
func (s *Learner) flush() {
	for _, g := range s.order {
		g.settle()
	}
	s.events = append(s.events, s.out.Events...)
	observe(s.cfg.Observer, paxos.RoleLearner, s.cfg.Name, s.events)
	s.commits.leave(s.envs)
	s.commits.leave(s.out.Now)
	clear(s.envs)
	clear(s.events)
	s.envs, s.events = s.envs[:0], s.events[:0]
	if s.gathered() || len(s.out.Records) > 0 || len(s.out.After) > 0 {
		s.commit()
	}
	s.out.Reset()
}

// gathered reports whether what was taken has waited long enough, or is enough.
func (s *Learner) gathered() bool {
	if len(s.records) == 0 {
		return false
	}
	now := s.cfg.Clock.Now()
	if s.gatheredSince == 0 {
		s.gatheredSince = now
	}
	bytes := 0
	for i := s.weighed; i < len(s.records); i++ {
		bytes += len(s.records[i].Value) + len(s.records[i].Body)
	}
	s.weighed, s.weight = len(s.records), s.weight+bytes
	return s.ending || s.weight >= gatherBytes || now.Sub(s.gatheredSince) >= gatherFor
}

// commit submits everything that was gathered. A log's state comes before what it holds.
func (s *Learner) commit() {
	s.out.Records = append(s.out.Records, s.records...)
	var done func()
	if len(s.durable) > 0 {
		through := append([]prefix(nil), s.durable...)
		done = func() { s.settled(through) }
	}
	s.commits.submit(s.out.Records, s.out.After, done)
	clear(s.records)
	s.records, s.durable = s.records[:0], s.durable[:0]
	s.gatheredSince, s.weighed, s.weight = 0, 0, 0
}

// settled is told by the store that a turn's slots are durable.
func (s *Learner) settled(through []prefix) {
	for i := range through {
		through[i].view.storedThrough(through[i].slot)
	}
	s.loop.complete(func() {
		now := s.cfg.Clock.Now()
		for i := range through {
			p := &through[i]
			p.log.report.Durable(p.slot, p.hash, p.view.start)
			p.log.report.Grew(p.size)
			p.log.tickReport(now)
		}
	})
}

// runJobs answers what needs the store, one at a time, so that the loop never waits for a disk.
func (s *Learner) runJobs() {
	defer s.wg.Done()
	runJobs(s.jobs, s.stop)
}

// LearnerStatus is one log on a learner, for people.
type LearnerStatus struct {
	Log      string
	Genesis  paxos.GenesisID
	Through  paxos.Slot
	Known    paxos.Slot
	Last     paxos.Offset
	First    paxos.Offset
	Hash     paxos.Hash
	Stable   paxos.Slot
	Durable  paxos.Slot
	Leader   paxos.Ballot
	Keeper   bool
	Begun    bool // false until it is known where to begin
	CaughtUp bool
	Stopped  string // why this log is not served here; empty: it is
}

// Status returns the state of every log. It asks the loop and waits for it; nil once the service has stopped.
func (s *Learner) Status() []LearnerStatus {
	return ask(&s.loop, func() []LearnerStatus {
		all := make([]LearnerStatus, 0, len(s.order))
		for _, g := range s.order {
			all = append(all, g.status())
		}
		return all
	})
}

func (g *learnerLog) status() LearnerStatus {
	st := LearnerStatus{Log: g.log, Genesis: g.id, Stopped: g.diverged}
	if g.core == nil {
		return st
	}
	seq := g.core.Sequencer()
	mk := g.view.marks()
	stable, _ := seq.Stable()
	st.Through, st.Known, st.Last, st.First = mk.through, g.core.Known(), mk.last, mk.first
	st.Hash, st.Stable, st.Durable = seq.Hash(), stable, g.report.Newest().Slot
	st.Leader, st.Begun, st.CaughtUp = g.report.Leader(), true, g.core.CaughtUp()
	st.Keeper = seq.Keepers().Index(g.svc.cfg.Name, g.svc.cfg.Incarnation) >= 0
	if err := g.core.Stopped(); err != nil && st.Stopped == "" {
		st.Stopped = err.Error()
	}
	return st
}

// streamSource joins a view with the store behind it.
type streamSource struct {
	*view
	store ChosenStore
}

// batchesFrom reads memory first, then the store.
func (src streamSource) batchesFrom(from paxos.Offset, maxBytes int) ([]paxos.ReadBatch, paxos.Slot, paxos.Hash, error) {
	if bs, slot, hash, ok := src.view.batchesFrom(from, maxBytes); ok {
		return bs, slot, hash, nil
	}
	t, ok, err := src.store.SlotOf(src.genesis, from)
	if err != nil || !ok {
		return nil, 0, paxos.Hash{}, err
	}
	var (
		bs   []paxos.ReadBatch
		slot paxos.Slot
		hash paxos.Hash
		size int
	)
	err = src.store.Slots(src.genesis, t, src.marks().through, maxBytes, func(s StoredSlot) error {
		all, err := decodeStored(s.Value, s.Meta, s.First, s.Stamp)
		if err != nil {
			return fmt.Errorf("log %q slot %d: %w", src.log, s.Slot, err)
		}
		for i := range all {
			b := &all[i]
			if b.First+paxos.Offset(b.Count) <= from {
				continue
			}
			if size > 0 && size+b.Cost() > maxBytes {
				return errEnough
			}
			bs = append(bs, *b)
			size += b.Cost()
		}
		slot, hash = s.Slot, s.Hash
		return nil
	})
	if err == errEnough { //nolint:errorlint // the store returns what the callback returned, untouched
		err = nil
	}
	return bs, slot, hash, err
}

// offsetSince looks for a point in time. Memory is asked first: what it drops meanwhile is in the store by then.
func (src streamSource) offsetSince(since paxos.Stamp) (o paxos.Offset, here bool, err error) {
	o, sure := src.view.offsetSince(since)
	if sure {
		return o, true, nil
	}
	stored, ok, err := src.store.OffsetSince(src.genesis, since)
	if err != nil {
		return 0, false, err
	}
	if ok {
		o = min(o, stored)
	}
	// Where the first entry held is late enough, so may be ones before it.
	return o, o > src.first || src.start <= 1 || src.stamp < since, nil
}

// source returns where entries of a log are read, or nil where it is not served here.
func (s *Learner) source(id paxos.GenesisID) entrySource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.views[id]; ok {
		return streamSource{view: v, store: s.cfg.Store}
	}
	return nil
}
