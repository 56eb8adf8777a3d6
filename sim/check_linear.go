package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/paxosd/paxosd/paxos"
)

// linear demands that what the clients of each log saw, appends, conditional appends and questions for the last offset, fits one
// order of all of them in which each takes effect at an instant between its call and its answer. An append without an answer is
// left open to the end if the log holds it, and never happened if it does not: the log was read to its end by then.
func (c *checker) linear() {
	for _, l := range c.w.logs {
		history := c.history(l.gen.Log)
		if !porcupine.CheckOperations(lastOffset(), history) {
			c.w.fail(CheckLinearizable, "%d operations on %s fit no order: %s", len(history), l.gen.Log, suspect(history))
		}
	}
}

// operation is what a client asked of a log, and seen what became of it.
type operation struct {
	number    uint64 // of the batch
	rank      int    // in the only order that can be, from 0
	count     paxos.Offset
	hasExpect bool
	expect    paxos.Offset
}

// seen is the outcome of an operation. With an offset it was appended there. Without, last is what it met: its condition did not
// hold, or it asked.
type seen struct {
	offset paxos.Offset
	last   paxos.Offset
}

// history lists the operations on a log whose outcome is known.
func (c *checker) history(log string) []porcupine.Operation {
	var all []porcupine.Operation
	for _, b := range c.batches {
		if b.log != log {
			continue
		}
		o := porcupine.Operation{
			Input: operation{number: b.number, count: paxos.Offset(b.count), hasExpect: b.hasExpect, expect: b.expect},
			Call:  int64(b.called), Return: int64(b.returned),
		}
		switch {
		case b.tail && b.acked:
			o.Output = seen{last: b.last}
		case b.condition:
			o.Output = seen{last: b.last}
		case b.offset > 0:
			o.Output = seen{offset: b.offset}
			if b.returned == 0 {
				o.Return = math.MaxInt64
			}
		default:
			continue
		}
		all = append(all, o)
	}
	rank(all)
	return all
}

// rank gives each operation its place. What was appended is in the order of offsets; what found the log at an offset comes before what
// was appended there, and changes nothing, so that those of one offset may be taken in the order of their calls. If any order fits,
// this one does: without it the search would try every subset of the questions that were asked during an outage.
func rank(history []porcupine.Operation) {
	slices.SortStableFunc(history, func(a, b porcupine.Operation) int {
		if m, n := met(&a), met(&b); m != n {
			return cmp.Compare(m, n)
		}
		if e, f := effect(&a), effect(&b); e != f {
			return cmp.Compare(e, f)
		}
		return cmp.Compare(a.Call, b.Call)
	})
	for i := range history {
		in := history[i].Input.(operation)
		in.rank = i
		history[i].Input = in
	}
}

// counter is a log as its clients may think of it: how many entries there are, after so many operations.
type counter struct {
	last paxos.Offset
	done int
}

func lastOffset() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return counter{} },
		Step: func(state, input, output any) (bool, any) {
			s, in, out := state.(counter), input.(operation), output.(seen)
			if in.rank != s.done {
				return false, state
			}
			s.done++
			if out.offset == 0 {
				return out.last == s.last && (!in.hasExpect || in.expect != s.last), s
			}
			ok := out.offset == s.last+1 && (!in.hasExpect || in.expect == s.last)
			s.last += in.count
			return ok, s
		},
		Hash: func(state any) uint64 { return uint64(state.(counter).done) },
	}
}

// met is the last offset that an operation found.
func met(o *porcupine.Operation) paxos.Offset {
	if s := o.Output.(seen); s.offset > 0 {
		return s.offset - 1
	}
	return o.Output.(seen).last
}

// suspect names two operations that cannot both be, for people: the one that ended first took effect later in the log.
func suspect(history []porcupine.Operation) string {
	byReturn := slices.Clone(history)
	slices.SortStableFunc(byReturn, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	byCall := slices.Clone(history)
	slices.SortStableFunc(byCall, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var latest *porcupine.Operation
	i := 0
	for j := range byCall {
		b := &byCall[j]
		for ; i < len(byReturn) && byReturn[i].Return < b.Call; i++ {
			if latest == nil || met(latest) < met(&byReturn[i]) {
				latest = &byReturn[i]
			}
		}
		if latest == nil {
			continue
		}
		// What was answered stands: an append is behind it, a question after it sees it.
		if after := met(latest) + effect(latest); met(b) < after {
			return fmt.Sprintf("batch %d met offset %d though batch %d had been answered with offset %d",
				b.Input.(operation).number, met(b), latest.Input.(operation).number, after)
		}
	}
	return "an outcome does not follow from what was there"
}

// effect is by how much an operation moved the last offset.
func effect(o *porcupine.Operation) paxos.Offset {
	if o.Output.(seen).offset > 0 {
		return o.Input.(operation).count
	}
	return 0
}
