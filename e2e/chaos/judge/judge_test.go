package judge

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, x := range []struct {
		name    string
		tried   string // and unknown, unless it is acknowledged or refused
		acked   map[string]uint64
		refused string
		log     string
		want    Verdict
	}{
		{"all there", "a/1 a/2 b/1", map[string]uint64{"a/1": 1, "b/1": 2}, "", "a/1 b/1 a/2", Verdict{}},
		{"unknown and not there", "a/1 a/2", map[string]uint64{"a/2": 1}, "", "a/2", Verdict{}},
		{"lost", "a/1 a/2", map[string]uint64{"a/1": 1, "a/2": 2}, "", "a/1", Verdict{Lost: 1}},
		{"twice", "a/1 b/1", map[string]uint64{"a/1": 1}, "", "a/1 b/1 b/1", Verdict{Duplicated: 1}},
		{"out of order", "a/1 a/2", nil, "", "a/2 a/1", Verdict{Reordered: 1}},
		{"ten comes after nine", "a/9 a/10", nil, "", "a/9 a/10", Verdict{}},
		{"elsewhere", "a/1 b/1", map[string]uint64{"b/1": 1}, "", "a/1 b/1", Verdict{Moved: 1}},
		{"never appended", "a/1", nil, "", "a/1 c/1", Verdict{Invented: 1}},
		{"no payload of ours", "a/1", nil, "", "x", Verdict{Invented: 1}},
		{"refused and not there", "a/1 a/2", map[string]uint64{"a/1": 1}, "a/2", "a/1", Verdict{}},
		{"refused and there", "a/1 a/2", map[string]uint64{"a/1": 1}, "a/2", "a/1 a/2", Verdict{Revived: 1}},
		{"acknowledged and refused", "a/1", map[string]uint64{"a/1": 1}, "a/1", "a/1", Verdict{Revived: 1}},
	} {
		h := NewHistory()
		for p := range strings.FieldsSeq(x.refused) {
			h.Refuse(p)
		}
		for p := range strings.FieldsSeq(x.tried) {
			h.Try(p)
			if _, acked := x.acked[p]; !acked && !strings.Contains(x.refused, p) {
				h.Unknown(p)
			}
		}
		for p, o := range x.acked {
			h.Ack(p, o)
		}
		v := h.Check(strings.Fields(x.log))
		got := Verdict{
			Lost: v.Lost, Duplicated: v.Duplicated, Reordered: v.Reordered, Moved: v.Moved, Invented: v.Invented, Revived: v.Revived, Untold: v.Untold,
		}
		if !reflect.DeepEqual(got, x.want) || v.Bad() != (len(v.Problems) > 0) {
			t.Errorf("%s: %+v", x.name, v)
		}
	}
}

// An append whose client is told nothing at all is none of the three outcomes.
func TestEveryTryEnds(t *testing.T) {
	h := NewHistory()
	h.Try("a/1")
	if v := h.Check(nil); v.Untold != 1 || !v.Bad() {
		t.Errorf("no outcome: %+v", v)
	}
	h.Unknown("a/1")
	if v := h.Check(nil); v.Bad() || v.Unknown != 1 {
		t.Errorf("unknown: %+v", v)
	}
}

func TestAckTwice(t *testing.T) {
	h := NewHistory()
	h.Try("a/1 padding")
	h.Ack("a/1 padding", 1)
	h.Ack("a/1 padding", 1)
	if v := h.Check([]string{"a/1 padding"}); v.Bad() {
		t.Errorf("the same offset twice: %+v", v)
	}
	h.Ack("a/1 padding", 2)
	if v := h.Check([]string{"a/1 padding"}); v.Moved == 0 {
		t.Errorf("two offsets: %+v", v)
	}
}

func TestLinear(t *testing.T) {
	appended := func(client int, begin, end time.Duration, payload string, at uint64) Op {
		return Op{Client: client, Kind: OpAppend, Begin: begin, End: end, Payload: payload, Done: true, Offset: at}
	}
	last := func(client int, begin, end time.Duration, is uint64) Op {
		return Op{Client: client, Kind: OpLast, Begin: begin, End: end, Offset: is}
	}
	for _, x := range []struct {
		name string
		ops  []Op
		log  string
		ok   bool
	}{
		{"one after the other", []Op{appended(1, 0, 1, "a", 1), last(2, 2, 3, 1)}, "a", true},
		{"a last offset that is too old", []Op{appended(1, 0, 1, "a", 1), last(2, 2, 3, 0)}, "a", false},
		{"at the same time", []Op{appended(1, 0, 3, "a", 1), last(2, 1, 2, 0)}, "a", true},
		{"lost, and another one in its place", []Op{appended(1, 0, 1, "a", 1)}, "b", false},
		{"nobody appended it", []Op{appended(1, 0, 1, "a", 1)}, "a b", false},
		{"twice", []Op{appended(1, 0, 1, "a", 1)}, "a a", false},
		{"two at each other's offset", []Op{appended(1, 0, 1, "a", 1), appended(2, 2, 3, "b", 2)}, "b a", false},
		{"there although its condition failed, in the place of one that is lost", []Op{
			appended(1, 0, 1, "a", 1), {Client: 2, Kind: OpExpect, Expect: 0, Begin: 2, End: 3, Payload: "b", Offset: 1}, appended(1, 4, 5, "c", 2),
		}, "a b", false},
		{"later and in front", []Op{appended(1, 0, 1, "a", 2), appended(2, 2, 3, "b", 1)}, "b a", false},
		{"a condition that held", []Op{
			appended(1, 0, 1, "a", 1), {Client: 2, Kind: OpExpect, Expect: 1, Begin: 2, End: 3, Payload: "b", Done: true, Offset: 2},
		}, "a b", true},
		{"a condition that did not hold", []Op{
			appended(1, 0, 1, "a", 1), {Client: 2, Kind: OpExpect, Expect: 0, Begin: 2, End: 3, Payload: "b", Done: true, Offset: 2},
		}, "a b", false},
		{"refused with the real last offset", []Op{
			appended(1, 0, 1, "a", 1), {Client: 2, Kind: OpExpect, Expect: 0, Begin: 2, End: 3, Payload: "b", Offset: 1},
		}, "a", true},
		{"refused although it held", []Op{
			appended(1, 0, 1, "a", 1), {Client: 2, Kind: OpExpect, Expect: 1, Begin: 2, End: 3, Payload: "b", Offset: 1},
		}, "a", false},
		{"unknown and there, much later", []Op{
			{Client: 1, Kind: OpAppend, Begin: 0, End: 1, Payload: "a", Unknown: true}, last(2, 2, 3, 0), appended(2, 4, 5, "b", 1),
		}, "b a", true},
		{"unknown and there, before it began", []Op{
			appended(2, 0, 1, "b", 2), {Client: 1, Kind: OpAppend, Begin: 2, End: 3, Payload: "a", Unknown: true},
		}, "a b", false},
		{"unknown and not there", []Op{{Client: 1, Kind: OpExpect, Begin: 0, End: 1, Payload: "a", Unknown: true}, last(2, 2, 3, 0)}, "", true},
		{"refused and not there", []Op{{Client: 1, Kind: OpAppend, Begin: 0, End: 1, Payload: "a", Refused: true}, last(2, 2, 3, 0)}, "", true},
		{"refused and there", []Op{{Client: 1, Kind: OpAppend, Begin: 0, End: 1, Payload: "a", Refused: true}}, "a", false},
		{"the log is shorter than it was", []Op{appended(1, 0, 1, "a", 1)}, "", false},
	} {
		var ops Ops
		for _, op := range x.ops {
			ops.Add(op)
		}
		if _, err := ops.Linear(strings.Fields(x.log), 10*time.Second); (err == nil) != x.ok {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

func TestSame(t *testing.T) {
	a := []string{"x", "y"}
	if Same("a", a, "b", []string{"x", "y"}, false) != nil || Same("a", a, "b", []string{"x"}, true) != nil {
		t.Error("equal copies differ")
	}
	if Same("a", a, "b", []string{"x"}, false) == nil || Same("a", a, "b", []string{"x", "z"}, true) == nil ||
		Same("a", a, "b", []string{"x", "y", "z"}, true) == nil {
		t.Error("different copies are equal")
	}
}

func TestGaps(t *testing.T) {
	g := NewGaps()
	g.Ack("a")
	g.all.last = g.all.last.Add(-time.Second)
	g.client["a"].last = g.client["a"].last.Add(-time.Second)
	g.Begin()
	if all, _ := g.Longest(); all < time.Second {
		t.Errorf("an open gap counts %v", all)
	}
	g.Ack("b")
	all, client := g.Longest()
	if all < time.Second || client < time.Second {
		t.Errorf("longest %v, of a client %v", all, client)
	}
	g.Begin()
	if all, _ := g.Longest(); all > 900*time.Millisecond {
		t.Errorf("a gap that ended before counts: %v", all)
	}
	if n := g.Acked(g.all.last.Add(-time.Nanosecond)); n != 1 {
		t.Errorf("%d clients had the newest acknowledgement", n)
	}
	g.Mended()
	g.mended = g.mended.Add(-time.Second)
	if g.After() < time.Second {
		t.Errorf("no acknowledgement yet: %v", g.After())
	}
	g.Ack("a")
	g.Ack("a")
	if a := g.After(); a < time.Second || a > 2*time.Second {
		t.Errorf("the next acknowledgement took %v", a)
	}
}
