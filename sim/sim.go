package sim

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// Profiles of Options.
const (
	ProfileSwarm = ""      // the seed draws its own cluster, load and faults
	ProfileStore = "store" // a swarm whose acceptors and learners keep what they know in real stores, on file systems in memory
	ProfileBench = "bench" // three acceptors, two proposers, two learners, 20 batches a second, no fault
)

// Options say what to run. The zero value runs seed 0 as a swarm.
type Options struct {
	Seed    uint64
	Profile string
	Trace   io.Writer     // nil: none; else one line per message, crash and checker event, for people
	Skip    map[int]bool  // faults, by their number in the seed's plan, that are left out: what shrinking varies
	Until   int           // stop after so many faults; 0: all of the plan
	Length  time.Duration // of the first phase, simulated; 0: the profile's
}

// Result is what a run came to.
type Result struct {
	Seed      uint64
	Hash      uint64 // over all messages delivered, crashes and writes, in order
	Steps     int    // events that happened
	Simulated time.Duration
	Faults    int
	Plan      []string       // the faults of the plan, in order, for people
	Counters  map[string]int // situations that matter (Situations), and some more
	Failure   *Failure       // nil: passed
}

// Failure is what a checker found.
type Failure struct {
	Checker string        // one of the Check constants
	Text    string        // what was seen, for people
	At      time.Duration // simulated time since the start
	Step    int
}

// String returns the failure on one line.
func (f *Failure) String() string {
	return fmt.Sprintf("%s at %s, step %d: %s", f.Checker, f.At, f.Step, f.Text)
}

// Run runs one simulated cluster from a seed. The same seed, options and build give the same Hash.
func Run(o Options) (r Result) {
	w := newWorld(o)
	defer w.closeStores()
	defer func() {
		x := recover()
		switch x := x.(type) {
		case nil:
		case *Failure:
			w.failure = x
		case *paxos.Violation:
			w.failure = w.failed(CheckInvariant, x.Text+where())
		default:
			w.failure = w.failed(CheckInvariant, fmt.Sprint("panic: ", x)+where())
		}
		if w.failure != nil {
			w.note("FAILED %s", w.failure)
		}
		r = w.result()
	}()
	w.run()
	return r
}

// where names the place of a panic in our own code.
func where() string {
	var at []string
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, ".go:"); i >= 0 && strings.Contains(line, "paxos") && !strings.Contains(line, "/sim.go:") {
			if j := strings.LastIndex(line[:i], "/"); j >= 0 {
				line = line[j+1:]
			}
			at = append(at, strings.Fields(line)[0])
		}
	}
	return fmt.Sprint(" at ", strings.Join(at[:min(len(at), 8)], " < "))
}
