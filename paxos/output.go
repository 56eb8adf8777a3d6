package paxos

import "fmt"

// RecordKind says what a Record changes in a store.
type RecordKind uint8

// Kinds of records. Stores map them to keys of their own; the numbers are not stored.
const (
	RecordState      RecordKind = iota + 1 // State, Body (the genesis record; may be nil if already stored), Epoch with LogRetired
	RecordPromise                          // Ballot
	RecordVote                             // Slot, Ballot, Checksum, Value; raises the promise to Ballot in the same write (PROTOCOL A3)
	RecordTrim                             // Slot is T: forget every vote at or below it, in one atomic batch with T itself (PROTOCOL A4)
	RecordChosen                           // Slot, Ballot, Value, Body (what the learner knows of it), First and Last offset, Hash, Stamp
	RecordCheckpoint                       // Slot is the mark, Body the sequencer's state after it, Hash the running hash at it
	RecordForget                           // drop checkpoints below Slot
	RecordDiverged                         // this learner's copy contradicts the log; never serve it again. Text says how
)

// Record is one durable change that a core asks its store for. The store writes the records of an Output in order, as one
// atomic batch, and keeps no reference to their slices after it returns.
type Record struct {
	Kind     RecordKind
	Log      string
	Genesis  GenesisID
	Slot     Slot
	Ballot   Ballot
	Checksum Checksum
	Value    []byte
	Body     []byte
	State    LogState
	Epoch    Epoch
	First    Offset // first offset of the slot's entries; Last+1 where it has none
	Last     Offset // last offset of the log after the slot
	Hash     Hash
	Stamp    Stamp
	Text     string
}

// Output is what a core asks of its service after a step. The service fills no field; it may reuse the Output after Reset.
//
// The order of durability is in the type: Now may leave at once; After may leave only when Records, and
// the Records of every earlier Output of the same core, are durable (PROTOCOL A1).
type Output struct {
	Records []Record
	Now     []Envelope
	After   []Envelope
	Events  []Event
}

// Reset empties o and keeps its memory. References to payloads are dropped.
func (o *Output) Reset() {
	clear(o.Records)
	clear(o.Now)
	clear(o.After)
	clear(o.Events)
	o.Records, o.Now, o.After, o.Events = o.Records[:0], o.Now[:0], o.After[:0], o.Events[:0]
}

// Event tells the observer (metrics, log lines) what happened in a core. It never steers anything.
type Event struct {
	Kind   EventKind
	Log    string
	Slot   Slot
	Ballot Ballot
	Name   string // the other party, if any
	N      int64  // a count, bytes or nanoseconds, as the kind says
	Text   string
}

// EventKind names what happened. Each is a metric, a log line or both.
type EventKind uint8

// Events.
const (
	EventPhase           EventKind = iota + 1 // N is the Phase; Text says why. One log line per change
	EventElection                             // a candidacy began
	EventTermStart                            // the leader's term start is sequenced: appends are taken
	EventResigned                             // Text says why
	EventPromiseRefused                       // acceptor: a prepare refused
	EventAcceptRefused                        // acceptor: an accept refused; Text says why
	EventRetransmit                           // an accept sent again
	EventGapRepaired                          // N slots came by fetch; Name is the source; Ballot: of a read quorum's highest vote (L4)
	EventChosen                               // N is nanoseconds from proposal to chosen, at the leader
	EventComposed                             // N is the value's bytes; Slot
	EventDuplicate                            // a duplicate batch answered from its outcome
	EventDropped                              // a message was of no use; Text says why: stale, foreign, unknown member, full buffer
	EventDiverged                             // PROTOCOL L5; Text has both hashes
	EventUpgrade                              // PROTOCOL Q6
	EventStable                               // Slot is the new stable mark
	EventTrimmed                              // acceptor: T is now Slot
	EventAsked                                // a standby asks the acceptors (PROTOCOL P7); Text says why
	EventAdopted                              // a candidate proposes a reported value again
	EventHoleFilled                           // a candidate fills a hole with a no-op
	EventGenesis                              // a step of founding; Text says which
	EventExcluded                             // A9: a store proved to go back or to exist twice; Name
	EventFull                                 // K5: the high-water mark was passed (N=1) or left (N=0)
	EventClock                                // Q5: does not stand; N is the difference in nanoseconds
	EventRecordsReported                      // a keeper's report was sent for Slot
	EventQueued                               // N is nanoseconds from the arrival of a slot's oldest request until its accept left
	EventVoted                                // N is nanoseconds from then until a write quorum's votes were counted
	EventAnswered                             // N is nanoseconds from then until the slot's answers left; from a core, the Instant when it was chosen
	EventSynced                               // acceptor: N is nanoseconds from an accept's arrival until its vote, durable, left
)

// Violation is a broken safety invariant. It ends the process: going on could corrupt the log.
type Violation struct{ Text string }

// Error makes Violation an error.
func (v *Violation) Error() string { return "safety invariant violated: " + v.Text }

// Violated panics with a *Violation. Services do not recover from it; main prints it and exits.
func Violated(format string, args ...any) {
	panic(&Violation{Text: fmt.Sprintf(format, args...)})
}

// Assert panics with a *Violation unless ok. Keep format arguments cheap: they are evaluated always.
func Assert(ok bool, format string, args ...any) {
	if !ok {
		Violated(format, args...)
	}
}
