package wal

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/paxosd/paxosd/paxos"
)

// engineFormat is the storage engine's own format. At its default, one flipped bit in the newest log file opened cleanly with
// synced votes gone; since FormatWALSyncChunks the engine says more often that a log was damaged, and since FormatTableFormatV6 a
// table's footer is covered by a sum too. Raising it is a change of Format.
const engineFormat = pebble.FormatValueSeparation

const (
	// stopWritesMemTables bounds the memtables that wait for their flush; past it, writing waits.
	stopWritesMemTables = 4
	// tableBytes is the size of a table, on every level: large enough that a flush makes one of each kind and log, and moving
	// it down is never a merge with its neighbour.
	tableBytes = 64 << 20
	// acceptorSublevels is how many tables of an acceptor may lie on each other before the engine merges them, of the few keys that are
	// written again and again. Votes never lie on each other, and merging them early only writes again what is about to be trimmed.
	acceptorSublevels = 16
	acceptorStop      = 4 * acceptorSublevels
	// blockBytes is larger than the engine's default: what is read is mostly read in order.
	blockBytes = 32 << 10
)

const (
	// oneLevel is the size up to which a learner's store keeps to the engine's lowest level: more than any disk. Whenever the engine
	// began a level above, at 64 MiB, at ten times that and so on, it wrote all again that had come since.
	oneLevel = 1 << 50
	// manyTables is how many tables may lie beside each other where flushes put them. Those of chosen values never lie on each other; beyond
	// this many the engine writes them once more, some GiB at a time, to have fewer and larger ones. Its own 500 are 8 GiB of one log.
	manyTables = 1 << 13
)

// compressSome compresses what becomes at least an eighth smaller by it, as a tenth of the blocks say: payloads are often
// compressed or encrypted, and trying each block of those took a fifth of a learner's time.
func compressSome() *sstable.CompressionProfile {
	p, off := *sstable.SnappyCompression, sstable.NoCompression
	p.OtherBlocks, p.AdaptiveReductionCutoffPercent = off.OtherBlocks, p.MinReductionPercent // its name stays one that the engine's tools know
	return &p
}

// engineLogger is the engine's logger. Its Fatalf does not return: with one that did, a write was reported as durable after its
// sync had failed.
type engineLogger struct{ s *store }

func (l engineLogger) Infof(format string, args ...any) {
	if l.s.opts.Info != nil {
		l.s.opts.Info(format, args...)
	}
}

func (l engineLogger) Errorf(format string, args ...any) { l.Infof(format, args...) }

func (l engineLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf("store %s: %s", l.s.dir, fmt.Sprintf(format, args...))
	for _, a := range args {
		if e, ok := a.(error); ok && pebble.IsCorruptionError(e) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	l.s.fail(err)
}

// engineOptions are those of both kinds of store.
func (s *store) engineOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          guard{s.opts.FS, s},
		Lock:                        s.lock,
		Logger:                      engineLogger{s},
		EventListener:               s.engineEvents(),
		FormatMajorVersion:          engineFormat,
		MemTableSize:                s.opts.MemTableBytes,
		MemTableStopWritesThreshold: stopWritesMemTables,
		CacheSize:                   s.opts.CacheBytes,
		MaxOpenFiles:                500,
	}
	o.Experimental.SpanPolicyFunc = spanPolicy
	compression := compressSome()
	if s.role == paxos.RoleAcceptor {
		// What reaches a table here is short-lived: not worth the processor's time.
		compression = sstable.NoCompression
		o.L0CompactionThreshold, o.L0StopWritesThreshold = acceptorSublevels, acceptorStop
	} else {
		o.LBaseMaxBytes, o.L0CompactionFileThreshold = oneLevel, manyTables
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = tableBytes
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = blockBytes
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return compression }
	}
	return o
}

// engineEvents turns what the engine cannot do into the end of the process (PROTOCOL A8).
func (s *store) engineEvents() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			err = fmt.Errorf("store %s: in the background: %w", s.dir, err)
			if pebble.IsCorruptionError(err) {
				err = fmt.Errorf("%w: %w", ErrCorrupt, err)
			}
			s.fail(err)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			err := corruptf("store %s: file %s: %w", s.dir, info.Path, info.Details)
			if s.opening.Load() {
				s.seen.CompareAndSwap(nil, &err) // Open returns it
				return
			}
			s.fail(err)
		},
	}
}

// spanPolicy ends a table where another kind of key or another log begins. Keys of one kind and log are written in ascending
// order, so tables made so never overlap older ones: the engine moves them down its levels, and at most joins small ones.
// A learner writes each value about twice in all, once to the log and once to a table.
func spanPolicy(start []byte) (pebble.SpanPolicy, []byte, error) {
	n := min(len(start), logKeyBytes)
	end := append([]byte(nil), start[:n]...)
	for i := n - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return pebble.SpanPolicy{}, end[:i+1], nil
		}
	}
	return pebble.SpanPolicy{}, nil, nil
}
