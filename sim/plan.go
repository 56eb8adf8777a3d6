package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/paxosd/paxosd/paxos"
)

// faultKind is something that goes wrong.
type faultKind string

// Kinds of faults. Each seed draws which of them it has.
const (
	faultCrash      faultKind = "crash"
	faultSend       faultKind = "crash at a send"
	faultPersist    faultKind = "crash at a write"
	faultAll        faultKind = "crash of all at once"
	faultWipe       faultKind = "restart with an empty disk"
	faultCut        faultKind = "broker away"
	faultHeld       faultKind = "broker away, messages held"
	faultDeafTo     faultKind = "nothing arrives at"
	faultMute       faultKind = "nothing leaves"
	faultIsolate    faultKind = "isolated"
	faultOneWay     faultKind = "cut one way"
	faultSplit      faultKind = "broker split"
	faultBurst      faultKind = "burst of delay"
	faultLoss       faultKind = "loss"
	faultDup        faultKind = "repeats"
	faultSlowNet    faultKind = "slow messages"
	faultReorder    faultKind = "reordering"
	faultFalse503   faultKind = "false 503"
	faultSlowDisk   faultKind = "slow disk"
	faultFullDisk   faultKind = "full disk"
	faultStuffed    faultKind = "disks full until trimmed"
	faultSync       faultKind = "failed sync"
	faultPause      faultKind = "pause"
	faultJump       faultKind = "clock jump"
	faultDrift      faultKind = "clock drift"
	faultFlip       faultKind = "flipped bit"
	faultTruncate   faultKind = "truncated file"
	faultTwin       faultKind = "two processes under one name"
	faultCopy       faultKind = "copied store"
	faultRevert     faultKind = "reverted store"
	faultCandidate  faultKind = "candidate for ever"
	faultGhost      faultKind = "ballot of a candidate that vanished"
	faultTwoBallots faultKind = "votes of two ballots"
	faultHoles      faultKind = "holes left by a leader"
	faultBehind     faultKind = "candidate behind what is trimmed"
	faultHandOver   faultKind = "orderly stop"
	faultMembership faultKind = "membership command"
	faultKeepers    faultKind = "keepers command"
)

// allFaults in a fixed order, with how often each is drawn where a seed has it.
var allFaults = []struct {
	kind   faultKind
	weight int
}{
	{faultCrash, 6},
	{faultSend, 4},
	{faultPersist, 4},
	{faultAll, 1},
	{faultWipe, 1},
	{faultCut, 3},
	{faultHeld, 2},
	{faultDeafTo, 2},
	{faultMute, 2},
	{faultIsolate, 4},
	{faultOneWay, 3},
	{faultSplit, 2},
	{faultBurst, 2},
	{faultLoss, 4},
	{faultDup, 2},
	{faultSlowNet, 3},
	{faultReorder, 2},
	{faultFalse503, 2},
	{faultSlowDisk, 3},
	{faultFullDisk, 1},
	{faultStuffed, 2},
	{faultSync, 2},
	{faultPause, 3},
	{faultJump, 1},
	{faultDrift, 1},
	{faultFlip, 1},
	{faultTruncate, 1},
	{faultTwin, 1},
	{faultCopy, 1},
	{faultRevert, 1},
	{faultCandidate, 2},
	{faultGhost, 2},
	{faultTwoBallots, 2},
	{faultHoles, 2},
	{faultBehind, 1},
	{faultHandOver, 2},
	{faultMembership, 4},
	{faultKeepers, 2},
}

// fault is one entry of a seed's plan.
type fault struct {
	number int
	at     paxos.Span // since the start
	kind   faultKind
	who    int        // process
	other  int        // process
	last   paxos.Span // how long it lasts
	size   float64    // how bad, 0 to 1
	name   string     // of who, for people
}

// String returns the fault in words.
func (f *fault) String() string {
	return fmt.Sprintf("%d: at %d ms %s %s for %d ms", f.number, f.at/paxos.Millisecond, f.kind, f.name, f.last/paxos.Millisecond)
}

// generator is the fault's own randomness, so that leaving out another changes nothing in it.
func (f *fault) generator(seed uint64) *rand.Rand { return generator(seed, 1000+uint64(f.number)) }

// draw makes the seed's plan: which kinds it has, and when each happens.
func (w *world) draw() []fault {
	if w.o.Profile == ProfileBench {
		return nil
	}
	r := generator(w.o.Seed, 6)
	var bag []faultKind
	for _, f := range allFaults {
		if r.IntN(3) == 0 {
			for range f.weight {
				bag = append(bag, f.kind)
			}
		}
	}
	if w.profile.admin {
		for range 6 {
			bag = append(bag, faultMembership)
		}
	} else {
		bag = slices.DeleteFunc(bag, func(k faultKind) bool { return k == faultMembership || k == faultKeepers })
	}
	if w.o.Profile == ProfileStore {
		bag = slices.DeleteFunc(bag, func(k faultKind) bool { return k == faultRevert })
	}
	if len(bag) == 0 {
		bag = []faultKind{faultCrash}
	}
	servers := 0
	for _, p := range w.procs {
		if p.role != paxos.RoleNone {
			servers++
		}
	}
	plan := make([]fault, 2+r.IntN(4)+int(w.profile.length/paxos.Second)*(1+r.IntN(4)))
	for i := range plan {
		plan[i] = fault{
			at: span(r, w.profile.length), kind: bag[r.IntN(len(bag))], who: r.IntN(servers), other: r.IntN(servers),
			last: between(r, 10*paxos.Millisecond, 100*paxos.Millisecond) << r.IntN(6), size: r.Float64(),
		}
	}
	slices.SortStableFunc(plan, func(a, b fault) int { return int(a.at - b.at) })
	for i := range plan {
		plan[i].number, plan[i].name = i, w.procs[plan[i].who].name
	}
	return plan
}

// schedule puts the plan onto the agenda.
func (w *world) schedule() {
	for i := range w.plan {
		f := &w.plan[i]
		if w.o.Skip[f.number] || w.o.Until > 0 && f.number >= w.o.Until {
			continue
		}
		w.after(f.at, func() {
			if !w.calm {
				w.faults++
				w.note("FAULT %s", f)
				w.mix(uint64(f.number) | 1<<40)
				w.count("fault: " + string(f.kind))
				w.inflict(f)
			}
		})
	}
}

// until ends a fault, unless all is healed by then.
func (w *world) until(f *fault, end func()) {
	w.after(f.last, func() {
		if !w.calm {
			w.note("end of fault %d: %s", f.number, f.kind)
			end()
		}
	})
}
