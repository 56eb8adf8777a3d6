package proposer

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// client sends either numbered batches of a session, again until answered, or plain appends, once each.
type client struct {
	w       *world
	id      string
	plain   bool
	want    uint64 // batches to send
	window  int
	session paxos.SessionID
	opening bool
	sent    uint64 // newest number sent
	acked   map[uint64]paxos.Offset
	bodies  map[uint64][]byte
	known   paxos.Ballot             // the leader as announced
	line    map[string]paxos.Instant // per proposer: when the newest message arrives; a connection keeps its order
	hurry   bool
}

func (c *client) payload(n uint64) string { return fmt.Sprintf("%s-%d", c.id, n) }

// hear notices a new leader's announcement, and sends again at once what is unanswered.
func (c *client) hear(env *paxos.Envelope) {
	m, ok := env.Msg.(*paxos.Leader)
	if !ok {
		return
	}
	c.known = m.Ballot
	c.w.after(c.w.delay(), c.resend)
}

// publish brings a request to every proposer that is subscribed, as the broker does: a copy each.
func (c *client) publish(msg func(generation uint64) paxos.Message, take func(m *paxos.BatchAnswer)) {
	w := c.w
	w.replies++
	reply := fmt.Sprintf("inbox.%d", w.replies)
	if take != nil {
		w.waiting[reply] = pendingReply{from: c.id, request: w.replies, take: func(env *paxos.Envelope) {
			if m, ok := env.Msg.(*paxos.BatchAnswer); ok {
				take(m)
			}
		}}
	} else {
		reply = ""
	}
	request := w.replies
	for _, p := range w.props {
		if !p.up() {
			continue
		}
		for g := range p.gens {
			env := paxos.Envelope{Log: w.gen.Log, Genesis: w.gen.ID, Reply: reply, Request: request, Msg: msg(g)}
			if w.rng.Float64() < w.faults.loss {
				continue
			}
			at := max(w.now.Add(w.delay()), c.line[p.id])
			c.line[p.id] = at
			w.after(at.Sub(w.now), func() {
				if p.up() {
					p.deliver(&env)
				}
			})
		}
	}
}

func (c *client) start() {
	var loop func()
	loop = func() {
		c.step()
		c.w.after(paxos.Span(c.w.rng.Int64N(int64(20*paxos.Millisecond))), loop)
	}
	loop()
	var again func()
	again = func() {
		c.resend()
		c.w.after(250*paxos.Millisecond+paxos.Span(c.w.rng.Int64N(int64(50*paxos.Millisecond))), again)
	}
	again()
}

func (c *client) done() bool { return uint64(len(c.acked)) == c.want }

func (c *client) step() {
	switch {
	case c.sent >= c.want:
	case c.plain:
		c.sent++
		p := c.payload(c.sent)
		n := c.sent
		c.publish(func(g uint64) paxos.Message { return &paxos.Append{Payload: []byte(p), Generation: g} },
			func(m *paxos.BatchAnswer) { c.onAnswer(n, m) })
	case c.session.IsZero():
		c.open()
	case c.sent-uint64(len(c.acked)) < uint64(c.window):
		c.sent++
		b := value.Batch{Session: c.session, Number: c.sent, Count: 1, Frames: value.AppendFrame(nil, nil, []byte(c.payload(c.sent)))}
		c.bodies[c.sent] = value.EncodeBatch(nil, &b)
		c.send(c.sent)
	}
}

func (c *client) open() {
	if c.opening {
		return
	}
	c.opening = true
	token := c.w.rng.Uint64()
	c.publish(func(g uint64) paxos.Message {
		return &paxos.Open{Ballot: c.known, Client: c.id, Token: token, Generation: g}
	},
		func(m *paxos.BatchAnswer) {
			if m.Code == paxos.CodeOpened && c.session.IsZero() {
				c.session = m.Session
			}
		})
	c.w.after(250*paxos.Millisecond, func() { c.opening = false })
}

func (c *client) send(n uint64) {
	c.publish(func(g uint64) paxos.Message { return &paxos.Batch{Ballot: c.known, Batch: c.bodies[n], Generation: g} },
		func(m *paxos.BatchAnswer) { c.onAnswer(n, m) })
}

func (c *client) onAnswer(n uint64, m *paxos.BatchAnswer) {
	switch m.Code {
	case paxos.CodeAppended, paxos.CodeDuplicate:
	case paxos.CodeExpired, paxos.CodeMismatch, paxos.CodeConditionFails, paxos.CodeHoleFar, paxos.CodeForgotten:
		c.w.fail("client %s batch %d: code %d %s", c.id, n, m.Code, m.Text)
	case paxos.CodeHole: // an earlier one was lost
		if !c.hurry {
			c.hurry = true
			c.w.after(20*paxos.Millisecond, func() { c.hurry = false; c.resend() })
		}
		return
	default:
		return
	}
	if old, ok := c.acked[n]; ok && old != m.First {
		c.w.fail("client %s batch %d: acknowledged at offset %d and at %d", c.id, n, old, m.First)
	}
	c.acked[n] = m.First
}

func (c *client) resend() {
	if c.plain || c.session.IsZero() {
		return
	}
	for n := uint64(1); n <= c.sent; n++ {
		if _, ok := c.acked[n]; !ok {
			c.send(n)
		}
	}
}
