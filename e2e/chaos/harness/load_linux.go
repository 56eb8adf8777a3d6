package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// Clients of a round.
const (
	sdkProducers   = 10
	plainProducers = 6
	singleClients  = 4
	subscribers    = 3

	deliveryTimeout = 20 * time.Second
	singleTimeout   = 3 * time.Second
)

// load is the clients of a cluster, and what they know.
type load struct {
	c       *Cluster
	main    *judge.History
	ops     *judge.Ops
	gaps    *judge.Gaps
	started time.Time
	unknown atomic.Int64 // appends of main whose producer ended without knowing

	stop      context.CancelFunc
	stopRead  context.CancelFunc
	producing sync.WaitGroup
	reading   sync.WaitGroup
	readers   []*reader

	mu       sync.Mutex
	problems []string
}

func newLoad(ctx context.Context, c *Cluster) *load {
	l := &load{c: c, main: judge.NewHistory(), ops: &judge.Ops{}, gaps: judge.NewGaps(), started: time.Now()}
	var producing, reading context.Context
	producing, l.stop = context.WithCancel(ctx)
	reading, l.stopRead = context.WithCancel(context.WithoutCancel(ctx)) // an interrupted campaign still asks what subscribers have
	for i := range sdkProducers {
		l.producing.Go(func() { l.produce(producing, fmt.Sprintf("sdk%02d", i)) })
	}
	for i := range plainProducers {
		l.producing.Go(func() { l.producePlain(producing, fmt.Sprintf("plain%02d", i)) })
	}
	for i := range singleClients {
		l.producing.Go(func() { l.single(producing, i+1) })
	}
	for i := range subscribers {
		r := &reader{name: fmt.Sprintf("subscriber %d", i+1)}
		l.readers = append(l.readers, r)
		l.reading.Go(func() { l.follow(reading, r) })
	}
	return l
}

// end ends every client. Nothing more is judged.
func (l *load) end() {
	l.stop()
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

// produce appends with the SDK, several entries on their way at a time. A producer that came to an end is followed by
// another, with another name: what is unknown of the first may appear later than what the second appends.
func (l *load) produce(ctx context.Context, name string) {
	cl, end, err := l.c.client(context.WithoutCancel(ctx))
	if err != nil {
		l.problem("%s: %v", name, err)
		return
	}
	defer end()
	for life := 1; ctx.Err() == nil; life++ {
		p, err := cl.Log(logMain).Producer(ctx, client.StopOnError(), client.DeliveryTimeout(deliveryTimeout))
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		l.produceWith(ctx, p, name, fmt.Sprintf("%s.%d", name, life))
	}
}

func (l *load) produceWith(ctx context.Context, p *client.Producer, who, name string) {
	for n := 1; ctx.Err() == nil; n++ {
		entry := fmt.Sprintf("%s/%d", name, n)
		l.main.Try(entry)
		err := p.Append(ctx, client.Entry{Payload: payload(entry)}, func(a client.Ack, err error) {
			if err != nil {
				l.unknown.Add(1)
				return
			}
			l.main.Ack(entry, a.Offset)
			l.gaps.Ack(who)
		})
		if err != nil {
			break
		}
		if n%4 == 0 {
			pause(ctx, 80*time.Millisecond)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTimeout)
	defer cancel()
	_ = p.Close(last) // what it does not acknowledge is unknown
}

// producePlain appends with requests and message ids, each tried until it is acknowledged.
func (l *load) producePlain(ctx context.Context, name string) {
	nc, err := l.c.connect()
	if err != nil {
		l.problem("%s: %v", name, err)
		return
	}
	defer nc.Close()
	for n := 1; ctx.Err() == nil; n++ {
		entry := fmt.Sprintf("%s/%d", name, n)
		l.main.Try(entry)
		for ctx.Err() == nil {
			if offset := appendPlain(ctx, nc, entry); offset > 0 {
				l.main.Ack(entry, offset)
				l.gaps.Ack(name)
				break
			}
			pause(ctx, 20*time.Millisecond)
		}
		pause(ctx, 40*time.Millisecond)
	}
}

// appendPlain tries once to append an entry with its name as message id; 0: it was not acknowledged.
func appendPlain(ctx context.Context, nc *nats.Conn, entry string) uint64 {
	m := nats.NewMsg("paxos.main." + logMain + ".append")
	m.Data = payload(entry)
	m.Header.Set("Nats-Msg-Id", entry)
	try, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := nc.RequestMsgWithContext(try, m)
	if err != nil || r.Header.Get("Nats-Service-Error") != "" {
		return 0
	}
	var a struct {
		Offset uint64 `json:"offset"`
	}
	if json.Unmarshal(r.Data, &a) != nil {
		return 0
	}
	return a.Offset
}

// single does one operation after the other on the second log: appends, conditional appends, questions for the last offset.
func (l *load) single(ctx context.Context, number int) {
	cl, end, err := l.c.client(context.WithoutCancel(ctx))
	if err != nil {
		l.problem("client %d: %v", number, err)
		return
	}
	defer end()
	log := cl.Log(logSingle)
	var last uint64
	for n := 1; ctx.Err() == nil; n++ {
		op := judge.Op{Client: number, Kind: judge.OpKind(1 + rand.IntN(3)), Payload: fmt.Sprintf("single%d/%d", number, n)}
		if op.Kind == judge.OpExpect {
			op.Expect = last
		}
		if l.one(ctx, log, &op) {
			l.ops.Add(op)
			if !op.Unknown {
				last = op.Offset
			}
		}
		pause(ctx, time.Duration(20+rand.IntN(100))*time.Millisecond)
	}
}

// one carries an operation out, and reports whether its outcome says anything.
func (l *load) one(ctx context.Context, log *client.Log, op *judge.Op) bool {
	try, cancel := context.WithTimeout(context.WithoutCancel(ctx), singleTimeout)
	defer cancel()
	var opts []client.AppendOption
	if op.Kind == judge.OpExpect {
		opts = append(opts, client.ExpectLast(op.Expect))
	}
	op.Begin = time.Since(l.started)
	if op.Kind == judge.OpLast {
		last, err := log.LastOffset(try)
		op.End, op.Offset, op.Done = time.Since(l.started), last, err == nil
		return err == nil
	}
	ack, err := log.AppendBatch(try, []client.Entry{{Payload: payload(op.Payload)}}, opts...)
	op.End = time.Since(l.started)
	var e *client.Error
	switch {
	case err == nil:
		op.Done, op.Offset = true, ack.Offset
		return true
	case errors.Is(err, client.ErrConditionFailed) && errors.As(err, &e):
		op.Offset = e.Last
		return true
	case errors.Is(err, client.ErrRefused):
		op.Refused = true
		return true
	default:
		op.Unknown = true
		return true
	}
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
