package stream_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// TestN7NoHoleRepeatOrReorder reads a growing log through learners that lag, stop and start again, over a network that loses, repeats and
// reorders: what is handed on is the log, in order, within the credit window, and all of it once the faults end.
func TestN7NoHoleRepeatOrReorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(5, 300).Draw(t, "steps") {
			w.step()
		}
		w.heal()
	})
}

// reader returns one that reads from l1, l2 and has asked l1 for offset from.
func reader(t *testing.T, start stream.Start) (*stream.Reader, *stream.Output) {
	t.Helper()
	var n uint64
	r := stream.New(stream.Config{NextStream: func() uint64 { n++; return n }}, start)
	out := &stream.Output{}
	r.SetLearners(1, []string{"l1", "l2"}, out)
	if len(out.Sends) != 1 || out.Sends[0].To != "l1" || out.Sends[0].Read.Stream != 1 {
		t.Fatalf("sends %+v, want a read to l1", out.Sends)
	}
	out.Reset()
	return r, out
}

func batch(first paxos.Offset, stamp paxos.Stamp, entries ...string) paxos.ReadBatch {
	b := paxos.ReadBatch{First: first, Count: uint32(len(entries)), Stamp: stamp}
	for _, e := range entries {
		b.Frames = value.AppendFrame(b.Frames, nil, []byte(e))
	}
	return b
}

func answer(number uint64, code paxos.ReadCode, last paxos.Offset, bs ...paxos.ReadBatch) *paxos.ReadAnswer {
	return &paxos.ReadAnswer{Learner: "l1", Run: 7, Stream: 1, Number: number, Code: code, Last: last, Batches: bs}
}

func TestN7BatchIsCutAtTheOffsetAskedFor(t *testing.T) {
	r, out := reader(t, stream.Start{From: 2})
	r.OnAnswer(2, answer(1, paxos.ReadOK, 3, batch(1, 0, "a", "b", "c")), out)
	if len(out.Batches) != 1 || out.Batches[0].Skip != 1 || r.Next() != 4 {
		t.Fatalf("handed on %+v, next %d; want the batch less one entry, next 4", out.Batches, r.Next())
	}
}

func TestN7HoleLeavesTheLearner(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, batch(1, 0, "a"), batch(3, 0, "c")), out)
	if len(out.Batches) != 0 || len(out.Sends) != 1 || out.Sends[0].To != "l2" || out.Sends[0].Read.From != 1 {
		t.Fatalf("a hole within a chunk: %+v; want nothing handed on and offset 1 asked of l2", out)
	}
}

func TestN7LostChunkIsAskedForAgain(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, batch(1, 0, "a")), out)
	out.Reset()
	r.OnAnswer(3, answer(3, paxos.ReadOK, 9, batch(3, 0, "c")), out)
	if len(out.Batches) != 0 || len(out.Sends) != 2 || !out.Sends[0].Read.Stop || out.Sends[1].To != "l1" || out.Sends[1].Read.From != 2 {
		t.Fatalf("chunk 3 after 1: %+v; want the stream stopped and offset 2 asked of l1", out)
	}
	out.Reset()
	r.OnAnswer(4, answer(2, paxos.ReadOK, 9, batch(2, 0, "b")), out)
	if len(out.Batches) != 0 {
		t.Fatalf("a chunk of the stream that ended was handed on: %+v", out.Batches)
	}
}

func TestN7ForeignChunksAreDropped(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	m := answer(1, paxos.ReadOK, 9, batch(1, 0, "a"))
	for _, change := range []func(*paxos.ReadAnswer){
		func(m *paxos.ReadAnswer) { m.Learner = "l2" },
		func(m *paxos.ReadAnswer) { m.Stream = 9 },
	} {
		x := *m
		change(&x)
		r.OnAnswer(2, &x, out)
		if len(out.Batches)+len(out.Sends) != 0 {
			t.Fatalf("a foreign chunk had an effect: %+v", out)
		}
	}
	r.OnAnswer(2, m, out)
	out.Reset()
	x := *answer(2, paxos.ReadOK, 9, batch(2, 0, "b"))
	x.Run = 8
	if r.OnAnswer(2, &x, out); len(out.Batches) != 0 {
		t.Fatalf("a chunk of another run was handed on: %+v", out)
	}
}

func TestN7SilenceAsksThenLeaves(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	r.Tick(1+paxos.Instant(1200*paxos.Millisecond), out)
	if len(out.Sends) != 1 || out.Sends[0].To != "l1" || out.Sends[0].Read.From != 0 {
		t.Fatalf("after a missed idle: %+v; want l1 asked whether it is there", out.Sends)
	}
	out.Reset()
	r.Tick(1+paxos.Instant(2500*paxos.Millisecond), out)
	if len(out.Sends) != 1 || out.Sends[0].To != "l2" || out.Sends[0].Read.From != 1 {
		t.Fatalf("after two: %+v; want offset 1 asked of l2", out.Sends)
	}
}

func TestN7NobodyThereLeavesAtOnce(t *testing.T) {
	r, out := reader(t, stream.Start{From: 5})
	r.OnNoResponders(2, 1, out)
	if len(out.Sends) != 1 || out.Sends[0].To != "l2" || out.Sends[0].Read.From != 5 {
		t.Fatalf("after a 503: %+v; want offset 5 asked of l2", out.Sends)
	}
	out.Reset()
	r.OnNoResponders(3, 2, out)
	if len(out.Sends) != 0 || !out.Ask {
		t.Fatalf("after all have answered 503: %+v; want others looked for", out)
	}
	r.Tick(r.Wake(), out)
	if len(out.Sends) != 1 {
		t.Fatalf("after a pause: %+v; want learners tried again", out)
	}
}

func TestReadingElsewhereGoesToTheNextLearner(t *testing.T) {
	r, out := reader(t, stream.Start{From: 5})
	m := answer(1, paxos.ReadElsewhere, 99)
	m.First = 50
	r.OnAnswer(2, m, out)
	if len(out.Sends) != 1 || out.Sends[0].To != "l2" || r.Trouble().First != 50 {
		t.Fatalf("elsewhere: %+v, trouble %+v; want l2 asked", out, r.Trouble())
	}
}

func TestReadingGoneEndsUnlessBeginningAtTheFirst(t *testing.T) {
	gone := answer(1, paxos.ReadGone, 99)
	gone.First = 50
	r, out := reader(t, stream.Start{From: 5})
	if r.OnAnswer(2, gone, out); !out.Gone || out.First != 50 || r.Wake() != 0 {
		t.Fatalf("gone: %+v; want the end, first offset 50", out)
	}
	r, out = reader(t, stream.Start{From: 1, SkipGone: true})
	if r.OnAnswer(2, gone, out); out.Gone || r.Next() != 50 || out.Sends[len(out.Sends)-1].Read.From != 50 {
		t.Fatalf("gone at the first: %+v, next %d; want 50 asked for", out, r.Next())
	}
	m := answer(1, paxos.ReadOK, 99, batch(50, 0, "x"))
	m.Stream = 2
	r.OnAnswer(3, m, out)
	gone = answer(2, paxos.ReadGone, 99)
	gone.First, gone.Stream = 60, 2
	if r.OnAnswer(4, gone, out); !out.Gone {
		t.Fatal("retention that overtakes a reader was skipped: a hole")
	}
}

func TestReadingSinceBeginsAtTheFirstEntryThatIsLateEnough(t *testing.T) {
	r, out := reader(t, stream.Start{Since: 30})
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, batch(4, 20, "d"), batch(5, 30, "e")), out)
	if len(out.Batches) != 1 || out.Batches[0].First != 5 || r.Next() != 6 {
		t.Fatalf("since 30: %+v, next %d; want offset 5 first", out.Batches, r.Next())
	}
}

func TestN7LostGrantIsNoticed(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	r.OnAnswer(2, answer(1, paxos.ReadIdle, 0), out)
	if len(out.Sends) != 0 {
		t.Fatalf("nothing new, and nothing there: %+v", out)
	}
	r.OnAnswer(3, answer(2, paxos.ReadIdle, 9), out)
	if len(out.Sends) != 2 || out.Sends[1].Read.Credit != stream.DefaultWindow {
		t.Fatalf("nothing new with credit granted and entries waiting: %+v; want a new stream", out)
	}
}

func TestN7StreamIsKeptAlive(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	now := paxos.Instant(1)
	for n := uint64(1); n <= 6; n++ {
		now = now.Add(paxos.Second)
		r.OnAnswer(now, answer(n, paxos.ReadIdle, 0), out)
		r.Tick(now, out)
	}
	if len(out.Sends) != 1 || out.Sends[0].Read.Credit != 0 || out.Sends[0].Read.Stream != 1 {
		t.Fatalf("in six quiet seconds: %+v; want one message that grants nothing", out.Sends)
	}
	r.Stop(out)
	if s := out.Sends[len(out.Sends)-1]; !s.Read.Stop {
		t.Fatalf("after Stop: %+v", s)
	}
}

func TestN7RepeatedBatchesAreSkipped(t *testing.T) {
	r, out := reader(t, stream.Start{From: 3})
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, batch(1, 0, "a"), batch(2, 0, "b"), batch(3, 0, "c")), out)
	if len(out.Batches) != 1 || out.Batches[0].First != 3 {
		t.Fatalf("handed on %+v, want offset 3 alone", out.Batches)
	}
	out.Reset()
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, batch(3, 0, "c")), out)
	r.OnAnswer(2, answer(2, paxos.ReadOK, 9, batch(3, 0, "c"), batch(4, 0, "d")), out)
	if len(out.Batches) != 1 || out.Batches[0].First != 4 {
		t.Fatalf("handed on %+v, want offset 4 alone", out.Batches)
	}
}

func TestN7CreditCoversWhatIsNotConsumed(t *testing.T) {
	r, out := reader(t, stream.Start{From: 1})
	b := batch(1, 0, "a")
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, b), out)
	out.Reset()
	r.OnConnection(3, out)
	s := out.Sends[len(out.Sends)-1]
	if want := uint32(stream.DefaultWindow - b.Cost()); s.Read.From != 2 || s.Read.Credit != want {
		t.Fatalf("the new stream asks for offset %d with %d bytes of credit, want 2 and %d", s.Read.From, s.Read.Credit, want)
	}
}

func TestN7ConsumedBytesAreGrantedAgain(t *testing.T) {
	var n uint64
	r := stream.New(stream.Config{Window: 100, NextStream: func() uint64 { n++; return n }}, stream.Start{From: 1})
	out := &stream.Output{}
	r.SetLearners(1, []string{"l1"}, out)
	out.Reset()
	b := batch(1, 0, "a")
	r.OnAnswer(2, answer(1, paxos.ReadOK, 9, b), out)
	if len(out.Sends) != 0 {
		t.Fatalf("granted before anything was consumed: %+v", out.Sends)
	}
	r.Consumed(3, b.Cost(), out)
	if len(out.Sends) != 1 || int(out.Sends[0].Read.Credit) != b.Cost() {
		t.Fatalf("after %d bytes of 100 were consumed: %+v", b.Cost(), out.Sends)
	}
}
