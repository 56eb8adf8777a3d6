package node

import (
	"github.com/paxosd/paxosd/paxos"
)

// Transport carries envelopes to other processes. Send may be called from any goroutine, does not wait for the network
// and keeps no reference to the envelope. While the broker is away messages are dropped and counted: everything in
// the protocol is sent again until answered.
type Transport interface {
	Send(env *paxos.Envelope) error
}

// Clock tells the time. Only services read it; cores are told.
type Clock interface {
	Now() paxos.Instant // monotonic, from an arbitrary start
	Wall() paxos.Stamp
}

// Observer is told what happened. It must not block: it is called from the loops.
type Observer interface {
	Observe(role paxos.Role, name string, ev paxos.Event)
}

// observe reports a core's events.
func observe(o Observer, role paxos.Role, name string, evs []paxos.Event) {
	for i := range evs {
		o.Observe(role, name, evs[i])
	}
}

// How often a loop lets time pass in its core. Each tick wakes a process that may have nothing to do, which competes with appends
// where many processes share few processors: no role ticks more often than its shortest wait needs.
const (
	// TickEvery is a proposer's, whose elections take tens of milliseconds.
	TickEvery = 10 * paxos.Millisecond
	// learnerTickEvery: gaps are waited for longer than this.
	learnerTickEvery = 20 * paxos.Millisecond
	// acceptorTickEvery: an acceptor only gives up probes.
	acceptorTickEvery = 50 * paxos.Millisecond
)
