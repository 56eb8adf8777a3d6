package learner

import (
	"github.com/paxosd/paxosd/paxos"
)

// maxSources bounds the learners that are asked.
const maxSources = 64

// source is a learner that may be asked for chosen slots, and what it said of itself last.
type source struct {
	name    string
	told    bool       // start and through mean something
	start   paxos.Slot // first slot that it holds
	through paxos.Slot // last slot that it holds
	tried   bool       // asked in this round, without progress
	failed  bool       // its last answer did not come, or was of no use
	rests   bool       // not asked before restUntil
	until   paxos.Instant
	missed  int // answers in a row that did not come
}

// lacks reports whether the source says that slot t lies below what it holds.
func (s *source) lacks(t paxos.Slot) bool { return s.told && s.start > t }

// serves reports whether the source is known to hold slot t and to answer.
func (s *source) serves(t paxos.Slot) bool {
	return s.told && !s.failed && s.start <= t && s.through >= t
}

// rest keeps the source from being asked until the given instant.
func (s *source) rest(until paxos.Instant) { s.rests, s.until = true, until }

// silence takes note that an answer did not come, and returns how long the source is to be left alone: the longer the more often that
// happened.
func (s *source) silence() paxos.Span {
	d := min(firstRest<<min(s.missed, 8), lastRest)
	s.missed++
	return d
}

// sources are the learners to ask, in the order of their rotation.
type sources struct {
	all  []source
	turn int
}

// set replaces the names; what is known of those that stay is kept. It reports whether a name is new.
func (s *sources) set(names []string, self string) bool {
	fresh := false
	all := make([]source, 0, len(names))
	for _, name := range names {
		if name == self || len(all) >= maxSources || has(all, name) {
			continue
		}
		if old := s.find(name); old != nil {
			all = append(all, *old)
			continue
		}
		all = append(all, source{name: name})
		fresh = true
	}
	s.all = all
	return fresh
}

func has(all []source, name string) bool {
	for i := range all {
		if all[i].name == name {
			return true
		}
	}
	return false
}

func (s *sources) find(name string) *source {
	for i := range s.all {
		if s.all[i].name == name {
			return &s.all[i]
		}
	}
	return nil
}

// pick returns the next source to ask for slot t, or nil if each was tried, rests, or lacks it. One that is known to
// serve the slot comes before the rotation, so that a long catch-up stays with one learner.
func (s *sources) pick(now paxos.Instant, t paxos.Slot) *source {
	var next *source
	for i := range s.all {
		c := &s.all[(s.turn+i)%len(s.all)]
		if c.rests && now >= c.until {
			c.rests = false
		}
		if c.tried || c.rests || c.lacks(t) {
			continue
		}
		if c.serves(t) {
			return c
		}
		if next == nil {
			next = c
		}
	}
	return next
}

// resting reports whether a source may not be asked yet.
func (s *sources) resting(now paxos.Instant) bool {
	for i := range s.all {
		if s.all[i].rests && now < s.all[i].until {
			return true
		}
	}
	return false
}

// again begins a new round: everyone may be asked once more.
func (s *sources) again() {
	for i := range s.all {
		s.all[i].tried = false
	}
	if len(s.all) > 0 {
		s.turn = (s.turn + 1) % len(s.all)
	}
}
