package mutants

const (
	learnerDeliver   = "paxos/learner/deliver.go"
	learnerSettle    = "paxos/learner/settle.go"
	learnerMarks     = "paxos/learner/marks.go"
	learnerAnswers   = "paxos/learner/answers.go"
	learnerRepair    = "paxos/learner/repair.go"
	learnerWindow    = "paxos/learner/window.go"
	learnerVouch     = "paxos/learner/vouch.go"
	learnerBootstrap = "paxos/learner/bootstrap.go"
	learnerRead      = "paxos/learner/readquorum.go"
)

// learners break how a slot comes to be known as chosen.
var learners = []Mutant{
	{
		Name: "one-acceptor-twice",
		Rule: "L1: an acceptor's repeated vote counts again (PITFALLS 8)",
		Edits: []Edit{edit(learnerDeliver, `	y.votes.Add(k)`, `	if y.votes.Has(k) {
		k += 32
	}
	y.votes.Add(k)`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "invariant"},
	},
	{
		Name: "votes-added-over-ballots",
		Rule: "L1: votes of different ballots are added (PITFALLS 8)",
		Edits: []Edit{edit(learnerSettle, `	if s.decided == i && s.voted || !quorum.HasWrite(m, s.tallies[i].votes) {`, `	var all quorum.Set
	for j := range s.tallies {
		all |= s.tallies[j].votes
	}
	if s.decided == i && s.voted || !quorum.HasWrite(m, all) {`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "invariant"},
	},
	{
		Name: "mark-of-any-ballot",
		Rule: "L2: a chosen mark covers values of whatever ballot",
		Edits: []Edit{
			edit(learnerMarks, `m.all[i].n >= t && m.all[i].ballot == b {`, `m.all[i].n >= t && !b.IsZero() {`),
			edit(learnerDeliver, `		if i := s.find(b); i >= 0 && s.tallies[i].held {
			l.decide(s, i, false, out)
		}`, `		for i := range s.tallies {
			if s.tallies[i].held {
				l.decide(s, i, false, out)
				break
			}
		}`),
		},
		Checkers: []string{"agreement", "prefix", "invariant"},
	},
	{
		Name:     "mark-beyond-what-is-sequenced",
		Rule:     "L2: a beacon's chosen mark runs through all that the leader has proposed",
		Edits:    []Edit{edit("paxos/proposer/beacon.go", `		Chosen: g.through(),`, `		Chosen: max(g.through(), ld.next-1),`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "invariant"},
	},
	{
		Name:     "told-beyond-what-is-sequenced",
		Rule:     "L2: a leader tells with its values a mark that runs through all that it has proposed",
		Edits:    []Edit{edit("paxos/proposer/quiet.go", `		through, hash := g.through(), g.seq.Hash()`, `		through, hash := max(g.through(), ld.next-1), g.seq.Hash()`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "invariant"},
	},
	{
		Name:  "never-aloud",
		Rule:  "L1: a leader asks quietly though a keeper that cannot hear it stands still",
		Edits: []Edit{edit("paxos/proposer/stability.go", `now.Sub(k.goalAt) >= g.p.cfg.Timeout && k.counts(g)`, `now.Sub(k.goalAt) >= 1000*g.p.cfg.Timeout && k.counts(g)`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts/quiet"},
	},
	{
		Name: "leader-learns-from-others",
		Rule: "P1, L2: a leader completes its slots by what learners send, and vouches for it in its beacons",
		Edits: []Edit{
			edit(learnerRepair, `	if on && !r.votesOnly {`, `	if on && r.votesOnly {`),
			edit(learnerRepair, `	r.votesOnly = on
}`, `	r.votesOnly = false
}`),
			edit(proposerLeader, `	case c.Ballot.IsZero():
		// It came from a learner: this ballot may not vouch for it (PROTOCOL L2).
		g.resign(s, "a slot came without its ballot", 0)
		return
`, ``),
		},
		Test: Test{Package: "./paxos/learner", Run: "VotesOnly"},
	},
	{
		Name: "head-taken-undecided",
		Rule: "L1: where a later slot is decided, the value held for an earlier one is taken without votes",
		Edits: []Edit{edit(learnerSettle, `		if s == nil || !s.ready() {
			return
		}
`, `		if s == nil || len(s.tallies) == 0 || !s.tallies[max(s.decided, 0)].held {
			return
		}
		s.decided = max(s.decided, 0)
`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "invariant"},
	},
	{
		Name: "fetched-slot-applied-twice",
		Rule: "L4: a fetched slot that is sequenced already is applied again in the next one",
		Edits: []Edit{edit(learnerAnswers, `		if t <= l.win.base {
			continue
		}
		*bytes`, `		*bytes`)},
		Checkers: []string{"prefix", "agreement", "invariant", "exactly-once"},
	},
	{
		Name: "idle-gap-not-repaired",
		Rule: "L3: a beacon's mark above what is held triggers no repair",
		Edits: []Edit{edit(learnerDeliver, `	l.KnownChosen(n)
	l.marked`, `	l.marked`)},
		Checkers: []string{"progress", "prefix"},
	},
	{
		Name: "buffer-not-bounded",
		Rule: "P2: values above the prefix are held without a bound",
		Edits: []Edit{edit(learnerWindow, `	for far := w.top; w.bytes+n > limit && far > t; far-- {`, `	for far := w.top; w.bytes+n > limit && far > t && limit < 0; far-- {`), edit(learnerWindow, `	if w.bytes+n <= limit {
		return true
	}`, `	if w.bytes+n <= limit || limit > 0 {
		return true
	}`)},
		Test: Test{Package: "./paxos/learner", Run: "Buffer"},
	},
	{
		Name:  "hash-not-compared",
		Rule:  "L5: fetched slots are joined onto another history",
		Edits: []Edit{edit(learnerAnswers, `	if own != m.Before {`, `	if own != m.Before && l.stopped != nil {`)},
		Test:  Test{Package: "./paxos/learner", Run: "JoinsOnlyOntoEqualHash"},
	},
	{
		Name:  "checkpoint-not-verified",
		Rule:  "Section 8: a checkpoint's bytes are not held to the hash that others vouch for",
		Edits: []Edit{edit("paxos/sequencer/state.go", `	if paxos.Hash(sha256.Sum256(append(slices.Clip(before), sum[:]...))) != hash {`, `	if paxos.Hash(sha256.Sum256(append(slices.Clip(before), sum[:]...))) != hash && hash.IsZero() {`)},
		Test:  Test{Package: "./paxos/sequencer", Run: "Restore"},
	},
	{
		Name:  "checkpoint-not-vouched-for",
		Rule:  "Section 8: one keeper's word is enough to begin from a checkpoint",
		Edits: []Edit{edit(learnerVouch, `k.K > 0 && len(v.agreed) >= k.K {`, `k.K > 0 && len(v.agreed) >= 1 {`)},
		Test:  Test{Package: "./paxos/learner", Run: "Bootstrap"},
	},
	{
		Name:  "late-vote-at-the-chosen-ballot",
		Rule:  "L1: a vote for another value at the very ballot that was sequenced passes without a word",
		Edits: []Edit{edit("paxos/learner/deliver.go", `d.ballot.Compare(b) <= 0 {`, `d.ballot.Compare(b) < 0 {`)},
		Test:  Test{Package: "./paxos/learner", Run: "LateVote"},
	},
	{
		Name:  "began-without-a-word",
		Rule:  "L3: a standby that begins is not told how far a log goes that is idle",
		Edits: []Edit{edit("paxos/learner/words.go", `		l.KnownChosen(x.item.Chosen)`, `		l.KnownChosen(min(x.item.Chosen, 0))`)},
		Test:  Test{Package: "./paxos/learner", Run: "TestL3WordsBeforeTheBeginning"},
	},
	{
		Name: "early-word-lost",
		Rule: "L2: a proposer that looks for a log's beginning forgets the beacon that listed the log before it helped",
		Edits: []Edit{edit("paxos/learner/words.go", `	if x, ok := w.all[id]; ok {
		b.OnBeacon(`, `	if x, ok := w.all[id]; ok && b.stage == stageAsking {
		b.OnBeacon(`)},
		Test: Test{Package: "./paxos/learner", Run: "TestWordsAreKept"},
	},
}

// readQuorums break the rule by which a read quorum's answers decide a slot known to be chosen (PROTOCOL L4).
var readQuorums = []Mutant{
	{
		Name:  "read-quorum-of-old-answers",
		Rule:  "L4: an answer to an earlier poll, read before the slot was known to be chosen, counts to this one",
		Edits: []Edit{edit(learnerRead, `	if x.poll == 0 || f.poll != x.poll || m.Trimmed`, `	if x.poll == 0 || m.Trimmed`)},
		Test:  Test{Package: "./paxos/learner", Run: "L4|BallotBox"},
	},
	{
		Name: "read-quorum-of-unknown-slots",
		Rule: "L4: a read quorum's highest vote is taken for a slot that is not known to be chosen",
		Edits: []Edit{edit(learnerRead, `	known := l.marked
`, `	known := max(l.marked, l.seen)
`)},
		Checkers: []string{"durable-ack", "agreement", "prefix", "invariant"},
	},
	{
		Name:  "read-quorum-lowest-vote",
		Rule:  "L4: of a read quorum's answers the lowest vote is taken",
		Edits: []Edit{edit(learnerRead, `voted && best.Ballot.Less(v.Ballot) {`, `voted && (name == "" || v.Ballot.Less(best.Ballot)) {`)},
		Test:  Test{Package: "./paxos/learner", Run: "L4|BallotBox"},
	},
	{
		Name: "read-quorum-of-one",
		Rule: "L4: one acceptor's answer decides a slot that is known to be chosen",
		Edits: []Edit{edit(learnerRead, `	return best, name, quorum.HasRead(m, answered) && name != ""`, `	_ = quorum.HasRead
	return best, name, answered.Len() > 0 && name != ""`)},
		Test: Test{Package: "./paxos/learner", Run: "L4|BallotBox"},
	},
	{
		Name:  "read-quorum-of-trimmed",
		Rule:  "L4: an acceptor that has trimmed the slot counts to the read quorum, as one without a vote",
		Edits: []Edit{edit(learnerRead, `f.poll != x.poll || m.Trimmed >= to || from > to {`, `f.poll != x.poll || from > to {`), edit(learnerRead, `from: max(from, m.Trimmed+1), to: to,`, `from: from, to: to,`)},
		Test:  Test{Package: "./paxos/learner", Run: "L4|BallotBox"},
	},
	{
		Name:  "newcomer-asks-learners-alone",
		Rule:  "L4: a newcomer does not ask acceptors for a stable command above their trim mark that the keeper left over lacks",
		Edits: []Edit{edit("paxos/learner/vouch.go", `	b.vouch.replay.repair.beyond = true`, `	b.vouch.replay.repair.beyond = false`)},
		Test:  Test{Package: "./paxos/learner", Run: "Bootstrap"},
	},
	{
		Name:  "repair-waits-for-the-silent",
		Rule:  "L4: each step of a repair waits for acceptors that do not answer, though the others' answers were enough (PITFALLS 24)",
		Edits: []Edit{edit("paxos/learner/repair.go", `	return late > 0 && r.covering(head)+late >= l.enough(head)`, `	return late > 0`)},
		Test:  Test{Package: "./paxos/learner", Run: "L4"},
	},
}
