package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paxosd/paxosd/sim/mutants"
)

// fakeSimulator returns a program that fails as said, by seed, for checkers.
func fakeSimulator(t *testing.T, fails map[uint64]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("#!/bin/sh\nfor a; do case $a in -seed=*) s=${a#-seed=};; -seeds=*) n=${a#-seeds=};; esac; done\n")
	b.WriteString("e=$((s+n))\nwhile [ $s -lt $e ]; do case $s in\n")
	for seed, checker := range fails {
		if checker == mutants.Panicked {
			fmt.Fprintf(&b, "%d) echo 'panic: no' >&2; exit 2;;\n", seed)
			continue
		}
		fmt.Fprintf(&b, "%d) echo '{\"seed\": %d, \"checker\": \"%s\"}'; exit 1;;\n", seed, seed, checker)
	}
	b.WriteString("esac; s=$((s+1)); done\necho '{\"seeds\": 1}'\n")
	path := filepath.Join(t.TempDir(), "simulator")
	if err := os.WriteFile(path, []byte(b.String()), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOnlyDeclaredCheckersCatch(t *testing.T) {
	for _, x := range []struct {
		name     string
		declared []string
		sound    map[uint64]string // fails without the mutant
		fails    map[uint64]string
		seed     uint64 // that catches; 0: none
		tries    int
		others   []string
	}{
		{"declared", []string{"prefix"}, nil, map[uint64]string{5: "prefix"}, 5, 5, nil},
		{"another one alone", []string{"prefix"}, nil, map[uint64]string{5: "bounds", 7: "bounds"}, 0, 20, []string{"bounds", "bounds"}},
		{"another one first", []string{"prefix"}, nil, map[uint64]string{5: "bounds", 7: "prefix"}, 7, 7, []string{"bounds"}},
		{"fails anyway", []string{"prefix"}, map[uint64]string{5: "prefix"}, map[uint64]string{5: "prefix"}, 0, 20, nil},
		{"a panic is a broken invariant", []string{"invariant"}, nil, map[uint64]string{5: mutants.Panicked}, 1, 20, nil},
		{"a panic that nobody declared", []string{"prefix"}, nil, map[uint64]string{5: mutants.Panicked}, 0, 20, []string{mutants.Panicked}},
	} {
		h := &hunter{options: options{within: time.Minute}, root: t.TempDir(), sound: fakeSimulator(t, x.sound), log: io.Discard}
		c, err := h.seek(t.Context(), fakeSimulator(t, x.fails), &mutants.Mutant{Checkers: x.declared}, 1, 20)
		if err != nil || c.caught != (x.seed > 0) || c.seed != x.seed || c.tries != x.tries || !slices.Equal(c.others, x.others) {
			t.Errorf("%s: %+v, %v", x.name, c, err)
		}
	}
}

// module writes a module with one package that has a number, a test that demands that it is 1, and others.
func module(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.24\n",
		"m.go":   "package m\n\nconst number = 1\n",
		"m_test.go": `package m

import (
	"os"
	"testing"
)

func TestNumber(t *testing.T) {
	if number != 1 {
		t.Error(number)
	}
}

func TestEnds(t *testing.T) {
	for number != 1 {
	}
}

func TestLeaves(t *testing.T) {
	if number != 1 {
		os.Exit(1)
	}
}
`,
		"broken/m.go":      "package broken\n\nconst number = 1\n",
		"broken/m_test.go": "package broken\n\nimport \"testing\"\n\nfunc TestNumber(t *testing.T) { t.Error(number) }\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestOnlyATestThatFailsByTheBugCatches(t *testing.T) {
	root := module(t)
	planted := func(file, now string) []mutants.Edit { return []mutants.Edit{{File: file, Old: "= 1", New: now}} }
	for _, x := range []struct {
		name   string
		m      mutants.Mutant
		within time.Duration
		caught bool
		says   string // the error
	}{
		{"it fails", mutants.Mutant{Edits: planted("m.go", "= 2"), Test: mutants.Test{Package: ".", Run: "Number"}}, time.Minute, true, ""},
		{"it passes", mutants.Mutant{Edits: planted("m.go", "= 1 + 0"), Test: mutants.Test{Package: ".", Run: "Number"}}, time.Minute, false, ""},
		{"it does not end", mutants.Mutant{Edits: planted("m.go", "= 2"), Test: mutants.Test{Package: ".", Run: "Ends"}}, 10 * time.Second, false, "not ended"},
		{"it names no test", mutants.Mutant{Edits: planted("m.go", "= 2"), Test: mutants.Test{Package: ".", Run: "Leaves"}}, time.Minute, false, "without naming"},
		{"there is none", mutants.Mutant{Edits: planted("m.go", "= 2"), Test: mutants.Test{Package: ".", Run: "Nothing"}}, time.Minute, false, "has no test"},
		{"it does not compile", mutants.Mutant{Edits: planted("m.go", "= x"), Test: mutants.Test{Package: ".", Run: "Number"}}, time.Minute, false, "build"},
		{"it fails anyway", mutants.Mutant{
			Edits: planted("broken/m.go", "= 2"), Test: mutants.Test{Package: "./broken", Run: "Number"},
		}, time.Minute, false, "without a planted bug"},
	} {
		h := &hunter{options: options{within: x.within}, root: root, log: io.Discard}
		remove, err := h.control(t.Context(), []mutants.Mutant{x.m})
		if err != nil {
			t.Fatal(err)
		}
		f := h.hunt(t.Context(), &x.m, seedRanges{n: 1, seeds: 1})
		_, caught := f.median()
		if caught != x.caught || (f.err == nil) != (x.says == "") || f.err != nil && !strings.Contains(f.err.Error(), x.says) {
			t.Errorf("%s: caught %t, %v", x.name, caught, f.err)
		}
		if err := remove(); err != nil {
			t.Error(err)
		}
	}
}

// What the table says was found by a checker that is declared to find it.
func TestKnownCatchesAreDeclared(t *testing.T) {
	h := &hunter{root: "../../../.."}
	list, err := h.readKnown()
	if err != nil || len(list) == 0 {
		t.Fatalf("%d known catches: %v", len(list), err)
	}
	for _, k := range list {
		m := mutants.Find(k.Name)
		if m == nil {
			t.Errorf("%s is in the table and in no list", k.Name)
			continue
		}
		for checker := range strings.SplitSeq(k.Checker, ", ") {
			if m.Simulated() && !m.CaughtBy(checker) {
				t.Errorf("%s is known to be caught by %s, which is not declared", k.Name, checker)
			}
		}
	}
}
