package proposer

import "github.com/paxosd/paxosd/paxos"

// While all goes well the leader asks quietly: votes are for it alone, and its mark tells learners and standbys what is chosen (PROTOCOL L2).
// Each message to each process is a wake-up, and of those a vote from each acceptor to each learner and standby is most of what a small
// slot costs. Values up to AloneBytes go to the acceptors alone, and to the others with the mark: again one message instead of two, once the
// client has its answer. Larger ones cross the leader's link once, as accepts for all.
//
// Who hears acceptors and not the leader would stand still by that. So an accept that is sent again asks for votes that all can count; and
// while a keeper does not report what is sequenced here, as one does that cannot hear the leader, all are asked for so.

// chosenBytes bounds the values in one message.
const chosenBytes = 256 << 10

// tell tells learners and standbys what was asked for quietly and is sequenced by now.
func (ld *leader) tell(g *group, s *step) {
	if !ld.marking {
		return
	}
	left := ld.untold
	for {
		n, size := 0, 0
		for n < len(left) && n < paxos.MaxChosenValues && (n == 0 || size+len(left[n].Value) <= chosenBytes) {
			size += len(left[n].Value)
			n++
		}
		through, hash := g.through(), g.seq.Hash()
		if n < len(left) {
			// The mark goes no farther than the values that come with it, or what lies between would be fetched.
			through = left[n-1].Slot
			h, ok := g.learner.HashAt(through)
			paxos.Assert(ok, "log %q: no hash at slot %d, sequenced just now", g.log, through)
			hash = h
		}
		g.broadcast(s, &paxos.ChosenMsg{Ballot: ld.ballot, Through: through, Hash: hash, Values: left[:n:n]}, true)
		if left = left[n:]; len(left) == 0 {
			break
		}
	}
	ld.marking, ld.untold = false, nil
}
