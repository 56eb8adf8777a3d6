package client

import (
	"time"

	"github.com/paxosd/paxosd/client/session"
	"github.com/paxosd/paxosd/paxos"
)

// Explanation says where the time of one batch went, from its first entry's Append until its result was known here. The spans add
// up to Total. Those of the leader and of the acceptor are taken on their own clocks; the way of messages is what is left, and how
// it divides between the way there and the way back is as far as the wall clocks of client and leader agree.
type Explanation struct {
	Entries int
	Bytes   int // of frames: payloads, headers and their lengths
	Total   time.Duration

	Gathered     time.Duration // in the client, until the batch left
	ToLeader     time.Duration // on its way to the leader
	Queued       time.Duration // at the leader, until the accept of its slot left
	ToAcceptor   time.Duration // the accept's way to the acceptor that completed the quorum, and its vote's way back
	AcceptorWait time.Duration // at that acceptor, but for the sync: mostly behind the group of votes before
	Synced       time.Duration // that acceptor's fsync
	Answered     time.Duration // at the leader, from a write quorum's votes until the answer left
	Back         time.Duration // the answer's way back
}

// WithExplanations asks the leader, for one batch in every, where the time of it went, and has f told. Batches that were sent more than once
// are left out. f is called while the client works: it must be quick, and not use the client. What is not asked for costs nothing.
func WithExplanations(every int, f func(Explanation)) Option {
	return func(c *config) { c.explainEvery, c.explained = every, f }
}

// toExplain decides whether the batch that is begun now is one of those to explain.
func (e *engine) toExplain(p *pending) {
	n := e.c.cfg.explainEvery
	if n <= 0 || e.c.cfg.explained == nil {
		return
	}
	if e.begun++; e.begun%uint64(n) == 0 {
		p.begunAt = e.c.now()
	}
}

// explain tells where the time of a batch went that was to be explained.
func (e *engine) explain(p *pending, d *session.Done) {
	if p.begunAt == 0 || d.Again || d.Class != session.Appended || d.Answer.Stages == nil {
		return
	}
	x := explanation(p.begunAt, d.SentAt, e.c.now(), paxos.Stamp(time.Now().UnixNano()), d.Answer.Stages)
	x.Entries, x.Bytes = int(p.count), len(p.frames)
	e.c.cfg.explained(x)
}

// explanation divides the time from begun until now, when the wall clock shows wall. Where clocks contradict each other the parts give way
// to the whole.
func explanation(begun, sent, now paxos.Instant, wall paxos.Stamp, st *paxos.Stages) Explanation {
	round := max(now.Sub(sent), 0)
	queued := min(st.Queued, round)
	voted := min(st.Voted, round-queued)
	answered := min(st.Answered, round-queued-voted)
	ways := round - queued - voted - answered
	there := min(max(paxos.Span(st.Arrived-(wall-paxos.Stamp(round))), 0), ways)
	synced := min(st.Synced, voted)
	fsync := min(st.Fsync, synced)
	d := func(s paxos.Span) time.Duration { return time.Duration(s) }
	return Explanation{
		Total: d(now.Sub(begun)), Gathered: d(now.Sub(begun) - round), ToLeader: d(there), Queued: d(queued), ToAcceptor: d(voted - synced),
		AcceptorWait: d(synced - fsync), Synced: d(fsync), Answered: d(answered), Back: d(ways - there),
	}
}
