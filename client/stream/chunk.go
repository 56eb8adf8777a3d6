package stream

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// OnAnswer takes one chunk. What belongs to no running stream is dropped.
func (r *Reader) OnAnswer(now paxos.Instant, m *paxos.ReadAnswer, out *Output) {
	c := &r.cur
	if r.over || c.stream == 0 || m.Stream != c.stream || m.Learner != c.learner {
		return
	}
	if m.Code != paxos.ReadOK && m.Code != paxos.ReadIdle {
		// The end of the stream, whatever its number: a learner that has started again knows neither stream nor number.
		r.ended(now, m, out)
		return
	}
	if (c.run != 0 && m.Run != c.run) || m.Number <= c.number {
		return
	}
	if m.Number != c.number+1 {
		r.again(now, out) // a chunk got lost
		return
	}
	c.run, c.number, c.heardAt, c.probed = m.Run, m.Number, now, false
	r.last = max(r.last, m.Last)
	if m.Code == paxos.ReadIdle {
		r.idle(now, m, out)
		return
	}
	r.take(now, m, out)
}

// ended takes the last chunk of a stream.
func (r *Reader) ended(now paxos.Instant, m *paxos.ReadAnswer, out *Output) {
	if m.Code == paxos.ReadGone {
		r.gone(now, m, out)
		return
	}
	r.leave(now, Trouble{Learner: r.cur.learner, Code: m.Code, First: m.First}, out)
}

// OnNoResponders takes the broker's 503 to a message of this stream: its learner is gone.
func (r *Reader) OnNoResponders(now paxos.Instant, stream uint64, out *Output) {
	if !r.over && stream != 0 && stream == r.cur.stream {
		r.leave(now, Trouble{Learner: r.cur.learner, Code: paxos.ReadStopped}, out)
	}
}

// take hands on the batches of a chunk.
func (r *Reader) take(now paxos.Instant, m *paxos.ReadAnswer, out *Output) {
	mark := len(out.Batches)
	next := r.next
	for i := range m.Batches {
		b := &m.Batches[i]
		r.cur.credit -= int64(b.Cost())
		r.cur.owed += int64(b.Cost()) // until it is handed on
		skip, ok := place(b, next, r.start.Since)
		if !ok || value.ScanFrames(b.Frames, b.Count) != nil {
			// A hole, or frames that are none, under a dense number: this learner is not to be trusted.
			out.Batches = out.Batches[:mark]
			r.leave(now, Trouble{Learner: r.cur.learner}, out)
			return
		}
		if skip == b.Count {
			continue
		}
		out.Batches = append(out.Batches, Batch{ReadBatch: *b, Skip: skip})
		next = b.First + paxos.Offset(b.Count)
	}
	for i := mark; i < len(out.Batches); i++ {
		cost := int64(out.Batches[i].Cost())
		r.cur.owed -= cost
		r.unread += cost
	}
	r.next = next
	r.retry = retryFirst
	clear(r.avoid)
}

// place returns how many entries of b come before next, all of them if none is wanted; ok is false where b would leave a hole. Without a next
// offset yet the first batch that is late enough is the place to begin.
func place(b *paxos.ReadBatch, next paxos.Offset, since paxos.Stamp) (skip uint32, ok bool) {
	switch {
	case next == 0 && b.Stamp < since:
		return b.Count, true
	case next == 0:
		return 0, true
	case b.First > next:
		return 0, false
	case b.First+paxos.Offset(b.Count) <= next:
		return b.Count, true
	}
	return uint32(next - b.First), true
}

// idle takes "nothing new". From a learner that has more, to a reader that has granted credit, it says that a grant was lost: nothing else would
// ever be granted. Or the grant crosses it on the way, once in a long while: then a new stream begins for nothing, which costs a chunk.
func (r *Reader) idle(now paxos.Instant, m *paxos.ReadAnswer, out *Output) {
	r.retry = retryFirst
	if r.next != 0 && m.Last >= r.next && r.cur.credit > 0 {
		r.again(now, out)
	}
}

// gone takes "dropped by retention".
func (r *Reader) gone(now paxos.Instant, m *paxos.ReadAnswer, out *Output) {
	if r.start.SkipGone && r.next == r.start.From && m.First > r.next {
		r.next = m.First
		r.again(now, out)
		return
	}
	out.Gone, out.First = true, m.First
	r.end()
	r.over = true
}
