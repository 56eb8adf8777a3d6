package client

import (
	"fmt"
	"math"
	"time"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Header is one header of an entry. Keys may repeat; order is kept.
type Header = paxos.Header

// Entry is one entry of a log. To append it, set Headers and Payload; the log gives the rest.
type Entry struct {
	Offset  uint64    // dense, from 1
	Time    time.Time // the log's stamp: it never goes back, and nothing else depends on it
	Headers []Header
	Payload []byte // an empty one is an empty entry
}

// Header returns the value of the first header with this key, or "".
func (e *Entry) Header(key string) string {
	for i := range e.Headers {
		if e.Headers[i].Key == key {
			return e.Headers[i].Value
		}
	}
	return ""
}

// Ack says where entries are in the log. They can no longer be lost.
type Ack struct {
	Offset    uint64    // of the first one; the others follow without a hole
	Count     int       // entries
	Time      time.Time // their stamp
	Duplicate bool      // the message id was known: these are the offsets of the entries that were appended with it
}

// Last returns the offset of the last entry.
func (a Ack) Last() uint64 { return a.Offset + uint64(a.Count) - 1 }

// frameSize returns what an entry takes of a batch, and checks that it may be appended at all.
func frameSize(op, log string, e *Entry) (int, error) {
	n := value.FrameSize(e.Headers, e.Payload)
	if n > paxos.MaxEntryBytes {
		return 0, &Error{Op: op, Log: log, Class: ErrRefused, Reason: ErrTooLarge, Text: fmt.Sprintf(
			"the entry has %d bytes with its headers, a log takes %d at most", n, paxos.MaxEntryBytes)}
	}
	if len(e.Headers) > math.MaxUint16 {
		return 0, invalid(op, log, "the entry has %d headers, at most %d are possible", len(e.Headers), math.MaxUint16)
	}
	for i := range e.Headers {
		if len(e.Headers[i].Key) > math.MaxUint16 {
			return 0, invalid(op, log, "a header's key has %d bytes, at most %d are possible", len(e.Headers[i].Key), math.MaxUint16)
		}
	}
	return n, nil
}

func timeOf(s paxos.Stamp) time.Time { return time.Unix(0, int64(s)) }
