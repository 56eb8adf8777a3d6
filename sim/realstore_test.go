package sim

import "testing"

// TestStoreSeeds: no checker finds anything where acceptors and learners keep what they know in real stores, and what matters happens there.
func TestStoreSeeds(t *testing.T) {
	n := uint64(40)
	if testing.Short() {
		n = 8
	}
	counters := map[string]int{}
	for seed := uint64(1); seed <= n; seed++ {
		r := Run(Options{Seed: seed, Profile: ProfileStore})
		if r.Failure != nil {
			t.Errorf("seed %d: %s", seed, r.Failure)
		}
		for s, n := range r.Counters {
			counters[s] += n
		}
	}
	if testing.Short() {
		return
	}
	for _, s := range StoreSituations() {
		if counters[s] == 0 {
			t.Errorf("in %d seeds it never happened: %s", n, s)
		}
	}
}

// TestStoreSameHash: what the protocol sees of real stores is a function of the seed, unless files are harmed.
func TestStoreSameHash(t *testing.T) {
	same := 0
	for seed := uint64(1); seed <= 6; seed++ {
		a, b := Run(Options{Seed: seed, Profile: ProfileStore}), Run(Options{Seed: seed, Profile: ProfileStore})
		if a.Counters["real store: harmed"] > 0 {
			continue
		}
		same++
		if a.Hash != b.Hash || a.Steps != b.Steps {
			t.Errorf("seed %d: hash %x after %d steps, then %x after %d", seed, a.Hash, a.Steps, b.Hash, b.Steps)
		}
	}
	if same == 0 {
		t.Error("every seed harms files")
	}
}
