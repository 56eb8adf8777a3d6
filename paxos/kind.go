package paxos

// Kind says what a message is. Its String is the subject's token (messaging: subjects).
type Kind uint8

// Kinds of messages. Numbers go over the wire: never change one, only add.
//
//	kind      from → to                        durable before it leaves
//	prepare   candidate → acceptors            -
//	promise   acceptor → proposers             the promise
//	refuse    acceptor → proposers             the promise that it shows
//	accept    leader → acceptors, learners,    -
//	          standbys
//	learn     acceptor → proposers, learners   the vote
//	propose   leader → acceptors               -
//	vote      acceptor → one proposer          the vote
//	chosen    leader → learners, standbys      -
//	beacon    proposer → all                   -
//	beat      acceptor → proposers             the promises that it shows
//	report    keeper → proposers               the prefix
//	leader    leader → clients                 its term start
//	append    client → leader (raw payload)    acked after chosen and sequenced
//	batch     client → leader                  the same
//	ask       standby → one acceptor           the promise that the answer shows
//	live      acceptor → one proposer's run    -
//	ident     newcomer, founder → one process  -
//	beacons   receiver → one proposer's run    -
//	genesis   founder ↔ acceptors, keepers     the state that it shows
//	read      client → one learner             -
//	get       client → one learner (JSON)      -
//	fetch     anyone → one learner, acceptor   what it shows
//	checkpoint anyone → one learner            what it shows
//	open      client → leader                  acked after chosen and sequenced
//	admin     client → leader                  the same
//
// Answer kinds travel to a reply inbox only, never on a subject of their own.
const (
	KindNone             Kind = 0
	KindPrepare          Kind = 1
	KindPromise          Kind = 2
	KindRefuse           Kind = 3
	KindAccept           Kind = 4
	KindLearn            Kind = 5
	KindBeacon           Kind = 6
	KindBeat             Kind = 7
	KindReport           Kind = 8
	KindLeader           Kind = 9
	KindAppend           Kind = 10
	KindBatch            Kind = 11
	KindAsk              Kind = 12
	KindLive             Kind = 13
	KindIdent            Kind = 14
	KindBeacons          Kind = 15
	KindGenesis          Kind = 16
	KindRead             Kind = 17
	KindGet              Kind = 18
	KindFetch            Kind = 19
	KindCheckpoint       Kind = 20
	KindOpen             Kind = 21
	KindAdmin            Kind = 22
	KindPropose          Kind = 23
	KindVote             Kind = 24
	KindChosen           Kind = 25
	KindAskAnswer        Kind = 64
	KindLiveAnswer       Kind = 65
	KindIdentAnswer      Kind = 66
	KindReadAnswer       Kind = 67
	KindFetchAnswer      Kind = 68
	KindVotesAnswer      Kind = 69
	KindCheckpointAnswer Kind = 70
	KindBatchAnswer      Kind = 71
	KindGetAnswer        Kind = 72 // JSON
	// KindNoResponders is made by the receiving transport from the broker's 503; it never travels.
	KindNoResponders Kind = 127
)

// IsAnswer reports whether k travels to a reply inbox only.
func (k Kind) IsAnswer() bool { return k >= KindAskAnswer }

// IsRequest reports whether k is a request, whose reply subject is honoured (PROTOCOL N2). No other
// kind ever carries or honours one.
func (k Kind) IsRequest() bool {
	switch k {
	case KindAppend, KindBatch, KindAsk, KindLive, KindIdent, KindBeacons, KindRead, KindGet, KindFetch,
		KindCheckpoint, KindOpen, KindAdmin:
		return true
	default:
		return false
	}
}

var kindTokens = map[Kind]string{
	KindPrepare: "prepare", KindPromise: "promise", KindRefuse: "refuse", KindAccept: "accept", KindLearn: "learn",
	KindBeacon: "beacon", KindBeat: "beat", KindReport: "report", KindLeader: "leader", KindAppend: "append",
	KindBatch: "batch", KindAsk: "ask", KindLive: "live", KindIdent: "ident", KindBeacons: "beacons",
	KindGenesis: "genesis", KindRead: "read", KindGet: "get", KindFetch: "fetch", KindCheckpoint: "checkpoint",
	KindOpen: "open", KindAdmin: "admin", KindPropose: "propose", KindVote: "vote", KindChosen: "chosen", KindAskAnswer: "ask-answer", KindLiveAnswer: "live-answer",
	KindIdentAnswer: "ident-answer", KindReadAnswer: "read-answer", KindFetchAnswer: "fetch-answer",
	KindVotesAnswer: "votes-answer", KindCheckpointAnswer: "checkpoint-answer", KindBatchAnswer: "batch-answer",
	KindGetAnswer: "get-answer", KindNoResponders: "no-responders",
}

// String returns the subject token of k, or "unknown".
func (k Kind) String() string {
	if s, ok := kindTokens[k]; ok {
		return s
	}
	return "unknown"
}

// KindOf returns the kind with this subject token, or KindNone. Answer kinds have no subject.
func KindOf(token string) Kind {
	for k, s := range kindTokens {
		if s == token && !k.IsAnswer() {
			return k
		}
	}
	return KindNone
}
