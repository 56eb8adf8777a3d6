package acceptor

import "github.com/paxosd/paxosd/paxos"

// readKind says who waits for a read.
type readKind uint8

const (
	readScan  readKind = iota + 1 // a promise's report
	readVote                      // parked accepts
	readFetch                     // a fetch of votes
)

// pending is a read under way.
type pending struct {
	kind  readKind
	group *group
	read  Read
	env   paxos.Envelope // with readFetch: the request
}

// read emits a read and returns its number.
func (a *Acceptor) read(g *group, p pending, r Read, out *Output) uint64 {
	a.lastRead++
	r.Number, r.Log, r.Genesis = a.lastRead, g.log, g.id
	p.read = r
	a.reads[r.Number] = p
	out.Reads = append(out.Reads, r)
	return r.Number
}

// OnRead takes the completion of a read. The acceptor keeps no reference to r.
func (a *Acceptor) OnRead(now paxos.Instant, r *ReadResult, out *Output) {
	p, ok := a.reads[r.Number]
	if !ok {
		return
	}
	delete(a.reads, r.Number)
	paxos.Assert(r.From == p.read.From && r.From <= r.To && r.To <= p.read.To,
		"log %q: read of slots %d-%d answered with %d-%d", p.read.Log, p.read.From, p.read.To, r.From, r.To)
	switch p.kind {
	case readScan:
		a.onScanned(p.group, r, out)
	case readVote:
		a.onSlotRead(now, p.group, r, out)
	case readFetch:
		a.onFetched(p.group, &p.env, r, out)
	}
}
