package metrics

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/paxosd/paxosd/paxos"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md again")

func newMetrics(t *testing.T) (*Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := New(reg, Build{Version: "v1", Revision: "abc", Go: "go1"})
	if err != nil {
		t.Fatal(err)
	}
	return m, reg
}

// Names, kinds, labels and meanings are a contract with dashboards: the document shows every change of one.
func TestDocumentIsPinned(t *testing.T) {
	const file, begin, end = "../docs/metrics.md", "<!-- table: written by go test ./metrics -update -->\n", "<!-- end of table -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+Document()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != Document() {
		t.Errorf("%s differs from the metrics; write it again with: go test ./metrics -update", file)
	}
}

// everything makes each metric have a value.
func everything(m *Metrics) {
	for role, name := range map[paxos.Role]string{paxos.RoleAcceptor: "a1", paxos.RoleProposer: "p1", paxos.RoleLearner: "l1"} {
		for k := paxos.EventPhase; k <= paxos.EventSynced; k++ {
			m.Observe(role, name, paxos.Event{Kind: k, Log: "main", N: 2, Slot: 7, Text: "some reason: 17"})
		}
		r := m.Role(role, name)
		r.Committed(3, 500, time.Millisecond, 2*time.Millisecond)
		r.Streamed(100, 4)
		r.Answered("main", &paxos.BatchAnswer{Code: paxos.CodeAppended, Count: 5})
		m.AddSource(Source{
			Role: role, Name: name,
			Logs: func() []LogState {
				return []LogState{{Log: "main", Through: 10, Known: 12, Stable: 4, Last: 99, Queued: 1, QueuedBytes: 2, Open: 3, InFlight: 4}}
			},
			Store: func() StoreState { return StoreState{Bytes: 1, Written: 2, Free: 3, Size: 4, Full: true} },
			Transport: func() TransportState {
				return TransportState{Up: true, Rejected: map[string]uint64{"magic": 1}, Dropped: map[string]uint64{"closed": 2}}
			},
			Subscribers: func() int { return 6 },
			Mailbox:     func() int { return 7 },
		})
	}
}

// No metric is in the table and never given a value, and none is given one and not in the table. The linter of Prometheus
// finds nothing wrong with the names.
func TestEveryMetricIsServed(t *testing.T) {
	m, reg := newMetrics(t)
	everything(m)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "paxosd_") {
			got = append(got, f.GetName())
		}
	}
	want := []string{nameBuild}
	for _, d := range definitions() {
		want = append(want, d.name)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("served\n%s\nin the table\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestValues(t *testing.T) {
	m, reg := newMetrics(t)
	everything(m)
	for _, tc := range []struct{ name, want string }{
		{nameElections, `paxosd_elections_total{log="main",name="p1"} 1`},
		{namePhase, `paxosd_proposer_phase{log="main",name="p1"} 2`},
		{nameLeadership, `paxosd_leadership_changes_total{change="lost",log="main",name="p1"} 1`},
		{namePromiseRefused, `paxosd_promises_refused_total{log="main",name="a1",reason="some reason"} 1`},
		{nameGapSlots, `paxosd_gap_slots_repaired_total{log="main",name="l1",role="learner"} 2`},
		{nameLearnerLag, `paxosd_learner_lag_slots{log="main",name="l1",role="learner"} 2`},
		{nameStableLag, `paxosd_stable_lag_slots{log="main",name="l1",role="learner"} 6`},
		{nameTrimmed, `paxosd_trimmed_slot{log="main",name="a1"} 7`},
		{nameAcked, `paxosd_entries_acked_total{log="main",name="p1"} 5`},
		{nameAnswers, `paxosd_answers_total{code="appended",log="main",name="p1"} 1`},
		{nameStreamedEntries, `paxosd_entries_streamed_total{name="l1"} 4`},
		{nameRejected, `paxosd_messages_rejected_total{name="a1",reason="magic",role="acceptor"} 1`},
		{nameStoreFull, `paxosd_store_full{name="a1",role="acceptor"} 1`},
	} {
		if got := text(t, reg, tc.name); !strings.Contains(got, tc.want) {
			t.Errorf("want %s in\n%s", tc.want, got)
		}
	}
	if got := text(t, reg, nameFsync); strings.Contains(got, `name="p1"`) {
		t.Errorf("a proposer has an fsync:\n%s", got)
	}
}

// text writes the samples of one metric, labels sorted.
func text(t *testing.T, reg prometheus.Gatherer, name string) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, s := range f.GetMetric() {
			labels := make([]string, 0, len(s.GetLabel()))
			for _, l := range s.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			fmt.Fprintf(&b, "%s{%s} %v\n", name, strings.Join(labels, ","), sample(s))
		}
	}
	return b.String()
}

func sample(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	default:
		return float64(m.GetHistogram().GetSampleCount())
	}
}

// Nothing that arrives can make labels without end.
func TestLabelsAreBounded(t *testing.T) {
	m, reg := newMetrics(t)
	logs := make([]LogState, 1000)
	for i := range logs {
		logs[i].Log = fmt.Sprint("log", i)
		m.Observe(paxos.RoleProposer, "p1", paxos.Event{Kind: paxos.EventElection, Log: logs[i].Log})
		word := strings.Repeat(string(rune('a'+i%26)), 1+i/26)
		m.Observe(paxos.RoleProposer, "p1", paxos.Event{Kind: paxos.EventDropped, Text: word})
		m.Observe(paxos.RoleProposer, "p1", paxos.Event{Kind: paxos.EventDropped, Text: fmt.Sprint("slot ", i)})
	}
	m.AddSource(Source{Role: paxos.RoleProposer, Name: "p1", Logs: func() []LogState { return logs }})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := len(f.GetMetric()); n > max(maxLogs, maxReasons)+1 {
			t.Errorf("%s has %d samples", f.GetName(), n)
		}
	}
	if got := text(t, reg, nameElections); !strings.Contains(got, fmt.Sprintf(`{log="other",name="p1"} %d`, 1000-maxLogs)) {
		t.Errorf("logs past the limit are not added up:\n%s", got)
	}
}

func TestRemovedSourceIsNotAsked(t *testing.T) {
	m, reg := newMetrics(t)
	remove := m.AddSource(Source{Role: paxos.RoleLearner, Name: "l1", Subscribers: func() int { return 1 }})
	if got := text(t, reg, nameSubscribers); got == "" {
		t.Error("not asked")
	}
	remove()
	if got := text(t, reg, nameSubscribers); got != "" {
		t.Errorf("asked after its removal: %s", got)
	}
}

func TestTwoSetsInOneRegistry(t *testing.T) {
	_, reg := newMetrics(t)
	if _, err := New(reg, Build{}); err == nil {
		t.Error("registered twice")
	}
}

// Every method may be called at once.
func TestConcurrentUse(t *testing.T) {
	m, reg := newMetrics(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				m.Observe(paxos.RoleProposer, "p1", paxos.Event{Kind: paxos.EventComposed, Log: fmt.Sprint(i, j), N: 9})
				m.Role(paxos.RoleLearner, "l1").Streamed(1, 1)
				m.AddSource(Source{Role: paxos.RoleLearner, Name: fmt.Sprint(i, j), Mailbox: func() int { return j }})()
				if j%10 == 0 {
					if _, err := reg.Gather(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkObserve(b *testing.B) {
	m, err := New(prometheus.NewRegistry(), Build{})
	if err != nil {
		b.Fatal(err)
	}
	ev := paxos.Event{Kind: paxos.EventChosen, Log: "main", N: 1e6}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(paxos.RoleProposer, "p1", ev)
	}
}
