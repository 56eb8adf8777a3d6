package proposer

import (
	"cmp"
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// peer is one run of a proposer process, as far as its beacons say.
//
//	I1  items is exactly what the run renews as of number; while missing, that is out of date and renews nothing.
type peer struct {
	name    string
	run     uint64
	number  uint64        // newest beacon taken in sequence
	heard   paxos.Instant // any beacon
	renewed paxos.Instant // the newest taken in sequence
	over    bool
	items   map[paxos.GenesisID]paxos.Ballot

	succession []string

	missing bool            // a number was missed: the full list is asked for
	held    []*paxos.Beacon // taken while missing, by number
	askAt   paxos.Instant
}

// peers follows the beacons of the other proposers (PROTOCOL N6).
type peers struct{ list []*peer }

func (ps *peers) find(name string, run uint64) *peer {
	for _, q := range ps.list {
		if q.run == run && q.name == name {
			return q
		}
	}
	return nil
}

// of returns the peer, making one if needed; the longest silent one gives way.
func (ps *peers) of(now paxos.Instant, name string, run uint64) *peer {
	if q := ps.find(name, run); q != nil {
		return q
	}
	if len(ps.list) >= maxPeers {
		oldest := 0
		for i, q := range ps.list {
			if q.heard < ps.list[oldest].heard {
				oldest = i
			}
		}
		ps.list = slices.Delete(ps.list, oldest, oldest+1)
	}
	q := &peer{name: name, run: run, heard: now, renewed: now, items: make(map[paxos.GenesisID]paxos.Ballot)}
	ps.list = append(ps.list, q)
	return q
}

// present returns the names heard of within the time-out, in the configured order, others after those by name.
func (ps *peers) present(now paxos.Instant, cfg *Config) []string {
	var names []string
	for _, q := range ps.list {
		if !q.over && now.Sub(q.heard) < cfg.Timeout && q.name != cfg.Name && !slices.Contains(names, q.name) {
			names = append(names, q.name)
		}
	}
	place := func(n string) int {
		if i := slices.Index(cfg.Proposers, n); i >= 0 {
			return i
		}
		return len(cfg.Proposers)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
	return names[:min(len(names), paxos.MaxSuccession)]
}

// holder is who leads a log, as far as beacons say.
type holder struct {
	ballot paxos.Ballot // zero: never heard of one
	peer   *peer
	gone   bool // withdrawn, over, or met the broker's 503: ask at once
	goneAt paxos.Instant
	why    string
}

// onBeacon takes a beacon, be it broadcast or the full list that was asked for.
func (p *Proposer) onBeacon(s *step, env *paxos.Envelope, m *paxos.Beacon) {
	if m.Number == 0 || m.Proposer == p.cfg.Name && m.Run == p.cfg.Run {
		return
	}
	if env.Request != 0 {
		if _, ok := p.requests.take(env.Request); !ok || !m.Full {
			return
		}
	}
	q := p.peers.of(s.now, m.Proposer, m.Run)
	q.heard = s.now
	if m.Number <= q.number && (!q.missing || m.Number < q.number) || q.over {
		return
	}
	switch {
	case m.Full || m.Over || !q.missing && m.Number == q.number+1:
		p.takeBeacon(s, q, m)
	case len(q.held) < maxHeldBeacons:
		q.missing = true
		if !slices.ContainsFunc(q.held, func(h *paxos.Beacon) bool { return h.Number == m.Number }) {
			q.held = append(q.held, m)
		}
	default:
		q.missing = true
	}
	p.takeHeld(s, q)
	p.askFull(s, q)
}

// takeHeld takes the beacons that were held for the want of earlier ones, as far as they follow now.
func (p *Proposer) takeHeld(s *step, q *peer) {
	if q.missing {
		return
	}
	slices.SortFunc(q.held, func(a, b *paxos.Beacon) int { return cmp.Compare(a.Number, b.Number) })
	for i, m := range q.held {
		if m.Number <= q.number {
			continue
		}
		if m.Number != q.number+1 {
			q.held, q.missing = q.held[i:], true
			return
		}
		p.takeBeacon(s, q, m)
	}
	clear(q.held)
	q.held = q.held[:0]
}

// askFull asks for the full list while a number is missed, and the run is heard.
func (p *Proposer) askFull(s *step, q *peer) {
	if !q.missing || s.now < q.askAt || s.now.Sub(q.heard) >= p.cfg.Timeout {
		return
	}
	q.askAt = s.now.Add(2 * p.cfg.BeaconEvery)
	p.request(s, request{purpose: forBeacons, peer: q}, paxos.Envelope{
		Log: paxos.ProcessLog, To: q.name, ToRun: q.run, Msg: &paxos.Beacons{Run: q.run},
	})
}

// takeBeacon takes a beacon in sequence: it renews everything that the run announced and did not withdraw.
func (p *Proposer) takeBeacon(s *step, q *peer, m *paxos.Beacon) {
	q.number, q.renewed, q.missing = m.Number, s.now, false
	q.succession = m.Succession
	if m.Over {
		q.over = true
		p.gone(s, q, nil, `its last beacon said "over"`)
		clear(q.items)
		return
	}
	if m.Full {
		p.gone(s, q, m.Items, "no longer in its list")
		clear(q.items)
	}
	for i := range m.Items {
		it := &m.Items[i]
		if it.Ballot.Proposer != q.name || it.Ballot.Run != q.run {
			continue
		}
		if it.Withdrawn {
			delete(q.items, it.Genesis)
		} else {
			q.items[it.Genesis] = it.Ballot
		}
		if g := p.groups.byID[it.Genesis]; g != nil && g.log == it.Log {
			g.onItem(s, q, it)
		} else if g := p.groups.byLog[it.Log]; g != nil && !it.Withdrawn {
			g.hearConflict(s, q.name)
		}
	}
}

// gone marks what this peer led and does not list any more.
func (p *Proposer) gone(s *step, q *peer, still []paxos.BeaconItem, why string) {
	for _, g := range p.groups.list {
		if g.holder.peer != q || slices.ContainsFunc(still, func(it paxos.BeaconItem) bool {
			return it.Genesis == g.id && !it.Withdrawn
		}) {
			continue
		}
		g.holderGone(s, why)
	}
}

// onItem takes what a leader says of this log.
func (g *group) onItem(s *step, q *peer, it *paxos.BeaconItem) {
	if it.Withdrawn {
		if g.holder.ballot == it.Ballot {
			g.holderGone(s, "its beacon withdrew the log")
		}
		g.feedItem(s, q, it)
		return
	}
	g.observe(s, it.Ballot, q.name)
	if it.Ballot.Compare(g.holder.ballot) >= 0 && it.Ballot.Compare(g.seen) <= 0 {
		g.holder = holder{ballot: it.Ballot, peer: q}
		g.failures = 0
	}
	switch ph := g.phase.(type) {
	case *contested:
		if it.Ballot.Compare(ph.against) >= 0 {
			g.resign(s, "another leads at "+it.Ballot.String(), 0)
		}
	case *standby:
		if ph.asking != nil && it.Ballot == g.holder.ballot {
			ph.rest(g, s, "it is heard again")
		}
	case *candidate, *leader:
	}
	g.feedItem(s, q, it)
}

// feedItem hands the marks to the learner. A candidate or leader learns by votes alone (PROTOCOL P1).
func (g *group) feedItem(s *step, q *peer, it *paxos.BeaconItem) {
	if _, ok := g.phase.(*standby); !ok {
		return
	}
	g.learner.OnBeacon(s.now, q.name, it, &g.p.fromLearner)
	g.drain(s)
}

// holderGone takes note that the log's leader says itself, or the broker says, that it is gone. It only makes this
// process ask (PROTOCOL P7).
func (g *group) holderGone(s *step, why string) {
	if !g.holder.gone {
		g.holder.gone, g.holder.goneAt, g.holder.why = true, s.now, why
	}
}

// conflictRest is for how many time-outs after the last word of another genesis a log is not led.
const conflictRest = 2

// hearConflict takes note that another genesis of this log speaks: two are one too many to lead (PROTOCOL section 6).
func (g *group) hearConflict(s *step, from string) {
	if s.now >= g.conflictUntil {
		g.event(s, paxos.Event{Kind: paxos.EventGenesis, Name: from, Text: "another genesis of this log is heard; it is not led here"})
	}
	g.conflictUntil = s.now.Add(conflictRest * g.p.cfg.Timeout)
	switch g.phase.(type) {
	case *candidate:
		g.giveUp(s, "another genesis of this log is heard")
	case *leader, *contested:
		g.resign(s, "another genesis of this log is heard", 0)
	case *standby:
	}
}
