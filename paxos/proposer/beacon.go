package proposer

import "github.com/paxosd/paxosd/paxos"

// sender is the process's one beacon (PROTOCOL N6).
type sender struct {
	number uint64 // of the newest one sent
	next   paxos.Instant
	soon   bool
	over   bool
	sent   [beaconHistory]paxos.Instant
}

// sentAt returns when a beacon was sent; one that is too old to be known counts as sent long ago.
func (b *sender) sentAt(number uint64, now paxos.Instant) paxos.Instant {
	if number == 0 || number > b.number || b.number-number >= beaconHistory {
		return now.Add(-requestLife)
	}
	return b.sent[number%beaconHistory]
}

// beaconSoon makes Flush send a beacon: something changed that others wait for.
func (p *Proposer) beaconSoon() { p.beacon.soon = true }

// sendBeacon sends a beacon if one is due. It lists what changed since the last one.
func (p *Proposer) sendBeacon(s *step) {
	if p.beacon.over || !p.beacon.soon && s.now < p.beacon.next {
		return
	}
	p.beacon.soon = false
	p.beacon.next = s.now.Add(p.cfg.BeaconEvery)
	m := &paxos.Beacon{Full: p.beacon.number == 0, Succession: p.peers.present(s.now, &p.cfg)}
	for _, g := range p.groups.list {
		if len(m.Items) == paxos.MaxBeaconItems {
			p.beacon.soon = true // what does not fit goes into the next
			break
		}
		if it, ok := g.announce(); ok {
			m.Items = append(m.Items, it)
		}
	}
	p.emitBeacon(s, m)
}

// sendOver sends the last beacon: everything is withdrawn.
func (p *Proposer) sendOver(s *step) {
	if !p.beacon.over {
		p.beacon.over = true
		p.emitBeacon(s, &paxos.Beacon{Over: true})
	}
}

func (p *Proposer) emitBeacon(s *step, m *paxos.Beacon) {
	p.beacon.number++
	p.beacon.sent[p.beacon.number%beaconHistory] = s.now
	m.Proposer, m.Run, m.Number, m.Clock = p.cfg.Name, p.cfg.Run, p.beacon.number, s.wall
	s.send(paxos.Envelope{Log: paxos.ProcessLog, From: p.cfg.Name, Msg: m})
}

// announce returns what the next beacon says of this log, if it differs from what the last one said.
func (g *group) announce() (paxos.BeaconItem, bool) {
	it, leads := g.beaconItem()
	switch {
	case leads && (!g.announced || it != g.lastBeacon):
		g.announced, g.lastBeacon = true, it
		return it, true
	case !leads && g.announced:
		g.announced = false
		return paxos.BeaconItem{Log: g.log, Genesis: g.id, Ballot: g.lastBeacon.Ballot, Withdrawn: true}, true
	}
	return paxos.BeaconItem{}, false
}

// beaconItem returns what a beacon says of this log, if this process leads it. The mark is the sequenced prefix: a leader resigns
// before it sequences a slot, at or above f, that was chosen above its ballot or came without one (PROTOCOL L2).
func (g *group) beaconItem() (paxos.BeaconItem, bool) {
	ld, ok := g.phase.(*leader)
	if !ok {
		return paxos.BeaconItem{}, false
	}
	stable, _ := g.seq.Stable()
	return paxos.BeaconItem{
		Log: g.log, Genesis: g.id, Ballot: ld.ballot,
		Chosen: g.through(), ChosenHash: g.seq.Hash(), Stable: stable, Last: g.seq.LastOffset(),
	}, true
}

// onBeacons answers who missed a beacon with the full list.
func (p *Proposer) onBeacons(s *step, env *paxos.Envelope, m *paxos.Beacons) {
	if m.Run != p.cfg.Run || p.beacon.number == 0 || p.beacon.over {
		return
	}
	full := &paxos.Beacon{
		Proposer: p.cfg.Name, Run: p.cfg.Run, Number: p.beacon.number, Full: true, Clock: s.wall,
		Succession: p.peers.present(s.now, &p.cfg),
	}
	for _, g := range p.groups.list {
		if it, ok := g.beaconItem(); ok && g.announced {
			full.Items = append(full.Items, it)
		}
	}
	p.answer(s, env, full)
}
