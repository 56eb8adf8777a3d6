package proposer

import "github.com/paxosd/paxosd/paxos"

// Output is what the proposer asks of its service after a step. It has no records: a proposer stores nothing, so that
// everything in it may leave at once. Answers to clients are envelopes in Now with Reply set.
type Output struct {
	paxos.Output

	// Subscribe starts and stops the subscriptions to append, batch, open and admin, in order. The service
	// confirms each by OnSubscribed or OnUnsubscribed, the latter after everything that came by it was delivered.
	Subscribe []Subscription

	// NeedCheckpoint names the logs that no learner can continue any more: the service begins the log again from a
	// checkpoint and calls ReplaceLog.
	NeedCheckpoint []paxos.GenesisID
}

// Subscription starts or stops taking a log's requests. Every request that comes by it carries its Generation.
type Subscription struct {
	Log        string
	Genesis    paxos.GenesisID
	Generation uint64 // of the process, rising
	Start      bool
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	o.Output.Reset()
	o.Subscribe = o.Subscribe[:0]
	o.NeedCheckpoint = o.NeedCheckpoint[:0]
}

// step is one call into the core: its time, and where its effects go.
type step struct {
	now  paxos.Instant
	wall paxos.Stamp
	out  *Output
}

func (s *step) send(env paxos.Envelope) { s.out.Now = append(s.out.Now, env) }
