package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paxosd/paxosd/paxos"
)

// Role is what one role of this process counts and measures as it happens. Its labels are looked up once.
type Role struct {
	m    *Metrics
	role paxos.Role
	name string

	fsync, wait, records, bytes prometheus.Observer
	entries, streamed           prometheus.Counter
}

// Role returns the metrics of one role.
func (m *Metrics) Role(role paxos.Role, name string) *Role {
	r := &Role{m: m, role: role, name: name}
	if role != paxos.RoleProposer {
		word := role.String()
		r.fsync = m.histograms[nameFsync].WithLabelValues(word, name)
		r.wait = m.histograms[nameFsyncWait].WithLabelValues(word, name)
		r.records = m.histograms[nameGroupRecords].WithLabelValues(word, name)
		r.bytes = m.histograms[nameGroupBytes].WithLabelValues(word, name)
	}
	if role == paxos.RoleLearner {
		r.entries = m.counters[nameStreamedEntries].WithLabelValues(name)
		r.streamed = m.counters[nameStreamedBytes].WithLabelValues(name)
	}
	return r
}

// Committed takes note of a group that one fsync made durable: how many records and bytes it had, how long its first
// record waited, and how long the store took. Proposers have no store.
func (r *Role) Committed(records, bytes int, waited, took time.Duration) {
	if r.fsync == nil {
		return
	}
	r.fsync.Observe(took.Seconds())
	r.wait.Observe(waited.Seconds())
	r.records.Observe(float64(records))
	r.bytes.Observe(float64(bytes))
}

// Streamed takes note of what a learner sent to a subscriber.
func (r *Role) Streamed(bytes, entries int) {
	if r.entries == nil {
		return
	}
	r.entries.Add(float64(entries))
	r.streamed.Add(float64(bytes))
}

// Answered takes note of a leader's answer to an append, open or command. Entries count where they were appended.
func (r *Role) Answered(log string, a *paxos.BatchAnswer) {
	word := r.m.log(log)
	r.m.counters[nameAnswers].WithLabelValues(r.name, word, codeWord(a.Code)).Inc()
	if a.Code == paxos.CodeAppended || a.Code == paxos.CodeDuplicate {
		r.m.counters[nameAcked].WithLabelValues(r.name, word).Add(float64(a.Count))
	}
}

// codeWord names an outcome in a label.
func codeWord(c paxos.Code) string {
	switch c {
	case paxos.CodeAppended:
		return "appended"
	case paxos.CodeDuplicate:
		return "duplicate"
	case paxos.CodeConditionFails:
		return "condition_fails"
	case paxos.CodeHole, paxos.CodeHoleFar:
		return "hole"
	case paxos.CodeForgotten:
		return "forgotten"
	case paxos.CodeMismatch:
		return "mismatch"
	case paxos.CodeExpired:
		return "expired"
	case paxos.CodeTail:
		return "tail"
	case paxos.CodeOpened:
		return "opened"
	case paxos.CodeCommandDone:
		return "command_done"
	case paxos.CodeCommandRefused:
		return "command_refused"
	default:
		return leaderCodeWord(c)
	}
}

func leaderCodeWord(c paxos.Code) string {
	switch c {
	case paxos.CodeOverloaded:
		return "overloaded"
	case paxos.CodeTooLarge:
		return "too_large"
	case paxos.CodeMalformed:
		return "malformed"
	case paxos.CodeNotLeader:
		return "not_leader"
	case paxos.CodeUnknown:
		return "unknown"
	case paxos.CodeHeader:
		return "header"
	case paxos.CodeFull:
		return "full"
	case paxos.CodeUpgrade:
		return "upgrade"
	default:
		return other
	}
}
