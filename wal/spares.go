package wal

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A spare is a file in the engine's folder that the next log file is made of. Its blocks are written, so a sync of what is put into it
// asks nothing of the file system's journal, and the kernel has its pages: on a new file a sync takes about twice as long, and each
// page several times the processor's time. The engine uses its own log files again, but begins each time without any, and with
// small ones.
//
// A new store makes its spares of zeros, before it says that it exists. Later ones are log files that the engine would remove. What an older
// log left in the file is no part of the new one: see logFile.
const (
	sparePrefix = "spare-"

	// spareBytes is the size of those that are made: the engine's first log files are that small, and full-sized ones take as long to make
	// as they save.
	spareBytes = 4 << 20
	// spareChunk is what is written at once. The kernel keeps what is written at once as one piece of its cache, and each sync of a few bytes goes over all
	// of their piece: with 1 MiB at once three acceptors' syncs took a fifth longer.
	spareChunk = 64 << 10
)

// spares are those of one store. Its zero value has none and keeps none.
type spares struct {
	fs    vfs.FS
	dir   string
	most  int
	bytes uint64 // of each, at least

	mu    sync.Mutex
	paths []string // guarded by mu
	named int      // guarded by mu: names given
}

func (p *spares) name() string {
	p.named++
	return p.fs.PathJoin(p.dir, fmt.Sprintf("%s%06d", sparePrefix, p.named))
}

// fill makes the spares of a new store.
func (p *spares) fill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	zeros := make([]byte, spareChunk)
	for len(p.paths) < p.most {
		path := p.name()
		if err := writeZeros(p.fs, path, p.bytes, zeros); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
		p.paths = append(p.paths, path)
	}
	return nil
}

// writeZeros makes a file of n zeros, durably. They are really written: blocks that are only promised cost what new ones do.
func writeZeros(fsys vfs.FS, path string, n uint64, chunk []byte) (err error) {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for left := n; left > 0; {
		clear(chunk) // File.Write may change what it is given.
		k, err := f.Write(chunk[:min(left, uint64(len(chunk)))])
		if err != nil {
			return err
		}
		left -= uint64(k)
	}
	return f.Sync()
}

// find takes up the spares that an earlier start left, and removes those beyond the most.
func (p *spares) find() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	names, err := p.fs.List(p.dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.HasPrefix(n, sparePrefix) {
			continue
		}
		// New names are above all that are there.
		var number int
		if _, err := fmt.Sscanf(n[len(sparePrefix):], "%d", &number); err == nil {
			p.named = max(p.named, number)
		}
		path := p.fs.PathJoin(p.dir, n)
		if len(p.paths) < p.most {
			p.paths = append(p.paths, path)
		} else if err := p.fs.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// take returns a spare, or nothing.
func (p *spares) take() (path string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.paths) == 0 {
		return "", false
	}
	path, p.paths = p.paths[0], p.paths[1:]
	return path, true
}

// keep makes a spare of a log file instead of removing it, where one is wanted and the file is large enough, and reports whether it did.
func (p *spares) keep(log string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.paths) >= p.most {
		return false
	}
	if info, err := p.fs.Stat(log); err != nil || uint64(info.Size()) < p.bytes/2 {
		return false
	}
	path := p.name()
	if p.fs.Rename(log, path) != nil {
		return false
	}
	p.paths = append(p.paths, path)
	return true
}
