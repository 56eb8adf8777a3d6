package metrics

import (
	"maps"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paxosd/paxosd/paxos"
)

// Source is one role that is asked how it stands at each scrape. A nil function is not asked. They are called from the
// scrape's goroutine and may wait for the role's loop; scrapes come every few seconds.
type Source struct {
	Role paxos.Role
	Name string

	Logs        func() []LogState
	Store       func() StoreState
	Transport   func() TransportState
	Subscribers func() int
	Mailbox     func() int
}

// LogState is how a log stands at a proposer or learner.
type LogState struct {
	Log         string
	Through     paxos.Slot   // sequenced
	Known       paxos.Slot   // highest slot known to be chosen; at or below Through: no lag
	Stable      paxos.Slot   // newest stable mark
	Last        paxos.Offset // of the last entry sequenced
	Stopped     bool         // goes no further here
	Queued      int          // proposer: requests that wait for a slot
	QueuedBytes int
	Open        int // proposer: slots proposed and not chosen
	InFlight    int // their bytes
}

// StoreState is how a store stands. All but Full are bytes.
type StoreState struct {
	Bytes   uint64
	Written uint64 // since it was opened
	Free    uint64 // of the file system
	Size    uint64 // of the file system
	Full    bool
}

// TransportState is a transport's counters since the process began, and its queues now.
type TransportState struct {
	Up            bool
	Reconnects    uint64
	SlowConsumers uint64
	Sent          uint64
	SentBytes     uint64
	Received      uint64
	ReceivedBytes uint64
	Rejected      map[string]uint64 // by reason
	Dropped       map[string]uint64 // by reason
	Queued        int
	QueuedBytes   int
	Ignored       uint64 // "nobody there" not believed
}

// AddSource has a role asked at each scrape until remove is called. A role and name may be there once.
func (m *Metrics) AddSource(s Source) (remove func()) {
	sc := &m.scraper
	sc.mu.Lock()
	defer sc.mu.Unlock()
	added := &s
	sc.sources = append(sc.sources, added)
	return func() {
		sc.mu.Lock()
		defer sc.mu.Unlock()
		sc.sources = slices.DeleteFunc(sc.sources, func(o *Source) bool { return o == added })
	}
}

// scraper is the collector of what is asked for at a scrape.
type scraper struct {
	m     *Metrics
	descs map[string]*prometheus.Desc
	forms map[string]prometheus.ValueType

	mu      sync.Mutex
	sources []*Source
}

func (s *scraper) init(m *Metrics) {
	s.m = m
	s.descs = make(map[string]*prometheus.Desc)
	s.forms = make(map[string]prometheus.ValueType)
	for _, d := range definitions() {
		if d.scraped {
			s.descs[d.name] = prometheus.NewDesc(d.name, d.help, d.labels, nil)
			s.forms[d.name] = prometheus.GaugeValue
			if d.form == counter {
				s.forms[d.name] = prometheus.CounterValue
			}
		}
	}
}

// Describe implements prometheus.Collector.
func (s *scraper) Describe(ch chan<- *prometheus.Desc) {
	for _, name := range slices.Sorted(maps.Keys(s.descs)) {
		ch <- s.descs[name]
	}
}

// Collect implements prometheus.Collector. It asks the sources without the lock: one may wait for a loop.
func (s *scraper) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	sources := slices.Clone(s.sources)
	s.mu.Unlock()
	for _, src := range sources {
		c := collection{s: s, ch: ch, role: src.Role.String(), name: src.Name}
		c.source(src)
	}
}

// collection is one source in one scrape.
type collection struct {
	s          *scraper
	ch         chan<- prometheus.Metric
	role, name string
}

func (c *collection) emit(metric string, v float64, labels ...string) {
	c.ch <- prometheus.MustNewConstMetric(c.s.descs[metric], c.s.forms[metric], v, labels...)
}

func (c *collection) source(src *Source) {
	if src.Logs != nil {
		c.logs(src.Role, src.Logs())
	}
	if src.Store != nil {
		c.store(src.Store())
	}
	if src.Transport != nil {
		c.transport(src.Transport())
	}
	if src.Subscribers != nil {
		c.emit(nameSubscribers, float64(src.Subscribers()), c.name)
	}
	if src.Mailbox != nil {
		c.emit(nameMailbox, float64(src.Mailbox()), c.role, c.name)
	}
}

// logs emits each log that has a label of its own. Those past the limit are left out: their states cannot be added up.
func (c *collection) logs(role paxos.Role, states []LogState) {
	for i := range states {
		st := &states[i]
		if log := c.s.m.log(st.Log); log == st.Log {
			c.log(role, log, st)
		}
	}
}

func (c *collection) log(role paxos.Role, log string, st *LogState) {
	c.emit(nameSequenced, float64(st.Through), c.role, c.name, log)
	c.emit(nameLastOffset, float64(st.Last), c.role, c.name, log)
	c.emit(nameLearnerLag, difference(st.Known, st.Through), c.role, c.name, log)
	c.emit(nameStableLag, difference(st.Through, st.Stable), c.role, c.name, log)
	c.emit(nameStopped, truth(st.Stopped), c.role, c.name, log)
	if role != paxos.RoleProposer {
		return
	}
	c.emit(nameQueueEntries, float64(st.Queued), c.name, log)
	c.emit(nameQueueBytes, float64(st.QueuedBytes), c.name, log)
	c.emit(nameOpenSlots, float64(st.Open), c.name, log)
	c.emit(nameInFlight, float64(st.InFlight), c.name, log)
}

func (c *collection) store(st StoreState) {
	c.emit(nameStoreBytes, float64(st.Bytes), c.role, c.name)
	c.emit(nameStoreWritten, float64(st.Written), c.role, c.name)
	c.emit(nameDiskFree, float64(st.Free), c.role, c.name)
	c.emit(nameDiskSize, float64(st.Size), c.role, c.name)
	c.emit(nameStoreFull, truth(st.Full), c.role, c.name)
}

func (c *collection) transport(st TransportState) {
	c.emit(nameConnected, truth(st.Up), c.role, c.name)
	c.emit(nameReconnects, float64(st.Reconnects), c.role, c.name)
	c.emit(nameSlow, float64(st.SlowConsumers), c.role, c.name)
	c.emit(nameSent, float64(st.Sent), c.role, c.name)
	c.emit(nameSentBytes, float64(st.SentBytes), c.role, c.name)
	c.emit(nameReceived, float64(st.Received), c.role, c.name)
	c.emit(nameReceivedBytes, float64(st.ReceivedBytes), c.role, c.name)
	c.emit(nameOutboxMessages, float64(st.Queued), c.role, c.name)
	c.emit(nameOutboxBytes, float64(st.QueuedBytes), c.role, c.name)
	c.emit(nameUnbelieved, float64(st.Ignored), c.role, c.name)
	c.reasons(nameRejected, st.Rejected)
	c.reasons(nameSendDropped, st.Dropped)
}

// reasons emits a counter by reason. Reasons past the limit are added up.
func (c *collection) reasons(metric string, counts map[string]uint64) {
	var rest uint64
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		if label := c.s.m.reasons.word(word); label == word && word != other {
			c.emit(metric, float64(counts[word]), c.role, c.name, word)
		} else {
			rest += counts[word]
		}
	}
	if rest > 0 {
		c.emit(metric, float64(rest), c.role, c.name, other)
	}
}

func difference(high, low paxos.Slot) float64 {
	if high <= low {
		return 0
	}
	return float64(high - low)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
