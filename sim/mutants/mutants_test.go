package mutants

import (
	"flag"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var build = flag.Bool("mutants.build", false, "compile every mutant: a minute or two")

const root = "../.."

// checkers are the names of package sim. They are repeated here, so that the list does not depend on the simulator.
var checkers = []string{
	"agreement", "proposed", "promise-monotone", "vote-monotone", "durable-ack", "prefix", "dense", "exactly-once", "linearizable",
	"stable", "bounds", "progress", "invariant", "damaged-silent",
}

func TestEveryMutantIsWhole(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	rule := regexp.MustCompile(`^(A|P|L|Q|K|N)\d|^Section \d`)
	seen := map[string]bool{}
	simulated := 0
	for _, m := range All() {
		switch {
		case !name.MatchString(m.Name) || seen[m.Name]:
			t.Errorf("%s: not a name of its own", m.Name)
		case !rule.MatchString(m.Rule):
			t.Errorf("%s: %q does not begin with a rule of the protocol", m.Name, m.Rule)
		case len(m.Edits) == 0:
			t.Errorf("%s changes nothing", m.Name)
		case (len(m.Checkers) > 0) == (m.Test.Package != ""):
			t.Errorf("%s: want either checkers or a test", m.Name)
		}
		seen[m.Name] = true
		for _, c := range m.Checkers {
			if !slices.Contains(checkers, c) {
				t.Errorf("%s: no checker is called %s", m.Name, c)
			}
		}
		if m.Simulated() {
			simulated++
		}
	}
	if simulated < 48 {
		t.Errorf("%d mutants for the simulator, want 48 at least", simulated)
	}
}

// The code moves on; a text that no longer stands in its file is no mutant.
func TestEveryTextStandsOnce(t *testing.T) {
	for _, m := range All() {
		texts, err := m.Changed(root)
		if err != nil {
			t.Error(err)
			continue
		}
		for file, text := range texts {
			if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s changes %s, which is not the project's code", m.Name, file)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
}

func TestEveryMutantCompiles(t *testing.T) {
	if !*build {
		t.Log("only the syntax was looked at; -mutants.build compiles them")
		return
	}
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range All() {
		overlay, err := m.Plant(at, t.TempDir())
		if err != nil {
			t.Error(err)
			continue
		}
		args := []string{"build", "-overlay", overlay}
		for _, f := range m.Files() {
			if p := "./" + path.Dir(f); !slices.Contains(args, p) {
				args = append(args, p)
			}
		}
		cmd := exec.Command("go", args...)
		cmd.Dir = at
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", m.Name, err, out)
		}
	}
}
