package counts

import (
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fileKind says what a file is to a store.
type fileKind int

const (
	engineLog  fileKind = iota // what is synced before anything is said
	table                      // what memory is flushed to, and what is merged of it
	note                       // WRITTEN
	folder                     // syncs of names
	otherFile                  // manifests, options, identity
	countKinds                 // how many kinds there are
)

func kindOf(name string) fileKind {
	base := filepath.Base(name)
	switch {
	case strings.HasSuffix(base, ".log"):
		return engineLog
	case strings.HasSuffix(base, ".sst"), strings.HasSuffix(base, ".blob"):
		return table
	case base == "WRITTEN":
		return note
	}
	return otherFile
}

// use is what was asked of files of one kind. Async counts the calls that begin to write pages back without waiting for it.
type use struct{ Writes, Bytes, Syncs, Async uint64 }

func (u use) minus(o use) use {
	return use{Writes: u.Writes - o.Writes, Bytes: u.Bytes - o.Bytes, Syncs: u.Syncs - o.Syncs, Async: u.Async - o.Async}
}

func (u use) plus(o use) use {
	return use{Writes: u.Writes + o.Writes, Bytes: u.Bytes + o.Bytes, Syncs: u.Syncs + o.Syncs, Async: u.Async + o.Async}
}

// uses is what was asked of a disk, by kind of file.
type uses [countKinds]use

func (u uses) minus(o uses) uses {
	for k := range u {
		u[k] = u[k].minus(o[k])
	}
	return u
}

func (u uses) plus(o uses) uses {
	for k := range u {
		u[k] = u[k].plus(o[k])
	}
	return u
}

func (u uses) all() (sum use) {
	for _, x := range u {
		sum = sum.plus(x)
	}
	return sum
}

// disk is the operating system's file system, with what is asked of it counted.
type disk struct {
	vfs.FS
	counted [countKinds]struct{ writes, bytes, syncs, async atomic.Uint64 }
}

func newDisk() *disk { return &disk{FS: vfs.Default} }

func (d *disk) uses() (u uses) {
	for k := range u {
		c := &d.counted[k]
		u[k] = use{Writes: c.writes.Load(), Bytes: c.bytes.Load(), Syncs: c.syncs.Load(), Async: c.async.Load()}
	}
	return u
}

func (d *disk) file(kind fileKind, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return countedFile{File: f, d: d, kind: kind}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.file(kindOf(name), f, err)
}

func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, opts...)
	return d.file(kindOf(name), f, err)
}

func (d *disk) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(oldname, newname, c)
	return d.file(kindOf(newname), f, err)
}

func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.FS.OpenDir(name)
	return d.file(folder, f, err)
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

type countedFile struct {
	vfs.File
	d    *disk
	kind fileKind
}

func (f countedFile) wrote(n int) {
	f.d.counted[f.kind].writes.Add(1)
	f.d.counted[f.kind].bytes.Add(uint64(n))
}

func (f countedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.wrote(n)
	return n, err
}

func (f countedFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.wrote(n)
	return n, err
}

func (f countedFile) Sync() error {
	f.d.counted[f.kind].syncs.Add(1)
	return f.File.Sync()
}

func (f countedFile) SyncData() error {
	f.d.counted[f.kind].syncs.Add(1)
	return f.File.SyncData()
}

func (f countedFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	if full {
		f.d.counted[f.kind].syncs.Add(1)
	} else {
		f.d.counted[f.kind].async.Add(1)
	}
	return full, err
}
