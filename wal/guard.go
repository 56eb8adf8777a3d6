package wal

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is the file system as the engine sees it: a write, a sync or a new file that fails ends the process there (PROTOCOL
// A8), whatever the engine would make of the error. It retries some, logs others, and falls over a few, also while it opens.
type guard struct {
	vfs.FS
	s *store
}

func (g guard) check(op, name string, err error) error {
	if err != nil {
		g.s.fail(fmt.Errorf("store %s: %s %s: %w", g.s.dir, op, name, err))
	}
	return err
}

func (g guard) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, g.check("create", name, err)
	}
	guarded := guardedFile{File: f, name: name, g: g}
	if strings.HasSuffix(name, logSuffix) {
		return &logFile{guardedFile: guarded}, nil
	}
	return guarded, nil
}

// Create makes a file. A new manifest gets its name durably at once: the engine makes the marker that points to it before it syncs
// the folder, and where names reach the disk in any order, a loss of power left the marker without its manifest. A new log file is
// made of a spare, if there is one.
func (g guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, logSuffix) {
		if spare, ok := g.s.spares.take(); ok {
			return g.ReuseForWrite(spare, name, category)
		}
	}
	f, err := g.FS.Create(name, category)
	if err == nil && strings.HasPrefix(g.PathBase(name), "MANIFEST-") {
		err = g.check("sync folder of", name, syncDir(g.FS, g.PathDir(name)))
	}
	return g.file(name, f, err)
}

// OpenReadWrite opens a file for writing.
func (g guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.OpenReadWrite(name, category, opts...)
	return g.file(name, f, err)
}

// ReuseForWrite takes an old log file for a new one.
func (g guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(oldname, newname, category)
	return g.file(newname, f, err)
}

// Remove removes a file, or makes a spare of a log file.
func (g guard) Remove(name string) error {
	if strings.HasSuffix(name, logSuffix) && g.s.spares.keep(name) {
		return nil
	}
	return g.FS.Remove(name)
}

// OpenDir opens a folder, to sync it.
func (g guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	return g.file(name, f, err)
}

// Rename gives a file its name.
func (g guard) Rename(oldname, newname string) error {
	return g.check("rename to", newname, g.FS.Rename(oldname, newname))
}

// Unwrap returns the file system beneath.
func (g guard) Unwrap() vfs.FS { return g.FS }

// guardedFile is a file of guard.
type guardedFile struct {
	vfs.File
	name string
	g    guard
}

// Write writes at the end.
func (f guardedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.g.check("write", f.name, err)
}

// WriteAt writes at an offset.
func (f guardedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, f.g.check("write", f.name, err)
}

// Sync makes the file durable.
func (f guardedFile) Sync() error { return f.g.check("sync", f.name, f.File.Sync()) }

// SyncData makes the file's content durable.
func (f guardedFile) SyncData() error { return f.g.check("sync", f.name, f.File.SyncData()) }

// SyncTo makes the front of the file durable, or begins to.
func (f guardedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.g.check("sync", f.name, err)
}
