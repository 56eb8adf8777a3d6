package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// votesOrError opens the store and returns an error, or nil if every one of the first n votes is there as it was.
func votesOrError(t *testing.T, fsys vfs.FS, n paxos.Slot, size int) error {
	t.Helper()
	d := newDeath()
	return outlives(d, func() error { return readBack(testOptions(fsys, d), n, size) })
}

var errMissing = errors.New("opened with votes missing")

func readBack(opts Options, n paxos.Slot, size int) error {
	v, err := OpenVotes(testDir, testWant, opts)
	if err != nil {
		return err
	}
	votes, _, err := v.Scan(testGenesis, 1, paxos.MaxSlot, Limit{Values: true})
	if err != nil {
		return err
	}
	if len(votes) != int(n) {
		return fmt.Errorf("%w: %d of %d", errMissing, len(votes), n)
	}
	for i, vote := range votes {
		if t := paxos.Slot(i + 1); vote.Slot != t || string(vote.Value) != string(valueOf(t, size)) {
			return fmt.Errorf("%w: vote %d is %+v", errMissing, t, vote.VoteInfo)
		}
	}
	return v.Close()
}

// killed returns the files of an acceptor that was killed after n votes were durable. Nothing was flushed to tables.
func killed(t *testing.T, n paxos.Slot, size int) *vfs.MemFS {
	t.Helper()
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	apply(t, v, stateRecord())
	for s := paxos.Slot(1); s <= n; s++ {
		apply(t, v, voteRecord(s, 1, valueOf(s, size)))
	}
	after := crash(fsys, 1, 100)
	closeStore(t, v)
	return after
}

func clone(fsys *vfs.MemFS) *vfs.MemFS { return crash(fsys, 1, 100) }

// PROTOCOL A8: at the engine's default, one flipped bit in the newest log file opened cleanly with 36 of 100 synced votes gone.
// With sync chunks alone it still does where nothing follows in a later block; the audit against WRITTEN finds the rest.
func TestA8FlippedBitInNewestLogIsCorruption(t *testing.T) {
	const votes, size = 100, 40
	files := killed(t, votes, size)
	if err := votesOrError(t, clone(files), votes, size); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	log := newestLog(t, files, testDir)
	good := readFile(t, files, log)
	end := lastNonZero(good)
	found := 0
	for at := 0; at < end; at += 37 { // 37 is odd, so each bit of a byte has its turn
		fsys := clone(files)
		bad := append([]byte(nil), good...)
		bad[at] ^= 1 << (at % 8)
		writeFile(t, fsys, log, bad)
		err := votesOrError(t, fsys, votes, size)
		switch {
		case errors.Is(err, ErrCorrupt):
			found++
		case err != nil:
			t.Fatalf("bit flipped at byte %d of %d: %v", at, end, err)
		}
	}
	if found < 200 {
		t.Fatalf("only %d flipped bits were found", found)
	}
}

func lastNonZero(b []byte) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return i + 1
		}
	}
	return 0
}

func TestA8LostTailIsCorruption(t *testing.T) {
	const votes, size = 100, 40
	files := killed(t, votes, size)
	log := newestLog(t, files, testDir)
	good := readFile(t, files, log)
	end := lastNonZero(good)
	for _, keep := range []int{0, 1, 100, end / 2, end - 200, end - 20} {
		fsys := clone(files)
		writeFile(t, fsys, log, good[:keep])
		if err := votesOrError(t, fsys, votes, size); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d of %d bytes: %v", keep, end, err)
		}
	}
}

// flushed returns the files of an acceptor that was killed with some votes in tables and some in several log files.
func flushed(t *testing.T, n paxos.Slot, size int) *vfs.MemFS {
	t.Helper()
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	apply(t, v, stateRecord())
	for s := paxos.Slot(1); s <= n; s++ {
		apply(t, v, voteRecord(s, 1, valueOf(s, size)))
		if s%10 == 0 {
			if err := v.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	after := crash(fsys, 1, 100)
	closeStore(t, v)
	return after
}

// A manifest that ends early is taken by the engine for one that was cut short by a crash: it goes back to an older state
// and deletes the tables it no longer knows.
func TestA8DamagedManifestIsCorruption(t *testing.T) {
	const votes, size = 45, 400
	files := flushed(t, votes, size)
	if err := votesOrError(t, clone(files), votes, size); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	manifest := newestManifest(t, files)
	good := readFile(t, files, manifest)
	found := 0
	for at := 0; at < len(good); at += 4 {
		fsys := clone(files)
		bad := append([]byte(nil), good...)
		bad[at] ^= 1 << (at % 8)
		writeFile(t, fsys, manifest, bad)
		switch err := votesOrError(t, fsys, votes, size); {
		case errors.Is(err, ErrCorrupt):
			found++
		case err != nil:
			t.Fatalf("bit flipped at byte %d of %d: %v", at, len(good), err)
		}
	}
	for keep := 0; keep < len(good); keep += 20 {
		fsys := clone(files)
		writeFile(t, fsys, manifest, good[:keep])
		switch err := votesOrError(t, fsys, votes, size); {
		case errors.Is(err, ErrCorrupt):
			found++
		case err != nil:
			t.Fatalf("cut to %d of %d bytes: %v", keep, len(good), err)
		}
	}
	if found < len(good)/8 {
		t.Fatalf("only %d of %d damages were found", found, len(good))
	}
}

func TestA8MissingFileIsCorruption(t *testing.T) {
	const votes, size = 45, 400
	files := flushed(t, votes, size)
	names, err := files.List(files.PathJoin(testDir, engineDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if n == "LOCK" || strings.HasPrefix(n, "OPTIONS") {
			continue
		}
		fsys := clone(files)
		if err := fsys.Remove(fsys.PathJoin(testDir, engineDir, n)); err != nil {
			t.Fatal(err)
		}
		err := votesOrError(t, fsys, votes, size)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("without %s: %v", n, err)
		}
	}
}

// Any bit of any file: either everything is there, or an error says so.
func TestA8FlippedBitAnywhereNeverLosesAVote(t *testing.T) {
	const votes, size = 45, 400
	files := flushed(t, votes, size)
	var paths []string
	for _, dir := range []string{testDir, files.PathJoin(testDir, engineDir)} {
		names, err := files.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if n != "LOCK" && n != engineDir {
				paths = append(paths, files.PathJoin(dir, n))
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	found := 0
	tries := 600
	if testing.Short() {
		tries = 150
	}
	for range tries {
		path := paths[rng.IntN(len(paths))]
		fsys := clone(files)
		b := readFile(t, fsys, path)
		if len(b) == 0 {
			continue
		}
		bit := rng.IntN(8 * len(b))
		b[bit/8] ^= 1 << (bit % 8)
		writeFile(t, fsys, path, b)
		err := votesOrError(t, fsys, votes, size)
		if errors.Is(err, errMissing) {
			t.Fatalf("bit %d of %s flipped: %v", bit, path, err)
		}
		if err != nil {
			found++
		}
	}
	t.Logf("%d found", found)
}

func newestManifest(t *testing.T, fsys vfs.FS) string {
	t.Helper()
	names, err := fsys.List(fsys.PathJoin(testDir, engineDir))
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, n := range names {
		if strings.HasPrefix(n, "MANIFEST") {
			newest = max(newest, fsys.PathJoin(testDir, engineDir, n))
		}
	}
	return newest
}

func mustBeCorrupt(t *testing.T, err error, text string) {
	t.Helper()
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want corruption: %q", err, text)
	}
}
