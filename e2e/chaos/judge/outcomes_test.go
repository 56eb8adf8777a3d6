package judge

import (
	"testing"
	"time"
)

func TestOutcomes(t *testing.T) {
	const deadline = 2 * time.Second
	start := time.Now()
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	var faults Troubles // from 10 to 20, and from 30 on
	faults.Begin(at(10))
	faults.End(at(20))
	faults.Begin(at(30))
	for _, x := range []struct {
		name   string
		known  int
		misses []Miss
		bad    bool
		want   Count
	}{
		{"all acknowledged", 5, nil, false, Count{Known: 5}},
		{"a deadline in a fault", 99, []Miss{{Why: WhyDeadline, Begin: at(11), End: at(13)}}, false, Count{Known: 99, Unknown: 1}},
		{"a deadline in a fault that lasts", 99, []Miss{{Why: WhyDeadline, Begin: at(40), End: at(42)}}, false, Count{Known: 99, Unknown: 1}},
		{"refused in a fault", 99, []Miss{{Refused: true, Why: WhyDeadline, Begin: at(11), End: at(13)}}, false, Count{Known: 99, Refused: 1}},
		{"begun before the fault", 99, []Miss{{Why: WhyDeadline, Begin: at(9.5), End: at(11.5)}}, false, Count{Known: 99, Unknown: 1}},
		{"without any fault", 99, []Miss{{Why: WhyDeadline, Begin: at(5), End: at(7)}}, true, Count{Known: 99, Unknown: 1}},
		{"refused without any fault", 99, []Miss{{Refused: true, Why: WhyDeadline, Begin: at(5), End: at(7)}}, true, Count{Known: 99, Refused: 1}},
		{"mostly without a fault", 99, []Miss{{Why: WhyDeadline, Begin: at(8.5), End: at(10.5)}}, true, Count{Known: 99, Unknown: 1}},
		{"long before the deadline", 99, []Miss{{Why: WhyDeadline, Begin: at(11), End: at(11.5)}}, true, Count{Known: 99, Unknown: 1}},
		{"an ended session", 99, []Miss{{Why: WhyExpired, Begin: at(5), End: at(5)}}, false, Count{Known: 99, Unknown: 1}},
		{"far too many unknown", 10, []Miss{{Why: WhyDeadline, Begin: at(11), End: at(13)}}, true, Count{Known: 10, Unknown: 1}},
		{"not too many refused", 50, []Miss{{Refused: true, Why: WhyDeadline, Begin: at(11), End: at(13)}}, false, Count{Known: 50, Refused: 1}},
		{"too many unknown", 50, []Miss{{Why: WhyDeadline, Begin: at(11), End: at(13)}}, true, Count{Known: 50, Unknown: 1}},
		{"too many refused", 10, []Miss{{Refused: true, Why: WhyDeadline, Begin: at(11), End: at(13)}}, true, Count{Known: 10, Refused: 1}},
		{"ended before it was sent", 1, []Miss{{Refused: true, Why: WhyEnded, Begin: at(5), End: at(5)}}, false, Count{Known: 1, Ended: 1}},
		{"ended, and unknown", 99, []Miss{{Why: WhyEnded, Begin: at(5), End: at(5)}}, true, Count{Known: 99, Unknown: 1}},
		{"another error", 99, []Miss{{Begin: at(11), End: at(13)}}, true, Count{Known: 99, Unknown: 1}},
	} {
		most := Shares{Unknown: 0.01, Refused: 0.02}
		o := NewOutcomes("", deadline, most)
		for range x.known {
			o.Known()
		}
		for i := range x.misses {
			o.Miss(&x.misses[i])
		}
		var v Verdict
		c := o.Judge(&faults, &v)
		c.Shares(&v)
		x.want.Most = most
		if c != x.want || v.Bad() != x.bad {
			t.Errorf("%s: %+v, %+v", x.name, c, v)
		}
	}
}

func TestKnownOperations(t *testing.T) {
	var ops Ops
	for _, op := range []Op{
		{Kind: OpAppend, Done: true}, {Kind: OpAppend, Unknown: true}, {Kind: OpAppend, Refused: true}, {Kind: OpExpect}, {Kind: OpLast},
	} {
		ops.Add(op)
	}
	for kind, want := range map[OpKind]int{OpAppend: 1, OpExpect: 1, OpLast: 1} {
		if n := ops.Known(kind); n != want {
			t.Errorf("%d operations of kind %d are known, want %d", n, kind, want)
		}
	}
}
