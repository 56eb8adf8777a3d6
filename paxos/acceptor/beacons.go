package acceptor

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// beacons is what this process heard of who leads (PROTOCOL N6): by proposer name and run, the ballots that the run
// announced and did not withdraw, all renewed by its newest beacon in sequence.
type beacons struct {
	runs  []*run            // at most MaxProposers × MaxRuns; in order of first hearing
	asked map[uint64]*run   // requests for a full list under way
	seen  map[runKey]*run   // the same runs by key
	names map[string]uint16 // runs followed per name
}

type runKey struct {
	name string
	run  uint64
}

// run is one process start of one proposer.
//
//	I1  items is what the run's beacons 1 … number say, together.
//	I2  renewed is when beacon number arrived; nothing out of sequence renews.
type run struct {
	runKey
	number  uint64 // newest beacon taken in sequence; 0: none
	heard   paxos.Instant
	renewed paxos.Instant
	items   map[paxos.GenesisID]item

	behind bool // a number was missed: items are of use for nothing new until a full list comes
	newest uint64
	held   []*paxos.Beacon // those above number that came meanwhile, by number, at most MaxHeldBeacons
	asked  uint64          // the request for the full list under way; 0: none
	askAt  paxos.Instant   // when it was sent
}

// item is what a run says of one log.
type item struct {
	log       string
	ballot    paxos.Ballot
	withdrawn bool // the run no longer renews ballot, by its own word
}

func (s *beacons) init() {
	s.asked, s.seen, s.names = map[uint64]*run{}, map[runKey]*run{}, map[string]uint16{}
}

// onBeacon follows one process's beacons: trims by its stable marks (K2), renews what it announces (P7), and answers
// with a beat (P8).
func (a *Acceptor) onBeacon(now paxos.Instant, env *paxos.Envelope, m *paxos.Beacon, out *Output) {
	if !paxos.ValidName(m.Proposer) || (env.From != "" && env.From != m.Proposer) || (m.Number == 0 && !m.Full) {
		a.drop(env, "malformed beacon", out)
		return
	}
	if env.Request != 0 {
		r := a.beacons.asked[env.Request]
		if r == nil || r.name != m.Proposer || r.run != m.Run {
			a.drop(env, "answer to no question", out)
			return
		}
		a.beacons.forgetAsk(r)
	}
	a.obeyStable(m, out)
	r := a.beacons.follow(m)
	r.heard, r.newest = now, max(r.newest, m.Number)
	switch {
	case m.Full && (m.Number > r.number || (m.Number == r.number && r.behind)):
		r.replace(m)
		r.number, r.renewed = m.Number, now
		r.catchUp(now)
	case m.Number <= r.number:
		return // a repeat, or an old one
	case r.behind || m.Number > r.number+1:
		r.hold(m)
		r.catchUp(now)
	default:
		r.take(m)
		r.number, r.renewed = m.Number, now
	}
	if r.behind {
		a.askFull(now, r, out)
		return // a beat would vouch for ballots that were never heard of
	}
	a.beat(now, r, out)
}

// obeyStable trims to the stable marks of a beacon, whoever's and however old it is: a stable mark in a beacon's
// entry is sequenced, and for ever.
func (a *Acceptor) obeyStable(m *paxos.Beacon, out *Output) {
	for i := range m.Items {
		it := &m.Items[i]
		g := a.groups[it.Genesis]
		if g == nil || g.log != it.Log {
			if h := a.part.Holding(it.Log); h != nil && h.ID != it.Genesis {
				out.Events = append(out.Events, paxos.Event{
					Kind: paxos.EventDropped, Log: it.Log, Name: m.Proposer, Text: "beacon of a foreign genesis",
				})
			}
			continue
		}
		if it.Withdrawn || it.Stable <= g.trimmed || it.Stable == paxos.MaxSlot {
			continue
		}
		a.trim(g, it.Stable, out)
	}
}

// trim forgets every vote at or below t, in one durable step with T itself (PROTOCOL A4).
func (a *Acceptor) trim(g *group, t paxos.Slot, out *Output) {
	g.trimmed = t
	g.cache.raise(t + 1)
	out.Records = append(out.Records, paxos.Record{Kind: paxos.RecordTrim, Log: g.log, Genesis: g.id, Slot: t})
	out.Events = append(out.Events, paxos.Event{Kind: paxos.EventTrimmed, Log: g.log, Slot: t})
}

// askFull asks the run for its full list, again if an earlier request had no answer for the probe's time-out.
func (a *Acceptor) askFull(now paxos.Instant, r *run, out *Output) {
	if r.asked != 0 {
		if now.Sub(r.askAt) < a.cfg.ProbeTimeout {
			return
		}
		a.beacons.forgetAsk(r)
	}
	r.asked = a.ask(paxos.ProcessLog, paxos.GenesisID{}, r.name, r.run, &paxos.Beacons{Run: r.run}, out)
	r.askAt = now
	a.beacons.asked[r.asked] = r
}

// beat answers a beacon: which logs' promise differs from the ballot that it renews (PROTOCOL P8). A log that is not live here
// has no promise that could agree.
func (a *Acceptor) beat(now paxos.Instant, r *run, out *Output) {
	b := &paxos.Beat{
		Voter: a.voter(), Proposer: r.name, ToRun: r.run, Number: r.number, Clock: a.clock(now), Full: a.full,
	}
	for _, id := range r.sorted() {
		it := r.items[id]
		if it.withdrawn {
			continue
		}
		promised := paxos.Ballot{}
		if g := a.groups[id]; g != nil && g.live() {
			promised = *g.promised
		}
		if promised != it.ballot {
			b.Differs = append(b.Differs, paxos.BeatItem{Log: it.log, Genesis: id, Promised: promised})
		}
	}
	out.After = append(out.After, paxos.Envelope{Log: paxos.ProcessLog, From: a.cfg.Name, Msg: b})
}

// standing is what the beacons say of one ballot.
type standing uint8

const (
	neverRenewed standing = iota // no beacon in sequence announced it
	renewed                      // announced, and not withdrawn
	withdrawn                    // the run took it back, went on to a higher one, or said that it is over
)

// standing returns what b's run says of it, and when it last renewed it.
func (s *beacons) standing(id paxos.GenesisID, b *paxos.Ballot) (standing, paxos.Instant) {
	r := s.seen[runKey{b.Proposer, b.Run}]
	if r == nil {
		return neverRenewed, 0
	}
	switch it, ok := r.items[id]; {
	case !ok || it.ballot.Less(*b):
		return neverRenewed, 0
	case it.withdrawn || it.ballot != *b: // taken back, or given up for a higher one
		return withdrawn, 0
	default:
		return renewed, r.renewed
	}
}

// follow returns the run that sent m, making room for a new one at the expense of the longest silent.
func (s *beacons) follow(m *paxos.Beacon) *run {
	key := runKey{m.Proposer, m.Run}
	if r := s.seen[key]; r != nil {
		return r
	}
	if s.names[key.name] >= MaxRuns {
		s.evict(func(r *run) bool { return r.name == key.name })
	}
	for s.names[key.name] == 0 && len(s.names) >= MaxProposers {
		s.evict(func(*run) bool { return true })
	}
	r := &run{runKey: key, items: map[paxos.GenesisID]item{}}
	s.seen[key] = r
	s.runs = append(s.runs, r)
	s.names[key.name]++
	return r
}

// evict drops the longest silent run among those that match.
func (s *beacons) evict(match func(*run) bool) {
	var old *run
	for _, r := range s.runs {
		if match(r) && (old == nil || r.heard < old.heard) {
			old = r
		}
	}
	s.forgetAsk(old)
	delete(s.seen, old.runKey)
	if s.names[old.name]--; s.names[old.name] == 0 {
		delete(s.names, old.name)
	}
	s.runs = slices.DeleteFunc(s.runs, func(r *run) bool { return r == old })
}

func (s *beacons) forgetAsk(r *run) {
	delete(s.asked, r.asked)
	r.asked = 0
}

// replace makes the full list m the run's items. What was announced before and is not in it is withdrawn.
func (r *run) replace(m *paxos.Beacon) {
	for _, id := range r.sorted() {
		it := r.items[id]
		it.withdrawn = true
		r.items[id] = it
	}
	r.take(m)
}

// take adds what m says to the run's items.
func (r *run) take(m *paxos.Beacon) {
	for i := range m.Items {
		it := &m.Items[i]
		if it.Ballot.Proposer != r.name || it.Ballot.Run != r.run {
			continue // not this run's to renew
		}
		if _, ok := r.items[it.Genesis]; !ok && len(r.items) >= MaxRunItems {
			continue
		}
		r.items[it.Genesis] = item{log: it.Log, ballot: it.Ballot, withdrawn: it.Withdrawn}
	}
	if m.Over {
		for _, id := range r.sorted() {
			it := r.items[id]
			it.withdrawn = true
			r.items[id] = it
		}
	}
}

// hold keeps a beacon that came out of sequence, in order of number. The newest gives way: the full list
// that is asked for has it.
func (r *run) hold(m *paxos.Beacon) {
	i, found := slices.BinarySearchFunc(r.held, m.Number, func(b *paxos.Beacon, n uint64) int {
		switch {
		case b.Number < n:
			return -1
		case b.Number > n:
			return 1
		}
		return 0
	})
	if !found && len(r.held) < MaxHeldBeacons {
		r.held = slices.Insert(r.held, i, m)
	}
}

// catchUp takes the held beacons that follow in sequence, and notes whether any is missing still.
func (r *run) catchUp(now paxos.Instant) {
	for len(r.held) > 0 && r.held[0].Number <= r.number+1 {
		m := r.held[0]
		r.held = slices.Delete(r.held, 0, 1)
		if m.Number <= r.number {
			continue
		}
		if m.Full {
			r.replace(m)
		} else {
			r.take(m)
		}
		r.number, r.renewed = m.Number, now
	}
	r.behind = r.newest > r.number
}

// sorted returns the genesis ids of the run's items in order.
func (r *run) sorted() []paxos.GenesisID {
	ids := make([]paxos.GenesisID, 0, len(r.items))
	for id := range r.items {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, paxos.GenesisID.Compare)
	return ids
}
