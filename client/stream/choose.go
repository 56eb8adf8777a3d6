package stream

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// begin opens a stream with the next learner that is not to be avoided. With none it waits, and asks for others.
func (r *Reader) begin(now paxos.Instant, out *Output) {
	if r.over || r.cur.stream != 0 || now < r.retryAt {
		return
	}
	for i := range r.learners {
		name := r.learners[(r.turn+i)%len(r.learners)]
		if until, ok := r.avoid[name]; ok && now < until {
			continue
		}
		r.turn = (r.turn + i) % len(r.learners)
		r.open(now, name, out)
		return
	}
	// Everybody had a turn: look for others, and then try all again.
	clear(r.avoid)
	r.pause(now)
	out.Ask = true
}

// pause waits before learners are tried again, twice as long each time until a chunk comes.
func (r *Reader) pause(now paxos.Instant) {
	r.retryAt = now.Add(r.retry)
	r.retry = min(2*r.retry, retryMax)
}

// open starts a stream with one learner. Bytes that are handed on and not consumed count against its credit.
func (r *Reader) open(now paxos.Instant, learner string, out *Output) {
	credit := max(int64(r.cfg.Window)-r.unread, 1)
	r.cur = current{
		learner: learner, stream: r.cfg.NextStream(), credit: credit, heardAt: now, toldAt: now,
		// What is not consumed yet is owed once it is; Consumed adds it then.
	}
	m := &paxos.Read{Stream: r.cur.stream, From: r.next, Credit: uint32(credit), MaxBytes: r.cfg.ChunkBytes}
	if r.next == 0 {
		m.Since = r.start.Since
	}
	out.Sends = append(out.Sends, Send{To: learner, Read: m})
}

// end forgets the running stream.
func (r *Reader) end() { r.cur = current{} }

// again begins a new stream with the same learner: a chunk or a grant got lost, nothing is wrong with it.
func (r *Reader) again(now paxos.Instant, out *Output) {
	c := r.cur
	out.Sends = append(out.Sends, Send{To: c.learner, Read: &paxos.Read{Stream: c.stream, Stop: true}})
	r.open(now, c.learner, out)
}

// leave goes on to the next learner, and avoids this one for a while.
func (r *Reader) leave(now paxos.Instant, why Trouble, out *Output) {
	r.trouble = why
	r.avoid[r.cur.learner] = now.Add(avoidFor)
	if i := slices.Index(r.learners, r.cur.learner); i >= 0 {
		r.turn = (i + 1) % len(r.learners)
	}
	r.end()
	r.begin(now, out)
}
