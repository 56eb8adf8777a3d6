package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/paxosd/paxosd/sim/mutants"
)

// errTest says that a test told nothing of a mutant.
var errTest = errors.New("the test says nothing")

var (
	failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\w+)`)
	noTest     = []byte("no tests to run")
)

// goTest builds tests of a package into dir, with an overlay if there is one, and runs them. It is not the go command that runs them: ended at
// its deadline, it would leave them running.
func (h *hunter) goTest(ctx context.Context, overlay, run, pkg, dir string) (said []byte, built bool, err error) {
	binary := filepath.Join(dir, "of.test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, pkg)
	cmd.Dir = h.root
	if said, err = cmd.CombinedOutput(); err != nil {
		return said, false, err
	}
	cmd = exec.CommandContext(ctx, binary, "-test.paniconexit0", "-test.run", run)
	cmd.Dir = filepath.Join(h.root, filepath.FromSlash(pkg))
	cmd.WaitDelay = 10 * time.Second // what the test has started may hold its output open
	said, err = cmd.CombinedOutput()
	return said, true, err
}

// controlTests runs the tests that are to catch some mutants, without one. It returns what fails, by package.
func (h *hunter) controlTests(ctx context.Context, all []mutants.Mutant) map[string]error {
	runs := make(map[string][]string)
	var packages []string
	for i := range all {
		t := all[i].Test
		if all[i].Simulated() || slices.Contains(runs[t.Package], t.Run) {
			continue
		}
		if len(runs[t.Package]) == 0 {
			packages = append(packages, t.Package)
		}
		runs[t.Package] = append(runs[t.Package], t.Run)
	}
	failed := make(map[string]error)
	for _, pkg := range packages {
		if err := h.controlTest(ctx, strings.Join(runs[pkg], "|"), pkg); err != nil {
			failed[pkg] = fmt.Errorf("without a planted bug: %w", err)
		}
	}
	return failed
}

func (h *hunter) controlTest(ctx context.Context, run, pkg string) (err error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(ctx, h.within)
	defer cancel()
	out, _, err := h.goTest(ctx, "", run, pkg, dir)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s: %w", errTest, firstLine(out), err)
	case bytes.Contains(out, noTest):
		return fmt.Errorf("%w: %s has no test %s", errTest, pkg, run)
	}
	return nil
}

// test runs the test that is to catch m. A catch is a test that fails, by name: one that does not end, or cannot be built, says nothing, and neither
// does one that fails anyway.
func (h *hunter) test(ctx context.Context, m *mutants.Mutant, dir string) ([]catch, error) {
	if err := h.unsound[m.Test.Package]; err != nil {
		return nil, err
	}
	overlay, err := m.Plant(h.root, dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.within)
	defer cancel()
	out, built, err := h.goTest(ctx, overlay, m.Test.Run, m.Test.Package, dir)
	failed := failedTest.FindSubmatch(out)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: it had not ended after %v", errTest, h.within)
	case !built:
		return nil, fmt.Errorf("build: %w: %s", err, firstLine(out))
	case bytes.Contains(out, noTest):
		return nil, fmt.Errorf("%w: %s has no test %s", errTest, m.Test.Package, m.Test.Run)
	case err == nil:
		return []catch{{tries: 1}}, nil
	case failed == nil:
		return nil, fmt.Errorf("%w: it ended without naming a test that failed: %w: %s", errTest, err, firstLine(out))
	}
	return []catch{{caught: true, tries: 1, checker: string(failed[1]), text: firstLine(out)}}, nil
}
