package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/sim/mutants"
)

// Where -write writes.
const (
	tableFile = "docs/mutants.md"
	knownFile = "sim/mutants/known.json"
)

// known is a seed that is known to catch a mutant. With each change of the code the runs of all seeds change, so that a replay goes
// on for as many seeds more as the mutant used to need.
type known struct {
	Name    string `json:"name"`
	Seed    uint64 `json:"seed,omitempty"`
	Checker string `json:"checker"` // or checkers, the most frequent first
	Median  int    `json:"median,omitempty"`
}

// table hunts all, and prints or writes the result.
func (h *hunter) table(ctx context.Context, all []mutants.Mutant, stdout io.Writer) (err error) {
	remove, err := h.control(ctx, all)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	results := h.each(ctx, all, func(ctx context.Context, m *mutants.Mutant) found {
		return h.hunt(ctx, m, seedRanges{first: h.first, n: h.ranges, seeds: h.seeds})
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.write {
		err = h.writeKnown(results)
	} else {
		_, err = stdout.Write(h.markdown(all, foundNow(results)))
	}
	return errors.Join(err, verdict(results))
}

// verdict is an error if a mutant was missed.
func verdict(results []found) error {
	var names []string
	for i := range results {
		if _, ok := results[i].median(); !ok || results[i].err != nil {
			names = append(names, results[i].mutant.Name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("%d of %d: %w: %s", len(names), len(results), errMissed, strings.Join(names, ", "))
	}
	return nil
}

// foundNow is what a run has found, by name.
func foundNow(results []found) map[string]known {
	byName := map[string]known{}
	for i := range results {
		f := &results[i]
		n, ok := f.median()
		if !ok {
			continue
		}
		k := known{Name: f.mutant.Name, Median: n, Checker: strings.Join(f.by(), ", ")}
		for j := range f.catches {
			if c := &f.catches[j]; c.caught {
				k.Seed = c.seed
				break
			}
		}
		if !f.mutant.Simulated() {
			k.Median, k.Seed = 0, 0
		}
		byName[k.Name] = k
	}
	return byName
}

// markdown is the table of some mutants, by what is known of them.
func (h *hunter) markdown(all []mutants.Mutant, byName map[string]known) []byte {
	var b bytes.Buffer
	caught, simulated := 0, 0
	for i := range all {
		if _, ok := byName[all[i].Name]; ok {
			caught++
		}
		if all[i].Simulated() {
			simulated++
		}
	}
	fmt.Fprintf(&b, `# Planted bugs

Written by %s. Each bug breaks one rule of the protocol in the project's own code; the simulator, or a named test where it has
no part or meets it too seldom, must catch it. %d bugs, %d of them for the simulator; %d caught. "Seeds" is the median, over %d ranges apart from each
other, of the seeds run until one failed, at most %d a range.

| bug | rule | caught by | seeds |
| --- | --- | --- | --- |
`, "`make mutants`", len(all), simulated, caught, h.ranges, h.seeds)
	for i := range all {
		m := &all[i]
		k, ok := byName[m.Name]
		by, seeds := "**missed**", "> "+strconv.Itoa(h.seeds)
		if ok {
			by, seeds = k.Checker, strconv.Itoa(k.Median)
		}
		if !m.Simulated() {
			by, seeds = "`"+strings.TrimPrefix(m.Test.Package, "./")+"` "+by, ""
		}
		if m.Profile != "" {
			by += ", with real stores"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Name, strings.ReplaceAll(m.Rule, "|", "\\|"), by, seeds)
	}
	return b.Bytes()
}

// writeKnown replaces the entries of the mutants that were run, leaves those of others, and writes the table of all.
func (h *hunter) writeKnown(results []found) error {
	old, err := h.readKnown()
	if err != nil {
		return err
	}
	byName := map[string]known{}
	for _, k := range old {
		byName[k.Name] = k
	}
	now := foundNow(results)
	for i := range results {
		name := results[i].mutant.Name
		delete(byName, name)
		if k, ok := now[name]; ok {
			byName[name] = k
		}
	}
	var list []known
	all := mutants.All()
	for i := range all {
		if k, ok := byName[all[i].Name]; ok {
			list = append(list, k)
		}
	}
	text, err := json.MarshalIndent(list, "", "\t")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(h.root, filepath.FromSlash(knownFile)), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(h.root, filepath.FromSlash(tableFile)), h.markdown(all, byName), 0o644),
	)
}

// readKnown returns what known.json has; nothing if there is none yet.
func (h *hunter) readKnown() ([]known, error) {
	b, err := os.ReadFile(filepath.Join(h.root, filepath.FromSlash(knownFile)))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []known
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", knownFile, err)
	}
	return list, nil
}

// replayAll runs the known seed of each mutant.
func (h *hunter) replayAll(ctx context.Context, all []mutants.Mutant, stdout io.Writer) (err error) {
	list, err := h.readKnown()
	if err != nil {
		return err
	}
	seeds := map[string]known{}
	for _, k := range list {
		seeds[k.Name] = k
	}
	var chosen []mutants.Mutant
	for _, m := range all {
		if _, ok := seeds[m.Name]; ok {
			chosen = append(chosen, m)
		} else {
			fmt.Fprintf(h.log, "%-36s has no known seed: run mutants -only %s -write\n", m.Name, m.Name)
		}
	}
	remove, err := h.control(ctx, chosen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	results := h.each(ctx, chosen, func(ctx context.Context, m *mutants.Mutant) found {
		k := seeds[m.Name]
		least := 20
		if m.Profile != "" {
			least = 100 // what happens to real stores' bytes is not the seed's alone
		}
		return h.hunt(ctx, m, seedRanges{first: k.Seed, n: 1, seeds: max(10*k.Median, least)})
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	late := 0
	for i := range results {
		if n, ok := results[i].median(); ok && n > 1 {
			late++
		}
	}
	fmt.Fprintf(stdout, "%d of %d mutants replayed, %d by a later seed than the known one\n", len(results), len(all), late)
	if len(chosen) < len(all) {
		return fmt.Errorf("%d without a known seed: %w", len(all)-len(chosen), errMissed)
	}
	return verdict(results)
}
