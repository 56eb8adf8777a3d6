package sim

import (
	"flag"
	"os"
	"testing"
)

// A failure prints its seed: -sim.seed=N -sim.seeds=1 repeats it, -sim.trace prints what happened.
var (
	firstSeed = flag.Uint64("sim.seed", 1, "first seed of TestSeeds")
	howMany   = flag.Uint64("sim.seeds", 40, "seeds that TestSeeds runs")
	traced    = flag.Bool("sim.trace", false, "print what happens in each seed")
)

// TestSeeds: no checker finds anything in the first seeds.
func TestSeeds(t *testing.T) {
	n := *howMany
	if testing.Short() {
		n = min(n, 10)
	}
	for seed := *firstSeed; seed < *firstSeed+n; seed++ {
		o := Options{Seed: seed}
		if *traced {
			o.Trace = os.Stdout
		}
		if r := Run(o); r.Failure != nil {
			t.Errorf("seed %d: %s", seed, r.Failure)
		}
	}
}

// TestSameSeedSameHash: a run is a function of its seed, traced or not.
func TestSameSeedSameHash(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed, Trace: discard{}})
		if a.Hash != b.Hash || a.Steps != b.Steps {
			t.Errorf("seed %d: hash %x after %d steps, then %x after %d", seed, a.Hash, a.Steps, b.Hash, b.Steps)
		}
	}
	if Run(Options{Seed: 1}).Hash == Run(Options{Seed: 2}).Hash {
		t.Error("two seeds have one hash")
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
