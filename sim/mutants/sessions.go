package mutants

const (
	sessionAnswer = "client/session/answer.go"
	sessionBatch  = "client/session/batch.go"
)

// sessions break the client's side: what is sent again, and what its caller is told.
var sessions = []Mutant{
	{
		Name: "unknown-at-leader-change",
		Rule: "Q2: a client takes each new leader for the end of its session, and knows of nothing on its way what becomes of it",
		Edits: []Edit{edit("client/session/pace.go", `	p.known, p.highest = ballot, ballot
	if !fresh {
		return
	}
`, `	p.known, p.highest = ballot, ballot
	if !fresh {
		return
	}
	if !s.id.IsZero() {
		s.renew(paxos.BatchAnswer{})
		s.settle(out)
	}
`)},
		Checkers: []string{"progress"},
	},
	{
		Name: "resend-under-a-new-number",
		Rule: "Q2: a batch that is sent again takes the next number",
		Edits: []Edit{edit(sessionBatch, `	if b.number == 0 {
		s.last++`, `	if b.number == 0 || b.wasSent && !b.filler {
		s.last++`)},
		Checkers: []string{"exactly-once", "invariant"},
	},
	{
		Name: "resend-in-a-new-session",
		Rule: "Q1: what was sent in a session that has ended is sent again in the next one",
		Edits: []Edit{edit(sessionAnswer, `		if !b.givenUp {
			b.finish(Unknown, m)
		}
		s.forget(b)
		b.settled = true`, `		s.forget(b)
		if b.givenUp {
			b.finish(Unknown, m)
			b.settled = true
		}`)},
		Checkers: []string{"exactly-once"},
	},
	{
		Name:  "any-refusal-is-definite",
		Rule:  "P6: a refusal is told as certain though another copy of the batch may still be appended",
		Edits: []Edit{edit(sessionBatch, `	return !b.lost && !slices.ContainsFunc(b.sends, func(s send) bool { return !s.filler })`, `	return b.refusal.Code != paxos.CodeNone || !b.lost && !slices.ContainsFunc(b.sends, func(s send) bool { return !s.filler })`)},
		Test:  Test{Package: "./client/session", Run: "."},
	},
	{
		Name: "unanswered-is-refused",
		Rule: "P6: a batch that nobody answered in time is told as certainly not in the log",
		Edits: []Edit{edit(sessionBatch, `		b.finish(Unknown, s.reason(b))
	}
	s.fill(b)`, `		b.finish(Refused, s.reason(b))
	}
	s.fill(b)`)},
		Checkers: []string{"exactly-once", "linearizable"},
	},
	{
		Name: "number-not-filled",
		Rule: "Q2: a batch given up leaves its number unused, so that all later ones are holes",
		Edits: []Edit{edit(sessionBatch, `	if s.cfg.StopOnFailure {
		b.settled = true
		return
	}`, `	if !b.settled {
		b.settled = true
		return
	}`)},
		Test: Test{Package: "./client/session", Run: "."},
	},
	{
		Name:  "strangers-answer-believed",
		Rule:  "P9: an answer with another batch's checksum is taken",
		Edits: []Edit{edit(sessionAnswer, `b.sends[i].sum != m.Checksum && !unread(m) {`, `b.sends[i].sum != m.Checksum && !unread(m) && b.foreign {`)},
		Test:  Test{Package: "./client/session", Run: "."},
	},
}

// elsewhere are mutants of code that the simulator has no part in; a named test catches each.
var elsewhere = []Mutant{
	{
		Name:  "since-begins-late",
		Rule:  "N7: who reads since a time misses the first entries that are late enough",
		Edits: []Edit{edit("client/stream/chunk.go", `case next == 0 && b.Stamp < since:`, `case next == 0 && b.Stamp < since+300_000_000:`)},
		Test:  Test{Package: "./client/stream", Run: "ReadingSince"},
	},
	{
		Name: "reader-overgrants",
		Rule: "N7: a reader grants more bytes than it has room for",
		Edits: []Edit{edit("client/stream/stream.go", `	n := uint32(min(c.owed, math.MaxUint32))
`, `	n := uint32(min(8*c.owed, math.MaxUint32))
`)},
		Test: Test{Package: "./client/stream", Run: "TestN7"},
	},
	{
		Name:  "lost-grant-waited-out",
		Rule:  "N7: a reader whose grant was lost waits for ever for what it did not grant",
		Edits: []Edit{edit("client/stream/chunk.go", `	if r.next != 0 && m.Last >= r.next && r.cur.credit > 0 {`, `	if r.next != 0 && m.Last >= r.next && r.cur.credit > 1<<40 {`)},
		Test:  Test{Package: "./client/stream", Run: "TestN7"},
	},
	{
		Name:  "stamps-constant",
		Rule:  "Q5: a leader's values carry no time",
		Edits: []Edit{edit("paxos/proposer/compose.go", `ld.ballot, s.wall, g.genesis.ValueLimit)`, `ld.ballot, 1, g.genesis.ValueLimit)`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "goes-on-after-a-failed-sync",
		Rule: "A8: a write whose sync failed is told as durable (PITFALLS 10)",
		Edits: []Edit{edit("wal/guard.go", `func (g guard) check(op, name string, err error) error {
`, `func (g guard) check(op, name string, err error) error {
	if op == "sync" {
		return nil
	}
`)},
		Test: Test{Package: "./wal", Run: "A8FailedSync"},
	},
	{
		Name: "engine-failure-returns",
		Rule: "A8: the engine's fatal errors return to it",
		Edits: []Edit{edit("wal/engine.go", `	l.s.fail(err)
}

// engineOptions`, `	l.Infof("%v", err)
}

// engineOptions`)},
		Test: Test{Package: "./wal", Run: "A8EngineFatal"},
	},
	{
		Name: "envelopes-overtake-a-failed-write",
		Rule: "A8: a service goes on answering after its store has failed",
		Edits: []Edit{edit("node/commits.go", `		c.broken = true
		c.fail(err)`, `		c.fail(err)
		c.unsettled.Add(-1)`)},
		Test: Test{Package: "./node", Run: "TestA8"},
	},
	{
		Name: "leaves-before-durable",
		Rule: "A1: a service sends what waits for its records when they are submitted",
		Edits: []Edit{edit("node/commits.go", `	after = slices.Clone(after)
	wrote := len(recs) > 0`, `	c.leave(after)
	after = slices.Clone(after[:0])
	wrote := len(recs) > 0`)},
		Test: Test{Package: "./node", Run: "TestA1"},
	},
	{
		Name: "live-without-prepared",
		Rule: "Section 6: a store that remembers no preparation goes live",
		Edits: []Edit{edit("paxos/genesis/participant.go", `	if h == nil {
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
	if h.State != paxos.LogPrepared {`)},
		Test: Test{Package: "./paxos/genesis", Run: "LiveIsNeverPreparedAnew"},
	},
	{
		Name: "live-aborted",
		Rule: "Section 6: a live genesis is aborted",
		Edits: []Edit{edit("paxos/genesis/participant.go", `		if h.State != paxos.LogPrepared {
			p.answerHeld(h, m, out)
			return nil
		}
		h.State = paxos.LogAborted`, `		if h.State == paxos.LogAborted {
			p.answerHeld(h, m, out)
			return nil
		}
		h.State = paxos.LogAborted`)},
		Test: Test{Package: "./paxos/genesis", Run: "."},
	},
}
