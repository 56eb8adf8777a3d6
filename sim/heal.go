package sim

import "github.com/paxosd/paxosd/paxos"

// Progress is demanded of a healed cluster within this time: clients' waits have grown to seconds by then, a leader must be found, every
// session's batches be settled, and every learner catch up. Of a thousand seeds one takes more than three seconds.
const progressWithin = 20 * paxos.Second

// settledFor is how long nothing may be owed before the cluster counts as settled: by then beacons have told everyone.
const settledFor = 300 * paxos.Millisecond

// heal ends all faults. What may be started is started; what is lost stays lost.
func (w *world) heal() {
	w.calm = true
	w.note("HEAL")
	w.network.heal()
	for _, p := range w.procs {
		switch {
		case p.role == paxos.RoleNone:
			p.svc.(client).quiet(true)
			continue
		case p.twin:
			p.ends("the second process is stopped")
			continue
		}
		p.deaf, p.skew, p.sieve = false, 0, 0
		p.drift(1)
		p.disk.slow, p.disk.failNext = 0, false
		p.fuseSend, p.fusePersist = 0, 0
		w.fill(p, p.stuffed)
		if p.paused > w.now {
			p.paused = w.now
			w.after(0, p.resume)
		}
	}
	for _, p := range w.procs {
		if p.role == paxos.RoleNone || p.twin {
			continue
		}
		if p.damaged() || p.stuck() {
			w.replace(p)
		}
		p.again()
	}
}

// stuck reports whether a learner cannot go on with what it holds, and must begin anew.
func (p *process) stuck() bool {
	if p.chosen == nil {
		return false
	}
	for _, l := range p.chosen.memory {
		if l.diverged != "" {
			return true
		}
	}
	return false
}

// replace gives a process an empty disk, as a person does whose store is damaged. An acceptor of a log that exists would need a command as well;
// one whose log is still being founded is what the founder waits for.
func (w *world) replace(p *process) {
	if p.chosen != nil || len(w.logs) < len(w.profile.geneses) {
		w.wipe(p)
	}
}

// settle demands progress: that at last nothing is owed any more for a while.
func (w *world) settle() {
	end, since := w.now.Add(progressWithin), w.now
	for {
		owed := w.owed()
		if owed != "" {
			since = w.now
		} else if w.now.Sub(since) >= settledFor {
			return
		}
		if w.now >= end {
			w.fail(CheckProgress, "%d s after healing: %s", progressWithin/paxos.Second, owed)
		}
		w.pass(20 * paxos.Millisecond)
	}
}

// owed says what a healed cluster still owes; empty: nothing.
func (w *world) owed() string {
	if len(w.logs) < len(w.profile.geneses) {
		return "not all logs are founded"
	}
	for _, p := range w.procs {
		if c, ok := p.svc.(client); ok {
			if s := c.settled(); s != "" {
				return s
			}
		}
	}
	for _, l := range w.logs {
		if l.through() == 0 {
			return l.gen.Log + " has nothing chosen"
		}
		if s := w.owedByProposers(l); s != "" {
			return s
		}
		for _, p := range w.procs {
			if p.chosen == nil || p.twin || !p.up() {
				continue
			}
			s, ok := p.svc.(*learnerService)
			if !ok {
				return p.name + " has not begun"
			}
			f := s.log(l.gen.ID, "")
			if f == nil || f.core == nil {
				return p.name + " has not begun " + l.gen.Log
			}
			if f.diverged != "" {
				w.wipe(p)
				p.start()
				return p.name + " begins anew"
			}
			if f.through < l.through() {
				return p.name + " has slot " + decimal(f.through) + " of " + l.gen.Log + ", " + decimal(l.through()) + " are chosen"
			}
		}
	}
	return ""
}
