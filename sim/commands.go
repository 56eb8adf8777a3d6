package sim

import (
	"math/rand/v2"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// admin sends commands that the plan asks for, and hears what becomes of them.
type admin struct {
	p    *process
	log  string
	sets []*paxos.Membership // sent: any of them may come to govern
	keep []*paxos.Keepers
}

func (c *admin) quiet(bool)      {}
func (c *admin) settled() string { return "" }
func (c *admin) connection(bool) {}
func (c *admin) tick()           {}

func (c *admin) deliver(env *paxos.Envelope) {
	if m, ok := env.Msg.(*paxos.BatchAnswer); ok {
		c.p.w.note("%s: code %d %s", c.p.name, m.Code, m.Text)
	}
}

// sets returns every membership that governs or may come to.
func (w *world) sets() []*paxos.Membership {
	var all []*paxos.Membership
	for _, g := range w.profile.geneses {
		all = append(all, &g.Membership)
	}
	for _, p := range w.procs {
		if c, ok := p.svc.(*admin); ok {
			all = append(all, c.sets...)
		}
	}
	return all
}

// keeperSets returns every keeper set that is in force or may come to be.
func (w *world) keeperSets() []*paxos.Keepers {
	var all []*paxos.Keepers
	for _, g := range w.profile.geneses {
		all = append(all, &g.Keepers)
	}
	for _, p := range w.procs {
		if c, ok := p.svc.(*admin); ok {
			all = append(all, c.keep...)
		}
	}
	return all
}

// command sends a membership or keepers command for one log.
func (w *world) command(r *rand.Rand, kind faultKind) {
	var all []*admin
	for _, p := range w.procs {
		if c, ok := p.svc.(*admin); ok && w.logNamed(c.log) != nil {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return
	}
	c := all[r.IntN(len(all))]
	l := w.logNamed(c.log)
	var body []byte
	if kind == faultMembership {
		body = c.membership(r, l)
	} else {
		body = c.keepers(r, l)
	}
	if body != nil {
		w.check.commanded(body)
		c.p.publish(c.log, l.gen.ID, c.p.next(partCore)(), &paxos.Admin{Command: body})
	}
}

// stores lists the sound stores of a role, shuffled.
func (w *world) stores(r *rand.Rand, role paxos.Role) []paxos.Member {
	var ms []paxos.Member
	for _, p := range w.procs {
		if i := p.incarnation(); p.role == role && !p.twin && !p.damaged() && !p.broken && !w.lost[i] {
			ms = append(ms, paxos.Member{Name: p.name, Incarnation: i})
		}
	}
	r.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
	return ms
}

func sorted(ms []paxos.Member) []paxos.Member {
	slices.SortFunc(ms, func(a, b paxos.Member) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return ms
}

// membership composes a command with another set of acceptors.
func (c *admin) membership(r *rand.Rand, l *logState) []byte {
	w := c.p.w
	ms := w.stores(r, paxos.RoleAcceptor)
	if len(ms) < w.profile.acceptors {
		return nil
	}
	m := &paxos.Membership{
		Acceptors: sorted(ms[:w.profile.acceptors]), Read: w.profile.read, Write: w.profile.write,
	}
	if quorum.Validate(m) != nil {
		return nil
	}
	c.sets = append(c.sets, m)
	return value.EncodeCommand(nil, &value.SetMembership{Replaces: l.seq.Newest().Epoch, Membership: *m})
}

// keepers composes a command with another set of keepers.
func (c *admin) keepers(r *rand.Rand, l *logState) []byte {
	w := c.p.w
	ms := w.stores(r, paxos.RoleLearner)
	n := w.profile.k + r.IntN(2)
	if len(ms) < n {
		return nil
	}
	k := &paxos.Keepers{Members: sorted(ms[:n]), K: w.profile.k}
	c.keep = append(c.keep, k)
	return value.EncodeCommand(nil, &value.SetKeepers{Replaces: l.seq.Keepers().Epoch, Keepers: *k})
}
