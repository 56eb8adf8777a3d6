package harness

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

func TestMissOf(t *testing.T) {
	for _, x := range []struct {
		name    string
		err     error
		refused bool
		why     judge.Why
	}{
		{"no leader", &client.Error{Class: client.ErrRefused, Reason: client.ErrNoLeader}, true, judge.WhyDeadline},
		{"no answer", &client.Error{Class: client.ErrUnknown, Cause: context.DeadlineExceeded}, false, judge.WhyDeadline},
		{"no room", &client.Error{Class: client.ErrRefused, Reason: client.ErrFull}, true, judge.WhyDeadline},
		{"session ended", &client.Error{Class: client.ErrUnknown, Reason: client.ErrExpired}, false, judge.WhyExpired},
		{"never given", &client.Error{Class: client.ErrRefused, Cause: context.Canceled}, true, judge.WhyEnded},
		{"closed with it on its way", &client.Error{Class: client.ErrUnknown, Reason: client.ErrClosed}, false, judge.WhyEnded},
		{"somebody else's session", &client.Error{Class: client.ErrRefused, Reason: client.ErrSession}, true, judge.WhyOther},
		{"a stranger's answer", &client.Error{Class: client.ErrUnknown, Reason: client.ErrForeignAnswer}, false, judge.WhyOther},
		{"malformed", &client.Error{Class: client.ErrRefused, Reason: client.ErrMalformed}, true, judge.WhyOther},
		{"stopped without a reason to", &client.Error{Class: client.ErrRefused, Reason: client.ErrStopped}, true, judge.WhyOther},
		{"a condition that nobody gave", &client.Error{Class: client.ErrRefused, Reason: client.ErrConditionFailed}, true, judge.WhyOther},
		{"no class", context.DeadlineExceeded, false, judge.WhyOther},
		{"both classes", errors.Join(client.ErrRefused, client.ErrUnknown), false, judge.WhyOther},
	} {
		if m := missOf(time.Now(), x.err); m.Refused != x.refused || m.Why != x.why {
			t.Errorf("%s: refused %t, why %d; want %t, %d", x.name, m.Refused, m.Why, x.refused, x.why)
		}
	}
}

// What a stopped producer gives up has the first failure's reason; without a first failure there is none.
func TestMissesOfAStoppedProducer(t *testing.T) {
	stopped := &client.Error{Class: client.ErrRefused, Reason: client.ErrStopped}
	late := &client.Error{Class: client.ErrUnknown}
	start := time.Now()
	for _, x := range []struct {
		name string
		errs []error
		bad  bool
	}{
		{"a deadline, then the rest", []error{late, late, stopped}, false},
		{"stopped for nothing", []error{stopped}, true},
		{"something worse comes later", []error{late, &client.Error{Class: client.ErrRefused, Reason: client.ErrMalformed}}, true},
	} {
		p := producing{load: &load{main: judge.NewHistory()}, outcomes: judge.NewOutcomes("", time.Second, judge.Shares{Unknown: 1, Refused: 1})}
		for i, err := range x.errs {
			p.missed("a/1", start.Add(time.Duration(i)*time.Second-time.Second), err)
		}
		var faults judge.Troubles
		faults.Begin(start.Add(-time.Hour))
		var v judge.Verdict
		p.outcomes.Judge(&faults, &v)
		if v.Bad() != x.bad {
			t.Errorf("%s: %+v", x.name, v)
		}
	}
}

func TestAnswerOf(t *testing.T) {
	for _, x := range []struct {
		name   string
		code   string
		text   string
		data   string
		offset uint64
		bad    bool
	}{
		{"acknowledged", "", "", `{"offset": 7}`, 7, false},
		{"not the leader", "421", "not the leader", "", 0, false},
		{"malformed", "406", "malformed request", "", 0, true},
		{"a refusal without a code", "", "no", "", 0, true},
		{"no offset", "", "", `{}`, 0, true},
		{"not JSON", "", "", `7`, 0, true},
	} {
		m := nats.NewMsg("answer")
		m.Data = []byte(x.data)
		if x.text != "" {
			m.Header.Set("Nats-Service-Error", x.text)
			m.Header.Set("Nats-Service-Error-Code", x.code)
		}
		if offset, err := answerOf(m); offset != x.offset || (err != nil) != x.bad {
			t.Errorf("%s: offset %d, %v", x.name, offset, err)
		}
	}
}

func TestSingleOperationsMustGoOn(t *testing.T) {
	for _, x := range []struct {
		name  string
		known int
		bad   bool
	}{
		{"steady", 2 * leastSingle, false}, {"stuck for most of the time", leastSingle, true},
	} {
		var ops judge.Ops
		for _, kind := range []judge.OpKind{judge.OpAppend, judge.OpExpect, judge.OpLast} {
			for range 2 * leastSingle {
				ops.Add(judge.Op{Kind: kind, Unknown: true})
			}
			for range x.known {
				ops.Add(judge.Op{Kind: kind})
			}
		}
		var v judge.Verdict
		if enough(&ops, 2*time.Minute, &v); v.Bad() != x.bad {
			t.Errorf("%s: %+v", x.name, v)
		}
	}
}

// Progress is that of everybody: producers alone say nothing of the second log.
func TestWaitsForSingleClients(t *testing.T) {
	l := &load{gaps: judge.NewGaps(), single: judge.NewGaps()}
	since := time.Now().Add(-time.Second)
	for i := range patientProducers + impatientProducers + plainProducers {
		l.gaps.Ack(string(rune('A' + i)))
	}
	if l.waits(since) == "" {
		t.Error("nobody waits though no single operation has been answered")
	}
	for i := range singleClients {
		l.single.Ack(string(rune('a' + i)))
	}
	if w := l.waits(since); w != "" {
		t.Error(w)
	}
}

func TestCopiesBeginWhereTheyMust(t *testing.T) {
	whole, replaced := &role{begins: 1}, &role{begins: 900}
	if whole.holdsFrom(1) != nil || replaced.holdsFrom(900) != nil {
		t.Error("a copy that begins where it must is refused")
	}
	if whole.holdsFrom(2) == nil || replaced.holdsFrom(901) == nil {
		t.Error("a copy that lacks its beginning passes")
	}
}
