package judge

import (
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// OpKind is what an operation on a log does.
type OpKind uint8

// Kinds of operations.
const (
	OpAppend OpKind = iota + 1 // appends one entry
	OpExpect                   // appends one entry if the last offset is Expect
	OpLast                     // asks for the last offset
)

// Op is an operation of a client. Appends have a payload that nobody else appends.
type Op struct {
	Client  int
	Kind    OpKind
	Expect  uint64
	Payload string
	Begin   time.Duration // since a moment that is the same for all
	End     time.Duration

	// The outcome: Unknown; or Refused, for a reason that has nothing to do with the log; or for appends Done with Offset, or not
	// Done, with Offset the real last one of a condition that failed; for OpLast, Offset.
	Unknown bool
	Refused bool
	Done    bool
	Offset  uint64
}

// Ops collects operations. It is safe for concurrent use.
type Ops struct {
	mu  sync.Mutex
	all []Op
}

// Add adds an operation that has ended, or was given up.
func (o *Ops) Add(op Op) {
	o.mu.Lock()
	o.all = append(o.all, op)
	o.mu.Unlock()
}

// Len returns how many operations there are.
func (o *Ops) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.all)
}

// Known returns how many operations of a kind have a known outcome.
func (o *Ops) Known(kind OpKind) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for i := range o.all {
		if op := &o.all[i]; op.Kind == kind && !op.Unknown && !op.Refused {
			n++
		}
	}
	return n
}

// Linear reports whether there is an order of the operations, each at an instant between its beginning and its end, that explains every
// outcome and ends in this log. checked says how many operations took part; an error says that there is no order, or that none was
// found in time.
func (o *Ops) Linear(log []string, limit time.Duration) (checked int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := make(map[string]uint64, len(log))
	for i, p := range log {
		at[p] = uint64(i + 1)
	}
	var end time.Duration
	for i := range o.all {
		end = max(end, o.all[i].End)
	}
	var ops []porcupine.Operation
	if err := o.contents(log, at); err != nil {
		return 0, err
	}
	for _, op := range o.all {
		if settled(&op, at, end+1) {
			ops = append(ops, porcupine.Operation{
				ClientId: op.Client, Input: op, Call: int64(op.Begin), Output: op, Return: int64(op.End),
			})
		}
	}
	// The log's end is an answer that everybody would get afterwards.
	last := Op{Kind: OpLast, Offset: uint64(len(log))}
	ops = append(ops, porcupine.Operation{Input: last, Call: int64(end + 2), Output: last, Return: int64(end + 3)})
	switch porcupine.CheckOperationsTimeout(model(), ops, limit) {
	case porcupine.Ok:
		return len(ops), nil
	case porcupine.Illegal:
		return len(ops), fmt.Errorf("no order explains the outcomes of %d operations", len(ops))
	default:
		return len(ops), fmt.Errorf("no order of %d operations was found within %v", len(ops), limit)
	}
}

// contents holds the log's entries against what clients were told: the model below knows numbers alone. What has no outcome, or was refused, says
// nothing here.
func (o *Ops) contents(log []string, at map[string]uint64) error {
	if len(at) != len(log) {
		return fmt.Errorf("an entry is in the log more than once: %d entries, %d different ones", len(log), len(at))
	}
	tried := make(map[string]bool, len(o.all))
	for i := range o.all {
		op := &o.all[i]
		if op.Kind == OpLast {
			continue
		}
		tried[op.Payload] = true
		is, there := at[op.Payload]
		switch {
		case op.Unknown || op.Refused:
		case op.Done && is != op.Offset:
			return fmt.Errorf("%q was acknowledged at offset %d, and is at %d (0: nowhere)", op.Payload, op.Offset, is)
		case !op.Done && there:
			return fmt.Errorf("%q was refused by its condition, and is at offset %d", op.Payload, is)
		}
	}
	for _, p := range log {
		if !tried[p] {
			return fmt.Errorf("nobody appended %q", p)
		}
	}
	return nil
}

// settled gives an operation whose outcome its client does not know the outcome that the log shows: an entry that is there was
// appended at some time after the beginning, one that is not had no effect. It reports whether the operation can say anything. A
// refused one that is there after all contradicts itself, which the model finds.
func settled(op *Op, at map[string]uint64, end time.Duration) bool {
	if op.Refused {
		_, there := at[op.Payload]
		return there
	}
	if !op.Unknown {
		return true
	}
	if op.Kind == OpLast {
		return false
	}
	op.Offset, op.Done = at[op.Payload]
	op.End = end
	return op.Done
}

// model is a log as far as its last offset tells.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return uint64(0) },
		Step: func(state, _, output any) (bool, any) {
			last := state.(uint64)
			op := output.(Op)
			switch {
			case op.Kind == OpLast:
				return op.Offset == last, last
			case op.Refused:
				return false, last
			case !op.Done: // a condition that failed
				return op.Expect != last && op.Offset == last, last
			default:
				return op.Offset == last+1 && (op.Kind != OpExpect || op.Expect == last), last + 1
			}
		},
		DescribeOperation: func(_, output any) string { return fmt.Sprintf("%+v", output) },
	}
}
