package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/paxosd/paxosd/sim/mutants"
)

// defaultLimit is the time that one range of one mutant may take.
const defaultLimit = 10 * time.Minute

// simulator is the package of the simulator's binary.
const simulator = "./sim/cmd/paxossim"

// rangeStep is how far ranges of seeds lie apart.
const rangeStep = 1_000_000

// hunter builds mutants and looks for seeds that catch them.
type hunter struct {
	options
	root  string
	sound string // the simulator built without a mutant; empty: not needed

	unsound map[string]error // packages whose tests fail without a mutant, and how

	mu  sync.Mutex
	log io.Writer
}

// catch is what one range of seeds has shown.
type catch struct {
	caught  bool
	seed    uint64
	tries   int    // seeds run, the catching one included
	checker string // of the simulator, or the failed test
	text    string
	others  []string // checkers that found something, and are not declared to catch it
}

// found is what is known of one mutant.
type found struct {
	mutant  *mutants.Mutant
	catches []catch // one a range; of a test: one
	took    time.Duration
	err     error // it could not be built or run
}

// median returns the median of the seeds that it took, and false if more than half of the ranges missed it.
func (f *found) median() (int, bool) {
	var tries []int
	for i := range f.catches {
		if f.catches[i].caught {
			tries = append(tries, f.catches[i].tries)
		}
	}
	if 2*len(tries) <= len(f.catches) {
		return 0, false
	}
	slices.Sort(tries)
	return tries[(len(f.catches)-1)/2], true
}

// by returns the checkers that caught it, the most frequent first, with their count.
func (f *found) by() []string {
	count := map[string]int{}
	var names []string
	for i := range f.catches {
		if c := &f.catches[i]; c.caught {
			if count[c.checker] == 0 {
				names = append(names, c.checker)
			}
			count[c.checker]++
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	return names
}

// others returns the checkers that found something and are not declared to.
func (f *found) others() []string {
	var names []string
	for i := range f.catches {
		names = append(names, f.catches[i].others...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// each calls f for every mutant, a few at a time, and returns the results in order.
func (h *hunter) each(ctx context.Context, all []mutants.Mutant, f func(ctx context.Context, m *mutants.Mutant) found) []found {
	results := make([]found, len(all))
	next := make(chan int)
	var wg sync.WaitGroup
	for range max(h.jobs, 1) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				began := time.Now()
				results[i] = f(ctx, &all[i])
				results[i].mutant, results[i].took = &all[i], time.Since(began)
				h.tell(&results[i])
			}
		}()
	}
	for i := range all {
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

// tell prints progress.
func (h *hunter) tell(f *found) {
	h.mu.Lock()
	defer h.mu.Unlock()
	what := "MISSED"
	if n, ok := f.median(); ok {
		what = fmt.Sprintf("%v, %d", f.by(), n)
	}
	if others := f.others(); len(others) > 0 {
		what += fmt.Sprintf(" (not declared: %v)", others)
	}
	if f.err != nil {
		what = "ERROR " + f.err.Error()
	}
	fmt.Fprintf(h.log, "%-36s %6.1f s  %s\n", f.mutant.Name, f.took.Seconds(), what)
}

// control makes sure of what says nothing of a mutant because it fails without one, too: it builds the simulator without a mutant, for seeds that
// fail, and runs the tests that are to fail.
func (h *hunter) control(ctx context.Context, all []mutants.Mutant) (remove func() error, err error) {
	h.unsound = h.controlTests(ctx, all)
	if !slices.ContainsFunc(all, func(m mutants.Mutant) bool { return m.Simulated() }) {
		return func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return nil, err
	}
	if h.sound, err = h.build(ctx, "", dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return func() error { return os.RemoveAll(dir) }, nil
}

// build builds the simulator into dir, with an overlay if there is one.
func (h *hunter) build(ctx context.Context, overlay, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "paxossim")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, simulator)
	cmd.Dir = h.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, bytes.TrimSpace(out))
	}
	return binary, nil
}

// seedRanges are the seeds to try.
type seedRanges struct {
	first uint64
	n     int // of ranges
	seeds int // in each
}

// hunt looks for seeds that catch m, in each range.
func (h *hunter) hunt(ctx context.Context, m *mutants.Mutant, r seedRanges) (f found) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		f.err = err
		return f
	}
	defer func() { f.err = errors.Join(f.err, os.RemoveAll(dir)) }()
	if !m.Simulated() {
		f.catches, f.err = h.test(ctx, m, dir)
		return f
	}
	overlay, err := m.Plant(h.root, dir)
	if err != nil {
		f.err = err
		return f
	}
	binary, err := h.build(ctx, overlay, dir)
	if err != nil {
		f.err = err
		return f
	}
	missed := 0
	for i := range r.n {
		c, err := h.seek(ctx, binary, m, r.first+uint64(i)*rangeStep, r.seeds)
		if err != nil {
			f.err = err
			return f
		}
		f.catches = append(f.catches, c)
		if !c.caught {
			missed++
		}
		if 2*missed > r.n {
			break // the median is settled
		}
	}
	return f
}

// line is a line of paxossim -json: a failure, or the totals.
type line struct {
	Seed    uint64 `json:"seed"`
	Checker string `json:"checker"`
	Text    string `json:"text"`
	Seeds   uint64 `json:"seeds"` // of the totals
}

// seek runs a range of seeds until a checker that is declared to catch m finds something in one that does not fail without m.
func (h *hunter) seek(ctx context.Context, binary string, m *mutants.Mutant, first uint64, seeds int) (catch, error) {
	ctx, cancel := context.WithTimeout(ctx, h.within)
	defer cancel()
	var others []string
	for done := 0; done < seeds; {
		c, err := h.simulate(ctx, binary, m.Profile, first+uint64(done), seeds-done)
		c.others = others
		if err != nil || !c.caught {
			c.tries += done
			return c, err
		}
		if !m.CaughtBy(c.checker) {
			others = append(others, c.checker)
			done += c.tries // all of them after a panic, of which no seed is known
			continue
		}
		own, err := h.simulate(ctx, h.sound, m.Profile, c.seed, 1)
		if err != nil || !own.caught || c.checker == mutants.Panicked {
			c.tries += done
			return c, err
		}
		done += c.tries
	}
	return catch{tries: seeds, others: others}, nil
}

// simulate runs a range of seeds until one fails.
func (h *hunter) simulate(ctx context.Context, binary, profile string, first uint64, seeds int) (catch, error) {
	cmd := exec.CommandContext(ctx, binary, "-json", "-first-failure", "-workers=1", "-profile="+profile,
		"-seed="+strconv.FormatUint(first, 10), "-seeds="+strconv.Itoa(seeds))
	cmd.Dir = h.root
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	finished := false
	for sc := bufio.NewScanner(bytes.NewReader(stdout.Bytes())); sc.Scan(); {
		var l line
		if json.Unmarshal(sc.Bytes(), &l) != nil {
			continue
		}
		finished = finished || l.Seeds > 0
		if l.Checker != "" {
			return catch{caught: true, seed: l.Seed, tries: int(l.Seed-first) + 1, checker: l.Checker, text: l.Text}, nil
		}
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return catch{tries: seeds}, nil // too slow counts as missed
	case err == nil || finished: // it may end with an error because a situation never happened
		return catch{tries: seeds}, nil
	case errors.As(err, &exit) && bytes.Contains(stderr.Bytes(), []byte("panic:")):
		return catch{caught: true, seed: first, tries: seeds, checker: mutants.Panicked, text: firstLine(stderr.Bytes())}, nil
	default:
		return catch{}, fmt.Errorf("run: %w: %s", err, firstLine(stderr.Bytes()))
	}
}

func firstLine(b []byte) string {
	b, _, _ = bytes.Cut(bytes.TrimSpace(b), []byte("\n"))
	return string(b)
}
