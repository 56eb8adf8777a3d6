package acceptor

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
)

// group is what the acceptor is to one log that it is live in, or retired from.
//
//	I1  promised never decreases, restarts included.
//	I2  a slot's vote never moves to a lower ballot, nor above promised.
//	I3  no vote is kept at or below trimmed, and none there is ever reported as "nothing accepted".
//	I4  no slot above highest was ever voted in.
type group struct {
	log  string
	id   paxos.GenesisID
	held *genesis.Held // state, record, epoch

	promised   *paxos.Ballot // replaced, never written to: votes and messages share it
	promisedAt paxos.Instant // when promised was made in this run; of an older one: when this run began
	trimmed    paxos.Slot    // T
	highest    paxos.Slot
	cache      cache

	parked []parked // accepts that wait for a read of their slot, in order of arrival
	scan   scan     // the promise that is being reported from the store
	probe  probe    // the standing question to the owner of promised
	learn  *paxos.Learn
}

func (g *group) live() bool { return g.held.State == paxos.LogLive }

// next returns the first slot that this acceptor can speak of: all below are trimmed.
func (g *group) next(t paxos.Slot) paxos.Slot { return max(t, g.trimmed+1) }

// raise makes b the promise. The caller records it: a RecordPromise, or the RecordVote that raises it.
func (a *Acceptor) raise(now paxos.Instant, g *group, b paxos.Ballot, out *Output) {
	paxos.Assert(g.promised.Less(b), "log %q: promise %s lowered to %s", g.log, g.promised, b)
	g.promised, g.promisedAt = &b, now
	a.abandonScan(g, out)
	a.settle(now, g, paxos.NotGone, out)
}

// voter returns the part of every message that says which store speaks. The service sets Written as the message leaves.
func (a *Acceptor) voter() paxos.Voter {
	return paxos.Voter{Name: a.cfg.Name, Incarnation: a.cfg.Incarnation, Boot: a.cfg.Boot, Run: a.cfg.Run}
}

// say broadcasts m about the log once everything recorded so far is durable.
func (a *Acceptor) say(g *group, m paxos.Message, out *Output) {
	out.After = append(out.After, paxos.Envelope{Log: g.log, Genesis: g.id, From: a.cfg.Name, Msg: m})
}

// answer answers the request env once everything recorded so far is durable.
func (a *Acceptor) answer(env *paxos.Envelope, bulk bool, m paxos.Message, out *Output) {
	out.After = append(out.After, paxos.Envelope{
		Log: env.Log, Genesis: env.Genesis, From: a.cfg.Name, To: env.From,
		Request: env.Request, Reply: env.Reply, Bulk: bulk, Msg: m,
	})
}

// ask sends a request to one process's run. It shows nothing durable, so it leaves at once.
func (a *Acceptor) ask(log string, id paxos.GenesisID, to string, run uint64, m paxos.Message, out *Output) uint64 {
	n := a.cfg.NextRequest()
	out.Now = append(out.Now, paxos.Envelope{
		Log: log, Genesis: id, From: a.cfg.Name, To: to, ToRun: run, Request: n, Msg: m,
	})
	return n
}

// refuse tells the owner of ballot why a prepare (slot 0) or accept was not followed (PROTOCOL A7).
func (a *Acceptor) refuse(g *group, of paxos.Kind, ballot paxos.Ballot, t paxos.Slot, why paxos.RefuseReason, out *Output) {
	kind := paxos.EventAcceptRefused
	if of == paxos.KindPrepare {
		kind = paxos.EventPromiseRefused
	}
	out.Events = append(out.Events, paxos.Event{Kind: kind, Log: g.log, Slot: t, Ballot: ballot, Name: ballot.Proposer, Text: refusals[why]})
	a.say(g, &paxos.Refuse{
		Voter: a.voter(), Of: of, Refused: ballot, Slot: t, Reason: why,
		Promised: *g.promised, Trimmed: g.trimmed, Epoch: g.held.Epoch,
	}, out)
}

var refusals = [...]string{
	paxos.RefusedBallot:  "promised a higher ballot",
	paxos.RefusedTrimmed: "slot is trimmed",
	paxos.RefusedFull:    "disk is full",
	paxos.RefusedRetired: "retired",
	paxos.RefusedRound:   "round too far above the promised one",
}

// drop counts a message that is not answered.
func (a *Acceptor) drop(env *paxos.Envelope, why string, out *Output) {
	out.Events = append(out.Events, paxos.Event{Kind: paxos.EventDropped, Log: env.Log, Name: env.From, Text: why})
}

// refuseBallot applies the rules that prepare and accept share, and reports whether it refused.
func (a *Acceptor) refuseBallot(g *group, of paxos.Kind, b paxos.Ballot, t paxos.Slot, out *Output) bool {
	switch {
	case !g.live():
		a.refuse(g, of, b, t, paxos.RefusedRetired, out)
	case b.Less(*g.promised):
		a.refuse(g, of, b, t, paxos.RefusedBallot, out)
	case b.Round > g.promised.Round && b.Round-g.promised.Round > paxos.MaxRoundJump:
		a.refuse(g, of, b, t, paxos.RefusedRound, out)
	default:
		return false
	}
	return true
}

// sane reports whether a ballot that came from a process of this name can be a real one.
func sane(b *paxos.Ballot, from string) bool {
	return b.Round > 0 && paxos.ValidName(b.Proposer) && (from == "" || from == b.Proposer)
}
