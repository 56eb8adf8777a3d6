package proposer

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// reply is where one answer goes.
type reply struct {
	to      string
	request uint64
}

// item is one batch or command on its way into the log.
type item struct {
	kind    value.ItemKind
	body    []byte
	sum     paxos.Checksum // what the answer repeats (PROTOCOL P9)
	key     itemKey
	keyed   bool
	replies []reply       // at most maxReplies
	arrived paxos.Instant // zero: nobody asked for it
	explain bool          // the answer is to say where the time went
}

// itemKey tells a batch that is sent again while the first is still on its way: a session's number, or a command's bytes.
type itemKey struct {
	session paxos.SessionID
	number  uint64
	sum     paxos.Checksum // zero for batches: another checksum under one number is for the sequencer to judge
}

// queue holds the requests that are not proposed yet, in order of arrival.
type queue struct {
	items []*item
	head  int
	bytes int
	keyed map[itemKey]*item // also those proposed and not sequenced yet
}

func (q *queue) init() { q.keyed = make(map[itemKey]*item) }

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) push(it *item) {
	q.items = append(q.items, it)
	q.bytes += len(it.body)
	if it.keyed {
		q.keyed[it.key] = it
	}
}

// peek returns the oldest item, or nil.
func (q *queue) peek() *item {
	if q.len() == 0 {
		return nil
	}
	return q.items[q.head]
}

func (q *queue) pop() {
	q.bytes -= len(q.items[q.head].body)
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	} else if q.head >= 1024 && 2*q.head >= len(q.items) {
		q.items = slices.Delete(q.items, 0, q.head)
		q.head = 0
	}
}

// done forgets an item that is sequenced.
func (q *queue) done(it *item) {
	if it.keyed && q.keyed[it.key] == it {
		delete(q.keyed, it.key)
	}
}

// proposeNext composes what waits into a value for slot t, if anything does and it is worth a slot now.
func (ld *leader) proposeNext(g *group, s *step, t paxos.Slot) bool {
	if ld.queue.len() > 0 {
		ld.refuseQueued(g, s)
	}
	switch {
	case ld.stating != 0:
	case ld.queue.len() == 0:
		return ld.pass(g, s)
	case ld.unchosen >= eagerSlots && ld.queue.bytes < fullValue && !ld.leaving:
		return false // a completion will come, and more requests with it
	}
	if !g.p.fits(min(ld.queue.bytes, int(g.genesis.ValueLimit))) {
		return g.starve()
	}
	v, items := ld.compose(g, s, t)
	if len(items) == 0 {
		return false
	}
	g.event(s, paxos.Event{Kind: paxos.EventComposed, Slot: t, Ballot: ld.ballot, N: int64(len(v))})
	o := ld.openNext(s)
	o.asked, o.explain = oldest(items)
	if o.asked != 0 {
		g.event(s, paxos.Event{Kind: paxos.EventQueued, Slot: t, Ballot: ld.ballot, N: int64(o.opened.Sub(o.asked))})
	}
	ld.propose(g, s, o, v, items)
	return true
}

// oldest returns when the first request among items arrived, zero if there is none, and whether any is to be explained.
func oldest(items []*item) (at paxos.Instant, explain bool) {
	for _, it := range items {
		if at == 0 || it.arrived != 0 && it.arrived < at {
			at = it.arrived
		}
		explain = explain || it.explain
	}
	return at, explain
}

// itemOverhead is more than an item takes beside its body, headOverhead more than a value without items.
const (
	itemOverhead = 16
	headOverhead = 128
)

// compose takes as many items from the queue as fit into one value, after a stable command if one is due.
func (ld *leader) compose(g *group, s *step, t paxos.Slot) ([]byte, []*item) {
	size := headOverhead + ld.queue.bytes + itemOverhead*ld.queue.len()
	var items []*item
	b := value.NewBuilder(make([]byte, 0, min(size, int(g.genesis.ValueLimit))), ld.ballot, s.wall, g.genesis.ValueLimit)
	if body := g.stability.command(g, s, ld.stating); body != nil && b.Add(value.ItemCommand, body) {
		items = append(items, &item{kind: value.ItemCommand, body: body})
		ld.stated = t
	}
	ld.stating = 0
	for it := ld.queue.peek(); it != nil && b.Add(it.kind, it.body); it = ld.queue.peek() {
		items = append(items, it)
		ld.queue.pop()
	}
	return b.Bytes(), items
}

// pass fills the slots before the newest membership with no-ops, so that an idle log passes its window (PROTOCOL K4).
func (ld *leader) pass(g *group, s *step) bool {
	if newest := g.seq.Newest(); newest.From <= ld.next || ld.unchosen >= noopsInFlight {
		return false
	}
	if !g.p.fits(noopBytes) {
		return g.starve()
	}
	ld.propose(g, s, ld.openNext(s), ld.noop(s), nil)
	return true
}

// fits reports whether n more bytes may be in flight (PROTOCOL P11). With nothing in flight one value may always be proposed: a limit
// below it would stop everything for ever.
func (p *Proposer) fits(n int) bool {
	return p.inFlight == 0 || p.inFlight+n <= p.cfg.InFlightBytes
}

// starve notes that this log waits for bytes in flight to be freed, perhaps by another log.
func (g *group) starve() bool {
	g.starved, g.p.starved = true, true
	return false
}

func (p *Proposer) reserve(ld *leader, n int) {
	ld.inFlight += n
	p.inFlight += n
}

// release frees bytes in flight, and wakes the logs that wait for them.
func (p *Proposer) release(ld *leader, n int) {
	if n == 0 {
		return
	}
	ld.inFlight -= n
	p.inFlight -= n
	if !p.starved {
		return
	}
	p.starved = false
	p.turn++ // another log first, each time
	for i := range p.groups.list {
		if g := p.groups.list[(i+p.turn)%len(p.groups.list)]; g.starved {
			g.starved = false
			g.touch()
		}
	}
}
