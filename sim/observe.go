package sim

import (
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// observe counts what the cores tell.
func (w *world) observe(p *process, events []paxos.Event) {
	for i := range events {
		ev := &events[i]
		switch ev.Kind {
		case paxos.EventElection:
			w.elected(p, ev)
		case paxos.EventTermStart:
			w.count("term start")
		case paxos.EventResigned:
			w.count("resigned")
		case paxos.EventAdopted:
			w.count("adopted")
		case paxos.EventHoleFilled:
			w.count("hole filled")
		case paxos.EventRetransmit:
			w.count("accept sent again")
		case paxos.EventDuplicate:
			w.count("duplicate batch answered")
		case paxos.EventExcluded:
			w.count("store excluded")
		case paxos.EventFull:
			w.count("disk full")
		case paxos.EventClock:
			w.count("clock out of bounds")
		case paxos.EventGapRepaired:
			if ev.Ballot.IsZero() {
				w.count("gap repaired from a learner")
			} else {
				w.count("decided by a read quorum")
			}
		case paxos.EventAsked:
			// Told while it asked, it does not stand; told by a promise, it gives up.
			if strings.Contains(ev.Text, "trimmed above") {
				w.count("candidate behind the trim mark")
			}
		case paxos.EventPhase:
			switch {
			case strings.HasPrefix(ev.Text, "raised"):
				w.count("raised in place")
			case strings.HasPrefix(ev.Text, "trimmed above"):
				w.count("candidate behind the trim mark")
				w.count("trim mark told by a promise")
			}
		default:
			continue
		}
		if w.o.Trace != nil {
			w.note("%s: event %d of %s slot %d ballot %s n %d %s %s", p.name, ev.Kind, ev.Log, ev.Slot, ev.Ballot, ev.N, ev.Name, ev.Text)
		}
	}
}

// elected looks at the situation in which a candidacy begins.
func (w *world) elected(p *process, ev *paxos.Event) {
	w.count("election")
	l := w.logNamed(ev.Log)
	if l == nil {
		return
	}
	for t := l.through() + 1; t <= paxos.Slot(len(l.slots)); t++ {
		if len(l.slots[t-1].proposals) > 0 {
			w.count("leader change with slots in flight")
			break
		}
	}
	for _, q := range w.procs {
		s, ok := q.svc.(*proposerService)
		if !ok || q == p {
			continue
		}
		for _, st := range s.core.Status() {
			if st.Log == ev.Log && st.Phase == paxos.PhaseCandidate {
				w.count("duelling candidates")
			}
		}
	}
}

// delivered takes a message into the trace and its hash as it arrives.
func (w *world) delivered(p *process, env *paxos.Envelope) {
	x := uint64(env.Msg.Kind())<<56 | uint64(p.id)<<48 ^ env.Request<<16 ^ uint64(w.now)
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		x ^= uint64(m.Checksum) ^ uint64(m.Slot)<<24 ^ m.Ballot.Round
	case *paxos.Promise:
		x ^= uint64(m.From)<<32 ^ m.Ballot.Run ^ uint64(len(m.Votes))
	case *paxos.Learn:
		x ^= m.Ballot.Run ^ uint64(len(m.Votes))<<32 ^ m.Written
	case *paxos.ChosenMsg:
		if len(m.Values) > 0 {
			w.count("value told with its mark")
		} else {
			w.count("mark told alone")
		}
		x ^= uint64(m.Through)<<24 ^ m.Ballot.Run ^ uint64(len(m.Values))
	case *paxos.Beacon:
		x ^= m.Run ^ m.Number
	case *paxos.BatchAnswer:
		x ^= uint64(m.Checksum) ^ uint64(m.First)<<8 ^ uint64(m.Code)
	case *paxos.FetchAnswer:
		x ^= uint64(m.From)<<24 ^ uint64(len(m.Values))
	}
	w.mix(x)
	if w.o.Trace != nil {
		if line := describe(env); line != "" {
			w.note("%s hears %s", p.name, line)
		}
	}
}
