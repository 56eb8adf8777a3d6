package paxos

// Member is one acceptor or keeper of a log: a name and the incarnation of its store. The same name
// with another incarnation is a stranger, whose votes and reports do not count (PITFALLS 1).
type Member struct {
	Name        string
	Incarnation Incarnation
}

// Membership is the set of acceptors that governs a run of slots.
//
//	I1  Acceptors are sorted by name, names and incarnations are distinct.
//	I2  Read + Write > len(Acceptors); Write >= 2 where there are two acceptors or more.
//	I3  The first membership has Epoch 1 and From 1; each later one the next Epoch and a higher From.
//
// quorum.Validate checks I1 and I2. A Membership is never changed once made: share it freely.
type Membership struct {
	Epoch     Epoch
	From      Slot // first slot it governs; the next membership's From ends it
	Acceptors []Member
	Read      int // promises that Phase 1 needs
	Write     int // equal votes that choose a value
}

// Index returns the place of the acceptor with this name and incarnation, or -1.
func (m *Membership) Index(name string, inc Incarnation) int {
	for i := range m.Acceptors {
		if m.Acceptors[i].Name == name && m.Acceptors[i].Incarnation == inc {
			return i
		}
	}
	return -1
}

// Keepers is the set of learners whose durable copies count towards stability (PROTOCOL K1-K3).
//
//	I1  Members are sorted by name, names and incarnations are distinct.
//	I2  K <= len(Members), K >= 2, K >= every Write in force. (K = 1 with one keeper is allowed only
//	    where every membership has a single acceptor.)
type Keepers struct {
	Epoch   Epoch // counts changes of the keeper set, from 1 (genesis)
	Members []Member
	K       int // equal reports that make a slot stable
}

// Index returns the place of the keeper with this name and incarnation, or -1.
func (k *Keepers) Index(name string, inc Incarnation) int {
	for i := range k.Members {
		if k.Members[i].Name == name && k.Members[i].Incarnation == inc {
			return i
		}
	}
	return -1
}

// Genesis is the founding record of a log: all that is constant for its whole life, and its first
// membership and keepers. Its canonical bytes (value.EncodeGenesis) start the running hash.
type Genesis struct {
	ID         GenesisID
	Cluster    string
	Log        string
	Founded    Stamp // for people; nothing depends on it
	Level      uint32
	Window     uint64 // α, in slots
	ValueLimit uint32 // largest value, in bytes
	Sessions   uint32 // N: sessions kept, least recently used in log order ends first
	Outcomes   uint32 // F: outcomes kept per session
	MessageIDs uint32 // message ids kept
	Membership Membership
	Keepers    Keepers
}

// LogState is what an acceptor or keeper durably is to a log (PROTOCOL section 6, A10).
type LogState uint8

// Durable states of a log in an acceptor or keeper. Never renumber: they are stored.
const (
	LogNone     LogState = 0 // knows nothing of it
	LogPrepared LogState = 1 // holds the genesis record, may not vote
	LogLive     LogState = 2 // votes, or keeps
	LogRetired  LogState = 3 // never votes again; answers (retired, epoch, T)
	LogAborted  LogState = 4 // this genesis never was
)

// String returns the state's word.
func (s LogState) String() string {
	switch s {
	case LogNone:
		return "none"
	case LogPrepared:
		return "prepared"
	case LogLive:
		return "live"
	case LogRetired:
		return "retired"
	case LogAborted:
		return "aborted"
	}
	return "unknown"
}
