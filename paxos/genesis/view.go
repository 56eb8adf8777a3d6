package genesis

import (
	"slices"
	"strings"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// MaxIDs bounds the geneses of one log that a founder keeps apart. More were never begun by honest founders.
const MaxIDs = 256

// peer is what the founder knows of one process.
//
//	I1  What an incarnation holds only moves forward: none, prepared, then live or aborted, then retired. So answers may come
//	    late and in any order.
type peer struct {
	Peer
	listed      bool // named by the configuration or by a record as acceptor or keeper: it must answer
	configured  bool // named by the configuration
	answered    bool // by ident, in this founder's life
	gone        bool // the broker knew no such process when last asked
	incarnation paxos.Incarnation
	holds       []holding // sorted by id

	request uint64 // ident under way; 0: none
	due     paxos.Instant
	wait    paxos.Span
}

// holding is the state of one genesis at a peer.
type holding struct {
	id    paxos.GenesisID
	state paxos.LogState
}

// state returns what the peer holds of id.
func (p *peer) state(id paxos.GenesisID) paxos.LogState {
	for _, h := range p.holds {
		if h.id == id {
			return h.state
		}
	}
	return paxos.LogNone
}

// is reports whether the peer answered under the incarnation that m lists.
func (p *peer) is(m paxos.Member) bool { return p.answered && p.incarnation == m.Incarnation }

// merge moves the peer's state of id forward, and reports whether it moved.
func (p *peer) merge(id paxos.GenesisID, s paxos.LogState) bool {
	if rank(s) <= rank(p.state(id)) {
		return false
	}
	i, found := slices.BinarySearchFunc(p.holds, id, func(h holding, id paxos.GenesisID) int { return h.id.Compare(id) })
	if found {
		p.holds[i].state = s
	} else {
		p.holds = slices.Insert(p.holds, i, holding{id, s})
	}
	return true
}

// rank orders the states of one genesis at one incarnation by time.
func rank(s paxos.LogState) int {
	switch s {
	case paxos.LogPrepared:
		return 1
	case paxos.LogLive, paxos.LogAborted:
		return 2
	case paxos.LogRetired:
		return 3
	case paxos.LogNone:
	}
	return 0
}

// record is a genesis whose whole record is known.
type record struct {
	genesis *paxos.Genesis
	bytes   []byte
}

// view is all that the founder knows of the log.
type view struct {
	cluster string
	log     string
	peers   []*peer // sorted by name
	ids     []paxos.GenesisID
	records map[paxos.GenesisID]record
}

func (v *view) peer(name string) *peer {
	if i, ok := v.search(name); ok {
		return v.peers[i]
	}
	return nil
}

// add makes sure that a process is asked; listed ones must answer.
func (v *view) add(p Peer, listed bool) {
	i, ok := v.search(p.Name)
	if !ok {
		v.peers = slices.Insert(v.peers, i, &peer{Peer: p})
	}
	v.peers[i].listed = v.peers[i].listed || listed
}

func (v *view) search(name string) (int, bool) {
	return slices.BinarySearchFunc(v.peers, name, func(p *peer, name string) int { return strings.Compare(p.Name, name) })
}

// see takes note of a genesis of the log; rec may be nil. Whoever its record lists is asked from then on.
func (v *view) see(id paxos.GenesisID, rec []byte) {
	if i, ok := slices.BinarySearchFunc(v.ids, id, paxos.GenesisID.Compare); !ok && len(v.ids) < MaxIDs {
		v.ids = slices.Insert(v.ids, i, id)
	}
	if _, ok := v.records[id]; ok || len(rec) == 0 {
		return
	}
	g, err := value.DecodeGenesis(rec)
	if err != nil || g.ID != id || g.Log != v.log || g.Cluster != v.cluster {
		return
	}
	v.records[id] = record{genesis: g, bytes: rec}
	for _, m := range g.Membership.Acceptors {
		v.add(Peer{Name: m.Name, Role: paxos.RoleAcceptor}, true)
	}
	for _, m := range g.Keepers.Members {
		v.add(Peer{Name: m.Name, Role: paxos.RoleLearner}, true)
	}
}

// listed calls yield for every acceptor and keeper that the record lists, with the process of that name.
func (v *view) listed(r record, yield func(m paxos.Member, p *peer) bool) bool {
	for _, m := range r.genesis.Membership.Acceptors {
		if !yield(m, v.peer(m.Name)) {
			return false
		}
	}
	for _, m := range r.genesis.Keepers.Members {
		if !yield(m, v.peer(m.Name)) {
			return false
		}
	}
	return true
}

// anywhere reports whether some listed process holds id in state s.
func (v *view) anywhere(id paxos.GenesisID, s paxos.LogState) bool {
	return slices.ContainsFunc(v.peers, func(p *peer) bool { return p.listed && p.state(id) == s })
}
