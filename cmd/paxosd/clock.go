package main

import (
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// systemClock is the machine's clock. Its monotonic part starts when the process does.
type systemClock struct{ start time.Time }

func newClock() systemClock { return systemClock{start: time.Now()} }

// Now returns the time since the process began.
func (c systemClock) Now() paxos.Instant { return paxos.Instant(time.Since(c.start)) }

// Wall returns the wall clock.
func (c systemClock) Wall() paxos.Stamp { return paxos.Stamp(time.Now().UnixNano()) }
