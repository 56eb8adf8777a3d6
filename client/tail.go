package client

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Pauses of asking for the tail, as a session has them.
const (
	tailResend    = 250 * time.Millisecond
	tailResendMax = 2 * time.Second
	tailRetry     = 10 * time.Millisecond
	tailRetryMax  = 250 * time.Millisecond
)

// LastOffset returns the log's last offset, 0 for an empty log. It is linearizable: every entry that was acknowledged before the
// call is at or below it. For that an empty batch goes through the log; it takes as long as an append.
func (l *Log) LastOffset(ctx context.Context) (uint64, error) {
	k, err := l.resolve(ctx, opLast)
	if err != nil {
		return 0, withoutClass(err)
	}
	t := tail{log: l, genesis: k.genesis, in: make(chan tailAnswer, 1)}
	b := value.Batch{Tail: true}
	t.wire = value.EncodeBatch(nil, &b)
	t.sum = b.Checksum
	if t.end, err = l.c.attach(t.onAnswer); err != nil {
		return 0, &Error{Op: opLast, Log: l.name, Reason: ErrClosed}
	}
	defer l.c.detach(t.end)
	last, err := t.run(ctx)
	if err != nil {
		l.doubt(k)
	}
	return last, err
}

// tail is one question for the last offset. It may be asked any number of times: whichever answer comes first is right.
type tail struct {
	log     *Log
	genesis paxos.GenesisID
	wire    []byte
	sum     paxos.Checksum
	end     uint64
	request uint64
	buf     []byte
	in      chan tailAnswer
}

type tailAnswer struct {
	none    bool // a 503
	foreign bool
	m       *paxos.BatchAnswer
}

// onAnswer is the endpoint. An answer that does not fit in is one of several.
func (t *tail) onAnswer(request uint64, msg *nats.Msg) {
	a := tailAnswer{none: nobody(msg)}
	if !a.none {
		m, ok := answerTo(msg, request, t.genesis).(*paxos.BatchAnswer)
		if a.m = m; !ok || m.Checksum != t.sum {
			t.log.c.cfg.foreign(msg.Subject)
			a.foreign = true
		}
	}
	select {
	case t.in <- a:
	default:
	}
}

// run asks until it is answered: again when a leader announces itself, after a pause when nobody leads, after a longer one in silence.
func (t *tail) run(ctx context.Context) (uint64, error) {
	err := &Error{Op: opLast, Log: t.log.name, Reason: ErrNoLeader}
	retry, resend := tailRetry, tailResend
	timer := time.NewTimer(resend)
	defer timer.Stop()
	changed, leader := t.log.change()
	t.ask(leader)
	for {
		select {
		case <-ctx.Done():
			err.Cause = ctx.Err()
			return 0, err
		case <-t.log.c.ctx.Done():
			err.Reason = ErrClosed
			return 0, err
		case <-changed:
			changed, leader = t.log.change()
			retry, resend = tailRetry, tailResend
			t.ask(leader)
			timer.Reset(resend)
		case <-timer.C:
			// Silence: whoever led may lead no more. Any leader may answer.
			t.ask(paxos.Ballot{})
			timer.Reset(resend)
			resend = min(2*resend, tailResendMax)
		case a := <-t.in:
			switch {
			case a.foreign:
				err.Reason = ErrForeignAnswer
				continue
			case a.m != nil && a.m.Code == paxos.CodeTail:
				return uint64(a.m.Last), nil
			case a.m != nil:
				err.Text = a.m.Text
				if r := reasonOf(a.m.Code); r != nil {
					err.Reason = r
				}
			}
			timer.Reset(retry)
			retry = min(2*retry, tailRetryMax)
		}
	}
}

func (t *tail) ask(leader paxos.Ballot) {
	t.request++
	env := paxos.Envelope{
		Log: t.log.name, Genesis: t.genesis, Request: t.request, Bulk: true, Msg: &paxos.Batch{Ballot: leader, Batch: t.wire},
	}
	// What cannot be published is asked again when nobody answers.
	t.buf, _ = t.log.c.publish(t.buf, &env, t.end)
}
