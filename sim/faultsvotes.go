package sim

import (
	"math/rand/v2"

	"github.com/paxosd/paxosd/paxos"
)

// leading returns a proposer that leads some log, or nil.
func (w *world) leading() *process {
	for _, p := range w.procs {
		if s, ok := p.svc.(*proposerService); ok && !p.twin {
			for _, st := range s.core.Status() {
				if st.Phase == paxos.PhaseLeader {
					return p
				}
			}
		}
	}
	return nil
}

// twoBallots leaves votes of two ballots in a slot, of which the older one must not win: a leader reaches one acceptor alone and dies,
// the others vote for what the next leader proposes, that one dies as well, and whoever comes then hears the first acceptor again and
// not all of the others. Chance alone brings this about once in hundreds of seeds.
func (w *world) twoBallots(f *fault, r *rand.Rand) {
	first, alone := w.leading(), w.one(r, paxos.RoleAcceptor)
	if first == nil {
		return
	}
	for _, p := range w.procs {
		if p.role == paxos.RoleAcceptor && p != alone {
			setCut(first, p, true)
		}
	}
	n := &w.network
	w.after(between(r, 20*paxos.Millisecond, 200*paxos.Millisecond), func() {
		w.unlessCalm(func() {
			first.crash("killed after one acceptor alone heard it")
			n.isolate(first, false, false)
			n.isolate(alone, true, true)
			w.until(f, first.start)
		})
	})
	away := w.one(r, paxos.RoleAcceptor)
	w.after(between(r, 400*paxos.Millisecond, 2500*paxos.Millisecond), func() {
		w.unlessCalm(func() {
			n.isolate(alone, false, false)
			if second := w.leading(); second != nil {
				second.crash("killed after the others heard it")
				w.until(f, second.start)
			}
			if away == alone {
				return
			}
			n.isolate(away, true, true)
			w.after(between(r, paxos.Second, 2*paxos.Second), func() { w.unlessCalm(func() { n.isolate(away, false, false) }) })
		})
	})
}

// holes lets a leader's accepts of some slots be lost for all, and kills it: others above them are voted for.
func (w *world) holes(f *fault, r *rand.Rand) {
	p := w.leading()
	if p == nil {
		return
	}
	p.sieve = 2 + paxos.Slot(r.IntN(2))
	w.after(between(r, 50*paxos.Millisecond, 300*paxos.Millisecond), func() {
		p.sieve = 0
		w.unlessCalm(func() {
			p.crash("killed with holes behind it")
			w.until(f, p.start)
		})
	})
}

// behind cuts off a standby and as many acceptors as may be away, while others vote and trim; then the leader dies, those others are away,
// and the standby has neither them nor a learner to ask.
func (w *world) behind(f *fault, r *rand.Rand) {
	first := w.leading()
	var standby *process
	var acceptors, learners []*process
	for _, p := range w.procs {
		switch {
		case p.twin || p == first:
		case p.role == paxos.RoleProposer:
			standby = p
		case p.role == paxos.RoleAcceptor:
			acceptors = append(acceptors, p)
		case p.role == paxos.RoleLearner:
			learners = append(learners, p)
		}
	}
	if first == nil || standby == nil || len(acceptors) < w.profile.acceptors {
		return
	}
	r.Shuffle(len(acceptors), func(i, j int) { acceptors[i], acceptors[j] = acceptors[j], acceptors[i] })
	most := w.profile.acceptors - max(w.profile.read, w.profile.write)
	n := &w.network
	isolate := func(on bool, ps ...*process) {
		for _, p := range ps {
			n.isolate(p, on, on)
		}
	}
	isolate(true, standby)
	isolate(true, acceptors[:most]...)
	w.after(between(r, 500*paxos.Millisecond, 2*paxos.Second), func() {
		w.unlessCalm(func() {
			first.crash("killed while a standby was behind")
			w.until(f, first.start)
			isolate(false, standby)
			isolate(false, acceptors[:most]...)
			isolate(true, acceptors[most:2*most]...)
			for _, l := range learners {
				setCut(l, standby, true)
			}
			w.after(between(r, 1500*paxos.Millisecond, 2500*paxos.Millisecond), func() {
				w.unlessCalm(func() {
					isolate(false, acceptors[most:2*most]...)
					isolate(false, standby)
				})
			})
		})
	})
}
