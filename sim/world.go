package sim

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// epoch is the wall clock's start.
const epoch = paxos.Stamp(1_700_000_000_000_000_000)

// world is one simulated cluster.
//
//	I1  everything that happens is an event of the agenda, or the start.
//	I2  whatever is drawn comes from one of the seed's generators, each for one concern, so that leaving out a fault changes little.
type world struct {
	o       Options
	now     paxos.Instant
	seq     uint64
	agenda  agenda
	digest  uint64
	steps   int
	profile profile
	failure *Failure

	forNet, forDisk, forLife, forLoad *rand.Rand

	logs     []*logState
	procs    []*process
	network  network
	check    checker
	plan     []fault
	faults   int // applied so far
	calm     bool
	counters map[string]int
	lost     map[paxos.Incarnation]bool // stores that are gone for good, or not to be trusted
}

func newWorld(o Options) *world {
	w := &world{
		o: o, now: paxos.Instant(paxos.Second), counters: map[string]int{}, lost: map[paxos.Incarnation]bool{}, digest: o.Seed,
		forNet: generator(o.Seed, 1), forDisk: generator(o.Seed, 2), forLife: generator(o.Seed, 3), forLoad: generator(o.Seed, 4),
	}
	w.check.w = w
	w.network.w = w
	return w
}

// generator returns the seed's random numbers for one concern.
func generator(seed, concern uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, concern)) }

func (w *world) result() Result {
	r := Result{
		Seed: w.o.Seed, Hash: w.digest, Steps: w.steps, Simulated: w.age(), Faults: w.faults, Counters: w.counters, Failure: w.failure,
	}
	for i := range w.plan {
		r.Plan = append(r.Plan, w.plan[i].String())
	}
	return r
}

// age is the simulated time since the start.
func (w *world) age() time.Duration { return time.Duration(w.now.Sub(paxos.Instant(paxos.Second))) }

func (w *world) failed(checker, text string) *Failure {
	return &Failure{Checker: checker, Text: text, At: w.age(), Step: w.steps}
}

// fail ends the run.
func (w *world) fail(checker, format string, args ...any) {
	panic(w.failed(checker, fmt.Sprintf(format, args...)))
}

// count counts a situation.
func (w *world) count(what string) { w.counters[what]++ }

// note writes a line of the trace.
func (w *world) note(format string, args ...any) {
	if w.o.Trace != nil {
		_, _ = fmt.Fprintf(w.o.Trace, "%11.3f ms  %s\n", float64(w.now.Sub(paxos.Instant(paxos.Second)))/1e6, fmt.Sprintf(format, args...))
	}
}

// mix takes a number into the trace hash.
func (w *world) mix(x uint64) {
	w.digest = bits.RotateLeft64((w.digest^x)*0x9e3779b97f4a7c15, 29)
}

// after plans do.
func (w *world) after(d paxos.Span, do func()) {
	w.plans(event{at: w.now.Add(d), kind: eventCall, do: do})
}

func (w *world) plans(e event) {
	w.seq++
	e.seq = w.seq
	w.agenda.push(e)
}

// step lets the next event happen.
func (w *world) step() {
	e := w.agenda.pop()
	w.now = e.at
	w.steps++
	if e.p == nil {
		e.do()
		return
	}
	e.p.handle(&e)
}

// pass lets time pass.
func (w *world) pass(d paxos.Span) {
	end := w.now.Add(d)
	for len(w.agenda.heap) > 0 && w.agenda.heap[0].at <= end {
		w.step()
	}
	w.now = end
}

// span draws a span below limit.
func span(r *rand.Rand, limit paxos.Span) paxos.Span { return paxos.Span(r.Int64N(int64(limit))) }

// between draws a span in [low, high).
func between(r *rand.Rand, low, high paxos.Span) paxos.Span { return low + span(r, high-low) }

// chance is true with probability p.
func chance(r *rand.Rand, p float64) bool { return p > 0 && r.Float64() < p }
