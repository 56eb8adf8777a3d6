package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/bench/load"
)

func sample() *Run {
	r := &Run{
		Date: "2026-01-02", Machine: "m", Go: "go", Commit: "c", Rounds: 3, Order: []string{"paxosd", "peer", "careless"}, Loads: []string{"w", "leader killed"},
		Systems: map[string]About{"paxosd": {"ours", true}, "peer": {"theirs", true}, "careless": {"theirs", false}},
		Notes:   map[string]string{"peer leader killed": "cannot"},
	}
	for i, rate := range []float64{300, 100, 200} {
		r.Results = append(r.Results,
			load.Result{
				System: "paxosd", Workload: "w", Round: i + 1, Rate: 2 * rate, Entries: 1, Latency: &load.Latency{P50: rate, P99: 10 * rate},
				Roles: map[string]load.Use{"acceptor": {Processes: 3, CPU: 6, Written: 3.6, PeakMiB: 7}},
			},
			load.Result{System: "peer", Workload: "w", Round: i + 1, Rate: rate, Entries: 1},
			load.Result{System: "careless", Workload: "w", Round: i + 1, Rate: 100 * rate, Entries: 1},
			load.Result{System: "paxosd", Workload: "leader killed", Round: i + 1, Entries: 1, Trials: []float64{float64(i + 1)}})
	}
	return r
}

// TestTable: medians of the rounds, and the ratio to the best of the peers that sync first.
func TestTable(t *testing.T) {
	var b strings.Builder
	if err := sample().Table(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"200 / 400 / 600", "1000 / 2000 / 3000", "paxosd acceptor", "1.20", "careless (acks before fsync)", "entries/s 2.00 x peer", "1.00 / 2.00 / 3.00 of 3", "cannot", "goal reached"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestRunSurvivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "r.json")
	r := sample()
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path)
	if err != nil || !reflect.DeepEqual(r, again) {
		t.Fatalf("%v\n%+v", err, again)
	}
}

func TestPlotIsDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.svg")
	if err := sample().Plot(path, "Appends", "entries a second", []string{"w"}, Rate); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), "careless") || !strings.HasPrefix(string(b), "<?xml") {
		t.Fatalf("%v %.100s", err, b)
	}
}
