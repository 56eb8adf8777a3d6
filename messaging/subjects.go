package messaging

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// DefaultPrefix is the first token of every subject where the configuration names no other.
const DefaultPrefix = "paxos"

// maxPrefixTokens bounds a configured prefix: subjects are parsed for every message.
const maxPrefixTokens = 8

// Subjects builds and reads the subjects of one cluster: prefix.cluster.log.kind.name[.run] (PROTOCOL section 8). The
// prefix may have several tokens. It is a value: copy it freely.
type Subjects struct {
	Prefix  string // without a dot at its end
	Cluster string
	base    string // "prefix.cluster."
}

// Address is what a subject says.
type Address struct {
	Log  string // or paxos.ProcessLog
	Kind paxos.Kind
	Name string // sender of a broadcast, addressee of a request; empty for append, batch, open, admin
	Run  uint64 // addressee's run; 0: none named
	To   string // addressee of a vote, beside its sender
}

// shape says how a kind's subject ends.
type shape uint8

const (
	shapeNone      shape = iota // answers have no subject of their own
	shapeSender                 // kind.<sender>
	shapeAddressee              // kind.<addressee>[.<run>]
	shapeLeader                 // kind: whoever leads
	shapeBoth                   // kind.<sender>.<addressee>
)

func shapeOf(k paxos.Kind) shape {
	switch k {
	case paxos.KindPrepare, paxos.KindPromise, paxos.KindRefuse, paxos.KindAccept, paxos.KindLearn, paxos.KindBeacon,
		paxos.KindBeat, paxos.KindReport, paxos.KindLeader, paxos.KindGenesis, paxos.KindPropose,
		paxos.KindChosen:
		return shapeSender
	case paxos.KindVote:
		return shapeBoth
	case paxos.KindAsk, paxos.KindLive, paxos.KindIdent, paxos.KindBeacons, paxos.KindRead, paxos.KindGet,
		paxos.KindFetch, paxos.KindCheckpoint:
		return shapeAddressee
	case paxos.KindAppend, paxos.KindBatch, paxos.KindOpen, paxos.KindAdmin:
		return shapeLeader
	default:
		return shapeNone
	}
}

// processKind reports whether messages of this kind concern a process, not one log: their log token is "_".
func processKind(k paxos.Kind) bool {
	switch k {
	case paxos.KindBeacon, paxos.KindBeat, paxos.KindIdent, paxos.KindBeacons, paxos.KindIdentAnswer:
		return true
	default:
		return false
	}
}

// bulkKind reports whether subjects of this kind are subscribed to on the bulk connection (PROTOCOL section 8).
func bulkKind(k paxos.Kind) bool {
	switch k {
	case paxos.KindAccept, paxos.KindPropose, paxos.KindChosen, paxos.KindAppend, paxos.KindBatch, paxos.KindRead, paxos.KindGet, paxos.KindFetch,
		paxos.KindCheckpoint:
		return true
	default:
		return false
	}
}

// NewSubjects checks the names and returns the subjects of one cluster. An empty prefix is the default one.
func NewSubjects(prefix, cluster string) (Subjects, error) {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	tokens := strings.Split(prefix, ".")
	if len(tokens) > maxPrefixTokens {
		return Subjects{}, fmt.Errorf("%w: subject prefix %q has more than %d tokens", ErrConfig, prefix, maxPrefixTokens)
	}
	for _, t := range tokens {
		if !paxos.ValidName(t) {
			return Subjects{}, fmt.Errorf("%w: subject prefix %q: each token must match [A-Za-z0-9][A-Za-z0-9_-]{0,63}", ErrConfig, prefix)
		}
	}
	if !paxos.ValidName(cluster) {
		return Subjects{}, fmt.Errorf("%w: cluster name %q must match [A-Za-z0-9][A-Za-z0-9_-]{0,63}", ErrConfig, cluster)
	}
	return Subjects{Prefix: prefix, Cluster: cluster, base: prefix + "." + cluster + "."}, nil
}

// Subject returns the subject of a. It does not check names: Encode did.
func (s Subjects) Subject(a Address) string {
	kind := a.Kind.String()
	n := len(s.base) + len(a.Log) + 1 + len(kind) + 1 + len(a.Name) + 1 + len(a.To) + 17
	b := append(make([]byte, 0, n), s.base...)
	b = append(b, a.Log...)
	b = append(b, '.')
	b = append(b, kind...)
	if a.Name != "" {
		b = append(b, '.')
		b = append(b, a.Name...)
	}
	if a.To != "" {
		b = append(b, '.')
		b = append(b, a.To...)
	}
	if a.Run != 0 {
		b = append(b, '.')
		b = strconv.AppendUint(b, a.Run, 16)
	}
	return string(b)
}

// Pattern returns a subscription's subject: an empty log or name stands for every one.
func (s Subjects) Pattern(a Address) string {
	if a.Log == "" {
		a.Log = "*"
	}
	if a.Name == "" && shapeOf(a.Kind) != shapeLeader {
		a.Name = "*"
	}
	if a.To == "" && shapeOf(a.Kind) == shapeBoth {
		a.To = "*"
	}
	return s.Subject(a)
}

// Of returns where env goes. Answers have no subject: their Reply says where they go.
func (s Subjects) Of(env *paxos.Envelope) (Address, error) {
	a := Address{Log: env.Log, Kind: env.Msg.Kind()}
	switch shapeOf(a.Kind) {
	case shapeSender:
		a.Name = env.From
	case shapeBoth:
		a.Name, a.To = env.From, env.To
	case shapeAddressee:
		a.Name, a.Run = env.To, env.ToRun
	case shapeLeader:
	case shapeNone:
		return a, fmt.Errorf("%w: %s travels to an inbox only", ErrSubject, a.Kind)
	}
	return a, a.check()
}

// Parse reads a subject of this cluster. Names alias it.
func (s Subjects) Parse(subject string) (Address, error) {
	var a Address
	rest, ok := strings.CutPrefix(subject, s.base)
	if !ok {
		return a, fmt.Errorf("%w: %q is outside %q", ErrSubject, subject, s.base)
	}
	var kind, run string
	var found bool
	a.Log, rest, _ = strings.Cut(rest, ".")
	kind, rest, found = strings.Cut(rest, ".")
	if a.Kind = paxos.KindOf(kind); a.Kind == paxos.KindNone {
		return a, fmt.Errorf("%w: %q", ErrUnknownKind, subject)
	}
	if found != (shapeOf(a.Kind) != shapeLeader) {
		return a, fmt.Errorf("%w: %q has a token too many or too few", ErrSubject, subject)
	}
	a.Name, run, found = strings.Cut(rest, ".")
	switch {
	case shapeOf(a.Kind) == shapeBoth:
		a.To = run
	case found:
		var err error
		if a.Run, err = parseRun(run); err != nil {
			return a, fmt.Errorf("%w: %q: %w", ErrSubject, subject, err)
		}
	}
	return a, a.check()
}

// check holds a to the table of PROTOCOL section 8.
func (a Address) check() error {
	if processKind(a.Kind) != (a.Log == paxos.ProcessLog) || (a.Log != paxos.ProcessLog && !paxos.ValidName(a.Log)) {
		return fmt.Errorf("%w: log %q in a subject of kind %s", ErrSubject, a.Log, a.Kind)
	}
	named := shapeOf(a.Kind) != shapeLeader
	if named != (a.Name != "") || (named && !paxos.ValidName(a.Name)) {
		return fmt.Errorf("%w: name %q in a subject of kind %s", ErrSubject, a.Name, a.Kind)
	}
	if both := shapeOf(a.Kind) == shapeBoth; both != (a.To != "") || both && !paxos.ValidName(a.To) {
		return fmt.Errorf("%w: addressee %q in a subject of kind %s", ErrSubject, a.To, a.Kind)
	}
	switch a.Kind {
	case paxos.KindLive, paxos.KindBeacons:
		if a.Run == 0 {
			return fmt.Errorf("%w: %s names no run", ErrSubject, a.Kind)
		}
	case paxos.KindIdent:
	default:
		if a.Run != 0 {
			return fmt.Errorf("%w: %s names a run", ErrSubject, a.Kind)
		}
	}
	return nil
}

// parseRun reads a run token: hexadecimal without leading zeros.
func parseRun(s string) (uint64, error) {
	run, err := strconv.ParseUint(s, 16, 64)
	if err != nil || run == 0 || strconv.FormatUint(run, 16) != s {
		return 0, fmt.Errorf("run %q: want a number in hexadecimal, not zero", s)
	}
	return run, nil
}
