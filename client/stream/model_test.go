package stream_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// modelLearner serves a prefix of the log, as a learner does: chunks within credit, "nothing new" when idle.
type modelLearner struct {
	name    string
	run     uint64
	up      bool
	through int          // batches of the log that it has
	first   paxos.Offset // first offset that it holds
	streams map[uint64]*modelStream
}

type modelStream struct {
	next   paxos.Offset
	number uint64
	credit int64
}

// world is one reader, a log that grows, learners that come and go, and a network that loses, repeats and reorders.
type world struct {
	t        *rapid.T
	now      paxos.Instant
	r        *stream.Reader
	out      stream.Output
	window   uint32
	log      []paxos.ReadBatch
	last     paxos.Offset
	learners []*modelLearner
	streams  uint64

	sends  []stream.Send
	chunks []chunk

	want   paxos.Offset // next offset that must be handed on
	unread []int        // costs of what was handed on and not consumed
	held   int
}

type chunk struct {
	none   bool // a 503
	stream uint64
	m      *paxos.ReadAnswer
}

const chunkBytes = 300

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: 1, want: 1, window: uint32(rapid.IntRange(1, 2000).Draw(t, "window"))}
	for i := range rapid.IntRange(1, 3).Draw(t, "learners") {
		w.learners = append(w.learners, &modelLearner{name: fmt.Sprintf("l%d", i), run: 1, up: true, first: 1, streams: map[uint64]*modelStream{}})
	}
	w.want = paxos.Offset(rapid.IntRange(1, 5).Draw(t, "from"))
	w.r = stream.New(stream.Config{
		Seed: rapid.Uint64().Draw(t, "seed"), Window: w.window, ChunkBytes: chunkBytes,
		NextStream: func() uint64 { w.streams++; return w.streams },
	}, stream.Start{From: w.want})
	w.r.SetLearners(w.now, w.names(), &w.out)
	w.carry()
	return w
}

func (w *world) names() []string {
	var names []string
	for _, l := range w.learners {
		names = append(names, l.name)
	}
	return names
}

// carry does what the reader asks for, and holds what it hands on to the log.
func (w *world) carry() {
	w.sends = append(w.sends, w.out.Sends...)
	for i := range w.out.Batches {
		b := &w.out.Batches[i]
		first := b.First + paxos.Offset(b.Skip)
		if first != w.want || b.Skip >= b.Count {
			w.t.Fatalf("offset %d was handed on, want %d", first, w.want)
		}
		w.want = b.First + paxos.Offset(b.Count)
		j, ok := slices.BinarySearchFunc(w.log, b.First, func(x paxos.ReadBatch, o paxos.Offset) int { return int(x.First) - int(o) })
		if !ok || string(w.log[j].Frames) != string(b.Frames) {
			w.t.Fatalf("the batch at %d is not the log's", b.First)
		}
		w.unread = append(w.unread, b.Cost())
		w.held += b.Cost()
	}
	if most := int(w.window) + 2*(chunkBytes+2*paxos.ReadBatchBytes+60); w.held > most {
		w.t.Fatalf("%d bytes wait to be consumed, the window allows %d", w.held, most)
	}
	if w.out.Gone {
		w.t.Fatal("gone, though nothing was dropped")
	}
	if w.out.Ask {
		w.out.Reset()
		w.r.SetLearners(w.now, w.names(), &w.out)
		w.carry()
		return
	}
	w.out.Reset()
}

func (w *world) grow() {
	var frames []byte
	n := rapid.IntRange(1, 3).Draw(w.t, "entries")
	for i := range n {
		frames = value.AppendFrame(frames, nil, fmt.Appendf(nil, "e%d", int(w.last)+i+1))
	}
	w.log = append(w.log, paxos.ReadBatch{First: w.last + 1, Count: uint32(n), Stamp: paxos.Stamp(len(w.log)), Frames: frames})
	w.last += paxos.Offset(n)
}

func (l *modelLearner) last(w *world) paxos.Offset {
	if l.through == 0 {
		return 0
	}
	b := w.log[l.through-1]
	return b.First + paxos.Offset(b.Count) - 1
}

// arrive delivers one message to its learner.
func (w *world) arrive(i int, keep bool) {
	s := w.sends[i]
	if !keep {
		w.sends = slices.Delete(w.sends, i, i+1)
	}
	l := w.learners[slices.IndexFunc(w.learners, func(l *modelLearner) bool { return l.name == s.To })]
	m := s.Read
	st := l.streams[m.Stream]
	answer := func(code paxos.ReadCode, first paxos.Offset) {
		w.chunks = append(w.chunks, chunk{m: &paxos.ReadAnswer{
			Learner: l.name, Run: l.run, Stream: m.Stream, Number: 1, Code: code, First: first, Last: l.last(w),
		}})
	}
	switch {
	case !l.up:
		w.chunks = append(w.chunks, chunk{none: true, stream: m.Stream})
	case m.Stop:
		delete(l.streams, m.Stream)
	case st != nil:
		st.credit += int64(m.Credit)
	case m.From == 0:
		answer(paxos.ReadStopped, 0)
	case m.From < l.first:
		answer(paxos.ReadElsewhere, l.first)
	default:
		l.streams[m.Stream] = &modelStream{next: m.From, credit: int64(m.Credit)}
	}
}

// serve lets every stream of l send one chunk, or say that there is nothing new.
func (w *world) serve(l *modelLearner) {
	if !l.up {
		return
	}
	ids := make([]uint64, 0, len(l.streams))
	for id := range l.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		st := l.streams[id]
		st.number++
		m := &paxos.ReadAnswer{Learner: l.name, Run: l.run, Stream: id, Number: st.number, Last: l.last(w), Code: paxos.ReadIdle}
		size := 0
		for i := 0; i < l.through && st.credit > 0; i++ {
			b := w.log[i]
			if b.First+paxos.Offset(b.Count) <= st.next {
				continue
			}
			if size > 0 && size+b.Cost() > chunkBytes {
				break
			}
			size += b.Cost()
			m.Code = paxos.ReadOK
			m.Batches = append(m.Batches, b)
			st.next = b.First + paxos.Offset(b.Count)
		}
		st.credit -= int64(size)
		w.chunks = append(w.chunks, chunk{m: m})
	}
}

func (w *world) hear(i int, keep bool) {
	c := w.chunks[i]
	if !keep {
		w.chunks = slices.Delete(w.chunks, i, i+1)
	}
	if c.none {
		w.r.OnNoResponders(w.now, c.stream, &w.out)
	} else {
		w.r.OnAnswer(w.now, c.m, &w.out)
	}
	w.carry()
}

func (w *world) consume() {
	n := w.unread[0]
	w.unread = w.unread[1:]
	w.held -= n
	w.r.Consumed(w.now, n, &w.out)
	w.carry()
}

func (w *world) tick(ms int) {
	w.now = w.now.Add(paxos.Span(ms) * paxos.Millisecond)
	w.r.Tick(w.now, &w.out)
	w.carry()
}

func (w *world) step() {
	pick := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(w.t, what) }
	l := w.learners[pick(len(w.learners), "learner")]
	switch what := pick(20, "what"); {
	case what < 2:
		w.grow()
	case what < 4:
		l.through = min(len(w.log), l.through+2)
	case what < 7 && len(w.sends) > 0:
		w.arrive(pick(min(3, len(w.sends)), "send"), pick(8, "twice") == 0)
	case what < 10:
		w.serve(l)
	case what < 14 && len(w.chunks) > 0:
		w.hear(pick(min(3, len(w.chunks)), "chunk"), pick(8, "twice") == 0)
	case what == 14 && len(w.chunks) > 0:
		w.chunks = slices.Delete(w.chunks, 0, 1)
	case what == 15 && len(w.sends) > 0:
		w.sends = slices.Delete(w.sends, 0, 1)
	case what == 16:
		l.up = !l.up
		l.run++
		clear(l.streams)
	case what < 19 && len(w.unread) > 0:
		w.consume()
	case what == 19 && pick(4, "reconnect") == 0:
		w.r.OnConnection(w.now, &w.out)
		w.carry()
	default:
		w.tick(pick(1500, "ms"))
	}
}

// heal ends the faults; everything must be handed on soon.
func (w *world) heal() {
	for _, l := range w.learners {
		l.up, l.through = true, len(w.log)
	}
	for range 3000 {
		if w.want > w.last {
			return
		}
		for len(w.sends) > 0 {
			w.arrive(0, false)
		}
		for _, l := range w.learners {
			w.serve(l)
		}
		for len(w.chunks) > 0 {
			w.hear(0, false)
		}
		for len(w.unread) > 0 {
			w.consume()
		}
		w.tick(500)
	}
	w.t.Fatalf("stuck at offset %d of %d, reading from %q", w.want, w.last, w.r.Learner())
}
