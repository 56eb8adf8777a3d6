package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

const (
	testDir  = "a1"
	testName = "orders"
)

var (
	testWant    = Want{Cluster: "main", Owner: "a1"}
	testGenesis = paxos.GenesisID{1, 2, 3}
	testRecord  = []byte("the genesis record")
)

// death is what OnFatal was told. Its goroutine goes no further, as the process would not.
type death struct {
	mu  sync.Mutex
	err error
	hit chan struct{}
}

func newDeath() *death { return &death{hit: make(chan struct{})} }

func (d *death) onFatal(err error) {
	d.mu.Lock()
	if d.err == nil {
		d.err = err
		close(d.hit)
	}
	d.mu.Unlock()
	select {}
}

func (d *death) cause() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// counter is a source of incarnations that a test can tell apart.
type counter struct{ n uint64 }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	clear(p)
	binary.BigEndian.PutUint64(p, c.n)
	return len(p), nil
}

func testOptions(fsys vfs.FS, d *death) Options {
	return Options{FS: fsys, Rand: &counter{}, OnFatal: d.onFatal, MemTableBytes: 256 << 10, CacheBytes: 1 << 20, SpareLogs: 2}
}

func openVotes(t testing.TB, fsys vfs.FS) *Votes {
	t.Helper()
	d := newDeath()
	v, err := OpenVotes(testDir, testWant, testOptions(fsys, d))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.cause(); err != nil {
			t.Errorf("the store died: %v", err)
		}
	})
	return v
}

func openChosen(t testing.TB, fsys vfs.FS) *Chosen {
	t.Helper()
	d := newDeath()
	c, err := OpenChosen("l1", Want{Cluster: "main", Owner: "l1"}, testOptions(fsys, d))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.cause(); err != nil {
			t.Errorf("the store died: %v", err)
		}
	})
	return c
}

func closeStore(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

type applier interface {
	Apply(recs []paxos.Record) (uint64, error)
}

func apply(t testing.TB, s applier, recs ...paxos.Record) uint64 {
	t.Helper()
	n, err := s.Apply(recs)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return n
}

// dies runs f in a goroutine of its own and returns what the store died of.
func dies(t testing.TB, d *death, f func()) error {
	t.Helper()
	go f()
	select {
	case <-d.hit:
		return d.cause()
	case <-time.After(10 * time.Second):
		t.Fatal("the store did not die")
		return nil
	}
}

// outlives runs f and returns its error, or what the store died of meanwhile.
func outlives(d *death, f func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		return err
	case <-d.hit:
		return d.cause()
	}
}

func ballot(round uint64) paxos.Ballot { return paxos.Ballot{Round: round, Proposer: "p1", Run: 7} }

func stateRecord() paxos.Record {
	return paxos.Record{Kind: paxos.RecordState, Log: testName, Genesis: testGenesis, State: paxos.LogLive, Epoch: 1, Body: testRecord}
}

func promiseRecord(round uint64) paxos.Record {
	return paxos.Record{Kind: paxos.RecordPromise, Log: testName, Genesis: testGenesis, Ballot: ballot(round)}
}

func voteRecord(slot paxos.Slot, round uint64, value []byte) paxos.Record {
	return paxos.Record{
		Kind: paxos.RecordVote, Log: testName, Genesis: testGenesis, Slot: slot, Ballot: ballot(round),
		Checksum: paxos.Sum(value), Value: value,
	}
}

func trimRecord(slot paxos.Slot) paxos.Record {
	return paxos.Record{Kind: paxos.RecordTrim, Log: testName, Genesis: testGenesis, Slot: slot}
}

func valueOf(slot paxos.Slot, size int) []byte {
	b := []byte(fmt.Sprintf("value %d ", slot))
	rng := rand.New(rand.NewPCG(uint64(slot), 1))
	for len(b) < size {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return b[:size]
}

func chosenRecord(slot paxos.Slot, first, last paxos.Offset, value []byte) paxos.Record {
	return paxos.Record{
		Kind: paxos.RecordChosen, Log: testName, Genesis: testGenesis, Slot: slot, Ballot: ballot(3), First: first, Last: last,
		Hash: paxos.Hash{byte(slot), byte(slot >> 8)}, Stamp: paxos.Stamp(slot) * 10, Body: []byte(fmt.Sprintf("meta %d", slot)), Value: value,
	}
}

// newestLog returns the path of the engine's newest log file.
func newestLog(t testing.TB, fsys vfs.FS, dir string) string {
	t.Helper()
	logs := logFiles(t, fsys, dir)
	return logs[len(logs)-1]
}

func logFiles(t testing.TB, fsys vfs.FS, dir string) []string {
	t.Helper()
	names, err := fsys.List(fsys.PathJoin(dir, engineDir))
	if err != nil {
		t.Fatal(err)
	}
	var logs []string
	for _, n := range names {
		if strings.HasSuffix(n, ".log") {
			logs = append(logs, fsys.PathJoin(dir, engineDir, n))
		}
	}
	slices.Sort(logs)
	return logs
}

func readFile(t testing.TB, fsys vfs.FS, path string) []byte {
	t.Helper()
	b, ok, err := readSmall(fsys, path, 1<<30)
	if err != nil || !ok {
		t.Fatalf("read %s: %v", path, errors.Join(err, fmt.Errorf("found: %t", ok)))
	}
	return b
}

func writeFile(t testing.TB, fsys vfs.FS, path string, b []byte) {
	t.Helper()
	if err := writeSmall(fsys, path, b); err != nil {
		t.Fatal(err)
	}
}

// crash returns the file system as a loss of power leaves it, with a share of what was not synced.
func crash(fsys *vfs.MemFS, seed uint64, unsyncedPercent int) *vfs.MemFS {
	return fsys.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsyncedPercent, RNG: rand.New(rand.NewPCG(seed, 2))})
}
