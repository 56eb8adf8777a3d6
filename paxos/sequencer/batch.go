package sequencer

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// batch judges one batch: session number, message id, condition, in this order (PROTOCOL Q2). Its origin was judged before.
func (s *Sequencer) batch(b *value.Batch, o *Outcome) {
	o.Last = s.last
	var sess *session
	if !b.Session.IsZero() {
		if sess = s.sessions.touch(b.Session); sess == nil {
			o.Code = paxos.CodeExpired
			return
		}
		if s.known(sess, b, o) {
			return
		}
	}
	s.decide(b, o)
	if sess != nil {
		// Every outcome but a hole consumes the number and is repeated to duplicates, refusals too.
		s.sessions.consume(sess, kept{checksum: b.Checksum, code: o.Code, first: o.First, count: o.Count, last: o.Last})
	}
}

// known answers a number that is not the session's next one.
func (s *Sequencer) known(sess *session, b *value.Batch, o *Outcome) bool {
	f := uint64(s.g.Outcomes)
	switch n := b.Number; {
	case n == sess.last+1:
		return false
	case n > sess.last:
		o.Code, o.Expected = paxos.CodeHole, sess.last+1
		if n-sess.last > f {
			o.Code = paxos.CodeHoleFar
		}
	case sess.last-n >= f:
		o.Code = paxos.CodeForgotten
	default:
		k := sess.outcome(n, s.sessions.outcomes)
		if k.checksum != b.Checksum {
			o.Code = paxos.CodeMismatch
			break
		}
		o.Code, o.First, o.Count, o.Last = k.code, k.first, k.count, k.last
		if k.code == paxos.CodeAppended {
			o.Code = paxos.CodeDuplicate
		}
	}
	return true
}

// decide judges a batch that is new to its session.
func (s *Sequencer) decide(b *value.Batch, o *Outcome) {
	if b.MessageID != "" {
		if e, ok := s.ids.find(b.MessageID); ok {
			o.Code, o.First, o.Count = paxos.CodeDuplicate, e.first, e.count
			return
		}
	}
	switch {
	case b.HasExpect && b.Expect != s.last:
		o.Code = paxos.CodeConditionFails
	case b.Count == 0:
		o.Code = paxos.CodeTail
	default:
		o.Code, o.First, o.Count = paxos.CodeAppended, s.last+1, b.Count
		s.last += paxos.Offset(b.Count)
		o.Last = s.last
		if b.MessageID != "" {
			s.ids.add(b.MessageID, o.First, b.Count)
		}
	}
}

// Advise tells what would become of b if it were the next item, changing nothing. It is advice: what is in flight may change it (PROTOCOL Q3).
// Checks that depend on what follows a known duplicate are not made: it reports true only for outcomes that are final,
// those of a batch that was decided before.
func (s *Sequencer) Advise(b *value.Batch) (Outcome, bool) {
	o := Outcome{Kind: value.ItemBatch, Session: b.Session, Number: b.Number, Checksum: b.Checksum, Plain: b.Plain, Last: s.last, MessageID: b.MessageID != ""}
	if !b.Session.IsZero() {
		sess := s.sessions.byID[b.Session]
		if sess == nil || b.Number > sess.last {
			return o, false
		}
		s.known(sess, b, &o)
		return o, true
	}
	if b.MessageID != "" {
		if e, ok := s.ids.find(b.MessageID); ok {
			o.Code, o.First, o.Count = paxos.CodeDuplicate, e.first, e.count
			return o, true
		}
	}
	return o, false
}
