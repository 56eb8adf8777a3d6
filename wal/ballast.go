package wal

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The ballast is a file of nothing that takes space away while there is plenty, so that it can be given back when there is
// none: opening a store must write (PROTOCOL K5). It is removed when a store opens on a full disk, and made again once there is
// room for it.
const (
	ballastFile = "BALLAST"

	// ballastChunk is what is written at once.
	ballastChunk = 1 << 20
)

// ballast makes, keeps and gives back the file.
type ballast struct {
	fs    vfs.FS
	path  string
	bytes uint64
}

// held reports whether the file takes the space that it should.
func (b *ballast) held() (bool, error) {
	ok, err := exists(b.fs, b.path)
	if err != nil || !ok {
		return false, err
	}
	info, err := b.fs.Stat(b.path)
	if err != nil {
		return false, err
	}
	return uint64(info.Size()) >= b.bytes, nil
}

// release gives the space back.
func (b *ballast) release() (released bool, err error) {
	ok, err := exists(b.fs, b.path)
	if err != nil || !ok {
		return false, err
	}
	return true, b.fs.Remove(b.path)
}

// fill makes the file. Zeros are really written: space that is only promised may be gone when it is needed.
func (b *ballast) fill() (err error) {
	f, err := b.fs.Create(b.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, b.fs.Remove(b.path))
		}
	}()
	if reserve(f, b.bytes) {
		return f.Sync()
	}
	chunk := make([]byte, ballastChunk)
	for left := b.bytes; left > 0; {
		clear(chunk) // File.Write may change what it is given.
		n, err := f.Write(chunk[:min(left, ballastChunk)])
		if err != nil {
			return err
		}
		left -= uint64(n)
	}
	return f.Sync()
}
