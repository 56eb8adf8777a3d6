package sequencer

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// setMembership names acceptors with majorities.
func setMembership(replaces paxos.Epoch, names ...string) value.Item {
	n := len(names)
	m := paxos.Membership{Acceptors: members(names...), Read: n/2 + 1, Write: n/2 + 1}
	return commandItem(&value.SetMembership{Replaces: replaces, Membership: m})
}

// TestQ7MembershipsAreBounded: a log whose keepers are away keeps every membership, as none of its slots becomes stable.
// Beyond a bound a change is refused: the state counts them in one byte.
func TestQ7MembershipsAreBounded(t *testing.T) {
	g := testGenesis()
	g.Window = 1
	r := newRigOf(t, g)
	sets := [][]string{{"a", "b", "c"}, {"a", "b", "d"}}
	refused := paxos.Epoch(0)
	for epoch := paxos.Epoch(1); epoch < 300 && refused == 0; epoch++ {
		if o := r.one(setMembership(epoch, sets[epoch%2]...)); o.Code == paxos.CodeCommandRefused {
			refused = epoch
		}
		r.again()
	}
	if refused != maxMemberships {
		t.Fatalf("refused at epoch %d, want %d", refused, maxMemberships)
	}
	r.is(r.stable(r.seq.Through(), false, "l1", "l2").Outcomes[0], paxos.CodeCommandDone)
	r.is(r.one(setMembership(refused, sets[0]...)), paxos.CodeCommandDone)
	r.again()
}

// TestK4MayGoAfterStable: an acceptor of M may go only when stable(n) with n >= M's last slot is chosen.
func TestK4MayGoAfterStable(t *testing.T) {
	r := newRig(t)
	gone, stays := members("c")[0], members("a")[0]
	r.is(r.one(setMembership(1, "a", "b", "d")), paxos.CodeCommandDone) // slot 1: governs from slot 11 on
	r.noops(12)
	for _, n := range []paxos.Slot{5, 9} {
		r.is(r.stable(n, false, "l1", "l2").Outcomes[0], paxos.CodeCommandDone)
		if r.seq.MayGo(gone) {
			t.Fatalf("stable through %d: c may go, and its membership's last slot is 10", n)
		}
	}
	r.stable(10, false, "l1", "l2")
	if !r.seq.MayGo(gone) {
		t.Fatal("stable through 10: c may not go")
	}
	if r.seq.MayGo(stays) || r.seq.MayGo(members("d")[0]) {
		t.Fatal("an acceptor of the newest membership may go")
	}
	if !r.seq.MayGo(member("a", 2)) {
		t.Fatal("a stranger's incarnation counts as a member")
	}
}
