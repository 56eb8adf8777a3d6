package sim

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Excerpt is a trace cut down to what a person reads: what went wrong with the machines, who led, the slot that the failure names, and
// the last lines. Write a run's trace into it, then call Print.
type Excerpt struct {
	slot  *regexp.Regexp // nil: the failure names no slot
	lines []string
	kept  []bool
	rest  []byte
}

// Bounds of an excerpt, in lines.
const (
	lastLines  = 60
	mostOfSlot = 400
)

var (
	namesSlot = regexp.MustCompile(`slot (\d+)`)
	// Faults, starts and ends of processes, elections and healing are kept whatever the failure is.
	milestones = regexp.MustCompile(`ms  (FAULT|FAILED|HEAL|PROBE|end of fault|log |\S+ (starts|ends|begins)|\S+: (event (1|2|3|4) of|membership ))`)
)

// NewExcerpt returns an excerpt of a run that ends in f.
func NewExcerpt(f *Failure) *Excerpt {
	e := &Excerpt{}
	if m := namesSlot.FindStringSubmatch(f.Text); m != nil {
		// Slots are named alone, in ranges, and as slot=value in lists of votes.
		e.slot = regexp.MustCompile(`(slot | )` + m[1] + `( |=|,|:|$)`)
	}
	return e
}

// Write takes lines of a trace.
func (e *Excerpt) Write(b []byte) (int, error) {
	e.rest = append(e.rest, b...)
	for {
		i := bytes.IndexByte(e.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := string(e.rest[:i])
		e.rest = e.rest[i+1:]
		e.lines = append(e.lines, line)
		e.kept = append(e.kept, milestones.MatchString(line) || e.slot != nil && strings.Contains(line, "slot") && e.slot.MatchString(line) ||
			e.slot != nil && strings.Contains(line, "votes at") && e.slot.MatchString(line))
	}
}

// Print writes the excerpt, with a mark where lines were left out.
func (e *Excerpt) Print(w io.Writer) {
	budget := mostOfSlot
	left := 0
	for i, line := range e.lines {
		last := i >= len(e.lines)-lastLines
		if !last && (!e.kept[i] || budget == 0) {
			left++
			continue
		}
		if !last {
			budget--
		}
		if left > 0 {
			_, _ = fmt.Fprintf(w, "%14s … %d lines\n", "", left)
			left = 0
		}
		_, _ = fmt.Fprintln(w, line)
	}
}
