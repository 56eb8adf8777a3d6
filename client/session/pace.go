package session

import (
	"github.com/paxosd/paxosd/paxos"
)

// pace decides when what leaves. An epoch is one pass over the queue: within it each batch is sent once.
type pace struct {
	epoch   uint64
	allowed int          // batches from the front of the queue that may leave in this epoch
	known   paxos.Ballot // the leader that envelopes name; zero: none known
	highest paxos.Ballot // highest ballot heard of; announcements below it are late

	down    bool // no connection: nothing leaves, nothing is waited for
	paused  bool // until retryAt: no leader, or one that refuses for now
	retryAt paxos.Instant
	retry   paxos.Span // next pause; zero: begin with the first
	heardAt paxos.Instant
}

// OnLeader takes an announcement: the leader at ballot takes appends now.
func (s *Session) OnLeader(now paxos.Instant, ballot paxos.Ballot, out *Output) {
	p := &s.pace
	if ballot.Less(p.highest) || ballot.IsZero() {
		return
	}
	fresh := p.known != ballot
	p.known, p.highest = ballot, ballot
	if !fresh {
		return
	}
	p.retry = 0
	s.resetWaits()
	s.resume(s.cfg.Window)
	s.pump(now, out)
}

// OnConnection says that the connection to the broker is there, or not. Whoever led before a cut may not lead after it.
func (s *Session) OnConnection(now paxos.Instant, up bool, out *Output) {
	p := &s.pace
	if p.down == !up {
		return
	}
	p.down = !up
	p.known = paxos.Ballot{}
	if up {
		p.retry = 0
		s.resetWaits()
		s.resume(s.cfg.Window)
		s.pump(now, out)
	}
}

// learn takes the ballot of a leader's answer.
func (s *Session) learn(b paxos.Ballot) {
	if p := &s.pace; !b.IsZero() && !b.Less(p.highest) {
		p.known, p.highest = b, b
	}
}

// pause stops sending for a while that doubles each time until something is settled.
func (s *Session) pause(now paxos.Instant) {
	p := &s.pace
	if p.paused {
		return
	}
	if p.retry == 0 {
		p.retry = s.cfg.Retry
	}
	p.paused, p.retryAt = true, now.Add(s.rand.jitter(p.retry))
	p.retry = min(2*p.retry, s.cfg.RetryMax)
}

// resume begins a new epoch in which allowed batches may leave at first.
func (s *Session) resume(allowed int) {
	p := &s.pace
	p.paused = false
	p.epoch++
	p.allowed = allowed
}

func (s *Session) resetWaits() {
	for _, b := range s.queue {
		b.wait = 0
	}
	s.opening.wait = 0
}

// progress is called when a number is settled: the leader is there and works.
func (s *Session) progress() {
	p := &s.pace
	p.retry = 0
	p.allowed = min(2*p.allowed, s.cfg.Window)
}

// pump sends what may leave now: first the open, then batches in order.
func (s *Session) pump(now paxos.Instant, out *Output) {
	p := &s.pace
	if p.down || p.paused || len(s.queue) == 0 {
		return
	}
	if s.id.IsZero() {
		if s.opening.epoch != p.epoch {
			s.sendOpen(now, out)
		}
		return
	}
	for i := range min(len(s.queue), p.allowed) {
		if b := s.queue[i]; !b.settled && b.epoch != p.epoch {
			s.send(now, b, out)
		}
	}
}

// oldestSent returns the first batch that waits for an answer in this epoch.
func (s *Session) oldestSent() *batch {
	for _, b := range s.queue {
		if !b.settled && b.epoch == s.pace.epoch {
			return b
		}
	}
	return nil
}

// listen acts on silence. When the leader answers others but not the oldest batch, that one's answer was lost: it alone is sent
// again. When nothing was heard at all, the leader may have changed unheard: everything is, under no leader's name.
func (s *Session) listen(now paxos.Instant, out *Output) {
	p := &s.pace
	if p.down || p.paused || len(s.queue) == 0 {
		return
	}
	if s.id.IsZero() {
		if o := &s.opening; o.epoch == p.epoch && o.sentAt.Add(o.wait) <= now {
			p.known = paxos.Ballot{}
			s.sendOpen(now, out)
		}
		return
	}
	b := s.oldestSent()
	if b == nil || b.sentAt.Add(b.wait) > now {
		return
	}
	if p.heardAt > b.sentAt {
		s.send(now, b, out)
		return
	}
	p.known = paxos.Ballot{}
	s.resume(s.cfg.Window)
}
