package sim

import (
	"math/rand/v2"
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// inflictDisk lets a fault of a disk happen.
func (w *world) inflictDisk(f *fault, r *rand.Rand) {
	p := w.procs[f.who]
	for p.votes == nil && p.chosen == nil || p.twin {
		p = w.procs[r.IntN(len(w.procs))]
	}
	switch f.kind {
	case faultSlowDisk:
		p.disk.slow = paxos.Span(f.size * float64(300*paxos.Millisecond))
		w.until(f, func() { p.disk.slow = 0 })
	case faultSync:
		p.disk.failNext = true
		w.until(f, func() { p.disk.failNext = false; p.start() })
	case faultFullDisk:
		w.fill(p, true)
		w.until(f, func() { w.fill(p, false) })
	case faultStuffed:
		w.stuff()
	case faultWipe:
		if w.mayLose(p) {
			w.wipe(p)
			w.until(f, p.start)
		}
	case faultFlip, faultTruncate:
		if w.mayLose(p) && p.damage(r, f.kind == faultFlip) {
			w.until(f, p.start)
		}
	case faultTwin:
		w.twin(f, p, false)
	case faultCopy, faultRevert:
		if p.votes == nil || !w.profile.slack || !w.mayLose(p) {
			return
		}
		if f.kind == faultCopy {
			w.lost[p.votes.incarnation] = true
			w.twin(f, p, true)
			return
		}
		w.revert(f, p)
	default:
		panic("a fault that nobody inflicts: " + string(f.kind))
	}
}

func (w *world) fill(p *process, on bool) {
	if a, ok := p.svc.(*acceptorService); ok {
		a.full(on)
	}
}

// stuff fills all acceptors' disks with what they hold and may forget one day: room comes by trimming alone (PROTOCOL K5). It happens only
// while there are entries that are not stable yet, because nothing else makes a leader trim, and while no keeper's store is lost, because
// nothing becomes stable then before somebody replaces it.
func (w *world) stuff() {
	if w.lostOther(paxos.RoleAcceptor) {
		return
	}
	for _, l := range w.logs {
		if t := l.through(); t == 0 || l.slots[t-1].last == l.lastAt(l.stable) {
			return
		}
	}
	for _, p := range w.procs {
		if p.role == paxos.RoleAcceptor && !p.twin {
			p.stuffed = true
			w.fill(p, true)
		}
	}
}

// lastAt is the last offset of a slot that is sequenced.
func (l *logState) lastAt(t paxos.Slot) paxos.Offset {
	if t == 0 {
		return 0
	}
	return l.slots[t-1].last
}

// mayLose reports whether the cluster can do without a store for good: every membership and keeper set that was ever sent keeps its
// quorums without it.
func (w *world) mayLose(p *process) bool {
	if p.broken || p.damaged() || w.lostOther(p.role) {
		return false
	}
	if p.votes != nil {
		for _, m := range w.sets() {
			if i := p.votes.incarnation; m.Index(p.name, i) >= 0 && !w.canLose(m.Acceptors, i, len(m.Acceptors)-max(m.Read, m.Write)) {
				return false
			}
		}
		return true
	}
	if slices.ContainsFunc(w.procs, func(q *process) bool { return q.stuffed }) {
		return false
	}
	for _, k := range w.keeperSets() {
		if i := p.chosen.incarnation; k.Index(p.name, i) >= 0 && !w.canLose(k.Members, i, k.K-1) {
			return false
		}
	}
	// Of the learners, keepers or not, a copy of the whole must stay, to serve and to begin from.
	left := 0
	for _, q := range w.procs {
		if q != p && q.chosen != nil && !q.twin && q.chosen.incarnation[15] == 1 && !q.damaged() && !q.broken {
			left++
		}
	}
	return left >= w.profile.k-1 && left >= 1
}

// lostOther reports whether a store of another role is gone for good. A newcomer begins with what k keepers confirm, or with a stable
// command whose slot a write quorum's votes confirm: with a keeper and an acceptor gone for good, both may be out of reach, and no
// newcomer can begin any more.
func (w *world) lostOther(role paxos.Role) bool {
	other := byte('l')
	if role == paxos.RoleLearner {
		other = 'a'
	}
	for i := range w.lost {
		if i[0] == other {
			return true
		}
	}
	return false
}

func (w *world) canLose(ms []paxos.Member, i paxos.Incarnation, most int) bool {
	n := 1
	for _, m := range ms {
		if m.Incarnation != i && w.lost[m.Incarnation] {
			n++
		}
	}
	return n <= most
}

func (p *process) damaged() bool {
	return p.votes != nil && p.votes.damage != "" || p.chosen != nil && p.chosen.damage != ""
}

func (p *process) incarnation() paxos.Incarnation {
	switch {
	case p.votes != nil:
		return p.votes.incarnation
	case p.chosen != nil:
		return p.chosen.incarnation
	}
	return paxos.Incarnation{}
}

// wipe empties a process's disk: it comes back as a stranger.
func (w *world) wipe(p *process) {
	p.crash("its disk is emptied")
	w.lost[p.incarnation()] = true
	i := p.incarnation()
	i[15]++
	if p.real != nil {
		p.real = newRealStore(p)
	}
	p.disk.number, p.disk.written = 0, 0
	if p.votes != nil {
		p.votes = &voteStore{incarnation: i}
	} else {
		p.chosen = &chosenStore{incarnation: i}
	}
}

// damage flips a bit in what is on a process's disk, or cuts the end off: it is found when the store is opened. It reports false
// where there is nothing to damage.
func (p *process) damage(r *rand.Rand, flip bool) bool {
	if p.real != nil {
		// Lost power may have taken what would tell of the damage: that is one fault more than a store promises to notice.
		if !p.up() {
			return false
		}
		p.real.killed = true
	}
	p.crash("its disk is damaged")
	p.w.lost[p.incarnation()] = true
	if p.real != nil {
		return p.real.harm(r, flip)
	}
	if p.votes != nil {
		p.votes.damage = "a file ends early"
		for _, l := range p.votes.durable {
			for t := l.trimmed + 1; flip && t <= l.highest; t++ {
				if v, ok := l.votes[t]; ok && len(v.Value) > 0 {
					v.Value = flipped(v.Value, r)
					l.votes[t] = v
					return true
				}
			}
		}
		return true
	}
	p.chosen.damage = "a file ends early"
	for _, l := range p.chosen.durable {
		if n := len(l.slots); flip && n > 0 && len(l.slots[n-1].applied.Value) > 0 {
			l.slots = slices.Clone(l.slots)
			a := &l.slots[n-1].applied
			a.Value = flipped(a.Value, r)
			return true
		}
	}
	return true
}

func flipped(b []byte, r *rand.Rand) []byte {
	c := slices.Clone(b)
	c[r.IntN(len(c))] ^= 1 << r.IntN(8)
	return c
}

// twin starts a second process under p's name: with a copy of its store, or with an empty one.
func (w *world) twin(f *fault, p *process, copied bool) {
	if len(w.procs) >= maxLinks || p.broken {
		return
	}
	t := w.add(p.name, p.role, p.begin, p.every)
	t.twin = true
	switch {
	case p.votes != nil && copied:
		t.votes = p.votes.clone()
	case p.votes != nil:
		t.votes = &voteStore{incarnation: incarnation(p.name, byte(100+t.id))}
	case copied:
		t.chosen = p.chosen.clone()
	default:
		t.chosen = &chosenStore{incarnation: incarnation(p.name, byte(100+t.id))}
	}
	t.disk.number, t.disk.written = p.disk.written, p.disk.written
	t.start()
	w.until(f, func() { t.ends("the second process is stopped"); p.again() })
}

// again lets a process that ended by itself be started once more: a person looked at it.
func (p *process) again() {
	p.broken = false
	p.start()
}

// revert puts an old copy of a store back, later.
func (w *world) revert(f *fault, p *process) {
	old := p.votes.clone()
	boot, written := p.votes.boot, p.disk.written
	w.lost[p.votes.incarnation] = true
	w.until(f, func() {
		p.crash("an old copy of its store is put back")
		p.votes = old
		p.votes.boot = boot
		p.disk.number, p.disk.written = written, written
		w.count("store went back")
		p.start()
	})
}
