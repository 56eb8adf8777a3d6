package load

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the greatest latency that is recorded: what takes longer counts as so long.
const longest = 2 * time.Minute

// meter collects what happened between begin and end. A closed loop's entry counts if it began and ended in between: what the rate says was all done in
// that time. An open loop's counts if it was due in between, however late it ended: else those that a stall holds up at the end would be left out.
type meter struct {
	begin, end time.Time
	open       bool
	acked      atomic.Uint64 // entries, ever
	entries    atomic.Uint64
	errors     atomic.Uint64

	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

func newMeter(l Length, open bool) *meter {
	begin := time.Now().Add(l.WarmUp)
	return &meter{begin: begin, end: begin.Add(l.Measure), open: open, h: hdrhistogram.New(1000, int64(longest), 3)}
}

func (m *meter) over() bool { return !time.Now().Before(m.end) }

func (m *meter) took(start time.Time, err error) {
	now := time.Now()
	if err == nil {
		m.acked.Add(1)
	}
	last := now
	if m.open {
		last = start
	}
	if start.Before(m.begin) || last.After(m.end) {
		return
	}
	if err != nil {
		m.errors.Add(1)
		return
	}
	m.entries.Add(1)
	m.mu.Lock()
	_ = m.h.RecordValue(int64(min(now.Sub(start), longest))) // cannot fail: it is within the bounds
	m.mu.Unlock()
}

func (m *meter) latency() *Latency {
	m.mu.Lock()
	defer m.mu.Unlock()
	return LatencyOf(m.h)
}

func (m *meter) result() Result {
	s := m.end.Sub(m.begin).Seconds()
	n := m.entries.Load()
	return Result{Seconds: s, Entries: n, Errors: m.errors.Load(), Rate: float64(n) / s, Latency: m.latency()}
}

// drainLimit is how long what is on its way at the end may still take.
const drainLimit = time.Minute

// flight counts entries on their way.
type flight struct{ wg sync.WaitGroup }

// land waits until none is left.
func (f *flight) land(ctx context.Context) error {
	all := make(chan struct{})
	go func() {
		f.wg.Wait()
		close(all)
	}()
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	select {
	case <-all:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	case <-limit.C:
		return fmt.Errorf("some entries had no result %v after the last one was sent", drainLimit)
	}
}

const blockBytes = 8 << 20

// block is where payloads are cut from: random bytes, so that nobody gains by compressing them.
type block []byte

func newBlock(size int) (block, error) {
	b := make(block, blockBytes+size)
	_, err := rand.Read(b)
	return b, err
}

// payloads are cut from a block, each where the one before ends: had they bytes in common, those who compress would gain. One goroutine uses it.
type payloads struct {
	block block
	size  int
	at    int
}

// cut returns payloads that begin at another place than those with another number.
func (b block) cut(size, number int) *payloads {
	return &payloads{block: b, size: size, at: number * 7919}
}

func (p *payloads) next() []byte {
	p.at = (p.at + p.size) & (blockBytes - 1)
	return p.block[p.at : p.at+p.size : p.at+p.size]
}
