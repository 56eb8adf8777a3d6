package learner

import (
	"github.com/paxosd/paxosd/paxos"
)

// Repeats of a report that nothing answered. A report is small and may be lost; after the last repeat only a new slot or a
// new leader makes a keeper speak again, so that an idle log costs nothing.
const (
	reportRepeats = 3
	repeatEvery   = paxos.Second
)

// Reports decides when a keeper says what it holds (PROTOCOL K1): after a sync, at most every DefaultReportEvery or DefaultReportBytes,
// whichever comes first; a few times more when nothing follows; and once to each new leader. The zero value has nothing to say.
type Reports struct {
	slot  paxos.Slot
	hash  paxos.Hash
	start paxos.Slot

	grown   int // bytes made durable since the last report
	sent    paxos.Slot
	sentAt  paxos.Instant
	repeats int
	leader  paxos.Ballot
	force   bool
}

// Durable says how far the store's contiguous, synced prefix goes.
func (r *Reports) Durable(t paxos.Slot, h paxos.Hash, start paxos.Slot) {
	if t >= r.slot {
		r.slot, r.hash, r.start = t, h, start
	}
}

// Grew says how many bytes a sync made durable. Acceptors keep what is not reported: under load they wait for bytes, not for time.
func (r *Reports) Grew(bytes int) { r.grown += bytes }

// Heard notices who leads.
func (r *Reports) Heard(b paxos.Ballot) {
	if r.leader.Less(b) {
		r.leader = b
		r.force = true
	}
}

// Again sends the newest report once more: what was sent may be lost.
func (r *Reports) Again() { r.force = true }

// Due reports whether to send now, and takes note that it was sent.
func (r *Reports) Due(now paxos.Instant) bool {
	since := now.Sub(r.sentAt)
	switch {
	case r.slot == 0:
		return false
	case r.force || r.slot > r.sent:
		if r.sent > 0 && since < paxos.DefaultReportEvery && r.grown < paxos.DefaultReportBytes {
			return false
		}
		r.repeats = 0
	case r.repeats < reportRepeats && since >= repeatEvery:
		r.repeats++
	default:
		return false
	}
	r.force, r.sent, r.sentAt, r.grown = false, r.slot, now, 0
	return true
}

// Newest returns what there is to report, Voter left out; its Slot is 0 if there is nothing.
func (r *Reports) Newest() paxos.Report {
	return paxos.Report{Slot: r.slot, Hash: r.hash, Start: r.start}
}

// Leader returns the highest ballot that was heard to lead.
func (r *Reports) Leader() paxos.Ballot { return r.leader }
