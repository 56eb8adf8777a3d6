package sim

import "github.com/paxosd/paxosd/paxos"

// eventKind says what an event of the agenda does.
type eventKind uint8

const (
	eventCall    eventKind = iota // do()
	eventDeliver                  // env arrives at p
	eventTick                     // p's tick
)

// event is something that will happen at an instant.
type event struct {
	at   paxos.Instant
	seq  uint64 // equal instants happen in the order in which they were planned
	p    *process
	env  *paxos.Envelope
	do   func()
	life uint32 // of p: what was meant for an earlier life of a process is dropped; 0: for whichever runs
	kind eventKind
}

// agenda is a binary heap of events by time.
type agenda struct{ heap []event }

func (a *event) before(b *event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

func (a *agenda) push(e event) {
	a.heap = append(a.heap, e)
	i := len(a.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&a.heap[up]) {
			break
		}
		a.heap[i] = a.heap[up]
		i = up
	}
	a.heap[i] = e
}

func (a *agenda) pop() event {
	top := a.heap[0]
	n := len(a.heap) - 1
	last := a.heap[n]
	a.heap[n] = event{}
	a.heap = a.heap[:n]
	if n == 0 {
		return top
	}
	i := 0
	for {
		next := 2*i + 1
		if next >= n {
			break
		}
		if r := next + 1; r < n && a.heap[r].before(&a.heap[next]) {
			next = r
		}
		if !a.heap[next].before(&last) {
			break
		}
		a.heap[i] = a.heap[next]
		i = next
	}
	a.heap[i] = last
	return top
}
