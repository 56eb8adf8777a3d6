package sequencer

import (
	"fmt"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// TestStableOfNoops: what stable is proposed for is any slot that holds something else (docs/protocol.md, "Stability and
// retention"). No-ops are: the last slots of a membership are often nothing else, and only a stable mark at or above them lets
// its acceptors go (PROTOCOL K4).
func TestStableOfNoops(t *testing.T) {
	r := newRig(t)
	if a := r.put(); !a.NotOnlyStable || !a.Noop {
		t.Fatalf("a no-op: NotOnlyStable %t, Noop %t; want both", a.NotOnlyStable, a.Noop)
	}
	if a := r.stable(1, false, "l1", "l2"); a.NotOnlyStable {
		t.Fatal("a stable command would be a reason for the next one, and feed on itself")
	}
	if a := r.stable(1, false, "l1"); a.NotOnlyStable {
		t.Fatal("a refused stable command would be a reason for the next one")
	}
}

// TestK3RecordOfFormerKeepers: keepers that were removed leave the record of the stable mark. Without that it grows with
// each change until the state cannot be read back.
func TestK3RecordOfFormerKeepers(t *testing.T) {
	names := func(from, to int) (ns []string) {
		for i := from; i < to; i++ {
			ns = append(ns, fmt.Sprintf("k%03d", i))
		}
		return ns
	}
	g := testGenesis()
	g.Keepers.Members = members(names(0, 60)...)
	r := newRigOf(t, g)
	r.put()
	r.stable(1, false, names(0, 60)...)
	for i, epoch := 2, paxos.Epoch(1); i <= 58; i, epoch = i+2, epoch+1 { // two go, two come, all of them on record
		who := names(i, i+60)
		r.is(r.one(commandItem(&value.SetKeepers{Replaces: epoch, Keepers: paxos.Keepers{Members: members(who...), K: 2}})), paxos.CodeCommandDone)
		r.is(r.stable(1, false, who...).Outcomes[0], paxos.CodeCommandDone)
		if got := len(r.seq.OnRecord()); got != 60 {
			t.Fatalf("epoch %d: %d keepers are on record, want the 60 of the set", epoch+1, got)
		}
		r.again()
	}
}
