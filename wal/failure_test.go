package wal

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/paxosd/paxosd/paxos"
)

// PROTOCOL A8: with a Fatalf that returned, Set(…, Sync) returned nil after a failed fsync.
func TestA8FailedSyncNeverReturns(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileWriteAt} {
		mem := vfs.NewCrashableMem()
		toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.HasSuffix(op.Path, ".log") && (op.Kind == kind || kind != errorfs.OpFileWriteAt && isSync(op.Kind)) {
				return errorfs.ErrInjected
			}
			return nil
		})}
		d := newDeath()
		opts := testOptions(errorfs.Wrap(mem, toggle), d)
		opts.SpareLogs = 0 // log files are to be known by their names
		v, err := OpenVotes(testDir, testWant, opts)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, v, stateRecord())
		toggle.On()
		told := make(chan uint64, 8)
		vote := []paxos.Record{voteRecord(1, 1, []byte("x"))}
		err = dies(t, d, func() {
			if err := v.Submit(vote, func(n uint64) { told <- n }); err != nil {
				t.Errorf("submit: %v", err)
			}
		})
		if !errors.Is(err, errorfs.ErrInjected) {
			t.Fatalf("died of %v", err)
		}
		toggle.Off() // the next sync would succeed: the store must not come back
		for range 3 {
			if n, err := v.Apply(vote); !errors.Is(err, ErrBroken) {
				t.Fatalf("applied as write %d: %v", n, err)
			}
		}
		if len(told) > 0 {
			t.Fatal("a vote was said to be durable after its sync had failed")
		}
		if _, _, err := v.Scan(testGenesis, 1, 1, Limit{}); !errors.Is(err, ErrBroken) {
			t.Fatalf("a broken store answered: %v", err)
		}
		if err := v.Close(); !errors.Is(err, ErrBroken) {
			t.Fatalf("close: %v", err)
		}
	}
}

// The engine's own last word, where the guard did not have it before.
func TestA8EngineFatalDoesNotReturn(t *testing.T) {
	d := newDeath()
	v, err := OpenVotes(testDir, testWant, testOptions(vfs.NewMem(), d))
	if err != nil {
		t.Fatal(err)
	}
	err = dies(t, d, func() {
		engineLogger{v.store}.Fatalf("pebble: fatal commit error: %v", pebble.ErrCorruption)
		t.Error("it returned")
	})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "fatal commit error") {
		t.Fatalf("died of %v", err)
	}
}

// Without an OnFatal, or with one that returns, the goroutine panics: it never goes on.
func TestA8FailPanicsWhereOnFatalReturns(t *testing.T) {
	for _, onFatal := range []func(error){nil, func(error) {}} {
		s := newStore(testDir, paxos.RoleAcceptor, Options{FS: vfs.NewMem(), OnFatal: onFatal})
		func() {
			defer func() {
				if r := recover(); !errors.Is(r.(error), errorfs.ErrInjected) {
					t.Errorf("panicked with %v", r)
				}
			}()
			s.fail(errorfs.ErrInjected)
			t.Error("it returned")
		}()
		if err := s.broken(); !errors.Is(err, ErrBroken) || !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("afterwards: %v", err)
		}
	}
}

func isSync(k errorfs.OpKind) bool {
	return k == errorfs.OpFileSync || k == errorfs.OpFileSyncData || k == errorfs.OpFileSyncTo
}

// script is a short life of an acceptor. It counts its records that were said to be durable, and says when the store is open.
func script(opts Options, acked *atomic.Int64, opened *atomic.Bool) error {
	for range 2 {
		v, err := OpenVotes(testDir, testWant, opts)
		if err != nil {
			return err
		}
		opened.Store(true)
		for range 12 {
			n := acked.Load()
			if _, err := v.Apply([]paxos.Record{scriptRecord(n)}); err != nil {
				return err
			}
			acked.Add(1)
		}
		if _, _, err := v.Scan(testGenesis, 1, paxos.MaxSlot, Limit{Values: true}); err != nil {
			return err
		}
		opened.Store(false)
		if err := v.Close(); err != nil {
			return err
		}
	}
	return nil
}

func scriptRecord(n int64) paxos.Record {
	switch {
	case n == 0:
		return stateRecord()
	case n%8 == 5:
		return trimRecord(paxos.Slot(n - 4))
	}
	return voteRecord(paxos.Slot(n), 1, valueOf(paxos.Slot(n), 60_000))
}

// Every write, sync and read fails in its turn, once: the store dies or says so, and after a loss of power all that was said to be
// durable is there. Nothing of it is taken for corruption: the disk did what it said.
func TestA8EachOperationFailsInTurn(t *testing.T) {
	total := countOperations(t)
	step := int64(3)
	if testing.Short() {
		step = 17
	}
	for at := int64(0); at < total; at += step {
		mem := vfs.NewCrashableMem()
		var count, acked atomic.Int64
		var opened atomic.Bool
		fail := errorfs.InjectorFunc(func(op errorfs.Op) error {
			if counted(op, opened.Load()) && count.Add(1)-1 == at {
				return errorfs.ErrInjected
			}
			return nil
		})
		d := newDeath()
		err := outlives(d, func() error { return script(testOptions(errorfs.Wrap(mem, fail), d), &acked, &opened) })
		if errors.Is(err, ErrCorrupt) && errors.Is(err, errDamage) {
			t.Fatalf("operation %d failed and was taken for damage: %v", at, err)
		}
		checkScript(t, crash(mem, uint64(at), 0), acked.Load(), at)
	}
}

// counted says which operations fail in their turn. Failed reads while the engine opens are left out: it may fall over them in a
// goroutine of its own, which ends the process too, but this one is needed.
func counted(op errorfs.Op, opened bool) bool {
	switch op.Kind {
	case errorfs.OpFileClose, errorfs.OpLock, errorfs.OpGetDiskUsage, errorfs.OpFilePreallocate:
		return false
	default:
		return opened || op.Kind.ReadOrWrite() == errorfs.OpIsWrite
	}
}

func countOperations(t *testing.T) int64 {
	var count, acked atomic.Int64
	var opened atomic.Bool
	fsys := errorfs.Wrap(vfs.NewCrashableMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if counted(op, opened.Load()) {
			count.Add(1)
		}
		return nil
	}))
	if err := script(testOptions(fsys, newDeath()), &acked, &opened); err != nil {
		t.Fatal(err)
	}
	return count.Load()
}

func checkScript(t *testing.T, fsys vfs.FS, acked, at int64) {
	t.Helper()
	d := newDeath()
	v, err := OpenVotes(testDir, testWant, testOptions(fsys, d))
	if err != nil {
		t.Fatalf("operation %d failed, %d records were durable; open: %v", at, acked, err)
	}
	defer closeStore(t, v)
	if acked == 0 {
		return
	}
	l := v.Load()[0]
	trimmed := l.Trimmed
	for n := int64(1); n < acked; n++ {
		r := scriptRecord(n)
		if r.Kind == paxos.RecordTrim {
			if trimmed < r.Slot {
				t.Fatalf("operation %d failed: T is %d, not %d", at, trimmed, r.Slot)
			}
			continue
		}
		if r.Slot <= trimmed {
			continue
		}
		vote, ok, err := v.Vote(testGenesis, r.Slot)
		if err != nil || !ok || string(vote.Value) != string(r.Value) {
			t.Fatalf("operation %d failed: vote %d of %d acknowledged: found %t, %v", at, n, acked, ok, err)
		}
	}
}
