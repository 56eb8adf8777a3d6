package sim

import (
	"fmt"
	"math"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/proposer"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// enoughSessions are more than any seed opens.
const enoughSessions = 1000

// profile is the shape of one seed's cluster and load.
type profile struct {
	cluster                                string
	acceptors, spares, proposers, learners int
	read, write, k                         int
	geneses                                []*paxos.Genesis
	founding                               bool // the logs are founded at the start; else they are there
	slack                                  bool // read and write quorums share two acceptors: one store that went back does no harm
	proposer                               proposer.Config
	buffer                                 int
	length                                 paxos.Span // of the first phase
	scan                                   int        // votes that one read of a store reports, at most
	brokers                                int

	sessions, plains, tails, readers int // clients, per log
	every                            paxos.Span
	batch                            int // entries of a batch, at most
	payload                          int // bytes, at most
	expect, ids                      float64
	giveUp                           float64 // batches with a short deadline
	admin                            bool
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i+1)
	}
	return all
}

func (p *profile) proposerNames() []string { return names("p", p.proposers) }
func (p *profile) learnerNames() []string  { return names("l", p.learners) }

// incarnation is a store's: the n-th of a name.
func incarnation(name string, n byte) paxos.Incarnation {
	var i paxos.Incarnation
	copy(i[:], name)
	i[15] = n
	return i
}

func members(all []string) []paxos.Member {
	ms := make([]paxos.Member, len(all))
	for i, n := range all {
		ms[i] = paxos.Member{Name: n, Incarnation: incarnation(n, 1)}
	}
	return ms
}

// sessionsExpire reports whether a log remembers so few sessions that one in use may be forgotten.
func (w *world) sessionsExpire(log string) bool { return w.logNamed(log).gen.Sessions < enoughSessions }

// benchProfile is the cluster of the speed figure.
func benchProfile() profile {
	p := profile{
		cluster: "c", acceptors: 3, proposers: 2, learners: 2, read: 2, write: 2, k: 2, length: 60 * paxos.Second, brokers: 1, scan: math.MaxInt,
		sessions: 1, every: 45 * paxos.Millisecond, batch: 1, payload: 100,
	}
	p.geneses = []*paxos.Genesis{p.genesis("main", paxos.DefaultWindow)}
	return p
}

// genesis is a log's founding record.
func (p *profile) genesis(log string, window uint64) *paxos.Genesis {
	g := &paxos.Genesis{
		Cluster: p.cluster, Log: log, Level: paxos.FormatLevel, Window: window, ValueLimit: 1 << 16,
		Sessions: 4096, Outcomes: paxos.DefaultOutcomes, MessageIDs: 4096,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: members(names("a", p.acceptors)), Read: p.read, Write: p.write},
		Keepers:    paxos.Keepers{Epoch: 1, Members: members(names("l", min(p.learners, p.k+1))), K: p.k},
	}
	copy(g.ID[:], "genesis-"+log)
	return g
}

// swarmProfile draws a seed's shape.
func swarmProfile(seed uint64) profile {
	r := generator(seed, 5)
	p := profile{
		cluster: "c", acceptors: 3, proposers: 2 + r.IntN(2), learners: 2, read: 2, write: 2, k: 2, brokers: 3,
		length: 3*paxos.Second + span(r, 7*paxos.Second), scan: math.MaxInt,
	}
	switch x := r.IntN(10); {
	case x < 2:
		p.acceptors, p.read, p.write, p.k, p.learners = 5, 3, 3, 3, 3
	case x < 4:
		p.acceptors, p.read, p.write, p.k, p.learners, p.slack = 4, 3, 3, 3, 3, true
	case x < 5:
		p.acceptors, p.read, p.write, p.k, p.learners = 4, 2, 3, 3, 4
	default:
		p.learners += r.IntN(2)
	}
	p.admin = r.IntN(3) == 0
	if p.admin {
		p.spares = 2
	}
	p.founding = r.IntN(6) == 0
	p.proposer.StableBytes = uint64(512) << r.IntN(6)
	p.proposer.StableEvery = between(r, 100*paxos.Millisecond, paxos.Second)
	p.proposer.MarkEvery = between(r, 300*paxos.Millisecond, 2*paxos.Second)
	if r.IntN(4) == 0 {
		p.proposer.InFlightBytes = 4096
	}
	if r.IntN(6) == 0 {
		p.proposer.QueueBytes = 8192
	}
	if r.IntN(4) == 0 {
		p.buffer = 16 << 10
	}
	// Aloud; votes for the leader alone; small values for the acceptors alone; all of them.
	quiet := generator(seed, 7).IntN(4)
	p.proposer.Quiet, p.proposer.AloneBytes = quiet > 0, []int{0, 0, 300, paxos.DefaultAloneBytes}[quiet]
	p.sessions, p.plains, p.tails, p.readers = 1+r.IntN(2), r.IntN(2), r.IntN(2), r.IntN(2)
	if p.sessions+p.plains < 2 {
		p.plains++
	}
	p.every = between(r, 20*paxos.Millisecond, 150*paxos.Millisecond)
	p.batch, p.payload = 1+r.IntN(3), 20+r.IntN(400)
	if r.IntN(2) == 0 {
		p.expect = 0.3
	}
	if r.IntN(3) == 0 {
		p.ids = 0.5
	}
	if r.IntN(3) == 0 {
		p.giveUp = 0.2
	}
	if r.IntN(3) == 0 {
		p.scan = 1 + r.IntN(4)
	}
	logs := 1
	if r.IntN(4) == 0 {
		logs = 2
	}
	windows := []uint64{2, 4, 8, 16, 64, paxos.DefaultWindow}
	for i := range logs {
		g := p.genesis([]string{"main", "other"}[i], windows[r.IntN(len(windows))])
		if r.IntN(6) == 0 {
			g.Sessions = 2
			p.sessions = 3
		}
		if r.IntN(3) == 0 {
			g.Outcomes = 8
		}
		p.geneses = append(p.geneses, g)
	}
	for _, g := range p.geneses {
		if err := quorum.Validate(&g.Membership); err != nil {
			panic(err)
		}
		if err := quorum.ValidateKeepers(&g.Keepers, &g.Membership); err != nil {
			panic(err)
		}
	}
	return p
}
