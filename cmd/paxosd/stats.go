package main

import (
	"fmt"
	"runtime/debug"

	"github.com/paxosd/paxosd/paxos"
)

// roleStats is what one role tells of itself, in JSON: on /status, to `nats micro stats`, and to `paxosd status`. Fields are
// part of the contract with scripts: never change one, only add.
type roleStats struct {
	Role        string     `json:"role"`
	Name        string     `json:"name"`
	Cluster     string     `json:"cluster"`
	Version     string     `json:"version"`
	Run         string     `json:"run"`
	Incarnation string     `json:"incarnation,omitempty"`
	Boot        uint64     `json:"boot,omitempty"`
	Written     uint64     `json:"written,omitempty"`
	Ready       bool       `json:"ready"`
	Why         string     `json:"why,omitempty"` // why it is not ready
	Queue       int        `json:"queue"`         // messages that wait for the loop
	InFlight    int        `json:"in_flight_bytes,omitempty"`
	Readers     int        `json:"readers,omitempty"`
	DiskBytes   uint64     `json:"disk_bytes,omitempty"`
	DiskFree    uint64     `json:"disk_free_bytes,omitempty"`
	Full        string     `json:"full,omitempty"` // why batches are refused for want of space
	Logs        []logStats `json:"logs"`
}

// logStats is what a role tells of one log. Which fields mean something depends on the role.
type logStats struct {
	Log         string        `json:"log"`
	Genesis     string        `json:"genesis"`
	Served      bool          `json:"-"`
	State       string        `json:"state,omitempty"`   // acceptor: none, prepared, live, retired, aborted
	Phase       string        `json:"phase,omitempty"`   // proposer: standby, candidate, leader
	Serving     bool          `json:"serving,omitempty"` // proposer: takes appends
	Ballot      string        `json:"ballot,omitempty"`  // proposer: held; acceptor: promised
	Leader      string        `json:"leader,omitempty"`  // proposer, learner: whose beacons were heard last
	Epoch       uint64        `json:"epoch,omitempty"`   // of the newest membership
	Through     uint64        `json:"through,omitempty"` // last slot sequenced
	Known       uint64        `json:"known,omitempty"`   // learner: last slot known to be chosen
	Last        uint64        `json:"last,omitempty"`    // last offset sequenced
	First       uint64        `json:"first,omitempty"`   // learner: first offset held
	Hash        string        `json:"hash,omitempty"`    // running hash at through
	Stable      uint64        `json:"stable,omitempty"`  // newest stable mark
	Durable     uint64        `json:"durable,omitempty"` // learner: last slot synced
	Trimmed     uint64        `json:"trimmed,omitempty"` // acceptor: T
	Voted       uint64        `json:"voted,omitempty"`   // acceptor: highest slot voted in
	Open        int           `json:"open,omitempty"`    // proposer: slots proposed and not chosen
	Queued      int           `json:"queued,omitempty"`  // proposer: requests not proposed yet
	QueuedBytes int           `json:"queued_bytes,omitempty"`
	InFlight    int           `json:"in_flight_bytes,omitempty"`
	Keeper      bool          `json:"keeper,omitempty"` // learner: its copy counts towards stability
	CaughtUp    bool          `json:"caught_up,omitempty"`
	Stopped     string        `json:"stopped,omitempty"` // why the log goes no further here
	Keepers     []keeperStats `json:"keepers,omitempty"` // leader: what the keepers reported
}

// keeperStats is what a leader knows of one keeper.
type keeperStats struct {
	Name     string `json:"name"`
	Reported uint64 `json:"reported"`
	Verified uint64 `json:"verified"` // with a hash equal to the leader's
	Excluded bool   `json:"excluded,omitempty"`
	Diverged bool   `json:"diverged,omitempty"`
}

func ballotText(b paxos.Ballot) string {
	if b.IsZero() {
		return ""
	}
	return b.String()
}

func hashText(h paxos.Hash) string { return fmt.Sprintf("%x", h[:]) }

// version returns the binary's version as the module system knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// newStats begins a role's statistics.
func (b *base) newStats() roleStats {
	return roleStats{
		Role: b.kind.String(), Name: b.name, Cluster: b.cfg.Cluster, Version: version(), Run: fmt.Sprintf("%x", b.runID),
		Ready: b.ready.Load(), Logs: []logStats{},
	}
}
