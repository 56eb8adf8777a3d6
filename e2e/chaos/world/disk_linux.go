package world

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Disk is a file system of its own, on a file: it can fill up, and it can lose power.
type Disk struct {
	image string
	dir   string
}

// NewDisk makes a file system of so many bytes under dir, which is made.
func NewDisk(dir string, bytes int64) (*Disk, error) {
	d := &Disk{image: dir + ".image", dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(bytes), f.Close()); err != nil {
		return nil, err
	}
	if err := command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", d.image); err != nil {
		return nil, err
	}
	return d, d.mount()
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, out)
	}
	return nil
}

func (d *Disk) mount() error { return command("mount", "-o", "loop,noatime", d.image, d.dir) }

// Dir returns the folder under which the file system is.
func (d *Disk) Dir() string { return d.dir }

// The kernel's way to try out a loss of power: nothing more reaches the disk, not even the file system's journal.
const (
	shutdownRequest   = 0x8004587d // FS_IOC_SHUTDOWN
	shutdownNoJournal = 2
)

// LosePower makes the disk end at once: what was not synced is gone, and all that is tried from now on fails.
func (d *Disk) LosePower() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing is written
	how := uint32(shutdownNoJournal)
	_, _, code := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdownRequest, uintptr(unsafe.Pointer(&how)))
	if code != 0 {
		return fmt.Errorf("cut the power of %s: %w", d.dir, code)
	}
	return nil
}

// Restart mounts the disk after it lost power, with the room that it had before Fill. Nobody may have a file open on it.
func (d *Disk) Restart() error {
	if err := unix.Unmount(d.dir, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", d.dir, err)
	}
	if err := d.mount(); err != nil {
		return err
	}
	return d.Empty()
}

// Close unmounts the disk, at the latest when nobody uses it any more, and removes its file.
func (d *Disk) Close() error {
	return errors.Join(unix.Unmount(d.dir, unix.MNT_DETACH), os.Remove(d.image))
}

func (d *Disk) filler() string { return filepath.Join(d.dir, "filler") }

// Fill leaves so many bytes of room.
func (d *Disk) Fill(left int64) error {
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it holds nothing that matters
	info, err := f.Stat()
	if err != nil {
		return err
	}
	// Room is given out by and by where others write meanwhile: what was free a moment ago may not be any more.
	for from := info.Size(); ; {
		var st unix.Statfs_t
		if err := unix.Statfs(d.dir, &st); err != nil {
			return err
		}
		take := int64(st.Bavail)*st.Bsize - left
		if take <= 0 {
			return nil
		}
		for ; take >= st.Bsize; take /= 2 {
			if err = unix.Fallocate(int(f.Fd()), 0, from, take); err == nil {
				from += take
				break
			}
		}
		if err != nil && !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("fill %s: %w", d.dir, err)
		}
		if take < st.Bsize {
			return nil
		}
	}
}

// Empty gives back what Fill took. On a disk without power that is left to Restart.
func (d *Disk) Empty() error {
	err := os.Remove(d.filler())
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.EIO) {
		return nil
	}
	return err
}
