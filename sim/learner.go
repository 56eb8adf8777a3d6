package sim

import (
	"errors"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

const (
	learnerTick = 20 * paxos.Millisecond
	gatherFor   = 50 * paxos.Millisecond
	gatherBytes = 1 << 20
	lookEvery   = 200 * paxos.Millisecond // at which logs there are
)

// learnerService runs a learner's cores over its store, as package node does.
type learnerService struct {
	p       *process
	store   *chosenStore
	part    *genesis.Participant
	logs    []*followed
	beacons *learner.Beacons
	reads   readers

	out     paxos.Output
	records []paxos.Record
	chosen  []keptSlot
	since   paxos.Instant // what is gathered waits from; 0: nothing is
	weight  int
	lookAt  paxos.Instant
}

// followed is one log on a learner.
type followed struct {
	s        *learnerService
	gen      *paxos.Genesis
	record   []byte
	boot     *learner.Bootstrap // until it is known where to begin
	core     *learner.Learner   // nil while boot is not
	out      learner.Output
	diverged string
	report   learner.Reports
	hash     paxos.Hash // at through
	through  paxos.Slot
}

func beginLearner(p *process) {
	s := p.chosen
	why := s.verify()
	if why == "" && p.real != nil {
		why = p.real.begin()
		s.damage = why
	}
	if why != "" {
		p.w.count("damage found")
		p.ends("its store is damaged: " + why)
		return
	}
	s.boot++
	s.memory = cloneKept(s.durable)
	p.disk.apply = func(g *group) { writeKept(&s.durable, g.records, g.chosen) }
	p.disk.forget = func() { s.memory = cloneKept(s.durable) }
	guardStart(p, paxos.Ident{
		Asker: p.name, Role: paxos.RoleLearner, Incarnation: s.incarnation, Boot: s.boot, Run: p.run,
	}, func() service { return newLearnerService(p, s) })
}

func newLearnerService(p *process, s *chosenStore) service {
	l := &learnerService{p: p, store: s, beacons: learner.NewBeacons(p.name, p.next(partBeacons))}
	l.reads.s = l
	held := make([]genesis.Held, 0, len(s.durable))
	for _, k := range s.durable {
		held = append(held, genesis.Held{Log: k.log, ID: k.genesis, State: k.state, Record: k.record, Epoch: k.epoch})
	}
	var err error
	l.part, err = genesis.NewParticipant(genesis.ParticipantConfig{
		Cluster: p.w.profile.cluster, Name: p.name, Role: paxos.RoleLearner, Incarnation: s.incarnation, Run: p.run,
	}, held)
	if err != nil {
		p.w.fail(CheckInvariant, "%s does not start from its own store: %v", p.name, err)
	}
	for _, k := range s.durable {
		if k.state == paxos.LogLive {
			l.reopen(k)
		}
	}
	return l
}

func (l *learnerService) reopen(k *keptLog) {
	g, err := value.DecodeGenesis(k.record)
	if err != nil {
		l.p.w.fail(CheckInvariant, "%s: genesis record: %v", l.p.name, err)
	}
	seq, err := k.restore(g)
	if err != nil {
		l.p.w.fail(CheckInvariant, "%s: restore: %v", l.p.name, err)
	}
	f := l.add(g, k.record)
	if seq.Through() == 0 && k.diverged == "" {
		f.boot = learner.NewBootstrap(f.config())
		return
	}
	f.begin(seq)
	f.report.Durable(seq.Through(), seq.Hash(), max(k.start, 1))
	f.diverged = k.diverged
}

func (l *learnerService) add(g *paxos.Genesis, record []byte) *followed {
	f := &followed{s: l, gen: g, record: record}
	l.logs = append(l.logs, f)
	return f
}

func (l *learnerService) log(id paxos.GenesisID, name string) *followed {
	for _, f := range l.logs {
		if f.gen.ID == id || id.IsZero() && f.gen.Log == name {
			return f
		}
	}
	return nil
}

func (f *followed) config() learner.Config {
	p := f.s.p
	return learner.Config{
		Genesis: f.gen, Self: p.name, Learners: p.w.profile.learnerNames(), Seed: p.run, NextRequest: p.next(partCore),
		BufferBytes: p.w.profile.buffer,
	}
}

func (f *followed) begin(seq *sequencer.Sequencer) {
	f.boot = nil
	f.through, f.hash = seq.Through(), seq.Hash()
	f.core = learner.New(f.config(), seq)
}

func (f *followed) kept() *keptLog { return findKept(f.s.store.memory, f.gen.ID) }

// found begins a log that this store has nothing of yet. A keeper that missed "live" becomes live by it.
func (l *learnerService) found(g *paxos.Genesis, record []byte) {
	if h := l.part.Holding(g.Log); h != nil {
		if h.ID != g.ID || h.State != paxos.LogPrepared {
			return
		}
		l.part.OnGenesis(&paxos.Envelope{Log: g.Log, Genesis: g.ID, Msg: &paxos.GenesisMsg{
			Step: paxos.GenesisGoLive, ID: g.ID, Record: record, Sender: l.p.name,
		}}, &l.out)
	} else if l.log(g.ID, g.Log) == nil {
		l.out.Records = append(l.out.Records, paxos.Record{Kind: paxos.RecordState, Log: g.Log, Genesis: g.ID, State: paxos.LogLive, Body: record})
	}
	l.follow(g, record)
}

func (l *learnerService) follow(g *paxos.Genesis, record []byte) {
	if l.log(g.ID, g.Log) == nil {
		f := l.add(g, record)
		f.boot = learner.NewBootstrap(f.config())
	}
}

func (l *learnerService) connection(up bool) {
	for _, f := range l.logs {
		if up {
			f.report.Again()
		}
	}
}

func (l *learnerService) tick() {
	now := l.p.clock()
	if l.p.w.now >= l.lookAt {
		l.lookAt = l.p.w.now.Add(lookEvery)
		for _, g := range l.p.looks(&l.out) {
			if l.log(g.gen.ID, "") == nil {
				l.found(g.gen, g.record)
			}
		}
	}
	for _, f := range l.logs {
		f.tick(now)
	}
	l.beacons.Tick(now, &l.out)
	l.flush()
}

func (f *followed) tick(now paxos.Instant) {
	switch {
	case f.diverged != "":
		return
	case f.boot != nil:
		f.boot.Tick(now, &f.out)
		f.settleBoot()
	default:
		f.core.Tick(now, &f.out)
	}
	f.settle()
	f.tickReport(now)
}

func (f *followed) settleBoot() {
	start, ok := f.boot.Done()
	if !ok {
		return
	}
	seq := start.Sequencer
	s := f.s
	s.p.w.note("%s begins %s after slot %d, vouched for by %s", s.p.name, f.gen.Log, start.Mark, start.Vouched)
	f.begin(seq)
	s.beacons.Again(s.p.clock(), &s.out)
	if start.Mark > 0 {
		s.p.w.count("began from a checkpoint")
		s.p.w.check.restored(s.p, f.gen.ID, start.Mark, start.Hash)
		s.write(paxos.Record{
			Kind: paxos.RecordCheckpoint, Log: f.gen.Log, Genesis: f.gen.ID, Slot: start.Mark, Hash: start.Hash,
			Last: seq.LastOffset(), Stamp: seq.Stamp(), Body: start.State,
		}, nil)
	}
}

// write gathers a record; memory has it at once.
func (l *learnerService) write(r paxos.Record, k *keptSlot) {
	if l.since == 0 {
		l.since = l.p.w.now
	}
	l.weight += len(r.Value) + len(r.Body)
	l.records = append(l.records, r)
	var ks []keptSlot
	if k != nil {
		l.chosen = append(l.chosen, *k)
		ks = []keptSlot{*k}
	}
	writeKept(&l.store.memory, []paxos.Record{r}, ks)
}

// settle takes what the core put out.
func (f *followed) settle() {
	s := f.s
	for i := range f.out.Chosen {
		f.take(&f.out.Chosen[i])
	}
	s.out.Now = append(s.out.Now, f.out.Requests...)
	s.out.Events = append(s.out.Events, f.out.Events...)
	again := f.out.NeedCheckpoint
	f.out.Reset()
	if f.core == nil || f.diverged != "" {
		return
	}
	if err := f.core.Stopped(); err != nil {
		what := CheckInvariant
		if errors.Is(err, learner.ErrDiverged) {
			what = CheckPrefix
		}
		s.p.w.fail(what, "%s stopped: %v", s.p.name, err)
	}
	if again {
		f.restart()
	}
}

func (f *followed) take(c *learner.Chosen) {
	a := &c.Applied
	f.s.p.w.check.applied(f.s.p, f.gen.ID, a)
	f.through, f.hash = a.Slot, a.Hash
	f.s.write(paxos.Record{
		Kind: paxos.RecordChosen, Log: f.gen.Log, Genesis: f.gen.ID, Slot: a.Slot, Ballot: c.Ballot, Checksum: paxos.Sum(a.Value),
		Value: a.Value, First: a.First, Last: a.Last, Hash: a.Hash, Stamp: a.Stamp,
	}, &keptSlot{genesis: f.gen.ID, ballot: c.Ballot, applied: *a})
	if a.Mark {
		f.s.write(paxos.Record{
			Kind: paxos.RecordCheckpoint, Log: f.gen.Log, Genesis: f.gen.ID, Slot: a.Slot, Hash: a.Hash, Last: a.Last, Stamp: a.Stamp, Body: a.State,
		}, nil)
		if m := f.kept().markAt(a.Stable); m != nil && m != &f.kept().marks[0] {
			f.s.write(paxos.Record{Kind: paxos.RecordForget, Log: f.gen.Log, Genesis: f.gen.ID, Slot: m.slot}, nil)
		}
	}
}

// restart begins again from a checkpoint where the copy here cannot be continued without a hole.
func (f *followed) restart() {
	s := f.s
	if f.core.Through() > 0 {
		s.p.w.count("learner too far behind")
		f.diverged = "no learner holds the next slot"
		s.write(paxos.Record{Kind: paxos.RecordDiverged, Log: f.gen.Log, Genesis: f.gen.ID, Text: f.diverged}, nil)
		return
	}
	f.core = nil
	f.boot = learner.NewBootstrap(f.config())
}

// flush ends a turn: what may leave leaves; what was gathered long enough becomes one group, and is reported once durable.
func (l *learnerService) flush() {
	p := l.p
	for _, f := range l.logs {
		f.settle()
	}
	l.reads.pump()
	p.w.observe(p, l.out.Events)
	p.leave(l.out.Now)
	if !p.up() {
		return
	}
	gathered := len(l.records) > 0 && (l.weight >= gatherBytes || p.w.now.Sub(l.since) >= gatherFor)
	if gathered || len(l.out.Records) > 0 || len(l.out.After) > 0 {
		l.commit()
	}
	l.out.Reset()
}

// durablePrefix is how far a log goes once a group is durable.
type durablePrefix struct {
	f    *followed
	slot paxos.Slot
	hash paxos.Hash
}

func (l *learnerService) commit() {
	writeKept(&l.store.memory, l.out.Records, nil)
	records := append(l.out.Records, l.records...)
	var through []durablePrefix
	for _, f := range l.logs {
		if f.core != nil {
			through = append(through, durablePrefix{f, f.through, f.hash})
		}
	}
	chosen := l.chosen
	l.records, l.chosen, l.since, l.weight = l.records[:0], nil, 0, 0
	l.p.commit(records, chosen, l.out.After, func() {
		for _, d := range through {
			if k := d.f.kept(); k != nil {
				d.f.report.Durable(d.slot, d.hash, max(k.start, 1))
				d.f.tickReport(l.p.clock())
			}
		}
		p := l.p
		p.leave(l.out.Now)
		l.out.Now = l.out.Now[:0]
	})
}
