package counts

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/proposer"
	"github.com/paxosd/paxosd/wal"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The storage engine and the embedded broker keep a few goroutines of the process's own.
		goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2/internal/cache.(*evictionWorker).run"),
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
	)
}

const (
	clusterName = "main"
	logName     = "orders"
	// patience bounds what is waited for, on a machine that does something else.
	patience = 2 * time.Minute
)

// fan is to how many each kind goes that appends cause.
var fan = map[paxos.Kind]uint64{
	paxos.KindPropose: 3, // acceptors
	paxos.KindVote:    1, // the leader
	paxos.KindChosen:  3, // two learners, one standby
	paxos.KindAccept:  6, // three acceptors, two learners, one standby
	paxos.KindLearn:   4, // two proposers, two learners
}

var (
	acceptors = []string{"a1", "a2", "a3"}
	proposers = []string{"p1", "p2"}
	learners  = []string{"l1", "l2"}
)

// clock is the machine's.
type clock struct{ start time.Time }

func (c clock) Now() paxos.Instant { return paxos.Instant(time.Since(c.start)) }
func (c clock) Wall() paxos.Stamp  { return paxos.Stamp(time.Now().UnixNano()) }

// unobserved is told of events and forgets them.
type unobserved struct{}

func (unobserved) Observe(paxos.Role, string, paxos.Event) {}

// cluster is every role of a small cluster and a client, in one process: over a broker with sockets, and with stores in a folder.
type cluster struct {
	t        *testing.T
	clock    clock
	broker   *embedded.Server
	memTable uint64
	dir      string

	disks      map[string]*disk
	groups     map[string]*atomic.Uint64 // made durable, by store
	sent       kinds                     // published by roles
	got        kinds                     // delivered to roles
	transports []*messaging.Transport
	accs       []*node.Acceptor
	learns     []*node.Learner
	props      []*node.Proposer
	nc         *nats.Conn
	client     *client.Client
}

// kinds counts messages by kind: those that come with time are told from those that come with appends.
type kinds [256]atomic.Uint64

// begin starts a cluster and returns when it takes appends. A memTable of 0 is the default.
func begin(t *testing.T, memTable uint64) *cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	broker, err := embedded.Start(ctx, embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Shutdown)
	c := &cluster{
		t: t, clock: clock{time.Now()}, broker: broker, memTable: memTable, dir: t.TempDir(),
		disks: make(map[string]*disk), groups: make(map[string]*atomic.Uint64),
	}
	for i, n := range acceptors {
		c.startAcceptor(ctx, n, uint64(i+1))
	}
	for i, n := range learners {
		c.startLearner(ctx, n, uint64(i+11))
	}
	for i, n := range proposers {
		c.startProposer(ctx, n, uint64(i+21))
	}
	c.settle() // learners know the log then: a client is refused one that nobody knows
	if c.nc, err = nats.Connect(broker.ClientURL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.nc.Close)
	if c.client, err = client.New(ctx, c.nc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	if _, err := c.client.Log(logName).Append(ctx, client.Entry{Payload: []byte("first")}); err != nil {
		t.Fatal(err)
	}
	c.settle()
	return c
}

// options are those of a store: where it is in memory, its size is given; all else is as by default.
func (c *cluster) options(name string) wal.Options {
	c.disks[name], c.groups[name] = newDisk(), new(atomic.Uint64)
	groups := c.groups[name]
	return wal.Options{
		FS: c.disks[name], Rand: incarnations(name), MemTableBytes: c.memTable,
		OnFatal:   func(err error) { panic(err) },
		Committed: func(wal.Commit) { groups.Add(1) },
	}
}

func (c *cluster) failed(err error) { c.t.Errorf("a role cannot go on: %v", err) }

// port is a role's connection, with what passes it counted.
type port struct {
	c  *cluster
	tr *messaging.Transport
}

func (p *port) Send(env *paxos.Envelope) error {
	err := p.tr.Send(env)
	if err == nil {
		p.c.sent[env.Msg.Kind()].Add(1)
	}
	return err
}

// connect makes a role's connection. Nothing is delivered by subscriptions until listen.
func (c *cluster) connect(ctx context.Context, p *port, name string, role paxos.Role, run uint64, h messaging.Handler, up func(bool)) {
	c.t.Helper()
	tr, err := messaging.Connect(ctx, messaging.Config{
		URLs: []string{c.broker.ClientURL()}, Cluster: clusterName, Name: name, Role: role, Run: run, OnConnection: up,
	}, c.counted(h))
	if err != nil {
		c.t.Fatalf("connect %s: %v", name, err)
	}
	p.c, p.tr = c, tr
	c.transports = append(c.transports, tr)
	c.t.Cleanup(func() { tr.Close(context.Background()) })
}

func (c *cluster) counted(h messaging.Handler) messaging.Handler {
	return func(env *paxos.Envelope) {
		c.got[env.Msg.Kind()].Add(1)
		h(env)
	}
}

// listen makes a role's subscriptions.
func (p *port) listen(ctx context.Context, name string, run uint64, h messaging.Handler, broadcasts, addressed []paxos.Kind) {
	p.c.t.Helper()
	for _, in := range []messaging.Interest{{Kinds: broadcasts}, {Kinds: addressed, Name: name, Run: run}} {
		if _, err := p.tr.Subscribe(in, p.c.counted(h)); err != nil {
			p.c.t.Fatalf("subscribe %s: %v", name, err)
		}
	}
	if err := p.tr.Flush(ctx); err != nil {
		p.c.t.Fatalf("subscribe %s: %v", name, err)
	}
}

func (c *cluster) closeStore(name string, end func() error) {
	c.t.Cleanup(func() {
		if err := end(); err != nil {
			c.t.Errorf("close store of %s: %v", name, err)
		}
	})
}

func (c *cluster) startAcceptor(ctx context.Context, name string, run uint64) {
	c.t.Helper()
	store, err := wal.OpenVotes(c.dir+"/"+name, wal.Want{Cluster: clusterName, Owner: name}, c.options(name))
	if err != nil {
		c.t.Fatal(err)
	}
	c.closeStore(name, store.Close)
	var reqs uint64
	core, err := acceptor.New(acceptor.Config{
		Cluster: clusterName, Name: name, Incarnation: store.Identity().Incarnation, Boot: store.Boot(), Run: run,
		Started: c.clock.Now(), Wall: c.clock.Wall(), NextRequest: func() uint64 { reqs++; return reqs << 8 },
	}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	var p port
	a := node.NewAcceptor(node.AcceptorConfig{
		Name: name, Core: core, Store: votes{store}, Transport: &p, Clock: c.clock, Observer: unobserved{}, Failed: c.failed,
	})
	c.connect(ctx, &p, name, paxos.RoleAcceptor, run, a.Receive, nil)
	p.listen(ctx, name, run, a.Receive,
		[]paxos.Kind{paxos.KindPrepare, paxos.KindAccept, paxos.KindPropose, paxos.KindBeacon, paxos.KindGenesis},
		[]paxos.Kind{paxos.KindIdent, paxos.KindAsk, paxos.KindFetch})
	a.Start()
	c.t.Cleanup(a.Stop)
	c.accs = append(c.accs, a)
}

func (c *cluster) startLearner(ctx context.Context, name string, run uint64) {
	c.t.Helper()
	store, err := wal.OpenChosen(c.dir+"/"+name, wal.Want{Cluster: clusterName, Owner: name}, c.options(name))
	if err != nil {
		c.t.Fatal(err)
	}
	c.closeStore(name, store.Close)
	var p port
	l := node.NewLearner(node.LearnerConfig{
		Cluster: clusterName, Name: name, Incarnation: store.Identity().Incarnation, Boot: store.Boot(), Run: run, Seed: run,
		Acceptors: acceptors, Learners: learners,
		Store: chosen{store, nil}, Transport: &p, Clock: c.clock, Observer: unobserved{}, Failed: c.failed,
	})
	c.connect(ctx, &p, name, paxos.RoleLearner, run, l.Receive, nil)
	p.listen(ctx, name, run, l.Receive,
		[]paxos.Kind{paxos.KindAccept, paxos.KindLearn, paxos.KindChosen, paxos.KindBeacon, paxos.KindGenesis},
		[]paxos.Kind{paxos.KindIdent, paxos.KindRead, paxos.KindGet, paxos.KindFetch, paxos.KindCheckpoint})
	if err := l.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(l.Stop)
	service, err := p.tr.Register(messaging.ServiceConfig{}) // clients find learners so
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := service.Stop(context.Background()); err != nil {
			c.t.Errorf("stop service of %s: %v", name, err)
		}
	})
	c.learns = append(c.learns, l)
}

func (c *cluster) startProposer(ctx context.Context, name string, run uint64) {
	c.t.Helper()
	var p port
	cfg := node.ProposerConfig{
		Cluster: clusterName, Name: name, Run: run, Seed: run, Acceptors: acceptors, Learners: learners, Proposers: proposers,
		Core:      proposer.Config{Quiet: true, AloneBytes: paxos.DefaultAloneBytes},
		Transport: &p, Subscriber: &p, Clock: c.clock, Observer: unobserved{}, Failed: c.failed,
	}
	if name == proposers[0] {
		cfg.Found = []genesis.FounderConfig{{
			ID: paxos.GenesisID{1},
			Genesis: paxos.Genesis{
				Cluster: clusterName, Log: logName, Founded: c.clock.Wall(), Level: paxos.FormatLevel, Window: paxos.DefaultWindow,
				ValueLimit: paxos.DefaultValueLimit, Sessions: paxos.DefaultSessions, Outcomes: paxos.DefaultOutcomes, MessageIDs: paxos.DefaultMessageIDs,
				Membership: paxos.Membership{Acceptors: members(acceptors), Read: 2, Write: 2},
				Keepers:    paxos.Keepers{Members: members(learners), K: 2},
			},
			Others: []genesis.Peer{{Name: "p1", Role: paxos.RoleProposer}, {Name: "p2", Role: paxos.RoleProposer}},
		}}
	}
	pr, err := node.NewProposer(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.connect(ctx, &p, name, paxos.RoleProposer, run, pr.Receive, pr.OnConnection)
	p.listen(ctx, name, run, pr.Receive,
		[]paxos.Kind{
			paxos.KindPromise, paxos.KindRefuse, paxos.KindAccept, paxos.KindLearn, paxos.KindBeacon, paxos.KindBeat, paxos.KindReport, paxos.KindGenesis,
			paxos.KindChosen,
		},
		[]paxos.Kind{paxos.KindVote, paxos.KindLive, paxos.KindIdent, paxos.KindBeacons})
	pr.Start()
	c.t.Cleanup(pr.Stop)
	c.props = append(c.props, pr)
}

func members(names []string) (ms []paxos.Member) {
	for _, n := range names {
		ms = append(ms, paxos.Member{Name: n})
	}
	return ms
}

// Subscribe makes a leader's subscriptions.
func (p *port) Subscribe(ctx context.Context, log string, generation uint64, h func(*paxos.Envelope)) (func(context.Context) error, error) {
	sub, err := p.tr.Subscribe(messaging.Interest{Kinds: messaging.LeaderKinds(), Log: log, Generation: generation}, p.c.counted(h))
	if err != nil {
		return nil, err
	}
	return sub.Stop, p.tr.Flush(ctx)
}

// settle waits until every role has what the leader has, and has it durably, and returns the slot: what comes after counts for what is
// done after. The last votes of a slot that two acceptors have chosen are waited for too.
func (c *cluster) settle() (through paxos.Slot) {
	c.t.Helper()
	if !await(patience, func() bool { through = c.level(); return through > 0 }) {
		c.t.Fatalf("roles are not level after %v", patience)
	}
	await(10*time.Second, func() bool { // where they never come, the tests say so
		for k, n := range fan {
			if c.got[k].Load() != n*c.sent[k].Load() {
				return false
			}
		}
		return true
	})
	return through
}

// await waits for something to become true.
func await(most time.Duration, ok func() bool) bool {
	end := time.Now().Add(most)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		if time.Now().After(end) {
			return false
		}
		<-poll.C
	}
	return true
}

// level returns the slot that everybody has, or 0. It looks at the leader before the others and again after them: nothing may have come in
// between.
func (c *cluster) level() paxos.Slot {
	through := c.through()
	if through == 0 {
		return 0
	}
	for _, a := range c.accs {
		if !slices.ContainsFunc(a.Status(), func(l acceptor.LogStatus) bool { return l.HighestVoted == through }) {
			return 0
		}
	}
	for _, l := range c.learns {
		if !slices.ContainsFunc(l.Status(), func(l node.LearnerStatus) bool { return l.Durable == through }) {
			return 0
		}
	}
	if c.through() != through {
		return 0
	}
	return through
}

// through returns the slot that every proposer has applied up to, or 0 where they differ, or something is in flight, or none leads.
func (c *cluster) through() (through paxos.Slot) {
	serving := false
	for i, p := range c.props {
		st := p.Status()
		if len(st.Logs) != 1 || st.InFlight != 0 || i > 0 && st.Logs[0].Through != through {
			return 0
		}
		through = st.Logs[0].Through
		serving = serving || st.Logs[0].Serving
	}
	if !serving {
		return 0
	}
	return through
}
