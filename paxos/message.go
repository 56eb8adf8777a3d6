package paxos

// Message is the content of an Envelope: one of the pointer types of this package whose name is a Kind.
// A message is not changed after it was sent or delivered; slices in it are shared.
type Message interface {
	Kind() Kind
}

// Envelope is a message with its addresses. Cores make and take envelopes; messaging turns them
// into subjects and bytes. Which fields mean something depends on how the kind travels:
//
//   - broadcast (prepare, promise, accept, …): Log, Genesis, From; To is empty.
//   - request (Kind.IsRequest): To and, where the subject has one, ToRun; Request is the sender's
//     number for it. On arrival Reply is set: an opaque handle that the answer must carry.
//   - answer (Kind.IsAnswer): Reply and Request are copied from the request; on arrival Request is
//     the number that the receiver chose, From who answered.
type Envelope struct {
	Log     string    // name of the log, or ProcessLog
	Genesis GenesisID // zero only in ProcessLog messages and live, ident, genesis, checkpoint requests (PROTOCOL N1)
	From    string    // sender: the subject's name token on broadcasts; the name in the payload on answers; empty from clients
	To      string    // addressee of a request; empty otherwise
	ToRun   uint64    // addressee's run (live, beacons, ident); 0: any
	Request uint64    // request number; 0 on broadcasts
	Reply   string    // where the answer goes; only ever set by the transport
	Bulk    bool      // travels on the bulk connection; else control. No order between them (PROTOCOL N5)
	Arrived Instant   // when it came to this process, set by its service; 0: as it is delivered
	Msg     Message
}

// ArrivedBy returns when the message came to this process, at the latest at now, as it is delivered.
func (e *Envelope) ArrivedBy(now Instant) Instant {
	if e.Arrived == 0 {
		return now
	}
	return min(e.Arrived, now)
}

// Voter says which store speaks (PROTOCOL A9). The service fills it in as the message leaves; Written is the newest
// durable write number at that moment, repeats included.
type Voter struct {
	Name        string // must be the subject's name
	Incarnation Incarnation
	Boot        uint64 // durable start count of the store, from 1
	Run         uint64 // random per process start
	Written     uint64 // newest durable write number of the store
}

// Prepare asks every acceptor of the log for a promise at Ballot, from slot From to infinity (PROTOCOL A5).
// It is sent again until answered, with From raised past what is covered.
type Prepare struct {
	Ballot Ballot
	From   Slot
}

// VoteInfo is a vote without its value (PROTOCOL A6).
type VoteInfo struct {
	Slot     Slot
	Ballot   Ballot   // the ballot at which it was accepted
	Checksum Checksum // of the value's bytes
	Bytes    uint32   // length of the value
}

// Promise is one chunk of a promise: this acceptor will accept nothing below Ballot, and its votes in the
// closed range [From, To] are exactly Votes, in slot order. The last chunk has To = MaxSlot.
type Promise struct {
	Voter
	Ballot  Ballot
	From    Slot
	To      Slot
	Trimmed Slot // T: told and obeyed (PROTOCOL A4)
	Votes   []VoteInfo
}

// RefuseReason says why an acceptor refused.
type RefuseReason uint8

// Reasons of a refusal. They travel: never renumber.
const (
	RefusedBallot  RefuseReason = 1 // promised a higher ballot
	RefusedTrimmed RefuseReason = 2 // the slot is at or below T
	RefusedFull    RefuseReason = 3 // above the high-water mark (PROTOCOL K5)
	RefusedRetired RefuseReason = 4 // retired; never votes again
	RefusedRound   RefuseReason = 5 // round more than MaxRoundJump above the promised one
)

// Refuse answers a prepare or an accept that was not followed (PROTOCOL A7).
type Refuse struct {
	Voter
	Of       Kind   // KindPrepare or KindAccept
	Refused  Ballot // the ballot refused
	Slot     Slot   // of the accept; 0 for a prepare
	Reason   RefuseReason
	Promised Ballot // the acceptor's promise, so that the loser can jump
	Trimmed  Slot   // T
	Epoch    Epoch  // with RefusedRetired: the membership that retired it
}

// Accept asks every acceptor to vote for Value in Slot at Ballot. Learners and standbys read it too: a value
// crosses the leader's link once.
type Accept struct {
	Ballot   Ballot
	Slot     Slot
	Checksum Checksum // Sum(Value); checked before it reaches a core
	Value    []byte   // package value has the layout
	Explain  bool     // the vote is to say how long it took (VoteTime)
	Quiet    bool     // the vote is for the proposer alone (KindVote), whose mark tells the others what is chosen
	Alone    bool     // the acceptors alone are asked (KindPropose); the others get the value with the mark (ChosenMsg)
}

// SlotSum is a slot with the checksum of the value voted for there.
type SlotSum struct {
	Slot     Slot
	Checksum Checksum
}

// Learn publishes votes: this acceptor accepted, durably, these slots at Ballot.
type Learn struct {
	Voter
	Ballot Ballot
	Votes  []SlotSum
	Times  []VoteTime // of those that were asked for, in any order

	Quiet   bool    // for Ballot's proposer alone (KindVote), which asked quietly
	Arrived Instant // of the oldest accept among them, on the acceptor's own clock; it does not travel
}

// ChosenMsg tells learners and standbys how far the log is chosen, as a beacon does (PROTOCOL L2), with the values that the leader asked the
// acceptors alone to vote for.
type ChosenMsg struct {
	Ballot  Ballot
	Through Slot // n: every slot through it is chosen, and Ballot may vouch for it
	Hash    Hash // running hash at Through
	Values  []SlotValue
}

// SlotValue is a value as it was proposed, at a ballot that is named elsewhere.
type SlotValue struct {
	Slot     Slot
	Checksum Checksum // Sum(Value); checked before it reaches a core
	Value    []byte
}

// Phase is what a proposer is for one log at one ballot.
type Phase uint8

// Phases. They travel: never renumber.
const (
	PhaseStandby   Phase = 0
	PhaseCandidate Phase = 1
	PhaseLeader    Phase = 2
)

// String returns the phase's word.
func (p Phase) String() string {
	switch p {
	case PhaseStandby:
		return "standby"
	case PhaseCandidate:
		return "candidate"
	case PhaseLeader:
		return "leader"
	}
	return "unknown"
}

// BeaconItem is what a beacon says of one log.
type BeaconItem struct {
	Log        string
	Genesis    GenesisID
	Ballot     Ballot // whose Proposer is the beacon's sender
	Withdrawn  bool   // this run no longer renews Ballot; the marks mean nothing
	Chosen     Slot   // n: every slot through it is chosen, and Ballot may vouch for it (PROTOCOL L2)
	ChosenHash Hash   // running hash at Chosen
	Stable     Slot   // newest sequenced stable mark; acceptors trim to it (PROTOCOL K2)
	Last       Offset // last offset at Chosen
}

// Beacon is one per process: it renews every (log, ballot) that this run announced and did not withdraw,
// and lists only what changed since the previous number (PROTOCOL N6). Standbys send it without items.
type Beacon struct {
	Proposer   string // the subject's name
	Run        uint64
	Number     uint64 // from 1, dense; a receiver that missed one asks for the full list
	Full       bool   // Items is the full list (an answer to beacons, or a first beacon)
	Over       bool   // the last one: everything is withdrawn
	Clock      Stamp
	Items      []BeaconItem
	Succession []string // standbys in the order in which they ask (PROTOCOL P7)
}

// BeatItem names a log whose promise at this acceptor differs from the ballot that the beacon renews.
type BeatItem struct {
	Log      string
	Genesis  GenesisID
	Promised Ballot
}

// Beat answers a beacon (PROTOCOL P8).
type Beat struct {
	Voter
	Proposer string // whose beacon
	ToRun    uint64 // that process's run
	Number   uint64 // the newest beacon number received from that run
	Clock    Stamp  // the acceptor's, for PROTOCOL Q5
	Differs  []BeatItem
	Full     bool // this acceptor refuses batches for want of disk space (PROTOCOL K5)
}

// Report tells the proposers what a keeper holds durably and without a gap (PROTOCOL K1).
type Report struct {
	Voter      // the keeper's store
	Slot  Slot // n
	Hash  Hash // running hash at n
	Start Slot // first slot it holds
}

// Leader announces that a leader's term start is sequenced and that it subscribes to append and batch.
type Leader struct {
	Ballot Ballot
	Last   Offset
}

// Ask asks one acceptor whether what it promised for the envelope's log still leads (PROTOCOL P7).
type Ask struct {
	Asker       string
	Run         uint64
	PromiseOnly bool // do not probe; only tell the promise (PROTOCOL P8)
}

// GoneReason says why an acceptor holds its promise's owner to be gone, or that it does not.
type GoneReason uint8

// Reasons. They travel: never renumber.
const (
	NotGone          GoneReason = 0
	GoneNoResponders GoneReason = 1 // the acceptor's own probe met the broker's 503
	GoneNoLonger     GoneReason = 2 // the proposer itself says so
	GoneSilent       GoneReason = 3 // no beacon of a leader renewed that ballot within the time-out
	GoneNoPromise    GoneReason = 4 // nothing promised
	GoneCandidate    GoneReason = 5 // still a candidate two time-outs after the promise
)

// AskAnswer answers Ask.
type AskAnswer struct {
	Voter
	Promised Ballot
	Gone     GoneReason
	Trimmed  Slot
	Clock    Stamp
	State    LogState
	Epoch    Epoch // with LogRetired
}

// Live asks a proposer's run whether it still holds Ballot for a log.
type Live struct {
	Ballot Ballot
}

// LiveAnswer answers Live: Phase at Ballot, or PhaseStandby for "no longer".
type LiveAnswer struct {
	Name   string
	Run    uint64
	Ballot Ballot
	Phase  Phase
}

// Role is what a process is.
type Role uint8

// Roles. They travel and are stored: never renumber.
const (
	RoleNone     Role = 0
	RoleAcceptor Role = 1
	RoleProposer Role = 2
	RoleLearner  Role = 3
)

// String returns the role's word.
func (r Role) String() string {
	switch r {
	case RoleAcceptor:
		return "acceptor"
	case RoleProposer:
		return "proposer"
	case RoleLearner:
		return "learner"
	case RoleNone:
	}
	return "none"
}

// Ident asks a process who it is; it says who asks, so that two processes on one store both find out (PROTOCOL A9).
type Ident struct {
	Asker       string
	Role        Role
	Incarnation Incarnation // of the asker's store; zero where it has none
	Boot        uint64
	Run         uint64
}

// LogInfo is what a process says of one log.
type LogInfo struct {
	Log     string
	Genesis GenesisID
	State   LogState
	Record  []byte // value.EncodeGenesis, where it is known
	Leads   Ballot // proposer: the ballot that it leads at
	Through Slot   // learner, proposer: sequenced through; acceptor: trimmed through
	Last    Offset
}

// IdentAnswer answers Ident.
type IdentAnswer struct {
	Name        string
	Role        Role
	Cluster     string
	Incarnation Incarnation
	Boot        uint64
	Run         uint64
	Written     uint64
	Version     string
	Clock       Stamp
	Logs        []LogInfo
}

// Beacons asks a proposer's run for its full list; the answer is a Beacon with Full set.
type Beacons struct {
	Run uint64
}

// GenesisStep is a step of founding a log (PROTOCOL section 6).
type GenesisStep uint8

// Steps. They travel: never renumber.
const (
	GenesisPrepare  GenesisStep = 1 // founder → listed acceptors and keepers; carries Record
	GenesisPrepared GenesisStep = 2 // acceptor or keeper → founder: durably prepared
	GenesisGoLive   GenesisStep = 3 // founder, or anyone who saw one live → the rest; carries Record
	GenesisIsLive   GenesisStep = 4 // acceptor or keeper: durably live
	GenesisAbort    GenesisStep = 5 // founder
	GenesisAborted  GenesisStep = 6 // acceptor or keeper: durably aborted
	GenesisRefused  GenesisStep = 7 // holds another genesis of this log, or is not the listed incarnation; State says what
	GenesisJoin     GenesisStep = 8 // proposer → an acceptor that a chosen membership added; carries Record and Membership
)

// GenesisMsg is one step. Its envelope's Genesis is zero only in a request without an id; ID names the genesis.
type GenesisMsg struct {
	Step        GenesisStep
	ID          GenesisID
	Record      []byte
	Sender      string
	Incarnation Incarnation // of an answering store
	Run         uint64
	State       LogState
	Holds       GenesisID // with GenesisRefused: what it holds instead

	Membership *Membership // with GenesisJoin: the chosen membership that lists the addressee; else nil
}

// FetchWhat selects what a fetch returns.
type FetchWhat uint8

// What to fetch. They travel: never renumber.
const (
	FetchChosen FetchWhat = 1 // a learner's chosen values, with running hashes
	FetchVotes  FetchWhat = 2 // an acceptor's votes, with values
	FetchHash   FetchWhat = 3 // a learner's running hash at From, no values
)

// Fetch asks for slots [From, To].
type Fetch struct {
	What     FetchWhat
	From     Slot
	To       Slot
	MaxBytes uint32 // of the answer's values; at least one value is sent
}

// ChosenValue is a chosen slot as a learner stores it.
type ChosenValue struct {
	Slot  Slot
	Value []byte
}

// FetchAnswer answers FetchChosen and FetchHash. Slots [From, From+len(Values)-1] are in it; a receiver joins
// only onto its own hash equal to Before (PROTOCOL L5).
type FetchAnswer struct {
	Voter        // the learner's store
	From    Slot // first slot in Values; with none: the slot asked for
	Before  Hash // running hash at From-1
	After   Hash // running hash at the last slot sent, or at From with FetchHash
	Start   Slot // first slot that this learner holds; above From: ask elsewhere
	Through Slot // last slot that this learner has sequenced
	Known   bool // with FetchHash: After is the hash at From
	Values  []ChosenValue
}

// VoteValue is a vote with its value.
type VoteValue struct {
	VoteInfo
	Value []byte
}

// VotesAnswer answers FetchVotes: the acceptor's votes in [From, To] are exactly Votes (To may be less than asked for).
type VotesAnswer struct {
	Voter
	From    Slot
	To      Slot
	Trimmed Slot
	Votes   []VoteValue
}

// Checkpoint asks a learner for a piece of the sequencer state at its newest mark at or below the stable mark.
type Checkpoint struct {
	Mark   Slot   // 0: whichever is the newest fitting; else the one begun
	Offset uint32 // bytes to skip
}

// CheckpointAnswer is one piece.
type CheckpointAnswer struct {
	Voter
	Mark    Slot // 0: this learner has none, begin at genesis
	Hash    Hash // running hash at Mark
	Total   uint32
	Offset  uint32
	State   []byte // a piece of the canonical encoding of the sequencer's state
	Record  []byte // the genesis record
	Through Slot
}

// NoResponders is the broker's 503 to the request numbered in the envelope.
type NoResponders struct{}

// Kind implementations.

func (*Prepare) Kind() Kind          { return KindPrepare }
func (*Promise) Kind() Kind          { return KindPromise }
func (*Refuse) Kind() Kind           { return KindRefuse }
func (*ChosenMsg) Kind() Kind        { return KindChosen }
func (*Beacon) Kind() Kind           { return KindBeacon }
func (*Beat) Kind() Kind             { return KindBeat }
func (*Report) Kind() Kind           { return KindReport }
func (*Leader) Kind() Kind           { return KindLeader }
func (*Ask) Kind() Kind              { return KindAsk }
func (*AskAnswer) Kind() Kind        { return KindAskAnswer }
func (*Live) Kind() Kind             { return KindLive }
func (*LiveAnswer) Kind() Kind       { return KindLiveAnswer }
func (*Ident) Kind() Kind            { return KindIdent }
func (*IdentAnswer) Kind() Kind      { return KindIdentAnswer }
func (*Beacons) Kind() Kind          { return KindBeacons }
func (*GenesisMsg) Kind() Kind       { return KindGenesis }
func (*Fetch) Kind() Kind            { return KindFetch }
func (*FetchAnswer) Kind() Kind      { return KindFetchAnswer }
func (*VotesAnswer) Kind() Kind      { return KindVotesAnswer }
func (*Checkpoint) Kind() Kind       { return KindCheckpoint }
func (*CheckpointAnswer) Kind() Kind { return KindCheckpointAnswer }
func (*NoResponders) Kind() Kind     { return KindNoResponders }

// Kind says whom it asks.
func (m *Accept) Kind() Kind {
	if m.Alone {
		return KindPropose
	}
	return KindAccept
}

// Kind says whom it tells.
func (m *Learn) Kind() Kind {
	if m.Quiet {
		return KindVote
	}
	return KindLearn
}
