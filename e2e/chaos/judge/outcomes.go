package judge

import (
	"fmt"
	"sync"
	"time"
)

// Why is the reason for which an operation has no acknowledgement.
type Why uint8

// Reasons.
const (
	WhyOther    Why = iota // one that nobody may meet
	WhyDeadline            // the client's own deadline passed, and until then nobody took the operation, or nobody answered
	WhyExpired             // the log had ended the client's session
	WhyEnded               // the client was ended, and had not sent it
)

// Miss is an operation that ended without an acknowledgement: refused, or without an outcome.
type Miss struct {
	Refused bool // certainly without effect; else the outcome is unknown
	Why     Why
	Begin   time.Time
	End     time.Time
	Text    string // what the client was told
}

// Outcomes judges how a group of clients' operations ended. What was not acknowledged needs an excuse: a session that the log ended, or a
// deadline that passed while a fault lasted. It is safe for concurrent use.
type Outcomes struct {
	group    string
	deadline time.Duration // of each operation
	most     Shares

	mu     sync.Mutex
	known  int
	misses []Miss
}

// Shares are the parts of all operations that may end so, with an excuse.
type Shares struct {
	Unknown float64 `json:"unknown"`
	Refused float64 `json:"refused"`
}

// NewOutcomes returns an empty judgement of a group whose operations have a deadline.
func NewOutcomes(group string, deadline time.Duration, most Shares) *Outcomes {
	return &Outcomes{group: group, deadline: deadline, most: most}
}

// Known is called for each operation that was acknowledged, or refused by the log's own judgement of it.
func (o *Outcomes) Known() {
	o.mu.Lock()
	o.known++
	o.mu.Unlock()
}

// Miss is called for each operation that was not.
func (o *Outcomes) Miss(m *Miss) {
	o.mu.Lock()
	o.misses = append(o.misses, *m)
	o.mu.Unlock()
}

// Count is how a group's operations ended.
type Count struct {
	Group   string `json:"group"`
	Known   int    `json:"known"`
	Unknown int    `json:"unknown"`
	Refused int    `json:"refused"` // by a deadline
	Ended   int    `json:"ended"`   // refused because their client was ended
	Most    Shares `json:"most"`
}

// Add adds another count.
func (c *Count) Add(o *Count) {
	c.Known += o.Known
	c.Unknown += o.Unknown
	c.Refused += o.Refused
	c.Ended += o.Ended
}

// Shares fails the verdict for too many misses, whatever their excuse.
func (c *Count) Shares(v *Verdict) {
	all := float64(c.Known + c.Unknown + c.Refused)
	if float64(c.Unknown) > c.Most.Unknown*all || float64(c.Refused) > c.Most.Refused*all {
		v.Fail("%s: of %.0f operations %d ended unknown and %d refused, at most %.1f and %.1f %% may",
			c.Group, all, c.Unknown, c.Refused, 100*c.Most.Unknown, 100*c.Most.Refused)
	}
}

// Judge counts, and fails the verdict for each miss without an excuse.
func (o *Outcomes) Judge(t *Troubles, v *Verdict) Count {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := Count{Group: o.group, Known: o.known, Most: o.most}
	for i := range o.misses {
		m := &o.misses[i]
		if why := o.unexcused(m, t); why != "" {
			v.Fail("%s: %s, begun %s, after %v: %s", o.group, why, m.Begin.Format(time.TimeOnly), m.End.Sub(m.Begin).Round(time.Millisecond), m.Text)
		}
		switch {
		case !m.Refused:
			c.Unknown++
		case m.Why == WhyEnded:
			c.Ended++
		default:
			c.Refused++
		}
	}
	return c
}

// unexcused says what is wrong with a miss; empty: nothing.
func (o *Outcomes) unexcused(m *Miss, t *Troubles) string {
	switch m.Why {
	case WhyExpired:
		return ""
	case WhyEnded:
		if m.Refused {
			return ""
		}
		return "an outcome was unknown at the end, with all time to learn it"
	case WhyDeadline:
		if took := m.End.Sub(m.Begin); took < o.deadline*9/10 {
			return fmt.Sprintf("an operation was given up long before its deadline of %v", o.deadline)
		}
		if quiet := t.Outside(m.Begin, m.End); quiet > o.deadline/2 {
			return fmt.Sprintf("a deadline of %v passed, %v of it without any fault", o.deadline, quiet.Round(time.Millisecond))
		}
		return ""
	default:
		return "an error that nobody may meet"
	}
}

// Troubles are the times in which faults, and the recovery from them, may hinder clients. It is safe for concurrent use.
type Troubles struct {
	mu    sync.Mutex
	spans []span // in order
}

type span struct{ begin, end time.Time } // end is zero while it lasts

// Begin begins a time of trouble.
func (t *Troubles) Begin(at time.Time) {
	t.mu.Lock()
	t.spans = append(t.spans, span{begin: at})
	t.mu.Unlock()
}

// End ends it.
func (t *Troubles) End(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.spans); n > 0 {
		t.spans[n-1].end = at
	}
}

// Outside returns how much of a time was without trouble.
func (t *Troubles) Outside(begin, end time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	quiet := end.Sub(begin)
	for _, s := range t.spans {
		from, to := s.begin, s.end
		if to.IsZero() || to.After(end) {
			to = end
		}
		if from.Before(begin) {
			from = begin
		}
		quiet -= max(to.Sub(from), 0)
	}
	return quiet
}
