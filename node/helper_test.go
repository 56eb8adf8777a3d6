package node

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testOrigin = paxos.Ballot{Round: 1, Proposer: "p1", Run: 7}

func members(names ...string) (ms []paxos.Member) {
	for _, n := range names {
		ms = append(ms, paxos.Member{Name: n, Incarnation: paxos.Incarnation{n[0], n[1]}})
	}
	return ms
}

func testGenesis() *paxos.Genesis {
	return &paxos.Genesis{
		ID: paxos.GenesisID{0xaa, 0xbb}, Cluster: "main", Log: "orders", Founded: 1, Level: 1,
		Window: paxos.DefaultWindow, ValueLimit: paxos.DefaultValueLimit, Sessions: 16, Outcomes: 8, MessageIDs: 16,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: members("a1", "a2", "a3"), Read: 2, Write: 2},
		Keepers:    paxos.Keepers{Epoch: 1, Members: members("l1", "l2"), K: 2},
	}
}

// chain sequences values for a test.
type chain struct {
	t   testing.TB
	seq *sequencer.Sequencer
}

func newChain(t testing.TB) *chain { return &chain{t: t, seq: sequencer.New(testGenesis())} }

func (c *chain) apply(stamp paxos.Stamp, items ...value.Item) *sequencer.Applied {
	c.t.Helper()
	a, err := c.seq.Apply(c.seq.Next(), value.Encode(nil, &value.Value{Origin: testOrigin, Stamp: stamp, Items: items}))
	if err != nil {
		c.t.Fatalf("apply slot %d: %v", c.seq.Next(), err)
	}
	return &a
}

// entries is one slot with a plain batch for each payload.
func (c *chain) entries(stamp paxos.Stamp, payloads ...string) *sequencer.Applied {
	c.t.Helper()
	var items []value.Item
	for _, p := range payloads {
		items = append(items, plain(p, ""))
	}
	return c.apply(stamp, items...)
}

// noop is one slot without entries.
func (c *chain) noop(stamp paxos.Stamp) *sequencer.Applied { return c.apply(stamp) }

// stable is one slot with a stable command for slot n.
func (c *chain) stable(stamp paxos.Stamp, n paxos.Slot, h paxos.Hash, mark bool) *sequencer.Applied {
	cmd := &value.Stable{Slot: n, Hash: h, Keepers: testGenesis().Keepers.Members, Mark: mark}
	return c.apply(stamp, value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, cmd)})
}

func plain(payload, id string) value.Item {
	b := value.Batch{Count: 1, Plain: true, MessageID: id, Frames: value.AppendFrame(nil, nil, []byte(payload))}
	return value.Item{Kind: value.ItemBatch, Body: value.EncodeBatch(nil, &b)}
}

// multi is a tail-less batch of a session with several entries.
func (c *chain) session() paxos.SessionID {
	c.t.Helper()
	a := c.apply(0, value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.Open{Client: "c", Token: 1})})
	if a.Outcomes[0].Code != paxos.CodeOpened {
		c.t.Fatalf("open: %+v", a.Outcomes)
	}
	return a.Outcomes[0].Session
}

func sessionBatch(s paxos.SessionID, number uint64, payloads ...string) value.Item {
	b := value.Batch{Session: s, Number: number, Count: uint32(len(payloads))}
	for _, p := range payloads {
		b.Frames = value.AppendFrame(b.Frames, nil, []byte(p))
	}
	return value.Item{Kind: value.ItemBatch, Body: value.EncodeBatch(nil, &b)}
}

// push hands a slot to a view as the learner does.
func push(t testing.TB, v *view, a *sequencer.Applied) {
	t.Helper()
	bs, err := readBatches(a)
	if err != nil {
		t.Fatal(err)
	}
	v.push(a, bs)
}

// texts returns the offsets and payloads of batches.
func texts(t testing.TB, bs []paxos.ReadBatch) (all []string) {
	t.Helper()
	es, err := entries(bs, 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		all = append(all, fmt.Sprintf("%d=%s", e.Offset, e.Payload))
	}
	return all
}

// recorder is a Transport that keeps what is sent, or has no room.
type recorder struct {
	mu   sync.Mutex
	full bool
	sent []paxos.Envelope
	poke chan struct{}
}

func newRecorder() *recorder { return &recorder{poke: make(chan struct{}, 1)} }

var errFull = errors.New("no room")

func (r *recorder) Send(env *paxos.Envelope) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return errFull
	}
	r.sent = append(r.sent, *env)
	select {
	case r.poke <- struct{}{}:
	default:
	}
	return nil
}

func (r *recorder) setFull(full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.full = full
}

func (r *recorder) take() []paxos.Envelope {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// lateStore is a ChosenStore whose records become durable when a test says so.
type lateStore struct {
	mu      sync.Mutex
	written uint64
	waiting []submitted
	slots   []StoredSlot // durable
	points  []StoredCheckpoint
	logs    []StoredLog
	err     error // of Submit
	readErr error
	reads   int
	// diverged is set by such a record.
	diverged bool
}

type submitted struct {
	recs []paxos.Record
	done func(uint64)
}

func (s *lateStore) Submit(recs []paxos.Record, done func(uint64)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.waiting = append(s.waiting, submitted{slices.Clone(recs), done})
	return nil
}

func (s *lateStore) Written() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// settle makes the n oldest submits durable.
func (s *lateStore) settle(n int) {
	for range n {
		s.mu.Lock()
		sub := s.waiting[0]
		s.waiting = s.waiting[1:]
		if len(sub.recs) > 0 {
			s.written++
		}
		for i := range sub.recs {
			s.take(&sub.recs[i])
		}
		w := s.written
		s.mu.Unlock()
		if sub.done != nil {
			sub.done(w)
		}
	}
}

func (s *lateStore) take(r *paxos.Record) {
	switch r.Kind {
	case paxos.RecordChosen:
		s.slots = append(s.slots, StoredSlot{
			Slot: r.Slot, Stamp: r.Stamp, First: r.First, Last: r.Last, Hash: r.Hash, Value: r.Value, Meta: r.Body,
		})
	case paxos.RecordCheckpoint:
		s.points = append(s.points, StoredCheckpoint{Slot: r.Slot, Hash: r.Hash, Last: r.Last, State: r.Body})
	case paxos.RecordDiverged:
		s.diverged = true
	default:
	}
}

// keep stores a slot at once.
func (s *lateStore) keep(a *sequencer.Applied) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots = append(s.slots, StoredSlot{
		Slot: a.Slot, Stamp: a.Stamp, First: a.First, Last: a.Last, Hash: a.Hash, Value: a.Value, Meta: encodeSlotMeta(a),
	})
}

func (s *lateStore) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

func (s *lateStore) Load() ([]StoredLog, error) { return s.logs, s.readErr }

func (s *lateStore) Slots(_ paxos.GenesisID, from, to paxos.Slot, maxBytes int, f func(StoredSlot) error) error {
	s.mu.Lock()
	slots := slices.Clone(s.slots)
	s.reads++
	err := s.readErr
	s.mu.Unlock()
	size := 0
	for _, x := range slots {
		if x.Slot < from || x.Slot > to {
			continue
		}
		if size += len(x.Value); size > maxBytes && size > len(x.Value) {
			return nil
		}
		if err := f(x); err != nil {
			return err
		}
	}
	return err
}

func (s *lateStore) SlotOf(_ paxos.GenesisID, o paxos.Offset) (paxos.Slot, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.slots {
		if x.First <= o && o <= x.Last {
			return x.Slot, true, s.readErr
		}
	}
	return 0, false, s.readErr
}

func (s *lateStore) OffsetSince(_ paxos.GenesisID, at paxos.Stamp) (paxos.Offset, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.slots {
		if x.Stamp >= at {
			return x.First, true, s.readErr
		}
	}
	return 0, false, s.readErr
}

func (s *lateStore) HashAt(_ paxos.GenesisID, t paxos.Slot) (paxos.Hash, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.slots {
		if x.Slot == t {
			return x.Hash, true, s.readErr
		}
	}
	for _, c := range s.points {
		if c.Slot == t {
			return c.Hash, true, s.readErr
		}
	}
	return paxos.Hash{}, false, s.readErr
}

func (s *lateStore) CheckpointAt(_ paxos.GenesisID, t paxos.Slot) (c StoredCheckpoint, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.points {
		if x.Slot <= t {
			c = x
		}
	}
	return c, s.readErr
}

func (s *lateStore) Full() (bool, error) { return false, nil }

var _ ChosenStore = (*lateStore)(nil)
