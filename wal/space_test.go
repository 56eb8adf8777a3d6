package wal

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// PROTOCOL K5: full above the high-water mark or below the free share, until it is clearly better.
func TestK5SpaceSaysFull(t *testing.T) {
	fsys := vfs.NewMem()
	disk := func(free uint64) {
		fsys.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: free << 20, TotalBytes: 1000 << 20})
	}
	disk(900)
	opts := testOptions(fsys, newDeath())
	opts.MinFreePercent, opts.HighWaterBytes = 10, 8<<20
	v, err := OpenVotes(testDir, testWant, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, v)
	check := func(full bool, why string) {
		t.Helper()
		sp, err := v.Space()
		if err != nil || sp.Full != full || !strings.Contains(sp.Why, why) || (sp.Why == "") == full {
			t.Fatalf("%+v, %v", sp, err)
		}
	}
	for _, step := range []struct {
		free uint64
		full bool
		why  string
	}{{900, false, ""}, {101, false, ""}, {99, true, "less than 10 %"}, {105, true, "less than 10 %"}, {120, false, ""}, {99, true, ""}, {500, false, ""}} {
		disk(step.free)
		check(step.full, step.why)
	}
	apply(t, v, stateRecord())
	for s := paxos.Slot(1); s <= 100; s++ {
		apply(t, v, voteRecord(s, 1, valueOf(s, 100_000)))
	}
	check(true, "high-water mark is 8388608")
}

// A full store takes batches again once what it holds was trimmed, whatever its memory and its recycled log files take, and does so
// each time.
func TestK5TrimmingMakesRoom(t *testing.T) {
	opts := testOptions(vfs.Default, newDeath())
	opts.MemTableBytes, opts.HighWaterBytes = 4<<20, 6<<20
	v, err := OpenVotes(t.TempDir(), testWant, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, v)
	apply(t, v, stateRecord())
	full := func() bool {
		sp, err := v.Space()
		if err != nil {
			t.Fatal(err)
		}
		return sp.Full
	}
	for s, round := paxos.Slot(1), 0; round < 3; round++ {
		for ; !full(); s++ {
			apply(t, v, voteRecord(s, 1, valueOf(s, 100_000)))
		}
		apply(t, v, trimRecord(s-1))
		for end := time.Now().Add(20 * time.Second); full(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("round %d: still full, with everything trimmed:\n%s", round, v.db.Metrics())
			}
		}
	}
}

// PROTOCOL K5: a ballast file leaves room to reopen.
func TestK5BallastIsGivenBackToReopen(t *testing.T) {
	fsys := vfs.NewMem()
	disk := func(free uint64) { fsys.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: free, TotalBytes: 1 << 30}) }
	disk(1 << 29)
	opts := testOptions(fsys, newDeath())
	opts.BallastBytes, opts.MinFreePercent = 3<<20+5, 10
	open := func() *Votes {
		v, err := OpenVotes(testDir, testWant, opts)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	held := func(v *Votes, want bool) {
		t.Helper()
		sp, err := v.Space()
		if err != nil || sp.Ballast != want {
			t.Fatalf("%+v, %v", sp, err)
		}
		info, err := fsys.Stat(testDir + "/" + ballastFile)
		if (err == nil) != want || err == nil && info.Size() != int64(opts.BallastBytes) {
			t.Fatalf("ballast: %v", err)
		}
	}
	v := open()
	held(v, true)
	disk(0) // the ballast stays while the store is open: it is for opening
	held(v, true)
	closeStore(t, v)
	v = open()
	held(v, false)
	disk(opts.BallastBytes) // it would fill the disk again
	held(v, false)
	disk(1 << 29)
	held(v, true)
	closeStore(t, v)
	// A ballast that a crash cut short is made anew.
	writeFile(t, fsys, testDir+"/"+ballastFile, []byte("short"))
	v = open()
	held(v, true)
	closeStore(t, v)
}

func TestBallastTakesRealSpace(t *testing.T) {
	b := ballast{fs: vfs.Default, path: t.TempDir() + "/" + ballastFile, bytes: 5 << 20}
	if err := b.fill(); err != nil {
		t.Fatal(err)
	}
	if held, err := b.held(); !held || err != nil {
		t.Fatal(held, err)
	}
	if released, err := b.release(); !released || err != nil {
		t.Fatal(released, err)
	}
	if released, err := b.release(); released || err != nil {
		t.Fatal(released, err)
	}
}
