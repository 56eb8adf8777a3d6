package metrics

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/paxosd/paxosd/paxos"
)

// Build is what this binary is.
type Build struct {
	Version  string
	Revision string
	Go       string // version of the compiler
}

// Metrics holds a process's metrics. Every method may be called from any goroutine and blocks nowhere, but for a scrape,
// which waits for the sources.
type Metrics struct {
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
	logs       *bounded // names of logs that have labels of their own
	reasons    *bounded
	scraper    scraper
}

// Limits of label values. Past them a value becomes "other".
const (
	maxLogs    = 128
	maxReasons = 96
)

// New makes the metrics and registers them, with those of the Go runtime and the process. The error is the registry's: two sets
// of metrics in one registry.
func New(reg prometheus.Registerer, b Build) (*Metrics, error) {
	m := &Metrics{
		counters:   make(map[string]*prometheus.CounterVec),
		gauges:     make(map[string]*prometheus.GaugeVec),
		histograms: make(map[string]*prometheus.HistogramVec),
		logs:       newBounded(maxLogs),
		reasons:    newBounded(maxReasons),
	}
	m.scraper.init(m)
	all := []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(b), &m.scraper,
	}
	for _, d := range definitions() {
		if !d.scraped {
			all = append(all, m.add(d))
		}
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func buildInfo(b Build) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: nameBuild, Help: buildHelp}, []string{"version", "revision", "goversion"})
	g.WithLabelValues(b.Version, b.Revision, b.Go).Set(1)
	return g
}

const buildHelp = "Always 1; the labels say which build runs."

// add makes one metric that is kept, not scraped.
func (m *Metrics) add(d definition) prometheus.Collector {
	switch d.form {
	case counter:
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.name, Help: d.help}, d.labels)
		m.counters[d.name] = v
		return v
	case gauge:
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.name, Help: d.help}, d.labels)
		m.gauges[d.name] = v
		return v
	default:
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: d.name, Help: d.help, Buckets: d.buckets,
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, d.labels)
		m.histograms[d.name] = v
		return v
	}
}

// log returns the label for a log. Process-wide matters have none.
func (m *Metrics) log(name string) string {
	if name == paxos.ProcessLog || name == "" {
		return ""
	}
	return m.logs.word(name)
}

// bounded lets the first max distinct values through, so that input cannot make labels without end.
type bounded struct {
	max  int
	mu   sync.RWMutex
	seen map[string]bool
}

// other stands for every value past a limit.
const other = "other"

func newBounded(limit int) *bounded { return &bounded{max: limit, seen: make(map[string]bool)} }

func (b *bounded) word(s string) string {
	b.mu.RLock()
	known := b.seen[s]
	b.mu.RUnlock()
	if known {
		return s
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.seen[s] && len(b.seen) >= b.max {
		return other
	}
	b.seen[s] = true
	return s
}
