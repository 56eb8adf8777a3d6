package wal

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Space says how much room a store takes and has.
type Space struct {
	StoreBytes uint64 // on disk, ballast left out
	HeldBytes  uint64 // of these, what is not merely kept to be written over: the engine uses its log files again
	FreeBytes  uint64 // of the disk; 0 with TotalBytes 0 where the file system does not say
	TotalBytes uint64
	Ballast    bool   // the ballast is held, or none is wanted
	Full       bool   // past the high-water mark or below the free share: no new batches (PROTOCOL K5)
	Why        string // with Full: which, in figures
}

const (
	// A store that was full is so until it is this much better, so that it does not change with every trim.
	spaceLeaveEighths = 7 // of the high-water mark
	spaceLeavePercent = 1 // of the disk, above the free share
)

// spaceWatch remembers whether the store was full.
type spaceWatch struct {
	mu      sync.Mutex
	full    bool
	flushed uint64 // write number at the newest flush that was asked for
	ballast ballast
}

// Space measures. The service calls it every second or so, from a goroutine that may wait: it also makes the ballast, when
// that is not there and there is room for it.
func (s *store) Space() (Space, error) {
	m := s.db.Metrics()
	sp := Space{StoreBytes: m.DiskSpaceUsage()}
	// What was trimmed stays in log files that wait to be used again, several memory tables' worth for ever: a store that counted
	// them might never be below its mark again.
	sp.HeldBytes = sp.StoreBytes - min(sp.StoreBytes, m.WAL.ObsoletePhysicalSize)
	if m.WAL.PhysicalSize > m.WAL.Size {
		sp.HeldBytes -= min(sp.HeldBytes, m.WAL.PhysicalSize-m.WAL.Size)
	}
	usage, err := s.opts.FS.GetDiskUsage(s.dir)
	switch {
	case errors.Is(err, vfs.ErrUnsupported):
	case err != nil:
		return sp, fmt.Errorf("measure free space of store %s: %w", s.dir, err)
	default:
		sp.FreeBytes, sp.TotalBytes = usage.AvailBytes, usage.TotalBytes
	}
	w := &s.space
	w.mu.Lock()
	defer w.mu.Unlock()
	sp.Why = s.whyFull(&sp, w.full)
	sp.Full = sp.Why != ""
	w.full = sp.Full
	s.makeRoom(&sp)
	sp.Ballast, err = s.keepBallast(&sp)
	return sp, err
}

// makeRoom has a full store write its memory to tables, if anything was written since it last did: deletes of what was trimmed free
// nothing while they are in memory, and a store that refuses batches would never fill its memory by itself. After a trim it also has
// the engine drop what was trimmed: left to itself the engine may forget to, until much more is written.
func (s *store) makeRoom(sp *Space) {
	if !sp.Full || s.dropTrimmed() {
		return
	}
	if n := s.durable.Load(); n != s.space.flushed {
		if _, err := s.db.AsyncFlush(); err == nil {
			s.space.flushed = n
		}
	}
}

// dropTrimmed begins to compact what was trimmed away, unless that has been done since the last trim or is under way.
func (s *store) dropTrimmed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.reclaim.running || s.reclaim.trims == s.reclaim.done || s.reclaim.ranges == nil {
		return false
	}
	s.reclaim.running, s.reclaim.done = true, s.reclaim.trims
	ranges := s.reclaim.ranges()
	s.running.Go(func() {
		for _, r := range ranges {
			// The engine flushes what of its memory is in the range first. It reports failures by itself (engineEvents).
			if err := s.db.Compact(s.reclaim.ctx, r.Start, r.End, false); err != nil {
				break
			}
		}
		s.mu.Lock()
		s.reclaim.running = false
		s.mu.Unlock()
	})
	return true
}

// reclaim is what dropTrimmed must know. Guarded by store.mu.
type reclaim struct {
	ctx     context.Context // ends when the store closes
	stop    context.CancelFunc
	trims   uint64 // how often something was trimmed
	done    uint64 // trims when the newest compaction began
	running bool
	ranges  func() []pebble.KeyRange // what was trimmed; nil: the role trims nothing
}

// whyFull is empty unless the store is full.
func (s *store) whyFull(sp *Space, was bool) string {
	high, least := s.opts.HighWaterBytes, s.opts.MinFreePercent
	if was {
		high = high / 8 * spaceLeaveEighths
		if least > 0 {
			least += spaceLeavePercent
		}
	}
	if high > 0 && sp.HeldBytes > high {
		return fmt.Sprintf("store holds %d bytes, its high-water mark is %d", sp.HeldBytes, s.opts.HighWaterBytes)
	}
	if sp.TotalBytes > 0 && sp.FreeBytes < sp.TotalBytes/100*least {
		return fmt.Sprintf("disk has %d of %d bytes free, less than %d %%", sp.FreeBytes, sp.TotalBytes, s.opts.MinFreePercent)
	}
	return ""
}

// keepBallast makes the ballast if it is not there and the disk would not be full with it.
func (s *store) keepBallast(sp *Space) (held bool, err error) {
	b := &s.space.ballast
	if b.bytes == 0 {
		return true, nil
	}
	if held, err := b.held(); held || err != nil {
		return held, err
	}
	if sp.Full || sp.TotalBytes > 0 && (sp.FreeBytes < 2*b.bytes || sp.FreeBytes-b.bytes < sp.TotalBytes/100*s.opts.MinFreePercent) {
		return false, nil
	}
	if err := b.fill(); err != nil {
		return false, fmt.Errorf("make ballast %s: %w", b.path, err)
	}
	return true, nil
}

// makeSpares makes the spares of a new store where the disk would not be full with them.
func (s *store) makeSpares() error {
	usage, err := s.opts.FS.GetDiskUsage(s.dir)
	want := uint64(s.spares.most) * s.spares.bytes
	if err == nil && (usage.AvailBytes < want+s.opts.BallastBytes || usage.AvailBytes-want-s.opts.BallastBytes < usage.TotalBytes/100*s.opts.MinFreePercent) {
		return nil
	}
	return s.spares.fill()
}

// giveBackBallast makes room for an engine that is about to open on a disk without any.
func (s *store) giveBackBallast() error {
	usage, err := s.opts.FS.GetDiskUsage(s.dir)
	if err != nil {
		return nil // a ballast is a courtesy; opening says itself what it cannot do
	}
	if usage.AvailBytes >= reopenMemTables*s.opts.MemTableBytes {
		return nil
	}
	_, err = s.space.ballast.release()
	return err
}
