package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// leastSingle is how many single operations of each kind must have a known outcome, per minute: an order of few operations shows little.
const leastSingle = 100

// operate does one operation after the other on the second log: appends, conditional appends, questions for the last offset.
func (l *load) operate(ctx context.Context, number int) {
	name := fmt.Sprintf("single%d", number)
	cl, end, err := l.c.client(context.WithoutCancel(ctx))
	if err != nil {
		l.problem("%s: %v", name, err)
		return
	}
	defer end()
	log := cl.Log(logSingle)
	var last uint64
	for n := 1; ctx.Err() == nil; n++ {
		op := judge.Op{Client: number, Kind: judge.OpKind(1 + rand.IntN(3)), Payload: fmt.Sprintf("%s/%d", name, n)}
		if op.Kind == judge.OpExpect {
			op.Expect = last
		}
		if m := l.one(ctx, log, &op); m != nil {
			l.singles.Miss(m)
		} else {
			last = op.Offset
			l.singles.Known()
			l.single.Ack(name)
		}
		l.ops.Add(op)
		pause(ctx, time.Duration(20+rand.IntN(100))*time.Millisecond)
	}
}

// one carries an operation out. It returns a miss where the outcome is not the log's judgement.
func (l *load) one(ctx context.Context, log *client.Log, op *judge.Op) *judge.Miss {
	begin := time.Now()
	try, cancel := context.WithTimeout(context.WithoutCancel(ctx), impatience)
	defer cancel()
	op.Begin = time.Since(l.started)
	var err error
	if op.Kind == judge.OpLast {
		op.Offset, err = log.LastOffset(try)
		op.End, op.Done, op.Unknown = time.Since(l.started), err == nil, err != nil
		if err != nil {
			return &judge.Miss{Refused: true, Why: whyOf(err), Begin: begin, End: time.Now(), Text: err.Error()}
		}
		return nil
	}
	var opts []client.AppendOption
	if op.Kind == judge.OpExpect {
		opts = append(opts, client.ExpectLast(op.Expect))
	}
	ack, err := log.AppendBatch(try, []client.Entry{{Payload: payload(op.Payload)}}, opts...)
	op.End = time.Since(l.started)
	var e *client.Error
	switch {
	case err == nil:
		op.Done, op.Offset = true, ack.Offset
		return nil
	case op.Kind == judge.OpExpect && errors.Is(err, client.ErrConditionFailed) && errors.Is(err, client.ErrRefused) && errors.As(err, &e):
		op.Offset = e.Last
		return nil
	}
	m := missOf(begin, err)
	op.Refused, op.Unknown = m.Refused, !m.Refused
	return m
}

// enough demands that single operations went on for the whole of a cluster's life. A life of less than a minute may be one long fault.
func enough(ops *judge.Ops, lasted time.Duration, v *judge.Verdict) {
	if lasted < time.Minute {
		return
	}
	for kind, name := range map[judge.OpKind]string{
		judge.OpAppend: "appends", judge.OpExpect: "conditional appends", judge.OpLast: "questions for the last offset",
	} {
		if n := ops.Known(kind); float64(n) < leastSingle*lasted.Minutes() {
			v.Fail("log %s: only %d %s have a known outcome after %v", logSingle, n, name, lasted.Round(time.Second))
		}
	}
}
