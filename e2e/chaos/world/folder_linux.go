package world

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// images are the largest things in a folder: the disks.
const images = "*/*.image"

// Folder returns a new temporary folder whose name begins with prefix, and what lets go of it. Disks in folders that nobody holds any
// more, because a program was killed, are removed; what processes said stays.
func Folder(prefix string) (dir string, unlock func(), err error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range old {
		if err := sweep(dir); err != nil {
			return "", nil, err
		}
	}
	if dir, err = os.MkdirTemp("", prefix); err != nil {
		return "", nil, err
	}
	unlock, err = lock(dir)
	return dir, unlock, err
}

// sweep removes the disks of a folder that nobody holds.
func sweep(dir string) error {
	unlock, err := lock(dir)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	left, err := filepath.Glob(filepath.Join(dir, images))
	if err != nil {
		return err
	}
	for _, image := range left {
		if err := os.Remove(image); err != nil {
			return err
		}
	}
	return nil
}

// lock holds a folder until unlock is called, or the program ends.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
