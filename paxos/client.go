package paxos

// Append is one entry from a plain NATS request. The transport has parsed the headers that control it; the rest are
// kept with the entry.
type Append struct {
	Headers    []Header // in order of arrival, controlling ones removed
	Payload    []byte
	MessageID  string // Nats-Msg-Id; empty: none
	Expect     Offset // Nats-Expected-Last-Sequence, valid if HasExpect
	HasExpect  bool
	Generation uint64 // of the subscription it came by (PROTOCOL P8: "a subscription older than …")
}

// Header is one header of an entry. Keys may repeat.
type Header struct{ Key, Value string }

// Batch carries one encoded batch (package value) of a producer session, or one without a session (a tail).
type Batch struct {
	Ballot     Ballot // the leader it is meant for; zero while none is known (PROTOCOL P6)
	Batch      []byte
	Explain    bool // the answer is to say where the time went (Stages); no part of the batch
	Generation uint64
}

// Open asks for a producer session.
type Open struct {
	Ballot     Ballot
	Client     string // for people, at most MaxNameBytes
	Token      uint64 // random; the command's identity among equal ones
	Generation uint64
}

// Admin carries one encoded command (package value).
type Admin struct {
	Ballot     Ballot
	Command    []byte
	Generation uint64
}

// Code is the outcome of a batch or command: what the sequencer decided, or why a leader did not propose it.
// Numbers are hashed, stored and sent: never change one, only add.
type Code uint8

// Outcomes. "Sequencer" ones are part of the log's history; "leader" ones never are.
const (
	CodeNone           Code = 0
	CodeAppended       Code = 1  // sequencer: First, Count
	CodeDuplicate      Code = 2  // sequencer: the message id or number is known; First, Count are the original's
	CodeConditionFails Code = 3  // sequencer: Last is the real last offset
	CodeHole           Code = 4  // sequencer: number above last+1; consumes nothing
	CodeHoleFar        Code = 5  // sequencer: number above last+F
	CodeForgotten      Code = 6  // sequencer: number at or below last-F: duplicate, outcome no longer kept
	CodeMismatch       Code = 7  // sequencer: same number, another checksum
	CodeExpired        Code = 8  // sequencer: unknown session; what became of earlier sends is unknown, for ever
	CodeTail           Code = 9  // sequencer: empty batch; Last is the last offset
	CodeOpened         Code = 10 // sequencer: Session
	CodeCommandDone    Code = 11 // sequencer
	CodeCommandRefused Code = 12 // sequencer; Text of the answer says why
	CodeDropped        Code = 13 // sequencer: origin below a term start; as if absent (PROTOCOL P6). Never answered
	CodeTermStart      Code = 14 // sequencer: a term start that took effect

	CodeOverloaded Code = 64 // leader: its queue is full; certainly not in the log
	CodeTooLarge   Code = 65 // leader: shape or size; certainly not in the log
	CodeMalformed  Code = 66 // leader: the same
	CodeNotLeader  Code = 67 // leader: this proposer does not lead, or not at that ballot; definite only from the ballot named
	CodeUnknown    Code = 68 // leader: proposed, then lost sight of it; outcome unknown
	CodeHeader     Code = 69 // leader: a Nats-* header that a log cannot obey
	CodeFull       Code = 70 // leader: acceptors lack disk space (PROTOCOL K5); Text names the lagging keeper
	CodeUpgrade    Code = 71 // leader: the log needs a newer version (PROTOCOL Q6)
)

// BatchAnswer answers append, batch, open and admin requests.
type BatchAnswer struct {
	Code     Code
	Ballot   Ballot   // the answering leader's
	Checksum Checksum // of the batch, so that nobody else's answer can be taken for it (PROTOCOL P9)
	First    Offset
	Count    uint32
	Last     Offset
	Number   uint64 // with CodeHole: the number expected
	Session  SessionID
	Stamp    Stamp
	Text     string  // for people: what to do
	Stages   *Stages // where the batch asked for them; else nil
}

// Read asks a learner for the entries from offset From, or, with Credit only, grants a running stream more bytes.
// The reader sends one at least every five seconds, be it for no more credit: a stream that was not heard
// from for thirty seconds ends. All messages of a stream carry the same reply subject, which tells its reader from others
// that chose the same number; one without a reply subject is ignored.
type Read struct {
	Stream   uint64 // chosen by the reader; names the stream on that learner
	From     Offset // first offset wanted; 0 (and no Since): no new stream, only credit
	Credit   uint32 // bytes that the learner may send before it must wait
	MaxBytes uint32 // of one chunk
	Since    Stamp  // with From = 0: begin at the first entry whose stamp is at or after it
	Stop     bool
}

// ReadCode says how a read stands.
type ReadCode uint8

// Read codes. They travel: never renumber.
const (
	ReadOK        ReadCode = 0
	ReadIdle      ReadCode = 1 // nothing new; Last is the last offset known here
	ReadGone      ReadCode = 2 // below the first retained offset; First says which that is
	ReadElsewhere ReadCode = 3 // this learner begins at First; another may hold it
	ReadStopped   ReadCode = 4 // the learner ends the stream: resume elsewhere from the next offset
	ReadUnknown   ReadCode = 5 // this learner does not know the log
	ReadBusy      ReadCode = 6 // too many streams
)

// ReadBatch is the entries of one batch as they travelled.
type ReadBatch struct {
	First  Offset
	Count  uint32
	Stamp  Stamp
	Frames []byte // package value: frames
}

// ReadBatchBytes is what a batch takes of a stream's credit beside its frames, so that empty entries cost something too.
const ReadBatchBytes = 64

// Cost is what b takes of a stream's credit. Learner and reader must count alike, or credit leaks until the stream stands still.
func (b *ReadBatch) Cost() int { return len(b.Frames) + ReadBatchBytes }

// ReadAnswer is one chunk of a stream.
type ReadAnswer struct {
	Learner string
	Run     uint64
	Stream  uint64
	Number  uint64 // of this chunk in its stream, from 1
	Code    ReadCode
	First   Offset // with ReadGone and ReadElsewhere
	Last    Offset // last offset sequenced at this learner
	Slot    Slot   // newest slot in the chunk
	Hash    Hash   // running hash at Slot
	Batches []ReadBatch
}

// Get asks a learner for a few entries, answered in plain JSON so that any NATS client can read.
type Get struct {
	From Offset // first offset wanted, from 1
	Max  uint32 // entries, at least 1 and at most MaxGetEntries
}

// Entry is one entry with its place in the log.
type Entry struct {
	Offset  Offset
	Stamp   Stamp
	Headers []Header
	Payload []byte
}

// GetAnswer answers Get. Entries are dense; the transport cuts what does not fit one message.
type GetAnswer struct {
	Learner string
	Code    ReadCode
	First   Offset // with ReadGone and ReadElsewhere: the first offset held
	Last    Offset // last offset sequenced at this learner
	Entries []Entry
}

func (*Append) Kind() Kind      { return KindAppend }
func (*Batch) Kind() Kind       { return KindBatch }
func (*Open) Kind() Kind        { return KindOpen }
func (*Admin) Kind() Kind       { return KindAdmin }
func (*BatchAnswer) Kind() Kind { return KindBatchAnswer }
func (*Read) Kind() Kind        { return KindRead }
func (*ReadAnswer) Kind() Kind  { return KindReadAnswer }
func (*Get) Kind() Kind         { return KindGet }
func (*GetAnswer) Kind() Kind   { return KindGetAnswer }
