package harness

import (
	"testing"

	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// What ends unknown is judged over all clusters, and patient clients have no share at all.
func TestSharesOfAllClusters(t *testing.T) {
	hurried := func(known, unknown int) []judge.Count {
		return []judge.Count{{Group: "hurried", Known: known, Unknown: unknown, Most: hurriedShares}}
	}
	for _, x := range []struct {
		name   string
		counts [][]judge.Count
		bad    bool
	}{
		{"a short bad cluster after a long good one", [][]judge.Count{hurried(1000, 0), hurried(50, 5)}, false},
		{"bad ones", [][]judge.Count{hurried(50, 5), hurried(50, 5)}, true},
		{"a patient client", [][]judge.Count{{{Known: 1_000_000, Unknown: 1, Most: patientShares}}}, true},
	} {
		r := &Report{}
		for _, c := range x.counts {
			r.count(c)
		}
		if r.shares(); r.Judged.Bad() != x.bad {
			t.Errorf("%s: %+v", x.name, r.Judged)
		}
	}
}
