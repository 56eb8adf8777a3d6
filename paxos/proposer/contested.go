package proposer

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// contested is a leader that saw a higher ballot. It has stopped proposing, beaconing and acknowledging at its own; it dropped
// what it held and unsubscribed. It asks the acceptors whether the higher ballot is more than one process's try (PROTOCOL P8).
//
//	I1  it raises at most once per higher ballot seen: the raise's own ballot is above it.
type contested struct {
	ballot  paxos.Ballot // the one that it led at
	against paxos.Ballot // the higher one
	inUse   []*paxos.Membership
	round   uint64
	all     []asked // gone means here: its promise is no longer ballot
	next    paxos.Instant
	until   paxos.Instant
}

func (*contested) public() paxos.Phase { return paxos.PhaseStandby }
func (c *contested) at() paxos.Ballot  { return c.ballot }

// contestLimit is how long a contested leader may ask. The log has no leader meanwhile.
const contestLimit = 300 * paxos.Millisecond

// contest stops a leader that saw the higher ballot b.
func (g *group) contest(s *step, ld *leader, b paxos.Ballot) {
	c := &contested{ballot: ld.ballot, inUse: slices.Clone(ld.inUse(g)), until: s.now.Add(contestLimit)}
	leaving := ld.leaving
	g.quit(s, ld)
	if leaving || g.barred(s) {
		g.event(s, paxos.Event{Kind: paxos.EventResigned, Ballot: c.ballot, Text: "a higher ballot was seen: " + b.String()})
		g.enter(s, g.newStandby(s, 0), "a higher ballot was seen")
		g.p.beaconSoon()
		return
	}
	g.enter(s, c, "a higher ballot was seen: "+b.String())
	g.p.beaconSoon()
	c.begin(g, s, b)
}

// begin asks every acceptor in use, anew: an answer counts only if it was asked for after the higher ballot was seen.
func (c *contested) begin(g *group, s *step, against paxos.Ballot) {
	c.against, c.round, c.all = against, g.p.nextRound(), nil
	for _, m := range c.inUse {
		for _, member := range m.Acceptors {
			if !slices.ContainsFunc(c.all, func(x asked) bool { return x.member == member }) {
				c.all = append(c.all, asked{member: member})
			}
		}
	}
	c.repeat(g, s)
}

func (c *contested) repeat(g *group, s *step) {
	c.next = s.now.Add(askAgain)
	for i := range c.all {
		if c.all[i].answered {
			continue
		}
		g.p.request(s, request{purpose: forContest, group: g, round: c.round, index: i}, paxos.Envelope{
			Log: g.log, Genesis: g.id, To: c.all[i].member.Name,
			Msg: &paxos.Ask{Asker: g.p.cfg.Name, Run: g.p.cfg.Run, PromiseOnly: true},
		})
	}
}

func (c *contested) tick(g *group, s *step) {
	switch {
	case s.now >= c.until:
		g.resign(s, "a higher ballot was seen, and too few acceptors still promise the old one", 0)
	case s.now >= c.next:
		c.repeat(g, s)
	}
}

func (c *contested) onAnswer(g *group, s *step, q request, m *paxos.AskAnswer) {
	if c.round != q.round {
		return
	}
	x := &c.all[q.index]
	if x.member.Name != m.Name || x.member.Incarnation != m.Incarnation {
		return
	}
	x.answered = true
	x.gone = m.Promised != c.ballot || m.State != paxos.LogLive
	c.judge(g, s)
}

// judge raises in place once a write quorum of each membership in use still promises the old ballot, and resigns once that
// cannot be any more.
func (c *contested) judge(g *group, s *step) {
	enough := true
	for _, m := range c.inUse {
		var still, open quorum.Set
		for i := range c.all {
			x := &c.all[i]
			k := m.Index(x.member.Name, x.member.Incarnation)
			switch {
			case k < 0:
			case !x.answered:
				open.Add(k)
			case !x.gone:
				still.Add(k)
			}
		}
		if !quorum.HasWrite(m, still|open) {
			g.resign(s, "a higher ballot was seen, and too few acceptors still promise the old one", 0)
			return
		}
		enough = enough && quorum.HasWrite(m, still)
	}
	if enough && !g.barred(s) && g.next() > g.told {
		g.stand(s, "a write quorum still promises "+c.ballot.String(), true)
	}
}
