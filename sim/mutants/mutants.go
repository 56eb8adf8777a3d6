// Package mutants holds planted bugs: small changes of the project's own code, each of which breaks a rule of the protocol or puts a known
// bug back. A harness that does not catch them shows nothing; this list says which it catches, and how soon.
//
// Nothing here changes a file of the project. A mutant is a text and what takes its place; Plant writes the changed files to a
// folder of their own and an overlay for the go command, which builds with them instead of the real ones.
//
// The tests hold that every text stands in its file exactly once, so that the list cannot rot as the code moves on, and, behind
// -mutants.build, that each mutant compiles. cmd/mutants runs the simulator over them (make mutants).
//
// What is not here: mutants of the simulator itself, and changes that only make the log slower.
package mutants

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is one planted bug.
type Mutant struct {
	Name     string // short, with hyphens: it names the mutant everywhere
	Rule     string // the rule that it breaks, and how, in words
	Edits    []Edit
	Checkers []string // of the simulator: any of them may catch it, no other. Empty where Test is set
	Profile  string   // of the simulator: "store" has real stores; empty: the swarm
	Test     Test     // catches what the simulator has no part in: disks, founding, the wire
}

// Edit replaces a text that stands in a file exactly once.
type Edit struct {
	File string // from the repository's root, with slashes
	Old  string
	New  string
}

// Test names a test that must fail. Its zero value is none.
type Test struct {
	Package string // from the repository's root, as "./wal"
	Run     string // pattern, as of go test -run
}

// Simulated reports whether the simulator is to catch it, not a test.
func (m *Mutant) Simulated() bool { return m.Test.Package == "" }

// Panicked is the checker's name where the simulator itself ended in a panic: an invariant that nothing in it caught.
const Panicked = "panic"

// CaughtBy reports whether a checker is one of those that are to catch it. What another one finds shows that something is broken, not that the rule is
// watched.
func (m *Mutant) CaughtBy(checker string) bool {
	if checker == Panicked {
		checker = "invariant"
	}
	return slices.Contains(m.Checkers, checker)
}

// Files returns the files that it changes, each once, in order.
func (m *Mutant) Files() []string {
	var files []string
	for i := range m.Edits {
		if !slices.Contains(files, m.Edits[i].File) {
			files = append(files, m.Edits[i].File)
		}
	}
	return files
}

// All returns every mutant, in the order of the protocol's chapters.
func All() []Mutant {
	return slices.Concat(acceptors, elections, leaders, memberships, learners, readQuorums, sequencers, stability, sessions, stores, elsewhere)
}

// Find returns the mutant of this name, or nil.
func Find(name string) *Mutant {
	all := All()
	i := slices.IndexFunc(all, func(m Mutant) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// ErrText says that an edit's text does not stand in its file exactly once: the code has moved on, and the list must follow.
var ErrText = errors.New("the text to replace does not stand in the file exactly once")

// Changed returns each changed file's new text, by its name from the repository's root.
func (m *Mutant) Changed(root string) (map[string]string, error) {
	texts := make(map[string]string)
	for i := range m.Edits {
		e := &m.Edits[i]
		text, ok := texts[e.File]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
			if err != nil {
				return nil, fmt.Errorf("plant %s: %w", m.Name, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("plant %s: %s, edit %d: %d times: %w", m.Name, e.File, i+1, n, ErrText)
		}
		texts[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return texts, nil
}

// Plant writes the changed files into dir, which must be empty, and returns the overlay file for go build -overlay.
func (m *Mutant) Plant(root, dir string) (overlay string, err error) {
	texts, err := m.Changed(root)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for i, file := range m.Files() {
		to := filepath.Join(dir, fmt.Sprintf("%d_%s", i, filepath.Base(file)))
		if err := os.WriteFile(to, []byte(texts[file]), 0o600); err != nil {
			return "", fmt.Errorf("plant %s: %w", m.Name, err)
		}
		replace[filepath.Join(root, filepath.FromSlash(file))] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("plant %s: %w", m.Name, err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		return "", fmt.Errorf("plant %s: %w", m.Name, err)
	}
	return overlay, nil
}

// edit makes the list easier to read.
func edit(file, old, now string) Edit { return Edit{File: file, Old: old, New: now} }
