package node

import (
	"github.com/paxosd/paxosd/paxos"
)

// Repeats of a report that nothing answered. A report is small and may be lost; after the last repeat only a new slot or a
// new leader makes a keeper speak again, so that an idle log costs nothing.
const (
	reportRepeats = 3
	repeatEvery   = paxos.Second
)

// reporter decides when a keeper says what it holds (PROTOCOL K1): after a sync, at most every DefaultReportEvery; a few
// times more when nothing follows; and once to each new leader.
type reporter struct {
	slot  paxos.Slot
	hash  paxos.Hash
	start paxos.Slot

	sent    paxos.Slot
	sentAt  paxos.Instant
	repeats int
	leader  paxos.Ballot
	force   bool
}

// durable says how far the store's contiguous, synced prefix goes.
func (r *reporter) durable(t paxos.Slot, h paxos.Hash, start paxos.Slot) {
	if t >= r.slot {
		r.slot, r.hash, r.start = t, h, start
	}
}

// heard notices who leads.
func (r *reporter) heard(b paxos.Ballot) {
	if r.leader.Less(b) {
		r.leader = b
		r.force = true
	}
}

// again sends the newest report once more: what was sent may be lost.
func (r *reporter) again() { r.force = true }

// due reports whether to send now, and takes note that it was sent.
func (r *reporter) due(now paxos.Instant) bool {
	since := now.Sub(r.sentAt)
	switch {
	case r.slot == 0:
		return false
	case r.force || r.slot > r.sent:
		if r.sent > 0 && since < paxos.DefaultReportEvery {
			return false
		}
		r.repeats = 0
	case r.repeats < reportRepeats && since >= repeatEvery:
		r.repeats++
	default:
		return false
	}
	r.force, r.sent, r.sentAt = false, r.slot, now
	return true
}

// tickReport sends a report if one is due and this learner is a keeper of the log.
func (g *learnerLog) tickReport(now paxos.Instant) {
	s := g.svc
	if g.diverged != "" || g.core == nil || g.core.Stopped() != nil {
		return
	}
	if g.core.Sequencer().Keepers().Index(s.cfg.Name, s.cfg.Incarnation) < 0 || !g.report.due(now) {
		return
	}
	r := &g.report
	s.envs = append(s.envs, paxos.Envelope{
		Log: g.log, Genesis: g.id, From: s.cfg.Name,
		Msg: &paxos.Report{Voter: s.voter(), Slot: r.slot, Hash: r.hash, Start: r.start},
	})
	s.note(paxos.Event{Kind: paxos.EventRecordsReported, Log: g.log, Slot: r.slot})
}
