package messaging

import "github.com/paxosd/paxosd/paxos"

// Class is what an outcome means to a caller.
type Class uint8

// Classes. Refused may be said only as PROTOCOL P6 allows: the client knows what else it has sent.
const (
	ClassNone    Class = iota // never told to a caller
	ClassDone                 // it is as asked: in the log, opened, answered
	ClassRefused              // certainly not in the log by this request
	ClassUnknown              // only a retry under the same producer sequence, or message id, is safe
	ClassGone                 // dropped by retention, for ever
	ClassRetry                // a read: ask another learner, or later
)

// String returns the class's word.
func (c Class) String() string {
	switch c {
	case ClassDone:
		return "done"
	case ClassRefused:
		return "refused"
	case ClassUnknown:
		return "unknown"
	case ClassGone:
		return "gone"
	case ClassRetry:
		return "retry"
	case ClassNone:
	}
	return "none"
}

// Outcome is one row of the table of outcomes. On the wire: never change Wire, only add.
type Outcome struct {
	Code  paxos.Code
	Wire  int // Nats-Service-Error-Code; HTTP's meaning where there is one
	Class Class
	Text  string // for people, where the answer has none of its own: what it is, and what to do
}

var outcomes = [...]Outcome{
	{paxos.CodeAppended, 200, ClassDone, "appended"},
	{paxos.CodeOpened, 201, ClassDone, "session opened"},
	{paxos.CodeCommandDone, 202, ClassDone, "command done"},
	{paxos.CodeTail, 204, ClassDone, "last offset"},
	{paxos.CodeDuplicate, 208, ClassDone, "duplicate: it is in the log already"},
	{paxos.CodeConditionFails, 400, ClassRefused, "wrong last sequence"},
	{paxos.CodeCommandRefused, 403, ClassRefused, "command refused"},
	{paxos.CodeMalformed, 406, ClassRefused, "malformed request"},
	{paxos.CodeHole, 409, ClassRefused, "batch out of sequence: send the missing ones first"},
	{paxos.CodeMismatch, 412, ClassRefused, "another batch has this sequence number"},
	{paxos.CodeTooLarge, 413, ClassRefused, "larger than the log's limit: split it"},
	{paxos.CodeHoleFar, 416, ClassRefused, "batch too far out of sequence"},
	{paxos.CodeNotLeader, 421, ClassRefused, "not the leader: send it again"},
	{paxos.CodeForgotten, 425, ClassUnknown, "duplicate whose outcome is no longer kept"},
	{paxos.CodeOverloaded, 429, ClassRefused, "overloaded: send it again later"},
	{paxos.CodeHeader, 431, ClassRefused, "a Nats- header that a log cannot obey"},
	{paxos.CodeExpired, 440, ClassUnknown, "session expired: what became of earlier sends is unknown"},
	{paxos.CodeUnknown, 504, ClassUnknown, "outcome unknown: only a retry with the same message id or producer sequence is safe"},
	{paxos.CodeUpgrade, 505, ClassRefused, "the log needs a newer version of paxosd: upgrade the proposers"},
	{paxos.CodeFull, 507, ClassRefused, "the acceptors lack disk space"},
}

// OutcomeOf returns the row of a code; ok is false for one that is never answered.
func OutcomeOf(c paxos.Code) (o Outcome, ok bool) {
	for i := range outcomes {
		if outcomes[i].Code == c {
			return outcomes[i], true
		}
	}
	return Outcome{}, false
}

// OutcomeByWire returns the row of a Nats-Service-Error-Code of an append.
func OutcomeByWire(wire int) (o Outcome, ok bool) {
	for i := range outcomes {
		if outcomes[i].Wire == wire {
			return outcomes[i], true
		}
	}
	return Outcome{}, false
}

// Outcomes returns the whole table, in the order of wire codes.
func Outcomes() []Outcome { return append([]Outcome(nil), outcomes[:]...) }

// answerable reports whether anyone is ever answered with c.
func answerable(c paxos.Code) bool {
	_, ok := OutcomeOf(c)
	return ok
}

// ReadOutcome is one row of the table of reads. On the wire: never change Wire, only add.
type ReadOutcome struct {
	Code  paxos.ReadCode
	Wire  int // Nats-Service-Error-Code of a get; 0: no error
	Class Class
	Text  string
}

var readOutcomes = [...]ReadOutcome{
	{paxos.ReadOK, 0, ClassDone, "entries"},
	{paxos.ReadIdle, 0, ClassDone, "nothing new"},
	{paxos.ReadUnknown, 404, ClassRetry, "this learner does not know the log"},
	{paxos.ReadGone, 410, ClassGone, "dropped by retention"},
	{paxos.ReadElsewhere, 421, ClassRetry, "this learner begins later: ask another"},
	{paxos.ReadBusy, 429, ClassRetry, "too many readers: ask another learner, or later"},
	{paxos.ReadStopped, 503, ClassRetry, "this learner stops: ask another"},
}

// ReadOutcomeOf returns the row of a read code.
func ReadOutcomeOf(c paxos.ReadCode) (o ReadOutcome, ok bool) {
	for i := range readOutcomes {
		if readOutcomes[i].Code == c {
			return readOutcomes[i], true
		}
	}
	return ReadOutcome{}, false
}

// ReadOutcomes returns the whole table of reads.
func ReadOutcomes() []ReadOutcome { return append([]ReadOutcome(nil), readOutcomes[:]...) }
