package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/sim"
)

func output(t *testing.T, args ...string) string {
	t.Helper()
	var b bytes.Buffer
	if err := run(args, &b); err != nil && !errors.Is(err, errFound) {
		t.Fatal(err)
	}
	return b.String()
}

// TestOneSeedTwice: the same command prints the same hash, with a trace or without.
func TestOneSeedTwice(t *testing.T) {
	a, b := output(t, "-seed", "5"), output(t, "-seed", "5", "-trace")
	if !strings.HasSuffix(b, a) || !strings.Contains(a, "seed 5: hash ") {
		t.Errorf("first:\n%s\nthen, after the trace:\n%s", a, b[max(0, len(b)-2*len(a)):])
	}
}

// TestCampaignGoesOn: a campaign in two parts has the totals of one.
func TestCampaignGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "campaign.json")
	var whole, parts totals
	if err := json.Unmarshal([]byte(output(t, "-seed", "3", "-seeds", "4", "-json", "-workers", "2")), &whole); err != nil {
		t.Fatal(err)
	}
	output(t, "-seed", "3", "-seeds", "1", "-json", "-campaign", file)
	if err := json.Unmarshal([]byte(output(t, "-seeds", "3", "-json", "-campaign", file)), &parts); err != nil {
		t.Fatal(err)
	}
	if whole.Seeds != 4 || parts.Seeds != 4 || parts.Steps != whole.Steps || parts.Counters["acknowledged"] != whole.Counters["acknowledged"] {
		t.Errorf("in parts %+v, at once %+v", parts, whole)
	}
}

// TestCampaignIsOfOneKind: seeds of another profile, or with other faults, do not add up with those of the file.
func TestCampaignIsOfOneKind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "campaign.json")
	output(t, "-seeds", "2", "-profile", "bench", "-campaign", file)
	for _, args := range [][]string{{"-profile", "store"}, {"-profile", "bench", "-keep", "none"}} {
		err := run(append(args, "-seeds", "1", "-campaign", file), io.Discard)
		if !errors.Is(err, errOther) {
			t.Errorf("%v: %v", args, err)
		}
	}
	output(t, "-seeds", "1", "-profile", "bench", "-campaign", file)
}

// TestSeedsInOrder: results come in the order of seeds however many workers there are, and end where they are told to.
func TestSeedsInOrder(t *testing.T) {
	var got []uint64
	runSeeds(sim.Options{Profile: sim.ProfileBench, Length: 1}, 10, 40, 3, func(r *sim.Result) bool {
		got = append(got, r.Seed)
		return r.Seed < 30
	})
	for i, s := range got {
		if s != uint64(10+i) {
			t.Fatalf("seeds came as %v", got)
		}
	}
	if len(got) != 21 {
		t.Errorf("%d seeds came, want 21", len(got))
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-keep", "x"}, {"-campaign", "/", "-seeds", "2"}} {
		if err := run(args, &bytes.Buffer{}); err == nil || errors.Is(err, errFound) {
			t.Errorf("%v: error %v", args, err)
		}
	}
}
