package messaging

import "errors"

// Errors of decoding, encoding and sending. Each is matched by errors.Is; Reason gives the word that counters use.
var (
	// ErrSubject: the subject is not one of the protocol's, or has a token in a wrong place.
	ErrSubject = errors.New("not a subject of the protocol")
	// ErrUnknownKind: a kind that this build does not know. Dropping it is right (PROTOCOL Q6: for messages only).
	ErrUnknownKind = errors.New("unknown kind of message")
	// ErrMagic: the payload does not begin as a message of the protocol does.
	ErrMagic = errors.New("not a message of the protocol")
	// ErrVersion: a wire version or flag that this build does not know.
	ErrVersion = errors.New("unknown wire version")
	// ErrTruncated: shorter than its own lengths say.
	ErrTruncated = errors.New("truncated message")
	// ErrChecksum: the envelope's checksum, or an accept's, does not match.
	ErrChecksum = errors.New("checksum does not match")
	// ErrKind: the kind in the payload is not the subject's.
	ErrKind = errors.New("kind is not the subject's")
	// ErrGenesis: the genesis id is missing where it must be, or there where it must not be (PROTOCOL N1).
	ErrGenesis = errors.New("genesis id missing or out of place")
	// ErrSender: the name in the payload is not the subject's (PROTOCOL N1), or not who was asked (N2).
	ErrSender = errors.New("sender is not who the subject says")
	// ErrMalformed: the body does not parse, or breaks a rule of its message.
	ErrMalformed = errors.New("malformed message")
	// ErrTooLarge: past a limit of size or count.
	ErrTooLarge = errors.New("message past a limit")
	// ErrReply: a reply on a kind that never carries one, none where one is needed, or one to a place that is
	// not an allowed inbox (PROTOCOL N2).
	ErrReply = errors.New("reply subject not allowed")
	// ErrStale: an answer to an earlier run of this process, or to a request number that its subject does not name.
	ErrStale = errors.New("answer to another request")

	// ErrDisconnected: the message was dropped because there is no connection. Nothing is kept for later (PROTOCOL N5).
	ErrDisconnected = errors.New("not connected to the broker")
	// ErrQueueFull: the message was dropped because the outgoing queue is full.
	ErrQueueFull = errors.New("outgoing queue full")
	// ErrClosed: the transport was closed.
	ErrClosed = errors.New("transport closed")
	// ErrMaxPayload: the broker's max_payload is smaller than the logs need. Raise max_payload in the broker's
	// configuration.
	ErrMaxPayload = errors.New("the broker's max_payload is too small")
	// ErrConfig: the transport's configuration cannot work.
	ErrConfig = errors.New("transport configuration")
)

// reasons is in the order in which Reason asks.
var reasons = [...]struct {
	err  error
	word string
}{
	{ErrSubject, "subject"},
	{ErrUnknownKind, "unknown_kind"},
	{ErrMagic, "magic"},
	{ErrVersion, "version"},
	{ErrTruncated, "truncated"},
	{ErrChecksum, "checksum"},
	{ErrKind, "kind"},
	{ErrGenesis, "genesis"},
	{ErrSender, "sender"},
	{ErrTooLarge, "too_large"},
	{ErrReply, "reply"},
	{ErrStale, "stale"},
	{ErrMalformed, "malformed"},
	{ErrDisconnected, "disconnected"},
	{ErrQueueFull, "queue_full"},
	{ErrClosed, "closed"},
	{ErrMaxPayload, "max_payload"},
}

// Reason returns one word for err, fit for a metric's label: there are few of them and they do not depend on input.
func Reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return "other"
}

// Reasons returns every word that Reason may return.
func Reasons() []string {
	words := make([]string, 0, len(reasons)+1)
	for _, r := range reasons {
		words = append(words, r.word)
	}
	return append(words, "other")
}
