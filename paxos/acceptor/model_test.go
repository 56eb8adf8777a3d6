package acceptor

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// model drives a rig with random messages, reads that are late twice (when the store looks, and when the answer comes), syncs and
// crashes, and checks after every step what the acceptor says against what its store holds, and after every crash that nothing that was heard is
// forgotten.
type model struct {
	*rig
	r *rapid.T

	results []*ReadResult // reads done, not delivered
	full    bool

	// What left the process: it must be true for ever.
	heardPromise paxos.Ballot
	heardVotes   map[paxos.Slot]paxos.SlotSum
	heardBallots map[paxos.Slot]paxos.Ballot
	heardTrim    paxos.Slot

	asked *prepared // the newest prepare that was followed and not overtaken, in this run
}

// prepared is a candidate's view of its promise.
type prepared struct {
	ballot paxos.Ballot
	from   paxos.Slot
	chunks []*paxos.Promise
}

// valueAt is the only value ever proposed in a slot at a ballot. Odd slots adopt: their origin is an older ballot.
func valueAt(t paxos.Slot, b paxos.Ballot) []byte {
	origin := b
	if t%2 == 1 {
		origin = bal(1, "p0")
	}
	return batchValue(origin, fmt.Sprint(t, b))
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &model{
			rig: newRig(t, "main"), r: r,
			heardVotes: map[paxos.Slot]paxos.SlotSum{}, heardBallots: map[paxos.Slot]paxos.Ballot{},
		}
		for range rapid.IntRange(1, 120).Draw(r, "steps") {
			m.next()
		}
		m.finish()
	})
}

// slots are few, so that they meet, and in three places so far apart that the cache cannot hold them all.
func (m *model) slot() paxos.Slot {
	base := rapid.SampledFrom([]paxos.Slot{1, 3000, 9000}).Draw(m.r, "base")
	return base + paxos.Slot(rapid.IntRange(0, 12).Draw(m.r, "slot"))
}

func (m *model) ballot() paxos.Ballot {
	return bal(uint64(rapid.IntRange(1, 6).Draw(m.r, "round")), rapid.SampledFrom([]string{"p1", "p2"}).Draw(m.r, "proposer"))
}

func (m *model) next() {
	switch what := rapid.IntRange(0, 99).Draw(m.r, "what"); {
	case what < 50:
		b, t := m.ballot(), m.slot()
		m.deliver(accept(b, t, valueAt(t, b)))
	case what < 62:
		m.deliver(prepare(m.ballot(), m.slot()))
	case what < 66:
		m.deliver(beacon(&paxos.Beacon{Proposer: "p1", Run: 1, Number: 1, Items: []paxos.BeaconItem{leads(bal(1, "p1"), m.slot())}}))
	case what < 70:
		from := m.slot()
		m.deliver(about(1, "main", "l1", &paxos.Fetch{
			What: paxos.FetchVotes, From: from, To: from + m.slot(), MaxBytes: uint32(rapid.IntRange(0, 500).Draw(m.r, "bytes")),
		}))
	case what < 78:
		m.look()
	case what < 86:
		m.complete()
	case what < 94:
		m.flush()
	case what < 97:
		m.full = !m.full
		m.check(m.step(func(out *Output) { m.a.SetFull(m.full, out) }), nil)
	default:
		m.crash()
	}
}

func (m *model) deliver(env paxos.Envelope) {
	if p, ok := env.Msg.(*paxos.Prepare); ok && !p.Ballot.Less(m.log().promised) {
		if m.asked == nil || m.asked.ballot != p.Ballot {
			m.asked = &prepared{ballot: p.Ballot, from: p.From}
		}
		m.asked.from = min(m.asked.from, p.From)
	}
	m.check(m.step(func(out *Output) { m.a.Deliver(m.now, &env, out) }), &env)
}

// look makes the store answer the oldest read; the answer waits.
func (m *model) look() {
	if len(m.reads) > 0 {
		i := rapid.IntRange(0, len(m.reads)-1).Draw(m.r, "read")
		q := m.reads[i]
		m.reads = slices.Delete(m.reads, i, i+1)
		m.results = append(m.results, m.applied.scan(&q))
	}
}

// complete delivers an answer to a read.
func (m *model) complete() {
	if len(m.results) > 0 {
		i := rapid.IntRange(0, len(m.results)-1).Draw(m.r, "result")
		res := m.results[i]
		m.results = slices.Delete(m.results, i, i+1)
		m.check(m.step(func(out *Output) { m.a.OnRead(m.now, res, out) }), nil)
	}
}

func (m *model) log() *diskLog { return m.applied.logs[paxos.GenesisID{1}] }

// check compares an output with the store as it is once its records are applied.
func (m *model) check(out *Output, env *paxos.Envelope) {
	l := m.log()
	for _, env := range out.After {
		switch a := env.Msg.(type) {
		case *paxos.Promise:
			m.checkChunk(l, a)
		case *paxos.Refuse:
			m.checkRefuse(l, a)
		case *paxos.Learn:
			for _, v := range a.Votes {
				if has := l.votes[v.Slot]; v.Slot > l.trimmed && (has.Ballot.Less(a.Ballot) || (has.Ballot == a.Ballot && has.Checksum != v.Checksum)) {
					m.r.Fatalf("learn of slot %d at %s, the store has %s", v.Slot, a.Ballot, has.Ballot)
				}
			}
		case *paxos.VotesAnswer:
			m.checkVotes(l, a)
		}
	}
	for _, e := range out.Events {
		if e.Kind == paxos.EventDropped && e.Text != "too many fetches wait for a read" {
			m.r.Fatalf("dropped: %s", e.Text)
		}
	}
	if env != nil {
		m.checkFollowed(l, env, out)
	}
}

// checkChunk: the votes in a chunk's range are exactly those of the store, but for the candidate's own ballot (P5), and no range reaches
// down to T (I3).
func (m *model) checkChunk(l *diskLog, p *paxos.Promise) {
	if p.Ballot != l.promised || p.Trimmed != l.trimmed || p.From <= l.trimmed || p.To < p.From {
		m.r.Fatalf("chunk %s [%d,%d] T=%d, the store has %s T=%d", p.Ballot, p.From, p.To, p.Trimmed, l.promised, l.trimmed)
	}
	own := func(t paxos.Slot) bool { return l.votes[t].Ballot == p.Ballot }
	var want, got []paxos.VoteInfo
	for _, v := range l.between(p.From, p.To) {
		if !own(v.Slot) {
			want = append(want, v.VoteInfo)
		}
	}
	for _, v := range p.Votes {
		if !own(v.Slot) {
			got = append(got, v)
		}
	}
	if !slices.Equal(want, got) {
		m.r.Fatalf("chunk [%d,%d] reports %v, the store has %v", p.From, p.To, got, want)
	}
	if m.asked != nil && m.asked.ballot == p.Ballot {
		m.asked.chunks = append(m.asked.chunks, p)
	}
}

func (m *model) checkRefuse(l *diskLog, f *paxos.Refuse) {
	// One step may judge several parked accepts, so that the promise may be higher at its end.
	if l.promised.Less(f.Promised) || f.Trimmed != l.trimmed {
		m.r.Fatalf("refusal shows %s T=%d, the store has %s T=%d", f.Promised, f.Trimmed, l.promised, l.trimmed)
	}
	why := false
	switch f.Reason {
	case paxos.RefusedBallot:
		why = f.Refused.Less(f.Promised)
	case paxos.RefusedTrimmed:
		why = f.Slot <= l.trimmed
	case paxos.RefusedFull:
		why = m.full && f.Slot%2 == 0
	default:
	}
	if !why {
		m.r.Fatalf("refused for reason %d without reason", f.Reason)
	}
}

// checkVotes: what an answer to a fetch shows was voted for, and nothing above T is missing that is still at the ballot shown or lower.
func (m *model) checkVotes(l *diskLog, a *paxos.VotesAnswer) {
	if a.Trimmed != l.trimmed || a.To < a.From {
		m.r.Fatalf("votes [%d,%d] T=%d, the store has T=%d", a.From, a.To, a.Trimmed, l.trimmed)
	}
	for i, v := range a.Votes {
		has := l.votes[v.Slot]
		if v.Slot <= a.Trimmed || v.Slot < a.From || v.Slot > a.To || (i > 0 && a.Votes[i-1].Slot >= v.Slot) ||
			has.Ballot.Less(v.Ballot) || paxos.Sum(v.Value) != v.Checksum || string(v.Value) != string(valueAt(v.Slot, v.Ballot)) {
			m.r.Fatalf("vote %d at %s shown, the store has %s", v.Slot, v.Ballot, has.Ballot)
		}
	}
}

// checkFollowed: every prepare and accept is followed, refused, or waits for a read (A7), and it is followed if and only if the rules say so.
func (m *model) checkFollowed(l *diskLog, env *paxos.Envelope, out *Output) {
	refused := func(b paxos.Ballot) bool {
		return slices.ContainsFunc(out.After, func(e paxos.Envelope) bool {
			f, ok := e.Msg.(*paxos.Refuse)
			return ok && f.Of == env.Msg.Kind() && f.Refused == b
		})
	}
	switch q := env.Msg.(type) {
	case *paxos.Prepare:
		if (l.promised == q.Ballot) == refused(q.Ballot) {
			m.r.Fatalf("prepare %s: refused=%t, promised %s", q.Ballot, refused(q.Ballot), l.promised)
		}
	case *paxos.Accept:
		has := l.votes[q.Slot]
		waits := slices.ContainsFunc(m.a.groups[env.Genesis].parked, func(p parked) bool { return p.slot == q.Slot && p.ballot == q.Ballot })
		if voted := has.Ballot == q.Ballot && q.Slot > l.trimmed; !voted && !refused(q.Ballot) && !waits {
			m.r.Fatalf("accept of slot %d at %s neither followed nor refused nor parked", q.Slot, q.Ballot)
		}
	}
}

// flush syncs; what leaves is remembered as heard.
func (m *model) flush() {
	for _, env := range m.sync() {
		switch a := env.Msg.(type) {
		case *paxos.Promise:
			m.hear(a.Ballot, a.Trimmed)
		case *paxos.Refuse:
			m.hear(a.Promised, a.Trimmed)
		case *paxos.Learn:
			for _, v := range a.Votes {
				if m.heardBallots[v.Slot].Less(a.Ballot) {
					m.heardBallots[v.Slot], m.heardVotes[v.Slot] = a.Ballot, v
				}
			}
		}
	}
}

func (m *model) hear(b paxos.Ballot, trimmed paxos.Slot) {
	if m.heardPromise.Less(b) {
		m.heardPromise = b
	}
	m.heardTrim = max(m.heardTrim, trimmed)
}

// crash loses all that was not synced. Whatever left must still be true.
func (m *model) crash() {
	m.start()
	m.results, m.asked, m.full = nil, nil, false
	l := m.log()
	if l.promised.Less(m.heardPromise) || l.trimmed < m.heardTrim {
		m.r.Fatalf("forgot: promise %s of %s, T %d of %d", l.promised, m.heardPromise, l.trimmed, m.heardTrim)
	}
	for t, b := range m.heardBallots {
		has := l.votes[t]
		if t > l.trimmed && (has.Ballot.Less(b) || (has.Ballot == b && has.Checksum != m.heardVotes[t].Checksum)) {
			m.r.Fatalf("forgot the vote in slot %d at %s, has %s", t, b, has.Ballot)
		}
	}
}

// finish lets all reads come back, and checks that the candidate that holds the promise has chunks that cover everything that it
// asked for (A5).
func (m *model) finish() {
	for len(m.reads)+len(m.results) > 0 {
		m.look()
		m.complete()
	}
	m.flush()
	if len(m.a.groups[paxos.GenesisID{1}].parked)+m.a.parkedCount+m.a.parkedBytes+m.a.fetches+len(m.a.reads) != 0 {
		m.r.Fatalf("something still waits")
	}
	p := m.asked
	if p == nil || p.ballot != m.log().promised {
		return
	}
	slices.SortFunc(p.chunks, func(a, b *paxos.Promise) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	next := max(p.from, m.log().trimmed+1)
	for _, c := range p.chunks {
		if c.From <= next {
			if c.To == paxos.MaxSlot {
				return
			}
			next = max(next, c.To+1)
		}
	}
	m.r.Fatalf("the promise %s from %d covers nothing at %d", p.ballot, p.from, next)
}
