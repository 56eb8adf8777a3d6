package proposer

import (
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/learner"
)

// Errors of AddLog and ReplaceLog.
var (
	// ErrTooManyLogs says that the process follows MaxLogs logs already.
	ErrTooManyLogs = errors.New("too many logs")
	// ErrKnownLog says that a log of this name is followed already: roles pin the first genesis that they serve.
	ErrKnownLog = errors.New("the log is known")
	// ErrUnknownLog says that the log to be replaced is not followed.
	ErrUnknownLog = errors.New("the log is not known")
)

// Proposer is the core of one proposer process over all its logs. See the package's documentation.
type Proposer struct {
	cfg         Config
	groups      groups
	dirty       []*group
	peers       peers
	beacon      sender
	beats       beats
	witness     learner.Witness
	requests    requests
	rng         random
	inFlight    int    // bytes proposed and not seen chosen, over all logs
	starved     bool   // a log waits for bytes in flight
	turn        int    // which of those comes first
	generation  uint64 // of the newest subscription
	round       uint64 // of askings
	connected   bool
	connectedAt paxos.Instant
	leaving     leaving
	fromLearner learner.Output // scratch
}

// groups is the logs, in the order in which they were added.
type groups struct {
	list  []*group
	byID  map[paxos.GenesisID]*group
	byLog map[string]*group
}

// New returns a Proposer without logs, connected.
func New(cfg Config) *Proposer {
	cfg = cfg.withDefaults()
	return &Proposer{
		cfg:       cfg,
		groups:    groups{byID: make(map[paxos.GenesisID]*group), byLog: make(map[string]*group)},
		requests:  requests{table: make(map[uint64]request)},
		rng:       random{state: cfg.Seed},
		connected: true,
	}
}

// AddLog begins to follow a log. l has caught up as far as its owner could see; the Proposer owns it from now on, but for
// SetLearners.
func (p *Proposer) AddLog(now paxos.Instant, gen *paxos.Genesis, l *learner.Learner, out *Output) error {
	if p.groups.byLog[gen.Log] != nil {
		return fmt.Errorf("add log %q: %w", gen.Log, ErrKnownLog)
	}
	if len(p.groups.list) >= MaxLogs {
		return fmt.Errorf("add log %q: %w (%d)", gen.Log, ErrTooManyLogs, MaxLogs)
	}
	g := &group{p: p, log: gen.Log, id: gen.ID, genesis: gen, added: now}
	p.groups.list = append(p.groups.list, g)
	p.groups.byID[g.id], p.groups.byLog[g.log] = g, g
	g.begin(&step{now: now, out: out}, l)
	return nil
}

// ReplaceLog goes on with a learner that was begun again from a checkpoint. The log is a standby's afterwards, as it was
// before: who needs a checkpoint cannot have led.
func (p *Proposer) ReplaceLog(now paxos.Instant, gen *paxos.Genesis, l *learner.Learner, out *Output) error {
	g := p.groups.byID[gen.ID]
	if g == nil {
		return fmt.Errorf("replace log %q: %w", gen.Log, ErrUnknownLog)
	}
	s := &step{now: now, out: out}
	switch g.phase.(type) {
	case *candidate:
		g.giveUp(s, "begun again from a checkpoint")
	case *leader, *contested:
		g.resign(s, "begun again from a checkpoint", 0)
	case *standby:
	}
	g.stoppedSeen, g.restarting = false, false
	g.begin(s, l)
	return nil
}

// begin makes the group a standby with a learner.
func (g *group) begin(s *step, l *learner.Learner) {
	g.learner, g.seq = l, l.Sequencer()
	g.learner.KnownChosen(g.told)
	g.inForce = g.seq.InForce()
	g.stability = stability{}
	g.stability.init(g, s.now)
	g.phase = g.newStandby(s, 0)
	g.learner.SetVotesOnly(false)
}

func (p *Proposer) nextRound() uint64 {
	p.round++
	return p.round
}

// Deliver takes one message. env and its message are not changed; values, batches and commands in it are kept by reference.
func (p *Proposer) Deliver(now paxos.Instant, wall paxos.Stamp, env *paxos.Envelope, out *Output) {
	s := &step{now, wall, out}
	switch m := env.Msg.(type) {
	case *paxos.Beacon:
		p.onBeacon(s, env, m)
	case *paxos.Beat:
		p.onBeat(s, m)
	case *paxos.AskAnswer, *paxos.VotesAnswer, *paxos.FetchAnswer, *paxos.IdentAnswer, *paxos.NoResponders:
		p.onAnswer(s, env)
	case *paxos.Live:
		p.onLive(s, env, m)
	case *paxos.Beacons:
		p.onBeacons(s, env, m)
	case *paxos.Ident:
		p.onIdent(s, env)
	default:
		p.deliverToLog(s, env)
	}
}

// deliverToLog takes a message that is about one log.
func (p *Proposer) deliverToLog(s *step, env *paxos.Envelope) {
	g := p.groups.byID[env.Genesis]
	if g == nil || g.log != env.Log {
		p.stranger(s, env)
		return
	}
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		g.onAccept(s, env.From, m)
	case *paxos.Learn:
		g.onLearn(s, m)
	case *paxos.ChosenMsg:
		g.onTold(s, env.From, m)
	case *paxos.Promise:
		g.onPromise(s, m)
	case *paxos.Refuse:
		g.onRefuse(s, m)
	case *paxos.Report:
		g.onReport(s, m)
	case *paxos.Append:
		g.onAppend(s, env, m)
	case *paxos.Batch:
		g.onBatch(s, env, m)
	case *paxos.Open:
		g.onOpen(s, env, m)
	case *paxos.Admin:
		g.onAdmin(s, env, m)
	default:
		g.drop(s, env.From, "not for a proposer")
	}
}

// stranger takes a message of a genesis that is not followed. Where acceptors and proposers speak of another genesis under a known
// log's name, nobody is to lead; what clients say proves nothing.
func (p *Proposer) stranger(s *step, env *paxos.Envelope) {
	g := p.groups.byLog[env.Log]
	if g == nil || env.Genesis.IsZero() || g.id == env.Genesis {
		s.out.Events = append(s.out.Events, paxos.Event{Kind: paxos.EventDropped, Log: env.Log, Name: env.From, Text: "unknown log"})
		return
	}
	switch env.Msg.(type) {
	case *paxos.Accept, *paxos.Learn, *paxos.ChosenMsg, *paxos.Promise:
		g.hearConflict(s, env.From)
	default:
		g.drop(s, env.From, "another genesis of this log")
	}
}

// onAccept takes a value that another proposer asks the acceptors to vote for.
func (g *group) onAccept(s *step, from string, m *paxos.Accept) {
	if m.Ballot.Proposer == g.p.cfg.Name && m.Ballot.Run == g.p.cfg.Run {
		return // an echo: the learner has it
	}
	g.observe(s, m.Ballot, from)
	g.learner.OnAccept(s.now, from, m, &g.p.fromLearner)
	g.drain(s)
}

// onTold takes what another proposer, a leader, says is chosen.
func (g *group) onTold(s *step, from string, m *paxos.ChosenMsg) {
	if m.Ballot.Proposer == g.p.cfg.Name && m.Ballot.Run == g.p.cfg.Run {
		return // an echo
	}
	g.observe(s, m.Ballot, from)
	g.learner.OnChosen(s.now, from, m, &g.p.fromLearner)
	g.drain(s)
}

// onLearn takes an acceptor's votes.
func (g *group) onLearn(s *step, m *paxos.Learn) {
	g.observe(s, m.Ballot, m.Name)
	if ld, ok := g.phase.(*leader); ok {
		ld.onVotes(g, s, m)
	}
	g.learner.OnLearn(s.now, m, &g.p.fromLearner)
	g.drain(s)
}

// onAnswer gives an answer to whoever asked. One that nobody waits for is dropped (PITFALLS 7).
func (p *Proposer) onAnswer(s *step, env *paxos.Envelope) {
	q, ok := p.requests.take(env.Request)
	if !ok {
		s.out.Events = append(s.out.Events, paxos.Event{Kind: paxos.EventDropped, Log: env.Log, Name: env.From, Text: "answer to nothing asked"})
		return
	}
	if q.purpose == forLearner {
		if m, ok := env.Msg.(*paxos.VotesAnswer); ok {
			q.group.peek(s, m)
		}
		q.group.learner.OnAnswer(s.now, env, &p.fromLearner)
		q.group.drain(s)
		return
	}
	switch m := env.Msg.(type) {
	case *paxos.AskAnswer:
		if q.purpose == forAsk || q.purpose == forContest {
			q.group.onAskAnswer(s, q, m)
		}
	case *paxos.VotesAnswer:
		if q.purpose == forValue {
			q.group.onValue(s, env.Request, m)
		}
	case *paxos.IdentAnswer:
		if q.purpose == forIdent {
			q.group.onIdentAnswer(s, q, m)
		}
	case *paxos.NoResponders:
		p.onNoResponders(s, q, env.Request)
	default:
	}
}

// onNoResponders takes the broker's 503. It may lie (PROTOCOL P7): it only makes this process ask, or ask somebody else.
func (p *Proposer) onNoResponders(s *step, q request, number uint64) {
	switch q.purpose {
	case forValue:
		q.group.onValue(s, number, nil)
	case forBeacons:
		for _, g := range p.groups.list {
			if g.holder.peer == q.peer {
				g.holderGone(s, "the broker knows nobody of that name")
			}
		}
	case forAsk, forContest, forIdent, forLearner:
		// The acceptor is asked again in time.
	}
}

// onLive tells an acceptor whether this run still holds a ballot (PROTOCOL P7).
func (p *Proposer) onLive(s *step, env *paxos.Envelope, m *paxos.Live) {
	if env.ToRun != 0 && env.ToRun != p.cfg.Run {
		return
	}
	a := &paxos.LiveAnswer{Name: p.cfg.Name, Run: p.cfg.Run, Ballot: m.Ballot, Phase: paxos.PhaseStandby}
	if g := p.groups.byLog[env.Log]; g != nil && (env.Genesis.IsZero() || env.Genesis == g.id) && g.phase.at() == m.Ballot {
		a.Phase = g.phase.public()
	}
	p.answer(s, env, a)
}

// onIdent says who this process is.
func (p *Proposer) onIdent(s *step, env *paxos.Envelope) {
	a := &paxos.IdentAnswer{
		Name: p.cfg.Name, Role: paxos.RoleProposer, Cluster: p.cfg.Cluster, Run: p.cfg.Run, Version: p.cfg.Version, Clock: s.wall,
	}
	for _, g := range p.groups.list {
		in := paxos.LogInfo{
			Log: g.log, Genesis: g.id, State: paxos.LogLive, Record: g.recordBytes(),
			Through: g.through(), Last: g.seq.LastOffset(),
		}
		if ld, ok := g.phase.(*leader); ok {
			in.Leads = ld.ballot
		}
		a.Logs = append(a.Logs, in)
	}
	p.answer(s, env, a)
}

// answer answers a request.
func (p *Proposer) answer(s *step, env *paxos.Envelope, m paxos.Message) {
	s.send(paxos.Envelope{
		Log: env.Log, Genesis: env.Genesis, From: p.cfg.Name, To: env.From, Request: env.Request, Reply: env.Reply, Msg: m,
	})
}

// Tick lets time pass. The service calls it every ten milliseconds or so, and Flush after it.
func (p *Proposer) Tick(now paxos.Instant, wall paxos.Stamp, out *Output) {
	s := &step{now, wall, out}
	p.requests.sweep(now)
	for _, q := range p.peers.list {
		p.askFull(s, q)
	}
	for _, g := range p.groups.list {
		g.learner.Tick(now, &p.fromLearner)
		g.drain(s)
		switch ph := g.phase.(type) {
		case *standby:
			ph.tick(g, s)
		case *candidate:
			ph.tick(g, s)
		case *leader:
			ph.tick(g, s)
		case *contested:
			ph.tick(g, s)
		}
	}
}

// Flush ends a turn of the service: what waits is composed into values and proposed, and a beacon leaves if one is due. Requests
// that were delivered in one turn share values: natural batching.
func (p *Proposer) Flush(now paxos.Instant, wall paxos.Stamp, out *Output) {
	s := &step{now, wall, out}
	for i := 0; i < len(p.dirty); i++ { // pumping one log may wake another
		g := p.dirty[i]
		g.dirty = false
		if ld, ok := g.phase.(*leader); ok {
			ld.pump(g, s)
			ld.tell(g, s)
		}
	}
	clear(p.dirty)
	p.dirty = p.dirty[:0]
	p.checkLeft(s)
	p.sendBeacon(s)
}

// OnSubscribed confirms a subscription that Output.Subscribe started: the leader announces itself to clients.
func (p *Proposer) OnSubscribed(log string, generation uint64, out *Output) {
	if g := p.groups.byLog[log]; g != nil {
		if ld, ok := g.phase.(*leader); ok && ld.generation == generation && generation != 0 {
			ld.onSubscribed(g, &step{out: out})
		}
	}
}

// OnUnsubscribed confirms that a subscription has ended, and that everything which came by it was delivered.
func (p *Proposer) OnUnsubscribed(log string, generation uint64, _ *Output) {
	if g := p.groups.byLog[log]; g != nil {
		if ld, ok := g.phase.(*leader); ok && ld.generation == generation && ld.leaving {
			ld.closed = true
			g.touch()
		}
	}
}

// OnConnection says whether the process is connected to the broker. Who was cut off has heard nothing: its silences begin anew
// (PROTOCOL N5).
func (p *Proposer) OnConnection(now paxos.Instant, up bool, _ *Output) {
	p.connected = up
	if up {
		p.connectedAt = now
	}
}
