package session

import (
	"github.com/paxosd/paxosd/paxos"
)

// OnAnswer takes a leader's answer to the request numbered request. It reports false for an answer that is not to what
// was sent: the checksum is another one (docs/protocol.md P9). An answer to what is settled is no news, and true.
func (s *Session) OnAnswer(now paxos.Instant, request uint64, m *paxos.BatchAnswer, out *Output) bool {
	if s.opening.asked(request) {
		return s.onOpened(now, request, m, out)
	}
	b, ok := s.sends[request]
	if !ok {
		return true
	}
	for i := range b.sends {
		if b.sends[i].request == request && b.sends[i].sum != m.Checksum && !unread(m) {
			b.foreign = true
			return false
		}
	}
	x := s.cut(b, request)
	s.learn(m.Ballot)
	s.pace.heardAt, s.usedAt = now, now
	if !b.settled {
		s.outcome(now, b, x, m)
		s.settle(out)
	}
	s.pump(now, out)
	return true
}

// unread reports a refusal by a leader that could not read the batch, and so has no checksum of it.
func unread(m *paxos.BatchAnswer) bool {
	return m.Checksum == 0 && (m.Code == paxos.CodeTooLarge || m.Code == paxos.CodeMalformed)
}

// OnForeign says that something that is no leader of this log answered the request.
func (s *Session) OnForeign(request uint64) {
	if b, ok := s.sends[request]; ok {
		b.foreign = true
	}
	if s.opening.asked(request) {
		s.opening.foreign = true
	}
}

// OnNoResponders takes the broker's 503: this send was delivered to nobody.
func (s *Session) OnNoResponders(now paxos.Instant, request uint64, out *Output) {
	if s.opening.asked(request) {
		s.opening.forget(request)
		s.noLeader(now, s.opening.epoch)
		return
	}
	b, ok := s.sends[request]
	if !ok {
		return
	}
	x := s.cut(b, request)
	s.noLeader(now, x.epoch)
	s.settle(out)
}

// noLeader pauses, once per epoch: a window full of sends meets a window full of 503s.
func (s *Session) noLeader(now paxos.Instant, epoch uint64) {
	if epoch == s.pace.epoch {
		s.pace.known = paxos.Ballot{}
		s.pause(now)
	}
}

// outcome acts on one answer to send x of batch b.
func (s *Session) outcome(now paxos.Instant, b *batch, x send, m *paxos.BatchAnswer) {
	switch m.Code {
	case paxos.CodeAppended, paxos.CodeDuplicate, paxos.CodeConditionFails, paxos.CodeTail, paxos.CodeForgotten:
		s.judged(b, x, m)
	case paxos.CodeMismatch:
		s.mismatch(b, x, m)
	case paxos.CodeHole, paxos.CodeHoleFar:
		s.hole(b, x, m)
	case paxos.CodeExpired:
		s.denied(b, x, m)
		s.renew(*m)
	case paxos.CodeTooLarge, paxos.CodeMalformed, paxos.CodeHeader:
		s.denied(b, x, m)
		s.never(now, b, x, m)
	default:
		s.denied(b, x, m)
		if m.Code == paxos.CodeNotLeader && s.pace.known == x.ballot {
			s.pace.known = paxos.Ballot{}
		}
		if x.epoch == s.pace.epoch {
			s.pause(now)
		}
	}
}

// denied takes an answer that says "this copy was not appended". Only the leader that the copy named can say so for
// certain: a copy that named none may have been taken by another leader too.
func (s *Session) denied(b *batch, x send, m *paxos.BatchAnswer) {
	if x.ballot.IsZero() || m.Ballot != x.ballot || m.Code == paxos.CodeUnknown {
		b.lose(x)
	}
	if !x.filler {
		b.refusal = *m
	}
}

// judged takes an outcome that used up the number.
func (s *Session) judged(b *batch, x send, m *paxos.BatchAnswer) {
	switch {
	case x.filler && m.Code == paxos.CodeForgotten:
		// The number is used up, by the batch or by the filler: nothing new about the result.
	case x.filler:
		b.finish(Refused, b.refusal)
	case m.Code == paxos.CodeAppended || m.Code == paxos.CodeDuplicate || m.Code == paxos.CodeTail:
		b.finish(Appended, *m)
	case m.Code == paxos.CodeForgotten:
		b.finish(Unknown, *m)
	default:
		b.finish(Refused, *m)
	}
	b.settled = true
	s.progress()
}

// mismatch takes "this number was used for other bytes". With a filler about, one of the two was taken: an answer to the filler
// says that the batch was judged, with what result is not known; an answer to the batch, that the filler won. Without
// a filler somebody else uses this session: leave it.
func (s *Session) mismatch(b *batch, x send, m *paxos.BatchAnswer) {
	if !b.filler {
		b.finish(Refused, *m)
		b.settled = true
		s.renew(*m)
		return
	}
	if !x.filler {
		b.finish(Refused, *m)
	}
	b.settled = true
	s.progress()
}

// hole takes "an earlier number is missing". All that is unanswered goes out again, once per epoch.
func (s *Session) hole(b *batch, x send, m *paxos.BatchAnswer) {
	if x.ballot.IsZero() || m.Ballot != x.ballot {
		b.lose(x)
	}
	if m.Code == paxos.CodeHole && m.Number < x.floor {
		// The log has forgotten numbers that it acknowledged: this is not the log that they were sent to.
		s.renew(paxos.BatchAnswer{Code: paxos.CodeExpired, Ballot: m.Ballot, Text: "the log knows less of this session than it acknowledged"})
		return
	}
	if x.epoch == s.pace.epoch && !s.pace.paused {
		s.resume(s.cfg.Window)
	}
}

// first returns the oldest batch whose number is not settled.
func (s *Session) first() *batch {
	for _, b := range s.queue {
		if !b.settled && b.number != 0 {
			return b
		}
	}
	return nil
}

// never takes a refusal that no retry will change. It becomes the result once it is definite.
func (s *Session) never(now paxos.Instant, b *batch, x send, m *paxos.BatchAnswer) {
	switch {
	case b.filler:
		s.pause(now)
	case b.definite():
		b.finish(Refused, *m)
		s.fill(b)
	case x.epoch == s.pace.epoch:
		s.pause(now)
	}
}

// renew leaves the session: what was sent in it and not settled stays unknown, for ever (docs/protocol.md Q1). It is not sent
// again in another session: a copy may have been appended before this one ended, unheard. What was not sent moves on.
func (s *Session) renew(m paxos.BatchAnswer) {
	for _, b := range s.queue {
		if b.settled || b.number == 0 {
			continue
		}
		if !b.givenUp {
			b.finish(Unknown, m)
		}
		s.forget(b)
		b.settled = true
	}
	s.reopen()
}

// forget takes b out of the present session.
func (s *Session) forget(b *batch) {
	for i := range b.sends {
		delete(s.sends, b.sends[i].request)
	}
	b.sends = b.sends[:0]
	b.number = 0
}

func (s *Session) reopen() {
	s.id, s.last = paxos.SessionID{}, 0
	s.opening = opening{token: s.rand.next()}
	s.resume(s.cfg.Window)
}
