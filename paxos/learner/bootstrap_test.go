package learner

import (
	"fmt"
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// cluster answers a Bootstrap's requests from a scripted log.
type cluster struct {
	g      *paxos.Genesis
	log    *truth
	ballot paxos.Ballot
	piece  int                                                                // bytes of a checkpoint's piece
	gone   map[string]bool                                                    // nobody there
	silent map[string]bool                                                    // never answers
	spoil  func(to string, ask paxos.Message, answer paxos.Message)           // changes an answer
	before func(c *cluster, to string, ask paxos.Message)                     // happens before the answer
	asked  map[string]int                                                     // requests by addressee and kind
	offers func(name string) (mark paxos.Slot, hash paxos.Hash, state []byte) // nil: the truth's newest mark
}

// markedLog is a log whose slot 6 is a mark, made when slot 4 was stable, and whose slot 9 says that slot 7 is.
func markedLog() *cluster {
	g := testGenesis(8)
	c := &cluster{g: g, log: newTruth(g), ballot: ballot(1, "p1"), piece: 1 << 20}
	for i := range 5 {
		c.log.add(text(fmt.Sprint("v", i+1)))
	}
	c.stable(4, true)
	c.log.add(text("v7"))
	c.log.add(text("v8"))
	c.stable(7, false)
	c.log.add(text("v10"))
	if len(c.log.marks) != 1 || c.log.marks[0].slot != 6 {
		panic("slot 6 is no mark")
	}
	return c
}

func (c *cluster) stable(n paxos.Slot, mark bool) {
	c.log.add(command(&value.Stable{Slot: n, Hash: c.log.hashes[n], Keepers: members("l1", "l2"), Mark: mark}))
}

func (c *cluster) through() paxos.Slot { return paxos.Slot(len(c.log.values)) }

func (c *cluster) answer(to string, ask paxos.Message) paxos.Message {
	switch m := ask.(type) {
	case *paxos.Checkpoint:
		mark, hash, state := c.offer(to)
		a := &paxos.CheckpointAnswer{
			Voter: voterOf(to), Mark: mark, Hash: hash, Total: uint32(len(state)), Offset: m.Offset,
			Record: value.EncodeGenesis(c.g), Through: c.through(),
		}
		if m.Offset < a.Total {
			a.State = state[m.Offset:min(int(a.Total), int(m.Offset)+c.piece)]
		}
		return a
	case *paxos.Fetch:
		switch m.What {
		case paxos.FetchHash:
			return &paxos.FetchAnswer{Voter: voterOf(to), From: m.From, After: c.log.hashes[m.From], Known: true, Start: 1, Through: c.through()}
		case paxos.FetchChosen:
			return c.log.answer(to, m.From, m.To, 1, c.through())
		case paxos.FetchVotes:
			return votesAnswer(c.log, to, c.ballot, m.From, m.To, 0)
		}
	}
	return &paxos.Report{}
}

func (c *cluster) offer(name string) (paxos.Slot, paxos.Hash, []byte) {
	if c.offers != nil {
		return c.offers(name)
	}
	if len(c.log.marks) == 0 {
		return 0, paxos.Hash{}, nil
	}
	m := c.log.marks[len(c.log.marks)-1]
	return m.slot, c.log.hashes[m.slot], m.state
}

// run lets b ask the cluster for the given time, or until it is done.
func (c *cluster) run(b *Bootstrap, d paxos.Span) (*Start, bool) {
	c.asked = map[string]int{}
	var out Output
	for now := paxos.Instant(0); now < paxos.Instant(d); now = now.Add(10 * paxos.Millisecond) {
		b.Tick(now, &out)
		for len(out.Requests) > 0 {
			requests := slices.Clone(out.Requests)
			out.Reset()
			for _, e := range requests {
				c.asked[fmt.Sprintf("%s %T", e.To, e.Msg)]++
				if c.before != nil {
					c.before(c, e.To, e.Msg)
				}
				answer := paxos.Envelope{Log: c.g.Log, Genesis: c.g.ID, From: e.To, Request: e.Request}
				switch {
				case c.silent[e.To]:
					continue
				case c.gone[e.To]:
					answer.Msg = &paxos.NoResponders{}
				default:
					answer.Msg = c.answer(e.To, e.Msg)
					if c.spoil != nil {
						c.spoil(e.To, e.Msg, answer.Msg)
					}
				}
				b.OnAnswer(now, &answer, &out)
			}
		}
		if s, ok := b.Done(); ok {
			return s, true
		}
	}
	return b.Done()
}

func newBootstrap(g *paxos.Genesis, learners ...string) *Bootstrap {
	ids := uint64(0)
	return NewBootstrap(Config{
		Genesis: g, Self: "me", Learners: learners, Seed: 3, NextRequest: func() uint64 { ids++; return ids },
	})
}

// same checks that a start is the log at its mark: what follows gives the log's own hashes.
func (c *cluster) same(t *testing.T, s *Start, mark paxos.Slot) {
	t.Helper()
	if s.Mark != mark || s.Hash != c.log.hashes[mark] || s.Sequencer.Through() != mark || s.Sequencer.Hash() != s.Hash {
		t.Fatalf("begins at %d (%v), the sequencer at %d; want %d", s.Mark, s.Hash, s.Sequencer.Through(), mark)
	}
	for n := mark + 1; n <= c.through(); n++ {
		ap, err := s.Sequencer.Apply(n, c.log.value(n))
		if err != nil || ap.Hash != c.log.hashes[n] {
			t.Fatalf("slot %d: %v %v", n, ap.Hash, err)
		}
	}
}

// Slot 0 needs no voucher: without a checkpoint anywhere, or anyone to ask, a log begins at its beginning.
func TestBootstrapAtTheBeginning(t *testing.T) {
	g := testGenesis(8)
	for name, c := range map[string]*cluster{
		"no checkpoint": {g: g, log: newTruth(g)},
		"nobody there":  {g: g, log: newTruth(g), gone: map[string]bool{"l1": true, "l2": true}},
		"nobody speaks": {g: g, log: newTruth(g), silent: map[string]bool{"l1": true, "l2": true}},
	} {
		s, ok := c.run(newBootstrap(g, "l1", "l2"), 3*paxos.Second)
		if !ok {
			t.Fatalf("%s: not done", name)
		}
		c.same(t, s, 0)
	}
	c := &cluster{g: g, log: newTruth(g)}
	if _, ok := c.run(newBootstrap(g), 3*paxos.Second); !ok {
		t.Fatal("no learners: not done")
	}
}

// k keepers of the checkpoint's own state answer an equal hash at the mark.
func TestBootstrapVouchedByKeepers(t *testing.T) {
	c := markedLog()
	c.piece = 100
	s, ok := c.run(newBootstrap(c.g, "l1", "l2"), 5*paxos.Second)
	if !ok {
		t.Fatal("not done")
	}
	if c.asked["a *paxos.Fetch"] != 0 || s.State == nil {
		t.Fatalf("asked %v", c.asked)
	}
	c.same(t, s, 6)
}

// A keeper whose hash at the mark is another one does not vouch.
func TestBootstrapKeepersMustAgree(t *testing.T) {
	c := markedLog()
	c.gone = map[string]bool{"l3": true, "a": true, "b": true}
	c.spoil = func(to string, ask, answer paxos.Message) {
		if f, ok := ask.(*paxos.Fetch); ok && to == "l2" && f.What == paxos.FetchHash {
			answer.(*paxos.FetchAnswer).After = paxos.Hash{0xbd}
		}
	}
	if _, ok := c.run(newBootstrap(c.g, "l1", "l2"), 20*paxos.Second); ok {
		t.Fatal("vouched")
	}
}

// One keeper's word is not enough, nor that of learners that are no keepers, or of a keeper's wiped store.
func TestBootstrapNeedsKKeepers(t *testing.T) {
	c := markedLog()
	c.gone = map[string]bool{"l2": true, "a": true, "b": true}
	c.spoil = func(to string, _, answer paxos.Message) {
		if m, ok := answer.(*paxos.FetchAnswer); ok && to == "l3" {
			m.Incarnation = incarnation("l3", 2)
		}
	}
	if _, ok := c.run(newBootstrap(c.g, "l1", "l2", "l3", "l4"), 20*paxos.Second); ok {
		t.Fatal("vouched by one keeper")
	}
	if c.asked["l1 *paxos.Fetch"] > 200 {
		t.Fatalf("asked %v", c.asked)
	}
}

// With too few keepers, a replay to the newest stable command whose slot a write quorum of acceptors confirms.
func TestBootstrapVouchedByAcceptors(t *testing.T) {
	c := markedLog()
	c.gone = map[string]bool{"l2": true, "l3": true, "c": true}
	s, ok := c.run(newBootstrap(c.g, "l1", "l2"), 20*paxos.Second)
	if !ok {
		t.Fatal("not done")
	}
	c.same(t, s, 6)
}

// Confirmations of two ballots, of strangers, or for other bytes are not a write quorum's.
func TestBootstrapAcceptorsMustAgree(t *testing.T) {
	for name, spoil := range map[string]func(to string, m *paxos.VotesAnswer){
		"two ballots": func(to string, m *paxos.VotesAnswer) { m.Votes[0].Ballot.Round += uint64(to[0]) },
		"strangers":   func(to string, m *paxos.VotesAnswer) { m.Incarnation = incarnation(to, 2) },
		"other bytes": func(_ string, m *paxos.VotesAnswer) { m.Votes[0].Checksum++ },
		"trimmed":     func(_ string, m *paxos.VotesAnswer) { m.Trimmed, m.Votes = 7, nil },
	} {
		c := markedLog()
		c.gone = map[string]bool{"l2": true, "l3": true}
		c.spoil = func(to string, _, answer paxos.Message) {
			if m, ok := answer.(*paxos.VotesAnswer); ok {
				spoil(to, m)
			}
		}
		if _, ok := c.run(newBootstrap(c.g, "l1", "l2"), 20*paxos.Second); ok {
			t.Fatalf("%s: vouched", name)
		}
	}
}

// While it replays, a newer stable command is chosen and the acceptors trim the one that it wanted confirmed: it goes on to that.
func TestBootstrapFollowsTheNewestStableCommand(t *testing.T) {
	c := markedLog()
	c.gone = map[string]bool{"l2": true, "l3": true}
	c.before = func(c *cluster, _ string, ask paxos.Message) {
		if f, ok := ask.(*paxos.Fetch); ok && f.What == paxos.FetchVotes && c.through() == 10 {
			c.stable(10, false)
		}
	}
	c.spoil = func(_ string, _, answer paxos.Message) {
		if m, ok := answer.(*paxos.VotesAnswer); ok && m.From <= 10 {
			m.Trimmed, m.Votes = 10, nil
		}
	}
	s, ok := c.run(newBootstrap(c.g, "l1", "l2"), 20*paxos.Second)
	if !ok {
		t.Fatal("not done")
	}
	c.same(t, s, 6)
}

// A checkpoint whose hash is not the log's is not used, whoever else offers a true one: keepers do not agree with it, and the hash
// in the stable command that a replay meets differs.
func TestBootstrapForgedHash(t *testing.T) {
	c := markedLog()
	m := c.log.marks[0]
	c.offers = func(name string) (paxos.Slot, paxos.Hash, []byte) {
		if name == "l3" {
			return m.slot, paxos.Hash{0xbd}, m.state // the first to offer: taken first
		}
		return m.slot, c.log.hashes[m.slot], m.state
	}
	c.spoil = func(to string, ask, answer paxos.Message) {
		a, ok := answer.(*paxos.FetchAnswer)
		if f, is := ask.(*paxos.Fetch); ok && is && to == "l3" && f.What == paxos.FetchChosen {
			a.Before = paxos.Hash{0xbd}
		}
	}
	s, ok := c.run(newBootstrap(c.g, "l3", "l1", "l2"), 60*paxos.Second)
	if !ok {
		t.Fatal("not done")
	}
	c.same(t, s, 6)
}

// A replay that meets a stable command with another hash than its own does not vouch, whatever acceptors confirm.
func TestBootstrapStableHashDiffers(t *testing.T) {
	c := markedLog()
	c.gone = map[string]bool{"l2": true, "l3": true}
	c.log.add(command(&value.Stable{Slot: 9, Hash: paxos.Hash{0xbd}, Keepers: members("l1", "l2")}))
	if n, _ := c.log.seq.Stable(); n != 9 {
		t.Fatalf("stable is %d", n)
	}
	if _, ok := c.run(newBootstrap(c.g, "l1", "l2"), 30*paxos.Second); ok {
		t.Fatal("vouched")
	}
}

// The learner that sends a checkpoint goes away: another with the very same one goes on where it stopped.
func TestBootstrapPiecesFromSeveralLearners(t *testing.T) {
	c := markedLog()
	c.piece = (len(c.log.marks[0].state) + 19) / 20
	pieces := 0
	c.before = func(c *cluster, to string, ask paxos.Message) {
		if _, ok := ask.(*paxos.Checkpoint); ok {
			if pieces++; pieces == 15 {
				c.gone = map[string]bool{to: true}
			}
		}
	}
	s, ok := c.run(newBootstrap(c.g, "l1", "l2", "l3"), 20*paxos.Second)
	if !ok {
		t.Fatal("not done")
	}
	c.same(t, s, 6)
	if pieces > 3+20+1 { // three offers, twenty pieces, one of them asked for twice
		t.Fatalf("%d pieces asked for", pieces)
	}
}

// Offers that cannot be are not taken: another genesis, a size beyond the bound, a piece beyond its end. From their learner alone
// a log begins at its beginning; a checkpoint that is no state is not given up so fast.
func TestBootstrapUnfitOffers(t *testing.T) {
	for name, spoil := range map[string]func(m *paxos.CheckpointAnswer){
		"another genesis": func(m *paxos.CheckpointAnswer) { m.Record = []byte("other") },
		"too large":       func(m *paxos.CheckpointAnswer) { m.Total = maxStateBytes + 1 },
		"past its end":    func(m *paxos.CheckpointAnswer) { m.Offset = m.Total },
		"not a state":     func(m *paxos.CheckpointAnswer) { m.State = make([]byte, len(m.State)) },
	} {
		c := markedLog()
		c.spoil = func(to string, _, answer paxos.Message) {
			if m, ok := answer.(*paxos.CheckpointAnswer); ok && to == "l3" {
				spoil(m)
			}
		}
		s, ok := c.run(newBootstrap(c.g, "l1", "l2", "l3"), 60*paxos.Second)
		if !ok {
			t.Fatalf("%s: not done", name)
		}
		c.same(t, s, 6)
		s, ok = c.run(newBootstrap(c.g, "l3"), 30*paxos.Second)
		if want := name != "not a state"; ok != want || ok && s.Mark != 0 {
			t.Fatalf("%s: done %v, %+v", name, ok, s)
		}
	}
}

// The one keeper that is left lacks the stable command by which the acceptors trimmed, and so does everybody else: the replay goes on by what
// the acceptors hold above their trim mark, or no newcomer could begin any more, proposers among them.
func TestBootstrapGoesOnByWhatAcceptorsHold(t *testing.T) {
	for _, through := range []paxos.Slot{10, 12} {
		bootstrapByAcceptors(t, through)
	}
}

// bootstrapByAcceptors has a learner with the slots through the given one, and acceptors that trimmed through 10 by the command in slot 41.
func bootstrapByAcceptors(t *testing.T, through paxos.Slot) {
	c := markedLog()
	for range 30 {
		c.log.add(text("v"))
	}
	c.stable(10, false) // in slot 41: it is not looked for slot by slot
	c.gone = map[string]bool{"l2": true, "l3": true}
	c.spoil = func(to string, ask, answer paxos.Message) {
		f, _ := ask.(*paxos.Fetch)
		switch m := answer.(type) {
		case *paxos.VotesAnswer:
			m.Trimmed = 10
			if to == "b" { // it was away, and voted for nothing
				m.Votes = nil
				break
			}
			m.Votes = slices.DeleteFunc(m.Votes, func(v paxos.VoteValue) bool { return v.Slot <= 10 })
			if len(m.Votes) > 4 { // all that fits
				m.Votes = m.Votes[:4]
				m.To = m.Votes[3].Slot
			}
		case *paxos.FetchAnswer:
			if f.What == paxos.FetchChosen {
				*m = *c.log.answer("l1", f.From, f.To, 1, through)
			}
		case *paxos.CheckpointAnswer:
			m.Through = through
		}
	}
	s, ok := c.run(newBootstrap(c.g, "l1", "l2"), 20*paxos.Second)
	if !ok {
		t.Fatal("not done")
	}
	if n := c.asked["a *paxos.Fetch"]; n > 15 {
		t.Fatalf("asked acceptor a %d times", n)
	}
	c.same(t, s, 6)
}

// Where neither keepers nor acceptors can vouch, a leader's beacon does, if the replay has its hash at its slot; if it has another, the
// checkpoint is not used.
func TestBootstrapVouchedByTheLeader(t *testing.T) {
	for name, hash := range map[string]func(c *cluster) paxos.Hash{
		"same":  func(c *cluster) paxos.Hash { return c.log.hashes[9] },
		"other": func(*cluster) paxos.Hash { return paxos.Hash{0xbd} },
	} {
		c := markedLog()
		c.gone = map[string]bool{"l2": true, "l3": true, "a": true, "b": true}
		b := newBootstrap(c.g, "l1", "l2")
		c.before = func(c *cluster, _ string, _ paxos.Message) {
			for _, item := range []paxos.BeaconItem{
				{Chosen: 9, ChosenHash: hash(c), Withdrawn: true},
				{Chosen: 3, ChosenHash: c.log.hashes[3]},
				{Chosen: 9, ChosenHash: hash(c)},
				{Chosen: 20, ChosenHash: paxos.Hash{1}}, // it goes on faster than the replay
			} {
				b.OnBeacon("p1", &item)
			}
		}
		s, ok := c.run(b, 20*paxos.Second)
		if ok != (name == "same") {
			t.Fatalf("%s hash: vouched %v", name, ok)
		}
		if ok {
			c.same(t, s, 6)
		}
	}
}
