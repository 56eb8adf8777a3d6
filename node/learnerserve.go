package node

import (
	"errors"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// Limits of what one answer of a learner carries.
const (
	fetchOverhead = 24        // what a slot may take of an answer beside its value
	maxPieceBytes = 512 << 10 // of a checkpoint
	maxGetBytes   = 512 << 10 // of payloads in a plain read
	maxJobs       = 1024      // reads of the store that wait; past it they are dropped and asked for again
)

var errEnough = errors.New("enough")

// deliver takes one message on the loop.
func (s *Learner) deliver(env *paxos.Envelope) {
	if s.ended {
		return
	}
	now := s.cfg.Clock.Now()
	switch m := env.Msg.(type) {
	case *paxos.Beacon:
		s.beacons.OnBeacon(now, m, &s.out)
		for i := range m.Items {
			s.onBeaconItem(now, m.Proposer, &m.Items[i])
		}
	case *paxos.Ident:
		s.onIdent(env, m)
	case *paxos.IdentAnswer:
		for _, f := range s.dir.onAnswer(env, &s.out) {
			s.found(f)
		}
	case *paxos.GenesisMsg:
		s.onGenesis(env, m)
	case *paxos.NoResponders:
		if askerOf(env.Request) == askerCore {
			s.onCoreAnswer(now, env)
		}
	default:
		s.deliverLog(now, env)
	}
}

// deliverLog takes a message about one log.
func (s *Learner) deliverLog(now paxos.Instant, env *paxos.Envelope) {
	g := s.logs[env.Genesis]
	if g == nil || (env.Log != "" && env.Log != g.log) {
		s.unknown(env)
		return
	}
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		if g.core != nil {
			g.core.OnAccept(now, env.From, m, &g.out)
		}
	case *paxos.Learn:
		if g.core != nil {
			g.core.OnLearn(now, m, &g.out)
		}
	case *paxos.ChosenMsg:
		if g.core != nil {
			g.core.OnChosen(now, env.From, m, &g.out)
		}
	case *paxos.FetchAnswer, *paxos.VotesAnswer, *paxos.CheckpointAnswer:
		g.onAnswer(now, env)
	case *paxos.Read:
		s.streams.onRead(env, m, s.source(g.id))
	case *paxos.Get:
		s.job(func() { s.get(env, m, g.id) })
	case *paxos.Fetch:
		s.onFetch(env, m, g)
	case *paxos.Checkpoint:
		s.onCheckpoint(env, m, g)
	default:
		s.note(paxos.Event{Kind: paxos.EventDropped, Log: env.Log, Name: env.From, Text: "not for a learner"})
	}
	g.settle()
}

// unknown answers readers of a log that is not here; all else is dropped.
func (s *Learner) unknown(env *paxos.Envelope) {
	switch m := env.Msg.(type) {
	case *paxos.Read:
		if g := s.byName(env); g != nil {
			s.streams.onRead(env, m, s.source(g.id))
			return
		}
		s.streams.onRead(env, m, nil)
	case *paxos.Get:
		if g := s.byName(env); g != nil {
			s.job(func() { s.get(env, m, g.id) })
			return
		}
		s.answer(env, &paxos.GetAnswer{Learner: s.cfg.Name, Code: paxos.ReadUnknown})
	case *paxos.Checkpoint:
		if g := s.byName(env); g != nil {
			s.onCheckpoint(env, m, g)
		}
	default:
		s.note(paxos.Event{Kind: paxos.EventDropped, Log: env.Log, Name: env.From, Text: "unknown log or foreign genesis"})
	}
}

// byName finds the log of a request that names no genesis.
func (s *Learner) byName(env *paxos.Envelope) *learnerLog {
	if !env.Genesis.IsZero() {
		return nil
	}
	return s.byLog[env.Log]
}

func (s *Learner) answer(env *paxos.Envelope, m paxos.Message) {
	s.envs = append(s.envs, s.envelope(env, m))
}

func (s *Learner) envelope(env *paxos.Envelope, m paxos.Message) paxos.Envelope {
	return paxos.Envelope{
		Log: env.Log, Genesis: env.Genesis, From: s.cfg.Name, Request: env.Request, Reply: env.Reply, Bulk: true, Msg: m,
	}
}

// reply answers from a goroutine other than the loop.
func (s *Learner) reply(env *paxos.Envelope, m paxos.Message) {
	e := s.envelope(env, m)
	paxos.SetWritten(&e, s.cfg.Store.Written())
	s.send(&e)
}

// job runs f where the store may be waited for. Too many at once are dropped: whoever asked asks again.
func (s *Learner) job(f func()) {
	if s.jobs.length() < maxJobs {
		s.jobs.put(event{call: f})
	}
}

func (s *Learner) onBeaconItem(now paxos.Instant, from string, it *paxos.BeaconItem) {
	s.dir.onBeaconItem(it)
	g := s.logs[it.Genesis]
	if g == nil || g.log != it.Log {
		return
	}
	if !it.Withdrawn {
		g.report.Heard(it.Ballot)
	}
	switch {
	case g.core != nil:
		g.core.OnBeacon(now, from, it, &g.out)
		g.settle()
	case g.boot != nil:
		g.boot.OnBeacon(from, it)
	}
}

// onCoreAnswer routes an answer that names no log: its number is known to the core that asked.
func (s *Learner) onCoreAnswer(now paxos.Instant, env *paxos.Envelope) {
	for _, g := range s.order {
		if g.onAnswer(now, env) {
			g.settle()
			return
		}
	}
}

// onAnswer hands an answer to whichever core asked. It reports false if none here did.
func (g *learnerLog) onAnswer(now paxos.Instant, env *paxos.Envelope) bool {
	if g.boot != nil {
		mine := g.boot.OnAnswer(now, env, &g.out)
		g.settleBoot()
		return mine
	}
	return g.core != nil && g.core.OnAnswer(now, env, &g.out)
}

// onIdent says who this is. Another process under this store's incarnation proves that the store exists twice: both
// stop (PROTOCOL A9).
func (s *Learner) onIdent(env *paxos.Envelope, m *paxos.Ident) {
	if m.Run == s.cfg.Run && m.Incarnation == s.cfg.Incarnation {
		return
	}
	answer := s.envelope(env, &paxos.IdentAnswer{
		Name: s.cfg.Name, Role: paxos.RoleLearner, Cluster: s.cfg.Cluster, Incarnation: s.cfg.Incarnation,
		Boot: s.cfg.Boot, Run: s.cfg.Run, Version: s.cfg.Version, Clock: s.cfg.Clock.Wall(), Logs: s.infos(),
	})
	answer.Bulk = false
	s.envs = append(s.envs, answer)
	if m.Incarnation == s.cfg.Incarnation && !m.Incarnation.IsZero() {
		s.ended = true
		s.cfg.Failed(errTwice(s.cfg.Name, m))
	}
}

// infos lists the logs held as a participant in their founding, and those that this learner only follows, as far as they
// fit one answer.
func (s *Learner) infos() []paxos.LogInfo {
	infos := s.part.Infos()
	listed := make(map[paxos.GenesisID]bool, len(infos))
	room := genesis.MaxInfoBytes
	for i := range infos {
		listed[infos[i].Genesis] = true
		room -= len(infos[i].Record)
		if g := s.logs[infos[i].Genesis]; g != nil {
			g.place(&infos[i])
		}
	}
	for _, g := range s.order {
		if listed[g.id] || len(infos) >= paxos.MaxIdentLogs {
			continue
		}
		info := paxos.LogInfo{Log: g.log, Genesis: g.id, State: paxos.LogLive}
		if len(g.record) <= room {
			room -= len(g.record)
			info.Record = g.record
		}
		g.place(&info)
		infos = append(infos, info)
	}
	return infos
}

// place fills in how far the log goes here.
func (g *learnerLog) place(info *paxos.LogInfo) {
	if g.view != nil {
		mk := g.view.marks()
		info.Through, info.Last = mk.through, mk.last
	}
}

// onGenesis takes a step of founding as a keeper, and hears of logs that went live as anyone.
func (s *Learner) onGenesis(env *paxos.Envelope, m *paxos.GenesisMsg) {
	if h := s.part.OnGenesis(env, &s.out); h != nil && h.State == paxos.LogLive {
		s.begin(h.Genesis(), h.Record)
	}
	if f, ok := s.dir.onGenesis(m, env.Log, &s.out); ok {
		s.found(f)
	}
}

// found begins with a log that others say is live. A keeper that missed "live" becomes live by it: one live acceptor
// proves it (PROTOCOL section 6).
func (s *Learner) found(f found) {
	g := f.genesis
	if h := s.part.Holding(g.Log); h != nil {
		if h.ID != g.ID || h.State != paxos.LogPrepared {
			return
		}
		s.part.OnGenesis(&paxos.Envelope{Log: g.Log, Genesis: g.ID, Msg: &paxos.GenesisMsg{
			Step: paxos.GenesisGoLive, ID: g.ID, Record: f.record, Sender: s.cfg.Name,
		}}, &s.out)
	} else if s.logs[g.ID] == nil {
		s.out.Records = append(s.out.Records, paxos.Record{
			Kind: paxos.RecordState, Log: g.Log, Genesis: g.ID, State: paxos.LogLive, Body: f.record,
		})
	}
	s.begin(g, f.record)
}

// begin starts a log that this store has nothing of yet.
func (s *Learner) begin(g *paxos.Genesis, record []byte) {
	if s.logs[g.ID] != nil {
		return
	}
	ll := s.add(g, record)
	ll.boot = learner.NewBootstrap(ll.config())
	s.note(paxos.Event{Kind: paxos.EventGenesis, Log: g.Log, Text: "serves genesis " + g.ID.String()})
}

// onFetch serves another learner or a proposer (PROTOCOL L4, L5).
func (s *Learner) onFetch(env *paxos.Envelope, m *paxos.Fetch, g *learnerLog) {
	if g.view == nil || g.diverged != "" || m.What == paxos.FetchVotes || m.From == 0 || m.To < m.From {
		return
	}
	if m.What == paxos.FetchHash {
		if h, ok := g.core.HashAt(m.From); ok {
			mk := g.view.marks()
			s.answer(env, &paxos.FetchAnswer{Voter: s.voter(), From: m.From, After: h, Known: true, Start: mk.start, Through: mk.through})
			return
		}
	}
	s.job(func() { s.fetch(env, m, g.view, g.gen) })
}

// fetch answers from memory, or from the store.
func (s *Learner) fetch(env *paxos.Envelope, m *paxos.Fetch, v *view, gen *paxos.Genesis) {
	mk := v.marks()
	a := &paxos.FetchAnswer{Voter: s.voter(), From: m.From, Start: mk.start, Through: mk.through}
	if m.What == paxos.FetchHash {
		h, ok, err := s.hashAt(gen, m.From)
		if err != nil {
			s.failRead(err)
			return
		}
		a.After, a.Known = h, ok
		s.reply(env, a)
		return
	}
	if m.From < mk.start || m.From > mk.through {
		s.reply(env, a)
		return
	}
	to, limit := fetchRange(m, mk.through, gen.ValueLimit)
	var ok bool
	if a.Values, a.Before, a.After, ok = v.valuesFrom(m.From, to, limit); !ok {
		if err := s.fetchStored(m.From, to, limit, gen, a); err != nil {
			s.failRead(err)
			return
		}
	}
	s.reply(env, a)
}

// fetchRange bounds an answer, so that it fits the broker's payload as the largest value does: the values leave an eighth of that
// for what the slots take beside. A single value is sent whatever its size.
func fetchRange(m *paxos.Fetch, through paxos.Slot, valueLimit uint32) (to paxos.Slot, maxBytes int) {
	slots := max(min(paxos.MaxFetchValues, valueLimit/8/fetchOverhead), 1)
	limit := valueLimit - valueLimit/8
	if m.MaxBytes > 0 {
		limit = min(limit, m.MaxBytes)
	}
	return min(m.To, through, m.From+paxos.Slot(slots)-1), int(limit)
}

// fetchStored fills the answer from the store.
func (s *Learner) fetchStored(from, to paxos.Slot, limit int, gen *paxos.Genesis, a *paxos.FetchAnswer) error {
	before, ok, err := s.hashAt(gen, from-1)
	if err != nil {
		return err
	}
	if !ok {
		// The checkpoint before the first slot held has given way to newer ones: nobody could join onto this slot.
		a.Start = max(a.Start, from+1)
		return nil
	}
	a.Before, a.After = before, before
	return s.cfg.Store.Slots(gen.ID, from, to, limit, func(st StoredSlot) error {
		a.Values = append(a.Values, paxos.ChosenValue{Slot: st.Slot, Value: st.Value})
		a.After = st.Hash
		return nil
	})
}

// hashAt returns the running hash at a slot held, at a checkpoint, or before the first slot.
func (s *Learner) hashAt(gen *paxos.Genesis, t paxos.Slot) (paxos.Hash, bool, error) {
	if t == 0 {
		return sequencer.New(gen).Hash(), true, nil
	}
	return s.cfg.Store.HashAt(gen.ID, t)
}

// onCheckpoint sends a piece of the newest checkpoint at or below the stable mark (docs/protocol.md, "Stores").
func (s *Learner) onCheckpoint(env *paxos.Envelope, m *paxos.Checkpoint, g *learnerLog) {
	switch {
	case g.diverged != "":
	case g.core == nil:
		// Looking for where to begin: there is none here. Processes that begin together need not wait for each other.
		s.answer(env, &paxos.CheckpointAnswer{Voter: s.voter(), Record: g.record})
	default:
		stable, _ := g.core.Sequencer().Stable()
		v, record := g.view, g.record
		s.job(func() { s.checkpoint(env, m, v, stable, record) })
	}
}

func (s *Learner) checkpoint(env *paxos.Envelope, m *paxos.Checkpoint, v *view, stable paxos.Slot, record []byte) {
	at := stable
	if m.Mark > 0 {
		at = m.Mark
	}
	c, err := s.cfg.Store.CheckpointAt(v.genesis, at)
	if err != nil {
		s.failRead(err)
		return
	}
	a := &paxos.CheckpointAnswer{Voter: s.voter(), Through: v.marks().through, Record: record}
	if c.Slot > 0 && (m.Mark == 0 || m.Mark == c.Slot) && uint64(m.Offset) <= uint64(len(c.State)) {
		a.Mark, a.Hash, a.Total, a.Offset = c.Slot, c.Hash, uint32(len(c.State)), m.Offset
		a.State = c.State[m.Offset:min(int(m.Offset)+maxPieceBytes, len(c.State))]
	}
	s.reply(env, a)
}

// get answers a plain read in JSON.
func (s *Learner) get(env *paxos.Envelope, m *paxos.Get, id paxos.GenesisID) {
	src := s.source(id)
	if src == nil {
		s.reply(env, &paxos.GetAnswer{Learner: s.cfg.Name, Code: paxos.ReadUnknown})
		return
	}
	mk := src.marks()
	a := &paxos.GetAnswer{Learner: s.cfg.Name, Last: mk.last, First: mk.first}
	switch {
	case mk.stopped:
		a.Code = paxos.ReadStopped
	case m.From < mk.first:
		a.Code = paxos.ReadElsewhere
	case m.From <= mk.last:
		bs, _, _, err := src.batchesFrom(m.From, maxGetBytes)
		if err != nil {
			s.failRead(err)
			return
		}
		if a.Entries, err = entries(bs, m.From, int(min(m.Max, paxos.MaxGetEntries))); err != nil {
			s.failRead(err)
			return
		}
	default:
		a.Code = paxos.ReadIdle
	}
	s.reply(env, a)
}

// entries opens batches for a plain read.
func entries(bs []paxos.ReadBatch, from paxos.Offset, most int) ([]paxos.Entry, error) {
	var es []paxos.Entry
	for i := range bs {
		b := &bs[i]
		rest := b.Frames
		for o := b.First; o < b.First+paxos.Offset(b.Count); o++ {
			f, r, err := value.DecodeFrame(rest)
			if err != nil {
				return nil, err
			}
			rest = r
			if o < from {
				continue
			}
			if len(es) == most {
				return es, nil
			}
			es = append(es, paxos.Entry{Offset: o, Stamp: b.Stamp, Headers: f.Headers, Payload: f.Payload})
		}
	}
	return es, nil
}

// tickReport sends a report if one is due and this learner is a keeper of the log (PROTOCOL K1).
func (g *learnerLog) tickReport(now paxos.Instant) {
	s := g.svc
	if g.diverged != "" || g.core == nil || g.core.Stopped() != nil {
		return
	}
	if g.core.Sequencer().Keepers().Index(s.cfg.Name, s.cfg.Incarnation) < 0 || !g.report.Due(now) {
		return
	}
	m := g.report.Newest()
	m.Voter = s.voter()
	s.envs = append(s.envs, paxos.Envelope{Log: g.log, Genesis: g.id, From: s.cfg.Name, Msg: &m})
	s.note(paxos.Event{Kind: paxos.EventRecordsReported, Log: g.log, Slot: m.Slot})
}
