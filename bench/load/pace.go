package load

import (
	"context"
	"runtime"
	"syscall"
	"time"
)

// shortest is the least time that a schedule sleeps for: at high rates entries leave in small groups, at most so late.
const shortest = 200 * time.Microsecond

// schedule calls send for each entry of an open loop, with the instant at which it should leave. A send that waits holds up the others, and they count from
// when they should have left.
func schedule(ctx context.Context, m *meter, rate float64, sleep func(time.Duration), send func(at time.Time) error) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)) // a thread that sleeps in the kernel keeps its processor for a while
	began := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		at := began.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if !at.Before(m.end) {
			return nil
		}
		for wait := time.Until(at); wait > 0; wait = time.Until(at) {
			sleep(max(wait, shortest))
		}
		if err := send(at); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// nanosleep sleeps in the kernel: Go's timers are late by up to a millisecond while nothing else runs, and that is what is to be measured.
func nanosleep(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // a signal ends it early, and schedule sleeps again
}
