package stream

import (
	"math"

	"github.com/paxosd/paxosd/paxos"
)

// Defaults and limits of a reader.
const (
	DefaultWindow     = 4 << 20 // credit, in bytes
	DefaultChunkBytes = 256 << 10

	// A learner says "nothing new" each second. A reader that missed one asks whether the learner is still there: its broker
	// answers "nobody" at once. One that missed two leaves.
	probeAfter = 1200 * paxos.Millisecond
	leaveAfter = 2500 * paxos.Millisecond

	// keepEvery keeps the stream alive: the learner forgets a reader that it did not hear from for thirty seconds.
	keepEvery = 5 * paxos.Second

	retryFirst = 20 * paxos.Millisecond
	retryMax   = 1 * paxos.Second

	// avoidFor is how long a learner that could not serve is passed over while there are others.
	avoidFor = 2 * paxos.Second
)

// Config is constant for a reader's life. Window and ChunkBytes take their defaults where they are zero.
type Config struct {
	Seed       uint64 // spreads readers over learners
	Window     uint32
	ChunkBytes uint32
	NextStream func() uint64 // stream numbers, unique for the reply subject that is used
}

// Start says where to begin: at an offset, or at the first entry whose stamp is at or after Since.
type Start struct {
	From  paxos.Offset // from 1; 0: Since counts
	Since paxos.Stamp
	// SkipGone begins at the first retained offset where From was dropped by retention.
	SkipGone bool
}

// Send is one message to a learner.
type Send struct {
	To   string
	Read *paxos.Read
}

// Batch is one batch to hand on, without its first Skip entries, which were handed on before or not asked for.
type Batch struct {
	paxos.ReadBatch
	Skip uint32
}

// Trouble says why a learner was left, for people.
type Trouble struct {
	Learner string
	Code    paxos.ReadCode // ReadOK: it fell silent, or sent nonsense
	First   paxos.Offset   // with ReadElsewhere
}

// Output is what a reader asks of its owner after a step.
type Output struct {
	Sends   []Send
	Batches []Batch
	// Gone is set when the next offset was dropped by retention: the stream is over. First is the first one that is left.
	Gone  bool
	First paxos.Offset
	// Ask is set when no learner at hand can serve: look for others, and call SetLearners.
	Ask bool
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Sends)
	clear(o.Batches)
	*o = Output{Sends: o.Sends[:0], Batches: o.Batches[:0]}
}

// Reader is the state of one subscriber of one log. One owner steps it; it is not safe for concurrent use.
type Reader struct {
	cfg      Config
	start    Start
	next     paxos.Offset // next offset to hand on; 0: not known yet (Since)
	last     paxos.Offset // highest last offset that a learner told
	over     bool
	learners []string
	avoid    map[string]paxos.Instant // passed over until then
	turn     int                      // place in learners to try next
	trouble  Trouble

	cur     current
	retryAt paxos.Instant // without a stream: when to try again
	retry   paxos.Span
	unread  int64 // bytes handed on and not consumed
}

// current is the running stream; stream 0: none.
type current struct {
	learner string
	run     uint64 // of the learner; 0: nothing heard yet
	stream  uint64
	number  uint64 // of the newest chunk
	credit  int64  // bytes that the learner may still send
	owed    int64  // bytes consumed and not granted again
	heardAt paxos.Instant
	toldAt  paxos.Instant // when the learner was last written to
	probed  bool
}

// New returns a reader without learners: it does nothing before SetLearners.
func New(cfg Config, start Start) *Reader {
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.ChunkBytes == 0 {
		cfg.ChunkBytes = DefaultChunkBytes
	}
	return &Reader{
		cfg: cfg, start: start, next: start.From, avoid: make(map[string]paxos.Instant), turn: int(cfg.Seed % 1024), retry: retryFirst,
	}
}

// Next returns the next offset to be handed on; 0: not known yet.
func (r *Reader) Next() paxos.Offset { return r.next }

// Last returns the highest last offset that a learner has told.
func (r *Reader) Last() paxos.Offset { return r.last }

// Learner returns whom the reader reads from; empty: nobody.
func (r *Reader) Learner() string { return r.cur.learner }

// Trouble returns why a learner was last left.
func (r *Reader) Trouble() Trouble { return r.trouble }

// SetLearners says who may serve. A running stream goes on even if its learner is not among them: it may only be slow to answer.
func (r *Reader) SetLearners(now paxos.Instant, names []string, out *Output) {
	r.learners = append(r.learners[:0], names...)
	if r.cur.stream == 0 {
		r.begin(now, out)
	}
}

// OnConnection says that the connection to the broker was lost and is back: chunks may be missing, so a new stream begins at once.
func (r *Reader) OnConnection(now paxos.Instant, out *Output) {
	if r.cur.stream != 0 {
		r.again(now, out)
		return
	}
	r.retryAt, r.retry = now, retryFirst
	r.begin(now, out)
}

// Stop ends the stream, and tells the learner so.
func (r *Reader) Stop(out *Output) {
	if r.cur.stream != 0 {
		out.Sends = append(out.Sends, Send{To: r.cur.learner, Read: &paxos.Read{Stream: r.cur.stream, Stop: true}})
	}
	r.end()
	r.over = true
}

// Consumed says that the owner is done with n bytes of what was handed on (ReadBatch.Cost).
func (r *Reader) Consumed(now paxos.Instant, n int, out *Output) {
	r.unread -= int64(n)
	if r.cur.stream == 0 {
		return
	}
	r.cur.owed += int64(n)
	if r.cur.owed >= int64(r.cfg.Window)/2 {
		r.grant(now, out)
	}
}

// grant tells the learner how much more it may send, or only that the reader is still there.
func (r *Reader) grant(now paxos.Instant, out *Output) {
	c := &r.cur
	n := uint32(min(c.owed, math.MaxUint32))
	c.owed -= int64(n)
	c.credit += int64(n)
	c.toldAt = now
	out.Sends = append(out.Sends, Send{To: c.learner, Read: &paxos.Read{Stream: c.stream, Credit: n}})
}

// Tick lets time pass. It does nothing before the Instant that Wake returns.
func (r *Reader) Tick(now paxos.Instant, out *Output) {
	c := &r.cur
	switch {
	case r.over:
	case c.stream == 0:
		if r.retryAt <= now {
			r.begin(now, out)
		}
	case now.Sub(c.heardAt) >= leaveAfter:
		r.leave(now, Trouble{Learner: c.learner}, out)
	case now.Sub(c.heardAt) >= probeAfter && !c.probed:
		c.probed = true
		r.grant(now, out)
	case now.Sub(c.toldAt) >= keepEvery:
		r.grant(now, out)
	}
}

// Wake returns when Tick is next needed; zero: not before something else happens.
func (r *Reader) Wake() paxos.Instant {
	c := &r.cur
	switch {
	case r.over:
		return 0
	case c.stream == 0:
		return max(r.retryAt, 1)
	case c.probed:
		return min(c.heardAt.Add(leaveAfter), c.toldAt.Add(keepEvery))
	}
	return min(c.heardAt.Add(probeAfter), c.toldAt.Add(keepEvery))
}
