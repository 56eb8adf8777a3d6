package sim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestOnceFailed: seeds that once failed pass. They come before all others.
func TestOnceFailed(t *testing.T) {
	all, err := OnceFailed()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if r := Run(Options{Seed: s.Seed}); r.Failure != nil {
			t.Errorf("seed %d, which once failed (%s): %s", s.Seed, s.Why, r.Failure)
		}
	}
}

// TestShrinkKeepsWhatIsNeeded: of many faults those stay without which the run passes.
func TestShrinkKeepsWhatIsNeeded(t *testing.T) {
	runs := 0
	fails := func(o Options) Result {
		runs++
		r := Result{Plan: make([]string, 20), Faults: 20}
		for i := range r.Plan {
			r.Plan[i] = fmt.Sprint("fault ", i)
		}
		if !o.Skip[3] && !o.Skip[11] {
			r.Failure = &Failure{Checker: CheckAgreement}
			r.Faults = 15
		}
		return r
	}
	s, ok := shrink(Options{Seed: 7}, fails)
	if !ok || len(s.Keep) != 2 || s.Keep[0] != 3 || s.Keep[1] != 11 || s.Faults[1] != "fault 11" {
		t.Errorf("shrunk to %+v, want faults 3 and 11", s)
	}
	if runs != s.Runs || runs > 60 {
		t.Errorf("it took %d runs and says %d", runs, s.Runs)
	}
	if _, ok := shrink(Options{Skip: map[int]bool{3: true}}, fails); ok {
		t.Error("shrunk a run that passes")
	}
}

// TestKeepingRepeatsTheRun: leaving out no fault changes nothing.
func TestKeepingRepeatsTheRun(t *testing.T) {
	r := Run(Options{Seed: 3})
	all := make([]int, len(r.Plan))
	for i := range all {
		all[i] = i
	}
	if again := Run(Keeping(Options{Seed: 3}, all)); again.Hash != r.Hash {
		t.Errorf("hash %x with all faults kept, %x without a list", again.Hash, r.Hash)
	}
	if again := Run(Options{Seed: 3, Until: 1}); again.Faults > 1 {
		t.Errorf("%d faults, though it was to stop after one", again.Faults)
	}
}

// TestExcerpt: a person reads about faults, the slot that the failure names and the end, and is told where lines are missing.
func TestExcerpt(t *testing.T) {
	e := NewExcerpt(&Failure{Text: "slot 12 was chosen twice"})
	for i := range 500 {
		_, _ = fmt.Fprintf(e, "%11.3f ms  a1 hears accept slot %d at 1.p1, value 0, from p1\n", float64(i), i)
		if i == 100 {
			_, _ = fmt.Fprintf(e, "%11.3f ms  FAULT 1: at 100 ms crash a1 for 5 ms\n", 100.)
		}
	}
	var b bytes.Buffer
	e.Print(&b)
	for _, want := range []string{"accept slot 12 at", "FAULT 1", "accept slot 499 at", "… 12 lines"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the excerpt lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "accept slot 120 at") || strings.Count(b.String(), "\n") > lastLines+10 {
		t.Errorf("the excerpt is not short:\n%s", b.String())
	}
}
