package acceptor

import "github.com/paxosd/paxosd/paxos"

// scan is a promise that is being reported from the store, chunk by chunk. The zero scan is none.
type scan struct {
	read   uint64       // number of the read under way; 0: no scan
	ballot paxos.Ballot // equals the group's promise as long as the scan lives
	next   paxos.Slot   // first slot not yet reported
	again  paxos.Slot   // a repeated prepare asked for slots from here, already reported; 0: none did
}

// onPrepare promises, or refuses (PROTOCOL A2), and reports the votes from m.From to infinity (A5, A6).
func (a *Acceptor) onPrepare(now paxos.Instant, g *group, env *paxos.Envelope, m *paxos.Prepare, out *Output) {
	if !sane(&m.Ballot, env.From) || m.From == 0 || m.From == paxos.MaxSlot {
		a.drop(env, "malformed prepare", out)
		return
	}
	if a.refuseBallot(g, paxos.KindPrepare, m.Ballot, 0, out) {
		return
	}
	if g.promised.Less(m.Ballot) {
		a.raise(now, g, m.Ballot, out)
		out.Records = append(out.Records, paxos.Record{
			Kind: paxos.RecordPromise, Log: g.log, Genesis: g.id, Ballot: m.Ballot,
		})
	}
	if g.scan.read == 0 {
		a.report(g, m.From, out)
		return
	}
	// The same candidate asks again while its report is under way. What is yet to come needs no second scan; what it
	// already got a chunk for, it must have lost.
	if m.From < g.scan.next && (g.scan.again == 0 || m.From < g.scan.again) {
		g.scan.again = m.From
	}
}

// report sends the promise's chunks from t on: at once where the votes are known by heart, else by a read that
// continues in onScanned.
func (a *Acceptor) report(g *group, t paxos.Slot, out *Output) {
	g.scan = scan{}
	t = g.next(t)
	if t <= g.highest && !g.cache.known(t) {
		g.scan = scan{ballot: *g.promised, next: t}
		g.scan.read = a.read(g, pending{kind: readScan, group: g}, Read{
			From: t, To: g.cache.floor - 1, MaxVotes: paxos.MaxReportsPerChunk,
		}, out)
		return
	}
	var votes []paxos.VoteInfo
	for s := t; s <= g.highest; s++ {
		if v := g.cache.get(s); v.ballot != nil {
			votes = append(votes, paxos.VoteInfo{Slot: s, Ballot: *v.ballot, Checksum: v.checksum, Bytes: v.bytes})
		}
	}
	a.chunk(g, t, paxos.MaxSlot, votes, out)
}

// What is known by heart fits into one chunk.
const _ = uint(paxos.MaxReportsPerChunk - CacheSlots)

// onScanned turns a read into a chunk and goes on behind it. The promise is still the one that asked: raising it
// abandons the scan.
func (a *Acceptor) onScanned(g *group, r *ReadResult, out *Output) {
	s := g.scan
	if s.read != r.Number {
		return // abandoned
	}
	if !g.live() {
		g.scan = scan{}
		a.refuse(g, paxos.KindPrepare, s.ballot, 0, paxos.RefusedRetired, out)
		return
	}
	if from := g.next(r.From); from <= r.To { // else: trimmed away meanwhile
		votes := make([]paxos.VoteInfo, 0, len(r.Votes))
		for i := range r.Votes {
			if r.Votes[i].Slot >= from {
				votes = append(votes, r.Votes[i].VoteInfo)
			}
		}
		a.chunk(g, from, r.To, votes, out)
	}
	a.report(g, r.To+1, out)
	switch {
	case s.again == 0:
	case g.scan.read == 0:
		a.report(g, s.again, out)
	default:
		g.scan.again = s.again
	}
}

// chunk sends one chunk of the promise: its votes in [from, to] are exactly votes, in slot order.
func (a *Acceptor) chunk(g *group, from, to paxos.Slot, votes []paxos.VoteInfo, out *Output) {
	a.say(g, &paxos.Promise{
		Voter: a.voter(), Ballot: *g.promised, From: from, To: to, Trimmed: g.trimmed, Votes: votes,
	}, out)
}

// abandonScan refuses the candidate whose report is under way: the promise has just been raised above it.
func (a *Acceptor) abandonScan(g *group, out *Output) {
	if g.scan.read == 0 {
		return
	}
	b := g.scan.ballot
	g.scan = scan{}
	a.refuse(g, paxos.KindPrepare, b, 0, paxos.RefusedBallot, out)
}
