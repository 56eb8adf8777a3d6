package wal

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// An acceptor writes each byte about once: what is trimmed soon after it was written leaves memory with it. 256 MiB of values,
// trimmed every 8 MiB to 8 MiB behind, as stable marks come.
func TestAcceptorWritesEachByteAboutOnce(t *testing.T) {
	payload := 256 << 20
	if testing.Short() {
		payload = 64 << 20
	}
	for _, size := range []int{100_000, 1_000} {
		v := openBig(t, t.TempDir())
		apply(t, v, stateRecord())
		value := valueOf(1, size)
		every := paxos.Slot((8 << 20) / size)
		done := make(chan struct{})
		for s := paxos.Slot(1); int(s)*size <= payload; s++ {
			recs := []paxos.Record{voteRecord(s, 1, value)}
			if s%every == 0 && s > every {
				recs = append(recs, trimRecord(s-every))
			}
			if err := v.Submit(recs, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Submit(nil, func(uint64) { close(done) }); err != nil {
			t.Fatal(err)
		}
		<-done
		m := v.Metrics()
		per := func(n uint64) float64 { return float64(n) / float64(payload) }
		t.Logf("values of %d bytes: log %.2f, flushed %.2f, compacted %.2f bytes per byte; %d flushes, %d compactions, %d MiB on disk",
			size, per(m.LogBytes), per(m.FlushBytes), per(m.CompactBytes), m.Flushes, m.Compactions, m.DiskBytes>>20)
		if total := per(m.LogBytes + m.FlushBytes + m.CompactBytes); total > 1.8 {
			t.Errorf("values of %d bytes: %.2f bytes written per byte", size, total)
		}
		closeStore(t, v)
	}
}

func openBig(t testing.TB, dir string) *Votes {
	t.Helper()
	v, err := OpenVotes(dir, testWant, Options{FS: vfs.Default})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A learner writes each value about twice: to the log, and once to a table, checkpoints or not: the engine never merges them with
// anything. Values that were written once more would show in what is compacted.
func TestLearnerWritesEachByteAboutTwice(t *testing.T) {
	payload, size := 256<<20, 20_000
	if testing.Short() {
		payload = 64 << 20
	}
	const memTable = 4 << 20
	c, err := OpenChosen(t.TempDir(), Want{Cluster: "main", Owner: "l1"}, Options{MemTableBytes: memTable})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, c, stateRecord())
	mark := paxos.Slot(0)
	random := rand.NewChaCha8([32]byte{1})
	for s := paxos.Slot(1); int(s)*size <= payload; s++ {
		value := make([]byte, size)
		if _, err := random.Read(value); err != nil {
			t.Fatal(err)
		}
		chosen := chosenRecord(s, paxos.Offset(s), paxos.Offset(s), value)
		recs := []paxos.Record{chosen}
		if int(s)%(2*memTable/size) == 0 {
			recs = append(recs, paxos.Record{
				Kind: paxos.RecordCheckpoint, Log: testName, Genesis: testGenesis, Slot: s, Hash: chosen.Hash, Last: chosen.Last, Stamp: chosen.Stamp,
				Body: []byte("state"),
			})
			if mark > 0 {
				recs = append(recs, paxos.Record{Kind: paxos.RecordForget, Log: testName, Genesis: testGenesis, Slot: mark})
			}
			mark = s
		}
		if err := c.Submit(recs, nil); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, c)
	m := c.Metrics()
	per := func(n uint64) float64 { return float64(n) / float64(payload) }
	t.Logf("log %.2f, flushed %.2f, compacted %.2f bytes per byte; %d flushes, %d compactions, %d tables",
		per(m.LogBytes), per(m.FlushBytes), per(m.CompactBytes), m.Flushes, m.Compactions, m.TableFiles)
	if again := m.CompactBytes; again > memTable/4 {
		t.Errorf("%.2f bytes written once more per byte", per(again))
	}
	if total := per(m.LogBytes + m.FlushBytes); total > 2.1 {
		t.Errorf("%.2f bytes written per byte", total)
	}
	closeStore(t, c)
}

// What does not become smaller is stored as it is, what does is compressed.
func TestLearnerCompressesWhatItGainsBy(t *testing.T) {
	for _, random := range []bool{true, false} {
		c, err := OpenChosen(t.TempDir(), Want{Cluster: "main", Owner: "l1"}, Options{MemTableBytes: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, c, stateRecord())
		value := make([]byte, 32_000)
		source := rand.NewChaCha8([32]byte{2})
		const slots = 1000
		for s := paxos.Slot(1); s <= slots; s++ {
			if random {
				if _, err := source.Read(value); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Submit([]paxos.Record{chosenRecord(s, paxos.Offset(s), paxos.Offset(s), value)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		apply(t, c)
		if err := c.db.Flush(); err != nil {
			t.Fatal(err)
		}
		flushed := float64(c.Metrics().FlushBytes) / float64(slots*len(value))
		if random && flushed < 1 || !random && flushed > 0.2 {
			t.Errorf("random: %t: %.2f bytes in tables per byte", random, flushed)
		}
		closeStore(t, c)
	}
}
