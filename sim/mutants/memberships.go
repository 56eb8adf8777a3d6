package mutants

const (
	sequencerCommand   = "paxos/sequencer/command.go"
	sequencerSequencer = "paxos/sequencer/sequencer.go"
	vocabMembership    = "paxos/membership.go"
)

// memberships break what governs a slot, and who belongs to it.
var memberships = []Mutant{
	{
		Name: "wiped-acceptor-believed",
		Rule: "A9: an acceptor is known by its name alone: one that lost its disk votes on as if it had not (PITFALLS 1)",
		Edits: []Edit{
			edit(vocabMembership, `		if m.Acceptors[i].Name == name && m.Acceptors[i].Incarnation == inc {`,
				`		if m.Acceptors[i].Name == name && !inc.IsZero() {`),
			edit(proposerPromises, `		if r.member == m {
			return r`, `		if r.member.Name == m.Name {
			return r`),
			edit("paxos/genesis/participant.go", `	if h == nil {
		if g, _ := p.record(env, m, out); g != nil {
			p.refuse(env, m, p.Holding(env.Log), out)
		}
		return nil
	}
	if h.State != paxos.LogPrepared {`, `	if h == nil {
		g, _ := p.record(env, m, out)
		if g == nil {
			return nil
		}
		h = &Held{Log: env.Log, ID: m.ID, State: paxos.LogPrepared, Record: bytes.Clone(m.Record), genesis: g}
		p.insert(h)
	}
	if h.State != paxos.LogPrepared {`),
		},
		Checkers: []string{"agreement", "durable-ack", "promise-monotone", "vote-monotone"},
	},
	{
		Name:     "membership-at-once",
		Rule:     "Q7, P2: a membership governs from the slot after its command, not from the window's end on (PITFALLS 16)",
		Edits:    []Edit{edit(sequencerCommand, `	m.From = a.Slot + paxos.Slot(s.g.Window)`, `	m.From = a.Slot + 1`)},
		Checkers: []string{"agreement", "durable-ack", "invariant"},
	},
	{
		Name: "phase-1-of-the-old-membership",
		Rule: "P1: promises of the membership that made it leader suffice for the slots of the next",
		Edits: []Edit{edit(proposerLeader, `	return t > g.told && ld.promises.hasRead(m, t, t)`, `	if first, ok := g.membershipAt(ld.first); ok && ld.promises.hasRead(first, t, t) {
		return t > g.told
	}
	return t > g.told && ld.promises.hasRead(m, t, t)`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name:     "proposes-beyond-the-window",
		Rule:     "P2: a slot beyond the window counts as governed by the newest membership known",
		Edits:    []Edit{edit(sequencerSequencer, `	if t == 0 || (t > s.through && uint64(t-s.through) > s.g.Window) {`, `	if t == 0 {`)},
		Checkers: []string{"agreement", "invariant", "durable-ack"},
	},
	{
		Name:     "votes-of-the-old-membership",
		Rule:     "L1, P2: learners count votes by the membership of the next slot, whatever governs the slot voted in",
		Edits:    []Edit{edit("paxos/learner/deliver.go", `		if l.governing[i].From <= t {`, `		if l.governing[i].From <= l.win.base+1 {`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "progress"},
	},
	{
		Name: "stranger-counted",
		Rule: "L1: a vote of an acceptor outside the slot's membership counts (PITFALLS 17)",
		Edits: []Edit{edit("paxos/learner/deliver.go", `		l.drop(out, t, b, v.Name, "vote of no member")
		return
	}
	s := l.win.touch(t)`, `		k = 60
	}
	s := l.win.touch(t)`)},
		Checkers: []string{"durable-ack", "agreement", "invariant"},
	},
	{
		Name:     "overlapping-changes",
		Rule:     "Q7: a membership command need not name the newest epoch, nor wait until that is in force (PITFALLS 16)",
		Edits:    []Edit{edit(sequencerCommand, `	case c.Replaces != newest.Epoch:`, `	case c.Replaces > newest.Epoch:`), edit(sequencerCommand, `	case newest.From > a.Slot:`, `	case newest.From > a.Slot+paxos.Slot(s.g.Window):`)},
		Checkers: []string{"exactly-once", "linearizable", "agreement", "invariant", "progress"},
	},
	{
		Name: "acceptor-goes-too-early",
		Rule: "K4: an acceptor may be retired while slots of its membership are not stable",
		Edits: []Edit{edit(sequencerCommand, `		if x.Index(m.Name, m.Incarnation) >= 0 {
			return false
		}`, `		if x == s.Newest() && x.Index(m.Name, m.Incarnation) >= 0 {
			return false
		}`)},
		Test: Test{Package: "./paxos/sequencer", Run: "K4"},
	},
}
