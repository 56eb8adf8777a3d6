package proposer

import (
	"fmt"
	"strings"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// change is a membership command that waits until enough of the new set has answered ident (PROTOCOL K4): a membership whose
// quorums are not there would stop the log at its first slot.
type change struct {
	set     *value.SetMembership
	body    []byte
	reply   reply
	sum     paxos.Checksum
	round   uint64
	here    quorum.Set
	askedAt paxos.Instant
	until   paxos.Instant
}

// changeLimit is how long the acceptors of a new membership have to answer.
const changeLimit = 1 * paxos.Second

// onAdmin takes an administrator's command. Commands that only leaders make are refused: what a stable command says, acceptors
// act upon.
func (g *group) onAdmin(s *step, env *paxos.Envelope, m *paxos.Admin) {
	ld := g.taking(s, m.Ballot, m.Generation)
	if ld == nil {
		return
	}
	r := reply{env.Reply, env.Request}
	sum := paxos.Sum(m.Command)
	cmd, err := value.DecodeCommand(m.Command)
	if err != nil {
		g.refuse(s, ld, r, sum, paxos.CodeMalformed, err.Error())
		return
	}
	switch cmd := cmd.(type) {
	case *value.SetMembership:
		g.onChange(s, ld, r, sum, cmd, m.Command)
	case *value.SetLevel:
		if cmd.Level > paxos.FormatLevel { // it would stop this very process (PROTOCOL Q6)
			g.refuse(s, ld, r, sum, paxos.CodeUpgrade, fmt.Sprintf("the leader knows format levels through %d", paxos.FormatLevel))
			return
		}
		g.command(s, ld, r, m.Command)
	case *value.SetKeepers, *value.Retain:
		g.command(s, ld, r, m.Command)
	default:
		g.refuse(s, ld, r, sum, paxos.CodeMalformed, "only a leader makes this command")
	}
}

// onChange begins to ask the acceptors of a new membership.
func (g *group) onChange(s *step, ld *leader, r reply, sum paxos.Checksum, cmd *value.SetMembership, body []byte) {
	if err := quorum.Validate(&cmd.Membership); err != nil {
		g.refuse(s, ld, r, sum, paxos.CodeMalformed, err.Error())
		return
	}
	if c := ld.change; c != nil {
		if c.sum == sum {
			c.reply = r
			return
		}
		g.refuse(s, ld, r, sum, paxos.CodeOverloaded, "another membership change is under way")
		return
	}
	ld.change = &change{set: cmd, body: body, reply: r, sum: sum, round: g.p.nextRound(), until: s.now.Add(changeLimit)}
	ld.tickChange(g, s)
}

// tickChange asks again, or refuses the change for the want of answers.
func (ld *leader) tickChange(g *group, s *step) {
	c := ld.change
	switch {
	case c == nil:
	case s.now >= c.until:
		ld.change = nil
		g.refuse(s, ld, c.reply, c.sum, paxos.CodeOverloaded, "these acceptors of the new membership do not answer: "+c.missing())
	case s.now >= c.askedAt.Add(askAgain) || c.askedAt == 0:
		c.askedAt = s.now
		for i, a := range c.set.Membership.Acceptors {
			if c.here.Has(i) {
				continue
			}
			g.p.request(s, request{purpose: forIdent, group: g, round: c.round, index: i}, paxos.Envelope{
				Log: paxos.ProcessLog, To: a.Name,
				Msg: &paxos.Ident{Asker: g.p.cfg.Name, Role: paxos.RoleProposer, Run: g.p.cfg.Run},
			})
		}
	}
}

func (c *change) missing() string {
	var names []string
	for i, a := range c.set.Membership.Acceptors {
		if !c.here.Has(i) {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ", ")
}

// onIdentAnswer counts an acceptor of the new membership, and queues the command once its R and W are there.
func (g *group) onIdentAnswer(s *step, q request, m *paxos.IdentAnswer) {
	ld, ok := g.phase.(*leader)
	if !ok || ld.change == nil || ld.change.round != q.round {
		return
	}
	c := ld.change
	a := c.set.Membership.Acceptors[q.index]
	if m.Role != paxos.RoleAcceptor || m.Name != a.Name || m.Incarnation != a.Incarnation || m.Cluster != g.p.cfg.Cluster {
		return
	}
	c.here.Add(q.index)
	if quorum.HasRead(&c.set.Membership, c.here) && quorum.HasWrite(&c.set.Membership, c.here) {
		ld.change = nil
		g.command(s, ld, c.reply, c.body)
	}
}
