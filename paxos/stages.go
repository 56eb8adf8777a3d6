package paxos

// Stages says where the time of an append went at the leader and at the acceptor whose vote completed the quorum. It rides on the
// answer to a batch that asked for it, and on nothing else. Each span is taken on one process's own clock; what they leave of a
// round trip is the way of messages.
type Stages struct {
	Arrived  Stamp // the leader's wall clock when the batch arrived there
	Queued   Span  // from then until the accept of its slot left
	Voted    Span  // from then until a write quorum's votes were counted: the slot was chosen
	Synced   Span  // of Voted, at that acceptor: from the accept's arrival until the vote, durable, left; 0: it did not say
	Fsync    Span  // of Synced: the sync itself; the rest was waiting for the group before
	Answered Span  // from chosen until the answer left, set by SetAnswered

	Chosen Instant // the leader's own; it does not travel
}

// VoteTime says how long a vote took at its acceptor. It rides on learn for accepts that asked for it, and on nothing else.
type VoteTime struct {
	Slot   Slot
	Synced Span // from the accept's arrival until the vote, durable, left; set by SetSynced
	Fsync  Span // of that: the sync itself; the same

	Arrived Instant // the acceptor's own; it does not travel
}

// SetSynced writes the times of votes into a learn message as it leaves at now, after a sync that took fsync; zero where nothing
// had to be written.
func SetSynced(m *Learn, now Instant, fsync Span) {
	for i := range m.Times {
		t := &m.Times[i]
		t.Synced = max(now.Sub(t.Arrived), 0)
		t.Fsync = min(max(fsync, 0), t.Synced)
	}
}

// SetAnswered writes into an answer's stages how long it took to leave, as it leaves at now.
func SetAnswered(m *BatchAnswer, now Instant) {
	if m.Stages != nil {
		m.Stages.Answered = max(now.Sub(m.Stages.Chosen), 0)
	}
}
