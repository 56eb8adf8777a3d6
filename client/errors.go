package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// Classes of errors: what is known of the entries. Every error of an append matches exactly one of the first two.
var (
	// ErrRefused: the entries are certainly not in the log, and never will be by this call. What to do is in the reason.
	ErrRefused = errors.New("refused")

	// ErrUnknown: the entries may be in the log, or appear there yet: the answer did not come in time. Appending them again may
	// append them twice, unless they carry a message id (WithMessageID).
	ErrUnknown = errors.New("outcome unknown")

	// ErrGone: what was asked for was dropped by retention. Error.First is the first offset that is left.
	ErrGone = errors.New("gone")
)

// Reasons. Each says when it occurs, and what the caller does next.
var (
	// ErrConditionFailed: the log's last offset was not the expected one; Error.Last is the real one. Read up to it, then decide.
	ErrConditionFailed = errors.New("condition failed")

	// ErrTooLarge: an entry, or all entries of one Append together, are larger than the log takes. Split them.
	ErrTooLarge = errors.New("too large")

	// ErrOverloaded: the leader's queue, or the producer's buffer, stayed full until the deadline. Try again later, with less at a time.
	ErrOverloaded = errors.New("overloaded")

	// ErrFull: the acceptors lack disk space until an operator acts; the text names what lags. Try again later.
	ErrFull = errors.New("disk full")

	// ErrNoLeader: no leader took the entries until the deadline, or the broker was not there. Try again later.
	ErrNoLeader = errors.New("no leader")

	// ErrNoLearner: no learner of the cluster answers, so that nothing can be found out or read. Check the cluster's name and the
	// subject prefix, then that the cluster runs.
	ErrNoLearner = errors.New("no learner answers")

	// ErrExpired: the log had ended the producer session before the answer came; what became of the entries cannot be found
	// out any more, except by reading. The next append uses a new session.
	ErrExpired = errors.New("producer session expired")

	// ErrSession: the log judged another batch under this one's number. It does not happen unless somebody else uses the session.
	ErrSession = errors.New("producer session used by somebody else")

	// ErrStopped: an earlier entry of this producer failed, and the producer stops at the first failure. Entries after it
	// fail with that one's class.
	ErrStopped = errors.New("producer stopped at an earlier failure")

	// ErrUpgrade: the log needs a newer version of the proposers. Upgrade them; nothing else helps.
	ErrUpgrade = errors.New("upgrade needed")

	// ErrMalformed: the leader could not read the request. Client and cluster do not understand each other: compare their versions.
	ErrMalformed = errors.New("malformed")

	// ErrUnknownLog: learners answer, and none of them knows the log. Check its name; add it to the configuration to found it.
	ErrUnknownLog = errors.New("unknown log")

	// ErrForeignAnswer: something that is not the log's leader answered an append. A stream or a responder sits on the log's subjects:
	// `paxosd doctor` finds it.
	ErrForeignAnswer = errors.New("foreign answer")

	// ErrBeyondLast: the offset is above the log's last one; Error.Last is that. Subscribe waits for it, Get does not.
	ErrBeyondLast = errors.New("beyond the last offset")

	// ErrInvalid: an argument cannot work. The text says which; nothing was sent.
	ErrInvalid = errors.New("invalid argument")

	// ErrRefounded: the log was founded anew, as another one under the same name: the cluster was set up again. What the call knew of
	// offsets, sessions or message ids means nothing there. Begin again.
	ErrRefounded = errors.New("log founded anew")

	// ErrClosed: the client, the producer or the connection was closed.
	ErrClosed = errors.New("closed")
)

// Error is what calls of this package return. Match it with errors.Is against a class, a reason, or a context's error; get
// at First and Last with errors.As.
type Error struct {
	Op     string // what was done: "append to", "read"
	Log    string
	Class  error  // ErrRefused, ErrUnknown, ErrGone; nil where nothing was to be appended or read
	Reason error  // nil: only time ran out
	Cause  error  // the context's error, the connection's
	First  uint64 // with ErrGone: the first offset left
	Last   uint64 // with ErrConditionFailed and ErrBeyondLast: the log's last offset
	Text   string // what a server said of it
}

// Error says what was done, what is known, and why.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Log != "" {
		fmt.Fprintf(&b, " log %q", e.Log)
	}
	for _, err := range []error{e.Class, e.Reason} {
		if err != nil {
			b.WriteString(": " + err.Error())
		}
	}
	switch {
	case errors.Is(e.Class, ErrGone) && e.First > 0:
		fmt.Fprintf(&b, ", the first offset is %d", e.First)
	case errors.Is(e.Reason, ErrConditionFailed), errors.Is(e.Reason, ErrBeyondLast):
		fmt.Fprintf(&b, ", the last offset is %d", e.Last)
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	return b.String()
}

// Unwrap makes class, reason and cause match by errors.Is.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 3)
	for _, err := range []error{e.Class, e.Reason, e.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Retryable reports whether doing the same again may succeed and cannot append anything twice: what was refused for now, and
// reads that met nobody. An append whose outcome is unknown is not among them.
func Retryable(err error) bool {
	if err == nil || errors.Is(err, ErrUnknown) || errors.Is(err, ErrGone) || errors.Is(err, ErrClosed) ||
		errors.Is(err, context.Canceled) {
		return false
	}
	for _, reason := range []error{ErrOverloaded, ErrFull, ErrNoLeader, ErrNoLearner} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// reasonOf returns the reason that stands for a leader's or the sequencer's code; nil where time only ran out.
func reasonOf(c paxos.Code) error {
	switch c {
	case paxos.CodeConditionFails:
		return ErrConditionFailed
	case paxos.CodeTooLarge:
		return ErrTooLarge
	case paxos.CodeOverloaded:
		return ErrOverloaded
	case paxos.CodeFull:
		return ErrFull
	case paxos.CodeNotLeader:
		return ErrNoLeader
	case paxos.CodeExpired, paxos.CodeForgotten:
		return ErrExpired
	case paxos.CodeMismatch:
		return ErrSession
	case paxos.CodeUpgrade:
		return ErrUpgrade
	case paxos.CodeMalformed, paxos.CodeHeader, paxos.CodeCommandRefused:
		return ErrMalformed
	default:
		return nil
	}
}

// invalid returns the error for an argument that cannot work.
func invalid(op, log, format string, args ...any) *Error {
	return &Error{Op: op, Log: log, Class: ErrRefused, Reason: ErrInvalid, Text: fmt.Sprintf(format, args...)}
}

// withoutClass is for calls that append nothing: their errors say nothing of entries.
func withoutClass(err error) error {
	var e *Error
	if errors.As(err, &e) && !errors.Is(e.Class, ErrGone) {
		e.Class = nil
	}
	return err
}
