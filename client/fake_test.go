package client_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/goleak"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait is how long a test waits for what must happen.
const wait = 10 * time.Second

// cluster is a broker, one log decided by a real sequencer, and leaders and learners that a test starts and stops. Everything chosen
// is chosen at once: there is no Paxos here.
type cluster struct {
	t        testing.TB
	broker   *embedded.Server
	subjects messaging.Subjects

	mu      sync.Mutex
	genesis *paxos.Genesis
	seq     *sequencer.Sequencer
	batches []paxos.ReadBatch
	stamp   paxos.Stamp
	round   uint64
	grown   chan struct{} // closed when batches grew
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	b, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Shutdown)
	s, err := messaging.NewSubjects("", "main")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, broker: b, subjects: s, stamp: paxos.Stamp(time.Now().UnixNano())}
	c.found("orders", paxos.GenesisID{1})
	return c
}

// found begins the log, or another one of its name.
func (c *cluster) found(log string, id paxos.GenesisID) {
	member := func(n string) paxos.Member { return paxos.Member{Name: n, Incarnation: paxos.Incarnation{n[1]}} }
	g := &paxos.Genesis{
		ID: id, Cluster: "main", Log: log, Founded: 1, Level: paxos.FormatLevel, Window: paxos.DefaultWindow,
		ValueLimit: paxos.DefaultValueLimit, Sessions: 4, Outcomes: paxos.DefaultOutcomes, MessageIDs: 100,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: []paxos.Member{member("a1"), member("a2"), member("a3")}, Read: 2, Write: 2},
		Keepers:    paxos.Keepers{Epoch: 1, Members: []paxos.Member{member("l1"), member("l2")}, K: 2},
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.genesis, c.seq, c.batches, c.grown = g, sequencer.New(g), nil, make(chan struct{})
}

// connect returns a connection that ends with the test.
func (c *cluster) connect(opts ...nats.Option) *nats.Conn {
	c.t.Helper()
	opts = append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectBufSize(-1)}, opts...)
	nc, err := nats.Connect(c.broker.ClientURL(), opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	return nc
}

// client returns a client that ends with the test.
func (c *cluster) client(opts ...client.Option) *client.Client {
	c.t.Helper()
	cl, err := client.New(c.t.Context(), c.connect(), opts...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// choose decides one value and returns its outcomes.
func (c *cluster) choose(origin paxos.Ballot, items ...value.Item) sequencer.Applied {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamp++
	v := value.Encode(nil, &value.Value{Origin: origin, Stamp: c.stamp, Items: items})
	a, err := c.seq.Apply(c.seq.Next(), v)
	if err != nil {
		c.t.Errorf("apply: %v", err)
		return a
	}
	for i := range a.Outcomes {
		if o := &a.Outcomes[i]; o.Code == paxos.CodeAppended {
			b, err := value.DecodeBatch(items[o.Item].Body)
			if err != nil {
				c.t.Errorf("decode: %v", err)
			}
			c.batches = append(c.batches, paxos.ReadBatch{First: o.First, Count: o.Count, Stamp: a.Stamp, Frames: slices.Clone(b.Frames)})
		}
	}
	close(c.grown)
	c.grown = make(chan struct{})
	return a
}

// leader takes batches and opens. Its hooks, called for each request under its number since the leader began, may keep it from acting.
type leader struct {
	c       *cluster
	nc      *nats.Conn
	ballot  paxos.Ballot
	genesis paxos.GenesisID
	subs    []*nats.Subscription

	mu sync.Mutex
	n  int

	drop   func(n int) bool       // the request is lost
	mute   func(n int) bool       // it is chosen, and the answer is lost
	refuse func(n int) paxos.Code // it is refused
}

// lead starts a leader above all earlier ones. It announces itself unless it is quiet.
func (c *cluster) lead(set ...func(*leader)) *leader {
	c.t.Helper()
	c.mu.Lock()
	c.round++
	l := &leader{c: c, ballot: paxos.Ballot{Round: c.round, Proposer: "p1", Run: 7}, genesis: c.genesis.ID}
	log := c.genesis.Log
	c.mu.Unlock()
	for _, f := range set {
		f(l)
	}
	l.nc = c.connect()
	c.choose(l.ballot, value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.TermStart{})})
	for _, k := range []paxos.Kind{paxos.KindBatch, paxos.KindOpen} {
		sub, err := l.nc.Subscribe(c.subjects.Subject(messaging.Address{Log: log, Kind: k}), l.onRequest)
		if err != nil {
			c.t.Fatal(err)
		}
		l.subs = append(l.subs, sub)
	}
	if err := l.nc.Flush(); err != nil {
		c.t.Fatal(err)
	}
	l.announce(log)
	return l
}

func (l *leader) announce(log string) {
	env := paxos.Envelope{Log: log, Genesis: l.genesis, From: "p1", Msg: &paxos.Leader{Ballot: l.ballot}}
	b, err := messaging.Encode(nil, &env)
	if err != nil {
		l.c.t.Fatal(err)
	}
	_ = l.nc.Publish(l.c.subjects.Subject(messaging.Address{Log: log, Kind: paxos.KindLeader, Name: "p1"}), b)
	_ = l.nc.Flush()
}

// fall ends the leader, as a killed process does.
func (l *leader) fall() { l.nc.Close() }

func (l *leader) onRequest(msg *nats.Msg) {
	env, err := l.c.subjects.Decode(msg.Subject, msg.Data)
	if err != nil {
		l.c.t.Errorf("request: %v", err)
		return
	}
	if env.Genesis != l.genesis {
		return
	}
	var ballot paxos.Ballot
	var item value.Item
	var sum paxos.Checksum
	switch m := env.Msg.(type) {
	case *paxos.Batch:
		ballot = m.Ballot
		b, err := value.DecodeBatch(m.Batch)
		if err != nil || value.ScanFrames(b.Frames, b.Count) != nil {
			l.c.t.Errorf("batch: %v", err)
		}
		item, sum = value.Item{Kind: value.ItemBatch, Body: m.Batch}, b.Checksum
	case *paxos.Open:
		ballot = m.Ballot
		item = value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.Open{Client: m.Client, Token: m.Token})}
		sum = paxos.Sum(item.Body)
	}
	if !ballot.IsZero() && ballot != l.ballot {
		return
	}
	l.mu.Lock()
	l.n++
	n := l.n
	l.mu.Unlock()
	if l.drop != nil && l.drop(n) {
		return
	}
	a := paxos.BatchAnswer{Ballot: l.ballot, Checksum: sum}
	if l.refuse != nil {
		a.Code = l.refuse(n)
	}
	if a.Code == paxos.CodeNone {
		applied := l.c.choose(l.ballot, item)
		o := &applied.Outcomes[0]
		a.Code, a.First, a.Count, a.Last, a.Number = o.Code, o.First, o.Count, o.Last, o.Expected
		a.Session, a.Stamp, a.Text = o.Session, applied.Stamp, o.Text
	}
	if a.Code == paxos.CodeDropped || l.mute != nil && l.mute(n) {
		return
	}
	respond(l.c.t, l.nc, msg.Reply, paxos.Envelope{Log: env.Log, Genesis: l.genesis, From: "p1", Request: env.Request, Msg: &a})
}

func respond(t testing.TB, nc *nats.Conn, reply string, env paxos.Envelope) {
	env.Reply = reply
	b, err := messaging.Encode(nil, &env)
	if err != nil {
		t.Errorf("answer: %v", err)
		return
	}
	_ = nc.Publish(reply, b)
}

// learner serves reads.
type learner struct {
	c       *cluster
	nc      *nats.Conn
	name    string
	service micro.Service
	cancel  context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	log     string
	genesis paxos.GenesisID

	through paxos.Offset // what it holds ends here; 0: no end
	first   paxos.Offset // what it holds begins here
	gone    bool         // what is before was dropped by retention
	lose    func(n uint64) bool

	mu      sync.Mutex
	streams map[string]chan *paxos.Read
	served  int
}

func (c *cluster) learn(name string, set ...func(*learner)) *learner {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.mu.Lock()
	l := &learner{
		c: c, nc: c.connect(), name: name, ctx: ctx, cancel: cancel, first: 1, streams: make(map[string]chan *paxos.Read),
		log: c.genesis.Log, genesis: c.genesis.ID,
	}
	c.mu.Unlock()
	for _, f := range set {
		f(l)
	}
	var err error
	l.service, err = micro.AddService(l.nc, micro.Config{
		Name: messaging.ServiceName(paxos.RoleLearner), Version: "0.0.0", QueueGroupDisabled: true,
		Metadata: map[string]string{
			messaging.MetaRole: "learner", messaging.MetaName: name, messaging.MetaCluster: "main", messaging.MetaPrefix: "paxos",
		},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	for subject, f := range map[string]nats.MsgHandler{
		c.subjects.Subject(messaging.Address{Log: paxos.ProcessLog, Kind: paxos.KindIdent, Name: name}): l.onIdent,
		c.subjects.Pattern(messaging.Address{Kind: paxos.KindRead, Name: name}):                         l.onRead,
	} {
		if _, err := l.nc.Subscribe(subject, f); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := l.nc.Flush(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(l.stop)
	return l
}

func (l *learner) stop() {
	l.cancel()
	l.nc.Close()
	l.wg.Wait()
}

func (l *learner) onIdent(msg *nats.Msg) {
	env, err := l.c.subjects.Decode(msg.Subject, msg.Data)
	if err != nil {
		l.c.t.Errorf("ident: %v", err)
		return
	}
	l.c.mu.Lock()
	record := value.EncodeGenesis(l.c.genesis)
	last := l.c.seq.LastOffset()
	l.c.mu.Unlock()
	respond(l.c.t, l.nc, msg.Reply, paxos.Envelope{
		Log: paxos.ProcessLog, From: l.name, Request: env.Request,
		Msg: &paxos.IdentAnswer{
			Name: l.name, Role: paxos.RoleLearner, Cluster: "main", Run: 9, Version: "test",
			Logs: []paxos.LogInfo{{Log: l.log, Genesis: l.genesis, State: paxos.LogLive, Record: record, Last: last}},
		},
	})
}

func (l *learner) onRead(msg *nats.Msg) {
	env, err := l.c.subjects.Decode(msg.Subject, msg.Data)
	if err != nil {
		l.c.t.Errorf("read: %v", err)
		return
	}
	m, ok := env.Msg.(*paxos.Read)
	if !ok || env.Genesis != l.genesis {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if in := l.streams[msg.Reply]; in != nil {
		in <- m
		return
	}
	if m.From == 0 && m.Since == 0 {
		l.answer(env, msg.Reply, &paxos.ReadAnswer{Stream: m.Stream, Number: 1, Code: paxos.ReadStopped})
		return
	}
	if m.From > 0 && m.From < l.first {
		code := paxos.ReadElsewhere
		if l.gone {
			code = paxos.ReadGone
		}
		l.answer(env, msg.Reply, &paxos.ReadAnswer{Stream: m.Stream, Number: 1, Code: code, First: l.first})
		return
	}
	in := make(chan *paxos.Read, 1024)
	l.streams[msg.Reply] = in
	l.served++
	l.wg.Go(func() {
		l.serve(env, msg.Reply, m, in)
		l.mu.Lock()
		delete(l.streams, msg.Reply)
		l.mu.Unlock()
	})
}

// reading returns how many streams run.
func (l *learner) reading() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams)
}

// serve is one stream: chunks of at most MaxBytes within credit, "nothing new" ten times as often as a real learner says it.
func (l *learner) serve(env paxos.Envelope, reply string, m *paxos.Read, in chan *paxos.Read) {
	credit, next, number := int64(m.Credit), m.From, uint64(0)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		bs, last, grown := l.batches(&next, m.Since, credit, int(m.MaxBytes))
		if len(bs) > 0 {
			number++
			for i := range bs {
				credit -= int64(bs[i].Cost())
			}
			if l.lose == nil || !l.lose(number) {
				l.answer(env, reply, &paxos.ReadAnswer{Stream: m.Stream, Number: number, Last: last, Batches: bs})
			}
			continue
		}
		select {
		case <-l.ctx.Done():
			return
		case <-grown:
		case <-tick.C:
			number++
			l.answer(env, reply, &paxos.ReadAnswer{Stream: m.Stream, Number: number, Code: paxos.ReadIdle, Last: last})
		case r := <-in:
			if r.Stop {
				return
			}
			credit += int64(r.Credit)
		}
	}
}

func (l *learner) batches(next *paxos.Offset, since paxos.Stamp, credit int64, most int) (bs []paxos.ReadBatch, last paxos.Offset, grown chan struct{}) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	size := 0
	i, _ := slices.BinarySearchFunc(l.c.batches, *next, func(b paxos.ReadBatch, o paxos.Offset) int {
		if b.First+paxos.Offset(b.Count) <= o {
			return -1
		}
		return 1
	})
	for ; credit > 0 && i < len(l.c.batches); i++ {
		b := l.c.batches[i]
		if (*next == 0 && b.Stamp < since) || (l.through > 0 && b.First > l.through) || (size > 0 && size+b.Cost() > most) {
			if *next == 0 && b.Stamp < since {
				continue
			}
			break
		}
		bs = append(bs, b)
		size += b.Cost()
		*next = b.First + paxos.Offset(b.Count)
	}
	last = l.c.seq.LastOffset()
	if l.through > 0 {
		last = min(last, l.through)
	}
	return bs, last, l.c.grown
}

func (l *learner) answer(env paxos.Envelope, reply string, a *paxos.ReadAnswer) {
	a.Learner, a.Run = l.name, 9
	respond(l.c.t, l.nc, reply, paxos.Envelope{Log: env.Log, Genesis: l.genesis, From: l.name, Request: env.Request, Msg: a})
}

// squat answers every append as a stream that captures the log's subjects would.
func (c *cluster) squat() *nats.Conn {
	nc := c.connect()
	for _, k := range []paxos.Kind{paxos.KindBatch, paxos.KindOpen} {
		_, err := nc.Subscribe(c.subjects.Pattern(messaging.Address{Kind: k}), func(m *nats.Msg) {
			b, err := json.Marshal(map[string]any{"stream": "CATCHALL", "seq": 1})
			if err != nil {
				c.t.Error(err)
			}
			_ = m.Respond(b)
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		c.t.Fatal(err)
	}
	return nc
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); !f(); {
		if time.Now().After(end) {
			t.Fatalf("no %s within %s", what, wait)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
