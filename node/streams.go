package node

import (
	"context"
	"sync"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// Limits of serving readers. A learner that is asked for more answers "busy", and the reader goes to another one.
const (
	maxStreams      = 1024
	streamIdleAfter = time.Second           // an idle stream says its last offset this often (PROTOCOL N7, L3)
	streamForgotten = 30 * time.Second      // a stream whose reader was not heard from for this long ends
	streamRetry     = 20 * time.Millisecond // a chunk that the transport had no room for is sent again after this long
	maxChunkBytes   = 512 << 10             // of frames in one chunk, whatever the reader asks for; a larger batch still travels whole

	// maxStreamCredit bounds the sum of grants: more than any reader's window, which counts on every byte it has granted.
	maxStreamCredit int64 = 1 << 40
)

// entrySource is where a stream finds entries: the view's memory, then the store.
type entrySource interface {
	// batchesFrom returns batches that hold offset from or later ones; none when from is beyond the last. It may read the disk.
	batchesFrom(from paxos.Offset, maxBytes int) (bs []paxos.ReadBatch, slot paxos.Slot, hash paxos.Hash, err error)
	// offsetSince returns the first offset whose stamp is at or after s; last+1 where there is none yet. here is false where
	// an earlier one may be late enough, which this learner does not hold.
	offsetSince(s paxos.Stamp) (o paxos.Offset, here bool, err error)
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

	mu     sync.Mutex
	closed bool
	all    map[streamKey]*stream
}

// streamKey tells readers apart: two of them may choose the same number. All messages of a stream carry the reply subject of its
// first (paxos.Read): it is the only thing in them that no other client can have.
type streamKey struct {
	genesis paxos.GenesisID
	reply   string
	id      uint64
}

func newStreams(learner string, run uint64, tr Transport, fatal func(error), written func(int, int)) *streams {
	ctx, stop := context.WithCancel(context.Background())
	return &streams{
		ctx: ctx, stop: stop, learner: learner, run: run, tr: tr, fatal: fatal, written: written,
		all: make(map[streamKey]*stream),
	}
}

// close ends every stream with "stopped", so that readers go on elsewhere at once. None begins after it.
func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
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
	env      paxos.Envelope // of the request, for answers
	id       uint64
	number   uint64 // of the newest chunk
	next     paxos.Offset
	maxBytes int // of one chunk
	src      entrySource

	mu     sync.Mutex
	credit int64
	heard  time.Time
	gone   bool
	poke   chan struct{} // capacity 1: credit came, or stop
}

// onRead starts a stream, or grants one more credit. src is nil where the log is unknown here.
func (s *streams) onRead(env *paxos.Envelope, m *paxos.Read, src entrySource) {
	if env.Reply == "" {
		return // whose stream it is cannot be told, and an answer would go nowhere
	}
	key := streamKey{genesis: env.Genesis, reply: env.Reply, id: m.Stream}
	s.mu.Lock()
	if st, running := s.all[key]; running {
		s.mu.Unlock()
		st.grant(m)
		return
	}
	code := paxos.ReadOK
	switch {
	case m.Stop:
		s.mu.Unlock()
		return
	case s.closed || m.From == 0 && m.Since <= 0:
		code = paxos.ReadStopped // a stream that is not known here any more
	case src == nil:
		code = paxos.ReadUnknown
	case len(s.all) >= maxStreams:
		code = paxos.ReadBusy
	}
	if code != paxos.ReadOK {
		s.mu.Unlock()
		_ = s.answer(env, &paxos.ReadAnswer{Stream: m.Stream, Number: 1, Code: code}) // lost: the reader notices the silence
		return
	}
	st := newStream(env, m, src)
	s.all[key] = st
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		s.serve(st, m.Since)
		s.mu.Lock()
		delete(s.all, key)
		s.mu.Unlock()
	}()
}

func newStream(env *paxos.Envelope, m *paxos.Read, src entrySource) *stream {
	maxBytes := int(min(m.MaxBytes, maxChunkBytes))
	if maxBytes == 0 {
		maxBytes = maxChunkBytes
	}
	return &stream{
		env: *env, id: m.Stream, next: m.From, maxBytes: maxBytes, src: src,
		credit: int64(m.Credit), heard: time.Now(), poke: make(chan struct{}, 1),
	}
}

func (s *streams) answer(to *paxos.Envelope, a *paxos.ReadAnswer) error {
	a.Learner, a.Run = s.learner, s.run
	return s.tr.Send(&paxos.Envelope{
		Log: to.Log, Genesis: to.Genesis, From: s.learner, Request: to.Request, Reply: to.Reply, Bulk: true, Msg: a,
	})
}

// tell sends what is no chunk of entries. One that is lost is a gap in numbers, which the reader notices.
func (s *streams) tell(st *stream, code paxos.ReadCode, mk *marks) {
	st.number++
	a := &paxos.ReadAnswer{Stream: st.id, Number: st.number, Code: code, Last: mk.last}
	if code == paxos.ReadElsewhere {
		a.First = mk.first
	}
	_ = s.answer(&st.env, a)
}

// grant adds credit, or ends the stream. A repeat of the first message grants nothing: the reader has granted that once.
func (st *stream) grant(m *paxos.Read) {
	st.mu.Lock()
	if m.From == 0 && m.Since <= 0 {
		st.credit = min(st.credit+int64(m.Credit), maxStreamCredit)
	}
	st.heard = time.Now()
	st.gone = st.gone || m.Stop
	st.mu.Unlock()
	select {
	case st.poke <- struct{}{}:
	default:
	}
}

// state returns the credit left and whether the stream has ended.
func (st *stream) state(now time.Time) (credit int64, gone bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.credit, st.gone || now.Sub(st.heard) > streamForgotten
}

func (st *stream) spend(n int) {
	st.mu.Lock()
	st.credit -= int64(n)
	st.mu.Unlock()
}

// serve sends entries in order until the reader goes, the learner stops, or the entries are not here.
func (s *streams) serve(st *stream, since paxos.Stamp) {
	if st.next == 0 && !s.begin(st, since) {
		return
	}
	idle := time.NewTimer(streamIdleAfter)
	defer idle.Stop()
	for {
		changed := st.src.wait() // before looking, so that no change is missed
		credit, gone := st.state(time.Now())
		if gone {
			return
		}
		mk := st.src.marks()
		if code := s.ended(&mk, st.next); code != paxos.ReadOK {
			s.tell(st, code, &mk)
			return
		}
		var retry <-chan time.Time
		if credit > 0 && st.next <= mk.last {
			sent, err := s.chunk(st)
			if err != nil {
				s.fatal(err)
				return
			}
			if sent {
				idle.Reset(streamIdleAfter)
				continue
			}
			changed, retry = nil, time.After(streamRetry) // more entries do not help
		}
		select {
		case <-s.ctx.Done():
		case <-changed:
		case <-st.poke:
		case <-retry:
		case <-idle.C:
			idle.Reset(streamIdleAfter)
			s.tell(st, paxos.ReadIdle, &mk)
		}
	}
}

// begin finds the offset of a point in time. It reports false where the stream has ended by that.
func (s *streams) begin(st *stream, since paxos.Stamp) bool {
	o, here, err := st.src.offsetSince(since)
	if err != nil {
		s.fatal(err)
		return false
	}
	if !here {
		mk := st.src.marks()
		s.tell(st, paxos.ReadElsewhere, &mk)
		return false
	}
	st.next = o
	return true
}

// ended returns how to say that offset next can not be served here, or ReadOK if it can.
func (s *streams) ended(mk *marks, next paxos.Offset) paxos.ReadCode {
	switch {
	case s.ctx.Err() != nil, mk.stopped:
		return paxos.ReadStopped
	case next < mk.first:
		return paxos.ReadElsewhere
	}
	return paxos.ReadOK
}

// chunk sends the entries from next on, as many as fit one message. It reports false where the transport had no room: the
// reader is not told of a chunk that did not leave, so that a full queue costs time and no entries.
func (s *streams) chunk(st *stream) (sent bool, err error) {
	bs, slot, hash, err := st.src.batchesFrom(st.next, st.maxBytes)
	if err != nil || len(bs) == 0 {
		return false, err
	}
	size, entries := 0, 0
	for i := range bs {
		size += bs[i].Cost()
		entries += int(bs[i].Count)
	}
	a := &paxos.ReadAnswer{
		Stream: st.id, Number: st.number + 1, Code: paxos.ReadOK, Last: st.src.marks().last, Slot: slot, Hash: hash, Batches: bs,
	}
	if s.answer(&st.env, a) != nil {
		return false, nil
	}
	end := &bs[len(bs)-1]
	st.number++
	st.next = end.First + paxos.Offset(end.Count)
	st.spend(size)
	s.written(size, entries)
	return true, nil
}
