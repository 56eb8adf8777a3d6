package sim

import "github.com/paxosd/paxosd/paxos"

// readers serves subscribers' streams on a learner.
type readers struct{ s *learnerService }

func (r *readers) tick() {}

func (r *readers) unknown(*paxos.Envelope) {}

func (r *readers) onRead(*paxos.Envelope, *paxos.Read, *followed) {}
