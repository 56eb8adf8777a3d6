package proposer

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// taking returns the leader that takes this request, or nil if it is to be ignored, silently. Who takes it answers it; nobody
// answers for a dead leader, and nobody refuses for another (PROTOCOL P6).
//
//   - A request that names another ballot is for another leader.
//   - One that came by another subscription than this term's is older than the term start (PROTOCOL P8): composed here, it could be
//     in the log already, adopted from the leader that it was sent to.
func (g *group) taking(s *step, ballot paxos.Ballot, generation uint64) *leader {
	ld, ok := g.phase.(*leader)
	switch {
	case !ok || !ld.serving():
		g.drop(s, "", "request to a proposer that does not serve")
	case generation != ld.generation:
		g.drop(s, "", "request by another subscription")
	case !ballot.IsZero() && ballot != ld.ballot:
		g.drop(s, "", "request for another leader")
	case ld.closed:
		g.drop(s, "", "request after the hand-over")
	default:
		return ld
	}
	return nil
}

// refuse answers a request that is certainly not in the log: it was not proposed.
func (g *group) refuse(s *step, ld *leader, r reply, sum paxos.Checksum, code paxos.Code, text string) {
	g.reply(s, []reply{r}, paxos.BatchAnswer{Code: code, Ballot: ld.ballot, Checksum: sum, Last: g.seq.LastOffset(), Text: text})
}

// onAppend takes one plain append: a batch of one frame, without a session.
func (g *group) onAppend(s *step, env *paxos.Envelope, m *paxos.Append) {
	ld := g.taking(s, paxos.Ballot{}, m.Generation)
	if ld == nil {
		return
	}
	r := reply{env.Reply, env.Request}
	size := value.FrameSize(m.Headers, m.Payload)
	if size > paxos.MaxEntryBytes || size > int(g.maxBatch()) {
		g.refuse(s, ld, r, 0, paxos.CodeTooLarge, fmt.Sprintf("the entry has %d bytes with its headers; the log takes %d at most",
			size, min(paxos.MaxEntryBytes, int(g.maxBatch()))))
		return
	}
	if !fitHeaders(m.Headers) {
		g.refuse(s, ld, r, 0, paxos.CodeTooLarge, "a header or their number is beyond what an entry can hold")
		return
	}
	if len(m.MessageID) > paxos.MaxMessageIDBytes {
		g.refuse(s, ld, r, 0, paxos.CodeMalformed, fmt.Sprintf("the message id has more than %d bytes", paxos.MaxMessageIDBytes))
		return
	}
	b := value.Batch{
		Count: 1, HasExpect: m.HasExpect, Expect: m.Expect, MessageID: m.MessageID, Plain: true,
		Frames: value.AppendFrame(make([]byte, 0, size), m.Headers, m.Payload),
	}
	body := value.EncodeBatch(nil, &b)
	g.enqueue(s, ld, &item{kind: value.ItemBatch, body: body, sum: b.Checksum, replies: []reply{r}, arrived: env.ArrivedBy(s.now)})
}

// fitHeaders reports whether the frame's counters can hold the headers: 65,535 of them, keys as long.
func fitHeaders(headers []paxos.Header) bool {
	if len(headers) > math.MaxUint16 {
		return false
	}
	for i := range headers {
		if len(headers[i].Key) > math.MaxUint16 {
			return false
		}
	}
	return true
}

// maxBatch is the largest batch, in bytes.
func (g *group) maxBatch() uint32 {
	return g.genesis.ValueLimit - min(g.genesis.ValueLimit, paxos.BatchHeadroom)
}

// onBatch takes a session's batch, or a tail. Its frames are scanned here (PROTOCOL Q8): the sequencer trusts the counts.
func (g *group) onBatch(s *step, env *paxos.Envelope, m *paxos.Batch) {
	ld := g.taking(s, m.Ballot, m.Generation)
	if ld == nil {
		return
	}
	r := reply{env.Reply, env.Request}
	if len(m.Batch) > int(g.maxBatch()) {
		g.refuse(s, ld, r, 0, paxos.CodeTooLarge, fmt.Sprintf("the batch has %d bytes; the log takes %d at most", len(m.Batch), g.maxBatch()))
		return
	}
	b, err := value.DecodeBatch(m.Batch)
	if err != nil { // it has no checksum that could be repeated
		g.refuse(s, ld, r, 0, paxos.CodeMalformed, err.Error())
		return
	}
	if err := checkBatch(&b); err != nil {
		g.refuse(s, ld, r, b.Checksum, paxos.CodeMalformed, err.Error())
		return
	}
	it := &item{kind: value.ItemBatch, body: m.Batch, sum: b.Checksum, replies: []reply{r}, arrived: env.ArrivedBy(s.now), explain: m.Explain}
	if !b.Session.IsZero() {
		if o, ok := g.seq.Advise(&b); ok {
			if o.Code == paxos.CodeDuplicate {
				g.event(s, paxos.Event{Kind: paxos.EventDuplicate})
			}
			g.reply(s, it.replies, answerOf(ld.ballot, it.sum, &o, g.seq.Stamp()))
			return
		}
		it.keyed, it.key = true, itemKey{session: b.Session, number: b.Number}
		if ld.queue.attach(it) {
			return
		}
	}
	g.enqueue(s, ld, it)
}

// Errors of a batch's shape.
var (
	errNoSession = errors.New("a batch with entries needs a session")
	errPlain     = errors.New("a batch must not say that it is a plain append")
	errTail      = errors.New("a tail has no entries, no session and no conditions")
	errEmpty     = errors.New("a batch without entries must be a tail")
)

// checkBatch checks the shape of a batch that came from outside.
func checkBatch(b *value.Batch) error {
	switch {
	case b.Plain:
		return errPlain
	case b.Tail && (b.Count != 0 || !b.Session.IsZero() || b.HasExpect || b.MessageID != ""):
		return errTail
	case b.Tail:
		return value.ScanFrames(b.Frames, 0)
	case b.Count == 0:
		return errEmpty
	case b.Session.IsZero():
		return errNoSession
	case b.Count > paxos.MaxBatchEntries:
		return fmt.Errorf("the batch has %d entries; %d are allowed", b.Count, paxos.MaxBatchEntries)
	}
	return value.ScanFrames(b.Frames, b.Count)
}

// attach adds it's reply to the same item, if that is still on its way. A resend is byte-identical; anything else under
// the same number is for the sequencer to judge.
func (q *queue) attach(it *item) bool {
	old := q.keyed[it.key]
	if old == nil || old.sum != it.sum || !bytes.Equal(old.body, it.body) {
		return false
	}
	for _, r := range it.replies {
		for _, o := range old.replies {
			if o == r {
				return true
			}
		}
	}
	if len(old.replies) >= maxReplies {
		copy(old.replies, old.replies[1:])
		old.replies = old.replies[:maxReplies-1]
	}
	old.replies = append(old.replies, it.replies...)
	return true
}

// onOpen takes a client's wish for a session.
func (g *group) onOpen(s *step, env *paxos.Envelope, m *paxos.Open) {
	ld := g.taking(s, m.Ballot, m.Generation)
	if ld == nil {
		return
	}
	r := reply{env.Reply, env.Request}
	if len(m.Client) > paxos.MaxNameBytes {
		g.refuse(s, ld, r, 0, paxos.CodeMalformed, fmt.Sprintf("the client's name has more than %d bytes", paxos.MaxNameBytes))
		return
	}
	g.command(s, ld, r, value.EncodeCommand(nil, &value.Open{Client: m.Client, Token: m.Token}))
}

// command queues an encoded command, unless the same is on its way.
func (g *group) command(s *step, ld *leader, r reply, body []byte) {
	sum := paxos.Sum(body)
	it := &item{kind: value.ItemCommand, body: body, sum: sum, keyed: true, key: itemKey{sum: sum}, replies: []reply{r}, arrived: s.now}
	if !ld.queue.attach(it) {
		g.enqueue(s, ld, it)
	}
}

// enqueue takes an item, or refuses it at once: the queue is bounded, and nothing waits for room.
func (g *group) enqueue(s *step, ld *leader, it *item) {
	switch lag, full := g.fullness(s, ld); {
	case it.kind == value.ItemBatch && full:
		ld.refuseQueued(g, s)
		g.refuseFull(s, ld, it, lag)
	case ld.queue.len() >= MaxQueued || ld.queue.bytes+len(it.body) > g.p.cfg.QueueBytes:
		g.refuse(s, ld, it.replies[0], it.sum, paxos.CodeOverloaded, "the leader's queue is full: send again later")
	default:
		ld.queue.push(it)
		g.touch()
	}
}

func (g *group) refuseFull(s *step, ld *leader, it *item, lag string) {
	for _, r := range it.replies {
		g.refuse(s, ld, r, it.sum, paxos.CodeFull, "the acceptors lack disk space: "+lag)
	}
}

// refuseQueued refuses the batches that wait while acceptors lack space: a stable command, by which they get some, would be refused with
// them in one value, and could not be sequenced behind them.
func (ld *leader) refuseQueued(g *group, s *step) {
	lag, full := g.fullness(s, ld)
	if !full {
		return
	}
	for range ld.queue.len() {
		it := ld.queue.peek()
		ld.queue.pop()
		if it.kind == value.ItemBatch {
			ld.queue.done(it)
			g.refuseFull(s, ld, it, lag)
		} else {
			ld.queue.push(it)
		}
	}
}

// fullness reports whether so many acceptors refuse batches for want of space that none could be chosen, and what to
// do about it (PROTOCOL K5).
func (g *group) fullness(s *step, ld *leader) (string, bool) {
	full := false
	if m, ok := g.membershipAt(ld.next); ok {
		full = g.p.lackSpace(m, s.now)
	}
	if full != g.full {
		g.full = full
		n := int64(0)
		if full {
			n = 1
		}
		g.event(s, paxos.Event{Kind: paxos.EventFull, Ballot: ld.ballot, N: n, Text: g.stability.lagging(g)})
	}
	if !full {
		return "", false
	}
	return g.stability.lagging(g), true
}
