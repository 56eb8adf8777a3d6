package proposer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// keeper is what one keeper reported (PROTOCOL K1).
type keeper struct {
	member   paxos.Member
	slot     paxos.Slot // newest reported
	hash     paxos.Hash
	start    paxos.Slot
	verified paxos.Slot // highest reported slot at which its hash was this process's own
	diverged bool
	goal     paxos.Slot    // to be reported,
	goalAt   paxos.Instant // since then
}

// stability follows the keepers' reports and decides when to state what is stable (PROTOCOL K2). Standbys follow too, so that a new
// leader need not wait.
type stability struct {
	keepers []keeper // of the current set, in its order
	epoch   paxos.Epoch

	bytes     uint64 // of values sequenced here
	mark      paxos.Slot
	solid     paxos.Slot // newest slot that holds anything but stable commands
	bytesAt   uint64     // bytes when stable was last stated
	statedAt  paxos.Instant
	markBytes uint64 // bytes at the last mark
	markedAt  paxos.Instant
}

func (st *stability) init(g *group, now paxos.Instant) {
	st.mark, _ = g.seq.Stable()
	st.solid = g.through()
	st.statedAt, st.markedAt = now, now
	st.follow(g)
}

// follow takes over the current keeper set, keeping what its members reported.
func (st *stability) follow(g *group) {
	ks := g.seq.Keepers()
	if st.epoch == ks.Epoch {
		return
	}
	old := st.keepers
	st.epoch, st.keepers = ks.Epoch, make([]keeper, len(ks.Members))
	for i, m := range ks.Members {
		st.keepers[i].member = m
		if j := slices.IndexFunc(old, func(k keeper) bool { return k.member == m }); j >= 0 {
			st.keepers[i] = old[j]
		}
	}
}

// onChosen takes note of a sequenced slot.
func (st *stability) onChosen(g *group, s *step, a *sequencer.Applied) {
	st.bytes += uint64(len(a.Value))
	if a.NotOnlyStable {
		st.solid = a.Slot
	}
	st.follow(g)
	if a.Mark {
		st.markBytes, st.markedAt = st.bytes, s.now
	}
	if a.Stable > st.mark {
		if st.bytes-st.bytesAt >= g.p.cfg.StableBytes {
			g.p.beaconSoon() // under load acceptors are told at once, while what they may forget is only in their memory
		}
		st.mark, st.bytesAt, st.statedAt = a.Stable, st.bytes, s.now
		g.event(s, paxos.Event{Kind: paxos.EventStable, Slot: a.Stable})
	}
	if ld, ok := g.phase.(*leader); ok && ld.stated == a.Slot {
		ld.stated = 0
	}
}

// onReport takes a keeper's report. An older one than the last says nothing new.
func (g *group) onReport(s *step, m *paxos.Report) {
	st := &g.stability
	i := slices.IndexFunc(st.keepers, func(k keeper) bool {
		return k.member.Name == m.Name && k.member.Incarnation == m.Incarnation
	})
	if i < 0 {
		g.drop(s, m.Name, "report of no keeper")
		return
	}
	if !g.credible(s, &m.Voter, true) {
		return
	}
	k := &st.keepers[i]
	k.verify(g, s) // before it is forgotten for a newer one, which may be ahead of us
	if m.Slot < k.slot {
		return
	}
	k.slot, k.hash, k.start = m.Slot, m.Hash, m.Start
	k.verify(g, s)
}

// verify compares the newest report with this process's own hash there, if it has it (PROTOCOL L5, section 8): a report above what
// is sequenced here, or below what is remembered, waits.
func (k *keeper) verify(g *group, s *step) {
	if k.diverged || k.slot == 0 || k.verified == k.slot {
		return
	}
	own, ok := g.learner.HashAt(k.slot)
	switch {
	case !ok:
	case own == k.hash:
		k.verified = k.slot
	default:
		k.diverged = true
		g.event(s, paxos.Event{
			Kind: paxos.EventDiverged, Slot: k.slot, Name: k.member.Name,
			Text: fmt.Sprintf("keeper %s has hash %s at slot %d, the log has %s; it does not count", k.member.Name, k.hash, k.slot, own),
		})
	}
}

// prefixStart is the first slot of the log: what a keeper holds counts from there, until retention has cut the log
// (PROTOCOL K1). A copy that begins later vouches for nothing before it.
const prefixStart = 1

// counts reports whether this keeper's copy may vouch for stability.
func (k *keeper) counts(g *group) bool {
	return !k.diverged && k.start <= prefixStart && !g.p.witness.Excluded(k.member)
}

// held returns the highest slot that enough keepers hold with an equal hash, the k-th largest report, and who they are.
func (st *stability) held(g *group, s *step) (paxos.Slot, []paxos.Member) {
	need := g.seq.Keepers().K
	var have []paxos.Slot
	for i := range st.keepers {
		k := &st.keepers[i]
		k.verify(g, s)
		if k.counts(g) {
			have = append(have, k.verified)
		}
	}
	if need <= 0 || len(have) < need {
		return 0, nil
	}
	slices.SortFunc(have, func(a, b paxos.Slot) int { return cmp.Compare(b, a) })
	n := have[need-1]
	return n, st.holders(g, n)
}

// holders returns the keepers that hold slot n.
func (st *stability) holders(g *group, n paxos.Slot) []paxos.Member {
	var who []paxos.Member
	for i := range st.keepers {
		if k := &st.keepers[i]; k.counts(g) && k.verified >= n {
			who = append(who, k.member)
		}
	}
	return who
}

// tick decides whether stable is due: every so many bytes or so long, if a slot above the mark holds anything but stable, which
// would otherwise feed on itself.
func (st *stability) tick(g *group, s *step, ld *leader) {
	if !ld.serving() || ld.stating != 0 || ld.stated != 0 || ld.leaving {
		return
	}
	if st.bytes-st.bytesAt < g.p.cfg.StableBytes && s.now.Sub(st.statedAt) < g.p.cfg.StableEvery {
		return
	}
	n, _ := st.held(g, s)
	switch {
	case n > st.mark && st.solid > st.mark:
	case st.mark > 0 && st.joined(g):
		n = st.mark
	default:
		return
	}
	st.bytesAt, st.statedAt = st.bytes, s.now
	ld.stating = n
	g.touch()
}

// lags reports whether a keeper that counts has for the time-out not reported what was sequenced here.
func (st *stability) lags(g *group, now paxos.Instant) bool {
	lags := false
	for i := range st.keepers {
		k := &st.keepers[i]
		if k.slot >= k.goal {
			k.goal, k.goalAt = g.through(), now
		}
		lags = lags || k.slot < k.goal && now.Sub(k.goalAt) >= g.p.cfg.Timeout && k.counts(g)
	}
	return lags
}

// joined reports whether a keeper that is not on record at the stable mark holds it by now. Stating the mark again with more
// keepers lets one of the others be removed (PROTOCOL K3).
func (st *stability) joined(g *group) bool {
	record := g.seq.OnRecord()
	return slices.ContainsFunc(st.holders(g, st.mark), func(m paxos.Member) bool { return !slices.Contains(record, m) })
}

// command returns the stable command for slot n, or nil if it cannot be made: n is zero, or too few hold it by now.
func (st *stability) command(g *group, s *step, n paxos.Slot) []byte {
	if n == 0 {
		return nil
	}
	hash, ok := g.learner.HashAt(n)
	who := st.holders(g, n)
	if !ok || len(who) < g.seq.Keepers().K {
		return nil
	}
	mark := st.bytes-st.markBytes >= g.p.cfg.MarkBytes || s.now.Sub(st.markedAt) >= g.p.cfg.MarkEvery
	return value.EncodeCommand(nil, &value.Stable{Slot: n, Hash: hash, Keepers: who, Mark: mark && n > st.mark})
}

// lagging names the keeper that holds back stability most, for people (PROTOCOL K5).
func (st *stability) lagging(g *group) string {
	if len(st.keepers) == 0 {
		return "the log has no keepers"
	}
	last := slices.MinFunc(st.keepers, func(a, b keeper) int { return cmp.Compare(a.verified, b.verified) })
	return fmt.Sprintf("keeper %s holds slots through %d of %d; acceptors forget only what %d keepers hold",
		last.member.Name, last.verified, g.through(), g.seq.Keepers().K)
}
