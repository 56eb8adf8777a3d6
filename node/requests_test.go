package node

import "testing"

func TestRequestsAreUniqueAndKnowWhoAsked(t *testing.T) {
	var r requests
	seen := make(map[uint64]bool)
	askers := []asker{askerCore, askerDirectory, askerFounder, askerBootstrap, askerGuard, askerBeacons}
	for range 1000 {
		for _, a := range askers {
			n := r.source(a)()
			if n == 0 || seen[n] || askerOf(n) != a {
				t.Fatalf("request %d of %d", n, a)
			}
			seen[n] = true
		}
	}
}
