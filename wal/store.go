package wal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

// store is what the acceptor's and the learner's store have in common: identity, boot, write numbers, group commit and
// the end of the process when something fails.
//
//	I1  Every group has a write number, one more than the group's before it, and it is the first thing in the group.
//	I2  durable is the number of a group whose sync has returned, as have those of all groups before it.
//	I3  After fail nothing is written, and nobody is told that anything is durable.
type store struct {
	dir  string
	role paxos.Role
	opts Options
	id   Identity
	boot uint64

	lock   *pebble.Lock
	db     *pebble.DB
	notary *notary
	w      writer // used while the store opens only

	committer

	opening atomic.Bool           // Open has not returned
	seen    atomic.Pointer[error] // corruption that the engine reported meanwhile

	failOnce sync.Once
	failed   chan struct{}
	failure  error // set before failed is closed

	closeOnce sync.Once
	closeErr  error

	spares  spares
	space   spaceWatch
	reclaim reclaim
}

func newStore(dir string, role paxos.Role, opts Options) *store {
	s := &store{dir: dir, role: role, opts: opts, failed: make(chan struct{})}
	s.opening.Store(true)
	s.reclaim.ctx, s.reclaim.stop = context.WithCancel(context.Background())
	s.space.ballast = ballast{fs: opts.FS, path: s.path(ballastFile), bytes: opts.BallastBytes}
	s.spares = spares{fs: opts.FS, dir: s.engineDir(), most: opts.SpareLogs, bytes: min(spareBytes, opts.MemTableBytes)}
	return s
}

func (s *store) path(name string) string { return s.opts.FS.PathJoin(s.dir, name) }
func (s *store) engineDir() string       { return s.path(engineDir) }

// Dir returns the store's folder.
func (s *store) Dir() string { return s.dir }

// Identity returns what the store is.
func (s *store) Identity() Identity { return s.id }

// Boot returns the durable count of the store's starts, this one included (PROTOCOL A9).
func (s *store) Boot() uint64 { return s.boot }

// Written returns the newest durable write number (PROTOCOL A9). It never decreases.
func (s *store) Written() uint64 { return s.durable.Load() }

// SyncTime returns how long the newest durable group took, from being handed to the engine until it was durable. A done of Submit that
// asks learns of its own group.
func (s *store) SyncTime() time.Duration { return time.Duration(s.took.Load()) }

// put adds the record that s.w holds.
func (s *store) put(b *pebble.Batch) error {
	key, rec := s.w.end()
	return b.Set(key, rec, nil)
}

func (s *store) putNumber(b *pebble.Batch, item byte, n uint64) error {
	s.w.buf = append(s.w.buf[:0], storeKey(item)...)
	encodeNumber(&s.w, n)
	return s.put(b)
}

// get reads one record and hands it to decode before it is gone.
func get(db *pebble.DB, key []byte, decode func(reader) error) (found bool, err error) {
	v, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read key %x: %w", key, err)
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	var scratch []byte
	if err := decode(open(&scratch, key, v)); err != nil {
		return true, corruptf("key %x: %w", key, err)
	}
	return true, nil
}

func getNumber(db *pebble.DB, item byte) (n uint64, found bool, err error) {
	found, err = get(db, storeKey(item), func(r reader) (err error) {
		n, err = decodeNumber(r)
		return err
	})
	return n, found, err
}

func (s *store) getIncarnation() (inc paxos.Incarnation, err error) {
	found, err := get(s.db, storeKey(itemIncarnation), func(r reader) (err error) {
		inc, err = decodeIncarnation(r)
		return err
	})
	if err == nil && !found {
		err = corruptf("%s has no incarnation", engineDir)
	}
	return inc, err
}

// readFailed ends the process for a read that failed (PROTOCOL A8): a store that reported corruption never answers again, and one
// that cannot read does not know what it promised.
func (s *store) readFailed(err error) error {
	if pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	err = fmt.Errorf("store %s: %w", s.dir, err)
	s.fail(err)
	return err
}

// Close waits until all that was submitted is durable and closes the store. After a failure it closes nothing: the
// process is about to end, and the state of the engine is not known.
func (s *store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.shut() })
	return s.closeErr
}

func (s *store) shut() error {
	s.reclaim.stop()
	if err := s.drain(); err != nil {
		return err
	}
	err := errors.Join(s.notary.close(), s.closeEngine(), s.lock.Close())
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.dir, err)
	}
	return nil
}

// closeEngine closes the engine. One that could not go on meanwhile would wait for ever: the process is about to end.
func (s *store) closeEngine() error {
	closed := make(chan error, 1)
	go func() { closed <- s.db.Close() }()
	select {
	case err := <-closed:
		return err
	case <-s.failed:
		return s.broken()
	}
}

// abandon lets go of what a failed open holds.
func (s *store) abandon() {
	s.reclaim.stop()
	if s.broken() != nil {
		return
	}
	if s.notary != nil {
		_ = s.notary.file.Close()
	}
	if s.db != nil && errors.Is(s.closeEngine(), ErrBroken) {
		return
	}
	if s.lock != nil {
		_ = s.lock.Close()
	}
}
