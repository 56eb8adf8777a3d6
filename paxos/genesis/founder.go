package genesis

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// Spans of a founder that are no part of the protocol.
const (
	// DefaultSettle is how long proposers and learners that take no part in founding have to say that they know the
	// log. Acceptors and keepers must answer, however long it takes.
	DefaultSettle = 1 * paxos.Second
)

// Peer is a process that the founder asks.
type Peer struct {
	Name string
	Role paxos.Role
}

// FounderConfig says what is to be founded, and by whom.
type FounderConfig struct {
	Name string // of this process
	// Genesis is the log to be: Cluster, Log, Founded, Level and all constants, quorum sizes, and the acceptors and keepers by name
	// in any order. ID and incarnations are filled in by the founder.
	Genesis paxos.Genesis
	ID      paxos.GenesisID // random, fresh for this run; further ids, where one had to be aborted, derive from it
	Others  []Peer          // proposers and learners that are no keepers: any that knows the log stops a founding

	ResendFirst paxos.Span // 0: paxos.DefaultResendFirst
	ResendMax   paxos.Span // 0: paxos.DefaultResendMax
	Settle      paxos.Span // 0: DefaultSettle

	NextRequest func() uint64
}

// Founder founds one log, or finishes or clears away what an earlier founder began. One goroutine owns it.
//
//	I1  It sends live(G) only when every acceptor and keeper that G lists, under its listed incarnation, answered
//	    "prepared", and after every other genesis that it saw in a store is aborted by n-R+1 of its acceptors.
//	I2  It makes a genesis of its own only when every listed process holds none, and nobody knows the log.
//	I3  It never aborts a genesis that anyone said is live, or that it sent live for.
type Founder struct {
	cfg  FounderConfig
	view view

	mine    paxos.GenesisID // the genesis of this founder's own making, once it may have been sent; zero: none
	made    uint64          // ids used
	enlived paxos.GenesisID // the genesis that this founder sent live for

	begun         bool
	settleAt      paxos.Instant
	othersSettled bool

	now     plan // the last decided
	changed bool // something that the plan depends on did
	due     paxos.Instant
	wait    paxos.Span
}

// NewFounder returns a founder, or an error that says what is impossible in the configuration.
func NewFounder(cfg FounderConfig) (*Founder, error) {
	if cfg.ResendFirst == 0 {
		cfg.ResendFirst = paxos.DefaultResendFirst
	}
	if cfg.ResendMax == 0 {
		cfg.ResendMax = paxos.DefaultResendMax
	}
	if cfg.Settle == 0 {
		cfg.Settle = DefaultSettle
	}
	g := &cfg.Genesis
	g.Membership.Acceptors, g.Keepers.Members = byName(g.Membership.Acceptors), byName(g.Keepers.Members)
	f := &Founder{cfg: cfg, view: view{
		cluster: g.Cluster, log: g.Log, records: map[paxos.GenesisID]record{},
	}}
	for _, m := range g.Membership.Acceptors {
		f.view.add(Peer{Name: m.Name, Role: paxos.RoleAcceptor}, true)
	}
	for _, m := range g.Keepers.Members {
		f.view.add(Peer{Name: m.Name, Role: paxos.RoleLearner}, true)
	}
	if len(f.view.peers) != len(g.Membership.Acceptors)+len(g.Keepers.Members) {
		return nil, fmt.Errorf("found log %q: a name is listed twice among acceptors and keepers", g.Log)
	}
	for _, p := range f.view.peers {
		p.configured = true
	}
	for _, p := range cfg.Others {
		if p.Name != cfg.Name {
			f.view.add(p, false)
		}
	}
	distinct := func(name string) paxos.Incarnation { // stands in for those that are not known yet
		h := sha256.Sum256([]byte(name))
		return paxos.Incarnation(h[:16])
	}
	if _, err := f.fill(cfg.ID, distinct); err != nil {
		return nil, fmt.Errorf("found log %q: %w", g.Log, err)
	}
	return f, nil
}

func byName(ms []paxos.Member) []paxos.Member {
	ms = slices.Clone(ms)
	slices.SortFunc(ms, func(a, b paxos.Member) int { return strings.Compare(a.Name, b.Name) })
	return ms
}

// fill returns the configured genesis with an id and incarnations.
func (f *Founder) fill(id paxos.GenesisID, inc func(name string) paxos.Incarnation) (*paxos.Genesis, error) {
	g := f.cfg.Genesis
	g.ID, g.Membership.Epoch, g.Membership.From, g.Keepers.Epoch = id, 1, 1, 1
	fillMembers := func(ms []paxos.Member) []paxos.Member {
		ms = slices.Clone(ms)
		for i := range ms {
			ms[i].Incarnation = inc(ms[i].Name)
		}
		return ms
	}
	g.Membership.Acceptors = fillMembers(g.Membership.Acceptors)
	g.Keepers.Members = fillMembers(g.Keepers.Members)
	if err := quorum.Validate(&g.Membership); err != nil {
		return nil, err
	}
	if err := quorum.ValidateKeepers(&g.Keepers, &g.Membership); err != nil {
		return nil, err
	}
	if _, err := value.DecodeGenesis(value.EncodeGenesis(&g)); err != nil {
		return nil, err
	}
	return &g, nil
}

// Deliver takes an answer to ident (or its 503), or a step of founding that a store answered.
func (f *Founder) Deliver(now paxos.Instant, env *paxos.Envelope, out *paxos.Output) {
	switch m := env.Msg.(type) {
	case *paxos.IdentAnswer:
		f.onIdent(now, env, m, out)
	case *paxos.NoResponders:
		if p := f.asked(env.Request); p != nil {
			p.request, p.gone = 0, true
		}
	case *paxos.GenesisMsg:
		f.onGenesis(now, env, m)
	default:
		return
	}
	f.changed = true
	f.act(now, out)
}

// Tick lets time pass: it asks, and sends again what was not answered.
func (f *Founder) Tick(now paxos.Instant, out *paxos.Output) {
	if !f.begun {
		f.begun, f.changed, f.settleAt = true, true, now.Add(f.cfg.Settle)
	}
	f.act(now, out)
}

// Live returns the log's genesis and its record once a store is live in it. The log exists then, and may be served;
// the founder goes on to tell the rest until Settled.
func (f *Founder) Live() (*paxos.Genesis, []byte, bool) {
	switch f.now.stage {
	case StageLive, StageSettled:
		r := f.view.records[f.now.id]
		return r.genesis, r.bytes, true
	default:
		return nil, nil, false
	}
}

// Settled reports whether nothing is left to do: every listed store is live, or was replaced.
func (f *Founder) Settled() bool { return f.now.stage == StageSettled }

// Status returns how far the founding is and, for people, what it waits for.
func (f *Founder) Status() (Stage, string) { return f.now.stage, f.now.text }

// asked returns the peer whose ident request has this number, or nil.
func (f *Founder) asked(request uint64) *peer {
	if request == 0 {
		return nil
	}
	for _, p := range f.view.peers {
		if p.request == request {
			return p
		}
	}
	return nil
}

func (f *Founder) onIdent(now paxos.Instant, env *paxos.Envelope, m *paxos.IdentAnswer, out *paxos.Output) {
	p := f.asked(env.Request)
	if p == nil {
		return
	}
	p.request = 0
	if m.Name != p.Name || m.Role != p.Role || m.Cluster != f.view.cluster {
		f.event(out, fmt.Sprintf("asked %s %q of cluster %q, but %s %q of cluster %q answered",
			p.Role, p.Name, f.view.cluster, m.Role, m.Name, m.Cluster))
		return
	}
	if p.incarnation != m.Incarnation {
		p.incarnation, p.holds = m.Incarnation, nil
	}
	p.answered, p.gone = true, false
	p.wait, p.due = f.cfg.ResendMax, now.Add(f.cfg.ResendMax)
	for i := range m.Logs {
		l := &m.Logs[i]
		if l.Log != f.view.log || l.Genesis.IsZero() {
			continue
		}
		s := l.State
		if !p.listed && s == paxos.LogNone {
			s = paxos.LogLive // whoever serves a log has no state of its own in it
		}
		f.view.see(l.Genesis, l.Record)
		if !p.listed && s == paxos.LogAborted {
			continue
		}
		p.merge(l.Genesis, s)
	}
}

func (f *Founder) onGenesis(now paxos.Instant, env *paxos.Envelope, m *paxos.GenesisMsg) {
	p := f.view.peer(m.Sender)
	if p == nil || env.Log != f.view.log || m.Sender != env.From {
		return
	}
	switch m.Step {
	case paxos.GenesisPrepared, paxos.GenesisIsLive, paxos.GenesisAborted, paxos.GenesisRefused:
	default:
		return // another founder's
	}
	id := m.ID
	if m.Step == paxos.GenesisRefused {
		id = m.Holds
	}
	switch {
	case !p.answered || p.incarnation != m.Incarnation:
		f.askAgain(p, now)
	case id.IsZero(): // refused, and holds none: this is not the store that was listed
		f.askAgain(p, now)
	default:
		f.view.see(id, nil)
		p.merge(id, m.State)
		if _, ok := f.view.records[id]; !ok {
			f.askAgain(p, now)
		}
	}
}

// askAgain makes the next ident to p due at once, unless one is under way.
func (f *Founder) askAgain(p *peer, now paxos.Instant) {
	if p.request == 0 {
		p.due = now
	}
}

// act decides by what is known now, and sends what is due.
func (f *Founder) act(now paxos.Instant, out *paxos.Output) {
	if !f.begun {
		return
	}
	if settled := f.settled(now); settled != f.othersSettled {
		f.othersSettled, f.changed = settled, true
	}
	if f.changed { // of a thousand logs few change in a tick
		f.changed = false
		f.decide(now, out)
	}
	f.send(now, out)
	if f.now.stage != StageSettled {
		f.inquire(now, out)
	}
}

func (f *Founder) decide(now paxos.Instant, out *paxos.Output) {
	pl := f.plan()
	if pl.stage == StagePreparing && pl.id.IsZero() {
		pl = f.begin(pl)
	}
	if pl.stage != f.now.stage || pl.text != f.now.text {
		f.event(out, pl.text)
	}
	if !slices.Equal(pl.moves, f.now.moves) {
		f.due, f.wait = now, f.cfg.ResendFirst
	}
	f.now = pl
}

// settled reports whether the processes that take no part have all answered, are known to be gone, or had their time.
func (f *Founder) settled(now paxos.Instant) bool {
	if now >= f.settleAt {
		return true
	}
	return !slices.ContainsFunc(f.view.peers, func(p *peer) bool { return !p.listed && !p.answered && !p.gone })
}

// begin makes a genesis of this founder's own, of the incarnations that answered.
func (f *Founder) begin(pl plan) plan {
	id := f.cfg.ID
	if f.made > 0 {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(f.cfg.ID[:], f.made))
		id = paxos.GenesisID(h[:16])
	}
	g, err := f.fill(id, func(name string) paxos.Incarnation { return f.view.peer(name).incarnation })
	if err != nil {
		return plan{stage: StageStuck, text: err.Error()}
	}
	f.made++
	f.mine = id
	f.view.see(id, value.EncodeGenesis(g))
	return f.plan()
}

// send broadcasts the moves of the plan, again with growing pauses as long as they stay the same.
func (f *Founder) send(now paxos.Instant, out *paxos.Output) {
	if len(f.now.moves) == 0 || now < f.due {
		return
	}
	f.due, f.wait = now.Add(f.wait), min(2*f.wait, f.cfg.ResendMax)
	for _, mv := range f.now.moves {
		if mv.step == paxos.GenesisGoLive {
			f.changed = f.changed || f.enlived != mv.id
			f.enlived = mv.id
		}
		out.Now = append(out.Now, paxos.Envelope{
			Log: f.view.log, Genesis: mv.id, From: f.cfg.Name,
			Msg: &paxos.GenesisMsg{Step: mv.step, ID: mv.id, Sender: f.cfg.Name, Record: f.view.records[mv.id].bytes},
		})
	}
}

// inquire asks every process again and again: those that did not answer with growing pauses, the others now and then, since a
// disk can be wiped while a log is being founded.
func (f *Founder) inquire(now paxos.Instant, out *paxos.Output) {
	for _, p := range f.view.peers {
		if now < p.due {
			continue
		}
		p.wait = min(max(2*p.wait, f.cfg.ResendFirst), f.cfg.ResendMax)
		p.due, p.request = now.Add(p.wait), f.cfg.NextRequest()
		out.Now = append(out.Now, paxos.Envelope{
			Log: paxos.ProcessLog, From: f.cfg.Name, To: p.Name, Request: p.request,
			Msg: &paxos.Ident{Asker: f.cfg.Name, Role: paxos.RoleProposer},
		})
	}
}

func (f *Founder) event(out *paxos.Output, text string) {
	out.Events = append(out.Events, paxos.Event{
		Kind: paxos.EventGenesis, Log: f.view.log, Name: f.cfg.Name, Text: text,
	})
}
