package proposer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// TestGarbageCrashesNothing: whatever arrives, in whatever phase, no proposer panics, and it never breaks an invariant of its own:
// its asserts stay quiet, and the checker sees one value for each slot and ballot. (Quorums of made-up votes may choose two values
// in one slot; that is the learner's to notice, and ends the run.)
func TestGarbageCrashesNothing(t *testing.T) {
	runs := uint64(1000)
	if testing.Short() {
		runs = 60
	}
	for seed := range runs {
		throw(t, seed)
	}
}

func throw(t *testing.T, seed uint64) {
	defer func() {
		x := recover()
		if x == nil {
			return
		}
		if v, ok := x.(*paxos.Violation); !ok || !strings.Contains(v.Text, "quorums chose") {
			t.Errorf("seed %d: %v", seed, x)
			panic(x)
		}
	}()
	r := &rig{t: t}
	r.begin(args{t: t, named: map[string][]string{"window": {"4"}, "learners": {"l1"}}})
	w := &world{t: t, seed: seed}
	check := newChecker(w)
	g := &garbage{rng: rand.New(rand.NewPCG(seed, 3)), r: r}
	if seed%2 == 0 {
		r.lead(args{t: t})
	}
	for range 400 {
		if gr := r.group(); gr.phase.public() == paxos.PhaseStandby && gr.next() > gr.told && g.rng.IntN(8) == 0 && !gr.barred(&step{now: r.now}) {
			gr.stand(&step{now: r.now, out: &r.out}, "for the test", false)
		}
		switch k := g.rng.IntN(12); k {
		case 0:
			r.now = r.now.Add(paxos.Span(g.rng.IntN(30)) * tickEvery)
			r.p.Tick(r.now, r.wall(), &r.out)
		case 1:
			r.p.OnSubscribed(r.gen.Log, uint64(g.rng.IntN(4)), &r.out)
		case 2:
			r.p.OnUnsubscribed(r.gen.Log, uint64(g.rng.IntN(4)), &r.out)
		default:
			env := paxos.Envelope{
				Log: r.gen.Log, Genesis: r.gen.ID, From: g.name(), Request: uint64(g.rng.IntN(int(r.requests) + 2)), Reply: "x", Msg: g.message(),
			}
			switch g.rng.IntN(20) {
			case 0:
				env.Genesis = paxos.GenesisID{66}
			case 1:
				env.Log = paxos.ProcessLog
			}
			r.p.Deliver(r.now, r.wall(), &env, &r.out)
		}
		if g.rng.IntN(3) == 0 {
			r.p.Flush(r.now, r.wall(), &r.out)
		}
		for i := range r.out.Now {
			if m, ok := r.out.Now[i].Msg.(*paxos.Accept); ok {
				check.onAccept(m)
				g.values = append(g.values, m.Value)
			}
		}
		r.out.Reset()
	}
}

// garbage makes messages that are well-formed as types, and otherwise anything.
type garbage struct {
	rng    *rand.Rand
	r      *rig
	values [][]byte
}

func (g *garbage) name() string {
	return []string{"a1", "a2", "a3", "a4", "p1", "p2", "l1", "l2", ""}[g.rng.IntN(9)]
}

func (g *garbage) slot() paxos.Slot {
	switch g.rng.IntN(12) {
	case 0:
		return paxos.MaxSlot
	case 1:
		return 0
	default:
		return paxos.Slot(g.rng.IntN(12))
	}
}

func (g *garbage) trimmed() paxos.Slot {
	if g.rng.IntN(30) > 0 {
		return 0
	}
	return g.slot()
}

func (g *garbage) ballot() paxos.Ballot {
	switch k := g.rng.IntN(100); {
	case k < 5:
		return paxos.Ballot{}
	case k < 50:
		return g.r.group().lastOwn
	case k < 60:
		return g.r.group().seen
	case k < 61:
		return paxos.Ballot{Round: g.rng.Uint64() >> g.rng.IntN(64), Proposer: g.name(), Run: uint64(g.rng.IntN(9))}
	default:
		return paxos.Ballot{Round: 1, Proposer: "a", Run: uint64(g.rng.IntN(3))}
	}
}

func (g *garbage) voter() paxos.Voter {
	n := g.name()
	return paxos.Voter{Name: n, Incarnation: inc(n, byte(1+g.rng.IntN(20)/19)), Boot: 1, Run: 1, Written: uint64(g.rng.IntN(50))}
}

func (g *garbage) value() []byte {
	switch {
	case len(g.values) > 0 && g.rng.IntN(2) == 0:
		return g.values[g.rng.IntN(len(g.values))]
	case g.rng.IntN(10) == 0:
		return []byte("garbage")
	case g.rng.IntN(2) == 0:
		return g.r.value("x", g.ballot())
	default:
		return value.Encode(nil, &value.Value{Origin: g.ballot()})
	}
}

func (g *garbage) bytes() []byte {
	b := make([]byte, g.rng.IntN(80))
	for i := range b {
		b[i] = byte(g.rng.Uint32())
	}
	return b
}

func (g *garbage) voteValues() []paxos.VoteValue {
	var vs []paxos.VoteValue
	for range g.rng.IntN(4) {
		v := g.value()
		vs = append(vs, paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: g.slot(), Ballot: g.ballot(), Checksum: paxos.Sum(v), Bytes: uint32(len(v))}, Value: v,
		})
	}
	return vs
}

func (g *garbage) item() paxos.BeaconItem {
	return paxos.BeaconItem{
		Log: g.r.gen.Log, Genesis: g.r.gen.ID, Ballot: g.ballot(), Withdrawn: g.rng.IntN(3) == 0, Chosen: g.slot(), Stable: g.slot(),
	}
}

func (g *garbage) message() paxos.Message {
	gen := uint64(g.rng.IntN(3))
	if ld, ok := g.r.group().phase.(*leader); ok && g.rng.IntN(3) > 0 {
		gen = ld.generation
	}
	switch g.rng.IntN(20) {
	case 0:
		v := g.value()
		return &paxos.Accept{Ballot: g.ballot(), Slot: g.slot(), Checksum: paxos.Sum(v), Value: v}
	case 1, 2:
		m := &paxos.Learn{Voter: g.voter(), Ballot: g.ballot()}
		for range g.rng.IntN(4) {
			m.Votes = append(m.Votes, paxos.SlotSum{Slot: g.slot(), Checksum: paxos.Sum(g.value())})
		}
		return m
	case 3, 4:
		m := &paxos.Promise{Voter: g.voter(), Ballot: g.ballot(), From: g.slot(), To: paxos.MaxSlot, Trimmed: g.trimmed()}
		for _, v := range g.voteValues() {
			m.Votes = append(m.Votes, v.VoteInfo)
		}
		return m
	case 5:
		return &paxos.Refuse{Voter: g.voter(), Refused: g.ballot(), Slot: g.slot(), Reason: paxos.RefuseReason(g.rng.IntN(7)), Promised: g.ballot(), Trimmed: g.trimmed()}
	case 6:
		return &paxos.Beacon{
			Proposer: g.name(), Run: uint64(g.rng.IntN(9)), Number: uint64(g.rng.IntN(6)), Full: g.rng.IntN(2) == 0, Over: g.rng.IntN(9) == 0,
			Items: []paxos.BeaconItem{g.item(), g.item()}, Succession: []string{g.name(), g.name()},
		}
	case 7:
		return &paxos.Beat{
			Voter: g.voter(), Proposer: "p1", ToRun: ownRun, Number: uint64(g.rng.IntN(9)), Full: g.rng.IntN(2) == 0,
			Differs: []paxos.BeatItem{{Log: g.r.gen.Log, Genesis: g.r.gen.ID, Promised: g.ballot()}},
		}
	case 8:
		return &paxos.Report{Voter: g.voter(), Slot: g.slot(), Start: g.slot()}
	case 9, 10:
		return &paxos.AskAnswer{Voter: g.voter(), Promised: g.ballot(), Gone: paxos.GoneReason(g.rng.IntN(7)), Trimmed: g.trimmed(), State: paxos.LogLive}
	case 11:
		return &paxos.VotesAnswer{Voter: g.voter(), From: g.slot(), To: g.slot(), Trimmed: g.trimmed(), Votes: g.voteValues()}
	case 12:
		return &paxos.FetchAnswer{Voter: g.voter(), From: g.slot(), Through: g.slot(), Values: []paxos.ChosenValue{{Slot: g.slot(), Value: g.value()}}}
	case 13:
		return &paxos.Append{Payload: g.bytes(), Generation: gen, MessageID: string(g.bytes())}
	case 14:
		b := g.bytes()
		if g.rng.IntN(2) == 0 {
			b = value.EncodeBatch(nil, &value.Batch{Tail: g.rng.IntN(2) == 0, Count: uint32(g.rng.IntN(2)), Frames: g.bytes()})
		}
		return &paxos.Batch{Ballot: g.ballot(), Batch: b, Generation: gen}
	case 15:
		return &paxos.Open{Ballot: g.ballot(), Client: string(g.bytes()), Generation: gen}
	case 16:
		b := g.bytes()
		if g.rng.IntN(2) == 0 {
			b = value.EncodeCommand(nil, &value.SetMembership{Replaces: 1, Membership: g.r.gen.Membership})
		}
		return &paxos.Admin{Ballot: g.ballot(), Command: b, Generation: gen}
	case 17:
		return &paxos.IdentAnswer{Name: g.name(), Role: paxos.RoleAcceptor, Cluster: "c", Incarnation: inc("a1", 1)}
	case 18:
		return []paxos.Message{&paxos.Live{Ballot: g.ballot()}, &paxos.Beacons{Run: ownRun}, &paxos.Ident{}, &paxos.Fetch{}}[g.rng.IntN(4)]
	default:
		return &paxos.NoResponders{}
	}
}
