package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// produce appends with the SDK, several entries on their way at a time, until ctx ends; it waits for the last results until ending does. A
// producer that came to an end is followed by another, with another name: what is unknown of the first may appear later than what the
// second appends.
func (l *load) produce(ctx, ending context.Context, name string, outcomes *judge.Outcomes, deadline time.Duration) {
	cl, end, err := l.c.client(ending)
	if err != nil {
		l.problem("%s: %v", name, err)
		return
	}
	defer end()
	for life := 1; ctx.Err() == nil; life++ {
		p, err := cl.Log(logMain).Producer(ctx, client.StopOnError(), client.DeliveryTimeout(deadline))
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		(&producing{load: l, p: p, outcomes: outcomes, who: name}).run(ctx, ending, fmt.Sprintf("%s.%d", name, life))
	}
}

// producing is the life of one producer: to its first failure, which stops it.
type producing struct {
	*load
	p        *client.Producer
	outcomes *judge.Outcomes
	who      string
	first    *judge.Miss // all later ones come of it
}

func (p *producing) run(ctx, ending context.Context, name string) {
	untaken := func() {} // notes the entry that Append did not take, after what it took
	for n := 1; ctx.Err() == nil; n++ {
		entry, begin := fmt.Sprintf("%s/%d", name, n), time.Now()
		p.main.Try(entry)
		err := p.p.Append(ctx, client.Entry{Payload: payload(entry)}, func(a client.Ack, err error) {
			if err != nil {
				p.missed(entry, begin, err)
				return
			}
			p.main.Ack(entry, a.Offset)
			p.outcomes.Known()
			p.gaps.Ack(p.who)
		})
		if err != nil {
			untaken = func() { p.missed(entry, begin, err) }
			break
		}
		if n%4 == 0 {
			pause(ctx, 80*time.Millisecond)
		}
	}
	last, cancel := context.WithTimeout(ending, patience)
	defer cancel()
	_ = p.p.Close(last) // each entry is told its result
	untaken()
}

// missed notes an entry that was not acknowledged. It is not called concurrently. What was in the first failure's batch, and all that
// the producer gave up because of it, has the same reason.
func (p *producing) missed(entry string, begin time.Time, err error) {
	m := missOf(begin, err)
	switch {
	case p.first == nil:
		p.first = m
	case errors.Is(err, client.ErrStopped), m.Why == p.first.Why:
		m.Why, m.Begin, m.End = p.first.Why, p.first.Begin, p.first.End
	}
	if m.Refused {
		p.main.Refuse(entry)
	} else {
		p.main.Unknown(entry)
	}
	p.outcomes.Miss(m)
}

// missOf sorts an append's error by what it says of the entry, and why.
func missOf(begin time.Time, err error) *judge.Miss {
	m := &judge.Miss{Begin: begin, End: time.Now(), Refused: errors.Is(err, client.ErrRefused), Text: err.Error()}
	if m.Refused == errors.Is(err, client.ErrUnknown) {
		m.Refused = false // it says both or neither: what is known is nothing
		return m
	}
	m.Why = whyOf(err)
	return m
}

// whyOf returns why an operation ended without an acknowledgement.
func whyOf(err error) judge.Why {
	switch {
	case isOneOf(err, client.ErrConditionFailed, client.ErrTooLarge, client.ErrSession, client.ErrStopped, client.ErrUpgrade, client.ErrMalformed,
		client.ErrUnknownLog, client.ErrForeignAnswer, client.ErrInvalid, client.ErrRefounded):
		return judge.WhyOther
	case errors.Is(err, client.ErrExpired):
		return judge.WhyExpired
	case isOneOf(err, client.ErrClosed, context.Canceled):
		return judge.WhyEnded
	default: // overloaded, full, no leader, no learner, or no answer, until the deadline
		return judge.WhyDeadline
	}
}

func isOneOf(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// producePlain appends with requests and message ids, each tried until it is acknowledged: the last one until ending ends, too.
func (l *load) producePlain(ctx, ending context.Context, name string) {
	nc, err := l.c.connect()
	if err != nil {
		l.problem("%s: %v", name, err)
		return
	}
	defer nc.Close()
	for n := 1; ctx.Err() == nil; n++ {
		entry := fmt.Sprintf("%s/%d", name, n)
		l.main.Try(entry)
		if err := l.insist(ending, nc, name, entry); err != nil {
			l.problem("%s: %v", entry, err)
			return
		}
		pause(ctx, 40*time.Millisecond)
	}
}

// insist appends an entry, however often it takes.
func (l *load) insist(ending context.Context, nc *nats.Conn, name, entry string) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ending, patience)
	defer cancel()
	for ctx.Err() == nil {
		offset, err := appendPlain(ctx, nc, entry)
		if err != nil {
			return err
		}
		if offset > 0 {
			l.main.Ack(entry, offset)
			l.plain.Known()
			l.gaps.Ack(name)
			return nil
		}
		pause(ctx, 20*time.Millisecond)
	}
	l.main.Unknown(entry)
	l.plain.Miss(&judge.Miss{Why: judge.WhyDeadline, Begin: begin, End: time.Now(), Text: entry + " was never acknowledged"})
	return nil
}

// triedAgain reports whether a client tries again after an answer to a plain append: not the leader, overloaded, outcome unknown, no
// disk space.
func triedAgain(code int) bool { return code == 421 || code == 429 || code == 504 || code == 507 }

// appendPlain tries once to append an entry with its name as message id; 0: it was not acknowledged. An error says that it was answered as
// nobody may be.
func appendPlain(ctx context.Context, nc *nats.Conn, entry string) (offset uint64, err error) {
	m := nats.NewMsg("paxos.main." + logMain + ".append")
	m.Data = payload(entry)
	m.Header.Set("Nats-Msg-Id", entry)
	try, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := nc.RequestMsgWithContext(try, m)
	if err != nil {
		return 0, nil // nobody answered
	}
	return answerOf(r)
}

// answerOf reads the answer to a plain append.
func answerOf(r *nats.Msg) (offset uint64, err error) {
	if text := r.Header.Get("Nats-Service-Error"); text != "" {
		code := r.Header.Get("Nats-Service-Error-Code")
		if n, err := strconv.Atoi(code); err != nil || !triedAgain(n) {
			return 0, fmt.Errorf("answered with error %s: %s", code, text)
		}
		return 0, nil
	}
	var a struct {
		Offset uint64 `json:"offset"`
	}
	if err := json.Unmarshal(r.Data, &a); err != nil || a.Offset == 0 {
		return 0, fmt.Errorf("answered with %q, which is no acknowledgement: %w", r.Data, errors.Join(err, errNoOffset))
	}
	return a.Offset, nil
}

var errNoOffset = errors.New("it has no offset")
