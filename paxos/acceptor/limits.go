package acceptor

import "github.com/paxosd/paxosd/paxos"

// Limits of one acceptor process. Each table that messages can fill has one; what does not fit is dropped
// with an event, and whoever sent it sends again.
const (
	// CacheSlots is the most slots per log whose votes are known without a read: four windows of the
	// default size, so that a running log never reads. 24 bytes a slot, grown as needed.
	CacheSlots = 4096

	// MaxParked bounds the accepts that wait for a read, over all logs: a quarter of a window. They only occur
	// when a leader proposes again far below the newest slots.
	MaxParked = 256

	// MaxParkedBytes bounds the values of those, in bytes.
	MaxParkedBytes = paxos.DefaultInFlightBytes

	// MaxFetches bounds the fetches that wait for a read, over all logs.
	MaxFetches = 32

	// MaxFetchVotes bounds the votes of one answer to a fetch, so that what describes them (a hundred
	// bytes each at most) fits into paxos.PayloadHeadroom.
	MaxFetchVotes = 128

	// MaxWaitingAsks bounds the standbys that wait for one probe: a log's proposers.
	MaxWaitingAsks = 64

	// MaxProposers bounds the proposer names whose beacons are followed, MaxRuns the runs of each. The longest
	// silent one gives way.
	MaxProposers = 256
	MaxRuns      = 4

	// MaxRunItems bounds the logs followed of one run: what its full list, and a beat that differs in all of them, can
	// hold. A ballot beyond it counts as never renewed.
	MaxRunItems = paxos.MaxBeaconItems

	// MaxHeldBeacons bounds the beacons kept while a full list is awaited: 1.6 s of them at the
	// default interval.
	MaxHeldBeacons = 32
)

// DefaultProbeTimeout is how long an acceptor waits for an answer to its own live probe. A process that is gone answers by the
// broker's 503 in less than a millisecond; one that is alive may be a continent away.
const DefaultProbeTimeout = 250 * paxos.Millisecond
