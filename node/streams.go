package node

import (
	"context"
	"sync"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// Limits of serving readers. A learner that is asked for more answers "busy", and the reader goes to another one.
const (
	maxStreams       = 1024
	streamIdleAfter  = time.Second      // an idle stream says its last offset this often (PROTOCOL N7, L3)
	streamForgottten = 30 * time.Second // a stream whose reader was not heard from for this long ends
	maxChunkBytes    = 512 << 10        // of frames in one chunk, whatever the reader asks for; a larger batch still travels whole
	maxStreamCredit  = 64 << 20
)

// entrySource is where a stream finds entries: the view's memory, then the store.
type entrySource interface {
	// batchesFrom returns batches that hold offset from or later ones; none when from is beyond the last. It may read the disk.
	batchesFrom(from paxos.Offset, maxBytes int) (bs []paxos.ReadBatch, slot paxos.Slot, hash paxos.Hash, err error)
	// offsetSince returns the first offset whose stamp is at or after s; last+1 where there is none yet.
	offsetSince(s paxos.Stamp) (paxos.Offset, error)
	wait() <-chan struct{}
	marks() marks
}

// streams serves readers, a goroutine each. It is owned by a learner's service.
type streams struct {
	ctx     context.Context
	stop    context.CancelFunc
	wg      sync.WaitGroup
	learner string
	run     uint64
	tr      Transport
	fatal   func(error) // a read error that means the store is damaged
	written func(bytes int, entries int)

	mu  sync.Mutex
	all map[streamKey]*stream
}

// streamKey tells readers apart: two of them may choose the same number.
type streamKey struct {
	reply string
	id    uint64
}

func newStreams(learner string, run uint64, tr Transport, fatal func(error), written func(int, int)) *streams {
	ctx, stop := context.WithCancel(context.Background())
	return &streams{
		ctx: ctx, stop: stop, learner: learner, run: run, tr: tr, fatal: fatal, written: written,
		all: make(map[streamKey]*stream),
	}
}

// close ends every stream with "stopped", so that readers go on elsewhere at once.
func (s *streams) close() {
	s.stop()
	s.wg.Wait()
}

// count returns how many readers are served.
func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// stream is one reader.
type stream struct {
	env    paxos.Envelope // of the request, for answers
	id     uint64
	number uint64

	mu     sync.Mutex
	credit int
	heard  time.Time
	gone   bool
	poke   chan struct{} // capacity 1: credit came, or stop
}

// onRead starts a stream, or grants one more credit. src is nil where the log is unknown here.
func (s *streams) onRead(env *paxos.Envelope, m *paxos.Read, src entrySource) {
	key := streamKey{reply: env.Reply, id: m.Stream}
	s.mu.Lock()
	st, running := s.all[key]
	if running {
		s.mu.Unlock()
		st.grant(m)
		return
	}
	starts := m.From > 0 || m.Since > 0
	switch {
	case m.Stop:
		s.mu.Unlock()
		return
	case !starts || s.ctx.Err() != nil:
		s.mu.Unlock()
		s.refuse(env, m, paxos.ReadStopped, 0, 0)
		return
	case src == nil:
		s.mu.Unlock()
		s.refuse(env, m, paxos.ReadUnknown, 0, 0)
		return
	case len(s.all) >= maxStreams:
		s.mu.Unlock()
		s.refuse(env, m, paxos.ReadBusy, 0, 0)
		return
	}
	st = &stream{
		env: *env, id: m.Stream, credit: min(int(m.Credit), maxStreamCredit), heard: time.Now(), poke: make(chan struct{}, 1),
	}
	s.all[key] = st
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		s.serve(st, m, src)
		s.mu.Lock()
		delete(s.all, key)
		s.mu.Unlock()
	}()
}

func (s *streams) refuse(env *paxos.Envelope, m *paxos.Read, code paxos.ReadCode, first, last paxos.Offset) {
	s.answer(env, &paxos.ReadAnswer{Stream: m.Stream, Number: 1, Code: code, First: first, Last: last})
}

func (s *streams) answer(to *paxos.Envelope, a *paxos.ReadAnswer) {
	a.Learner, a.Run = s.learner, s.run
	// A chunk that is not sent is a gap in numbers and offsets, which the reader notices and asks for again.
	_ = s.tr.Send(&paxos.Envelope{
		Log: to.Log, Genesis: to.Genesis, From: s.learner, Request: to.Request, Reply: to.Reply, Bulk: true, Msg: a,
	})
}

// grant adds credit, or ends the stream.
func (st *stream) grant(m *paxos.Read) {
	st.mu.Lock()
	st.credit = min(st.credit+int(m.Credit), maxStreamCredit)
	st.heard = time.Now()
	st.gone = st.gone || m.Stop
	st.mu.Unlock()
	select {
	case st.poke <- struct{}{}:
	default:
	}
}

// state returns the credit left and whether the stream has ended.
func (st *stream) state(now time.Time) (credit int, gone bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.credit, st.gone || now.Sub(st.heard) > streamForgottten
}

func (st *stream) spend(n int) {
	st.mu.Lock()
	st.credit -= n
	st.mu.Unlock()
}

// serve sends entries in order until the reader goes, the learner stops, or the entries are not here.
func (s *streams) serve(st *stream, m *paxos.Read, src entrySource) {
	next := m.From
	if next == 0 {
		o, err := src.offsetSince(m.Since)
		if err != nil {
			s.fatal(err)
			return
		}
		next = o
	}
	maxBytes := min(int(m.MaxBytes), maxChunkBytes)
	if maxBytes <= 0 {
		maxBytes = maxChunkBytes
	}
	idle := time.NewTimer(streamIdleAfter)
	defer idle.Stop()
	for {
		changed := src.wait()
		credit, gone := st.state(time.Now())
		if gone {
			return
		}
		if code, first, ended := s.ended(src, next); ended {
			st.number++
			s.answer(&st.env, &paxos.ReadAnswer{Stream: st.id, Number: st.number, Code: code, First: first, Last: src.marks().last})
			return
		}
		if credit > 0 && next <= src.marks().last {
			bs, slot, hash, err := src.batchesFrom(next, maxBytes)
			if err != nil {
				s.fatal(err)
				return
			}
			if len(bs) > 0 {
				next = s.send(st, src, bs, slot, hash)
				idle.Reset(streamIdleAfter)
				continue
			}
		}
		select {
		case <-s.ctx.Done():
			st.number++
			s.answer(&st.env, &paxos.ReadAnswer{Stream: st.id, Number: st.number, Code: paxos.ReadStopped, Last: src.marks().last})
			return
		case <-changed:
		case <-st.poke:
		case <-idle.C:
			idle.Reset(streamIdleAfter)
			st.number++
			s.answer(&st.env, &paxos.ReadAnswer{Stream: st.id, Number: st.number, Code: paxos.ReadIdle, Last: src.marks().last})
		}
	}
}

// ended reports whether offset next can not be served here, and how to say so.
func (s *streams) ended(src entrySource, next paxos.Offset) (code paxos.ReadCode, first paxos.Offset, ended bool) {
	if s.ctx.Err() != nil {
		return paxos.ReadStopped, 0, true
	}
	mk := src.marks()
	switch {
	case mk.diverged:
		return paxos.ReadStopped, 0, true
	case next < mk.first:
		return paxos.ReadElsewhere, mk.first, true
	}
	return 0, 0, false
}

// send sends one chunk and returns the next offset.
func (s *streams) send(st *stream, src entrySource, bs []paxos.ReadBatch, slot paxos.Slot, hash paxos.Hash) paxos.Offset {
	size, entries := 0, 0
	for i := range bs {
		size += batchCost(&bs[i])
		entries += int(bs[i].Count)
	}
	st.number++
	s.answer(&st.env, &paxos.ReadAnswer{
		Stream: st.id, Number: st.number, Code: paxos.ReadOK, Last: src.marks().last, Slot: slot, Hash: hash, Batches: bs,
	})
	// Every batch costs something, so that empty entries cannot run past the credit.
	st.spend(size)
	s.written(size, entries)
	end := bs[len(bs)-1]
	return end.First + paxos.Offset(end.Count)
}
