package proposer

import "github.com/paxosd/paxosd/paxos"

// KeeperStatus is what one keeper reported, for people.
type KeeperStatus struct {
	Member   paxos.Member
	Reported paxos.Slot
	Verified paxos.Slot // with a hash equal to this process's
	Diverged bool
	Excluded bool
}

// LogStatus is what a proposer is to one log, for people and metrics.
type LogStatus struct {
	Log         string
	Genesis     paxos.GenesisID
	Phase       paxos.Phase
	Ballot      paxos.Ballot // held; zero for a standby
	Leader      paxos.Ballot // whose beacons were heard last; own where this process leads
	Serving     bool         // takes requests
	Contested   bool
	Seen        paxos.Ballot
	Through     paxos.Slot
	Last        paxos.Offset
	Hash        paxos.Hash
	Stable      paxos.Slot
	Trimmed     paxos.Slot // highest trim mark told
	Epoch       paxos.Epoch
	Queued      int
	QueuedBytes int
	Open        int
	InFlight    int // bytes
	Keepers     []KeeperStatus
	Stopped     error // the log goes no further in this process
}

// Status returns how every log stands, in the order in which they were added.
func (p *Proposer) Status() []LogStatus {
	all := make([]LogStatus, 0, len(p.groups.list))
	for _, g := range p.groups.list {
		all = append(all, g.status())
	}
	return all
}

// InFlight returns the bytes that are proposed and not seen chosen, over all logs.
func (p *Proposer) InFlight() int { return p.inFlight }

func (g *group) status() LogStatus {
	stable, _ := g.seq.Stable()
	st := LogStatus{
		Log: g.log, Genesis: g.id, Phase: g.phase.public(), Ballot: g.phase.at(), Leader: g.holder.ballot, Seen: g.seen,
		Through: g.through(), Last: g.seq.LastOffset(), Hash: g.seq.Hash(), Stable: stable, Trimmed: g.told,
		Epoch: g.seq.Newest().Epoch, Stopped: g.learner.Stopped(),
	}
	switch ph := g.phase.(type) {
	case *leader:
		st.Leader, st.Serving = ph.ballot, ph.serving()
		st.Queued, st.QueuedBytes, st.Open, st.InFlight = ph.queue.len(), ph.queue.bytes, len(ph.open), ph.inFlight
	case *contested:
		st.Contested = true
	case *standby, *candidate:
	}
	for i := range g.stability.keepers {
		k := &g.stability.keepers[i]
		st.Keepers = append(st.Keepers, KeeperStatus{
			Member: k.member, Reported: k.slot, Verified: k.verified, Diverged: k.diverged,
			Excluded: g.p.witness.Excluded(k.member),
		})
	}
	return st
}
