package learner

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// Beacons watches the numbers of the beacons that a learner hears. A beacon lists only what changed, so that of an idle log
// the newest mark is told once: whoever missed a number asks that run for its full list (PROTOCOL N6, L3). What the beacons say is
// taken in any order, by others; here only the numbers count.
type Beacons struct {
	self string
	next func() uint64
	runs []*beaconRun // in order of first hearing, at most maxBeaconRuns
}

// beaconRun is one process start of one proposer.
//
//	I1  what the run's beacons 1 … number say, together, has arrived.
//	I2  beacons low … newest have arrived; number is below low-1, or newest.
type beaconRun struct {
	name   string
	run    uint64
	number uint64
	low    uint64
	newest uint64
	at     paxos.Instant // when it was last heard
	askAt  paxos.Instant // not asked again before
}

const (
	// maxBeaconRuns bounds the runs that are followed. The longest silent one gives way.
	maxBeaconRuns = 64
	// askBeaconsEvery is how long an answer may take.
	askBeaconsEvery = 250 * paxos.Millisecond
)

// NewBeacons returns one that has heard nothing. self is the learner's name; next numbers its requests.
func NewBeacons(self string, next func() uint64) *Beacons { return &Beacons{self: self, next: next} }

// OnBeacon takes note of a beacon, be it broadcast or a full list that was asked for, and asks if one was missed.
func (h *Beacons) OnBeacon(now paxos.Instant, m *paxos.Beacon, out *paxos.Output) {
	r := h.of(now, m)
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

// Again forgets what was heard, so that every run is asked for its full list: a log that begins here now could not take what
// beacons said of it before.
func (h *Beacons) Again(now paxos.Instant, out *paxos.Output) {
	for _, r := range h.runs {
		r.number, r.low, r.askAt = 0, r.newest+1, now
		h.ask(now, r, out)
	}
}

// Tick asks again what was not answered.
func (h *Beacons) Tick(now paxos.Instant, out *paxos.Output) {
	for _, r := range h.runs {
		h.ask(now, r, out)
	}
}

func (h *Beacons) ask(now paxos.Instant, r *beaconRun, out *paxos.Output) {
	if r.number >= r.newest || now < r.askAt || now.Sub(r.at) >= paxos.DefaultTimeout {
		return
	}
	r.askAt = now.Add(askBeaconsEvery)
	out.Now = append(out.Now, paxos.Envelope{
		Log: paxos.ProcessLog, From: h.self, To: r.name, ToRun: r.run, Request: h.next(), Msg: &paxos.Beacons{Run: r.run},
	})
}

// of returns the run that sent m, making room for a new one.
func (h *Beacons) of(now paxos.Instant, m *paxos.Beacon) *beaconRun {
	oldest := 0
	for i, r := range h.runs {
		if r.name == m.Proposer && r.run == m.Run {
			return r
		}
		if r.at < h.runs[oldest].at {
			oldest = i
		}
	}
	if len(h.runs) >= maxBeaconRuns {
		h.runs = slices.Delete(h.runs, oldest, oldest+1)
	}
	r := &beaconRun{name: m.Proposer, run: m.Run, low: 1, at: now, askAt: now}
	h.runs = append(h.runs, r)
	return r
}
