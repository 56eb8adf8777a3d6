package session

import (
	"math"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// send is one copy of a batch on its way. It is remembered until it is answered, or known to be dead.
type send struct {
	request uint64
	ballot  paxos.Ballot // the leader it named; zero: none, so any leader may have taken it
	epoch   uint64
	sum     paxos.Checksum
	filler  bool
	floor   uint64 // every number below it was settled when this was sent
}

// batch is one number of the session, or a batch that has none yet.
type batch struct {
	tag      uint64
	body     value.Batch
	wire     []byte // encoded; the same bytes in every send
	sum      paxos.Checksum
	number   uint64 // 0: not sent in the present session
	deadline paxos.Instant
	explain  bool

	sends   []send // unanswered, oldest first
	lost    bool   // a copy may still be taken though nobody will answer it
	epoch   uint64 // of the newest send
	sentAt  paxos.Instant
	wait    paxos.Span // how long the newest send is waited for
	wasSent bool
	again   bool              // more than once
	refusal paxos.BatchAnswer // newest refusal by a leader

	givenUp bool // the owner no longer waits: wire is a filler if there is a number
	filler  bool
	settled bool // nothing of it is needed any more
	told    bool // result was given
	foreign bool
	result  Done
}

// definite reports whether the batch itself, fillers aside, is certainly not in the log and never will be.
func (b *batch) definite() bool {
	return !b.lost && !slices.ContainsFunc(b.sends, func(s send) bool { return !s.filler })
}

// lose notes that copy x may be taken though nobody will say so.
func (b *batch) lose(x send) { b.lost = b.lost || !x.filler }

// finish sets the result that will be told, unless one was told already.
func (b *batch) finish(c Class, a paxos.BatchAnswer) {
	if !b.told {
		b.result = Done{Tag: b.tag, Class: c, Sent: b.wasSent, Again: b.again, SentAt: b.sentAt, Foreign: b.foreign, Answer: a}
	}
}

// send sends b, for the first time or again. A batch gets its number when it is first sent.
func (s *Session) send(now paxos.Instant, b *batch, out *Output) {
	if b.number == 0 {
		s.last++
		b.number = s.last
		s.encode(b)
	}
	if len(b.sends) == maxSends {
		delete(s.sends, b.sends[0].request)
		b.lose(b.sends[0])
		b.sends = slices.Delete(b.sends, 0, 1)
	}
	r := s.cfg.NextRequest()
	b.sends = append(b.sends, send{
		request: r, ballot: s.pace.known, epoch: s.pace.epoch, sum: b.sum, filler: b.filler, floor: s.first().number,
	})
	s.sends[r] = b
	b.again = b.wasSent
	b.epoch, b.sentAt, b.wasSent = s.pace.epoch, now, true
	b.wait = s.grow(b.wait)
	out.Sends = append(out.Sends, Send{Request: r, Msg: &paxos.Batch{Ballot: s.pace.known, Batch: b.wire, Explain: b.explain && !b.filler}})
}

// grow returns the next wait for an answer: the first, or twice the one before.
func (s *Session) grow(wait paxos.Span) paxos.Span {
	if wait == 0 {
		return s.rand.jitter(s.cfg.Resend)
	}
	return min(2*wait, s.cfg.ResendMax)
}

// batchHead is at least what a batch's encoding takes beside its message id and frames.
const batchHead = 64

// encode writes b's bytes under the present session and b's number.
func (s *Session) encode(b *batch) {
	b.body.Session, b.body.Number = s.id, b.number
	b.wire = value.EncodeBatch(make([]byte, 0, batchHead+len(b.body.MessageID)+len(b.body.Frames)), &b.body)
	b.sum = b.body.Checksum
}

// Abandon says that nobody waits for the batch any more. Its result, told in its turn, is what is known by then.
func (s *Session) Abandon(now paxos.Instant, tag uint64, out *Output) {
	for _, b := range s.queue {
		if b.tag == tag && !b.told {
			s.giveUp(b)
		}
	}
	s.settle(out)
	s.pump(now, out)
}

// giveUp ends the waiting for b. A number that was sent needs settling all the same: by a filler.
func (s *Session) giveUp(b *batch) {
	if b.givenUp || b.settled {
		return
	}
	b.givenUp = true
	if b.number == 0 {
		b.finish(Refused, s.reason(b))
		b.settled = true
		return
	}
	if b.definite() {
		b.finish(Refused, s.reason(b))
	} else {
		b.finish(Unknown, s.reason(b))
	}
	s.fill(b)
}

// reason returns the newest refusal that concerns b: its own, or that of the open which it waits for.
func (s *Session) reason(b *batch) paxos.BatchAnswer {
	if b.refusal.Code == paxos.CodeNone && s.id.IsZero() {
		return s.opening.refusal
	}
	return b.refusal
}

// fill turns b into a filler for its number, which no later batch needs if the session ends with b. A filler is one entry that no log appends, because its condition cannot hold. A refused
// condition uses the number up as an append would (docs/protocol.md Q2).
func (s *Session) fill(b *batch) {
	b.filler, b.givenUp = true, true
	if s.cfg.StopOnFailure {
		b.settled = true
		return
	}
	b.body = value.Batch{Count: 1, HasExpect: true, Expect: math.MaxUint64, Frames: value.AppendFrame(nil, nil, nil)}
	s.encode(b)
	b.epoch, b.wait = 0, 0
}

// cut takes the send numbered request out of b and returns it.
func (s *Session) cut(b *batch, request uint64) send {
	delete(s.sends, request)
	i := slices.IndexFunc(b.sends, func(x send) bool { return x.request == request })
	x := b.sends[i]
	b.sends = slices.Delete(b.sends, i, i+1)
	return x
}
