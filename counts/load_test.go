package counts

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/paxos"
)

// snapshot is everything that is counted, at one moment.
type snapshot struct {
	mallocs   uint64
	through   paxos.Slot
	sent, got [256]uint64
	published uint64 // messages to the broker, of roles and client
	delivered uint64 // and from it
	in, out   uint64 // bytes of their content
	disks     map[string]uses
	groups    map[string]uint64
}

// look counts once all is settled.
func (c *cluster) look() snapshot {
	c.t.Helper()
	s := snapshot{disks: make(map[string]uses), groups: make(map[string]uint64), through: c.settle()}
	for name, d := range c.disks {
		s.disks[name], s.groups[name] = d.uses(), c.groups[name].Load()
	}
	for k := range s.sent {
		s.sent[k], s.got[k] = c.sent[k].Load(), c.got[k].Load()
	}
	for _, tr := range c.transports {
		st := tr.Stats()
		s.published, s.delivered = s.published+st.Sent, s.delivered+st.Received
		s.in, s.out = s.in+st.SentBytes, s.out+st.ReceivedBytes
	}
	st := c.nc.Stats()
	s.published, s.delivered = s.published+st.OutMsgs, s.delivered+st.InMsgs
	s.in, s.out = s.in+st.OutBytes, s.out+st.InBytes
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.mallocs = m.Mallocs
	return s
}

// cost is what a load cost: the difference between two looks.
type cost struct {
	entries, payload float64
	slots            float64
	took             time.Duration
	snapshot
}

// measure returns what load costs, which appends so many entries of so many bytes.
func (c *cluster) measure(entries, size int, load func()) cost {
	c.t.Helper()
	before := c.look()
	begun := time.Now()
	load()
	after := c.look()
	x := cost{entries: float64(entries), payload: float64(entries * size), slots: float64(after.through - before.through), snapshot: after, took: time.Since(begun)}
	x.mallocs -= before.mallocs
	for k := range x.sent {
		x.sent[k] -= before.sent[k]
		x.got[k] -= before.got[k]
	}
	x.published, x.delivered = x.published-before.published, x.delivered-before.delivered
	x.in, x.out = x.in-before.in, x.out-before.out
	for name := range x.disks {
		x.disks[name] = x.disks[name].minus(before.disks[name])
		x.groups[name] -= before.groups[name]
	}
	return x
}

// of adds up the disks of some roles.
func (x *cost) of(names []string) (u uses, groups float64) {
	for _, n := range names {
		u = u.plus(x.disks[n])
		groups += float64(x.groups[n])
	}
	return u, groups
}

// rubbish is what entries are made of: nothing that a table's compression would shrink.
type rubbish struct{ b []byte }

func newRubbish() rubbish {
	r := rand.NewChaCha8([32]byte{1})
	b := make([]byte, 4<<20)
	_, _ = r.Read(b) // never fails
	return rubbish{b}
}

func (r rubbish) entry(i, size int) client.Entry {
	at := i * size % (len(r.b) - size)
	return client.Entry{Payload: r.b[at : at+size]}
}

// windowBytes is what a pipelined load has on its way: 4,096 entries of 128 bytes. With more, a busy machine sends again what it has not
// answered in time, and that is not what is counted here.
const windowBytes = 512 << 10

// pipelined appends entries with a window of them on their way, as one producer.
func (c *cluster) pipelined(entries, size int) cost {
	c.t.Helper()
	window := windowBytes / size
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	p, err := c.client.Log(logName).Producer(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	var failed atomic.Pointer[error]
	room := make(chan struct{}, window)
	done := func(_ client.Ack, err error) {
		if err != nil {
			first := err // of its own: the parameter would be allocated for every entry
			failed.CompareAndSwap(nil, &first)
		}
		<-room
	}
	data := newRubbish()
	load := func(n int) {
		for i := range n {
			room <- struct{}{}
			if err := p.Append(ctx, data.entry(i, size), done); err != nil {
				c.t.Fatal(err)
			}
		}
		if err := p.Flush(ctx); err != nil {
			c.t.Fatal(err)
		}
	}
	load(window) // what grows once has grown
	x := c.measure(entries, size, func() { load(entries) })
	if err := p.Close(ctx); err != nil {
		c.t.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		c.t.Fatal(*err)
	}
	return x
}

// lone appends entries one at a time, each when the one before is acknowledged.
func (c *cluster) lone(entries, size int) cost {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	data := newRubbish()
	log := c.client.Log(logName)
	load := func(n int) {
		for i := range n {
			if _, err := log.Append(ctx, data.entry(i, size)); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	load(16)
	return c.measure(entries, size, func() { load(entries) })
}
