package sequencer

import (
	"github.com/paxosd/paxosd/paxos"
)

// kept is an outcome as a session remembers it.
type kept struct {
	checksum paxos.Checksum
	code     paxos.Code
	first    paxos.Offset
	count    uint32
	last     paxos.Offset
}

// session is one producer's place in its own numbers.
type session struct {
	id   paxos.SessionID
	last uint64 // newest number consumed
	ring []kept // outcome of number n at (n-1) mod F; grows to F as numbers are used

	older, newer *session // in order of last use
}

// outcome returns what became of number n, one of the last F.
func (s *session) outcome(n uint64, f int) *kept { return &s.ring[(n-1)%uint64(f)] }

// sessions holds the open sessions, least recently used in log order first. All its operations are O(1).
type sessions struct {
	limit    int // N
	outcomes int // F
	byID     map[paxos.SessionID]*session
	oldest   *session
	newest   *session
}

func newSessions(limit, outcomes int) sessions {
	return sessions{limit: limit, outcomes: outcomes, byID: make(map[paxos.SessionID]*session)}
}

// open adds a session; beyond N the least recently used one ends.
func (s *sessions) open(id paxos.SessionID) {
	if len(s.byID) >= s.limit {
		old := s.oldest
		s.unlink(old)
		delete(s.byID, old.id)
	}
	s.push(&session{id: id})
}

func (s *sessions) push(n *session) {
	s.byID[n.id] = n
	s.link(n)
}

// link makes n the most recently used.
func (s *sessions) link(n *session) {
	n.older, n.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = n
	} else {
		s.oldest = n
	}
	s.newest = n
}

func (s *sessions) unlink(n *session) {
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		s.oldest = n.newer
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		s.newest = n.older
	}
}

// touch returns a session and makes it the most recently used, or nil.
func (s *sessions) touch(id paxos.SessionID) *session {
	n := s.byID[id]
	if n != nil && s.newest != n {
		s.unlink(n)
		s.link(n)
	}
	return n
}

// consume keeps the outcome of the session's next number.
func (s *sessions) consume(n *session, k kept) {
	n.last++
	if len(n.ring) < s.outcomes {
		n.ring = append(n.ring, k)
		return
	}
	n.ring[(n.last-1)%uint64(s.outcomes)] = k
}

// messageIDs holds the last N message ids in log order, with what they stand for.
type messageIDs struct {
	limit int
	byID  map[string]idEntry
	ring  []string // of the newest limit ids; the oldest is at next once it is full
	next  int
}

type idEntry struct {
	first paxos.Offset
	count uint32
}

func newMessageIDs(limit int) messageIDs {
	return messageIDs{limit: limit, byID: make(map[string]idEntry)}
}

func (m *messageIDs) find(id string) (idEntry, bool) {
	e, ok := m.byID[id]
	return e, ok
}

// add remembers an id that is not known; beyond N the oldest is forgotten.
func (m *messageIDs) add(id string, first paxos.Offset, count uint32) {
	if m.limit == 0 {
		return
	}
	if len(m.ring) < m.limit {
		m.ring = append(m.ring, id)
	} else {
		delete(m.byID, m.ring[m.next])
		m.ring[m.next] = id
		m.next = (m.next + 1) % m.limit
	}
	m.byID[id] = idEntry{first: first, count: count}
}

// each calls f with every id, oldest first.
func (m *messageIDs) each(f func(id string, e idEntry)) {
	for i := range m.ring {
		id := m.ring[(m.next+i)%len(m.ring)]
		f(id, m.byID[id])
	}
}
