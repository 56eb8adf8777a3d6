package configs

import (
	"strings"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// Config is the whole configuration of one process. Load fills it; nothing changes it afterwards.
//
//	I1  every key has a Source: Default, a place in a file, a variable or a flag.
//	I2  after Load the derived keys are set: quorum sizes, learner.keeper, learners.
type Config struct {
	Cluster string // name of the cluster, the second part of every subject
	Prefix  string // first tokens of every subject
	Node    string // what log lines and the broker's connection list call this process

	Broker   Broker
	Acceptor Acceptor
	Proposer Proposer
	Learner  Learner

	Acceptors []string // names of the cluster's acceptors; the founder lists them in each log's genesis
	Proposers []string // names of the cluster's proposers, in the order in which they take over before any beacon
	Learners  []string // names of the cluster's learners
	Keepers   []string // those learners whose copies count towards stability
	Quorum    Quorum
	Logs      []string // logs that the founder founds

	Genesis  GenesisConstants
	Protocol Protocol
	HTTP     HTTP
	Logging  Logging
	Disk     Disk

	path    string // of the file, for messages; empty: there was none
	sources map[string]Source
}

// Broker says how to reach the NATS server, who to be there, and what it allows.
type Broker struct {
	URLs       []string // tried in random order, for ever
	Creds      string   // file with a user's JWT and seed
	NKey       string   // file with a user's nkey seed
	User       string
	Password   string
	Token      string
	TLS        TLS
	Inbox      string   // where answers to this process arrive; {name} stands for the role's name
	ReplyTo    []string // inboxes to which this process may send answers: _INBOX_p1, or _INBOX_* for all whose first token begins so
	MaxPayload Bytes    // the broker's max_payload as configured; checked again on connecting
	MaxPending Bytes    // the broker's max_pending, past which it cuts a slow consumer
}

// TLS is the broker connection's. All empty: as the URL says, with the system's authorities.
type TLS struct {
	CA   string // file with the authorities that sign the broker's certificate
	Cert string // file with this process's certificate
	Key  string // file with its key
}

// Acceptor is this process's acceptor, if Name is set.
type Acceptor struct {
	Name string
	Data string // folder of its store; nobody else's
}

// Proposer is this process's proposer, if Name is set. It has no store.
type Proposer struct {
	Name  string
	Found bool // founds the configured logs; exactly one process of a cluster does
}

// Learner is this process's learner, if Name is set.
type Learner struct {
	Name   string
	Data   string // folder of its store; nobody else's
	Keeper bool   // its copy counts towards stability
}

// Quorum is the sizes that a founded log begins with. Zero in a file means derived; after Load none is zero where
// there are acceptors and keepers.
type Quorum struct {
	Read    int // R: promises that a candidate needs
	Write   int // W: votes that choose a value
	Keepers int // k: equal reports that make a slot stable
}

// GenesisConstants are what a log keeps for ever as it was founded with. Changing them changes only logs founded later.
type GenesisConstants struct {
	Window     int   // α, in slots
	ValueLimit Bytes // largest value
	Sessions   int   // N: producer sessions kept
	Outcomes   int   // F: outcomes kept per session
	MessageIDs int   // message ids kept
}

// Protocol is what may be tuned while a cluster runs, process by process. No value here can break a
// guarantee; a bad one costs speed or availability.
type Protocol struct {
	BeaconEvery   time.Duration
	AskAfter      time.Duration // silence after which the first standby asks
	Timeout       time.Duration // silence and check-quorum time-out
	SuccessorStep time.Duration // δ
	ProgressLimit time.Duration
	ResendFirst   time.Duration
	ResendMax     time.Duration
	ClockBound    time.Duration
	InFlight      Bytes // proposed and not chosen, over all logs of the process
	Queue         Bytes // appends of a log that wait for a slot
	Buffer        Bytes // values that wait for their votes, per log
	StableEvery   time.Duration
	StableBytes   Bytes
	MarkEvery     time.Duration
	MarkBytes     Bytes
	HandOver      time.Duration // an orderly stop takes at most this
}

// HTTP is the listener of /metrics, /livez, /readyz and /status.
type HTTP struct {
	Listen string // host:port; port 0 takes a free one; "off" for none
	Pprof  bool   // serve /debug/pprof on it, too
}

// Logging is how log lines look.
type Logging struct {
	Level  string // debug, info, warn, error
	Format string // text, json
}

// Disk says when a store is full (PROTOCOL K5).
type Disk struct {
	HighWater Bytes // an acceptor's store above it refuses batches
	MinFree   int   // percent of the file system's space that must be free
	Ballast   Bytes // file that leaves room to reopen a full store
}

// Source tells where a key's value came from.
type Source struct {
	Kind   SourceKind
	Name   string // the file, the variable, or the flag
	Line   int    // in the file, from 1
	Column int    // in the file, from 1
}

// SourceKind is one of the places that set a key, in rising order.
type SourceKind uint8

// Sources.
const (
	SourceDefault SourceKind = iota
	SourceFile
	SourceEnvironment
	SourceFlag
)

// Source returns where the value of a key (dotted, as in the file) came from.
func (c *Config) Source(key string) Source { return c.sources[key] }

// Has reports whether this process is to run a role.
func (c *Config) Has(role paxos.Role) bool { return c.Name(role) != "" }

// Name returns the name of this process's acceptor, proposer or learner, or "".
func (c *Config) Name(role paxos.Role) string {
	switch role {
	case paxos.RoleAcceptor:
		return c.Acceptor.Name
	case paxos.RoleProposer:
		return c.Proposer.Name
	case paxos.RoleLearner:
		return c.Learner.Name
	default:
		return ""
	}
}

// Roles returns the roles that this process has, in the order acceptor, learner, proposer: that in which they start.
func (c *Config) Roles() []paxos.Role {
	var rs []paxos.Role
	for _, r := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner, paxos.RoleProposer} {
		if c.Has(r) {
			rs = append(rs, r)
		}
	}
	return rs
}

// InboxFor returns the prefix of the subjects on which answers to the role called name arrive.
func (b *Broker) InboxFor(name string) string { return strings.ReplaceAll(b.Inbox, "{name}", name) }
