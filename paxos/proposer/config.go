package proposer

import "github.com/paxosd/paxosd/paxos"

// Config is what a Proposer is made with. Zero spans and sizes mean the protocol's defaults.
type Config struct {
	Name      string
	Cluster   string
	Version   string   // told to ident
	Run       uint64   // random per process start: part of every ballot (PROTOCOL A2)
	Seed      uint64   // of all jitter
	Proposers []string // configured proposers, in the order of succession that a leader announces

	BeaconEvery   paxos.Span
	AskAfter      paxos.Span // silence after which the first standby asks
	SuccessorStep paxos.Span // δ: the i-th standby asks after i·δ more
	Timeout       paxos.Span // silence and check-quorum time-out
	ProgressLimit paxos.Span // age of the oldest open slot at which a leader resigns
	ResendFirst   paxos.Span // of an accept or a prepare
	ResendMax     paxos.Span
	ClockBound    paxos.Span // from the median of the acceptors' clocks (PROTOCOL Q5)
	StableEvery   paxos.Span
	MarkEvery     paxos.Span
	HandOverLimit paxos.Span // an orderly stop takes at most this

	StableBytes   uint64 // of sequenced values, after which stable is stated
	MarkBytes     uint64
	InFlightBytes int // proposed and not seen chosen, over all logs (PROTOCOL P11)
	QueueBytes    int // requests not proposed yet, per log
	AloneBytes    int // with Quiet: values up to this size are proposed to the acceptors alone

	Quiet bool // votes are for the leader alone while every keeper keeps up: see quiet.go

	NextRequest func() uint64 // numbers requests, unique within the process role; shared with the learners
}

// Limits of one proposer process. Each table that messages can fill has one; what does not fit is dropped with an event
// or refused, and whoever sent it sends again.
const (
	// MaxLogs bounds the logs of a process, so that the full list of what it leads fits into one beacon.
	MaxLogs = paxos.MaxBeaconItems

	// DefaultQueueBytes bounds the requests of one log that are not proposed yet: as much again as may be in flight.
	DefaultQueueBytes = paxos.DefaultInFlightBytes

	// MaxQueued bounds their number, per log.
	MaxQueued = 65536

	// DefaultHandOverLimit is how long an orderly stop may take.
	DefaultHandOverLimit = 2 * paxos.Second

	// maxReplies bounds the answers that one batch owes: a client resends it after 250 ms and at each new leader. The
	// newest are kept, since the older ones' requests have mostly given up.
	maxReplies = 4

	// maxReports bounds the votes kept of one acceptor's promise, 64 windows of the default size. What does not fit
	// counts as not covered, and is asked for again when there is room.
	maxReports = 65536

	// maxFetches bounds the values that one log's leader fetches at a time for adoption.
	maxFetches = 16

	// maxPeers bounds the processes whose beacons are followed; the longest silent one gives way.
	maxPeers = 256

	// maxHeldBeacons bounds the beacons kept while a full list is awaited: 1.6 s of them at the default interval.
	maxHeldBeacons = 32

	// maxBeats bounds the acceptors whose beats are remembered.
	maxBeats = 4 * paxos.MaxAcceptors

	// beaconHistory is how many beacons back the time of sending is known. It covers the time-out at any
	// sensible interval; an older answer counts as none.
	beaconHistory = 256

	// maxRequests bounds the requests whose answers are awaited.
	maxRequests = 16384

	// requestLife is how long an answer is awaited at most; each purpose has a shorter patience of its own.
	requestLife = 10 * paxos.Second

	// resendBytes bounds the values sent again in one tick, per log.
	resendBytes = 4 << 20

	// noopsInFlight bounds the no-ops in flight while an idle log passes its window (PROTOCOL K4).
	noopsInFlight = 64
)

// Natural batching: while fewer than eagerSlots values of a log are in flight, whatever waits is proposed at once; beyond,
// only fullValue bytes or more are, and the rest waits for a completion. Two in flight keep an acceptor's disk busy while the
// next one travels, two more cover a slower acceptor; tiny slots beyond cost more per entry than they gain.
const (
	eagerSlots = 4
	fullValue  = 128 << 10
)

func (c Config) withDefaults() Config {
	span := func(v *paxos.Span, d paxos.Span) {
		if *v <= 0 {
			*v = d
		}
	}
	span(&c.BeaconEvery, paxos.DefaultBeaconEvery)
	span(&c.AskAfter, paxos.DefaultAskAfter)
	span(&c.SuccessorStep, paxos.DefaultSuccessorStep)
	span(&c.Timeout, paxos.DefaultTimeout)
	span(&c.ProgressLimit, paxos.DefaultProgressLimit)
	span(&c.ResendFirst, paxos.DefaultResendFirst)
	span(&c.ResendMax, paxos.DefaultResendMax)
	span(&c.ClockBound, paxos.DefaultClockBound)
	span(&c.StableEvery, paxos.DefaultStableEvery)
	span(&c.MarkEvery, paxos.DefaultMarkEvery)
	span(&c.HandOverLimit, DefaultHandOverLimit)
	if c.StableBytes == 0 {
		c.StableBytes = paxos.DefaultStableBytes
	}
	if c.MarkBytes == 0 {
		c.MarkBytes = paxos.DefaultMarkBytes
	}
	if c.InFlightBytes <= 0 {
		c.InFlightBytes = paxos.DefaultInFlightBytes
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = DefaultQueueBytes
	}
	return c
}
