package sim

import (
	"fmt"

	"github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// subscriber reads a log, from its beginning, from an offset or from a point in time.
type subscriber struct {
	p      *process
	log    string
	r      *stream.Reader
	out    stream.Output
	next   paxos.Offset // to be handed on next; 0: whichever comes first
	owed   int          // bytes handed on and not consumed
	lookAt paxos.Instant
}

func newSubscriber(p *process, log string) *subscriber {
	r := p.w.forLoad
	c := &subscriber{p: p, log: log, next: 1}
	start := stream.Start{From: 1}
	switch r.IntN(4) {
	case 0:
		start.From = 1 + paxos.Offset(r.IntN(40))
		c.next = start.From
	case 1:
		c.next = 0
		start = stream.Start{Since: p.wall() + paxos.Stamp(r.Int64N(int64(p.w.profile.length)/2))}
	}
	c.r = stream.New(stream.Config{Seed: r.Uint64(), Window: 4 << 10, ChunkBytes: 1 << 10, NextStream: p.next(partCore)}, start)
	return c
}

func (c *subscriber) quiet(bool) {}

// settled demands that everything arrives that a running learner holds.
func (c *subscriber) settled() string {
	l := c.p.w.logNamed(c.log)
	next := c.r.Next()
	if l == nil || next == 0 || next > l.offset {
		return ""
	}
	for _, p := range c.p.w.procs {
		if s, ok := p.svc.(*learnerService); ok && !p.twin {
			if f := s.log(l.gen.ID, ""); f != nil && f.core != nil && f.diverged == "" && f.first() <= next {
				return fmt.Sprintf("%s waits for offset %d, reading from %q, trouble %+v", c.p.name, next, c.r.Learner(), c.r.Trouble())
			}
		}
	}
	return ""
}

func (c *subscriber) connection(up bool) {
	if up {
		c.r.OnConnection(c.p.clock(), &c.out)
		c.carry()
	}
}

func (c *subscriber) tick() {
	w := c.p.w
	if w.logNamed(c.log) == nil {
		return
	}
	if c.lookAt == 0 {
		c.lookAt = w.now
		c.r.SetLearners(c.p.clock(), w.profile.learnerNames(), &c.out)
	}
	if c.owed > 0 && w.forLoad.IntN(3) == 0 {
		c.r.Consumed(c.p.clock(), c.owed, &c.out)
		c.owed = 0
	}
	c.r.Tick(c.p.clock(), &c.out)
	c.carry()
}

func (c *subscriber) deliver(env *paxos.Envelope) {
	switch m := env.Msg.(type) {
	case *paxos.ReadAnswer:
		if m.Code == paxos.ReadElsewhere {
			c.p.w.count("reader sent elsewhere")
		}
		c.r.OnAnswer(c.p.clock(), m, &c.out)
	case *paxos.NoResponders:
		c.r.OnNoResponders(c.p.clock(), env.Request, &c.out)
	}
	c.carry()
}

// carry does what the core asks for, and judges what it hands on.
func (c *subscriber) carry() {
	w := c.p.w
	for range 2 {
		sends, batches, ask := c.out.Sends, c.out.Batches, c.out.Ask
		c.out = stream.Output{}
		for i := range batches {
			c.take(&batches[i])
		}
		for i := range sends {
			s := &sends[i]
			c.p.send(&paxos.Envelope{
				Log: c.log, Genesis: w.logNamed(c.log).gen.ID, From: c.p.name, To: s.To, Request: s.Read.Stream, Bulk: true, Msg: s.Read,
			})
		}
		if ask {
			c.r.SetLearners(c.p.clock(), w.profile.learnerNames(), &c.out)
		}
	}
}

// take judges a batch that was handed on: the entries come in order, each once, and are those that the log has there.
func (c *subscriber) take(b *stream.Batch) {
	w := c.p.w
	c.owed += b.Cost()
	at := b.First
	for f, err := range value.Frames(b.Frames) {
		if err != nil {
			w.fail(CheckPrefix, "%s at offset %d: %v", c.p.name, at, err)
		}
		if at >= b.First+paxos.Offset(b.Skip) {
			if c.next > 0 && at != c.next {
				w.fail(CheckDense, "%s is handed offset %d, not %d", c.p.name, at, c.next)
			}
			c.next = at + 1
			r := w.check.batchOf(f.Payload)
			if r == nil || r.log != c.log || r.offset == 0 || r.offset+entryIndex(f.Payload) != at {
				w.fail(CheckPrefix, "%s is handed another entry at offset %d than the log has", c.p.name, at)
			}
		}
		at++
	}
	w.count("read")
}
