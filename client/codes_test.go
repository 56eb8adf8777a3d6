package client

import (
	"errors"
	"testing"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// TestEveryFailureHasAReason walks the table of wire codes: each failure that may reach a caller has a reason of its own, and what
// succeeds has none.
func TestEveryFailureHasAReason(t *testing.T) {
	// The session acts on these itself; they are nobody's last word.
	internal := map[paxos.Code]bool{paxos.CodeHole: true, paxos.CodeHoleFar: true, paxos.CodeUnknown: true}
	for _, o := range messaging.Outcomes() {
		reason := reasonOf(o.Code)
		switch {
		case o.Class == messaging.ClassDone || internal[o.Code]:
			if reason != nil {
				t.Errorf("%s (code %d) has a reason: %v", o.Text, o.Code, reason)
			}
		case reason == nil:
			t.Errorf("%s (code %d) has no reason", o.Text, o.Code)
		}
	}
}

func TestErrorsMatchClassReasonAndCause(t *testing.T) {
	cause := errors.New("cause")
	err := error(&Error{Op: "append to", Log: "orders", Class: ErrRefused, Reason: ErrConditionFailed, Cause: cause, Last: 7, Text: "said"})
	for _, target := range []error{ErrRefused, ErrConditionFailed, cause} {
		if !errors.Is(err, target) {
			t.Errorf("does not match %v", target)
		}
	}
	for _, target := range []error{ErrUnknown, ErrGone, ErrTooLarge} {
		if errors.Is(err, target) {
			t.Errorf("matches %v", target)
		}
	}
	const want = `append to log "orders": refused: condition failed, the last offset is 7: said: cause`
	if err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	gone := &Error{Op: "read", Log: "orders", Class: ErrGone, First: 5}
	if want := `read log "orders": gone, the first offset is 5`; gone.Error() != want {
		t.Errorf("%q, want %q", gone, want)
	}
}

func TestRetryable(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&Error{Class: ErrRefused, Reason: ErrOverloaded}, true},
		{&Error{Class: ErrRefused, Reason: ErrNoLeader}, true},
		{&Error{Class: ErrUnknown, Reason: ErrOverloaded}, false},
		{&Error{Class: ErrRefused, Reason: ErrConditionFailed}, false},
		{&Error{Class: ErrGone}, false},
		{&Error{Reason: ErrNoLearner}, true},
		{ErrClosed, false},
	} {
		if got := Retryable(test.err); got != test.want {
			t.Errorf("Retryable(%v) = %t", test.err, got)
		}
	}
}
