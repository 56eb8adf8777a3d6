//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// fault is one thing done to the cluster and then undone.
type fault struct {
	kind    string
	what    string   // on whom, and how
	touches []string // what two faults at once must not share; everything conflicts with "all"
	begin   func() error
	heal    func() error // of what the harness did; the cluster's part is to get well again
}

// kind makes faults of one kind; victims are drawn when it is time, because who leads is known only then.
type kind struct {
	name  string
	alone bool // never at the same time as another one
	draw  func(r *round, rng *rand.Rand) fault
}

// step is one fault, or two that overlap.
type step struct {
	kinds []kind
	seed  uint64
	last  bool // the acceptor's store is damaged, or was
}

// plan returns the steps of a round: every kind equally often, in an order of the seed; a third of the steps have two at once. Then
// an acceptor's store is damaged, and a few faults are done to the cluster that is left with two acceptors.
func plan(rng *rand.Rand, o *options) []step {
	var only []string
	if o.only != "" {
		only = strings.Split(o.only, ",")
	}
	wanted := func(k kind) bool { return only == nil || slices.Contains(only, k.name) }
	pool := slices.DeleteFunc(kinds(), func(k kind) bool { return !wanted(k) })
	var steps []step
	var queue []kind
	next := func() kind {
		if len(queue) == 0 {
			queue = slices.Clone(pool)
			rng.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
		}
		k := queue[0]
		queue = queue[1:]
		return k
	}
	for n := 0; n < o.faults && len(pool) > 0; {
		s := step{kinds: []kind{next()}, seed: rng.Uint64()}
		if rng.IntN(3) == 0 && !s.kinds[0].alone {
			if k := next(); k.alone {
				queue = append(queue, k)
			} else {
				s.kinds = append(s.kinds, k)
			}
		}
		n += len(s.kinds)
		steps = append(steps, s)
	}
	if wanted(damagedAcceptor) {
		steps = append(steps, step{kinds: []kind{damagedAcceptor}, seed: rng.Uint64(), last: true})
		for _, k := range []kind{killLeader, pauseLearner, resetConnection} {
			if wanted(k) {
				k.name += " (two acceptors left)"
				steps = append(steps, step{kinds: []kind{k}, seed: rng.Uint64(), last: true})
			}
		}
	}
	return steps
}

// step does a step and waits until the cluster is well. It reports false if it did not get well.
func (r *round) step(s step) (bool, error) {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	time.Sleep(time.Duration(300+rng.IntN(700)) * time.Millisecond) // acknowledgements between faults
	var faults []fault
	for _, k := range s.kinds {
		f := k.draw(r, rng)
		for tries := 0; conflicts(faults, f) && tries < 20; tries++ {
			f = k.draw(r, rng)
		}
		if !conflicts(faults, f) {
			f.kind = k.name
			faults = append(faults, f)
		}
	}
	r.l.begin()
	begin := time.Now()
	for _, f := range faults {
		if err := f.begin(); err != nil {
			return false, fmt.Errorf("%s: %w", f.what, err)
		}
		time.Sleep(time.Duration(400+rng.IntN(2200)) * time.Millisecond)
	}
	if rng.IntN(2) == 0 {
		slices.Reverse(faults)
	}
	for i, f := range faults {
		if i > 0 {
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		}
		if err := f.heal(); err != nil {
			return false, fmt.Errorf("%s: %w", f.what, err)
		}
	}
	healed := time.Now()
	sick := r.well(healed, healLimit)
	anybody, one := r.l.gaps()
	r.rep.fault(r.num, faults, begin, healed, anybody, one, sick)
	return sick == "", nil
}

func conflicts(with []fault, f fault) bool {
	return slices.ContainsFunc(with, func(o fault) bool {
		return slices.Contains(o.touches, "all") || slices.Contains(f.touches, "all") ||
			slices.ContainsFunc(f.touches, func(t string) bool { return slices.Contains(o.touches, t) })
	})
}
