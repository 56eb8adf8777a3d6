package acceptor

import (
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// PROTOCOL K2: a stable command seen in an accept, a real one, trims nothing: it may only have been voted for. Nor does its repeat,
// nor a later ballot's adoption of it; a beacon that says the same does.
func TestK2StableInAnAcceptTrimsNothing(t *testing.T) {
	r := newRig(t, "main")
	deliver := func(env paxos.Envelope) {
		t.Helper()
		r.step(func(out *Output) { r.a.Deliver(r.now, &env, out) })
		r.sync()
	}
	trimmed := func(want paxos.Slot) {
		t.Helper()
		if got := r.applied.logs[paxos.GenesisID{1}].trimmed; got != want {
			t.Fatalf("T is %d, want %d", got, want)
		}
	}
	b, c := bal(3, "p1"), bal(4, "p2")
	for s := paxos.Slot(1); s <= 10; s++ {
		deliver(accept(b, s, batchValue(b, "v")))
	}
	stable := value.Encode(nil, &value.Value{Origin: b, Items: []value.Item{{
		Kind: value.ItemCommand,
		Body: value.EncodeCommand(nil, &value.Stable{Slot: 9, Hash: paxos.Hash{1}, Keepers: testGenesis("main", 1).Keepers.Members}),
	}}})
	deliver(accept(b, 11, stable))
	deliver(accept(b, 11, stable))
	deliver(accept(c, 11, stable))
	trimmed(0)
	deliver(beacon(&paxos.Beacon{Proposer: "p2", Run: 1, Number: 1, Full: true, Items: []paxos.BeaconItem{leads(c, 9)}}))
	trimmed(9)
}
