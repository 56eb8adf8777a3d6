package metrics

import (
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// Observe counts what happened in a core. It implements the services' observer.
func (m *Metrics) Observe(role paxos.Role, name string, ev paxos.Event) {
	log := m.log(ev.Log)
	if metric, ok := plainCount(ev.Kind); ok {
		m.count(metric, 1, role, name, log)
		return
	}
	switch ev.Kind {
	case paxos.EventPhase:
		m.gauges[namePhase].WithLabelValues(name, log).Set(float64(ev.N))
	case paxos.EventTermStart:
		m.counters[nameLeadership].WithLabelValues(name, log, "gained").Inc()
	case paxos.EventResigned:
		m.counters[nameLeadership].WithLabelValues(name, log, "lost").Inc()
	case paxos.EventPromiseRefused:
		m.counters[namePromiseRefused].WithLabelValues(name, log, m.reason(ev.Text)).Inc()
	case paxos.EventAcceptRefused:
		m.counters[nameAcceptRefused].WithLabelValues(name, log, m.reason(ev.Text)).Inc()
	case paxos.EventGapRepaired:
		m.count(nameGaps, 1, role, name, log)
		m.count(nameGapSlots, max(ev.N, 0), role, name, log)
	case paxos.EventChosen:
		m.histograms[nameCommit].WithLabelValues(name, log).Observe(float64(ev.N) / 1e9)
	case paxos.EventQueued, paxos.EventVoted, paxos.EventAnswered, paxos.EventSynced:
		m.histograms[nameStages].WithLabelValues(name, log, stage(ev.Kind)).Observe(float64(ev.N) / 1e9)
	case paxos.EventComposed:
		m.histograms[nameValueBytes].WithLabelValues(name, log).Observe(float64(ev.N))
	case paxos.EventDropped:
		m.counters[nameDropped].WithLabelValues(role.String(), name, m.reason(ev.Text)).Inc()
	case paxos.EventStable:
		m.gauges[nameStable].WithLabelValues(role.String(), name, log).Set(float64(ev.Slot))
	case paxos.EventTrimmed:
		m.gauges[nameTrimmed].WithLabelValues(name, log).Set(float64(ev.Slot))
	case paxos.EventFull:
		// The store itself says so at each scrape (paxosd_store_full).
	default:
	}
}

// plainCount returns the counter of an event that is only counted.
func plainCount(k paxos.EventKind) (string, bool) {
	switch k {
	case paxos.EventElection:
		return nameElections, true
	case paxos.EventRetransmit:
		return nameRetransmits, true
	case paxos.EventDuplicate:
		return nameDuplicates, true
	case paxos.EventDiverged:
		return nameDiverged, true
	case paxos.EventUpgrade:
		return nameUpgrade, true
	case paxos.EventAsked:
		return nameAsked, true
	case paxos.EventAdopted:
		return nameAdopted, true
	case paxos.EventHoleFilled:
		return nameHoles, true
	case paxos.EventGenesis:
		return nameGenesis, true
	case paxos.EventExcluded:
		return nameExcluded, true
	case paxos.EventClock:
		return nameClock, true
	case paxos.EventRecordsReported:
		return nameReports, true
	default:
		return "", false
	}
}

// count adds n to a counter by log. Those that only proposers have carry no role.
func (m *Metrics) count(metric string, n int64, role paxos.Role, name, log string) {
	switch metric {
	case nameElections, nameRetransmits, nameDuplicates, nameAsked, nameAdopted, nameHoles, nameClock:
		m.counters[metric].WithLabelValues(name, log).Add(float64(n))
	default:
		m.counters[metric].WithLabelValues(role.String(), name, log).Add(float64(n))
	}
}

// reason makes a label of an event's text: its fixed part, before a colon. A text with figures in it is no label.
func (m *Metrics) reason(text string) string {
	fixed, _, _ := strings.Cut(text, ":")
	if fixed == "" || len(fixed) > 64 || strings.ContainsAny(fixed, "0123456789\"") {
		return other
	}
	return m.reasons.word(fixed)
}

// stage returns the label of an event that measures a stage of an append.
func stage(k paxos.EventKind) string {
	switch k {
	case paxos.EventQueued:
		return "queued"
	case paxos.EventVoted:
		return "voted"
	case paxos.EventAnswered:
		return "answered"
	default:
		return "synced"
	}
}
