package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// images are the largest things in a folder: the disks.
const images = "*/*.image"

// A folder has this file in it while nobody is to see what is there. Without the file and its text a folder is not removed.
const (
	markName = "run"
	markText = "The folder of a run of the chaos harness. Once nobody holds its lock, the next run removes it.\n"
)

// Folder is a temporary folder of one run. A lock says that the run goes on: it ends with the process that holds it, however that
// ends, and tells it from all others, which a process id would not do in a process namespace of its own, where it is always 1.
type Folder struct {
	Dir  string
	lock *os.File
}

// NewFolder makes a folder whose name begins with prefix. Those of earlier runs that were killed are removed; of other folders of such names
// that nobody holds, the disks alone: what processes said in a run that failed stays.
func NewFolder(prefix string) (*Folder, error) {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range old {
		if err := sweep(dir); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, err
	}
	f, err := hold(dir)
	if err != nil {
		return nil, err
	}
	// Only now: a folder with the file in it has been held.
	if err := os.WriteFile(f.mark(), []byte(markText), 0o600); err != nil {
		return nil, errors.Join(err, f.lock.Close())
	}
	return f, nil
}

func (f *Folder) mark() string { return filepath.Join(f.Dir, markName) }

// Keep lets go of the folder, and leaves what is in it to people.
func (f *Folder) Keep() error {
	return errors.Join(os.Remove(f.mark()), f.lock.Close())
}

// Remove removes the folder.
func (f *Folder) Remove() error {
	return errors.Join(os.RemoveAll(f.Dir), f.lock.Close())
}

// sweep removes what is left in a folder that nobody holds.
func sweep(dir string) error {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return nil // another run was faster, or it is no folder
	}
	f, err := hold(dir)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if text, err := os.ReadFile(f.mark()); err == nil && string(text) == markText {
		return f.Remove()
	}
	defer func() { _ = f.lock.Close() }() // nothing was written
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

// hold takes the lock of a folder.
func hold(dir string) (*Folder, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return &Folder{Dir: dir, lock: f}, nil
}
