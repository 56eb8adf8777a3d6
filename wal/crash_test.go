package wal

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxosd/paxosd/paxos"
)

// moment is what a loss of power would leave, and what had been said by then.
type moment struct {
	files *vfs.MemFS
	acked int64
	boot  uint64 // of the newest Open that had returned; 0: none
	inc   paxos.Incarnation
}

// Power is lost before each operation on a file, from the creation of the store on, with some of what was not synced. What comes
// up again is the same incarnation with all that was said to be durable, or, if no Open had returned, whatever it likes but usable.
func TestCrashBeforeEachOperation(t *testing.T) {
	for _, percent := range []int{0, 40, 100} {
		for _, m := range moments(t, percent) {
			d := newDeath()
			opts := testOptions(m.files, d)
			opts.Rand = &counter{n: 1000}
			v, err := OpenVotes(testDir, testWant, opts)
			if err != nil {
				t.Fatalf("%d %%, boot %d, %d durable: %v", percent, m.boot, m.acked, err)
			}
			if m.boot > 0 && (v.Identity().Incarnation != m.inc || v.Boot() <= m.boot) {
				t.Fatalf("boot %d of %s after boot %d of %s", v.Boot(), v.Identity().Incarnation, m.boot, m.inc)
			}
			closeStore(t, v)
			checkScript(t, m.files, m.acked, int64(percent))
		}
	}
}

func moments(t *testing.T, percent int) []moment {
	mem := vfs.NewCrashableMem()
	var mu sync.Mutex
	var all []moment
	var acked atomic.Int64
	now := moment{}
	rng := rand.New(rand.NewPCG(uint64(percent), 3))
	watch := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if now.boot > 0 && rng.IntN(12) > 0 {
			return nil // each one of the creation, some of the rest
		}
		m := now
		m.acked = acked.Load()
		m.files = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
		all = append(all, m)
		return nil
	})
	for range 2 {
		v, err := OpenVotes(testDir, testWant, testOptions(errorfs.Wrap(mem, watch), newDeath()))
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		now.boot, now.inc = v.Boot(), v.Identity().Incarnation
		mu.Unlock()
		for range 12 {
			apply(t, v, scriptRecord(acked.Load()))
			acked.Add(1)
		}
		closeStore(t, v)
	}
	return all
}

// A log file that is gone from the middle: the manifest went back to before its content was flushed, and the newest log file is
// whole. The newest write number alone would not show it.
func TestA8GapInTheWritesIsCorruption(t *testing.T) {
	const votes, size = 45, 400
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	apply(t, v, stateRecord())
	var early []byte
	manifest := ""
	for s := paxos.Slot(1); s <= votes; s++ {
		apply(t, v, voteRecord(s, 1, valueOf(s, size)))
		if s == 20 {
			manifest = newestManifest(t, fsys)
			early = readFile(t, fsys, manifest)
		}
		if s == 30 {
			if err := v.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	files := crash(fsys, 1, 100)
	closeStore(t, v)
	logs := logFiles(t, files, testDir)
	for _, log := range logs[:len(logs)-1] {
		if err := files.Remove(log); err != nil {
			t.Fatal(err)
		}
	}
	if err := votesOrError(t, clone(files), votes, size); err != nil {
		t.Fatalf("the manifest is whole, and only logs that were flushed are gone: %v", err)
	}
	writeFile(t, files, manifest, early)
	err := votesOrError(t, files, votes, size)
	mustBeCorrupt(t, err, "are in no file")
}
