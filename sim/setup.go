package sim

import (
	"bytes"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// build makes the processes and their stores, all down.
func (w *world) build() {
	switch w.o.Profile {
	case ProfileBench:
		w.profile = benchProfile()
	default:
		w.profile = swarmProfile(w.o.Seed)
		if w.o.Profile == ProfileStore {
			w.profile.length = min(w.profile.length, 5*paxos.Second)
		}
	}
	if w.o.Length > 0 {
		w.profile.length = paxos.Span(w.o.Length)
	}
	p := &w.profile
	w.network.line = make([]paxos.Instant, 2*maxLinks*maxLinks)
	for _, n := range names("a", p.acceptors+p.spares) {
		a := w.add(n, paxos.RoleAcceptor, beginAcceptor, acceptorTick)
		a.votes = &voteStore{incarnation: incarnation(n, 1)}
	}
	for _, n := range p.learnerNames() {
		l := w.add(n, paxos.RoleLearner, beginLearner, learnerTick)
		l.chosen = &chosenStore{incarnation: incarnation(n, 1)}
	}
	for _, n := range p.proposerNames() {
		w.add(n, paxos.RoleProposer, beginProposer, proposerTick)
	}
	if !p.founding {
		w.founded()
	}
	w.equip()
}

// equip gives processes real stores.
func (w *world) equip() {
	if w.o.Profile != ProfileStore {
		return
	}
	for _, p := range w.procs {
		if p.votes != nil || p.chosen != nil {
			p.real = newRealStore(p)
		}
	}
}

// closeStores ends what real stores run.
func (w *world) closeStores() {
	for _, p := range w.procs {
		if p.real != nil {
			p.real.harmed = "the run is over"
			p.real.close()
		}
	}
}

// add makes a process.
func (w *world) add(name string, role paxos.Role, begin func(*process), every paxos.Span) *process {
	p := &process{w: w, id: len(w.procs), name: name, role: role, begin: begin, every: every, rate: 1}
	p.disk.p = p
	p.base = between(w.forLife, paxos.Second, 3600*paxos.Second)
	p.link = link{up: true, broker: 1 + w.forLife.IntN(max(w.profile.brokers, 1))}
	if role == paxos.RoleAcceptor || role == paxos.RoleProposer {
		p.skew = span(w.forLife, 200*paxos.Millisecond)
	}
	w.procs = append(w.procs, p)
	return p
}

// founded puts every log into the stores that its genesis lists, live.
func (w *world) founded() {
	for _, g := range w.profile.geneses {
		record := value.EncodeGenesis(g)
		w.live(record)
		r := paxos.Record{Kind: paxos.RecordState, Log: g.Log, Genesis: g.ID, State: paxos.LogLive, Body: record}
		for _, p := range w.procs {
			switch {
			case p.votes != nil && g.Membership.Index(p.name, p.votes.incarnation) >= 0:
				ensure(&p.votes.durable, &r).apply(&r)
			case p.chosen != nil && g.Keepers.Index(p.name, p.chosen.incarnation) >= 0:
				writeKept(&p.chosen.durable, []paxos.Record{r}, nil)
			}
		}
	}
}

// live returns the log of a genesis that a store says is live. A name has one for ever.
func (w *world) live(record []byte) *logState {
	for _, l := range w.logs {
		if bytes.Equal(l.record, record) {
			return l
		}
	}
	g, err := value.DecodeGenesis(record)
	if err != nil {
		w.fail(CheckInvariant, "a live genesis record: %v", err)
	}
	for _, l := range w.logs {
		if l.gen.Log == g.Log {
			w.fail(CheckAgreement, "log %q was founded twice: %s and %s", g.Log, l.gen.ID, g.ID)
		}
	}
	l := newLogState(w, g, record)
	w.logs = append(w.logs, l)
	w.note("log %s is live", g.Log)
	return l
}

func (w *world) logOf(id paxos.GenesisID) *logState {
	for _, l := range w.logs {
		if l.gen.ID == id {
			return l
		}
	}
	return nil
}

// logNamed returns the log of a name, or nil while it is not founded.
func (w *world) logNamed(name string) *logState {
	for _, l := range w.logs {
		if l.gen.Log == name {
			return l
		}
	}
	return nil
}

// run is the whole simulation: trouble, healing, progress.
func (w *world) run() {
	w.build()
	w.clientsJoin()
	w.plan = w.draw()
	for _, p := range w.procs {
		if p.begin != nil {
			p.start()
		}
	}
	w.schedule()
	w.pass(w.profile.length)
	if w.o.Profile == ProfileBench {
		return
	}
	w.heal()
	w.settle()
	w.probe()
	w.check.finish()
}
