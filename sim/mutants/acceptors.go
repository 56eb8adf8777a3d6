package mutants

const (
	acceptorGroup   = "paxos/acceptor/group.go"
	acceptorAccept  = "paxos/acceptor/accept.go"
	acceptorPrepare = "paxos/acceptor/prepare.go"
	acceptorAsk     = "paxos/acceptor/ask.go"
	acceptorBeacons = "paxos/acceptor/beacons.go"
	acceptorIdent   = "paxos/acceptor/ident.go"
)

// acceptors break chapter 1.
var acceptors = []Mutant{
	{
		Name: "promise-not-persisted",
		Rule: "A1: a promise is not written; a restart forgets it",
		Edits: []Edit{edit(acceptorPrepare, `
		out.Records = append(out.Records, paxos.Record{
			Kind: paxos.RecordPromise, Log: g.log, Genesis: g.id, Ballot: m.Ballot,
		})
`, "\n")},
		Checkers: []string{"durable-ack", "promise-monotone", "agreement"}, // it is told, and not durable
	},
	{
		Name: "vote-not-persisted",
		Rule: "A1: a vote that raises no promise is not written",
		Edits: []Edit{edit(acceptorAccept, `	out.Records = append(out.Records, paxos.Record{
		Kind: paxos.RecordVote, Log: g.log, Genesis: g.id,
		Slot: p.slot, Ballot: p.ballot, Checksum: p.checksum, Value: p.value,
	})
	has =`, `	if p.slot%2 == 0 {
		out.Records = append(out.Records, paxos.Record{
			Kind: paxos.RecordVote, Log: g.log, Genesis: g.id,
			Slot: p.slot, Ballot: p.ballot, Checksum: p.checksum, Value: p.value,
		})
	}
	has =`)},
		Checkers: []string{"durable-ack", "vote-monotone", "agreement"},
	},
	{
		Name: "answer-before-sync",
		Rule: "A1: promises, votes and refusals leave before they are durable (PITFALLS 9)",
		Edits: []Edit{edit(acceptorGroup,
			`	out.After = append(out.After, paxos.Envelope{Log: g.log, Genesis: g.id, From: a.cfg.Name, Msg: m})`,
			`	out.Now = append(out.Now, paxos.Envelope{Log: g.log, Genesis: g.id, From: a.cfg.Name, Msg: m})`)},
		Checkers: []string{"durable-ack", "promise-monotone", "vote-monotone"},
	},
	{
		Name: "fetched-vote-before-sync",
		Rule: "A1: an answer to a fetch or an ask shows a vote that is not durable yet",
		Edits: []Edit{edit(acceptorGroup, `	out.After = append(out.After, paxos.Envelope{
		Log: env.Log,`, `	out.Now = append(out.Now, paxos.Envelope{
		Log: env.Log,`)},
		Checkers: []string{"durable-ack", "promise-monotone", "vote-monotone"},
	},
	{
		Name: "repeated-vote-before-sync",
		Rule: "A9: a repeated vote leaves before the first is durable",
		Edits: []Edit{edit(acceptorAccept, `			a.learned(g, p, out) // repeated without writing; leaves once the first is durable (A9)
`, `			out.Now = append(out.Now, paxos.Envelope{Log: g.log, Genesis: g.id, From: a.cfg.Name, Msg: &paxos.Learn{
				Voter: a.voter(), Ballot: p.ballot, Votes: []paxos.SlotSum{{Slot: p.slot, Checksum: p.checksum}},
			}})
`)},
		Checkers: []string{"durable-ack", "vote-monotone"},
	},
	{
		Name: "promise-lowered",
		Rule: "A2: a prepare below the promise is promised",
		Edits: []Edit{edit(acceptorGroup, `	case b.Less(*g.promised):
`, `	case b.Less(*g.promised) && of == paxos.KindPrepare:
		g.promised = &b
		return false
	case b.Less(*g.promised):
`)},
		Checkers: []string{"promise-monotone", "vote-monotone", "agreement", "invariant"}, // a vote at the lower ballot is below the promise
	},
	{
		Name: "accept-below-promise",
		Rule: "A3: an accept below the promise is voted for",
		Edits: []Edit{edit(acceptorGroup,
			`	case b.Less(*g.promised):`,
			`	case b.Less(*g.promised) && of == paxos.KindPrepare:`)},
		Checkers: []string{"vote-monotone", "promise-monotone", "agreement", "invariant"},
	},
	{
		Name: "accept-does-not-promise",
		Rule: "A3: an accept above the promise does not raise it (PITFALLS 5)",
		Edits: []Edit{
			edit(acceptorAccept, `	if g.promised.Less(p.ballot) {
		a.raise(now, g, p.ballot, out)
	}
`, `	_ = now
`),
			edit(acceptorAccept, `has = vote{ballot: g.promised,`, `has = vote{ballot: &p.ballot,`),
		},
		Checkers: []string{"promise-monotone", "vote-monotone", "agreement", "invariant"},
	},
	{
		Name:     "vote-not-reported",
		Rule:     "A5: a promise leaves out votes above the highest slot known at the start",
		Edits:    []Edit{edit(acceptorAccept, `	g.highest = max(g.highest, p.slot)`, `	g.highest = max(g.highest, p.slot-1)`)},
		Checkers: []string{"vote-monotone", "agreement"}, // the former holds reports to votes
	},
	{
		Name:     "trimmed-slot-accepted",
		Rule:     "A4: an accept for a trimmed slot is voted for",
		Edits:    []Edit{edit(acceptorAccept, `	if g.live() && p.slot <= g.trimmed {`, `	if g.live() && p.slot < 1 {`)},
		Checkers: []string{"stable", "agreement", "vote-monotone"},
	},
	{
		Name: "trimmed-slot-reported-empty",
		Rule: "A4: a trimmed slot is reported as never voted in, and the trim mark is not told",
		Edits: []Edit{
			edit(acceptorGroup, `func (g *group) next(t paxos.Slot) paxos.Slot { return max(t, g.trimmed+1) }`,
				`func (g *group) next(t paxos.Slot) paxos.Slot { return t }`),
			edit(acceptorGroup, `Trimmed: g.trimmed, Epoch`, `Epoch`),
			edit(acceptorPrepare, `, Trimmed: g.trimmed, Votes`, `, Votes`),
			edit(acceptorAsk, `Gone: why, Trimmed: g.trimmed,`, `Gone: why,`),
		},
		Checkers: []string{"agreement", "stable", "invariant"},
	},
	{
		Name: "chunk-covers-infinity",
		Rule: "A5: a promise's first chunk claims to cover what later chunks report",
		Edits: []Edit{edit(acceptorPrepare,
			`		a.chunk(g, from, r.To, votes, out)`,
			`		a.chunk(g, from, paxos.MaxSlot, votes, out)`)},
		Checkers: []string{"vote-monotone", "agreement"}, // the former holds reports to votes
	},
	{
		Name: "trims-what-is-chosen",
		Rule: "K2: acceptors trim through a beacon's chosen mark instead of its stable mark (PITFALLS 23)",
		Edits: []Edit{edit(acceptorBeacons, `		if it.Withdrawn || it.Stable <= g.trimmed || it.Stable == paxos.MaxSlot {
			continue
		}
		a.trim(g, it.Stable, out)`, `		if it.Withdrawn || it.Chosen <= g.trimmed || it.Chosen == paxos.MaxSlot {
			continue
		}
		a.trim(g, it.Chosen, out)`)},
		Checkers: []string{"stable"},
	},
	{
		Name: "trims-by-an-accept",
		Rule: "K2: acceptors trim by a stable command that they voted for, chosen or not",
		Edits: []Edit{edit(acceptorAccept, `	a.learned(g, p, out)
	return has
}`, `	a.learned(g, p, out)
	if v, err := value.Decode(p.value); err == nil {
		for _, it := range v.Items {
			if it.Kind != value.ItemCommand {
				continue
			}
			c, err := value.DecodeCommand(it.Body)
			if st, ok := c.(*value.Stable); ok && err == nil && st.Slot > g.trimmed {
				a.trim(g, st.Slot, out)
			}
		}
	}
	return has
}`)},
		Checkers: []string{"stable"},
	},
	{
		Name:     "full-refuses-everything",
		Rule:     "K5: a full acceptor refuses commands, no-ops and adopted values too, so that nothing can ever be trimmed",
		Edits:    []Edit{edit(acceptorAccept, `	return err == nil && origin == p.ballot && value.CarriesBatches(p.value)`, `	return err == nil || origin == p.ballot || value.CarriesBatches(p.value)`)},
		Checkers: []string{"progress"},
	},
	{
		Name: "retired-acceptor-votes",
		Rule: "K4: a retired acceptor promises and votes again",
		Edits: []Edit{edit(acceptorGroup, `	case !g.live():
		a.refuse(g, of, b, t, paxos.RefusedRetired, out)
	case b.Less`, `	case b.Less`)},
		Test: Test{Package: "./paxos/acceptor", Run: "K4Retired"},
	},
	{
		Name: "copied-store-not-stopped",
		Rule: "A9: an acceptor that meets another process on its own store goes on",
		Edits: []Edit{edit(acceptorIdent, `	if m.Incarnation == a.cfg.Incarnation && !m.Incarnation.IsZero() {
		out.Stop`, `	if m.Incarnation == a.cfg.Incarnation && m.Incarnation.IsZero() {
		out.Stop`)},
		Test: Test{Package: "./paxos/acceptor", Run: "OneStoreTwice"},
	},
	{
		Name:  "round-jump-followed",
		Rule:  "A2: a round more than 2^32 above the promised one is promised: the next one could not be outbid",
		Edits: []Edit{edit(acceptorGroup, `b.Round-g.promised.Round > paxos.MaxRoundJump:`, `b.Round-g.promised.Round > 1<<63:`)},
		Test:  Test{Package: "./paxos/acceptor", Run: "PromiseOnlyHigher"},
	},
	{
		Name: "fetch-claims-range",
		Rule: "A5: an answer to a fetch covers what was asked for, not what the scan came to",
		Edits: []Edit{edit("paxos/acceptor/fetch.go", `	a.votes(g, env, from, r.To, kept, out)`, `	to := r.To
	if f, ok := env.Msg.(*paxos.Fetch); ok {
		to = f.To
	}
	a.votes(g, env, from, to, kept, out)`)},
		Checkers: []string{"vote-monotone"},
	},
}
