package wal

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

const (
	// maxFormingBytes bounds the group that forms while others sync. Past it Submit waits: the disk is what limits.
	maxFormingBytes = 8 << 20
	// maxInFlight bounds the groups handed to the engine and not yet durable. Several, so that one that is handed over while
	// a sync runs is covered by the next sync, whenever that starts.
	maxInFlight = 16
)

// committer is group commit. One group forms, in Submit, while earlier ones are being synced: whatever queues while the disk is
// busy goes out together, over all logs, with one sync. There is no timer.
//
//	Submit ──▶ forming ──writer──▶ engine's log, not synced ──syncer──▶ durable, WRITTEN, done callbacks in order
//
// The lanes are goroutines: the callers (any), the writer (one), the syncer (one). A caller that finds nothing under way hands its
// group to the engine itself: a lone write is spared the writer's wake-up. Whoever hands over holds the turn meanwhile.
type committer struct {
	encode func(b *pebble.Batch, r *paxos.Record) error // adds one record; called under mu

	mu       sync.Mutex
	forming  *group
	assigned uint64      // newest write number given to a group
	pending  []time.Time // when each group that is not durable was begun, oldest first
	closing  bool

	work    chan struct{} // capacity 1: a group forms, or closing
	room    chan struct{} // capacity 1: the forming group was taken
	places  chan struct{} // a token for each group in flight
	turn    chan struct{} // capacity 1: a token for who takes a group and hands it to the engine
	flight  chan *group   // from the writer to the syncer
	drained chan struct{} // closed when the syncer has ended
	durable atomic.Uint64
	took    atomic.Int64 // nanoseconds that the newest durable group took from being handed over
	numbers writer
	running sync.WaitGroup
}

// group is what one sync makes durable, as one atomic batch.
type group struct {
	batch   *pebble.Batch // nil: no record in it, only somebody who wants to know when the earlier ones are durable
	number  uint64
	records int
	dones   []func(uint64)
	begun   time.Time
	sent    time.Time
}

// start begins to commit. encode is the role's part.
func (s *store) start(encode func(*pebble.Batch, *paxos.Record) error) {
	s.encode = encode
	s.work = make(chan struct{}, 1)
	s.room = make(chan struct{}, 1)
	s.places = make(chan struct{}, maxInFlight)
	s.turn = make(chan struct{}, 1)
	s.flight = make(chan *group, maxInFlight)
	s.drained = make(chan struct{})
	s.running.Add(3)
	go s.runWriter()
	go s.runSyncer()
	go s.runNotary()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Submit adds recs, in order, to the group that forms: they become durable together or not at all. done is called when
// they and all that was submitted before are durable, with the write number of the group; calls come from one goroutine, in the
// order of Submit. done must be quick and must not call the store. With no recs, done waits for what came before.
//
// Submit copies what it is given and waits while too much is queued. An error means that nothing will come of recs. A record that
// contradicts what the store holds comes from a role that has lost its invariants: it ends the process.
func (s *store) Submit(recs []paxos.Record, done func(written uint64)) error {
	for {
		s.mu.Lock()
		if s.closing {
			s.mu.Unlock()
			return fmt.Errorf("submit to store %s: %w", s.dir, ErrClosed)
		}
		if err := s.broken(); err != nil {
			s.mu.Unlock()
			return err
		}
		if s.forming == nil || s.forming.batch == nil || s.forming.batch.Len() < maxFormingBytes {
			break
		}
		s.mu.Unlock()
		select {
		case <-s.room:
		case <-s.failed:
			return s.broken()
		}
	}
	err := s.add(recs, done)
	if err != nil {
		s.forming = nil // nothing of it may reach the disk
		s.mu.Unlock()
		err = fmt.Errorf("submit to store %s: %w", s.dir, err)
		s.fail(err)
		return err
	}
	again := s.forming.batch == nil || s.forming.batch.Len() < maxFormingBytes
	s.mu.Unlock()
	if again {
		signal(s.room) // others may wait beside this one
	}
	if !s.writeAlone() {
		signal(s.work)
	}
	return nil
}

func (s *store) add(recs []paxos.Record, done func(uint64)) error {
	if s.forming == nil {
		s.forming = &group{begun: time.Now()}
		s.pending = append(s.pending, s.forming.begun)
	}
	g := s.forming
	if done != nil {
		g.dones = append(g.dones, done)
	}
	if len(recs) == 0 {
		return nil
	}
	if g.batch == nil {
		s.assigned++
		g.number = s.assigned
		g.batch = s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(maxFormingBytes))
		s.numbers.buf = append(s.numbers.buf[:0], storeKey(itemWritten)...)
		encodeNumber(&s.numbers, g.number)
		key, rec := s.numbers.end()
		if err := g.batch.Set(key, rec, nil); err != nil {
			return err
		}
	}
	g.records += len(recs)
	for i := range recs {
		if err := s.encode(g.batch, &recs[i]); err != nil {
			return err
		}
	}
	return nil
}

// Apply submits recs and returns once they would survive losing power, with their write number.
func (s *store) Apply(recs []paxos.Record) (written uint64, err error) {
	done := make(chan uint64, 1)
	if err := s.Submit(recs, func(n uint64) { done <- n }); err != nil {
		return 0, err
	}
	select {
	case n := <-done:
		return n, nil
	case <-s.failed:
		return 0, s.broken()
	}
}

// writeAlone hands the forming group to the engine if nothing is under way, and reports whether that was so.
func (s *store) writeAlone() bool {
	if len(s.places) > 0 {
		return false
	}
	select {
	case s.turn <- struct{}{}:
	default:
		return false
	}
	defer func() { <-s.turn }()
	select {
	case s.places <- struct{}{}:
	default:
		return false
	}
	g, _ := s.take()
	if g == nil {
		<-s.places // the writer was faster
		return true
	}
	signal(s.room)
	s.handOver(g)
	return true
}

// handOver gives a group to the engine, which syncs it. Who calls it holds the turn and a place.
func (s *store) handOver(g *group) {
	g.sent = time.Now()
	if g.batch != nil {
		if err := s.db.ApplyNoSyncWait(g.batch, pebble.Sync); err != nil {
			s.fail(fmt.Errorf("store %s: write %d: %w", s.dir, g.number, err))
		}
	}
	s.flight <- g
}

// take returns the forming group, or nil, and whether the store is closing.
func (s *store) take() (*group, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.forming
	s.forming = nil
	return g, s.closing
}

// runWriter hands groups to the engine. It takes a place in flight first, so that a group goes on growing until then.
func (s *store) runWriter() {
	defer s.running.Done()
	for {
		select {
		case <-s.work:
		case <-s.failed:
			return
		}
		select {
		case s.places <- struct{}{}:
		case <-s.failed:
			return
		}
		select {
		case s.turn <- struct{}{}:
		case <-s.failed:
			return
		}
		g, closing := s.take()
		signal(s.room)
		if g == nil {
			<-s.places
			if closing {
				close(s.flight) // the turn is kept: nobody hands over after this
				return
			}
			<-s.turn
			continue
		}
		if closing {
			signal(s.work) // come back for the end
		}
		s.handOver(g)
		<-s.turn
	}
}

// runSyncer waits for each group's sync and tells those who wait.
func (s *store) runSyncer() {
	defer s.running.Done()
	for g := range s.flight {
		if g.batch != nil {
			s.settle(g)
		}
		s.mu.Lock()
		s.pending = s.pending[1:]
		s.mu.Unlock()
		n := s.durable.Load()
		for _, done := range g.dones {
			done(n)
		}
		<-s.places
	}
	close(s.drained)
}

// settle waits until a group is durable.
func (s *store) settle(g *group) {
	if err := g.batch.SyncWait(); err != nil {
		s.fail(fmt.Errorf("store %s: sync write %d: %w", s.dir, g.number, err))
	}
	if err := s.broken(); err != nil {
		s.fail(err) // another write failed: this one may be durable, but nothing is said any more
	}
	if err := s.notary.note(g.number); err != nil {
		s.fail(fmt.Errorf("store %s: note write %d: %w", s.dir, g.number, err))
	}
	took := time.Since(g.sent)
	s.took.Store(int64(took))
	s.durable.Store(g.number)
	if s.opts.Committed != nil {
		s.opts.Committed(Commit{
			Written: g.number, Records: g.records, Bytes: g.batch.Len(), Waited: g.sent.Sub(g.begun), Duration: took,
		})
	}
	if err := g.batch.Close(); err != nil {
		s.fail(fmt.Errorf("store %s: release write %d: %w", s.dir, g.number, err))
	}
}

// runNotary syncs WRITTEN from time to time.
func (s *store) runNotary() {
	defer s.running.Done()
	tick := time.NewTicker(writtenSyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.notary.sync(); err != nil {
				s.fail(fmt.Errorf("store %s: sync %s: %w", s.dir, writtenFile, err))
			}
		case <-s.drained:
			return
		case <-s.failed:
			return
		}
	}
}

// OldestPending returns for how long the oldest group that is not yet durable has been waiting, or 0. A disk that hangs
// returns no error: this is how it shows.
func (s *store) OldestPending() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return 0
	}
	return time.Since(s.pending[0])
}

// drain lets the last group through and waits for it.
func (s *store) drain() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	signal(s.work)
	select {
	case <-s.drained:
		s.running.Wait()
		return s.broken()
	case <-s.failed:
		return s.broken()
	}
}
