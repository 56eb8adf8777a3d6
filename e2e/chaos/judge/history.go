package judge

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// History is what producers know of what they appended to one log. It is safe for concurrent use. A payload is PRODUCER/NUMBER,
// with rising numbers; what follows a space is padding.
type History struct {
	mu    sync.Mutex
	tried map[string]bool
	acked map[string]uint64
	again []string // acknowledged twice, at different offsets

	refused map[string]bool
	unknown map[string]bool
}

// NewHistory returns an empty history.
func NewHistory() *History {
	return &History{
		tried: make(map[string]bool), acked: make(map[string]uint64), refused: make(map[string]bool), unknown: make(map[string]bool),
	}
}

// Try is called before a payload is appended.
func (h *History) Try(payload string) {
	h.mu.Lock()
	h.tried[payload] = true
	h.mu.Unlock()
}

// Ack is called when a payload was acknowledged.
func (h *History) Ack(payload string, offset uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if was, twice := h.acked[payload]; twice && was != offset {
		h.again = append(h.again, fmt.Sprintf("%q was acknowledged at %d, then at %d", payload, was, offset))
	}
	h.acked[payload] = offset
}

// Refuse is called when a payload was refused for certain: it must never be in the log.
func (h *History) Refuse(payload string) {
	h.mu.Lock()
	h.refused[payload] = true
	h.mu.Unlock()
}

// Unknown is called when nobody will ever know, except from the log, whether a payload was appended.
func (h *History) Unknown(payload string) {
	h.mu.Lock()
	h.unknown[payload] = true
	h.mu.Unlock()
}

// Acked returns how many payloads were acknowledged so far.
func (h *History) Acked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.acked)
}

// Verdict is what is wrong with a log.
type Verdict struct {
	Tried      int      `json:"tried"`
	Acked      int      `json:"acked"`
	Refused    int      `json:"refused"`
	Unknown    int      `json:"unknown"`
	Entries    int      `json:"entries"`
	Lost       int      `json:"lost"`       // acknowledged and not there
	Duplicated int      `json:"duplicated"` // there twice
	Reordered  int      `json:"reordered"`  // there before what its producer appended earlier
	Moved      int      `json:"moved"`      // elsewhere than it was acknowledged, or acknowledged at two offsets
	Invented   int      `json:"invented"`   // there and never appended
	Revived    int      `json:"revived"`    // there and refused
	Untold     int      `json:"untold"`     // tried, and its client was told nothing
	Other      int      `json:"other"`      // what is no matter of single entries: copies that differ, operations without an order
	Problems   []string `json:"problems,omitempty"`
}

// Bad reports whether anything is wrong.
func (v *Verdict) Bad() bool {
	return v.Lost+v.Duplicated+v.Reordered+v.Moved+v.Invented+v.Revived+v.Untold+v.Other > 0
}

// maxProblems bounds what is said of one log in words; the numbers count everything.
const maxProblems = 20

func (v *Verdict) say(format string, args ...any) {
	if len(v.Problems) < maxProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Fail adds a problem that is no matter of single entries.
func (v *Verdict) Fail(format string, args ...any) {
	v.Other++
	v.say(format, args...)
}

// Add adds another verdict's counts and problems.
func (v *Verdict) Add(o *Verdict) {
	v.Tried += o.Tried
	v.Acked += o.Acked
	v.Refused += o.Refused
	v.Unknown += o.Unknown
	v.Entries += o.Entries
	v.Lost += o.Lost
	v.Duplicated += o.Duplicated
	v.Reordered += o.Reordered
	v.Moved += o.Moved
	v.Invented += o.Invented
	v.Revived += o.Revived
	v.Untold += o.Untold
	v.Other += o.Other
	for _, p := range o.Problems {
		v.say("%s", p)
	}
}

// Check holds a whole log, whose first payload has offset 1, to the history.
func (h *History) Check(log []string) *Verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &Verdict{
		Tried: len(h.tried), Acked: len(h.acked), Refused: len(h.refused), Unknown: len(h.unknown), Entries: len(log), Moved: len(h.again),
	}
	for _, s := range h.again {
		v.say("%s", s)
	}
	at := make(map[string]uint64, len(log))
	newest := make(map[string]uint64)
	for i, payload := range log {
		offset := uint64(i + 1)
		if was, twice := at[payload]; twice {
			v.Duplicated++
			v.say("%q is in the log twice, at %d and %d", payload, was, offset)
			continue
		}
		at[payload] = offset
		producer, number, ok := parse(payload)
		if !ok || !h.tried[payload] {
			v.Invented++
			v.say("%q at offset %d was never appended", payload, offset)
			continue
		}
		if number < newest[producer] {
			v.Reordered++
			v.say("%q at offset %d comes after %s/%d", payload, offset, producer, newest[producer])
		}
		newest[producer] = max(newest[producer], number)
	}
	h.acknowledged(v, at)
	h.others(v, at)
	return v
}

// others holds the log to what was not acknowledged: refused is refused for ever, and nothing ends without a word.
func (h *History) others(v *Verdict, at map[string]uint64) {
	for payload := range h.refused {
		if offset, there := at[payload]; there {
			v.Revived++
			v.say("%q was refused, and is in the log at offset %d", payload, offset)
		}
	}
	for payload := range h.tried {
		if _, acked := h.acked[payload]; !acked && !h.refused[payload] && !h.unknown[payload] {
			v.Untold++
			v.say("%q was appended, and its client was told nothing", payload)
		}
	}
}

// acknowledged holds the log to what was acknowledged.
func (h *History) acknowledged(v *Verdict, at map[string]uint64) {
	for payload, offset := range h.acked {
		switch is, there := at[payload]; {
		case !there:
			v.Lost++
			v.say("%q was acknowledged at offset %d and is not in the log", payload, offset)
		case is != offset:
			v.Moved++
			v.say("%q was acknowledged at offset %d, the log has it at %d", payload, offset, is)
		}
	}
}

// parse cuts a payload into its producer and its number.
func parse(payload string) (producer string, number uint64, ok bool) {
	head, _, _ := strings.Cut(payload, " ")
	i := strings.LastIndexByte(head, '/')
	if i < 0 {
		return "", 0, false
	}
	number, err := strconv.ParseUint(head[i+1:], 10, 64)
	return head[:i], number, err == nil
}
