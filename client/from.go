package client

import (
	"fmt"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// From says where a subscription begins.
type From struct {
	kind   fromKind
	offset uint64
	time   time.Time
}

type fromKind uint8

const (
	fromFirst fromKind = iota
	fromNext
	fromOffset
	fromTime
)

// First begins at the first entry that the log has.
func First() From { return From{kind: fromFirst} }

// Next begins after the last entry of the moment of subscribing: with what is appended from then on.
func Next() From { return From{kind: fromNext} }

// Offset begins at this offset; 1 is the first. A subscription from an offset that is not there yet waits for it.
func Offset(n uint64) From { return From{kind: fromOffset, offset: n} }

// Time begins at the first entry whose Time is at or after t.
func Time(t time.Time) From { return From{kind: fromTime, time: t} }

// String says it as people write it.
func (f From) String() string {
	switch f.kind {
	case fromFirst:
		return "first"
	case fromNext:
		return "next"
	case fromTime:
		return f.time.Format(time.RFC3339Nano)
	case fromOffset:
	}
	return fmt.Sprint(f.offset)
}

// stamp returns the time as the log has it. A time before the epoch begins at the first entry.
func (f From) stamp() paxos.Stamp { return paxos.Stamp(max(f.time.UnixNano(), 1)) }
