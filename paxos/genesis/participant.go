package genesis

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// MaxAborted bounds the aborted geneses that a store remembers of one log. Each costs the founder a
// restart in the middle of founding, so a dozen is already strange; the bound keeps a broken founder from
// filling disks. Beyond it an abort is refused.
const MaxAborted = 64

// MaxLogs bounds the logs that one store takes part in: what one full beacon can renew.
const MaxLogs = min(paxos.MaxBeaconItems, paxos.MaxIdentLogs)

// MaxInfoBytes bounds the genesis records in one answer to ident: half of the default largest payload.
const MaxInfoBytes = 512 << 10

// Held is what a store holds of one genesis.
type Held struct {
	Log    string
	ID     paxos.GenesisID
	State  paxos.LogState // never LogNone
	Record []byte         // value.EncodeGenesis; may be nil only with LogAborted
	Epoch  paxos.Epoch    // with LogRetired: the membership that retired it

	genesis *paxos.Genesis // Record decoded; nil only with LogAborted
}

// Genesis returns the record decoded, or nil for an aborted genesis. It is shared: do not change it.
func (h *Held) Genesis() *paxos.Genesis { return h.genesis }

// ParticipantConfig says who the participant is.
type ParticipantConfig struct {
	Cluster     string
	Name        string
	Role        paxos.Role // RoleAcceptor (listed in the membership) or RoleLearner (listed among the keepers)
	Incarnation paxos.Incarnation
	Run         uint64
}

// Participant is one store's side of founding, over all its logs. One goroutine owns it.
//
//	I1  Of one log at most one genesis is prepared, live or retired.
//	I2  live never becomes anything but retired; aborted and retired never change.
//	I3  Every answer leaves only after the state that it shows is durable: answers are in Output.After.
type Participant struct {
	cfg  ParticipantConfig
	held []*Held // sorted by log, then id: the order of every listing
}

// NewParticipant returns a participant that holds what its store held. It fails if a record does not
// decode or if the states contradict each other: then the store is not to be trusted.
func NewParticipant(cfg ParticipantConfig, held []Held) (*Participant, error) {
	p := &Participant{cfg: cfg}
	for i := range held {
		h := held[i]
		if err := p.restore(&h); err != nil {
			return nil, fmt.Errorf("restore genesis %s of log %q: %w", h.ID, h.Log, err)
		}
	}
	return p, nil
}

func (p *Participant) restore(h *Held) error {
	if h.State == paxos.LogNone || h.State > paxos.LogAborted {
		return fmt.Errorf("state %d is none that a store holds", h.State)
	}
	if h.State != paxos.LogAborted || len(h.Record) > 0 {
		g, err := value.DecodeGenesis(h.Record)
		if err != nil {
			return fmt.Errorf("genesis record: %w", err)
		}
		if g.ID != h.ID || g.Log != h.Log {
			return fmt.Errorf("the record is of genesis %s of log %q", g.ID, g.Log)
		}
		h.genesis = g
	}
	if p.find(h.Log, h.ID) != nil {
		return fmt.Errorf("listed twice")
	}
	if o := p.Holding(h.Log); o != nil && h.State != paxos.LogAborted {
		return fmt.Errorf("the store also holds genesis %s of it (%s)", o.ID, o.State)
	}
	p.insert(h)
	return nil
}

// Holding returns the genesis of log that is prepared, live or retired here, or nil.
func (p *Participant) Holding(log string) *Held {
	for _, h := range p.held {
		if h.Log == log && h.State != paxos.LogAborted {
			return h
		}
	}
	return nil
}

// All returns every genesis held, sorted by log, then id. The slice is the participant's own: read only.
func (p *Participant) All() []*Held { return p.held }

// Infos returns what an answer to ident says of the logs held: at most paxos.MaxIdentLogs, and records of at most
// MaxInfoBytes. Aborted geneses come last, and are left out first: they only matter to a founder that meets them elsewhere, too.
func (p *Participant) Infos() []paxos.LogInfo {
	infos := make([]paxos.LogInfo, 0, min(len(p.held), paxos.MaxIdentLogs))
	room := MaxInfoBytes
	for _, aborted := range []bool{false, true} {
		for _, h := range p.held {
			if (h.State == paxos.LogAborted) != aborted || len(infos) == paxos.MaxIdentLogs {
				continue
			}
			info := paxos.LogInfo{Log: h.Log, Genesis: h.ID, State: h.State}
			if len(h.Record) <= room {
				room -= len(h.Record)
				info.Record = h.Record
			}
			infos = append(infos, info)
		}
	}
	return infos
}

// OnGenesis takes one step of founding and returns the genesis whose state it changed, or nil. The record and
// the answer are in out. Steps that are answers to a founder are ignored.
func (p *Participant) OnGenesis(env *paxos.Envelope, out *paxos.Output) *Held {
	m, ok := env.Msg.(*paxos.GenesisMsg)
	if !ok || m.ID.IsZero() || m.ID != env.Genesis {
		p.drop(env, out, "malformed genesis step")
		return nil
	}
	switch m.Step {
	case paxos.GenesisPrepare:
		return p.onPrepare(env, m, out)
	case paxos.GenesisGoLive:
		return p.onGoLive(env, m, out)
	case paxos.GenesisAbort:
		return p.onAbort(env, m, out)
	case paxos.GenesisJoin:
		return p.onJoin(env, m, out)
	default: // answers of others: the founder's
		return nil
	}
}

// onPrepare: none → prepared(G), if G lists this very store.
func (p *Participant) onPrepare(env *paxos.Envelope, m *paxos.GenesisMsg, out *paxos.Output) *Held {
	g, listed := p.record(env, m, out)
	if g == nil {
		return nil
	}
	if h := p.find(env.Log, m.ID); h != nil {
		p.answerHeld(h, m, out)
		return nil
	}
	if o := p.Holding(env.Log); o != nil {
		p.refuse(env, m, o, out)
		return nil
	}
	if !listed {
		p.refuse(env, m, nil, out)
		return nil
	}
	if p.logs() >= MaxLogs {
		p.drop(env, out, "store holds as many logs as it may")
		p.refuse(env, m, nil, out)
		return nil
	}
	h := &Held{Log: env.Log, ID: m.ID, State: paxos.LogPrepared, Record: bytes.Clone(m.Record), genesis: g}
	p.insert(h)
	p.persist(h, out)
	p.answer(h, paxos.GenesisPrepared, out)
	return h
}

// onGoLive: prepared(G) → live(G). From none it is refused: live is sent only after this store said "prepared", so
// a store that has no memory of it is not the one that did (PROTOCOL A9).
func (p *Participant) onGoLive(env *paxos.Envelope, m *paxos.GenesisMsg, out *paxos.Output) *Held {
	h := p.find(env.Log, m.ID)
	if h == nil {
		if g, _ := p.record(env, m, out); g != nil {
			p.refuse(env, m, p.Holding(env.Log), out)
		}
		return nil
	}
	if h.State != paxos.LogPrepared {
		p.answerHeld(h, m, out)
		return nil
	}
	h.State = paxos.LogLive
	p.persist(h, out)
	p.answer(h, paxos.GenesisIsLive, out)
	return h
}

// onAbort: none or prepared(G) → aborted(G); refused by live. Where another genesis of the log is live, G can never be
// prepared here, so the confirmation needs no record of its own.
func (p *Participant) onAbort(env *paxos.Envelope, m *paxos.GenesisMsg, out *paxos.Output) *Held {
	if h := p.find(env.Log, m.ID); h != nil {
		if h.State != paxos.LogPrepared {
			p.answerHeld(h, m, out)
			return nil
		}
		h.State = paxos.LogAborted
		p.persist(h, out)
		p.answer(h, paxos.GenesisAborted, out)
		return h
	}
	h := &Held{Log: env.Log, ID: m.ID, State: paxos.LogAborted}
	if len(m.Record) > 0 {
		g, listed := p.record(env, m, out)
		if g == nil || !listed {
			return nil
		}
		h.Record, h.genesis = bytes.Clone(m.Record), g
	}
	if o := p.Holding(env.Log); o != nil && o.State != paxos.LogPrepared {
		p.answer(h, paxos.GenesisAborted, out)
		return nil
	}
	if p.aborted(env.Log) >= MaxAborted {
		p.refuse(env, m, p.Holding(env.Log), out)
		return nil
	}
	p.insert(h)
	p.persist(h, out)
	p.answer(h, paxos.GenesisAborted, out)
	return h
}

// onJoin: none → live(G), for an acceptor that a chosen membership added: the sender has sequenced the command.
func (p *Participant) onJoin(env *paxos.Envelope, m *paxos.GenesisMsg, out *paxos.Output) *Held {
	if h := p.find(env.Log, m.ID); h != nil && h.State != paxos.LogPrepared {
		p.answerHeld(h, m, out)
		return nil
	}
	g, _ := p.record(env, m, out)
	if g == nil {
		return nil
	}
	if p.cfg.Role != paxos.RoleAcceptor || m.Membership == nil || m.Membership.Index(p.cfg.Name, p.cfg.Incarnation) < 0 {
		p.drop(env, out, "join of a membership that does not list this store")
		return nil
	}
	if o := p.Holding(env.Log); o != nil && o.ID != m.ID {
		p.refuse(env, m, o, out)
		return nil
	}
	h := p.find(env.Log, m.ID)
	if h == nil {
		h = &Held{Log: env.Log, ID: m.ID, Record: bytes.Clone(m.Record), genesis: g}
		p.insert(h)
	}
	h.State = paxos.LogLive
	p.persist(h, out)
	p.answer(h, paxos.GenesisIsLive, out)
	return h
}

// Retire moves a live genesis to retired (PROTOCOL K4): the store never votes in it again. It returns nil
// if the genesis is not live here. The caller has seen stable(n) chosen with n at or above the last slot that
// epoch's membership governs.
func (p *Participant) Retire(log string, id paxos.GenesisID, epoch paxos.Epoch, out *paxos.Output) *Held {
	h := p.find(log, id)
	if h == nil || h.State != paxos.LogLive {
		return nil
	}
	h.State, h.Epoch = paxos.LogRetired, epoch
	p.persist(h, out)
	return h
}

// record decodes and checks the message's record: nil if it is of no use to this process, which has then been told to
// the observer. listed says that the genesis lists this very incarnation; a record that does not even list the name is of
// no use.
func (p *Participant) record(env *paxos.Envelope, m *paxos.GenesisMsg, out *paxos.Output) (g *paxos.Genesis, listed bool) {
	g, err := value.DecodeGenesis(m.Record)
	if err != nil {
		p.drop(env, out, "genesis record: "+err.Error())
		return nil, false
	}
	if g.ID != m.ID || g.Log != env.Log || g.Cluster != p.cfg.Cluster {
		p.drop(env, out, "genesis record of another log, id or cluster")
		return nil, false
	}
	if h := p.find(env.Log, m.ID); h != nil && len(h.Record) > 0 && !bytes.Equal(h.Record, m.Record) {
		p.drop(env, out, "another record under a genesis id that is known")
		return nil, false
	}
	if p.known(m.ID, env.Log) {
		p.drop(env, out, "genesis id of another log")
		return nil, false
	}
	if m.Step == paxos.GenesisJoin {
		return g, false // the membership lists the addressee, not the record
	}
	for _, l := range p.lists(g) {
		if l.Name == p.cfg.Name {
			return g, l.Incarnation == p.cfg.Incarnation
		}
	}
	p.drop(env, out, "genesis does not list this process")
	return nil, false
}

func (p *Participant) lists(g *paxos.Genesis) []paxos.Member {
	if p.cfg.Role == paxos.RoleAcceptor {
		return g.Membership.Acceptors
	}
	return g.Keepers.Members
}

// answerHeld answers a step that changes nothing with the state that is held.
func (p *Participant) answerHeld(h *Held, m *paxos.GenesisMsg, out *paxos.Output) {
	switch {
	case h.State == paxos.LogLive && m.Step != paxos.GenesisAbort:
		p.answer(h, paxos.GenesisIsLive, out)
	case h.State == paxos.LogPrepared && m.Step == paxos.GenesisPrepare:
		p.answer(h, paxos.GenesisPrepared, out)
	case h.State == paxos.LogAborted && m.Step == paxos.GenesisAbort:
		p.answer(h, paxos.GenesisAborted, out)
	default:
		p.answer(h, paxos.GenesisRefused, out)
	}
}

func (p *Participant) answer(h *Held, step paxos.GenesisStep, out *paxos.Output) {
	p.send(h.Log, &paxos.GenesisMsg{Step: step, ID: h.ID, State: h.State, Holds: h.ID}, out)
}

// refuse answers a step for a genesis that is not held; o is what is held instead, or nil.
func (p *Participant) refuse(env *paxos.Envelope, m *paxos.GenesisMsg, o *Held, out *paxos.Output) {
	a := &paxos.GenesisMsg{Step: paxos.GenesisRefused, ID: m.ID}
	if o != nil {
		a.State, a.Holds = o.State, o.ID
	}
	p.send(env.Log, a, out)
}

func (p *Participant) send(log string, m *paxos.GenesisMsg, out *paxos.Output) {
	m.Sender, m.Incarnation, m.Run = p.cfg.Name, p.cfg.Incarnation, p.cfg.Run
	out.After = append(out.After, paxos.Envelope{Log: log, Genesis: m.ID, From: p.cfg.Name, Msg: m})
}

func (p *Participant) persist(h *Held, out *paxos.Output) {
	out.Records = append(out.Records, paxos.Record{
		Kind: paxos.RecordState, Log: h.Log, Genesis: h.ID, State: h.State, Body: h.Record, Epoch: h.Epoch,
	})
	out.Events = append(out.Events, paxos.Event{
		Kind: paxos.EventGenesis, Log: h.Log, Name: p.cfg.Name, Text: h.State.String() + " " + h.ID.String(),
	})
}

func (p *Participant) drop(env *paxos.Envelope, out *paxos.Output, why string) {
	out.Events = append(out.Events, paxos.Event{Kind: paxos.EventDropped, Log: env.Log, Name: env.From, Text: why})
}

func (p *Participant) find(log string, id paxos.GenesisID) *Held {
	if i, ok := p.search(log, id); ok {
		return p.held[i]
	}
	return nil
}

func (p *Participant) insert(h *Held) {
	i, _ := p.search(h.Log, h.ID)
	p.held = slices.Insert(p.held, i, h)
}

func (p *Participant) search(log string, id paxos.GenesisID) (int, bool) {
	return slices.BinarySearchFunc(p.held, id, func(h *Held, id paxos.GenesisID) int {
		return cmp.Or(cmp.Compare(h.Log, log), h.ID.Compare(id))
	})
}

// known reports whether the id is held under another log: ids key the stores, so that one must not serve two.
func (p *Participant) known(id paxos.GenesisID, log string) bool {
	return slices.ContainsFunc(p.held, func(h *Held) bool { return h.ID == id && h.Log != log })
}

// logs counts the geneses that are prepared, live or retired: one a log at most.
func (p *Participant) logs() int {
	n := 0
	for _, h := range p.held {
		if h.State != paxos.LogAborted {
			n++
		}
	}
	return n
}

func (p *Participant) aborted(log string) int {
	n := 0
	for _, h := range p.held {
		if h.Log == log && h.State == paxos.LogAborted {
			n++
		}
	}
	return n
}
