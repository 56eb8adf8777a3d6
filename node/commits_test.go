package node

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/paxosd/paxosd/paxos"
)

// committed is a commits over a store that completes late.
type committed struct {
	*commits
	store *lateStore
	out   []string // what left, by log name, in order
	sums  []uint64 // the write numbers stamped
	quit  chan struct{}
	err   error
}

func newCommitted() *committed {
	c := &committed{store: &lateStore{}, quit: make(chan struct{})}
	c.commits = newCommits(c.store, func(env *paxos.Envelope) {
		c.out = append(c.out, env.Log)
		c.sums = append(c.sums, env.Msg.(*paxos.Learn).Written)
	}, func(err error) { c.err = err }, c.quit)
	return c
}

func learns(names ...string) (envs []paxos.Envelope) {
	for _, n := range names {
		envs = append(envs, paxos.Envelope{Log: n, Msg: &paxos.Learn{}})
	}
	return envs
}

func promise() []paxos.Record { return []paxos.Record{{Kind: paxos.RecordPromise}} }

func (c *committed) want(t *testing.T, names ...string) {
	t.Helper()
	if !slices.Equal(c.out, names) {
		t.Fatalf("left: %v, want %v", c.out, names)
	}
}

// TestA1NothingLeavesBeforeItIsDurable: envelopes wait for the records of their turn and of every earlier one, and keep their
// order; only what may leave now does.
func TestA1NothingLeavesBeforeItIsDurable(t *testing.T) {
	c := newCommitted()
	c.submit(promise(), learns("a"), func() { c.out = append(c.out, "done") })
	c.submit(nil, learns("b"), nil) // needs no record of its own, but a's
	c.submit(promise(), learns("c"), nil)
	c.leave(learns("now"))
	c.want(t, "now")
	c.store.settle(1)
	c.want(t, "now", "a", "done")
	c.submit(nil, learns("d"), nil) // b and c are still under way
	c.want(t, "now", "a", "done")
	c.store.settle(3)
	c.want(t, "now", "a", "done", "b", "c", "d")
	c.submit(nil, learns("e"), func() { c.out = append(c.out, "done") })
	c.want(t, "now", "a", "done", "b", "c", "d", "e", "done")
	if want := []uint64{0, 1, 1, 2, 2, 2}; !slices.Equal(c.sums, want) {
		t.Fatalf("write numbers %v, want %v: each as of when it left (A9)", c.sums, want)
	}
}

// TestA1NothingOvertakesACompletion: a turn that runs while a completion still sends must not send before it.
func TestA1NothingOvertakesACompletion(t *testing.T) {
	c := newCommitted()
	c.submit(promise(), learns("a"), func() {
		c.submit(nil, learns("b"), nil) // as the loop would, beside the store's goroutine
		c.out = append(c.out, "done")
	})
	c.store.settle(1)
	c.want(t, "a", "done")
	c.store.settle(1)
	c.want(t, "a", "done", "b")
}

// TestA8NothingLeavesAfterAFailedSubmit: neither later records nor envelopes without any are heard of.
func TestA8NothingLeavesAfterAFailedSubmit(t *testing.T) {
	c := newCommitted()
	c.store.err = errors.New("disk")
	c.submit(promise(), learns("a"), nil)
	if !errors.Is(c.err, c.store.err) {
		t.Fatalf("the service was told %v", c.err)
	}
	c.store.err = nil
	c.submit(nil, learns("b"), nil)
	c.submit(promise(), learns("c"), nil)
	if c.want(t); c.store.pending() != 0 {
		t.Fatal("records were submitted after one was lost")
	}
}

// TestCommitsAreBounded: a disk that hangs stops the loop instead of gathering envelopes without end; the service can be stopped
// nevertheless.
func TestCommitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitted()
		c.submit(promise(), nil, nil)
		turns := 1
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range 2 * maxUnsettled {
				c.submit(nil, learns("x"), nil)
				turns++
			}
		}()
		synctest.Wait()
		if turns != maxUnsettled {
			t.Fatalf("%d turns wait for the disk, want %d", turns, maxUnsettled)
		}
		c.store.settle(10)
		synctest.Wait()
		if turns != maxUnsettled+10 {
			t.Fatalf("%d turns after ten settled, want %d", turns, maxUnsettled+10)
		}
		close(c.quit)
		<-ended
	})
}
