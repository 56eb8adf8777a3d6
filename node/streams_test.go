package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// reading is one learner's streams over a view and a store, with a recorder as network.
type reading struct {
	t     *testing.T
	c     *chain
	v     *view
	store *lateStore
	tr    *recorder
	s     *streams
	err   error
}

func newReading(t *testing.T) *reading {
	r := &reading{t: t, c: newChain(t), v: emptyView(), store: &lateStore{}, tr: newRecorder()}
	r.s = newStreams("l1", 9, r.tr, func(err error) { r.err = err }, func(int, int) {})
	return r
}

// inBubble runs f with a reading whose streams are closed after it.
func inBubble(t *testing.T, f func(t *testing.T, r *reading)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newReading(t)
		defer r.s.close()
		f(t, r)
	})
}

func (r *reading) read(reply string, m paxos.Read) {
	r.s.onRead(&paxos.Envelope{
		Log: "orders", Genesis: testGenesis().ID, Reply: reply, Request: m.Stream, Msg: &m,
	}, &m, testSource(r.v, r.store))
	synctest.Wait()
}

// add appends one slot and shows it; the store has it, too.
func (r *reading) add(payloads ...string) {
	a := r.c.entries(paxos.Stamp(r.c.seq.Next())*10, payloads...)
	r.store.keep(a)
	push(r.t, r.v, a)
	r.v.storedThrough(a.Slot)
	synctest.Wait()
}

var readCodes = map[paxos.ReadCode]string{
	paxos.ReadIdle: "idle", paxos.ReadGone: "gone", paxos.ReadElsewhere: "elsewhere", paxos.ReadStopped: "stopped",
	paxos.ReadUnknown: "unknown", paxos.ReadBusy: "busy",
}

// heard returns what was sent since the last call, one line a message: reply/stream#number, then the entries or the code.
func (r *reading) heard() (lines []string) {
	r.t.Helper()
	synctest.Wait()
	for _, env := range r.tr.take() {
		m := env.Msg.(*paxos.ReadAnswer)
		if m.Learner != "l1" || m.Run != 9 || !env.Bulk || env.From != "l1" || env.Genesis != testGenesis().ID || env.Request != m.Stream {
			r.t.Errorf("answer %+v in %+v", m, env)
		}
		what := strings.Join(texts(r.t, m.Batches), " ")
		if m.Code != paxos.ReadOK {
			what = readCodes[m.Code]
			if m.First > 0 {
				what += fmt.Sprint(" first ", m.First)
			}
		}
		lines = append(lines, fmt.Sprintf("%s/%d#%d %s", env.Reply, m.Stream, m.Number, what))
	}
	// Streams are goroutines of their own: only the order within each means something.
	slices.SortStableFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, "#")
		b, _, _ = strings.Cut(b, "#")
		return strings.Compare(a, b)
	})
	return lines
}

func (r *reading) want(lines ...string) {
	r.t.Helper()
	if got := r.heard(); !slices.Equal(got, lines) {
		r.t.Fatalf("heard %q, want %q", got, lines)
	}
}

const lots = 1 << 20

func TestN7StreamFollowsTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.add("a", "b")
		r.read("x", paxos.Read{Stream: 1, From: 2, Credit: lots})
		r.want("x/1#1 2=b")
		r.add("c")
		r.want("x/1#2 3=c")
		r.read("x", paxos.Read{Stream: 2, From: 9, Credit: lots}) // ahead of the learner: it waits
		r.want()
		for _, p := range []string{"d", "e", "f", "g", "h", "i"} {
			r.add(p)
		}
		got := r.heard()
		if len(got) != 7 || !slices.Contains(got, "x/2#1 9=i") {
			t.Fatalf("heard %q", got)
		}
	})
}

// TestL3IdleStreamSaysItsLastOffset each second, so that a reader notices what it lost; it ends when the reader falls silent.
func TestL3IdleStreamSaysItsLastOffset(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.add("a")
		r.read("x", paxos.Read{Stream: 1, From: 2, Credit: lots})
		time.Sleep(streamIdleAfter)
		r.want("x/1#1 idle")
		time.Sleep(streamForgotten - time.Second/2)
		if n := len(r.heard()); n != 29 || r.s.count() != 1 {
			t.Fatalf("%d messages in %v, %d streams", n, streamForgotten, r.s.count())
		}
		time.Sleep(2 * time.Second)
		if r.heard(); r.s.count() != 0 {
			t.Fatal("a stream lives on without a reader")
		}
		r.read("x", paxos.Read{Stream: 1, Credit: 1})
		r.want("x/1#1 stopped")
	})
}

// TestN7CreditIsObeyed: a learner sends one chunk at most past the credit, and goes on with the next grant.
func TestN7CreditIsObeyed(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.add("a")
		r.add("b")
		r.add("c")
		r.read("x", paxos.Read{Stream: 1, From: 1, Credit: 0, MaxBytes: 1})
		r.want()
		r.read("x", paxos.Read{Stream: 1, Credit: 1})
		r.want("x/1#1 1=a")
		r.read("x", paxos.Read{Stream: 1, Credit: 1}) // does not pay for what was sent
		r.want()
		time.Sleep(streamIdleAfter)
		r.want("x/1#2 idle")
		r.read("x", paxos.Read{Stream: 1, Credit: lots})
		r.want("x/1#3 2=b", "x/1#4 3=c")
	})
}

// TestLargeCreditIsKept: a reader counts on every byte that it granted, and grants no more before half of it is used.
func TestLargeCreditIsKept(t *testing.T) {
	st := newStream(&paxos.Envelope{}, &paxos.Read{Credit: 1 << 30}, nil)
	st.grant(&paxos.Read{Credit: 1 << 31})
	if credit, _ := st.state(time.Now()); credit != 3<<30 {
		t.Fatalf("credit %d, want %d", credit, 3<<30)
	}
	for range 1000 {
		st.grant(&paxos.Read{Credit: 1<<32 - 1})
	}
	if st.grant(&paxos.Read{Credit: 1}); st.credit != maxStreamCredit {
		t.Fatalf("credit %d is not bounded", st.credit)
	}
}

// TestStreamsOfTwoReaders: the same number from two inboxes is two streams; what one grants or stops leaves the other alone.
// Without a reply subject nobody can be told apart, so that nothing happens.
func TestStreamsOfTwoReaders(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.add("a")
		r.read("x", paxos.Read{Stream: 1, From: 1})
		r.read("y", paxos.Read{Stream: 1, From: 1})
		r.read("", paxos.Read{Stream: 1, From: 1, Credit: lots})
		r.read("", paxos.Read{Stream: 1, Credit: lots})
		if r.s.count() != 2 {
			t.Fatalf("%d streams", r.s.count())
		}
		r.want()
		r.read("y", paxos.Read{Stream: 1, Credit: lots})
		r.want("y/1#1 1=a")
		r.read("y", paxos.Read{Stream: 1, Stop: true})
		r.read("y", paxos.Read{Stream: 1, Stop: true})
		if r.s.count() != 1 {
			t.Fatal("a stopped stream lives on, or took another one with it")
		}
		r.read("x", paxos.Read{Stream: 1, Credit: lots})
		r.want("x/1#1 1=a")
	})
}

// TestRepeatedStartGrantsOnce: a broker may deliver the first message twice.
func TestRepeatedStartGrantsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		start := paxos.Read{Stream: 1, From: 1, Credit: paxos.ReadBatchBytes, MaxBytes: 1}
		r.read("x", start)
		r.read("x", start)
		r.add("a")
		r.add("b")
		r.want("x/1#1 1=a")
	})
}

// TestFullTransportLosesNoChunk: what the transport has no room for is sent a little later, under the same number.
func TestFullTransportLosesNoChunk(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.tr.setFull(true)
		r.add("a")
		r.read("x", paxos.Read{Stream: 1, From: 1, Credit: lots})
		time.Sleep(10 * streamRetry)
		r.add("b")
		r.want()
		r.tr.setFull(false)
		time.Sleep(streamRetry)
		r.want("x/1#1 1=a 2=b")
		r.read("x", paxos.Read{Stream: 1, Stop: true})
		if r.s.count() != 0 {
			t.Fatal("not stopped")
		}
	})
}

// TestReadingEvicted: entries that left memory come from the store, in the middle of a batch, too.
func TestReadingEvicted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.v.limit = 0
		r.add("a", "b")
		r.add("c", "d")
		r.v.limit = lots
		r.add("e")
		if len(r.v.chunks) != 1 {
			t.Fatalf("%d chunks in memory", len(r.v.chunks))
		}
		r.read("x", paxos.Read{Stream: 1, From: 2, Credit: lots})
		r.want("x/1#1 2=b 3=c 4=d 5=e")
		if r.store.reads == 0 {
			t.Fatal("the store was not read")
		}
	})
}

func TestReadingRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.v = newView("orders", testGenesis().ID, beginning{start: 5, first: 10, through: 4, last: 9, stamp: 50})
		r.read("x", paxos.Read{Stream: 1, From: 9, Credit: lots})
		r.want("x/1#1 elsewhere first 10")
		r.read("x", paxos.Read{Stream: 2, Since: 50, Credit: lots})
		r.want("x/2#1 elsewhere first 10")
		r.read("x", paxos.Read{Stream: 3, Credit: lots})
		r.want("x/3#1 stopped")
		m := paxos.Read{Stream: 4, From: 1}
		r.s.onRead(&paxos.Envelope{Log: "orders", Genesis: testGenesis().ID, Reply: "x", Request: 4, Msg: &m}, &m, nil)
		r.want("x/4#1 unknown")
		for i := range maxStreams {
			r.read(fmt.Sprint("many", i), paxos.Read{Stream: 1, From: 10})
		}
		r.want()
		r.read("x", paxos.Read{Stream: 5, From: 10})
		r.want("x/5#1 busy")
		r.v.stop() // this copy has diverged (PROTOCOL L5)
		got := r.heard()
		if len(got) != maxStreams || !strings.HasSuffix(got[0], "#1 stopped") || r.s.count() != 0 {
			t.Fatalf("%d answers, %d streams", len(got), r.s.count())
		}
		r.read("x", paxos.Read{Stream: 6, From: 10})
		r.want("x/6#1 stopped")
	})
}

func TestReadingSince(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.add("a") // stamp 10
		r.add("b")
		r.add("c")
		r.read("x", paxos.Read{Stream: 1, Since: 15, Credit: lots})
		r.want("x/1#1 2=b 3=c")
		r.read("x", paxos.Read{Stream: 2, Since: 99, Credit: lots})
		r.want()
		r.add("d")
		got := r.heard()
		slices.Sort(got)
		if !slices.Equal(got, []string{"x/1#2 4=d", "x/2#1 4=d"}) {
			t.Fatalf("heard %q", got)
		}
	})
}

// TestStoppingLearnerSendsReadersOn: every stream ends with "stopped", whatever it waits for, and none begins.
func TestStoppingLearnerSendsReadersOn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.add("a")
		r.read("idle", paxos.Read{Stream: 1, From: 2, Credit: lots})
		r.read("poor", paxos.Read{Stream: 1, From: 1})
		r.s.close()
		got := r.heard()
		slices.Sort(got)
		if !slices.Equal(got, []string{"idle/1#1 stopped", "poor/1#1 stopped"}) {
			t.Fatalf("heard %q", got)
		}
		r.store.readErr = errors.New("the store is closed by now")
		r.read("late", paxos.Read{Stream: 1, Since: 1})
		if r.want("late/1#1 stopped"); r.err != nil {
			t.Fatal("a stream began")
		}
	})
}

// TestDamagedStoreEndsReading: nothing is skipped, nothing is said, the process ends (PROTOCOL A8).
func TestDamagedStoreEndsReading(t *testing.T) {
	inBubble(t, func(t *testing.T, r *reading) {
		r.v.limit = 0
		r.add("a")
		r.v.limit = lots
		r.add("b")
		r.store.readErr = errors.New("checksum")
		r.read("x", paxos.Read{Stream: 1, From: 1, Credit: lots})
		if r.want(); !errors.Is(r.err, r.store.readErr) || r.s.count() != 0 {
			t.Fatalf("failed with %v", r.err)
		}
		r.err = nil
		r.read("x", paxos.Read{Stream: 2, Since: 1, Credit: lots})
		if r.want(); !errors.Is(r.err, r.store.readErr) {
			t.Fatalf("failed with %v", r.err)
		}
	})
}
