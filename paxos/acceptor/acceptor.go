package acceptor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
)

// Config says who the acceptor is and how patient.
type Config struct {
	Cluster     string
	Name        string
	Incarnation paxos.Incarnation // of its store
	Boot        uint64            // durable start count of its store
	Run         uint64            // random per process start
	Version     string            // told to ident

	Started paxos.Instant // when this process began: promises of earlier runs count from here (PROTOCOL P7)
	Wall    paxos.Stamp   // the wall clock at Started

	Timeout      paxos.Span // silence after which a leader is gone; 0: paxos.DefaultTimeout
	ProbeTimeout paxos.Span // wait for an answer to a live probe; 0: DefaultProbeTimeout

	NextRequest func() uint64 // numbers of requests, unique in the process role
}

// Restored is what the store holds of one genesis when the process starts.
type Restored struct {
	Log          string
	Genesis      paxos.GenesisID
	Record       []byte // value.EncodeGenesis; may be nil only with LogAborted
	State        paxos.LogState
	Epoch        paxos.Epoch  // with LogRetired
	Promised     paxos.Ballot // zero: none
	Trimmed      paxos.Slot   // T
	HighestVoted paxos.Slot   // highest slot with a vote; 0: none. A vote at or below T may be named
}

// Acceptor is one acceptor process. See the package's documentation for who owns it and what orders its output.
type Acceptor struct {
	cfg  Config
	part *genesis.Participant

	groups map[paxos.GenesisID]*group
	order  []*group // the same, sorted by log: the order of every listing

	full bool // PROTOCOL K5: the service's disk watch

	learns  []*group // groups with votes gathered since the last Flush, in order of their first
	probing []*group // groups with a probe under way, oldest first
	beacons beacons

	reads       map[uint64]pending // reads under way
	lastRead    uint64
	parkedCount int
	parkedBytes int
	fetches     int

	wallAt paxos.Instant // when wall was read
	wall   paxos.Stamp
}

// New returns an acceptor that remembers what its store holds. It fails if that contradicts itself: then the
// store is not to be trusted, and the process must not go on.
func New(cfg Config, logs []Restored) (*Acceptor, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = paxos.DefaultTimeout
	}
	if cfg.ProbeTimeout == 0 {
		cfg.ProbeTimeout = DefaultProbeTimeout
	}
	held := make([]genesis.Held, 0, len(logs))
	for i := range logs {
		r := &logs[i]
		held = append(held, genesis.Held{Log: r.Log, ID: r.Genesis, State: r.State, Record: r.Record, Epoch: r.Epoch})
	}
	part, err := genesis.NewParticipant(genesis.ParticipantConfig{
		Cluster: cfg.Cluster, Name: cfg.Name, Role: paxos.RoleAcceptor, Incarnation: cfg.Incarnation, Run: cfg.Run,
	}, held)
	if err != nil {
		return nil, fmt.Errorf("restore acceptor %q: %w", cfg.Name, err)
	}
	a := &Acceptor{
		cfg: cfg, part: part, groups: map[paxos.GenesisID]*group{}, reads: map[uint64]pending{},
		wallAt: cfg.Started, wall: cfg.Wall,
	}
	a.beacons.init()
	for _, h := range part.All() {
		i := slices.IndexFunc(logs, func(r Restored) bool { return r.Log == h.Log && r.Genesis == h.ID })
		a.open(h, &logs[i])
	}
	return a, nil
}

// open begins to speak for a genesis that is live or retired.
func (a *Acceptor) open(h *genesis.Held, r *Restored) {
	if h.State != paxos.LogLive && h.State != paxos.LogRetired {
		return
	}
	g := &group{
		log: h.Log, id: h.ID, held: h, promised: &r.Promised, promisedAt: a.cfg.Started,
		trimmed: r.Trimmed, highest: r.HighestVoted,
	}
	g.cache.floor = max(g.highest, g.trimmed) + 1
	a.groups[g.id] = g
	i, _ := slices.BinarySearchFunc(a.order, g.log, func(g *group, log string) int { return cmp.Compare(g.log, log) })
	a.order = slices.Insert(a.order, i, g)
}

// Deliver takes one message. env and its message are read only during the call, except for an accept's value, which
// out.Records refers to, and requests, which wait for their answer.
func (a *Acceptor) Deliver(now paxos.Instant, env *paxos.Envelope, out *Output) {
	if env.Msg.Kind().IsRequest() && env.To != "" && env.To != a.cfg.Name {
		a.drop(env, "addressed to another process", out)
		return
	}
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		if g := a.group(env, out); g != nil {
			a.onAccept(now, g, env, m, out)
		}
	case *paxos.Prepare:
		if g := a.group(env, out); g != nil {
			a.onPrepare(now, g, env, m, out)
		}
	case *paxos.Fetch:
		if g := a.group(env, out); g != nil {
			a.onFetch(g, env, m, out)
		}
	case *paxos.Ask:
		if g := a.group(env, out); g != nil {
			a.onAsk(now, g, env, m, out)
		}
	case *paxos.Beacon:
		a.onBeacon(now, env, m, out)
	case *paxos.LiveAnswer:
		a.onLiveAnswer(now, env, m, out)
	case *paxos.NoResponders:
		a.onNoResponders(now, env, out)
	case *paxos.GenesisMsg:
		a.onGenesis(now, env, out)
	case *paxos.Ident:
		a.onIdent(now, env, m, out)
	default:
		a.drop(env, "not for an acceptor", out)
	}
}

// Tick lets time pass. wall is the wall clock at now.
func (a *Acceptor) Tick(now paxos.Instant, wall paxos.Stamp, out *Output) {
	a.wallAt, a.wall = now, wall
	a.expireProbes(now, out)
}

// SetFull tells whether the disk is above its high-water mark (PROTOCOL K5).
func (a *Acceptor) SetFull(full bool, out *Output) {
	if full == a.full {
		return
	}
	a.full = full
	n := int64(0)
	if full {
		n = 1
	}
	out.Events = append(out.Events, paxos.Event{Kind: paxos.EventFull, Name: a.cfg.Name, N: n})
}

// group finds the log that a message is about. Messages for a genesis that is not live (or retired) here are not answered
// (PROTOCOL A10): a typo must not create state.
func (a *Acceptor) group(env *paxos.Envelope, out *Output) *group {
	g := a.groups[env.Genesis]
	switch {
	case g == nil && a.part.Holding(env.Log) == nil:
		a.drop(env, "unknown log", out)
	case g == nil:
		a.drop(env, "foreign genesis, or not live", out)
	case g.log != env.Log:
		a.drop(env, "genesis of another log", out)
	default:
		return g
	}
	return nil
}

// clock returns the wall clock at now, carried on from the last tick by the monotonic clock.
func (a *Acceptor) clock(now paxos.Instant) paxos.Stamp {
	return a.wall + paxos.Stamp(now.Sub(a.wallAt))
}

// LogStatus is what an acceptor is to one log, for people.
type LogStatus struct {
	Log          string
	Genesis      paxos.GenesisID
	State        paxos.LogState
	Epoch        paxos.Epoch // with LogRetired
	Promised     paxos.Ballot
	Trimmed      paxos.Slot
	HighestVoted paxos.Slot
}

// Logs returns the status of every genesis held, sorted by log.
func (a *Acceptor) Logs() []LogStatus {
	all := make([]LogStatus, 0, len(a.part.All()))
	for _, h := range a.part.All() {
		s := LogStatus{Log: h.Log, Genesis: h.ID, State: h.State, Epoch: h.Epoch}
		if g := a.groups[h.ID]; g != nil {
			s.Promised, s.Trimmed, s.HighestVoted = *g.promised, g.trimmed, g.highest
		}
		all = append(all, s)
	}
	return all
}
