package value

import (
	"fmt"
	"math"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// Generators of everything that has a layout, at its limits more often than chance would have it.

var (
	anyU64   = rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64}))
	anyBytes = rapid.SliceOfN(rapid.Byte(), 0, 40)
	anyName  = rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,7}`),
		rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{63}`),
	)
)

func anyBallot(t *rapid.T) paxos.Ballot {
	return paxos.Ballot{Round: anyU64.Draw(t, "round"), Run: anyU64.Draw(t, "run"), Proposer: anyName.Draw(t, "proposer")}
}

func anyBatch(t *rapid.T) Batch {
	b := Batch{}
	switch rapid.IntRange(0, 2).Draw(t, "shape") {
	case 0:
		b.Tail = true
	case 1:
		b.Plain, b.Count = true, 1
	default:
		b.Session = paxos.SessionID{Slot: paxos.Slot(max(1, anyU64.Draw(t, "slot"))), Place: rapid.Uint32().Draw(t, "place")}
		b.Number = max(1, anyU64.Draw(t, "number"))
		b.Count = rapid.Uint32Range(1, paxos.MaxBatchEntries).Draw(t, "count")
	}
	if b.HasExpect = rapid.Bool().Draw(t, "has expect"); b.HasExpect {
		b.Expect = paxos.Offset(anyU64.Draw(t, "expect"))
	}
	b.MessageID = string(rapid.SliceOfN(rapid.Byte(), 0, paxos.MaxMessageIDBytes).Draw(t, "id"))
	if !b.Tail { // the sequencer does not look into frames, nor does DecodeBatch
		b.Frames = anyBytes.Draw(t, "frames")
	}
	return b
}

func anyHeaders(t *rapid.T) []paxos.Header {
	var hs []paxos.Header
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		hs = append(hs, paxos.Header{Key: string(anyBytes.Draw(t, "key")), Value: string(anyBytes.Draw(t, "value"))})
	}
	return hs
}

// someMembers returns a valid list.
func someMembers(t *rapid.T, limit int) []paxos.Member {
	n := rapid.OneOf(rapid.IntRange(1, min(5, limit)), rapid.Just(limit)).Draw(t, "members")
	ms := make([]paxos.Member, n)
	for i := range ms {
		ms[i] = paxos.Member{Name: fmt.Sprintf("m%03d", i), Incarnation: paxos.Incarnation{1, uint8(i)}}
	}
	return ms
}

func anyMembership(t *rapid.T) paxos.Membership {
	m := paxos.Membership{Epoch: paxos.Epoch(anyU64.Draw(t, "epoch")), From: paxos.Slot(anyU64.Draw(t, "from"))}
	m.Acceptors = someMembers(t, paxos.MaxAcceptors)
	n := len(m.Acceptors)
	m.Write = rapid.IntRange(min(2, n), n).Draw(t, "write")
	m.Read = rapid.IntRange(n-m.Write+1, n).Draw(t, "read")
	return m
}

func anyKeepers(t *rapid.T, write int) paxos.Keepers {
	k := paxos.Keepers{Epoch: paxos.Epoch(anyU64.Draw(t, "keepers epoch")), Members: someMembers(t, paxos.MaxKeepers)}
	for len(k.Members) < max(2, write) {
		i := len(k.Members)
		k.Members = append(k.Members, paxos.Member{Name: fmt.Sprintf("m%03d", i), Incarnation: paxos.Incarnation{1, uint8(i)}})
	}
	k.K = rapid.IntRange(max(2, write), len(k.Members)).Draw(t, "k")
	return k
}

func anyCommand(t *rapid.T) Command {
	switch CommandKind(rapid.Uint8Range(1, 7).Draw(t, "kind")) {
	case CommandOpen:
		return &Open{Client: anyName.Draw(t, "client"), Token: anyU64.Draw(t, "token")}
	case CommandTermStart:
		return &TermStart{}
	case CommandStable:
		s := &Stable{Slot: paxos.Slot(anyU64.Draw(t, "slot")), Mark: rapid.Bool().Draw(t, "mark")}
		copy(s.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		s.Keepers = someMembers(t, paxos.MaxKeepers)
		return s
	case CommandSetMembership:
		return &SetMembership{Replaces: paxos.Epoch(anyU64.Draw(t, "replaces")), Membership: anyMembership(t)}
	case CommandSetKeepers:
		return &SetKeepers{Replaces: paxos.Epoch(anyU64.Draw(t, "replaces")), Keepers: anyKeepers(t, 2)}
	case CommandSetLevel:
		return &SetLevel{Level: rapid.Uint32().Draw(t, "level")}
	case CommandRetain:
		return &Retain{Through: paxos.Offset(anyU64.Draw(t, "through"))}
	default:
		panic("unreachable")
	}
}

func anyGenesis(t *rapid.T) *paxos.Genesis {
	g := &paxos.Genesis{
		Cluster: anyName.Draw(t, "cluster"), Log: anyName.Draw(t, "log"), Founded: paxos.Stamp(rapid.Int64().Draw(t, "founded")),
		Level:      rapid.Uint32Min(1).Draw(t, "level"),
		Window:     rapid.Uint64Range(minWindow, maxWindow).Draw(t, "window"),
		ValueLimit: rapid.Uint32Range(minValueLimit, 8<<20).Draw(t, "value limit"),
		Sessions:   rapid.Uint32Range(1, 4096).Draw(t, "sessions"),
		Outcomes:   rapid.Uint32Range(1, 128).Draw(t, "outcomes"),
		MessageIDs: rapid.Uint32Range(0, 1<<17).Draw(t, "ids"),
		Membership: anyMembership(t),
	}
	g.ID[0], g.ID[15] = 1, rapid.Byte().Draw(t, "id")
	g.Keepers = anyKeepers(t, g.Membership.Write)
	g.Membership.Epoch, g.Membership.From, g.Keepers.Epoch = 1, 1, 1
	return g
}

func anyValue(t *rapid.T) Value {
	v := Value{Origin: anyBallot(t), Stamp: paxos.Stamp(rapid.Int64().Draw(t, "stamp"))}
	for range rapid.IntRange(0, 4).Draw(t, "items") {
		v.Items = append(v.Items, Item{Kind: ItemKind(rapid.Uint8Range(1, 2).Draw(t, "kind")), Body: anyBytes.Draw(t, "body")})
	}
	return v
}
