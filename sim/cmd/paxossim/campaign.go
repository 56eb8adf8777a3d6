package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/paxosd/paxosd/sim"
)

// totals is what a campaign came to so far. As a file it lets the campaign go on where it stopped.
type totals struct {
	Next      uint64         `json:"next,omitempty"` // seed to go on with; only in a file
	Of        *kind          `json:"of,omitempty"`   // what its seeds mean; only in a file
	Seeds     uint64         `json:"seeds"`
	Failures  uint64         `json:"failures"`
	Simulated float64        `json:"simulated_seconds"`
	Seconds   float64        `json:"seconds"`
	Faults    uint64         `json:"faults"`
	Steps     uint64         `json:"steps"`
	Counters  map[string]int `json:"counters"`
	Missed    []string       `json:"missed,omitempty"` // situations that never happened
	Failed    []failedSeed   `json:"failed,omitempty"` // the first of them; only in a file
}

// kind is what a seed's run depends on beside the seed. Runs of another kind do not add up to one campaign.
type kind struct {
	Profile  string `json:"profile"`
	Keep     string `json:"keep,omitempty"`     // faults kept of each plan; empty: all
	Revision string `json:"revision,omitempty"` // of the code, as the go command noted it; empty: it did not
}

// failedSeed is a seed in which a checker found something.
type failedSeed struct {
	Seed    uint64 `json:"seed"`
	Checker string `json:"checker"`
	Text    string `json:"text"`
}

// maxFailed bounds the failures that a campaign's file lists.
const maxFailed = 1000

func (t *totals) add(r *sim.Result) {
	t.Seeds++
	t.Simulated += r.Simulated.Seconds()
	t.Faults += uint64(r.Faults)
	t.Steps += uint64(r.Steps)
	if t.Counters == nil {
		t.Counters = map[string]int{}
	}
	for k, n := range r.Counters {
		t.Counters[k] += n
	}
	if r.Failure != nil {
		t.Failures++
	}
}

// campaign is a file of totals; an empty path keeps nothing.
type campaign struct {
	path  string
	saved time.Time
	base  float64 // seconds of earlier sessions
	begun time.Time
	totals
}

// errOther says that a campaign's file holds runs of another kind.
var errOther = errors.New("it is of another kind; give another file")

// openCampaign goes on with a file, or begins at a seed where there is none. A file of another kind is refused.
func openCampaign(path string, first uint64, of kind) (*campaign, error) {
	c := &campaign{path: path, begun: time.Now(), saved: time.Now()}
	c.Next, c.Of = first, &of
	if path == "" {
		return c, nil
	}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("campaign: %w", err)
	}
	c.Of = nil
	if err := json.Unmarshal(b, &c.totals); err != nil {
		return nil, fmt.Errorf("campaign %s: %w", path, err)
	}
	if c.Of == nil || *c.Of != of {
		return nil, fmt.Errorf("campaign %s: %w: it has %+v, this is %+v", path, errOther, c.Of, of)
	}
	c.base = c.Seconds
	return c, nil
}

// revision is the commit that this binary was built from, with a mark if files had changed since; empty where the go command did not note it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	rev, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return rev + dirty
}

// take counts the result of the next seed.
func (c *campaign) take(r *sim.Result) error {
	c.add(r)
	c.Next = r.Seed + 1
	c.Seconds = c.base + time.Since(c.begun).Seconds()
	if r.Failure != nil && c.path != "" && len(c.Failed) < maxFailed {
		c.Failed = append(c.Failed, failedSeed{r.Seed, r.Failure.Checker, r.Failure.Text})
	}
	if c.path != "" && (r.Failure != nil || time.Since(c.saved) > 5*time.Second) {
		return c.save()
	}
	return nil
}

// save replaces the file at once, so that an interrupted campaign finds the old totals or the new ones.
func (c *campaign) save() error {
	if c.path == "" {
		return nil
	}
	c.saved = time.Now()
	b, err := json.MarshalIndent(&c.totals, "", "  ")
	if err != nil {
		return fmt.Errorf("campaign %s: %w", c.path, err)
	}
	tmp := c.path + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	if err := os.Rename(tmp, c.path); err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	return nil
}
