package node

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	reader "github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/proposer"
	"github.com/paxosd/paxosd/paxos/value"
	"github.com/paxosd/paxosd/wal"
)

// cluster is every service of a small cluster, over a broker in memory and real stores on file systems in memory.
type cluster struct {
	t         testing.TB
	b         *broker
	begun     time.Time
	runs      uint64
	acceptors []string
	proposers []string
	learners  []string
	keepers   []string
	core      proposer.Config // of every proposer
	logs      []string
	nodes     map[string]*process
	disks     map[string]*vfs.MemFS
	failed    map[string]error
	reader    uint64
}

// process is one service with its store and its port.
type process struct {
	p     *port
	a     *Acceptor
	l     *Learner
	pr    *Proposer
	store io.Closer
}

func (c *cluster) Now() paxos.Instant { return paxos.Instant(time.Since(c.begun)) }
func (c *cluster) Wall() paxos.Stamp  { return paxos.Stamp(time.Now().UnixNano()) }

func (c *cluster) Observe(paxos.Role, string, paxos.Event) {}

// inCluster runs f with a cluster that has its log, and stops it after.
func inCluster(t *testing.T, f func(c *cluster)) {
	t.Helper()
	inBareCluster(t, func(c *cluster) {
		c.startAll()
		c.until("a leader serves", func() bool { return c.leader() != "" })
		f(c)
	})
}

func inBareCluster(t *testing.T, f func(c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{
			t: t, b: newBroker(t), begun: time.Now(), acceptors: []string{"a1", "a2", "a3"}, proposers: []string{"p1", "p2"},
			learners: []string{"l1", "l2", "l3"}, keepers: []string{"l1", "l2"}, logs: []string{"orders"},
			nodes: make(map[string]*process), disks: make(map[string]*vfs.MemFS), failed: make(map[string]error),
			core: proposer.Config{Quiet: true, AloneBytes: paxos.DefaultAloneBytes},
		}
		time.Sleep(time.Second) // instants begin above zero
		defer func() {
			for name := range c.nodes {
				c.kill(name)
			}
		}()
		f(c)
	})
}

func (c *cluster) startAll() {
	for _, names := range [][]string{c.acceptors, {"l1", "l2"}, c.proposers} {
		for _, n := range names {
			c.start(n)
		}
	}
}

// start starts a process on whatever its disk holds.
func (c *cluster) start(name string) *process {
	c.t.Helper()
	c.runs++
	if c.disks[name] == nil {
		c.disks[name] = vfs.NewMem()
	}
	switch name[0] {
	case 'a':
		c.nodes[name] = c.startAcceptor(name, c.runs)
	case 'l':
		c.nodes[name] = c.startLearner(name, c.runs)
	default:
		c.nodes[name] = c.startProposer(name, c.runs)
	}
	return c.nodes[name]
}

func (c *cluster) fail(name string) func(error) {
	return func(err error) {
		c.b.mu.Lock()
		defer c.b.mu.Unlock()
		if c.failed[name] == nil {
			c.failed[name] = err
		}
	}
}

func (c *cluster) failure(name string) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return c.failed[name]
}

func (c *cluster) options(name string) wal.Options {
	return wal.Options{
		FS: c.disks[name], Rand: rand.NewChaCha8([32]byte{name[0], name[1]}), MemTableBytes: 1 << 20, CacheBytes: 1 << 20,
		OnFatal: func(err error) {
			c.t.Errorf("store of %s: %v", name, err)
			select {}
		},
	}
}

// testVotes and testChosen join wal to this package, as the binary does.
type testVotes struct{ *wal.Votes }

func (s testVotes) Scan(g paxos.GenesisID, from, to paxos.Slot, maxVotes, maxBytes int, values bool) ([]paxos.VoteValue, paxos.Slot, error) {
	return s.Votes.Scan(g, from, to, wal.Limit{Votes: maxVotes, Bytes: maxBytes, Values: values})
}

func (s testVotes) Full() (bool, error) { return false, nil }

type testChosen struct{ *wal.Chosen }

func (s testChosen) Load() ([]StoredLog, error) {
	logs, err := s.Chosen.Load()
	var out []StoredLog
	for i := range logs {
		l := &logs[i]
		x := StoredLog{
			Log: l.Log, Genesis: l.Genesis, Record: l.Record, State: l.State, Epoch: l.Epoch,
			Start: l.Start, Through: l.Through, Hash: l.Hash, Last: l.Last, Diverged: l.Diverged,
		}
		for at := l.Through; at > 0; {
			cp, ok, err := s.Checkpoint(l.Genesis, at)
			if err != nil || !ok {
				break
			}
			if x.Checkpoint.Slot == 0 {
				x.Checkpoint = StoredCheckpoint{Slot: cp.Slot, Hash: cp.Hash, Last: cp.Last, State: cp.State}
			}
			x.Marks = append([]paxos.Slot{cp.Slot}, x.Marks...)
			at = cp.Slot - 1
		}
		out = append(out, x)
	}
	return out, err
}

func (s testChosen) Slots(g paxos.GenesisID, from, to paxos.Slot, maxBytes int, f func(StoredSlot) error) error {
	return s.Values(g, from, to, maxBytes, func(x *wal.Slot) error {
		return f(StoredSlot{Slot: x.Slot, Stamp: x.Stamp, First: x.First, Last: x.Last, Hash: x.Hash, Value: x.Value, Meta: x.Body})
	})
}

func (s testChosen) OffsetSince(g paxos.GenesisID, at paxos.Stamp) (paxos.Offset, bool, error) {
	t, ok, err := s.SlotAt(g, at)
	if err != nil || !ok {
		return 0, false, err
	}
	x, ok, err := s.Slot(g, t)
	return x.First, ok, err
}

func (s testChosen) HashAt(g paxos.GenesisID, t paxos.Slot) (paxos.Hash, bool, error) {
	return s.Hash(g, t)
}

func (s testChosen) CheckpointAt(g paxos.GenesisID, t paxos.Slot) (StoredCheckpoint, error) {
	cp, ok, err := s.Checkpoint(g, t)
	if err != nil || !ok {
		return StoredCheckpoint{}, err
	}
	return StoredCheckpoint{Slot: cp.Slot, Hash: cp.Hash, Last: cp.Last, State: cp.State}, nil
}

func (s testChosen) Full() (bool, error) { return false, nil }

func (c *cluster) startAcceptor(name string, run uint64) *process {
	c.t.Helper()
	store, err := wal.OpenVotes("data", wal.Want{Cluster: "main", Owner: name}, c.options(name))
	if err != nil {
		c.t.Fatalf("open %s: %v", name, err)
	}
	var held []acceptor.Restored
	for _, l := range store.Load() {
		held = append(held, acceptor.Restored{
			Log: l.Log, Genesis: l.Genesis, Record: l.Record, State: l.State, Epoch: l.Epoch,
			Promised: l.Promised, Trimmed: l.Trimmed, HighestVoted: l.HighestVoted,
		})
	}
	var reqs uint64
	core, err := acceptor.New(acceptor.Config{
		Cluster: "main", Name: name, Incarnation: store.Identity().Incarnation, Boot: store.Boot(), Run: run,
		Started: c.Now(), Wall: c.Wall(), NextRequest: func() uint64 { reqs++; return reqs << 8 },
	}, held)
	if err != nil {
		c.t.Fatalf("restore %s: %v", name, err)
	}
	x := &process{p: c.b.connect(name, paxos.RoleAcceptor, run), store: store}
	x.a = NewAcceptor(AcceptorConfig{
		Name: name, Core: core, Store: testVotes{store}, Transport: x.p, Clock: c, Observer: c, Failed: c.fail(name),
	})
	x.p.listen(x.a.Receive)
	x.a.Start()
	return x
}

func (c *cluster) startLearner(name string, run uint64) *process {
	c.t.Helper()
	store, err := wal.OpenChosen("data", wal.Want{Cluster: "main", Owner: name}, c.options(name))
	if err != nil {
		c.t.Fatalf("open %s: %v", name, err)
	}
	x := &process{p: c.b.connect(name, paxos.RoleLearner, run), store: store}
	x.l = NewLearner(LearnerConfig{
		Cluster: "main", Name: name, Incarnation: store.Identity().Incarnation, Boot: store.Boot(), Run: run, Seed: run,
		Acceptors: c.acceptors, Learners: c.learners,
		Store: testChosen{store}, Transport: x.p, Clock: c, Observer: c, Failed: c.fail(name),
	})
	x.p.listen(x.l.Receive)
	if err := x.l.Start(); err != nil {
		c.t.Fatalf("start %s: %v", name, err)
	}
	return x
}

func (c *cluster) startProposer(name string, run uint64) *process {
	c.t.Helper()
	x := &process{p: c.b.connect(name, paxos.RoleProposer, run)}
	cfg := ProposerConfig{
		Cluster: "main", Name: name, Run: run, Seed: run, Acceptors: c.acceptors, Learners: c.learners, Proposers: c.proposers,
		Core: c.core, Transport: x.p, Subscriber: x.p, Clock: c, Observer: c, Failed: c.fail(name),
	}
	for i, log := range c.logs {
		if name != c.proposers[0] {
			break
		}
		g := testGenesis()
		g.Log = log
		for j := range g.Keepers.Members {
			g.Keepers.Members[j].Incarnation = paxos.Incarnation{}
		}
		for j := range g.Membership.Acceptors {
			g.Membership.Acceptors[j].Incarnation = paxos.Incarnation{}
		}
		cfg.Found = append(cfg.Found, genesis.FounderConfig{ID: paxos.GenesisID{byte(run), byte(i + 1)}, Genesis: *g, Others: []genesis.Peer{
			{Name: "p1", Role: paxos.RoleProposer}, {Name: "p2", Role: paxos.RoleProposer},
		}})
	}
	pr, err := NewProposer(cfg)
	if err != nil {
		c.t.Fatalf("proposer %s: %v", name, err)
	}
	x.pr = pr
	x.p.listen(pr.Receive)
	pr.Start()
	return x
}

// kill stops a process without a word, as far as a store on a file system in memory allows.
func (c *cluster) kill(name string) {
	c.t.Helper()
	x := c.nodes[name]
	delete(c.nodes, name)
	switch {
	case x.a != nil:
		x.a.Stop()
		if x.a.Status() != nil {
			c.t.Errorf("%s: status after the stop", name)
		}
	case x.l != nil:
		x.l.Stop()
		if x.l.Status() != nil || x.l.Readers() != 0 {
			c.t.Errorf("%s: status after the stop", name)
		}
	default:
		x.pr.Stop()
		if x.pr.Status().Logs != nil {
			c.t.Errorf("%s: status after the stop", name)
		}
	}
	x.p.close()
	if x.store != nil {
		if err := x.store.Close(); err != nil {
			c.t.Errorf("close %s: %v", name, err)
		}
	}
}

// until waits for something to become true, a minute of the bubble's time at most.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	var all []string
	for n, x := range c.nodes {
		switch {
		case x.a != nil:
			all = append(all, fmt.Sprintf("%s %+v", n, x.a.Status()))
		case x.l != nil:
			all = append(all, fmt.Sprintf("%s %+v", n, x.l.Status()))
		default:
			all = append(all, fmt.Sprintf("%s %+v", n, x.pr.Status()))
		}
	}
	c.t.Fatalf("not within a minute: %s; failures %v\n%s", what, c.failed, strings.Join(all, "\n"))
}

// leader returns who serves the first log, or "".
func (c *cluster) leader() string {
	for _, n := range c.proposers {
		if x := c.nodes[n]; x != nil {
			for _, l := range x.pr.Status().Logs {
				if l.Log == c.logs[0] && l.Serving {
					return n
				}
			}
		}
	}
	return ""
}

func (c *cluster) learner(name string) LearnerStatus {
	if x := c.nodes[name]; x != nil {
		for _, st := range x.l.Status() {
			if st.Log == c.logs[0] {
				return st
			}
		}
	}
	return LearnerStatus{}
}

// client appends and reads. It is a port of its own.
type testClient struct {
	c    *cluster
	p    *port
	got  chan *paxos.Envelope
	last uint64
}

func (c *cluster) client() *testClient {
	c.reader++
	x := &testClient{c: c, p: c.b.connect(fmt.Sprint("client", c.reader), paxos.RoleNone, c.reader), got: make(chan *paxos.Envelope, 4096)}
	x.p.listen(func(env *paxos.Envelope) {
		select {
		case x.got <- env:
		default:
		}
	})
	return x
}

func (x *testClient) close() { x.p.close() }

// append appends a plain entry under a message id, again until it is answered, and returns its offset.
func (x *testClient) append(payload string) paxos.Offset {
	x.c.t.Helper()
	for range 600 {
		x.last++
		env := &paxos.Envelope{Log: x.c.logs[0], Request: x.last, Bulk: true, Msg: &paxos.Append{Payload: []byte(payload), MessageID: payload[:min(len(payload), 20)]}}
		if err := x.p.Send(env); err != nil {
			x.c.t.Fatal(err)
		}
		wait := time.NewTimer(250 * time.Millisecond)
		for done := false; !done; {
			select {
			case a := <-x.got:
				m, ok := a.Msg.(*paxos.BatchAnswer)
				if ok && a.Request == x.last && (m.Code == paxos.CodeAppended || m.Code == paxos.CodeDuplicate) {
					wait.Stop()
					return m.First
				}
			case <-wait.C:
				done = true
			}
		}
	}
	x.c.t.Fatalf("%.20q was not appended", payload)
	return 0
}

// read returns entries [from, to] as a subscriber gets them from the learners named, and fails if they do not come.
func (x *testClient) read(learners []string, from, to paxos.Offset) (payloads []string) {
	x.c.t.Helper()
	got, ok := x.try(learners, from, to, time.Minute)
	if !ok {
		x.c.t.Fatalf("read [%d, %d] of %v: only %d entries came", from, to, learners, len(got))
	}
	return got
}

func (x *testClient) try(learners []string, from, to paxos.Offset, patience time.Duration) (payloads []string, ok bool) {
	c := x.c
	var id paxos.GenesisID
	for _, st := range c.nodes {
		if st.l != nil {
			for _, l := range st.l.Status() {
				if l.Log == c.logs[0] {
					id = l.Genesis
				}
			}
		}
	}
	var out reader.Output
	r := reader.New(reader.Config{Window: 1 << 16, ChunkBytes: 1 << 12, NextStream: func() uint64 { x.last++; return x.last }}, reader.Start{From: from})
	r.SetLearners(c.Now(), learners, &out)
	end := time.After(patience)
	next := from
	for {
		for i := range out.Sends {
			s := &out.Sends[i]
			_ = x.p.Send(&paxos.Envelope{Log: c.logs[0], Genesis: id, To: s.To, Request: s.Read.Stream, Bulk: true, Msg: s.Read})
		}
		batches := append([]reader.Batch(nil), out.Batches...)
		ask := out.Ask
		out.Reset()
		if ask {
			r.SetLearners(c.Now(), learners, &out)
		}
		for i := range batches {
			b := &batches[i]
			at := b.First
			for f, err := range value.Frames(b.Frames) {
				if err != nil {
					c.t.Fatal(err)
				}
				if at >= b.First+paxos.Offset(b.Skip) {
					if at != next {
						c.t.Fatalf("offset %d came, want %d", at, next)
					}
					next++
					if at <= to {
						payloads = append(payloads, string(f.Payload))
					}
				}
				at++
			}
			r.Consumed(c.Now(), b.Cost(), &out)
		}
		if next > to {
			r.Stop(&out)
			for i := range out.Sends {
				s := &out.Sends[i]
				_ = x.p.Send(&paxos.Envelope{Log: c.logs[0], Genesis: id, To: s.To, Request: s.Read.Stream, Bulk: true, Msg: s.Read})
			}
			return payloads, true
		}
		select {
		case env := <-x.got:
			switch m := env.Msg.(type) {
			case *paxos.ReadAnswer:
				r.OnAnswer(c.Now(), m, &out)
			case *paxos.NoResponders:
				r.OnNoResponders(c.Now(), env.Request, &out)
			}
		case <-time.After(50 * time.Millisecond):
			r.Tick(c.Now(), &out)
		case <-end:
			return payloads, false
		}
	}
}
