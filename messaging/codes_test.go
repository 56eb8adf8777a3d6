package messaging

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestCodesBothWays walks the table of outcomes from codes to wire codes and back: each is there once, or is never answered.
func TestCodesBothWays(t *testing.T) {
	never := map[paxos.Code]bool{paxos.CodeNone: true, paxos.CodeDropped: true, paxos.CodeTermStart: true}
	known := 0
	for c := range paxos.Code(255) {
		o, ok := OutcomeOf(c)
		sequencer := c <= paxos.CodeTermStart
		leader := c >= paxos.CodeOverloaded && c <= paxos.CodeUpgrade
		if want := (sequencer || leader) && !never[c]; ok != want {
			t.Errorf("code %d: in the table %t, want %t", c, ok, want)
		}
		if !ok {
			continue
		}
		known++
		if back, ok := OutcomeByWire(o.Wire); !ok || back.Code != c {
			t.Errorf("code %d is %d on the wire, which is code %d", c, o.Wire, back.Code)
		}
		if o.Class == ClassNone || o.Class == ClassGone || o.Text == "" {
			t.Errorf("code %d has class %s, text %q", c, o.Class, o.Text)
		}
		if done := o.Wire < 300; done != (o.Class == ClassDone) {
			t.Errorf("code %d is %d on the wire and %s", c, o.Wire, o.Class)
		}
	}
	if known != len(Outcomes()) {
		t.Errorf("%d codes, %d rows", known, len(Outcomes()))
	}
	if _, ok := OutcomeByWire(0); ok {
		t.Error("wire code 0 means something")
	}
}

func TestReadCodesBothWays(t *testing.T) {
	wires := make(map[int]paxos.ReadCode)
	for c := range paxos.ReadBusy + 1 {
		o, ok := ReadOutcomeOf(c)
		if !ok || o.Class == ClassNone || o.Text == "" {
			t.Errorf("read code %d: %+v, %t", c, o, ok)
		}
		if (o.Wire == 0) != (o.Class == ClassDone) {
			t.Errorf("read code %d is %d on the wire and %s", c, o.Wire, o.Class)
		}
		if other, taken := wires[o.Wire]; taken && o.Wire != 0 {
			t.Errorf("read codes %d and %d are both %d on the wire", c, other, o.Wire)
		}
		wires[o.Wire] = c
	}
	if len(ReadOutcomes()) != int(paxos.ReadBusy)+1 {
		t.Errorf("%d rows", len(ReadOutcomes()))
	}
}

// TestWireCodesOfPlainAppends pins what NATS users see.
func TestWireCodesOfPlainAppends(t *testing.T) {
	for code, want := range map[paxos.Code]struct {
		wire  int
		class Class
	}{
		paxos.CodeAppended:       {200, ClassDone},
		paxos.CodeDuplicate:      {208, ClassDone},
		paxos.CodeConditionFails: {400, ClassRefused},
		paxos.CodeTooLarge:       {413, ClassRefused},
		paxos.CodeOverloaded:     {429, ClassRefused},
		paxos.CodeHeader:         {431, ClassRefused},
		paxos.CodeExpired:        {440, ClassUnknown},
		paxos.CodeUnknown:        {504, ClassUnknown},
		paxos.CodeFull:           {507, ClassRefused},
	} {
		if o, _ := OutcomeOf(code); o.Wire != want.wire || o.Class != want.class {
			t.Errorf("code %d: %+v, want %+v", code, o, want)
		}
	}
}
