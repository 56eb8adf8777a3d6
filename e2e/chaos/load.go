//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
)

// How many clients of each kind there are. They share few cores with the cluster, so none is as fast as it could be.
const (
	sdkProducers   = 8
	plainProducers = 6
	condProducers  = 3
	readers        = 3 // of each log
)

// load is the clients of a cluster, each with a connection of its own.
type load struct {
	c    *cluster
	logs map[string]*history
	each []*worker
	bulk atomic.Bool      // append much, to fill disks
	read []*atomic.Uint64 // offset that each subscriber has read, those of the main log first

	producing, reading       context.Context
	stopProducing, stopRead  context.CancelFunc
	producersWG, subscribers sync.WaitGroup
}

// worker is one producing client, over all the producers that it is one after the other.
type worker struct {
	name  string
	gauge *gauge
	tried atomic.Int64 // when the newest acknowledged entry was tried, in Unix nanoseconds
}

func (w *worker) acked(tried time.Time) {
	w.gauge.ack()
	for at := tried.UnixNano(); ; {
		old := w.tried.Load()
		if at <= old || w.tried.CompareAndSwap(old, at) {
			return
		}
	}
}

// newLoad starts producers and subscribers. They wait for the cluster by themselves.
func newLoad(c *cluster) *load {
	l := &load{c: c, logs: map[string]*history{mainLog: newHistory(mainLog), condLog: newHistory(condLog)}}
	l.producing, l.stopProducing = context.WithCancel(context.Background())
	l.reading, l.stopRead = context.WithCancel(context.Background())
	l.start("sdk", sdkProducers, l.sdk)
	l.start("plain", plainProducers, l.plain)
	l.start("cond", condProducers, l.conditional)
	l.producersWG.Go(func() { l.withClient(l.producing, l.bulky) })
	for _, log := range []string{mainLog, condLog} {
		for i := range readers {
			at := &atomic.Uint64{}
			l.read = append(l.read, at)
			l.subscribers.Go(func() {
				l.withClient(l.reading, func(_ *nats.Conn, cl *client.Client) {
					l.follow(cl, l.logs[log], at, fmt.Sprintf("reader %d", i+1))
				})
			})
		}
	}
	return l
}

func (l *load) start(kind string, n int, run func(*worker, *nats.Conn, *client.Client)) {
	for i := range n {
		w := &worker{name: fmt.Sprintf("%s%d", kind, i), gauge: newGauge()}
		l.each = append(l.each, w)
		l.producersWG.Go(func() {
			l.withClient(l.producing, func(nc *nats.Conn, cl *client.Client) { run(w, nc, cl) })
		})
	}
}

// withClient calls f with a connection, as soon as there is one.
func (l *load) withClient(ctx context.Context, f func(*nats.Conn, *client.Client)) {
	nc, err := l.c.connect()
	if err != nil {
		l.logs[mainLog].violate("a client cannot connect: %v", err)
		return
	}
	defer nc.Close()
	for ctx.Err() == nil {
		cl, err := client.New(ctx, nc)
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		f(nc, cl)
		cl.Close()
		return
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sdk appends with the SDK, several entries on their way at a time.
func (l *load) sdk(w *worker, _ *nats.Conn, cl *client.Client) {
	h := l.logs[mainLog]
	for l.producing.Err() == nil {
		sp, err := cl.Log(mainLog).Producer(l.producing, client.StopOnError(), client.DeliveryTimeout(20*time.Second))
		if err != nil {
			pause(l.producing, 50*time.Millisecond)
			continue
		}
		p := h.newProducer()
		for n := 1; l.producing.Err() == nil; n++ {
			begin := time.Now()
			number, body := h.try(p)
			if sp.Append(l.producing, client.Entry{Payload: body}, func(a client.Ack, err error) { l.settle(h, w, p, number, begin, a, err) }) != nil {
				break
			}
			if n%4 == 0 {
				pause(l.producing, 80*time.Millisecond)
			}
		}
		last, cancel := context.WithTimeout(context.Background(), 25*time.Second)
		_ = sp.Close(last) // what it does not acknowledge is unknown
		cancel()
	}
}

func (l *load) settle(h *history, w *worker, p *producer, number int, begin time.Time, a client.Ack, err error) {
	switch {
	case err == nil:
		h.ack(p, number, a.Offset)
		w.acked(begin)
	case errors.Is(err, client.ErrRefused):
		h.refuse(p, number)
	}
}

// plain appends with requests and message ids, each tried until it is acknowledged.
func (l *load) plain(w *worker, nc *nats.Conn, _ *client.Client) {
	h := l.logs[mainLog]
	p := h.newProducer()
	for l.producing.Err() == nil {
		begin := time.Now()
		number, body := h.try(p)
		for l.producing.Err() == nil {
			if offset := l.request(nc, mainLog, body, fmt.Sprintf("%d/%d", p.id, number)); offset > 0 {
				h.ack(p, number, offset)
				w.acked(begin)
				break
			}
			pause(l.producing, 20*time.Millisecond)
		}
		pause(l.producing, 40*time.Millisecond)
	}
}

// request appends once, and returns the offset or 0.
func (l *load) request(nc *nats.Conn, log string, body []byte, id string) uint64 {
	m := nats.NewMsg("paxos.main." + log + ".append")
	m.Data = body
	m.Header.Set("Nats-Msg-Id", id)
	ctx, cancel := context.WithTimeout(l.producing, time.Second)
	defer cancel()
	r, err := nc.RequestMsgWithContext(ctx, m)
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

// conditional appends on condition that the log ends where this producer last saw it end. Others do the same.
func (l *load) conditional(w *worker, _ *nats.Conn, cl *client.Client) {
	h := l.logs[condLog]
	p := h.newProducer()
	var last uint64
	for l.producing.Err() == nil {
		begin := time.Now()
		number, body := h.try(p)
		ctx, cancel := context.WithTimeout(l.producing, 20*time.Second)
		a, err := cl.Log(condLog).AppendBatch(ctx, []client.Entry{{Payload: body}}, client.ExpectLast(last))
		cancel()
		l.settle(h, w, p, number, begin, a, err)
		var e *client.Error
		switch {
		case err == nil && a.Offset != last+1:
			h.violate("H6: %d/%d expected %d to be the last offset, and was acknowledged at %d", p.id, number, last, a.Offset)
		case err == nil:
			last = a.Offset
			pause(l.producing, 100*time.Millisecond)
		case errors.As(err, &e) && errors.Is(err, client.ErrConditionFailed):
			last = e.Last
		default:
			pause(l.producing, 20*time.Millisecond)
		}
	}
}

// bulky appends big entries while it is asked to.
func (l *load) bulky(_ *nats.Conn, cl *client.Client) {
	body := []byte(own + strings.Repeat("x", 100_000))
	for l.producing.Err() == nil {
		if !l.bulk.Load() {
			pause(l.producing, 20*time.Millisecond)
			continue
		}
		ctx, cancel := context.WithTimeout(l.producing, 5*time.Second)
		_, _ = cl.Log(mainLog).Append(ctx, client.Entry{Payload: body})
		cancel()
	}
}

// follow subscribes from the first entry, until reading ends.
func (l *load) follow(cl *client.Client, h *history, at *atomic.Uint64, who string) {
	next := uint64(1)
	for l.reading.Err() == nil {
		for e, err := range cl.Log(h.log).Subscribe(l.reading, client.Offset(next)) {
			if err != nil {
				if l.reading.Err() == nil && !client.Retryable(err) && !errors.Is(err, client.ErrUnknownLog) {
					h.violate("H7: %s at offset %d: %v", who, next, err)
					return
				}
				break
			}
			if e.Offset != next {
				h.violate("H7: %s got offset %d instead of %d", who, e.Offset, next)
				return
			}
			h.read(who, e.Offset, e.Time, e.Payload)
			at.Store(next)
			next++
		}
		pause(l.reading, 20*time.Millisecond)
	}
}

// begin starts a measurement.
func (l *load) begin() {
	for _, h := range l.logs {
		h.gauge.begin()
	}
	for _, w := range l.each {
		w.gauge.begin()
	}
}

// gaps returns the longest time without an acknowledgement to anybody who appends to the main log, and the longest of a single client.
func (l *load) gaps() (anybody, one time.Duration) {
	for _, w := range l.each {
		one = max(one, w.gauge.longest())
	}
	return l.logs[mainLog].gauge.longest(), one
}

// behind returns the producers that have no acknowledgement of an entry tried since a moment.
func (l *load) behind(since time.Time) []string {
	var names []string
	for _, w := range l.each {
		if w.tried.Load() < since.UnixNano() {
			names = append(names, w.name)
		}
	}
	return names
}

// finish ends producers, waits until a new reader and all subscribers have the whole log, and judges it.
func (l *load) finish() (map[string]totals, []string) {
	l.stopProducing()
	l.producersWG.Wait()
	var found []string
	for i, log := range []string{mainLog, condLog} {
		last, err := l.readAll(l.logs[log])
		if err != nil {
			found = append(found, fmt.Sprintf("log %s: read it all again: %v", log, err))
			continue
		}
		for j, at := range l.read[i*readers : (i+1)*readers] {
			if !until(time.Minute, func() bool { return at.Load() >= last }) {
				found = append(found, fmt.Sprintf("log %s: reader %d has entries up to %d, the log %d", log, j+1, at.Load(), last))
			}
		}
	}
	l.stopRead()
	l.subscribers.Wait()
	all := make(map[string]totals)
	for log, h := range l.logs {
		t, broken := h.judge()
		all[log] = t
		found = append(found, broken...)
	}
	return all, found
}

// readAll reads a log from its first entry to its last one with a new client.
func (l *load) readAll(h *history) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	l.withClient(ctx, func(_ *nats.Conn, cl *client.Client) {
		for e, failed := range cl.Log(h.log).Subscribe(ctx, client.First(), client.UntilLast()) {
			if failed != nil {
				err = failed
				return
			}
			if e.Offset != last+1 {
				err = errors.New("offset " + strconv.FormatUint(e.Offset, 10) + " follows " + strconv.FormatUint(last, 10))
				return
			}
			last++
			h.read("the last reader", e.Offset, e.Time, e.Payload)
		}
	})
	return last, err
}
