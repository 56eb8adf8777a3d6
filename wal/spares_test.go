package wal

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

func spareFiles(t *testing.T, fsys vfs.FS) []string {
	t.Helper()
	names, err := fsys.List(fsys.PathJoin(testDir, engineDir))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, n := range names {
		if strings.HasPrefix(n, sparePrefix) {
			found = append(found, n)
		}
	}
	return found
}

// A new store's first log files are made of spares, written beforehand; log files that an earlier start wrote become the next one's
// spares, as many as are wanted; and what they still hold of their former lives is not taken for anything.
func TestSparesBecomeLogFilesAndLogFilesSpares(t *testing.T) {
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	if n := len(spareFiles(t, fsys)); n != 1 {
		t.Fatalf("%d spares are left of 2 when the first log file is there", n)
	}
	if b := readFile(t, fsys, newestLog(t, fsys, testDir)); len(b) != 256<<10 {
		t.Fatalf("the first log file has %d bytes", len(b))
	}
	apply(t, v, stateRecord())
	slot := paxos.Slot(0)
	write := func(n int) {
		for range n {
			slot++
			apply(t, v, voteRecord(slot, 1, valueOf(slot, 30_000)))
		}
	}
	write(60)
	if n := len(spareFiles(t, fsys)); n > 2 {
		t.Fatalf("%d spares", n)
	}
	closeStore(t, v)
	v = openVotes(t, fsys)
	until(t, func() bool { return len(spareFiles(t, fsys)) > 0 })
	for range 6 {
		write(20)
		if n := len(spareFiles(t, fsys)); n > 2 {
			t.Fatalf("%d spares", n)
		}
		fsys = crash(fsys, uint64(slot), 0)
		closeStore(t, v)
		v = openVotes(t, fsys)
		if got := v.Load()[0].HighestVoted; got != slot {
			t.Fatalf("highest vote is %d, not %d", got, slot)
		}
	}
	closeStore(t, v)
}

// fullDisk is a file system with little room.
type fullDisk struct {
	vfs.FS
	avail uint64
}

func (f fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.avail, TotalBytes: 100 << 20, UsedBytes: 100<<20 - f.avail}, nil
}

// Spares are a courtesy: on a disk that they would fill a store begins without.
func TestNoSparesOnAFullDisk(t *testing.T) {
	for _, c := range []struct {
		avail uint64
		want  int
	}{{400 << 10, 0}, {10 << 20, 0}, {20 << 20, 1}} {
		fsys := fullDisk{vfs.NewCrashableMem(), c.avail}
		opts := testOptions(fsys, newDeath())
		opts.MinFreePercent = 10
		v, err := OpenVotes(testDir, testWant, opts)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(spareFiles(t, fsys)); n != c.want {
			t.Errorf("%d of %d bytes free: %d spares beside the first log file, want %d", c.avail, 100<<20, n, c.want)
		}
		closeStore(t, v)
	}
}

// Where a log file cannot become a spare, it is removed, as the engine asked.
func TestLogFileThatCannotBecomeASpareIsRemoved(t *testing.T) {
	mem := vfs.NewMem()
	fsys := noRename{mem}
	g := guard{fsys, &store{spares: spares{fs: fsys, dir: "d", most: 1, bytes: 1}}}
	writeFile(t, mem, "000001.log", []byte("x"))
	if err := g.Remove("000001.log"); err != nil {
		t.Fatal(err)
	}
	if found, err := exists(mem, "000001.log"); found || err != nil {
		t.Fatalf("still there: %t, %v", found, err)
	}
}

type noRename struct{ vfs.FS }

func (noRename) Rename(string, string) error { return errors.New("no") }
