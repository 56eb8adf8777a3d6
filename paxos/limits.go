package paxos

// Limits and defaults of the protocol. The constants of a log's genesis are defaults here: a log
// keeps what it was founded with. Each has its unit in its name or comment, and its reason.
const (
	// FormatLevel is the highest format level this build understands (PROTOCOL Q6).
	FormatLevel = 1

	// DefaultWindow is α, in slots: how far ahead of the sequenced prefix a slot may be proposed.
	DefaultWindow = 1024

	// PayloadHeadroom is what an accept may need beside its value: envelope, ballot, slot, subject.
	PayloadHeadroom = 16 << 10

	// DefaultValueLimit is the largest value in bytes: 1 MiB, the broker's default max_payload, less the headroom.
	DefaultValueLimit = 1<<20 - PayloadHeadroom

	// BatchHeadroom is what a value may need beside its largest batch.
	BatchHeadroom = 4 << 10

	// MaxBatchEntries bounds the entries of one batch.
	MaxBatchEntries = 65536

	// MaxEntryBytes bounds one entry, headers included.
	MaxEntryBytes = 1_000_000

	// MaxMessageIDBytes bounds a message id: 65,536 of them are kept per log.
	MaxMessageIDBytes = 256

	// DefaultInFlightBytes bounds what a process has proposed and not seen chosen, over all logs. It is a
	// quarter of the broker's default max_pending (64 MiB), past which the broker cuts a slow consumer.
	DefaultInFlightBytes = 16 << 20

	// DefaultSessions is N, DefaultOutcomes is F, DefaultMessageIDs the ids kept (PROTOCOL Q1, Q2, Q4).
	DefaultSessions   = 4096
	DefaultOutcomes   = 64
	DefaultMessageIDs = 65536

	// MaxAcceptors bounds a membership: votes are counted in a 64-bit set.
	MaxAcceptors = 63
	// MaxKeepers bounds a keeper set for the same reason.
	MaxKeepers = 63

	// MaxReportsPerChunk bounds the votes in one promise chunk: about 40 bytes each, far below any max_payload.
	MaxReportsPerChunk = 4096

	// DefaultAloneBytes is the size up to which a value is proposed to the acceptors alone: a full batch of the client library, and what
	// the batch and the value add.
	DefaultAloneBytes = 260 << 10

	// MaxChosenValues bounds the values in one chosen message.
	MaxChosenValues = 256

	// MaxVotesPerLearn bounds the votes in one learn message.
	MaxVotesPerLearn = 4096

	// MaxBeaconItems bounds the logs in one beacon; what does not fit goes into the next.
	MaxBeaconItems = 1024

	// MaxFetchValues bounds the values in one answer to a fetch, of chosen values or of votes.
	MaxFetchValues = 4096

	// MaxReadBatches bounds the batches in one chunk of a read.
	MaxReadBatches = 16384

	// MaxGetEntries bounds the entries of one get, which answers in JSON.
	MaxGetEntries = 1000

	// MaxIdentLogs bounds the logs that a process tells of in one answer to ident.
	MaxIdentLogs = 1024

	// MaxTextBytes bounds a text for people in an answer.
	MaxTextBytes = 1024

	// MaxSuccession bounds the names in a beacon's order of succession.
	MaxSuccession = 64
)

// Spans of the failure detector and of retries (docs/protocol.md, "Defaults").
const (
	DefaultBeaconEvery   = 50 * Millisecond
	DefaultAskAfter      = 100 * Millisecond // silence after which the first standby asks
	DefaultTimeout       = 1 * Second        // silence and check-quorum time-out
	DefaultSuccessorStep = 100 * Millisecond // δ
	DefaultProgressLimit = 5 * Second        // age of the oldest open slot at which a leader resigns
	DefaultResendFirst   = 100 * Millisecond // of an accept
	DefaultResendMax     = 1 * Second
	DefaultClockBound    = 2 * Second // from the median of the acceptors' clocks, past which a proposer does not stand
	DefaultReportEvery   = 100 * Millisecond
	DefaultReportBytes   = 1 << 20 // made durable since the last report, after which the next waits no longer
	DefaultStableEvery   = 1 * Second
	DefaultStableBytes   = 1 << 20
	DefaultMarkEvery     = 60 * Second
	DefaultMarkBytes     = 64 << 20
)
