package sim

import (
	"errors"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errDisk is what a disk says that cannot sync any more.
var errDisk = errors.New("input/output error")

// gate stands before a file system's syncs. It lets them pass, holds them up, or lets them fail.
type gate struct {
	mu     sync.Mutex
	held   chan struct{} // closed when syncs pass again; nil: they pass
	log    chan struct{} // gets one when a log file's sync is held up
	broken bool
}

func newGate() *gate { return &gate{log: make(chan struct{}, 1)} }

// hold holds syncs up from now on.
func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = make(chan struct{})
}

// release lets what is held up go on.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// fail lets every sync fail from now on.
func (g *gate) fail() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = true
}

// pass is called before each sync of a file.
func (g *gate) pass(name string) error {
	g.mu.Lock()
	held, broken := g.held, g.broken
	g.mu.Unlock()
	if broken {
		return errDisk
	}
	if held != nil {
		if strings.HasSuffix(name, ".log") {
			select {
			case g.log <- struct{}{}:
			default:
			}
		}
		<-held
	}
	return nil
}

// gatedFS is a file system with a gate before the syncs of all that is written. (The engine's own package for failing file systems hands
// out log files that are used again as they are, and their syncs would pass.)
type gatedFS struct {
	vfs.FS
	gate *gate
}

type gatedFile struct {
	vfs.File
	name string
	gate *gate
}

func (f gatedFS) file(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return gatedFile{File: file, name: name, gate: f.gate}, nil
}

// Create makes a file.
func (f gatedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.file(name, file, err)
}

// OpenReadWrite opens a file for writing.
func (f gatedFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, category, opts...)
	return f.file(name, file, err)
}

// ReuseForWrite takes an old file for a new one.
func (f gatedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.file(newname, file, err)
}

// Unwrap returns the file system beneath.
func (f gatedFS) Unwrap() vfs.FS { return f.FS }

// Sync makes the file durable.
func (f gatedFile) Sync() error {
	if err := f.gate.pass(f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

// SyncData makes the file's content durable.
func (f gatedFile) SyncData() error {
	if err := f.gate.pass(f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

// SyncTo makes the front of the file durable, or begins to.
func (f gatedFile) SyncTo(length int64) (bool, error) {
	if err := f.gate.pass(f.name); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}
