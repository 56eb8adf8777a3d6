package mutants

const (
	proposerCandidate = "paxos/proposer/candidate.go"
	proposerPromises  = "paxos/proposer/promises.go"
	proposerGroup     = "paxos/proposer/group.go"
	proposerProposer  = "paxos/proposer/proposer.go"
	proposerAsking    = "paxos/proposer/asking.go"
	quorumQuorum      = "paxos/quorum/quorum.go"
)

// elections break Phase 1: who may stand, what a promise covers, and which value it binds to.
var elections = []Mutant{
	{
		Name:     "write-quorum-off-by-one",
		Rule:     "L1: one vote fewer than a write quorum chooses (PITFALLS 28)",
		Edits:    []Edit{edit(quorumQuorum, `return s.Len() >= m.Write }`, `return s.Len() >= m.Write-1 }`)},
		Checkers: []string{"durable-ack", "agreement"},
	},
	{
		Name:     "read-quorum-off-by-one",
		Rule:     "P1: one promise fewer than a read quorum makes a leader (PITFALLS 28)",
		Edits:    []Edit{edit(quorumQuorum, `return s.Len() >= m.Read }`, `return s.Len() >= m.Read-1 }`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "ballot-reused-after-restart",
		Rule: "A2: a restarted proposer begins again at round 1 with the same run (PITFALLS 3)",
		Edits: []Edit{
			edit(proposerProposer, `	cfg = cfg.withDefaults()
	return &Proposer{`, `	cfg = cfg.withDefaults()
	cfg.Run = 1
	return &Proposer{`),
			edit(proposerCandidate, `paxos.Ballot{Round: g.seen.Round + 1,`, `paxos.Ballot{Round: g.lastOwn.Round + 1,`),
		},
		Checkers: []string{"invariant", "agreement", "proposed", "progress"},
	},
	{
		Name: "old-promise-counted",
		Rule: "P1: a late promise of an earlier ballot counts (PITFALLS 4)",
		Edits: []Edit{edit(proposerCandidate, `	if m.Ballot != t.ballot {
		return
	}
	// The chunk`, `	// The chunk`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "chunks-not-awaited",
		Rule: "A5: an acceptor's promise counts for every slot once any chunk of it has come",
		Edits: []Edit{edit(proposerPromises, `	for _, c := range r.covered {
		if c.from <= from && to <= c.to {
			return true
		}
	}
	return false
}`, `	return len(r.covered) > 0 && from <= to
}`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name:     "lowest-ballot-adopted",
		Rule:     "P1: of two reported votes the one of the lower ballot is proposed again",
		Edits:    []Edit{edit(proposerPromises, `		case !rep.voted || c > 0:`, `		case !rep.voted || c < 0:`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "own-value-over-reported",
		Rule: "P1: a slot that was reported gets the leader's own value (PITFALLS 14)",
		Edits: []Edit{edit("paxos/proposer/leader.go", `	case rep.voted:
		return ld.adopt(g, s, t, rep)`, `	case rep.voted:
		return ld.fillHole(g, s, t)`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "begins-at-slot-1",
		Rule: "P4: where a read quorum reports nothing the log is begun at slot 1",
		Edits: []Edit{
			edit(proposerCandidate, `&term{ballot: b, first: g.next()},`, `&term{ballot: b, first: 1},`),
			edit("paxos/proposer/leader.go", `	if len(ld.open) == 0 {
		ld.next = g.next()
	}
	t := ld.next`, `	if len(ld.open) == 0 {
		ld.next = g.next()
		if ld.start == 0 && ld.promises.highest() == 0 {
			ld.next = 1
		}
	}
	t := ld.next`),
		},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "failed-holder-counts-as-empty",
		Rule: "P5: an acceptor that does not hand out the value it reported still counts to the read quorum, without its report",
		Edits: []Edit{edit(proposerPromises, `		if r == nil || !r.covers(t) || slices.Contains(failed, a) {
			continue
		}
		s.Add(i)
`, `		if r == nil || !r.covers(t) {
			continue
		}
		s.Add(i)
		if slices.Contains(failed, a) {
			continue
		}
`)},
		Checkers: []string{"agreement", "invariant"},
	},
	{
		Name: "trim-mark-ignored",
		Rule: "P3: a candidate ignores the trim marks that it is told",
		Edits: []Edit{edit(proposerGroup, `	if t <= g.told {
		return
	}
	g.told = t`, `	if t <= g.told || t > 0 {
		return
	}
	g.told = t`)},
		Checkers: []string{"agreement", "stable", "progress", "invariant"},
	},
	{
		Name: "stale-boot-believed",
		Rule: "A9: what an earlier start of a store said still counts",
		Edits: []Edit{
			edit("paxos/learner/witness.go", `	s.below = max(s.below, v.Written)
	return StaleBoot, ""
}`, `	s.below = max(s.below, v.Written)
	return Fresh, ""
}`),
			edit("paxos/learner/witness.go", `	if v.Written > s.low {
		return s.exclude("its write number is below one of an earlier boot")
	}
	s.below`, `	s.below`),
		},
		Test: Test{Package: "./paxos/learner", Run: "A9"},
	},
	{
		Name: "copied-store-believed",
		Rule: "A9: a store that is proved to exist twice, or to have gone back, still counts",
		Edits: []Edit{edit("paxos/learner/witness.go", `	s.excluded = true
	return Excluded, proof`, `	return Fresh, proof`)},
		Test: Test{Package: "./paxos/learner", Run: "A9"},
	},
	{
		Name:  "stands-without-asking",
		Rule:  "P7: a standby stands as soon as it has asked, whatever the acceptors say",
		Edits: []Edit{edit(proposerAsking, `		if !quorum.HasRead(m, a.goneIn(m)) {`, `		if !quorum.HasRead(m, a.goneIn(m)) && len(a.all) == 0 {`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "backs-off-from-nobody",
		Rule:  "P7: a standby waits longer after each asking that nobody answered, as if it had been told \"not gone\"",
		Edits: []Edit{edit(proposerAsking, `		if a.unheard(g) {`, `		if a.unheard(g) && len(a.all) == 0 {`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "promise-to-another-run",
		Rule: "A2: a promise to the same round and name counts, though it was given to an earlier start of the process",
		Edits: []Edit{edit(proposerCandidate, `	if m.Ballot != t.ballot {
		return
	}
	// The chunk`, `	if m.Ballot.Round != t.ballot.Round || m.Ballot.Proposer != t.ballot.Proposer {
		return
	}
	// The chunk`)},
		Test: Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name:  "promise-by-name",
		Rule:  "P1: the promise of a store counts for the one that took its name in another membership",
		Edits: []Edit{edit(proposerPromises, `		if r.member == m {`, `		if r.member.Name == m.Name {`)},
		Test:  Test{Package: "./paxos/proposer", Run: "P1PromiseIsOfOneStore"},
	},
}
