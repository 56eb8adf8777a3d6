package acceptor

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// onFetch answers with this acceptor's votes in a range, values included (PROTOCOL L4): W equal answers are as good as
// votes. A retired acceptor does not answer: all it voted for is stable.
func (a *Acceptor) onFetch(g *group, env *paxos.Envelope, m *paxos.Fetch, out *Output) {
	if m.What != paxos.FetchVotes || m.From == 0 || m.To < m.From || !g.live() {
		a.drop(env, "fetch of no use to an acceptor", out)
		return
	}
	from := g.next(m.From)
	if from > m.To {
		a.votes(g, env, m.From, m.To, nil, out)
		return
	}
	if from > g.highest {
		a.votes(g, env, from, m.To, nil, out)
		return
	}
	if a.fetches >= MaxFetches {
		a.drop(env, "too many fetches wait for a read", out)
		return
	}
	a.fetches++
	// The answer fits the broker's payload, which holds a largest value of this log and headroom beside it.
	limit := min(m.MaxBytes, g.held.Genesis().ValueLimit)
	a.read(g, pending{kind: readFetch, group: g, env: *env}, Read{
		From: from, To: m.To, MaxVotes: MaxFetchVotes, MaxBytes: int(limit), Values: true,
	}, out)
}

func (a *Acceptor) onFetched(g *group, env *paxos.Envelope, r *ReadResult, out *Output) {
	a.fetches--
	if !g.live() {
		a.drop(env, "retired", out)
		return
	}
	from := g.next(r.From)
	if from > r.To { // trimmed meanwhile
		a.votes(g, env, r.From, r.To, nil, out)
		return
	}
	kept := slices.DeleteFunc(slices.Clone(r.Votes), func(v paxos.VoteValue) bool { return v.Slot < from })
	a.votes(g, env, from, r.To, kept, out)
}

// votes sends the answer. Where the range lies at or below T, the trim mark in the answer says that the missing votes mean
// nothing.
func (a *Acceptor) votes(g *group, env *paxos.Envelope, from, to paxos.Slot, votes []paxos.VoteValue, out *Output) {
	a.answer(env, true, &paxos.VotesAnswer{Voter: a.voter(), From: from, To: to, Trimmed: g.trimmed, Votes: votes}, out)
}
