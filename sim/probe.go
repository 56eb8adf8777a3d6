package sim

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// The probe of a healed cluster: clients go on for a while, and what they sent last is answered soon after.
const (
	probeFor    = 2 * paxos.Second
	probeAnswer = 1500 * paxos.Millisecond // a reader whose grant was lost is told so within a second
)

// probe lets the clients go on in the healed cluster. That something still works after all that happened is shown by using it: every batch is
// answered, by one leader, with an outcome that its client can rely on, and what comes of it reaches every learner and standby at once.
func (w *world) probe() {
	first, elections := len(w.check.batches), w.elections()
	w.profile.giveUp = 0
	w.note("PROBE")
	w.quiet(false)
	w.pass(probeFor)
	w.quiet(true)
	for end := w.now.Add(probeAnswer); w.now < end; {
		if w.owed() == "" && w.unanswered(first) == "" {
			break
		}
		w.pass(20 * paxos.Millisecond)
	}
	if s := w.owed(); s != "" {
		w.fail(CheckProgress, "after clients went on in the healed cluster: %s", s)
	}
	if s := w.unanswered(first); s != "" {
		w.fail(CheckProgress, "%s", s)
	}
	if n := w.elections() - elections; n > 0 {
		w.fail(CheckProgress, "%d elections in a healed cluster that had its leaders", n)
	}
}

// elections counts candidacies, but for those of a leader that raises its ballot in place: one that meets what a candidate left behind that is
// gone, at an acceptor that had nothing to refuse until now, has to.
func (w *world) elections() int { return w.counters["election"] - w.counters["raised in place"] }

// quiet tells the clients to begin nothing new, or to go on.
func (w *world) quiet(on bool) {
	for _, p := range w.procs {
		if c, ok := p.svc.(client); ok {
			c.quiet(on)
		}
	}
}

// unanswered names a batch, from the given number on, whose client does not know what became of it; empty: there is none.
func (w *world) unanswered(first int) string {
	for _, b := range w.check.batches[first:] {
		switch {
		case b.returned != 0:
		case b.producer != nil && w.sessionsExpire(b.log):
		default:
			return fmt.Sprintf("batch %d (%s), sent in the healed cluster, is not answered", b.number, b.kind())
		}
	}
	return ""
}

// owedByProposers says what the proposers still owe a log: all follow it to its end, and one leads it.
func (w *world) owedByProposers(l *logState) string {
	leaders := 0
	for _, p := range w.procs {
		if p.role != paxos.RoleProposer || p.twin {
			continue
		}
		s, ok := p.svc.(*proposerService)
		if !ok {
			return p.name + " does not run"
		}
		if s.leaving {
			return p.name + " is about to stop"
		}
		begun := false
		all := s.core.Status()
		for i := range all {
			st := &all[i]
			if st.Genesis != l.gen.ID {
				continue
			}
			begun = true
			if st.Phase == paxos.PhaseLeader {
				leaders++
			}
			if st.Through < l.through() {
				return p.name + ", a proposer, has slot " + decimal(st.Through) + " of " + l.gen.Log + ", " + decimal(l.through()) + " are chosen"
			}
		}
		if !begun {
			return p.name + ", a proposer, has not begun " + l.gen.Log
		}
	}
	if leaders != 1 {
		return fmt.Sprintf("%d leaders of %s", leaders, l.gen.Log)
	}
	m, room := l.governing(l.through()+1), 0
	for _, a := range m.Acceptors {
		for _, p := range w.procs {
			if p.votes != nil && p.up() && !p.stuffed && p.votes.incarnation == a.Incarnation {
				room++
			}
		}
	}
	if room < m.Write {
		return fmt.Sprintf("%d acceptors have room, %d are needed", room, m.Write)
	}
	return ""
}
