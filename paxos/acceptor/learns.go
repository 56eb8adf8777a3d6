package acceptor

import (
	"cmp"
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// learned gathers a vote to be published. Votes of one service turn for one log and ballot share a message, if they are for the same ears.
func (a *Acceptor) learned(g *group, p *parked, out *Output) {
	if g.learn != nil && (g.learn.Ballot != p.ballot || g.learn.Quiet != p.quiet || len(g.learn.Votes) == paxos.MaxVotesPerLearn) {
		a.publish(g, out)
	}
	if g.learn == nil {
		g.learn = &paxos.Learn{Voter: a.voter(), Ballot: p.ballot, Quiet: p.quiet, Arrived: p.arrived}
		if !slices.Contains(a.learns, g) {
			a.learns = append(a.learns, g)
		}
	}
	g.learn.Votes = append(g.learn.Votes, paxos.SlotSum{Slot: p.slot, Checksum: p.checksum})
	g.learn.Arrived = min(g.learn.Arrived, p.arrived)
	if p.explain {
		g.learn.Times = append(g.learn.Times, paxos.VoteTime{Slot: p.slot, Arrived: p.arrived})
	}
}

// Flush publishes the votes gathered since the last Flush. The service calls it at the end of each turn, with the
// turn's Output or a later one: the messages leave after the votes' records are durable, wherever those were.
func (a *Acceptor) Flush(out *Output) {
	for _, g := range a.learns {
		if g.learn != nil {
			a.publish(g, out)
		}
	}
	clear(a.learns)
	a.learns = a.learns[:0]
}

// publish sends the gathered votes in slot order, each slot once.
func (a *Acceptor) publish(g *group, out *Output) {
	bySlot := func(x, y paxos.SlotSum) int { return cmp.Compare(x.Slot, y.Slot) }
	if !slices.IsSortedFunc(g.learn.Votes, bySlot) {
		slices.SortStableFunc(g.learn.Votes, bySlot)
	}
	g.learn.Votes = slices.CompactFunc(g.learn.Votes, func(x, y paxos.SlotSum) bool { return x.Slot == y.Slot })
	if times := g.learn.Times; len(times) > 1 {
		slices.SortStableFunc(times, func(x, y paxos.VoteTime) int { return cmp.Compare(x.Slot, y.Slot) })
		g.learn.Times = slices.CompactFunc(times, func(x, y paxos.VoteTime) bool { return x.Slot == y.Slot })
	}
	env := paxos.Envelope{Log: g.log, Genesis: g.id, From: a.cfg.Name, Msg: g.learn}
	if g.learn.Quiet {
		env.To = g.learn.Ballot.Proposer
	}
	out.After = append(out.After, env)
	g.learn = nil
}
