package proposer

import "github.com/paxosd/paxosd/paxos"

// purpose says who waits for an answer.
type purpose uint8

const (
	forLearner purpose = iota + 1 // the group's learner
	forAsk                        // a standby asks who is gone
	forContest                    // a contested leader asks for promises
	forValue                      // a leader fetches a value to adopt
	forBeacons                    // the full list of a peer
	forIdent                      // the acceptors of a membership to be proposed
)

// request is one that was sent and not answered.
type request struct {
	purpose purpose
	group   *group // nil with forBeacons
	peer    *peer  // with forBeacons
	round   uint64 // of the asking or contest that it belongs to
	index   int    // of the addressee in that
	until   paxos.Instant
}

// requests is the table of those. Entries leave with their answer, or when they are older than requestLife.
type requests struct {
	table   map[uint64]request
	sweepAt paxos.Instant
}

// take returns the request that this answer is for, and forgets it.
func (r *requests) take(number uint64) (request, bool) {
	q, ok := r.table[number]
	if ok {
		delete(r.table, number)
	}
	return q, ok
}

// sweep forgets what nobody will answer any more. Whoever waits has its own, shorter patience.
func (r *requests) sweep(now paxos.Instant) {
	if now < r.sweepAt {
		return
	}
	r.sweepAt = now.Add(requestLife / 10)
	for n, q := range r.table {
		if now >= q.until {
			delete(r.table, n)
		}
	}
}

// request sends env as a request and returns its number, or 0 if too many are unanswered.
func (p *Proposer) request(s *step, q request, env paxos.Envelope) uint64 {
	if len(p.requests.table) >= maxRequests {
		return 0
	}
	env.From, env.Request = p.cfg.Name, p.cfg.NextRequest()
	q.until = s.now.Add(requestLife)
	p.requests.table[env.Request] = q
	s.send(env)
	return env.Request
}
