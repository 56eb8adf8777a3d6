package messaging

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// Headers of plain appends and their answers. On the wire: never change, only add.
const (
	HeaderMessageID    = "Nats-Msg-Id"                 // at most one; the entry's message id
	HeaderExpectedLast = "Nats-Expected-Last-Sequence" // append only if this is the last offset
	HeaderGenesis      = "Paxosd-Genesis"              // answer: the log's identity (PROTOCOL P9)
	HeaderChecksum     = "Paxosd-Checksum"             // answer: checksum of the batch that the entry became
	HeaderError        = "Nats-Service-Error"          // answer: text
	HeaderErrorCode    = "Nats-Service-Error-Code"     // answer: Outcome.Wire or ReadOutcome.Wire
)

// reservedPrefix is NATS's own namespace of headers, compared without regard to case: "nats-msg-id", which a
// broker would pass over, is told to its author instead.
const reservedPrefix = "nats-"

// informative lists the Nats- headers that ask for nothing: what republished, mirrored or traced messages carry. Every other one
// is refused, known or not, because a header that asks for something must not be silently ignored.
var informative = map[string]bool{
	"Nats-Stream": true, "Nats-Subject": true, "Nats-Sequence": true, "Nats-Last-Sequence": true, "Nats-Time-Stamp": true,
	"Nats-Num-Pending": true, "Nats-Msg-Size": true, "Nats-Stream-Source": true,
	"Nats-Service-Error": true, "Nats-Service-Error-Code": true,
}

// RefusedHeader says which header of a plain append cannot be obeyed, and why.
type RefusedHeader struct {
	Key    string
	Reason string
}

// Error makes RefusedHeader an error; its text is the answer's.
func (e *RefusedHeader) Error() string { return fmt.Sprintf("header %s: %s", e.Key, e.Reason) }

// parseHeaders sorts out the headers of a plain append: those that control it go into m's fields, the rest are kept. A
// nats.Header is a map, so the order in which keys arrived is lost; keys are kept in byte order, the values of one in the order of arrival.
func parseHeaders(h nats.Header, m *paxos.Append) error {
	if len(h) == 0 {
		return nil
	}
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := parseHeader(k, h[k], m); err != nil {
			return err
		}
	}
	return nil
}

func parseHeader(key string, values []string, m *paxos.Append) error {
	switch {
	case key == HeaderMessageID:
		return parseMessageID(values, m)
	case key == HeaderExpectedLast:
		return parseExpectedLast(values, m)
	case isReserved(key) && !informative[key]:
		return &RefusedHeader{key, "a log cannot obey it; of the Nats- headers, " + HeaderMessageID + " and " + HeaderExpectedLast + " work"}
	}
	for _, v := range values {
		m.Headers = append(m.Headers, paxos.Header{Key: key, Value: v})
	}
	return nil
}

func isReserved(key string) bool {
	return len(key) >= len(reservedPrefix) && strings.EqualFold(key[:len(reservedPrefix)], reservedPrefix)
}

func parseMessageID(values []string, m *paxos.Append) error {
	if len(values) != 1 || values[0] == "" {
		return &RefusedHeader{HeaderMessageID, "want exactly one, not empty"}
	}
	if len(values[0]) > paxos.MaxMessageIDBytes {
		return &RefusedHeader{HeaderMessageID, fmt.Sprintf("%d bytes, at most %d", len(values[0]), paxos.MaxMessageIDBytes)}
	}
	m.MessageID = values[0]
	return nil
}

func parseExpectedLast(values []string, m *paxos.Append) error {
	if len(values) != 1 {
		return &RefusedHeader{HeaderExpectedLast, "want exactly one"}
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	if err != nil {
		return &RefusedHeader{HeaderExpectedLast, fmt.Sprintf("%.32q is no offset", values[0])}
	}
	m.Expect, m.HasExpect = paxos.Offset(n), true
	return nil
}
