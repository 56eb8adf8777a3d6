package messaging

import (
	"errors"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestN2AnswersGoToInboxesOnly is the schedule of N2: with correct permissions, a client that set a protocol subject as its reply had
// the leader's answer delivered to the acceptors.
func TestN2AnswersGoToInboxesOnly(t *testing.T) {
	p, err := newReplyPolicy([]string{"_INBOX", "_INBOX_p1.>", "_BOX_*", "acme.inbox."}, "paxos.")
	if err != nil {
		t.Fatal(err)
	}
	for reply, want := range map[string]bool{
		"_INBOX.abc":                  true,
		"_INBOX.abc.def":              true,
		"_INBOX_p1.c.1.2":             true,
		"_INBOX_p2.c.1.2":             false,
		"_BOX_anyone.x":               true,
		"acme.inbox.x":                true,
		"acme.inboxes.x":              false,
		"paxos.main.orders.accept.p1": false,
		"_INBOX":                      false,
		"_INBOX.":                     false,
		"_INBOX..x":                   false,
		"_INBOX.*":                    false,
		"_INBOX.>":                    false,
		"_INBOX.a b":                  false,
		"_INBOX.a\r\nPUB x":           false,
		"_INBOX." + strings.Repeat("x", maxReplyBytes): false,
		"x._INBOX.a": false,
		"":           false,
	} {
		if got := p.allows(reply); got != want {
			t.Errorf("reply %q: allowed %t, want %t", reply, got, want)
		}
	}
}

func TestReplyPrefixesThatWouldDefeatThePolicy(t *testing.T) {
	for _, bad := range []string{"", "*", ">", "paxos", "paxos.main", "pax*", "paxos.", "a..b", "a b", "$SYS", "a.*.b"} {
		if _, err := newReplyPolicy([]string{bad}, "paxos."); !errors.Is(err, ErrConfig) {
			t.Errorf("reply prefix %q: %v", bad, err)
		}
	}
}

func TestInboxSaysWhatWasAsked(t *testing.T) {
	in := newInbox("_INBOX_p1", "p1", "b", 0xabc)
	for _, env := range []paxos.Envelope{
		{Log: "orders", To: "a1", Request: 1<<64 - 1},
		{Log: paxos.ProcessLog, To: "a1", Request: 1},
		{Log: "orders", Request: 7},
	} {
		q, err := in.parse(in.subject(&env))
		if err != nil || q.log != env.Log || q.to != env.To || q.request != env.Request {
			t.Errorf("%q: %+v, %v", in.subject(&env), q, err)
		}
	}
	for subject, want := range map[string]error{
		newInbox("_INBOX_p1", "p1", "b", 0xabd).base + "1.orders.a1": ErrStale, // an earlier run
		newInbox("_INBOX_p1", "p1", "c", 0xabc).base + "1.orders.a1": ErrStale, // the other connection
		in.base + "x.orders.a1":  ErrStale,
		in.base + "1.orders":     ErrSubject,
		in.base + "1..a1":        ErrSubject,
		in.base + "1.orders.a.b": ErrSubject,
	} {
		if q, err := in.parse(subject); !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v, want %v", subject, q, err, want)
		}
	}
}
