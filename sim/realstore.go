package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/wal"
)

const realDir = "store"

// realStore is a process's store as package wal keeps it, on a file system in memory that loses what was not synced. It stands beside the
// modelled one of the process: whatever becomes durable there is written here first, a process that starts again starts with what is found
// here, and each read here is held against the model.
//
// What the protocol sees stays a function of the seed: the simulation waits for the store's goroutines at every write, and a write that a crash
// cuts short is either all synced or not at all, as the seed has it. How the engine lays out its files depends on its own goroutines, so which
// bytes a flipped bit hits, and whether that is noticed at once, later or never, may differ between two runs of a seed.
type realStore struct {
	p      *process
	fs     *vfs.MemFS
	gate   *gate
	votes  *wal.Votes
	chosen *wal.Chosen
	died   chan error // gets why the store ended the process
	draws  *rand.Rand

	written uint64 // newest write number that a sync has covered
	killed  bool   // the next crash is the process's alone, not the machine's: the files stay as they are
	harmed  string // what was done to its files; empty: nothing
}

func newRealStore(p *process) *realStore {
	return &realStore{p: p, fs: vfs.NewCrashableMem(), draws: generator(p.w.o.Seed, 2000+uint64(p.id))}
}

func (s *realStore) isOpen() bool { return s.votes != nil || s.chosen != nil }

// guarded runs what may wait for the disk on a goroutine of its own, because a store that gives up never comes back: its goroutines stand still
// for good, as those of an ended process do. It returns why it gave up, if it did.
func (s *realStore) guarded(do func() error) (err, fatal error) {
	done := make(chan error, 1)
	died := s.died
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err, nil
	case fatal := <-died:
		return nil, fatal
	}
}

// open opens the store as a starting process does, and returns what makes that impossible: damage.
func (s *realStore) open() (damage string) {
	w := s.p.w
	s.gate, s.died = newGate(), make(chan error, 16)
	died := s.died
	incarnation := s.p.incarnation()
	opts := wal.Options{
		FS: gatedFS{s.fs, s.gate}, Rand: io.MultiReader(bytes.NewReader(incarnation[:])), MemTableBytes: 256 << 10, CacheBytes: 256 << 10,
		OnFatal: func(err error) {
			died <- err
			select {}
		},
	}
	want := wal.Want{Cluster: w.profile.cluster, Owner: s.p.name}
	err, fatal := s.guarded(func() (err error) {
		if s.p.votes != nil {
			s.votes, err = wal.OpenVotes(realDir, want, opts)
		} else {
			s.chosen, err = wal.OpenChosen(realDir, want, opts)
		}
		return err
	})
	err = errors.Join(err, fatal)
	switch {
	case err == nil:
	case s.harmed != "" && errors.Is(err, wal.ErrCorrupt):
		s.votes, s.chosen = nil, nil
		w.count("real store: damage found")
		return err.Error()
	default:
		w.fail(CheckDurableAck, "%s cannot open its own store (%s): %v", s.p.name, s.harmed, err)
	}
	if id := s.identity(); id.Incarnation != incarnation {
		w.fail(CheckDurableAck, "%s opens incarnation %s, not %s", s.p.name, id.Incarnation, incarnation)
	}
	if s.written > 0 && s.number() <= s.written { // the start is a write of its own
		what := CheckDurableAck
		if s.harmed != "" {
			what = CheckDamagedSilent
		}
		w.fail(what, "%s opens at write %d after write %d was synced (%s)", s.p.name, s.number(), s.written, s.harmed)
	}
	w.count("real store: opened")
	return ""
}

func (s *realStore) identity() wal.Identity {
	if s.votes != nil {
		return s.votes.Identity()
	}
	return s.chosen.Identity()
}

func (s *realStore) number() uint64 {
	if s.votes != nil {
		return s.votes.Written()
	}
	return s.chosen.Written()
}

func (s *realStore) submit(records []paxos.Record, done func(uint64)) error {
	if s.votes != nil {
		return s.votes.Submit(records, done)
	}
	return s.chosen.Submit(records, done)
}

// write makes records durable, and returns when they are.
func (s *realStore) write(records []paxos.Record) {
	if len(records) == 0 || !s.isOpen() {
		return
	}
	err, fatal := s.guarded(func() error {
		done := make(chan uint64, 1)
		if err := s.submit(records, func(n uint64) { done <- n }); err != nil {
			return err
		}
		s.written = max(s.written, <-done)
		return nil
	})
	if fatal != nil && s.harmed != "" && errors.Is(fatal, wal.ErrCorrupt) {
		s.giveUp(fatal)
		return
	}
	if err = errors.Join(err, fatal); err != nil {
		s.p.w.fail(CheckInvariant, "%s writes what the model writes, and its store says: %v", s.p.name, err)
	}
	s.p.w.count("real store: written")
}

// failSync lets the sync of these records fail. The store must end the process.
func (s *realStore) failSync(records []paxos.Record) {
	if len(records) == 0 || !s.isOpen() {
		return
	}
	s.gate.fail()
	err, fatal := s.guarded(func() error {
		done := make(chan uint64, 1)
		if err := s.submit(records, func(n uint64) { done <- n }); err != nil {
			return err
		}
		<-done
		return nil
	})
	if fatal == nil {
		s.p.w.fail(CheckDurableAck, "%s goes on after a failed sync of %d records, the first of kind %d: %v", s.p.name, len(records), records[0].Kind, err)
	}
	s.p.w.count("real store: sync failed")
	s.votes, s.chosen = nil, nil
	s.fs = s.clone(0)
}

// clone returns the file system as a loss of power leaves it, with so many percent of what was not synced.
func (s *realStore) clone(percent int) *vfs.MemFS {
	return s.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(s.draws.Uint64(), 1))})
}

// crash is a loss of power. cut is what the store was about to write, if anything; it reports whether that is on the disk.
func (s *realStore) crash(cut []paxos.Record) (kept bool) {
	if !s.isOpen() {
		return false
	}
	percent := s.draws.IntN(101)
	if s.killed {
		percent, cut, s.killed = 100, nil, false
	}
	if len(cut) == 0 {
		s.leave(s.clone(percent))
		return false
	}
	// All that the engine wrote of it, or nothing: a part may be either, and the model would have to guess.
	kept = percent >= 50
	s.gate.hold()
	written := make(chan error, 1)
	go func() { written <- s.submit(cut, func(uint64) {}) }()
	select {
	case <-s.gate.log:
	case err := <-s.died:
		s.p.w.fail(CheckInvariant, "%s writes what the model writes, and its store says: %v", s.p.name, err)
	}
	left := s.clone(map[bool]int{true: 100, false: 0}[kept])
	s.gate.release()
	if err := <-written; err != nil {
		s.p.w.fail(CheckInvariant, "%s writes what the model writes, and its store says: %v", s.p.name, err)
	}
	s.p.w.count("real store: power lost during a write")
	s.leave(left)
	return kept
}

// leave closes the store, whose file system is of no interest any more, and goes on with another one.
func (s *realStore) leave(fs *vfs.MemFS) {
	s.close()
	s.fs = fs
}

func (s *realStore) close() {
	var err, fatal error
	switch {
	case s.votes != nil:
		err, fatal = s.guarded(s.votes.Close)
	case s.chosen != nil:
		err, fatal = s.guarded(s.chosen.Close)
	}
	s.votes, s.chosen = nil, nil
	if err = errors.Join(err, fatal); err != nil && s.harmed == "" {
		s.p.w.fail(CheckInvariant, "%s closes its store: %v", s.p.name, err)
	}
}

// giveUp ends the process, which has met damage in its own store.
func (s *realStore) giveUp(err error) {
	s.p.w.count("real store: damage found by a read")
	s.votes, s.chosen = nil, nil
	if s.p.votes != nil {
		s.p.votes.damage = err.Error()
	} else {
		s.p.chosen.damage = err.Error()
	}
	s.p.ends(fmt.Sprint("its store is damaged: ", err))
}

// harm flips a bit in one of the store's files, or cuts one short. It reports false where there is nothing to harm.
func (s *realStore) harm(r *rand.Rand, flip bool) bool {
	r = rand.New(rand.NewPCG(r.Uint64(), 2)) // how many draws are needed depends on the engine's files, and must not move the run's others
	var files, logs []string
	for _, dir := range []string{realDir, s.fs.PathJoin(realDir, "pebble")} {
		names, err := s.fs.List(dir)
		if err != nil {
			continue
		}
		slices.Sort(names)
		for _, n := range names {
			path := s.fs.PathJoin(dir, n)
			if info, err := s.fs.Stat(path); err == nil && !info.IsDir() && info.Size() > 0 {
				files = append(files, path)
				if strings.HasSuffix(n, ".log") {
					logs = append(logs, path)
				}
			}
		}
	}
	if len(files) == 0 {
		return false
	}
	path := files[r.IntN(len(files))]
	if len(logs) > 0 && r.IntN(2) == 0 {
		path = logs[len(logs)-1] // the newest writes are there, and the engine alone would not miss them
	}
	if err := harmFile(s.fs, path, r, flip); err != nil {
		s.p.w.fail(CheckInvariant, "harm %s: %v", path, err)
	}
	s.harmed = "harmed: " + path
	s.p.w.count("real store: harmed")
	return true
}

// harmFile writes a file anew, changed, and syncs it.
func harmFile(fs vfs.FS, path string, r *rand.Rand, flip bool) (err error) {
	in, err := fs.Open(path)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil || len(b) == 0 {
		return err
	}
	at := r.IntN(1 + r.IntN(len(b))) // nearer to the front, because a log file that is used again may be written there alone
	if flip {
		b[at] ^= 1 << r.IntN(8)
	} else {
		b = b[:at]
	}
	out, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = out.Write(b)
	return errors.Join(err, out.Sync(), out.Close())
}
