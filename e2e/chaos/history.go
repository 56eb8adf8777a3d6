//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// history is what producers know of what they appended to one log, and what subscribers read of it. The rules, all per log:
//
//	H1  an acknowledged entry is in the log exactly once, at the offset of its acknowledgement;
//	H2  any other entry is in the log at most once; one that was refused is not;
//	H3  nothing is in the log that was not appended, and what is there has the bytes that were appended;
//	H4  entries of a producer are in the log in the order in which it appended them;
//	H5  an entry comes after all that were acknowledged before it was first tried (real time order);
//	H6  a conditional append is acknowledged at the offset after the one that it expected;
//	H7  every subscriber reads the same entries at the same offsets, from 1 without a gap, and stamps never go back.
type history struct {
	log     string
	highest atomic.Uint64 // offset acknowledged
	gauge   *gauge        // between acknowledgements to anybody

	mu        sync.Mutex
	producers []*producer
	entries   []entry // as read: entries[i] is at offset i+1
	found     []string
}

// producer is one source of entries whose order the log must keep. An SDK producer that failed is followed by another one.
type producer struct {
	id int

	mu      sync.Mutex
	tried   []try
	acked   int
	unknown int
}

// try is what is known of one entry of a producer; its number is its place, from 1.
type try struct {
	floor   uint64 // highest offset that was acknowledged before it was tried
	offset  uint64 // of its acknowledgement; 0: none
	refused bool
}

// entry is what was read at an offset. A number of 0 is the harness's own.
type entry struct {
	producer int32
	number   int32
	stamp    int64
}

func newHistory(log string) *history { return &history{log: log, gauge: newGauge()} }

// maxFound bounds what is told of one log: one broken rule shows many times.
const maxFound = 20

func (h *history) violate(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.violateLocked(format, args...)
}

func (h *history) violateLocked(format string, args ...any) {
	if len(h.found) < maxFound {
		h.found = append(h.found, fmt.Sprintf("log %s: ", h.log)+fmt.Sprintf(format, args...))
	}
}

func (h *history) newProducer() *producer {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &producer{id: len(h.producers)}
	h.producers = append(h.producers, p)
	return p
}

// try notes that an entry is about to be appended, and returns its number and its payload.
func (h *history) try(p *producer) (int, []byte) {
	floor := h.highest.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = append(p.tried, try{floor: floor})
	return len(p.tried), payload(p.id, len(p.tried))
}

// ack notes an acknowledgement.
func (h *history) ack(p *producer, number int, offset uint64) {
	p.mu.Lock()
	p.tried[number-1].offset = offset
	p.acked++
	p.mu.Unlock()
	for {
		high := h.highest.Load()
		if offset <= high || h.highest.CompareAndSwap(high, offset) {
			break
		}
	}
	h.gauge.ack()
}

func (h *history) refuse(p *producer, number int) {
	p.mu.Lock()
	p.tried[number-1].refused = true
	p.mu.Unlock()
}

// payload is "producer/number/" and filling whose length follows from both: mostly short, one in 256 of 24 KiB.
func payload(id, number int) []byte {
	mix := (uint64(id)*0x9e3779b97f4a7c15 ^ uint64(number)*0xbf58476d1ce4e5b9) >> 20
	size := int(mix % 200)
	if mix>>10%256 == 0 {
		size = 24 << 10
	}
	b := make([]byte, 0, 24+size)
	b = strconv.AppendInt(b, int64(id), 10)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(number), 10)
	b = append(b, '/')
	for i := range size {
		b = append(b, byte('a'+(uint64(i)+mix)%26))
	}
	return b
}

// own begins the payload of entries of the harness: they are not judged.
const own = "chaos"

// read takes what a subscriber read at an offset and compares it with what others read there. Offsets come one after the other.
func (h *history) read(who string, offset uint64, stamp time.Time, b []byte) {
	e := entry{stamp: stamp.UnixNano()}
	if !strings.HasPrefix(string(b[:min(len(b), len(own))]), own) {
		parts := strings.SplitN(string(b[:min(len(b), 32)]), "/", 3)
		id, err := strconv.Atoi(parts[0])
		number, other := 0, error(nil)
		if len(parts) == 3 {
			number, other = strconv.Atoi(parts[1])
		}
		if err != nil || other != nil || number <= 0 || string(payload(id, number)) != string(b) {
			h.violate("H3: offset %d has bytes that nobody appended: %.40q", offset, b)
			return
		}
		e.producer, e.number = int32(id), int32(number)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch n := uint64(len(h.entries)); {
	case offset == n+1:
		if n > 0 && e.stamp < h.entries[n-1].stamp {
			h.violateLocked("H7: the stamp of offset %d is before that of offset %d", offset, n)
		}
		h.entries = append(h.entries, e)
	case offset > n+1:
		h.violateLocked("H7: %s read offset %d, and nobody what is between it and %d", who, offset, n)
	case h.entries[offset-1] != e:
		h.violateLocked("H7: %s read %+v at offset %d, another one %+v", who, e, offset, h.entries[offset-1])
	}
}

// totals count over a history.
type totals struct {
	Tried        int `json:"tried"`
	Acknowledged int `json:"acknowledged"`
	Refused      int `json:"refused"`
	InLog        int `json:"in_log"`
	Producers    int `json:"producers"`
}

func (t *totals) add(o totals) {
	t.Tried += o.Tried
	t.Acknowledged += o.Acknowledged
	t.Refused += o.Refused
	t.InLog += o.InLog
	t.Producers += o.Producers
}

// judge holds what was read to what producers know. Producers and subscribers are done.
func (h *history) judge() (totals, []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := totals{InLog: len(h.entries), Producers: len(h.producers)}
	at := make([][]uint64, len(h.producers))
	newest := make([]int32, len(h.producers))
	for i, p := range h.producers {
		at[i] = make([]uint64, len(p.tried))
	}
	for i, e := range h.entries {
		offset := uint64(i + 1)
		if e.number == 0 {
			continue
		}
		if int(e.producer) >= len(at) || int(e.number) > len(at[e.producer]) {
			h.violateLocked("H3: %d/%d at offset %d was never appended", e.producer, e.number, offset)
			continue
		}
		where := &at[e.producer][e.number-1]
		if *where != 0 {
			h.violateLocked("H1, H2: %d/%d is in the log twice, at %d and %d", e.producer, e.number, *where, offset)
			continue
		}
		*where = offset
		if e.number < newest[e.producer] {
			h.violateLocked("H4: %d/%d at offset %d comes after %d/%d", e.producer, e.number, offset, e.producer, newest[e.producer])
		}
		newest[e.producer] = max(newest[e.producer], e.number)
	}
	for i, p := range h.producers {
		for j := range p.tried {
			h.judgeTry(fmt.Sprintf("%d/%d", i, j+1), &p.tried[j], at[i][j], &t)
		}
	}
	return t, h.found
}

func (h *history) judgeTry(name string, x *try, at uint64, t *totals) {
	t.Tried++
	switch {
	case x.offset != 0:
		t.Acknowledged++
		if at != x.offset {
			h.violateLocked("H1: %s was acknowledged at offset %d, the log has it at %d", name, x.offset, at)
		}
	case x.refused:
		t.Refused++
		if at != 0 {
			h.violateLocked("H2: %s was refused, and is at offset %d", name, at)
		}
	}
	if at != 0 && at <= x.floor {
		h.violateLocked("H5: %s is at offset %d, and offset %d was acknowledged before it was tried", name, at, x.floor)
	}
}

// gauge measures the longest time without an acknowledgement.
type gauge struct {
	mu   sync.Mutex
	last time.Time
	most time.Duration
}

func newGauge() *gauge { return &gauge{last: time.Now()} }

func (g *gauge) ack() {
	now := time.Now()
	g.mu.Lock()
	g.most = max(g.most, now.Sub(g.last))
	g.last = now
	g.mu.Unlock()
}

// begin forgets what was measured. The time since the last acknowledgement counts on.
func (g *gauge) begin() {
	g.mu.Lock()
	g.most = 0
	g.mu.Unlock()
}

// longest returns the longest gap since begin, the one that is open included.
func (g *gauge) longest() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.most, time.Since(g.last))
}
