package mutants

const (
	sequencerBatch    = "paxos/sequencer/batch.go"
	sequencerSessions = "paxos/sequencer/sessions.go"
)

// sequencers break chapter 4.
var sequencers = []Mutant{
	{
		Name: "expired-session-revived",
		Rule: "Q1: a session that has ended goes on with whatever number comes",
		Edits: []Edit{edit(sequencerBatch, `		if sess = s.sessions.touch(b.Session); sess == nil {
			o.Code = paxos.CodeExpired
			return
		}`, `		if sess = s.sessions.touch(b.Session); sess == nil {
			s.sessions.open(b.Session)
			sess = s.sessions.touch(b.Session)
			for sess.last+1 < b.Number {
				s.sessions.consume(sess, kept{code: paxos.CodeForgotten})
			}
		}`)},
		Checkers: []string{"exactly-once"},
	},
	{
		Name: "duplicate-applied",
		Rule: "Q2: a batch whose number is known is appended again; the leader does not answer it before (PITFALLS 15)",
		Edits: []Edit{
			edit(sequencerBatch, `		if s.known(sess, b, o) {
			return
		}`, `		if s.known(sess, b, o) {
			if o.Code == paxos.CodeDuplicate {
				o.Code, o.First = paxos.CodeAppended, s.last+1
				s.last += paxos.Offset(o.Count)
			}
			return
		}`),
			edit(proposerIntake, `		if o, ok := g.seq.Advise(&b); ok {`, `		if o, ok := g.seq.Advise(&b); ok && b.Count == 0 {`),
		},
		Checkers: []string{"exactly-once", "linearizable"},
	},
	{
		Name: "session-order-not-checked",
		Rule: "Q2: a number above the next one is taken, and those before it when they come",
		Edits: []Edit{
			edit(sequencerBatch, `	case n == sess.last+1:
		return false
	case n > sess.last:`, `	case n == sess.last+1:
		return false
	case n > sess.last && n-sess.last <= f:
		for sess.last+1 < n {
			s.sessions.consume(sess, kept{})
		}
		return false
	case n > sess.last:`),
			edit(sequencerBatch, `		if k.checksum != b.Checksum {`, `		if k.code == paxos.CodeNone {
			return false
		}
		if k.checksum != b.Checksum {`),
			edit(sequencerBatch, `	if sess != nil {
		// Every`, `	if sess != nil && b.Number <= sess.last {
		*sess.outcome(b.Number, s.sessions.outcomes) = kept{checksum: b.Checksum, code: o.Code, first: o.First, count: o.Count, last: o.Last}
	} else if sess != nil {
		// Every`),
			edit(sequencerBatch, `		s.known(sess, b, &o)
		return o, true`, `		known := s.known(sess, b, &o)
		return o, known`),
		},
		Checkers: []string{"exactly-once"},
	},
	{
		Name: "refusal-uses-no-number",
		Rule: "Q2: a batch whose condition fails does not use its number up",
		Edits: []Edit{edit(sequencerBatch, `	if sess != nil {
		// Every`, `	if sess != nil && o.Code != paxos.CodeConditionFails {
		// Every`)},
		Test: Test{Package: "./paxos/sequencer", Run: "Q2"},
	},
	{
		Name:  "outcome-of-another-batch",
		Rule:  "Q2: the same number with other bytes is answered as a duplicate",
		Edits: []Edit{edit(sequencerBatch, `		if k.checksum != b.Checksum {`, `		if k.checksum != b.Checksum && k.checksum == 0 {`)},
		Test:  Test{Package: "./paxos/sequencer", Run: "Q2"},
	},
	{
		Name:     "condition-ignored",
		Rule:     "Q3: an expected last offset is not compared",
		Edits:    []Edit{edit(sequencerBatch, `	case b.HasExpect && b.Expect != s.last:`, `	case b.HasExpect && b.Expect != s.last && b.Count == 0:`)},
		Checkers: []string{"linearizable", "exactly-once"},
	},
	{
		Name: "condition-of-the-slot",
		Rule: "Q3: conditions are judged at the slot's beginning, not after the batches before in its list",
		Edits: []Edit{
			edit(sequencerSequencer, `	retained paxos.Offset
	sessions`, `	retained paxos.Offset
	before   paxos.Offset
	sessions`),
			edit(sequencerSequencer, `	s.stamp = max(s.stamp, val.Stamp)`, `	s.before = s.last
	s.stamp = max(s.stamp, val.Stamp)`),
			edit(sequencerBatch, `	case b.HasExpect && b.Expect != s.last:`, `	case b.HasExpect && b.Expect != s.before:`),
		},
		Checkers: []string{"linearizable"},
	},
	{
		Name:     "message-id-forgotten",
		Rule:     "Q4: message ids are not remembered",
		Edits:    []Edit{edit(sequencerBatch, `			s.ids.add(b.MessageID, o.First, b.Count)`, `			_ = s.ids.add`)},
		Checkers: []string{"exactly-once"},
	},
	{
		Name: "message-id-of-a-refusal",
		Rule: "Q2: a batch whose condition fails leaves its message id behind, so that its next try is answered as a duplicate",
		Edits: []Edit{edit(sequencerBatch, `		o.Code = paxos.CodeConditionFails
	case b.Count`, `		o.Code = paxos.CodeConditionFails
		if b.MessageID != "" {
			s.ids.add(b.MessageID, s.last, b.Count)
		}
	case b.Count`)},
		Checkers: []string{"exactly-once", "linearizable"},
	},
	{
		Name:     "stamp-goes-back",
		Rule:     "Q5: a slot's stamp is its proposer's clock, even if an earlier slot's is later",
		Edits:    []Edit{edit(sequencerSequencer, `	s.stamp = max(s.stamp, val.Stamp)`, `	s.stamp = val.Stamp`)},
		Checkers: []string{"dense"},
	},
	{
		Name: "sequencer-reads-the-clock",
		Rule: "Q5: stamps come from the clock of whoever sequences (PITFALLS 22)",
		Edits: []Edit{
			edit(sequencerSequencer, `	"slices"

	"github.com`, `	"slices"
	"time"

	"github.com`),
			edit(sequencerSequencer, `	s.stamp = max(s.stamp, val.Stamp)`, `	s.stamp = max(s.stamp, paxos.Stamp(time.Now().UnixNano()))`),
		},
		Checkers: []string{"prefix", "invariant"},
	},
	{
		Name: "map-order-in-the-state",
		Rule: "Q5: a mark's state lists sessions in the order of a map, other in each process (PITFALLS 22)",
		Edits: []Edit{edit("paxos/sequencer/state.go", `	for n := s.oldest; n != nil; n = n.newer {
		b = le.AppendUint64(b, uint64(n.id.Slot))`, `	for _, n := range s.byID {
		b = le.AppendUint64(b, uint64(n.id.Slot))`)},
		Checkers: []string{"prefix", "invariant"},
	},
	{
		Name: "unknown-command-skipped",
		Rule: "Q6: a chosen command of a later version is skipped instead of stopping the log",
		Edits: []Edit{edit(sequencerSequencer, `		if err != nil {
			return val, fmt.Errorf("item %d: %w", i, err)
		}`, `		if errors.Is(err, value.ErrUnknownCommand) {
			continue
		}
		if err != nil {
			return val, fmt.Errorf("item %d: %w", i, err)
		}`)},
		Test: Test{Package: "./paxos/sequencer", Run: "Q6"},
	},
}

// stability breaks chapter 5, as far as proposers and the sequencer are concerned.
var stability = []Mutant{
	{
		Name: "keepers-miscounted",
		Rule: "K2: what the foremost keeper holds is stated as held by all of them",
		Edits: []Edit{
			edit("paxos/proposer/stability.go", `	n := have[need-1]`, `	n := have[0]`),
			edit("paxos/proposer/stability.go", `k.counts(g) && k.verified >= n {`, `k.counts(g) && n > 0 {`),
		},
		Checkers: []string{"stable"},
	},
	{
		Name: "keeper-reports-not-verified",
		Rule: "K2, L5: a keeper's report counts whatever its hash",
		Edits: []Edit{edit("paxos/proposer/stability.go", `	case own == k.hash:
`, `	case own == k.hash || k.slot > 0:
`)},
		Test: Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
	{
		Name: "stable-through-what-is-sequenced",
		Rule: "K2: the leader states as stable what it has sequenced itself, on record with every keeper",
		Edits: []Edit{
			edit("paxos/proposer/stability.go", `	n := have[need-1]`, `	n := g.through()`),
			edit("paxos/proposer/stability.go", `k.counts(g) && k.verified >= n {`, `k.counts(g) && n > 0 {`),
		},
		Checkers: []string{"stable"},
	},
	{
		Name:  "keeper-removed-too-early",
		Rule:  "K3: a keeper is removed though too few of the rest are on record at the stable mark",
		Edits: []Edit{edit(sequencerCommand, `		if stay < k.K {`, `		if stay < k.K && stay < 0 {`)},
		Test:  Test{Package: "./paxos/sequencer", Run: "K3"},
	},
	{
		Name:  "stable-feeds-on-itself",
		Rule:  "Section 8: stable is stated though nothing but stable commands lies above the mark: an idle log grows for ever",
		Edits: []Edit{edit("paxos/proposer/stability.go", `	case n > st.mark && st.solid > st.mark:`, `	case n > st.mark:`)},
		Test:  Test{Package: "./paxos/proposer", Run: "Transcripts"},
	},
}
