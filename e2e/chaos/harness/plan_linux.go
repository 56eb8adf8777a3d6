package harness

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Faults come alone, or two at once.
const pairOneIn = 4

// Drawn is a fault of a plan: its kind, how long it lasts, and the seed of all that it chooses.
type Drawn struct {
	Kind Kind
	Hold time.Duration
	Seed uint64
}

// Step is what happens before the cluster is given time to recover: one fault, or two, of which the second begins a while after the
// first.
type Step struct {
	Faults []Drawn
	Lag    time.Duration // of the second
	Rest   time.Duration // after recovery
}

// plan draws steps. A seed decides them all; what a kind finds when its time comes, such as who leads, it does not.
type plan struct {
	rng   *rand.Rand
	kinds []Kind
	total int
}

// newPlan draws from kinds whose names contain one of some words; from all, if there are none.
func newPlan(seed uint64, only string) (*plan, error) {
	p := &plan{rng: rand.New(rand.NewPCG(seed, 1))}
	for _, k := range kinds() {
		if only == "" || slices.ContainsFunc(strings.Split(only, ","), func(w string) bool { return strings.Contains(k.Name, w) }) {
			p.kinds = append(p.kinds, k)
			p.total += k.weight
		}
	}
	if p.total == 0 {
		return nil, fmt.Errorf("no kind of fault has %q in its name", only)
	}
	return p, nil
}

func (p *plan) draw() Drawn {
	n, i := p.rng.IntN(p.total), 0
	for ; n >= p.kinds[i].weight; i++ {
		n -= p.kinds[i].weight
	}
	return p.drawn(p.kinds[i])
}

// drawn gives a fault of this kind its length: short ones are as likely as long ones, whatever the scale.
func (p *plan) drawn(k Kind) Drawn {
	d := Drawn{Kind: k, Hold: k.least, Seed: p.rng.Uint64()}
	if k.most > k.least {
		d.Hold += time.Duration(float64(k.most-k.least) * p.rng.Float64() * p.rng.Float64())
	}
	return d
}

// next draws a step.
func (p *plan) next() Step {
	s := Step{Faults: []Drawn{p.draw()}, Rest: time.Duration(p.rng.IntN(1000)) * time.Millisecond}
	if p.rng.IntN(pairOneIn) > 0 || s.Faults[0].Kind.alone {
		return s
	}
	if second := p.draw(); !second.Kind.alone {
		s.Faults = append(s.Faults, second)
		s.Lag = time.Duration(p.rng.Float64() * float64(s.Faults[0].Hold))
	}
	return s
}

// last returns the step at the end of a cluster, after which it has an acceptor less.
func (p *plan) last() Step {
	return Step{Faults: []Drawn{p.drawn(Kind{Name: "damage acceptor's store", begin: damageAcceptor, alone: true})}}
}
