package client

import (
	"context"
	"errors"
	"time"

	"github.com/paxosd/paxosd/client/stream"
	"github.com/paxosd/paxosd/paxos"
)

// askLastAfter is how long Get waits for a learner before it asks the log whether the offset is there at all.
const askLastAfter = 100 * time.Millisecond

// Get returns the entry at one offset, from 1. Unlike Subscribe it does not wait for one that is not there: ErrBeyondLast. A learner that is
// behind is waited for.
func (l *Log) Get(ctx context.Context, offset uint64) (Entry, error) {
	if offset == 0 {
		return Entry{}, invalidRead(l.name, "offset 0: offsets begin at 1")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s, err := l.subscribe(ctx, stream.Start{From: paxos.Offset(offset)}, 1)
	if err != nil {
		return Entry{}, err
	}
	defer s.close()
	late := time.AfterFunc(askLastAfter, func() { l.c.background(func(context.Context) { l.deny(ctx, cancel, offset) }) })
	defer late.Stop()
	var entry Entry
	s.deliver(ctx, offset, func(e Entry, e2 error) bool {
		entry, err = e, e2
		return false
	})
	var beyond *Error
	if err != nil && errors.As(context.Cause(ctx), &beyond) {
		return Entry{}, beyond
	}
	return entry, err
}

// deny ends a Get whose offset the log does not have.
func (l *Log) deny(ctx context.Context, cancel context.CancelCauseFunc, offset uint64) {
	if last, err := l.LastOffset(ctx); err == nil && last < offset {
		cancel(&Error{Op: opRead, Log: l.name, Reason: ErrBeyondLast, Last: last})
	}
}
