package wal

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	enginewal "github.com/cockroachdb/pebble/v2/wal"
)

// The engine opens with whatever it finds: a log file that is not there is not missed; a damaged manifest is taken to end before
// the damage, and tables and log files that it then does not know are deleted. So before it may open a store for writing, the
// audit asks for the write numbers, of which each group has one, as the first thing in it:
//
//  1. through which number do the tables hold everything? The engine is opened read-only, with its log files hidden, and
//     asked for the newest number that was flushed;
//  2. which numbers do the log files hold? They are read, up to the first record that is damaged or cut short. What has no number, or
//     not the one after that of the record before it, was not written here by this store: see logFile;
//  3. together they must be without a gap, and reach what WRITTEN says.
//
// What it does not find: damage inside tables, which is found by their sums when they are read; a whole folder put back to an
// older state, which others find by boot and write number (PROTOCOL A9); after a loss of power, that the very last
// writes, of less than about a second before, were damaged as well (written.go).

// auditEngine returns the newest write number that opening the engine will recover.
func auditEngine(fsys vfs.FS, dir string, lock *pebble.Lock, want written) (uint64, error) {
	through, err := flushedThrough(fsys, dir, lock)
	if err != nil {
		return 0, err
	}
	logs, err := enginewal.Scan(enginewal.Dir{FS: fsys, Dirname: dir})
	if err != nil {
		return 0, fmt.Errorf("list log files: %w", err)
	}
	for _, log := range logs {
		if through, err = auditLog(log, through); err != nil {
			return 0, fmt.Errorf("read log file %s: %w", log.Num, err)
		}
	}
	if through < want.Number {
		return 0, corruptf("writes %d to %d were durable and are gone: the newest log file is damaged, cut short or missing", through+1, want.Number)
	}
	return through, nil
}

// auditLog extends through by the groups in one log file.
func auditLog(log enginewal.LogicalLog, through uint64) (_ uint64, err error) {
	r := log.OpenForRead()
	defer func() { err = errors.Join(err, r.Close()) }()
	var scratch []byte
	var before uint64 // the number of the record before this one; 0 at the first
	for {
		rec, at, err := r.NextRecord()
		if err != nil {
			return through, endOfLog(err)
		}
		repr, err := io.ReadAll(rec)
		if err != nil {
			return through, endOfLog(err)
		}
		n, ok := groupNumber(repr, &scratch)
		switch {
		case !ok:
			return through, corruptf("the record at byte %d, after write %d, is none of this store's", at.Physical, before)
		case before > 0 && n != before+1:
			return through, corruptf("write %d, at byte %d, stands after write %d", n, at.Physical, before)
		case n > through+1:
			return through, corruptf("writes %d to %d are in no file: a log file is missing, or the manifest is damaged", through+1, n-1)
		}
		before, through = n, max(through, n)
	}
}

// endOfLog tells the end of a log file, be it torn or damaged, from a failed read.
func endOfLog(err error) error {
	if errors.Is(err, io.EOF) || record.IsInvalidRecord(err) || errors.Is(err, record.ErrInvalidChunk) ||
		errors.Is(err, record.ErrZeroedChunk) || errors.Is(err, record.ErrUnexpectedEOF) || pebble.IsCorruptionError(err) {
		return nil
	}
	return err
}

// groupNumber returns the write number of a group from the engine's form of it.
func groupNumber(repr []byte, scratch *[]byte) (uint64, bool) {
	if len(repr) < batchrepr.HeaderLen {
		return 0, false
	}
	r := batchrepr.Read(repr)
	kind, key, value, ok, err := r.Next()
	if err != nil || !ok || kind != pebble.InternalKeyKindSet || string(key) != string(storeKey(itemWritten)) {
		return 0, false
	}
	n, err := decodeNumber(open(scratch, key, value))
	return n, err == nil
}

// flushedThrough returns the newest write number in the tables, or 0 if nothing was ever flushed.
func flushedThrough(fsys vfs.FS, dir string, lock *pebble.Lock) (n uint64, err error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FS:                 noLogs{fsys},
		Lock:               lock,
		ReadOnly:           true,
		Logger:             auditLogger{},
		EventListener:      &pebble.EventListener{DataCorruption: func(pebble.DataCorruptionInfo) {}},
		FormatMajorVersion: engineFormat,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	n, _, err = getNumber(db, itemWritten)
	return n, err
}

// noLogs hides the engine's log files.
type noLogs struct{ vfs.FS }

// List returns the names in a folder, log files left out.
func (f noLogs) List(dir string) ([]string, error) {
	names, err := f.FS.List(dir)
	kept := names[:0]
	for _, n := range names {
		if !strings.HasSuffix(n, logSuffix) {
			kept = append(kept, n)
		}
	}
	return kept, err
}

// auditLogger is the logger of an engine that only reads. Where the engine cannot go on, neither can the open: see
// openPanicked.
type auditLogger struct{}

func (auditLogger) Infof(string, ...any)  {}
func (auditLogger) Errorf(string, ...any) {}
func (auditLogger) Fatalf(format string, args ...any) {
	panic(fmt.Errorf("engine, reading only: %s", fmt.Sprintf(format, args...)))
}
