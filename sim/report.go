package sim

import "github.com/paxosd/paxosd/paxos"

const (
	reportRepeats = 3
	repeatEvery   = paxos.Second
)

// reporter decides when a keeper says what it holds (PROTOCOL K1), as package node's does.
type reporter struct {
	slot    paxos.Slot
	hash    paxos.Hash
	start   paxos.Slot
	sent    paxos.Slot
	sentAt  paxos.Instant
	repeats int
	leader  paxos.Ballot
	force   bool
}

func (r *reporter) durable(t paxos.Slot, h paxos.Hash, start paxos.Slot) {
	if t >= r.slot {
		r.slot, r.hash, r.start = t, h, start
	}
}

func (r *reporter) heard(b paxos.Ballot) {
	if r.leader.Less(b) {
		r.leader, r.force = b, true
	}
}

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

func (f *followed) tickReport(now paxos.Instant) {
	s := f.s
	if f.diverged != "" || f.core == nil || f.core.Stopped() != nil {
		return
	}
	if f.core.Sequencer().Keepers().Index(s.p.name, s.store.incarnation) < 0 || !f.report.due(now) {
		return
	}
	r := &f.report
	s.out.Now = append(s.out.Now, paxos.Envelope{
		Log: f.gen.Log, Genesis: f.gen.ID, From: s.p.name, Msg: &paxos.Report{Voter: s.voter(), Slot: r.slot, Hash: r.hash, Start: r.start},
	})
}

// heard asks for the full list of beacons after a missed number (PROTOCOL N6), as package node's does.
type heard struct {
	self string
	next func() uint64
	runs []heardRun
}

type heardRun struct {
	name                string
	run                 uint64
	number, low, newest uint64
	at, askAt           paxos.Instant
}

const (
	maxHeardRuns    = 64
	askBeaconsEvery = 250 * paxos.Millisecond
)

func (h *heard) onBeacon(now paxos.Instant, m *paxos.Beacon, out *paxos.Output) {
	i := 0
	for i < len(h.runs) && (h.runs[i].name != m.Proposer || h.runs[i].run != m.Run) {
		i++
	}
	if i == len(h.runs) {
		if i >= maxHeardRuns {
			h.runs = h.runs[1:]
			i--
		}
		h.runs = append(h.runs, heardRun{name: m.Proposer, run: m.Run, low: 1, at: now, askAt: now})
	}
	r := &h.runs[i]
	r.at = now
	switch {
	case m.Full || m.Over:
		r.number = max(r.number, m.Number)
		if m.Number > r.newest {
			r.low, r.newest = m.Number, m.Number
		}
	case m.Number == r.newest+1:
		r.newest++
	case m.Number > r.newest:
		r.low, r.newest = m.Number, m.Number
	}
	if r.number+1 >= r.low {
		r.number = r.newest
	}
	h.ask(now, r, out)
}

// again asks every run for its full list: a log that begins now could not take what was said of it before.
func (h *heard) again(now paxos.Instant, out *paxos.Output) {
	for i := range h.runs {
		r := &h.runs[i]
		r.number, r.low, r.askAt = 0, r.newest+1, now
		h.ask(now, r, out)
	}
}

func (h *heard) tick(now paxos.Instant, out *paxos.Output) {
	for i := range h.runs {
		h.ask(now, &h.runs[i], out)
	}
}

func (h *heard) ask(now paxos.Instant, r *heardRun, out *paxos.Output) {
	if r.number >= r.newest || now < r.askAt || now.Sub(r.at) >= paxos.DefaultTimeout {
		return
	}
	r.askAt = now.Add(askBeaconsEvery)
	out.Now = append(out.Now, paxos.Envelope{
		Log: paxos.ProcessLog, From: h.self, To: r.name, ToRun: r.run, Request: h.next(), Msg: &paxos.Beacons{Run: r.run},
	})
}
