package wal

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"github.com/paxosd/paxosd/paxos"
)

// PROTOCOL A9: boot counts starts and is durable before the store is used; write numbers only ascend.
func TestA9BootAndWriteNumbers(t *testing.T) {
	fsys := vfs.NewCrashableMem()
	var last uint64
	for boot := uint64(1); boot <= 5; boot++ {
		v := openVotes(t, fsys)
		if v.Boot() != boot || v.Written() <= last {
			t.Fatalf("boot %d, write %d after boot %d, write %d", v.Boot(), v.Written(), boot-1, last)
		}
		last = v.Written()
		n := boot
		if boot == 1 {
			apply(t, v, stateRecord())
			last++
		}
		if got := apply(t, v, promiseRecord(n)); got != last+1 || v.Written() != got {
			t.Fatalf("write %d after %d", got, last)
		}
		last++
		if boot%2 == 0 {
			fsys = crash(fsys, boot, 0)
			closeStore(t, v)
			continue
		}
		closeStore(t, v)
	}
	// A start that does nothing and loses power counts too.
	v := openVotes(t, fsys)
	after := crash(fsys, 1, 0)
	closeStore(t, v)
	v = openVotes(t, after)
	defer closeStore(t, v)
	if v.Boot() != 7 {
		t.Fatalf("boot %d", v.Boot())
	}
}

// slowSync delays the engine's syncs until they are let through.
type slowSync struct {
	gate chan struct{}
	mu   sync.Mutex
	on   bool
	n    int
}

func (s *slowSync) String() string { return "slow sync" }

func (s *slowSync) MaybeError(op errorfs.Op) error {
	if !isSync(op.Kind) || !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	s.mu.Lock()
	on := s.on
	if on {
		s.n++
	}
	s.mu.Unlock()
	if on {
		<-s.gate
	}
	return nil
}

func (s *slowSync) hold() { s.mu.Lock(); s.on = true; s.mu.Unlock() }

func (s *slowSync) syncs() int { s.mu.Lock(); defer s.mu.Unlock(); return s.n }

// until waits for something that must come to be.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); runtime.Gosched() {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it did not come to be")
		}
	}
}

// One sync covers all that queued while the one before it ran, over all logs; done is called in the order of Submit, and Apply
// does not return before (PROTOCOL A1).
func TestA1OneSyncCoversAllThatQueued(t *testing.T) {
	slow := &slowSync{gate: make(chan struct{})}
	fsys := errorfs.Wrap(vfs.NewCrashableMem(), slow)
	d := newDeath()
	opts := testOptions(fsys, d)
	opts.SpareLogs = 0 // to be known by their names
	v, err := OpenVotes(testDir, testWant, opts)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, v, stateRecord())
	slow.hold()
	const submits = 500
	order := make(chan int, submits)
	for i := range submits {
		recs := []paxos.Record{voteRecord(paxos.Slot(i+1), 1, valueOf(paxos.Slot(i), 10))}
		if i%10 == 9 {
			recs = nil // just wants to know
		}
		if err := v.Submit(recs, func(uint64) { order <- i }); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return v.OldestPending() > time.Millisecond && slow.syncs() > 0 })
	select {
	case i := <-order:
		t.Fatalf("%d is said to be durable before a sync", i)
	default:
	}
	close(slow.gate)
	for i := range submits {
		if got := <-order; got != i {
			t.Fatalf("done %d came as number %d", got, i)
		}
	}
	if n := slow.syncs(); n > 2*maxInFlight {
		t.Fatalf("%d syncs for %d submits", n, submits)
	}
	if age := v.OldestPending(); age != 0 {
		t.Fatalf("the oldest waits for %s, but nothing does", age)
	}
	closeStore(t, v)
}

// A disk that is too slow makes Submit wait; memory stays bounded, and nothing is lost.
func TestSubmitWaitsWhenTooMuchIsQueued(t *testing.T) {
	slow := &slowSync{gate: make(chan struct{})}
	d := newDeath()
	opts := testOptions(errorfs.Wrap(vfs.NewCrashableMem(), slow), d)
	opts.MemTableBytes = 64 << 20
	v, err := OpenVotes(testDir, testWant, opts)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, v, stateRecord())
	slow.hold()
	const callers, each = 4, 30
	var submitted, finished sync.WaitGroup
	var mu sync.Mutex
	count := 0
	for c := range callers {
		submitted.Add(1)
		go func() {
			defer submitted.Done()
			for i := range each {
				finished.Add(1)
				slot := paxos.Slot(c*each + i + 1)
				err := v.Submit([]paxos.Record{voteRecord(slot, 1, make([]byte, 1<<20))}, func(uint64) { finished.Done() })
				if err != nil {
					t.Error(err)
					finished.Done()
				}
				mu.Lock()
				count++
				mu.Unlock()
			}
		}()
	}
	bound := (maxInFlight + 2) * (maxFormingBytes>>20 + callers)
	until(t, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.forming != nil && v.forming.batch != nil && v.forming.batch.Len() >= maxFormingBytes
	})
	mu.Lock()
	if count > bound {
		t.Errorf("%d MiB were taken without a sync", count)
	}
	mu.Unlock()
	close(slow.gate)
	submitted.Wait()
	finished.Wait()
	votes, _, err := v.Scan(testGenesis, 1, paxos.MaxSlot, Limit{})
	if err != nil || len(votes) != callers*each {
		t.Fatalf("%d votes, %v", len(votes), err)
	}
	closeStore(t, v)
}

func TestCloseFinishesAndLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	fsys := vfs.NewCrashableMem()
	var commits []Commit
	d := newDeath()
	opts := testOptions(fsys, d)
	opts.Committed = func(c Commit) { commits = append(commits, c) }
	v, err := OpenVotes(testDir, testWant, opts)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	if err := v.Submit([]paxos.Record{stateRecord()}, nil); err != nil {
		t.Fatal(err)
	}
	for s := range paxos.Slot(50) {
		if err := v.Submit([]paxos.Record{voteRecord(s+1, 1, valueOf(s, 100))}, func(uint64) { done++ }); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, v)
	closeStore(t, v)
	if done != 50 {
		t.Fatalf("%d of 50 were done when Close returned", done)
	}
	records := 0
	for i, c := range commits {
		records += c.Records
		if i > 0 && c.Written != commits[i-1].Written+1 {
			t.Fatalf("write %d after %d", c.Written, commits[i-1].Written)
		}
	}
	if records != 51 {
		t.Fatalf("%d records were counted", records)
	}
	if err := v.Submit(nil, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("submit after close: %v", err)
	}
	v = openVotes(t, crash(fsys, 1, 0))
	votes, _, err := v.Scan(testGenesis, 1, paxos.MaxSlot, Limit{})
	if err != nil || len(votes) != 50 {
		t.Fatalf("%d votes, %v", len(votes), err)
	}
	closeStore(t, v)
}
