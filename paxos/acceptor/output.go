package acceptor

import "github.com/paxosd/paxosd/paxos"

// Output is what the acceptor asks of its service: records and envelopes as in paxos.Output, and reads.
type Output struct {
	paxos.Output

	// Reads are to be answered by OnRead, each exactly once, in any order. A read must see the
	// records of this Output and of every earlier one; it need not wait until they are durable.
	Reads []Read

	// Stop, if not empty, tells the service to end the process for the reason that it gives: another process
	// runs on a copy of this store (PROTOCOL A9). The envelopes of this Output may still leave.
	Stop string
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	o.Output.Reset()
	clear(o.Reads)
	o.Reads = o.Reads[:0]
	o.Stop = ""
}

// Read asks the store for the votes of a closed range of slots.
type Read struct {
	Number   uint64 // of this read, unique in this Acceptor
	Log      string
	Genesis  paxos.GenesisID
	From     paxos.Slot
	To       paxos.Slot // at or above From; may be MaxSlot
	MaxVotes int        // most votes in the result, at least 1
	MaxBytes int        // of values, where Values is set; one vote is returned whatever its size
	Values   bool       // with values; without, VoteValue.Value stays nil
}

// ReadResult answers a Read: the votes in [From, To] are exactly Votes, in slot order. From is the Read's, To is
// at most the Read's, and less where a limit cut the scan; it covers at least one slot.
type ReadResult struct {
	Number uint64
	From   paxos.Slot
	To     paxos.Slot
	Votes  []paxos.VoteValue
}
