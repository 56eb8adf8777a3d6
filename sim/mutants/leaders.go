package mutants

const (
	proposerLeader  = "paxos/proposer/leader.go"
	proposerIntake  = "paxos/proposer/intake.go"
	proposerAdopt   = "paxos/proposer/adopt.go"
	proposerCompose = "paxos/proposer/compose.go"
	proposerCheck   = "paxos/proposer/checkquorum.go"
	proposerHand    = "paxos/proposer/handover.go"
	proposerContest = "paxos/proposer/contested.go"
)

// leaders break what a leader proposes, when it serves, what it acknowledges and when it ends.
var leaders = []Mutant{
	{
		Name: "hole-skipped",
		Rule: "P4: a hole below the highest reported slot is left unfilled (PITFALLS 13)",
		Edits: []Edit{edit(proposerLeader, `	case t <= ld.promises.highest():
		return ld.fillHole(g, s, t)`, `	case t <= ld.promises.highest():
		o := ld.openNext(s)
		o.chosen, o.want.until = true, 1<<62
		return true`)},
		Checkers: []string{"progress", "invariant"},
	},
	{
		Name: "resend-composes-again",
		Rule: "P1: a no-op is composed anew when it is sent again: two values at one slot and ballot",
		Edits: []Edit{edit(proposerLeader, `		sent += len(o.value)
		g.event`, `		if o.items == nil {
			o.value = ld.noop(s)
			o.sum = paxos.Sum(o.value)
		}
		sent += len(o.value)
		g.event`)},
		Checkers: []string{"invariant", "agreement", "proposed"},
	},
	{
		Name: "adopted-under-new-origin",
		Rule: "P6: a value that is adopted is encoded again, as if its new proposer had composed it",
		Edits: []Edit{
			edit(proposerAdopt, `	"github.com/paxosd/paxosd/paxos"
)`, `	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)`),
			edit(proposerAdopt, `	ld.settle(g, s, o, v)
}

// settle`, `	if x, err := value.Decode(v); err == nil {
		x.Origin = ld.ballot
		v = value.Encode(nil, &x)
	}
	ld.settle(g, s, o, v)
}

// settle`),
		},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "any-value-of-the-slot-adopted",
		Rule: "A6: a value is adopted by its slot alone, not by ballot and checksum",
		Edits: []Edit{edit("paxos/learner/learner.go", `		if i := s.find(b); i >= 0 && s.tallies[i].held && s.tallies[i].sum == sum {
			return s.tallies[i].value, true
		}`, `		for i := range s.tallies {
			if s.tallies[i].held {
				return s.tallies[i].value, true
			}
		}`)},
		Test: Test{Package: "./paxos/learner", Run: "A6"},
	},
	{
		Name:  "old-origin-not-dropped",
		Rule:  "P6: what a deposed leader composed counts though a later term has started below it",
		Edits: []Edit{edit("paxos/sequencer/sequencer.go", `dropped := val.Origin.Less(s.term) //`, `dropped := false //`)},
		Test:  Test{Package: "./paxos/sequencer", Run: "P6"},
	},
	{
		Name: "serves-before-its-term-start",
		Rule: "P6: a leader takes requests once its term start is proposed, not once it is sequenced",
		Edits: []Edit{
			edit(proposerLeader, `	ld.start = t
	ld.propose(g, s, ld.openNext(s), v, nil)
	return true`, `	ld.start = t
	ld.propose(g, s, ld.openNext(s), v, nil)
	if ld.generation == 0 && g.phase == phase(ld) {
		g.p.generation++
		ld.generation = g.p.generation
		g.subscribe(s, ld.generation, true)
	}
	return true`),
			edit(proposerLeader, `	g.p.generation++
	ld.generation = g.p.generation
	g.failures = 0
	g.subscribe(s, ld.generation, true)
`, `	g.failures = 0
`),
		},
		Test: Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "stale-subscription-served",
		Rule:  "P8: what came by a subscription older than the term is composed all the same",
		Edits: []Edit{edit(proposerIntake, `	case generation != ld.generation:`, `	case generation > ld.generation:`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "request-for-another-leader-taken",
		Rule:  "P6: a batch that names another leader's ballot is taken",
		Edits: []Edit{edit(proposerIntake, `	case !ballot.IsZero() && ballot != ld.ballot:`, `	case !ballot.IsZero() && ballot != ld.ballot && ld.closed:`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "open-slots-proposed-again",
		Rule: "P6: what a deposed leader had proposed and did not see chosen is queued again for its next term: a plain append moves to a second slot",
		Edits: []Edit{
			edit(proposerGroup, `	conflictUntil paxos.Instant //`, `	unseen []*item
	conflictUntil paxos.Instant //`),
			edit(proposerLeader, `	g.p.release(ld, ld.inFlight)
	ld.open,`, `	g.p.release(ld, ld.inFlight)
	for _, o := range ld.open {
		g.unseen = append(g.unseen, o.items...)
	}
	ld.open,`),
			edit(proposerLeader, `	g.subscribe(s, ld.generation, true)
	g.event`, `	g.subscribe(s, ld.generation, true)
	for _, it := range g.unseen {
		if it.kind == value.ItemBatch {
			ld.queue.push(it)
		}
	}
	g.unseen = nil
	g.event`),
		},
		Checkers: []string{"exactly-once"},
	},
	{
		Name: "acknowledged-before-chosen",
		Rule: "P9: a batch is acknowledged when it is proposed",
		Edits: []Edit{
			edit(proposerLeader, `	ld.sendAccept(g, s, o, o.quiet)
	g.learner.OwnAccept`, `	ld.sendAccept(g, s, o, o.quiet)
	at := g.seq.LastOffset()
	for _, it := range o.items {
		if b, err := value.DecodeBatch(it.body); it.kind == value.ItemBatch && err == nil && b.Count > 0 {
			g.reply(s, it.replies, paxos.BatchAnswer{Code: paxos.CodeAppended, Ballot: ld.ballot, Checksum: it.sum, First: at + 1, Count: b.Count, Last: at + paxos.Offset(b.Count)})
			at += paxos.Offset(b.Count)
			it.replies = nil
		}
	}
	g.learner.OwnAccept`),
		},
		Checkers: []string{"durable-ack", "exactly-once", "linearizable"},
	},
	{
		Name: "acknowledged-before-sequenced",
		Rule: "P9: a batch is acknowledged when its slot is chosen, while earlier slots are not",
		Edits: []Edit{
			edit(proposerLeader, `			ld.markChosen(g, s, o)
		}
	}
}`, `			ld.markChosen(g, s, o)
			at := g.seq.LastOffset()
			for _, it := range o.items {
				if b, err := value.DecodeBatch(it.body); it.kind == value.ItemBatch && err == nil && b.Count > 0 {
					g.reply(s, it.replies, paxos.BatchAnswer{Code: paxos.CodeAppended, Ballot: ld.ballot, Checksum: it.sum, First: at + 1, Count: b.Count, Last: at + paxos.Offset(b.Count)})
					at += paxos.Offset(b.Count)
					it.replies = nil
				}
			}
		}
	}
}`),
		},
		Checkers: []string{"durable-ack", "exactly-once", "linearizable"},
	},
	{
		Name: "deposed-leader-goes-on",
		Rule: "P6, P8: a leader that sees a higher ballot goes on proposing, serving and sending beacons at its own",
		Edits: []Edit{edit(proposerGroup, `	case *leader:
		g.contest(s, ph, b)
	case *contested:
		ph.begin(g, s, b)`, `	case *leader:
	case *contested:
		ph.begin(g, s, b)`)},
		Checkers: []string{"exactly-once", "agreement", "progress", "invariant"},
	},
	{
		Name: "raise-keeps-requests",
		Rule: "P8: a leader that raises its ballot in place keeps the plain appends that it had not proposed, and its subscription",
		Edits: []Edit{
			edit(proposerGroup, `	conflictUntil paxos.Instant //`, `	unseen []*item
	conflictUntil paxos.Instant //`),
			edit(proposerLeader, `	g.p.release(ld, ld.inFlight)
	ld.open,`, `	g.p.release(ld, ld.inFlight)
	for it := ld.queue.peek(); it != nil; it = ld.queue.peek() {
		g.unseen = append(g.unseen, it)
		ld.queue.pop()
	}
	ld.open,`),
			edit(proposerLeader, `	g.subscribe(s, ld.generation, true)
	g.event`, `	g.subscribe(s, ld.generation, true)
	for _, it := range g.unseen {
		ld.queue.push(it)
	}
	g.unseen = nil
	g.event`),
		},
		Test: Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "check-quorum-off",
		Rule: "P8: a leader that no write quorum answers, and whose slots do not get chosen, stays leader for ever",
		Edits: []Edit{
			edit(proposerCheck, `	if s.now.Sub(ld.since) >= limit {`, `	if s.now.Sub(ld.since) >= limit && s.now < 0 {`),
			edit(proposerCheck, `	switch age := s.now.Sub(oldest); {`, `	switch age := min(s.now.Sub(oldest), 0); {`),
		},
		Checkers: []string{"progress"},
	},
	{
		Name:  "handover-without-barrier",
		Rule:  "Section 8: an orderly stop does not wait for what its subscription still brings, nor for what is open",
		Edits: []Edit{edit(proposerHand, `		if late || ld.closed && ld.queue.len() == 0 && len(ld.open) == 0 {`, `		if late || !ld.closed || ld.queue.len() == 0 {`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "in-flight-not-bounded",
		Rule:  "P11: bytes in flight have no bound",
		Edits: []Edit{edit(proposerCompose, `	return p.inFlight == 0 || p.inFlight+n <= p.cfg.InFlightBytes`, `	return p.inFlight == 0 || n <= p.cfg.InFlightBytes`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "queue-not-bounded",
		Rule:  "P11: a leader's queue takes every request",
		Edits: []Edit{edit(proposerIntake, `	case ld.queue.len() >= MaxQueued || ld.queue.bytes+len(it.body) > g.p.cfg.QueueBytes:`, `	case ld.queue.len() >= 64*MaxQueued:`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "fetched-values-not-in-flight",
		Rule:  "P11: values that a new leader fetches to adopt count only once they are proposed",
		Edits: []Edit{edit("paxos/proposer/adopt.go", `	g.p.reserve(ld, o.counted)`, `	o.counted = 0`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "waits-for-room-behind-a-batch",
		Rule:  "K5: a leader waits for room behind a batch that acceptors refuse as full, while the command that would make room waits behind it",
		Edits: []Edit{edit(proposerCheck, `case age >= g.p.cfg.Timeout && ld.stuckFull(g, s):`, `case age >= g.p.cfg.ProgressLimit && ld.stuckFull(g, s):`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "full-without-the-silent",
		Rule: "K5: a leader takes silent acceptors for ones with room, and fills the window with what a full one refuses",
		Edits: []Edit{edit("paxos/proposer/checkquorum.go", `		case p.fresh(b, now):
			usable.Add(i)`, `		default:
			usable.Add(i)`)},
		Test: Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "old-question-answered",
		Rule: "P8: an answer to what was asked before a still higher ballot was seen counts towards raising",
		Edits: []Edit{edit(proposerContest, `	if c.round != q.round {
		return
	}
`, "")},
		Test: Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "late-beat-counts",
		Rule:  "P8: an answer to an older beacon takes back what a newer one has shown",
		Edits: []Edit{edit(proposerCheck, `	if number >= b.number {`, `	if number > 0 {`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "plain-dropped",
		Rule: "P9: a leader takes plain appends without an id, and does nothing with them",
		Edits: []Edit{edit(proposerIntake, `	r := reply{env.Reply, env.Request}
	size := value.FrameSize`, `	r := reply{env.Reply, env.Request}
	if m.MessageID == "" {
		return
	}
	size := value.FrameSize`)},
		Checkers: []string{"progress"},
	},
	{
		Name: "dead-leader-refuses",
		Rule: "P6: a leader that ends refuses, as if for certain, the plain appends that it has proposed",
		Edits: []Edit{edit(proposerLeader, `	g.p.release(ld, ld.inFlight)
	ld.open,`, `	for _, o := range ld.open {
		for _, it := range o.items {
			if !it.keyed && it.kind == value.ItemBatch {
				g.reply(s, it.replies, paxos.BatchAnswer{Code: paxos.CodeTooLarge, Ballot: ld.ballot, Checksum: it.sum, Text: "send again"})
			}
		}
	}
	g.p.release(ld, ld.inFlight)
	ld.open,`)},
		Checkers: []string{"exactly-once"},
	},
}
