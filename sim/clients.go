package sim

import (
	"fmt"

	"github.com/paxosd/paxosd/client/session"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// client is a process that uses the logs.
type client interface {
	service
	// quiet says to begin nothing new, or to go on.
	quiet(on bool)
	// settled says what is still owed; empty: nothing.
	settled() string
}

const clientTick = 10 * paxos.Millisecond

// clientsJoin makes the clients, not started.
func (w *world) clientsJoin() {
	p := &w.profile
	for _, g := range p.geneses {
		log := g.Log
		add := func(kind string, i int, begin func(p *process) client) {
			w.add(fmt.Sprintf("%s-%s%d", log, kind, i+1), paxos.RoleNone, func(p *process) { p.svc = begin(p) }, clientTick)
		}
		for i := range p.sessions {
			add("s", i, func(p *process) client { return newProducer(p, log) })
		}
		for i := range p.plains {
			add("a", i, func(p *process) client { return &plain{p: p, log: log} })
		}
		for i := range p.tails {
			add("t", i, func(p *process) client { return &tailer{p: p, log: log} })
		}
		for i := range p.readers {
			add("r", i, func(p *process) client { return newSubscriber(p, log) })
		}
		if p.admin {
			add("admin", 0, func(p *process) client { return &admin{p: p, log: log} })
		}
	}
}

// pacer says when a client does the next thing.
type pacer struct {
	at   paxos.Instant
	done bool
}

func (c *pacer) due(w *world, every paxos.Span) bool {
	if c.done || w.now < c.at {
		return false
	}
	c.at = w.now.Add(every/2 + span(w.forLoad, every))
	return true
}

// producer sends batches in a session.
type producer struct {
	p       *process
	log     string
	s       *session.Session
	out     session.Output
	pace    pacer
	tags    map[uint64]*batchRecord
	order   uint64 // newest submitted
	lastIn  uint64 // order of the newest batch in the log
	abandon []uint64
}

func newProducer(p *process, log string) *producer {
	c := &producer{p: p, log: log, tags: map[uint64]*batchRecord{}}
	c.s = session.New(session.Config{
		Client: p.name, Seed: p.w.forLoad.Uint64(), Window: int(c.outcomes(p.w)), NextRequest: p.next(partCore),
	})
	return c
}

func (c *producer) outcomes(w *world) uint32 {
	for _, g := range w.profile.geneses {
		if g.Log == c.log {
			return g.Outcomes
		}
	}
	return paxos.DefaultOutcomes
}

func (c *producer) quiet(on bool) { c.pace.done = on }

func (c *producer) settled() string {
	if n := c.s.Unanswered(); n > 0 {
		return fmt.Sprintf("%s has %d batches unanswered", c.p.name, n)
	}
	return ""
}

func (c *producer) connection(up bool) {
	c.s.OnConnection(c.p.clock(), up, &c.out)
	c.carry()
}

func (c *producer) tick() {
	w := c.p.w
	if w.logNamed(c.log) == nil {
		return
	}
	c.s.Tick(c.p.clock(), &c.out)
	c.carry()
	if c.s.Room() > 0 && c.pace.due(w, w.profile.every) {
		c.submit()
	}
	if len(c.abandon) > 0 && w.forLoad.IntN(20) == 0 {
		tag := c.abandon[0]
		c.abandon = c.abandon[1:]
		c.s.Abandon(c.p.clock(), tag, &c.out)
		c.carry()
	}
}

func (c *producer) submit() {
	w := c.p.w
	r := w.forLoad
	b := w.check.newBatch(&batchRecord{log: c.log, producer: c, count: 1 + uint32(r.IntN(w.profile.batch))})
	c.order++
	b.order = c.order
	in := session.Batch{Tag: c.order, Value: value.Batch{Count: b.count}}
	if chance(r, w.profile.expect) {
		b.hasExpect, b.expect = true, w.logNamed(c.log).seq.LastOffset()
		if r.IntN(4) == 0 {
			b.expect += paxos.Offset(r.IntN(2))
		}
		in.Value.HasExpect, in.Value.Expect = true, b.expect
	}
	if chance(r, w.profile.ids) {
		in.Value.MessageID = fmt.Sprint("id-", b.number)
	}
	if chance(r, w.profile.giveUp) {
		if r.IntN(2) == 0 {
			b.gaveUp = true
			in.Deadline = c.p.clock().Add(span(r, 300*paxos.Millisecond))
		} else {
			b.gaveUp = true
			c.abandon = append(c.abandon, c.order)
		}
	}
	in.Value.Frames = b.frames(r.IntN(w.profile.payload))
	c.tags[c.order] = b
	c.s.Submit(c.p.clock(), in, &c.out)
	c.carry()
}

// carry does what the core asks for, until it asks for nothing more.
func (c *producer) carry() {
	w := c.p.w
	for len(c.out.Sends)+len(c.out.Done) > 0 {
		sends, done := c.out.Sends, c.out.Done
		c.out = session.Output{}
		for i := range sends {
			if m, ok := sends[i].Msg.(*paxos.Open); ok {
				w.check.opened(m.Token)
			}
			c.p.publish(c.log, w.logNamed(c.log).gen.ID, sends[i].Request, sends[i].Msg)
		}
		for i := range done {
			d := &done[i]
			b := c.tags[d.Tag]
			delete(c.tags, d.Tag)
			switch d.Class {
			case session.Appended:
				w.check.acknowledged(b, d.Answer.First)
			case session.Refused:
				w.check.notAppended(b, d.Answer.Code == paxos.CodeConditionFails, d.Answer.Last)
			default:
				w.count("unknown")
				w.check.unknown(b)
			}
		}
	}
}

func (c *producer) deliver(env *paxos.Envelope) {
	now := c.p.clock()
	switch m := env.Msg.(type) {
	case *paxos.Leader:
		if env.Log == c.log {
			c.s.OnLeader(now, m.Ballot, &c.out)
		}
	case *paxos.NoResponders:
		c.s.OnNoResponders(now, env.Request, &c.out)
	case *paxos.BatchAnswer:
		switch m.Code {
		case paxos.CodeHole:
			c.p.w.count("batch refused after a hole")
		case paxos.CodeExpired:
			c.p.w.count("session expired")
		default:
		}
		if !c.s.OnAnswer(now, env.Request, m, &c.out) {
			c.p.w.count("foreign answer")
		}
	}
	c.carry()
}

// plain sends plain appends, one after the other, some with a message id, and those again until answered.
type plain struct {
	p     *process
	log   string
	pace  pacer
	asked map[uint64]*plainAsk
	again []*plainAsk
}

type plainAsk struct {
	b     *batchRecord
	msg   *paxos.Append
	until paxos.Instant
}

func (c *plain) quiet(on bool) { c.pace.done = on }

func (c *plain) settled() string {
	if len(c.again) > 0 {
		return c.p.name + " waits for a plain append with an id"
	}
	return ""
}
func (c *plain) connection(bool) {}

func (c *plain) send(a *plainAsk) {
	request := c.p.next(partCore)()
	if c.asked == nil {
		c.asked = map[uint64]*plainAsk{}
	}
	c.asked[request] = a
	c.p.publish(c.log, paxos.GenesisID{}, request, a.msg)
}

func (c *plain) tick() {
	w := c.p.w
	if w.logNamed(c.log) == nil {
		return
	}
	if len(c.again) > 0 && c.again[0].until < w.now {
		a := c.again[0]
		c.again = c.again[1:]
		if !a.b.acked && !a.b.refused {
			a.until = w.now.Add(between(w.forLoad, 100*paxos.Millisecond, 600*paxos.Millisecond))
			c.again = append(c.again, a)
			c.send(a)
		}
	}
	if !c.pace.due(w, w.profile.every) {
		return
	}
	r := w.forLoad
	b := w.check.newBatch(&batchRecord{log: c.log, count: 1})
	p := make([]byte, 12, 12+w.profile.payload)
	copy(p, b.frames(0)[len(b.frames(0))-12:])
	a := &plainAsk{b: b, msg: &paxos.Append{Payload: p[:12+r.IntN(w.profile.payload)]}}
	if chance(r, w.profile.expect) {
		b.hasExpect, b.expect = true, w.logNamed(c.log).seq.LastOffset()
		a.msg.HasExpect, a.msg.Expect = true, b.expect
	}
	if chance(r, w.profile.ids) {
		a.msg.MessageID = fmt.Sprint("plain-", b.number)
		a.until = w.now.Add(200 * paxos.Millisecond)
		c.again = append(c.again, a)
	}
	c.send(a)
}

func (c *plain) deliver(env *paxos.Envelope) {
	m, ok := env.Msg.(*paxos.BatchAnswer)
	a := c.asked[env.Request]
	if !ok || a == nil {
		return
	}
	delete(c.asked, env.Request)
	switch m.Code {
	case paxos.CodeAppended, paxos.CodeDuplicate:
		c.p.w.check.acknowledged(a.b, m.First)
	case paxos.CodeConditionFails:
		// Sent again with an id, an earlier copy may have been appended: then this answer is of no later one.
		if a.msg.MessageID == "" || a.b.offset == 0 {
			c.p.w.check.notAppended(a.b, true, m.Last)
		}
	case paxos.CodeTooLarge, paxos.CodeMalformed, paxos.CodeHeader:
		c.p.w.check.notAppended(a.b, false, 0)
	default:
	}
}

// tailer asks for the last offset, through the log.
type tailer struct {
	p     *process
	log   string
	pace  pacer
	asked map[uint64]*batchRecord
}

func (c *tailer) quiet(on bool)   { c.pace.done = on }
func (c *tailer) settled() string { return "" }
func (c *tailer) connection(bool) {}

func (c *tailer) tick() {
	w := c.p.w
	l := w.logNamed(c.log)
	if l == nil || !c.pace.due(w, 2*w.profile.every) {
		return
	}
	if c.asked == nil {
		c.asked = map[uint64]*batchRecord{}
	}
	request := c.p.next(partCore)()
	c.asked[request] = w.check.newBatch(&batchRecord{log: c.log, tail: true})
	c.p.publish(c.log, l.gen.ID, request, &paxos.Batch{Batch: value.EncodeBatch(nil, &value.Batch{Tail: true})})
}

func (c *tailer) deliver(env *paxos.Envelope) {
	m, ok := env.Msg.(*paxos.BatchAnswer)
	b := c.asked[env.Request]
	if !ok || b == nil || m.Code != paxos.CodeTail {
		return
	}
	delete(c.asked, env.Request)
	b.acked, b.last, b.returned = true, m.Last, c.p.w.now
	c.p.w.count("tail answered")
}
