package session

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// opening is the request for a session. It may be sent more than once and so open more than one: the first answer names
// the session to use, the others end unused, least recently used first (docs/protocol.md Q1).
type opening struct {
	token   uint64
	asks    []uint64 // request numbers, oldest first
	epoch   uint64
	sentAt  paxos.Instant
	wait    paxos.Span
	sum     paxos.Checksum
	refusal paxos.BatchAnswer // newest
	foreign bool
}

func (o *opening) asked(request uint64) bool { return slices.Contains(o.asks, request) }

func (o *opening) forget(request uint64) {
	o.asks = slices.DeleteFunc(o.asks, func(r uint64) bool { return r == request })
}

// sendOpen asks for a session, again if it was asked for before.
func (s *Session) sendOpen(now paxos.Instant, out *Output) {
	o := &s.opening
	if len(o.asks) == maxSends {
		o.asks = slices.Delete(o.asks, 0, 1)
	}
	r := s.cfg.NextRequest()
	o.asks = append(o.asks, r)
	o.epoch, o.sentAt = s.pace.epoch, now
	o.wait = s.grow(o.wait)
	o.sum = paxos.Sum(value.EncodeCommand(nil, &value.Open{Client: s.cfg.Client, Token: o.token}))
	out.Sends = append(out.Sends, Send{Request: r, Msg: &paxos.Open{Ballot: s.pace.known, Client: s.cfg.Client, Token: o.token}})
}

// onOpened takes the answer to an open.
func (s *Session) onOpened(now paxos.Instant, request uint64, m *paxos.BatchAnswer, out *Output) bool {
	o := &s.opening
	if (m.Checksum != o.sum && !unread(m)) || (m.Code == paxos.CodeOpened && m.Session.IsZero()) {
		o.foreign = true
		return false
	}
	s.learn(m.Ballot)
	s.pace.heardAt = now
	o.forget(request)
	if m.Code != paxos.CodeOpened {
		o.refusal = *m
		if m.Code == paxos.CodeNotLeader {
			s.pace.known = paxos.Ballot{}
		}
		if o.epoch == s.pace.epoch {
			s.pause(now)
		}
		return true
	}
	s.id, s.last = m.Session, 0
	s.opening = opening{token: o.token}
	s.pace.retry = 0
	s.resume(s.cfg.Window)
	s.pump(now, out)
	return true
}
