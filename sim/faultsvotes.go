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
