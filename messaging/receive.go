package messaging

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// receive returns what a subscription does with a message: decode and check it, then hand it on. Whatever does not pass
// is counted by its reason and goes no further.
func (t *Transport) receive(l *link, generation uint64, h Handler) func(*nats.Msg) {
	return func(m *nats.Msg) {
		env, err := t.read(m)
		if err != nil {
			t.reject(l, m.Subject, err)
			t.refuse(l, m, err)
			return
		}
		stampGeneration(env.Msg, generation)
		h(&env)
	}
}

// read decodes what came by a subject of the protocol.
func (t *Transport) read(m *nats.Msg) (paxos.Envelope, error) {
	a, err := t.subjects.Parse(m.Subject)
	if err != nil {
		return paxos.Envelope{}, err
	}
	if err := t.checkReply(a.Kind, m.Reply); err != nil {
		return paxos.Envelope{}, fmt.Errorf("%s of log %q: %w", a.Kind, a.Log, err)
	}
	switch a.Kind {
	case paxos.KindAppend:
		msg, err := DecodeAppend(m)
		return paxos.Envelope{Log: a.Log, Bulk: true, Reply: makeReply(replyPlain, m.Reply), Msg: msg}, err
	case paxos.KindGet:
		msg, err := DecodeGet(m.Data)
		return paxos.Envelope{Log: a.Log, To: a.Name, Bulk: true, Reply: makeReply(replyGet, m.Reply), Msg: msg}, err
	default:
		env, err := DecodeAt(a, m.Data)
		if a.Kind.IsRequest() {
			env.Reply = makeReply(replyEnveloped, m.Reply)
		}
		return env, err
	}
}

// checkReply enforces PROTOCOL N2: only requests carry a reply, and only to an inbox that the configuration allows. An append,
// a batch and a reader's credit may do without an answer.
func (t *Transport) checkReply(k paxos.Kind, reply string) error {
	switch {
	case !k.IsRequest():
		if reply != "" {
			return fmt.Errorf("%w: the kind never carries one, %q was set", ErrReply, reply)
		}
	case reply == "":
		if k != paxos.KindAppend && k != paxos.KindBatch && k != paxos.KindRead {
			return fmt.Errorf("%w: the request leaves no reply subject", ErrReply)
		}
	case !t.replies.allows(reply):
		return fmt.Errorf("%w: %q is outside the inbox prefixes of the configuration", ErrReply, reply)
	}
	return nil
}

// refuse answers a plain request that was not understood, so that its author learns why. Enveloped messages get no
// such answer: whoever writes them has the client library.
func (t *Transport) refuse(l *link, m *nats.Msg, cause error) {
	if m.Reply == "" || errors.Is(cause, ErrReply) {
		return
	}
	a, err := t.subjects.Parse(m.Subject)
	if err != nil {
		return
	}
	it := item{subject: m.Reply, epoch: l.epoch.Load(), data: getBuffer()}
	var body []byte
	switch a.Kind {
	case paxos.KindAppend:
		it.header, body, err = EncodeRefusal(a.Log, cause)
	case paxos.KindGet:
		it.header, body, err = EncodeGetRefusal(a.Log, cause)
	default:
		it.data.release()
		return
	}
	it.data.b = append(it.data.b, body...)
	if err == nil {
		err = l.out.put(it)
	}
	if err != nil {
		it.data.release()
		_ = t.drop(l, m.Reply, err) // counted; the author meets a time-out
	}
}

// stampGeneration marks what came by a leader's subscription with that subscription's generation (PROTOCOL P8).
func stampGeneration(msg paxos.Message, generation uint64) {
	switch m := msg.(type) {
	case *paxos.Append:
		m.Generation = generation
	case *paxos.Batch:
		m.Generation = generation
	case *paxos.Open:
		m.Generation = generation
	case *paxos.Admin:
		m.Generation = generation
	}
}

// receiveAnswer takes what came to the inbox of l: an answer, or the broker's 503.
func (t *Transport) receiveAnswer(l *link, m *nats.Msg) {
	env, err := l.readAnswer(m)
	switch {
	case err != nil:
		t.reject(l, m.Subject, err)
	case env.Msg.Kind() == paxos.KindNoResponders && l.young():
		t.count.suppressed.Add(1)
		t.event(Event{Kind: EventSuppressed, Conn: l.name, Subject: m.Subject})
	case t.answers != nil:
		t.answers(&env)
	}
}

// statusNoResponders is the broker's answer to a request that nobody listens for.
const statusNoResponders = "503"

// readAnswer decodes an answer and holds it to what the inbox subject says of the request (PROTOCOL N2: request number,
// sender and run; the run is in the subject).
func (l *link) readAnswer(m *nats.Msg) (paxos.Envelope, error) {
	q, err := l.inbox.parse(m.Subject)
	if err != nil {
		return paxos.Envelope{}, err
	}
	if m.Reply != "" {
		return paxos.Envelope{}, fmt.Errorf("%w: an answer never carries one", ErrReply)
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == statusNoResponders {
		return paxos.Envelope{Log: q.log, From: q.to, Request: q.request, Msg: &paxos.NoResponders{}}, nil
	}
	env, err := DecodeAnswer(m.Data)
	if err != nil {
		return env, err
	}
	switch {
	case env.Request != q.request:
		return env, fmt.Errorf("%w: number %d in the inbox of number %d", ErrStale, env.Request, q.request)
	case q.to != "" && env.From != q.to:
		return env, fmt.Errorf("%w: %q answers what %q was asked", ErrSender, env.From, q.to)
	case (env.Log == paxos.ProcessLog) != (q.log == paxos.ProcessLog):
		return env, fmt.Errorf("%w: %s answers what was asked of log %q", ErrKind, env.Msg.Kind(), q.log)
	}
	env.Log, env.Bulk = q.log, l.name == connBulk
	return env, nil
}
