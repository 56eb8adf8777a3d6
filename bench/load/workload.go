package load

import "time"

// Workload is one kind of load.
type Workload struct {
	Name        string
	Kind        Kind
	Clients     int           // callers
	Window      int           // of a pipelined client; of all together where there are several
	Size        int           // bytes of an entry
	Rate        float64       // entries a second of an open loop
	Trials      int           // of Failover
	Logs        int           // logs that Many spreads over
	Subscribers int           // of Fan, each on a connection of its own
	Fill        uint64        // entries that the log must have before the load begins
	Measure     time.Duration // how long to measure, where it is not what the run says
}

// Kind is how the load is made.
type Kind string

// The kinds.
const (
	Callers   Kind = "callers"   // each appends one entry and waits
	Pipelined Kind = "pipelined" // one client keeps a window of entries on their way
	Open      Kind = "open"      // one client sends on a schedule
	Read      Kind = "read"      // one subscriber reads a log from its start
	Tail      Kind = "tail"      // one client sends on a schedule, a subscriber reads: append to delivery
	Many      Kind = "many"      // a pipelined client for each of many logs, all over one connection
	Fan       Kind = "fan"       // one pipelined client, and subscribers that read what is new
	Failover  Kind = "failover"  // the leader is killed: how long until the next acknowledgement
)

// Length says how long to measure.
type Length struct {
	WarmUp, Measure time.Duration
	FillLimit       time.Duration // for Workload.Fill; what is there by then must do
}

func (l Length) of(w *Workload) Length {
	if w.Measure > 0 {
		l.Measure = w.Measure
	}
	return l
}
