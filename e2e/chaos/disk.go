//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"
)

// diskBytes is the size of a store's file system. The image is sparse: it takes what is written.
const diskBytes = 3 << 30

// goingDown is the request that stops a file system as a loss of power would: FS_IOC_SHUTDOWN, without flushing the journal.
const (
	goingDown        = 0x8004587d
	goingDownNoFlush = 2
)

// disk is the file system of one store.
type disk struct {
	image string
	dir   string
	on    bool
}

// newDisk makes an image and mounts it.
func newDisk(work, name string) (*disk, error) {
	d := &disk{image: filepath.Join(work, name+".img"), dir: filepath.Join(work, name)}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(diskBytes), f.Close(), os.MkdirAll(d.dir, 0o755)); err != nil {
		return nil, err
	}
	mkfs := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", d.image)
	if out, err := mkfs.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make a file system for %s: %w: %s", name, err, out)
	}
	return d, d.mount()
}

// store is the folder that the role is given.
func (d *disk) store() string { return filepath.Join(d.dir, "store") }

func (d *disk) mount() error {
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		return fmt.Errorf("mount %s: %w: %s", d.dir, err, out)
	}
	d.on = true
	return nil
}

// unmount retries for a moment: the kernel closes a killed process's files a little after its end is told.
func (d *disk) unmount() error {
	if !d.on {
		return nil
	}
	var err error
	for range 100 {
		if err = syscall.Unmount(d.dir, 0); err == nil {
			d.on = false
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("unmount %s: %w", d.dir, err)
}

// remove gives the image's bytes back.
func (d *disk) remove() error { return errors.Join(d.unmount(), os.Remove(d.image)) }

// cutPower stops the file system at once: what was not synced is gone. The store's process must be stopped, and be killed before
// powerUp.
func (d *disk) cutPower() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	how := uint32(goingDownNoFlush)
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), goingDown, uintptr(unsafe.Pointer(&how))); e != 0 {
		return fmt.Errorf("cut the power of %s: %w", d.dir, e)
	}
	return nil
}

// powerUp mounts the file system again; its journal is replayed.
func (d *disk) powerUp() error {
	if err := d.unmount(); err != nil {
		return err
	}
	return d.mount()
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill leaves no room.
func (d *disk) fill() error {
	f, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	defer f.Close()
	var at int64
	for block := int64(256 << 20); block >= 4096; {
		err := syscall.Fallocate(int(f.Fd()), 0, at, block)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.ENOSPC):
			block /= 2
		case err != nil:
			return fmt.Errorf("fill %s: %w", d.dir, err)
		default:
			at += block
		}
	}
	return nil
}

// empty undoes fill.
func (d *disk) empty() error {
	if err := os.Remove(d.filler()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
