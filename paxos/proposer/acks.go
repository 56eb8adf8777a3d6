package proposer

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
)

// answer answers the requests whose items are in a value of this leader's own, now that the value is chosen and the sequencer has
// decided each item (PROTOCOL P9). The slot's items are in the order of the value's list, and so are the outcomes.
func (ld *leader) answer(g *group, s *step, slot *openSlot, a *sequencer.Applied) {
	paxos.Assert(len(slot.items) == len(a.Outcomes), "log %q slot %d: %d items have %d outcomes", g.log, a.Slot, len(slot.items), len(a.Outcomes))
	for i, it := range slot.items {
		ld.queue.done(it)
		o := &a.Outcomes[i]
		if len(it.replies) == 0 || o.Code == paxos.CodeDropped {
			continue
		}
		if o.Code == paxos.CodeDuplicate {
			g.event(s, paxos.Event{Kind: paxos.EventDuplicate, Slot: a.Slot})
		}
		m := answerOf(ld.ballot, it.sum, o, a.Stamp)
		if it.explain {
			m.Stages = slot.stages(s, it)
		}
		g.reply(s, it.replies, m)
	}
}

// stages says where the time of one request in a slot that is chosen went, but for its answer, which is still to leave.
func (o *openSlot) stages(s *step, it *item) *paxos.Stages {
	st := &paxos.Stages{
		Arrived: s.wall - paxos.Stamp(s.now.Sub(it.arrived)), Queued: o.opened.Sub(it.arrived), Voted: o.chosenAt.Sub(o.opened),
		Answered: s.now.Sub(o.chosenAt), Chosen: o.chosenAt,
	}
	st.Synced = min(o.vote.synced, st.Voted)
	st.Fsync = min(o.vote.fsync, st.Synced)
	return st
}

// answerOf turns what the sequencer decided into an answer.
func answerOf(b paxos.Ballot, sum paxos.Checksum, o *sequencer.Outcome, stamp paxos.Stamp) paxos.BatchAnswer {
	return paxos.BatchAnswer{
		Code: o.Code, Ballot: b, Checksum: sum, First: o.First, Count: o.Count, Last: o.Last,
		Number: o.Expected, Session: o.Session, Stamp: stamp, Text: o.Text,
	}
}

// reply sends one answer to each of those who asked.
func (g *group) reply(s *step, to []reply, m paxos.BatchAnswer) {
	for _, r := range to {
		if r.to == "" {
			continue
		}
		s.send(paxos.Envelope{
			Log: g.log, Genesis: g.id, From: g.p.cfg.Name, Request: r.request, Reply: r.to, Msg: &m,
		})
	}
}
