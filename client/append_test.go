package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/paxos"
)

func deadline(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func entry(format string, args ...any) client.Entry {
	return client.Entry{Payload: fmt.Appendf(nil, format, args...)}
}

// read returns the payloads of the whole log.
func read(t testing.TB, l *client.Log) []string {
	t.Helper()
	var all []string
	next := uint64(1)
	for e, err := range l.Subscribe(deadline(t, wait), client.First(), client.UntilLast()) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if e.Offset != next {
			t.Fatalf("offset %d after %d", e.Offset, next-1)
		}
		next++
		all = append(all, string(e.Payload))
	}
	return all
}

func TestAppendAndReadBack(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	ack, err := l.Append(ctx, client.Entry{Payload: []byte("a"), Headers: []client.Header{{Key: "k", Value: "1"}, {Key: "k", Value: "2"}}}, entry("b"))
	if err != nil || ack.Offset != 1 || ack.Count != 2 || ack.Last() != 2 || ack.Time.IsZero() {
		t.Fatalf("ack %+v, error %v; want offsets 1 and 2", ack, err)
	}
	if ack, err = l.Append(ctx, client.Entry{}); err != nil || ack.Offset != 3 {
		t.Fatalf("an empty entry: ack %+v, error %v; want offset 3", ack, err)
	}
	if last, err := l.LastOffset(ctx); err != nil || last != 3 {
		t.Fatalf("last offset %d, error %v; want 3", last, err)
	}
	e, err := l.Get(ctx, 1)
	if err != nil || string(e.Payload) != "a" || len(e.Headers) != 2 || e.Headers[1].Value != "2" || e.Header("k") != "1" || e.Time.IsZero() {
		t.Fatalf("entry %+v, error %v", e, err)
	}
	if e, err = l.Get(ctx, 2); err != nil || string(e.Payload) != "b" || e.Offset != 2 {
		t.Fatalf("an entry within a batch: %+v, error %v", e, err)
	}
	var beyond *client.Error
	if _, err = l.Get(ctx, 4); !errors.Is(err, client.ErrBeyondLast) || !errors.As(err, &beyond) || beyond.Last != 3 {
		t.Fatalf("an offset beyond the last: %v", err)
	}
	if got := read(t, l); fmt.Sprint(got) != "[a b ]" {
		t.Fatalf("read %q", got)
	}
	logs, err := c.client().Logs(ctx)
	if err != nil || len(logs) != 1 || logs[0].Name != "orders" || logs[0].Last != 3 || fmt.Sprint(logs[0].Learners) != "[l1]" {
		t.Fatalf("logs %+v, error %v", logs, err)
	}
}

func TestAppendFromManyGoroutinesSharesBatches(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	var wg sync.WaitGroup
	var mu sync.Mutex
	at := map[uint64]string{}
	for g := range 50 {
		wg.Go(func() {
			for i := range 20 {
				p := fmt.Sprintf("%d.%d", g, i)
				ack, err := l.Append(ctx, entry("%s", p))
				if err != nil {
					t.Errorf("append %s: %v", p, err)
					return
				}
				mu.Lock()
				at[ack.Offset] = p
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	all := read(t, l)
	if len(all) != 1000 || len(at) != 1000 {
		t.Fatalf("%d entries, %d acknowledged offsets, want 1000", len(all), len(at))
	}
	for i, p := range all {
		if at[uint64(i+1)] != p {
			t.Fatalf("offset %d holds %s, acknowledged for %s", i+1, p, at[uint64(i+1)])
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.batches) > 700 {
		t.Errorf("%d batches for 1000 appends by 50 goroutines: they did not share", len(c.batches))
	}
}

func TestConditionsAndMessageIDs(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	if ack, err := l.AppendBatch(ctx, []client.Entry{entry("a")}, client.ExpectLast(0)); err != nil || ack.Offset != 1 {
		t.Fatalf("on an empty log: %+v, %v", ack, err)
	}
	_, err := l.AppendBatch(ctx, []client.Entry{entry("b")}, client.ExpectLast(0))
	var e *client.Error
	if !errors.Is(err, client.ErrConditionFailed) || !errors.Is(err, client.ErrRefused) || !errors.As(err, &e) || e.Last != 1 {
		t.Fatalf("a condition that does not hold: %v", err)
	}
	id := client.WithMessageID("x")
	if ack, err := l.AppendBatch(ctx, []client.Entry{entry("c"), entry("d")}, id); err != nil || ack.Offset != 2 || ack.Duplicate {
		t.Fatalf("with an id: %+v, %v", ack, err)
	}
	if ack, err := l.AppendBatch(ctx, []client.Entry{entry("e")}, id); err != nil || ack.Offset != 2 || ack.Count != 2 || !ack.Duplicate {
		t.Fatalf("the id again: %+v, %v; want the first one's offsets", ack, err)
	}
	if got := read(t, l); fmt.Sprint(got) != "[a c d]" {
		t.Fatalf("the log holds %q", got)
	}
}

// TestP6AppendsSurviveLeaders changes leaders under load, and loses requests and answers: every append is in the log once, in order of
// its goroutine, and none fails.
func TestP6AppendsSurviveLeaders(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	var lost atomic.Int64
	unreliable := func(l *leader) {
		l.drop = func(n int) bool { lost.Add(1); return n%7 == 3 }
		l.mute = func(n int) bool { return n%5 == 2 }
	}
	ld := c.lead(unreliable)
	l := c.client().Log("orders")
	ctx := deadline(t, 2*wait)
	stop := make(chan struct{})
	var wg, leaders sync.WaitGroup
	leaders.Go(func() {
		tick := time.NewTicker(60 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				ld.fall()
				ld = c.lead(unreliable)
			}
		}
	})
	for g := range 8 {
		wg.Go(func() {
			for i := range 40 {
				if _, err := l.Append(ctx, entry("%d.%d", g, i)); err != nil {
					t.Errorf("append %d.%d: %v", g, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	leaders.Wait()
	checkOnceInOrder(t, read(t, l), 8, 40)
}

// checkOnceInOrder wants g.0 … g.(n-1) once each, in order, for every g.
func checkOnceInOrder(t *testing.T, all []string, goroutines, n int) {
	t.Helper()
	next := make([]int, goroutines)
	for at, p := range all {
		var g, i int
		if _, err := fmt.Sscanf(p, "%d.%d", &g, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[g] {
			t.Fatalf("offset %d holds %s, want %d.%d", at+1, p, g, next[g])
		}
		next[g]++
	}
	for g, i := range next {
		if i != n {
			t.Fatalf("%d entries of %d, want %d", i, g, n)
		}
	}
}

func TestNoLeaderIsRefusedUnansweredIsUnknown(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	l := c.client().Log("orders")
	_, err := l.Append(deadline(t, 300*time.Millisecond), entry("a"))
	if !errors.Is(err, client.ErrRefused) || !errors.Is(err, client.ErrNoLeader) || !errors.Is(err, context.DeadlineExceeded) || !client.Retryable(err) {
		t.Fatalf("without a leader: %v; want refused, no leader", err)
	}
	if _, err := l.LastOffset(deadline(t, 100*time.Millisecond)); !errors.Is(err, client.ErrNoLeader) {
		t.Fatalf("the tail without a leader: %v", err)
	}
	ld := c.lead(func(l *leader) { l.mute = func(int) bool { return true } })
	_, err = l.Append(deadline(t, 300*time.Millisecond), entry("b"))
	if !errors.Is(err, client.ErrRefused) {
		t.Fatalf("no session, so never sent: %v", err)
	}
	ld.fall()
	c.lead(func(l *leader) { l.mute = func(n int) bool { return n > 1 } })
	_, err = l.Append(deadline(t, 300*time.Millisecond), entry("c"))
	if !errors.Is(err, client.ErrUnknown) || errors.Is(err, client.ErrRefused) || client.Retryable(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("chosen, answer lost: %v; want unknown", err)
	}
	c.lead()
	if _, err := l.Append(deadline(t, wait), entry("d")); err != nil {
		t.Fatalf("with a leader again: %v", err)
	}
	if got := read(t, l); fmt.Sprint(got) != "[c d]" {
		t.Fatalf("the log holds %q", got)
	}
}

func TestOverloadedIsTriedAgain(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead(func(l *leader) {
		l.refuse = func(n int) paxos.Code {
			if n >= 2 && n < 5 {
				return paxos.CodeOverloaded
			}
			return paxos.CodeNone
		}
	})
	l := c.client().Log("orders")
	if ack, err := l.Append(deadline(t, wait), entry("a")); err != nil || ack.Offset != 1 {
		t.Fatalf("%+v, %v", ack, err)
	}
}

func TestLeaderRefusalsAreDefinite(t *testing.T) {
	for code, reason := range map[paxos.Code]error{
		paxos.CodeOverloaded: client.ErrOverloaded, paxos.CodeFull: client.ErrFull, paxos.CodeUpgrade: client.ErrUpgrade,
		paxos.CodeTooLarge: client.ErrTooLarge, paxos.CodeMalformed: client.ErrMalformed,
	} {
		t.Run(reason.Error(), func(t *testing.T) {
			c := newCluster(t)
			c.learn("l1")
			var refuse atomic.Bool
			refuse.Store(true)
			c.lead(func(l *leader) {
				l.refuse = func(n int) paxos.Code {
					if n > 1 && refuse.Load() {
						return code
					}
					return paxos.CodeNone
				}
			})
			l := c.client().Log("orders")
			_, err := l.Append(deadline(t, 400*time.Millisecond), entry("a"))
			if !errors.Is(err, client.ErrRefused) || !errors.Is(err, reason) {
				t.Fatalf("%v; want refused and %v", err, reason)
			}
			refuse.Store(false)
			if ack, err := l.Append(deadline(t, wait), entry("b")); err != nil || ack.Offset != 1 {
				t.Fatalf("afterwards: %+v, %v; want offset 1", ack, err)
			}
		})
	}
}

// TestP9ForeignAnswersDoNotCount has a stream sit on the log's subjects: with a leader its answers are ignored, without one an append
// does not succeed.
func TestP9ForeignAnswersDoNotCount(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	var foreign atomic.Int64
	l := c.client(client.WithForeignAnswers(func(string) { foreign.Add(1) })).Log("orders")
	c.squat()
	// until runs a call until it has met foreign answers, and gives it up then.
	until := func(call func(context.Context) error) error {
		t.Helper()
		ctx, cancel := context.WithCancel(deadline(t, wait))
		defer cancel()
		before, ended := foreign.Load(), make(chan error, 1)
		go func() { ended <- call(ctx) }()
		eventually(t, "foreign answers", func() bool { return foreign.Load() > before+1 })
		cancel()
		return <-ended
	}
	if err := until(func(ctx context.Context) error { _, err := l.Append(ctx, entry("a")); return err }); !errors.Is(err, client.ErrRefused) {
		t.Fatalf("with a foreign responder and no leader: %v; want refused", err)
	}
	if err := until(func(ctx context.Context) error { _, err := l.LastOffset(ctx); return err }); !errors.Is(err, client.ErrForeignAnswer) {
		t.Fatalf("the tail: %v; want a foreign answer named", err)
	}
	c.lead()
	if ack, err := l.Append(deadline(t, wait), entry("b")); err != nil || ack.Offset != 1 {
		t.Fatalf("with a leader too: %+v, %v", ack, err)
	}
	if last, err := l.LastOffset(deadline(t, wait)); err != nil || last != 1 {
		t.Fatalf("the tail: %d, %v", last, err)
	}
}

func TestExpiredSessionIsUnknownThenAnotherIsUsed(t *testing.T) {
	c := newCluster(t) // its log keeps four sessions
	c.learn("l1")
	c.lead()
	ctx := deadline(t, wait)
	old := c.client().Log("orders")
	if _, err := old.Append(ctx, entry("a")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := c.client().Log("orders").Append(ctx, entry("x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := old.Append(ctx, entry("b")); !errors.Is(err, client.ErrUnknown) || !errors.Is(err, client.ErrExpired) {
		t.Fatalf("in a session that ended: %v; want unknown, expired", err)
	}
	if ack, err := old.Append(ctx, entry("c")); err != nil || ack.Offset != 7 {
		t.Fatalf("afterwards: %+v, %v; want offset 7", ack, err)
	}
}

func TestBadArguments(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	cl := c.client()
	l := cl.Log("orders")
	ctx := deadline(t, wait)
	for name, test := range map[string]struct {
		call   func() error
		reason error
	}{
		"no entries": {func() error { _, err := l.Append(ctx); return err }, client.ErrInvalid},
		"an entry":   {func() error { _, err := l.Append(ctx, entry("%s", strings.Repeat("x", 1_000_001))); return err }, client.ErrTooLarge},
		"a batch":    {func() error { _, err := l.Append(ctx, entry("%600000d", 1), entry("%600000d", 2)); return err }, client.ErrTooLarge},
		"a long id": {func() error {
			_, err := l.AppendBatch(ctx, []client.Entry{{}}, client.WithMessageID(strings.Repeat("x", 257)))
			return err
		}, client.ErrInvalid},
		"a log's name":     {func() error { _, err := cl.Log("a.b").Append(ctx, entry("x")); return err }, client.ErrInvalid},
		"an unknown log":   {func() error { _, err := cl.Log("typo").Append(ctx, entry("x")); return err }, client.ErrUnknownLog},
		"unknown, reading": {func() error { _, err := cl.Log("typo").Get(ctx, 1); return err }, client.ErrUnknownLog},
		"offset 0":         {func() error { _, err := l.Get(ctx, 0); return err }, client.ErrInvalid},
		"a window":         {func() error { _, err := l.Producer(ctx, client.MaxInFlight(65)); return err }, client.ErrInvalid},
		"a cluster":        {func() error { _, err := client.New(ctx, c.connect(), client.WithCluster("a b")); return err }, client.ErrInvalid},
		"subscribe from 0": {func() error {
			for _, err := range l.Subscribe(ctx, client.Offset(0)) {
				return err
			}
			return nil
		}, client.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.call(); !errors.Is(err, test.reason) || errors.Is(err, client.ErrUnknown) {
				t.Fatalf("%v; want %v", err, test.reason)
			}
		})
	}
	if got := read(t, l); len(got) != 0 {
		t.Fatalf("the log holds %q", got)
	}
}

func TestNoLearnerSaysSo(t *testing.T) {
	c := newCluster(t)
	_, err := c.client().Log("orders").Append(deadline(t, 300*time.Millisecond), entry("a"))
	if !errors.Is(err, client.ErrNoLearner) || !errors.Is(err, client.ErrRefused) || !client.Retryable(err) {
		t.Fatalf("%v; want no learner", err)
	}
}

func TestClosedClientEndsEveryCall(t *testing.T) {
	c := newCluster(t)
	learner := c.learn("l1")
	c.lead(func(l *leader) { l.mute = func(n int) bool { return n > 1 } })
	cl := c.client()
	l := cl.Log("orders")
	ctx := deadline(t, wait)
	ended := make(chan error, 3)
	go func() { _, err := l.Append(ctx, entry("a")); ended <- err }()
	eventually(t, "an append", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.batches) > 0 })
	go func() { _, err := l.LastOffset(ctx); ended <- err }()
	go func() {
		for _, err := range l.Subscribe(ctx, client.Offset(9)) {
			ended <- err
		}
	}()
	eventually(t, "a reader", func() bool { return learner.reading() > 0 })
	cl.Close()
	for range 3 {
		if err := <-ended; !errors.Is(err, client.ErrClosed) {
			t.Errorf("%v; want closed", err)
		}
	}
	if _, err := l.Append(ctx, entry("b")); !errors.Is(err, client.ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

// Closing a client while contexts end leaves every call with a result.
func TestClosingWhileContextsEnd(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	var muted atomic.Bool
	c.lead(func(l *leader) { l.mute = func(int) bool { return muted.Load() } })
	chosen := func() int { c.mu.Lock(); defer c.mu.Unlock(); return len(c.batches) }
	for range 20 {
		cl := c.client()
		l := cl.Log("orders")
		ctx, cancel := context.WithCancel(deadline(t, wait))
		muted.Store(false)
		if _, err := l.Append(ctx, entry("opens the session")); err != nil {
			t.Fatal(err)
		}
		muted.Store(true)
		before := chosen()
		const calls = 16
		ended := make(chan error, calls)
		for range calls {
			go func() { _, err := l.Append(ctx, entry("a")); ended <- err }()
		}
		eventually(t, "an append", func() bool { return chosen() > before })
		cancel()
		cl.Close()
		for range calls {
			if err := <-ended; !errors.Is(err, client.ErrClosed) && !errors.Is(err, context.Canceled) {
				t.Fatalf("%v; want closed or canceled", err)
			}
		}
	}
}

// What is appended with a context that has ended is refused, and never sent.
func TestEndedContextAppendsNothing(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	c.lead()
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	if _, err := l.Append(ctx, entry("a")); err != nil {
		t.Fatal(err)
	}
	p, err := l.Producer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close(ctx) }()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.Append(ended, entry("b")); !errors.Is(err, client.ErrRefused) || !errors.Is(err, context.Canceled) {
		t.Fatalf("%v; want refused", err)
	}
	if err := p.Append(ended, entry("c"), nil); !errors.Is(err, client.ErrRefused) || !errors.Is(err, context.Canceled) {
		t.Fatalf("%v; want refused", err)
	}
	if last, err := l.LastOffset(ctx); err != nil || last != 1 {
		t.Fatalf("last offset %d, %v; want 1", last, err)
	}
}

// TestRefoundedLogIsNoticed sets the cluster up again under a running client: reads of the old log end, appends go on in the new one.
func TestRefoundedLogIsNoticed(t *testing.T) {
	c := newCluster(t)
	old := c.learn("l1")
	ld := c.lead()
	l := c.client(client.ConfirmAfter(time.Millisecond)).Log("orders")
	if _, err := l.Append(deadline(t, wait), entry("a")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		for _, err := range l.Subscribe(deadline(t, 2*wait), client.Offset(2)) {
			ended <- err
		}
	}()
	eventually(t, "a reader", func() bool { return old.reading() > 0 })
	ld.fall()
	old.stop()
	c.found("orders", paxos.GenesisID{2})
	c.learn("l1")
	c.lead()
	if err := <-ended; !errors.Is(err, client.ErrRefounded) || !errors.Is(err, client.ErrGone) {
		t.Fatalf("the old log's reader: %v; want gone, founded anew", err)
	}
	var ack client.Ack
	eventually(t, "append to the new log", func() bool {
		var err error
		ack, err = l.Append(deadline(t, 200*time.Millisecond), entry("b"))
		return err == nil
	})
	if ack.Offset != 1 {
		t.Fatalf("%+v; want offset 1 of the new log", ack)
	}
}

// A duplicate by message id tells where the original is, all of it, also where the answer to its first copy was lost.
func TestDuplicateSentAgainTellsTheOriginal(t *testing.T) {
	c := newCluster(t)
	c.learn("l1")
	var mute atomic.Bool
	c.lead(func(l *leader) { l.mute = func(int) bool { return mute.Swap(false) } })
	l := c.client().Log("orders")
	ctx := deadline(t, wait)
	if _, err := l.AppendBatch(ctx, []client.Entry{entry("a"), entry("b"), entry("c")}, client.WithMessageID("m")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ctx, entry("d")); err != nil {
		t.Fatal(err)
	}
	mute.Store(true)
	ack, err := l.AppendBatch(ctx, []client.Entry{entry("x")}, client.WithMessageID("m"))
	if err != nil || mute.Load() || ack.Offset != 1 || ack.Last() != 3 {
		t.Fatalf("%+v through %d, %v; want offsets 1 to 3", ack, ack.Last(), err)
	}
}
