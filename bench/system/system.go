// Package system says what the benchmark needs of a replicated log: to run its three replicas as separate processes on this machine, to append, to
// read back, and to kill whoever leads.
package system

import (
	"context"
	"errors"
)

// ErrUnsupported is returned for what a system has no interface for.
var ErrUnsupported = errors.New("the system cannot do that")

// System is one kind of replicated log in one configuration.
type System interface {
	// Name is unique among the systems, for tables and flags.
	Name() string
	// Durable reports whether an acknowledgement means fsynced on a majority.
	Durable() bool
	// About says version and configuration, for the report.
	About() string
	// Start starts the processes and returns when appends are possible.
	Start(ctx context.Context, o Options) (Cluster, error)
}

// Options are of one run.
type Options struct {
	Dir      string   // data and logs of the processes; exists
	Logs     []string // names of the logs to be
	Learners int      // copies that subscribers read from, where roles scale apart; 0: the system's own choice
	Procs    int      // GOMAXPROCS of each server process; 0: the system's own choice
	Paxosd   string   // the paxosd binary
}

// Process is one server process.
type Process struct {
	Name    string
	Role    string // what it is in the report: processes of one role are added up
	PID     int
	Metrics string // address of its metrics in the Prometheus text format; empty: it has none that are wanted
}

// Cluster is a running system.
type Cluster interface {
	// Processes lists what runs now.
	Processes() []Process
	// Client connects one client to a log.
	Client(ctx context.Context, log string, o ClientOptions) (Client, error)
	// KillLeader kills the process that leads the log, and returns once it is dead.
	KillLeader(ctx context.Context, log string) error
	// Revive starts again what was killed, and returns once it is a part of the cluster again.
	Revive(ctx context.Context) error
	// Close ends all processes.
	Close() error
}

// ClientOptions are of one client.
type ClientOptions struct {
	Window  int  // appends that Go may have under way; 0: any number that callers of Append need
	Shared  bool // over the connection that all shared clients of the cluster have together
	Survive bool // it must go on when any server dies; without it a client may talk to the leader's server alone
}

// Client appends to and reads one log.
type Client interface {
	// Append returns once the entry is acknowledged. Many may call it at a time.
	Append(ctx context.Context, payload []byte) error
	// Go begins to append, and waits only while the window is full. done is called once, from any goroutine, and must be quick.
	Go(ctx context.Context, payload []byte, done func(error)) error
	// Subscribe calls each for every entry: from the first one that is kept, or only for new ones, until ctx ends or each returns false. For
	// new ones it calls ready once it would miss none.
	Subscribe(ctx context.Context, fromStart bool, ready func(), each func(payload []byte) bool) error
	Close() error
}
