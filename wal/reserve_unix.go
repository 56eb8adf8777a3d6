//go:build unix

package wal

import (
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// reserve asks the file system for n bytes at once and reports whether they are really the file's now. Some file systems
// only say yes, so the blocks are counted.
func reserve(f vfs.File, n uint64) bool {
	if n == 0 || f.Preallocate(0, int64(n)) != nil {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || uint64(stat.Blocks)*512 < n {
		return false
	}
	// The length is not part of the reservation, and it is what held looks at.
	if _, err := f.WriteAt([]byte{0}, int64(n)-1); err != nil {
		return false
	}
	return true
}
