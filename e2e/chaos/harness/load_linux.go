package harness

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// Clients of a round.
const (
	patientProducers   = 8
	impatientProducers = 2
	plainProducers     = 6
	singleClients      = 4
	subscribers        = 3
)

// Deadlines. Patient clients have more time than any fault and the recovery from it together may take.
const (
	patience   = 2 * time.Minute
	impatience = 3 * time.Second
)

// What deadlines that pass in faults may cost: some times of what they do. All that waits behind the first entry of
// an asynchronous producer that fails is refused with it. Whoever is patient has no excuse.
var (
	patientShares = judge.Shares{}
	hurriedShares = judge.Shares{Unknown: 0.03, Refused: 0.4}
	singleShares  = judge.Shares{Unknown: 0.03, Refused: 0.05}
)

// load is the clients of a cluster, and what they know.
type load struct {
	c       *Cluster
	started time.Time
	main    *judge.History
	ops     *judge.Ops
	faults  *judge.Troubles
	gaps    *judge.Gaps // of appends to main
	single  *judge.Gaps // of operations on the second log

	patient, impatient, plain, singles *judge.Outcomes

	stop      context.CancelFunc // of whoever appends; what is on its way is waited for
	quit      context.CancelFunc // of that waiting
	stopRead  context.CancelFunc
	producing sync.WaitGroup
	reading   sync.WaitGroup
	readers   []*reader

	mu       sync.Mutex
	problems []string
}

func newLoad(ctx context.Context, c *Cluster) *load {
	l := &load{
		c: c, started: time.Now(), main: judge.NewHistory(), ops: &judge.Ops{}, faults: &judge.Troubles{},
		gaps: judge.NewGaps(), single: judge.NewGaps(),
		patient:   judge.NewOutcomes("appends", patience, patientShares),
		impatient: judge.NewOutcomes("appends in a hurry", impatience, hurriedShares),
		plain:     judge.NewOutcomes("plain appends", patience, patientShares),
		singles:   judge.NewOutcomes("single operations", impatience, singleShares),
	}
	var producing, ending, reading context.Context
	producing, l.stop = context.WithCancel(ctx)
	ending, l.quit = context.WithCancel(context.WithoutCancel(ctx))
	reading, l.stopRead = context.WithCancel(context.WithoutCancel(ctx)) // an interrupted campaign still asks what subscribers have
	for i := range patientProducers {
		l.producing.Go(func() { l.produce(producing, ending, fmt.Sprintf("sdk%02d", i), l.patient, patience) })
	}
	for i := range impatientProducers {
		l.producing.Go(func() { l.produce(producing, ending, fmt.Sprintf("hurried%02d", i), l.impatient, impatience) })
	}
	for i := range plainProducers {
		l.producing.Go(func() { l.producePlain(producing, ending, fmt.Sprintf("plain%02d", i)) })
	}
	for i := range singleClients {
		l.producing.Go(func() { l.operate(producing, i+1) })
	}
	for i := range subscribers {
		r := &reader{name: fmt.Sprintf("subscriber %d", i+1)}
		l.readers = append(l.readers, r)
		l.reading.Go(func() { l.follow(reading, r) })
	}
	return l
}

// waits says who has had no acknowledgement after a moment; empty: everybody had one.
func (l *load) waits(since time.Time) string {
	const producers = patientProducers + impatientProducers + plainProducers
	if n := l.gaps.Acked(since); n < producers {
		return fmt.Sprintf("%d of %d producers append again", n, producers)
	}
	if n := l.single.Acked(since); n < singleClients {
		return fmt.Sprintf("%d of %d clients do single operations again", n, singleClients)
	}
	return ""
}

// end ends every client. Nothing more is judged.
func (l *load) end() {
	l.stop()
	l.quit()
	l.stopRead()
	l.producing.Wait()
	l.reading.Wait()
}

// problem notes what a client met that nobody may meet.
func (l *load) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// client returns a client of its own connection, and what closes both.
func (c *Cluster) client(ctx context.Context) (*client.Client, func(), error) {
	nc, err := c.connect()
	if err != nil {
		return nil, nil, err
	}
	cl, err := client.New(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return cl, func() { cl.Close(); nc.Close() }, nil
}

// reader is a subscription that lasts for the whole round.
type reader struct {
	name string
	mu   sync.Mutex
	log  []string
}

func (r *reader) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.log)
}

// follow subscribes from the start. A subscription that ended because nobody answered is followed by another.
func (l *load) follow(ctx context.Context, r *reader) {
	cl, end, err := l.c.client(context.WithoutCancel(ctx))
	if err != nil {
		l.problem("%s: %v", r.name, err)
		return
	}
	defer end()
	for ctx.Err() == nil {
		next := uint64(r.len()) + 1
		for e, err := range cl.Log(logMain).Subscribe(ctx, client.Offset(next)) {
			if err != nil {
				if ctx.Err() == nil && !client.Retryable(err) {
					l.problem("%s at offset %d: %v", r.name, next, err)
					return
				}
				break
			}
			if e.Offset != next {
				l.problem("%s got offset %d instead of %d", r.name, e.Offset, next)
				return
			}
			next++
			r.mu.Lock()
			r.log = append(r.log, nameOf(e.Payload))
			r.mu.Unlock()
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// read returns the names of all entries of a log, up to the last one as it is now.
func (c *Cluster) read(ctx context.Context, log string, from uint64) ([]string, error) {
	cl, end, err := c.client(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var all []string
	for e, err := range cl.Log(log).Subscribe(ctx, client.Offset(from), client.UntilLast()) {
		if err != nil {
			return nil, fmt.Errorf("read log %s at offset %d: %w", log, from+uint64(len(all)), err)
		}
		if e.Offset != from+uint64(len(all)) {
			return nil, fmt.Errorf("read log %s: offset %d where %d is next", log, e.Offset, from+uint64(len(all)))
		}
		all = append(all, nameOf(e.Payload))
	}
	return all, nil
}
