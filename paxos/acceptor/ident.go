package acceptor

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// onIdent says who this is and what it holds. A process that asks under this store's incarnation, but is another
// run, proves that the store exists twice: it stops on the answer, and this one stops too (PROTOCOL A9).
func (a *Acceptor) onIdent(now paxos.Instant, env *paxos.Envelope, m *paxos.Ident, out *Output) {
	if m.Run == a.cfg.Run && m.Incarnation == a.cfg.Incarnation {
		return // this process's own question, which came back
	}
	infos := a.part.Infos()
	for i := range infos {
		if g := a.groups[infos[i].Genesis]; g != nil {
			infos[i].Through = g.trimmed
		}
	}
	a.answer(env, false, &paxos.IdentAnswer{
		Name: a.cfg.Name, Role: paxos.RoleAcceptor, Cluster: a.cfg.Cluster, Incarnation: a.cfg.Incarnation,
		Boot: a.cfg.Boot, Run: a.cfg.Run, Version: a.cfg.Version, Clock: a.clock(now), Logs: infos,
	}, out)
	if m.Incarnation == a.cfg.Incarnation && !m.Incarnation.IsZero() {
		out.Stop = fmt.Sprintf("another process runs on a copy of this store: %q run %x boot %d asked under incarnation %s",
			m.Asker, m.Run, m.Boot, m.Incarnation)
		out.Events = append(out.Events, paxos.Event{Kind: paxos.EventExcluded, Name: m.Asker, Text: out.Stop})
	}
}

// onGenesis takes a step of founding, and begins to speak for a genesis that it made live.
func (a *Acceptor) onGenesis(_ paxos.Instant, env *paxos.Envelope, out *Output) {
	h := a.part.OnGenesis(env, &out.Output)
	if h != nil && a.groups[h.ID] == nil {
		a.open(h, &Restored{})
	}
}

// Retire makes the acceptor leave a log (PROTOCOL K4): it never votes there again, and says so to whoever asks. It reports whether the
// log was live here. The caller has seen stable(n) chosen with n at or above the last slot that the membership
// of epoch governs.
func (a *Acceptor) Retire(now paxos.Instant, id paxos.GenesisID, epoch paxos.Epoch, out *Output) bool {
	g := a.groups[id]
	if g == nil || a.part.Retire(g.log, id, epoch, &out.Output) == nil {
		return false
	}
	a.settle(now, g, paxos.NotGone, out)
	return true
}
