package sim

import "github.com/paxosd/paxosd/paxos"

func (l *learnerService) deliver(env *paxos.Envelope) {
	now := l.p.clock()
	switch m := env.Msg.(type) {
	case *paxos.Beacon:
		l.beacons.OnBeacon(now, m, &l.out)
		for i := range m.Items {
			l.onBeaconItem(now, m.Proposer, &m.Items[i])
		}
	case *paxos.Ident:
		l.onIdent(env, m)
	case *paxos.GenesisMsg:
		if h := l.part.OnGenesis(env, &l.out); h != nil && h.State == paxos.LogLive {
			l.follow(h.Genesis(), h.Record)
		}
	case *paxos.NoResponders:
		for _, f := range l.logs {
			if f.onAnswer(now, env) {
				break
			}
		}
	default:
		l.deliverLog(now, env)
	}
	if l.p.up() {
		l.flush()
	}
}

func (l *learnerService) onBeaconItem(now paxos.Instant, from string, it *paxos.BeaconItem) {
	f := l.log(it.Genesis, "")
	if f == nil {
		return
	}
	if !it.Withdrawn {
		f.report.Heard(it.Ballot)
	}
	switch {
	case f.core != nil && f.diverged == "":
		f.core.OnBeacon(now, from, it, &f.out)
	case f.boot != nil:
		f.boot.OnBeacon(from, it)
	}
}

func (l *learnerService) deliverLog(now paxos.Instant, env *paxos.Envelope) {
	f := l.log(env.Genesis, env.Log)
	if f == nil {
		l.reads.unknown(env)
		return
	}
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		if f.core != nil && f.diverged == "" {
			f.core.OnAccept(now, env.From, m, &f.out)
		}
	case *paxos.Learn:
		if f.core != nil && f.diverged == "" {
			f.core.OnLearn(now, m, &f.out)
		}
	case *paxos.ChosenMsg:
		if f.core != nil && f.diverged == "" {
			f.core.OnChosen(now, env.From, m, &f.out)
		}
	case *paxos.FetchAnswer, *paxos.VotesAnswer, *paxos.CheckpointAnswer:
		f.onAnswer(now, env)
	case *paxos.Fetch:
		f.onFetch(env, m)
	case *paxos.Checkpoint:
		f.onCheckpoint(env, m)
	case *paxos.Read:
		l.reads.onRead(env, m, f)
	default:
	}
}

func (f *followed) onAnswer(now paxos.Instant, env *paxos.Envelope) bool {
	switch {
	case f.diverged != "":
		return false
	case f.boot != nil:
		mine := f.boot.OnAnswer(now, env, &f.out)
		f.settleBoot()
		return mine
	default:
		chosen := len(f.out.Chosen)
		mine := f.core.OnAnswer(now, env, &f.out)
		if _, votes := env.Msg.(*paxos.VotesAnswer); votes && len(f.out.Chosen) > chosen {
			f.s.p.w.count("gap repaired from acceptors")
		}
		return mine
	}
}

func (l *learnerService) voter() paxos.Voter {
	return paxos.Voter{Name: l.p.name, Incarnation: l.store.incarnation, Boot: l.store.boot, Run: l.p.run}
}

func (l *learnerService) answer(env *paxos.Envelope, m paxos.Message) {
	l.out.Now = append(l.out.Now, paxos.Envelope{
		Log: env.Log, Genesis: env.Genesis, From: l.p.name, Request: env.Request, Reply: env.Reply, Bulk: m.Kind() != paxos.KindIdentAnswer, Msg: m,
	})
}

func (l *learnerService) onIdent(env *paxos.Envelope, m *paxos.Ident) {
	if m.Run == l.p.run {
		return
	}
	infos := l.part.Infos()
	l.answer(env, &paxos.IdentAnswer{
		Name: l.p.name, Role: paxos.RoleLearner, Cluster: l.p.w.profile.cluster, Incarnation: l.store.incarnation,
		Boot: l.store.boot, Run: l.p.run, Clock: l.p.wall(), Logs: infos,
	})
	if m.Incarnation == l.store.incarnation && !m.Incarnation.IsZero() {
		l.p.w.count("twin found")
		l.flush()
		l.p.ends("another process runs on a copy of its store")
	}
}

// maxFetched bounds the slots of one answer.
const maxFetched = 256

func (f *followed) onFetch(env *paxos.Envelope, m *paxos.Fetch) {
	k := f.kept()
	if f.core == nil || k == nil || f.diverged != "" || m.What == paxos.FetchVotes || m.From == 0 || m.To < m.From {
		return
	}
	start, through := max(k.start, 1), k.through()
	if len(k.slots) == 0 {
		start, through = f.through+1, f.through
	}
	a := &paxos.FetchAnswer{Voter: f.s.voter(), From: m.From, Start: start, Through: through}
	switch {
	case m.What == paxos.FetchHash:
		a.After, a.Known = k.hashAt(f.gen, m.From)
	case m.From >= start && m.From <= through:
		before, ok := k.hashAt(f.gen, m.From-1)
		if !ok {
			a.Start = max(a.Start, m.From+1)
			break
		}
		a.Before, a.After = before, before
		size := 0
		for t := m.From; t <= min(m.To, through) && len(a.Values) < maxFetched; t++ {
			s := k.at(t)
			if size += len(s.applied.Value); size > int(f.gen.ValueLimit-f.gen.ValueLimit/8) && len(a.Values) > 0 {
				break
			}
			a.Values = append(a.Values, paxos.ChosenValue{Slot: t, Value: s.applied.Value})
			a.After = s.applied.Hash
		}
	}
	f.s.answer(env, a)
}

// pieceBytes is small, so that checkpoints travel in pieces here too.
const pieceBytes = 2048

func (f *followed) onCheckpoint(env *paxos.Envelope, m *paxos.Checkpoint) {
	k := f.kept()
	switch {
	case f.diverged != "":
	case f.core == nil || k == nil:
		f.s.answer(env, &paxos.CheckpointAnswer{Voter: f.s.voter(), Record: f.record})
	default:
		at, _ := f.core.Sequencer().Stable()
		if m.Mark > 0 {
			at = m.Mark
		}
		a := &paxos.CheckpointAnswer{Voter: f.s.voter(), Through: f.through, Record: f.record}
		if c := k.markAt(at); c != nil && (m.Mark == 0 || m.Mark == c.slot) && int(m.Offset) <= len(c.state) {
			a.Mark, a.Hash, a.Total, a.Offset = c.slot, c.hash, uint32(len(c.state)), m.Offset
			a.State = c.state[m.Offset:min(int(m.Offset)+pieceBytes, len(c.state))]
		}
		f.s.answer(env, a)
	}
}

func (f *followed) tickReport(now paxos.Instant) {
	s := f.s
	if f.diverged != "" || f.core == nil || f.core.Stopped() != nil {
		return
	}
	if f.core.Sequencer().Keepers().Index(s.p.name, s.store.incarnation) < 0 || !f.report.Due(now) {
		return
	}
	m := f.report.Newest()
	m.Voter = s.voter()
	s.out.Now = append(s.out.Now, paxos.Envelope{Log: f.gen.Log, Genesis: f.gen.ID, From: s.p.name, Msg: &m})
}
