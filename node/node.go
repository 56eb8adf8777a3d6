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

// TickEvery is how often a loop lets time pass in its core. Spans of the protocol are multiples of it.
const TickEvery = 10 * paxos.Millisecond
