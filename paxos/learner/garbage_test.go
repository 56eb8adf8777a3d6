package learner

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// Whatever arrives, a core does not panic, grows within its bounds, and keeps its window's books. (Two full quorums for two values
// are the one exception: that is a broken protocol, and meant to end the process.)
func TestGarbageNeverPanics(t *testing.T) {
	slots := []paxos.Slot{0, 1, 2, 3, 4, 5, 9, 17, 1 << 40, paxos.MaxSlot - 1, paxos.MaxSlot}
	values := [][]byte{nil, {}, {1, 2, 3}, noop(), text("x"), text("y")}
	names := []string{"", "a", "b", "c", "d", "l2", "p1"}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRigWith(testGenesis(4), Config{Learners: []string{"l2", "a"}, BufferBytes: 1000})
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(*paxos.Violation); !ok {
					panic(p)
				}
			}
		}()
		slot := func() paxos.Slot { return rapid.SampledFrom(slots).Draw(rt, "slot") }
		val := func() []byte { return rapid.SampledFrom(values).Draw(rt, "value") }
		name := func() string { return rapid.SampledFrom(names).Draw(rt, "name") }
		small := func() uint64 { return uint64(rapid.IntRange(0, 3).Draw(rt, "small")) }
		bal := func() paxos.Ballot { return paxos.Ballot{Round: small(), Proposer: name(), Run: small()} }
		voter := func() paxos.Voter {
			return paxos.Voter{Name: name(), Incarnation: incarnation(name(), 1), Boot: small() / 3, Run: 1, Written: small() / 3}
		}
		hash := func() paxos.Hash {
			if h, ok := r.l.HashAt(slot()); ok {
				return h
			}
			return paxos.Hash{byte(small())}
		}
		fetched := func(from paxos.Slot) *paxos.FetchAnswer {
			m := &paxos.FetchAnswer{
				Voter: voter(), From: from, Before: hash(), After: hash(), Start: slot(), Through: slot(),
			}
			for range small() {
				m.Values = append(m.Values, paxos.ChosenValue{Slot: m.From + paxos.Slot(len(m.Values)), Value: val()})
			}
			return m
		}
		polled := func() *paxos.VotesAnswer {
			m := &paxos.VotesAnswer{Voter: voter(), From: slot(), To: slot(), Trimmed: slot()}
			for range small() {
				v := val()
				m.Votes = append(m.Votes, paxos.VoteValue{VoteInfo: paxos.VoteInfo{Slot: slot(), Ballot: bal(), Checksum: paxos.Sum(v)}, Value: v})
			}
			return m
		}
		for range 60 {
			switch rapid.IntRange(0, 7).Draw(rt, "what") {
			case 0, 1:
				v := val()
				r.l.OnAccept(r.now, name(), &paxos.Accept{Ballot: bal(), Slot: slot(), Checksum: paxos.Sum(v), Value: v}, &r.out)
			case 2, 3:
				m := &paxos.Learn{Voter: voter(), Ballot: bal()}
				for range small() {
					m.Votes = append(m.Votes, paxos.SlotSum{Slot: slot(), Checksum: paxos.Sum(val())})
				}
				r.l.OnLearn(r.now, m, &r.out)
			case 4:
				r.l.OnBeacon(r.now, name(), &paxos.BeaconItem{
					Genesis: r.g.ID, Ballot: bal(), Chosen: slot(), ChosenHash: hash(), Withdrawn: small() == 0,
				}, &r.out)
			case 5:
				r.wait(paxos.Span(small()) * 300 * paxos.Millisecond)
			case 6:
				for _, f := range append([]flight(nil), r.l.repair.flying...) {
					if f.what == paxos.FetchChosen {
						m := fetched(f.from)
						m.Name = f.name
						r.answer(f.request, f.name, m)
					} else {
						m := polled()
						m.Voter = voterOf(f.name)
						r.answer(f.request, f.name, m)
					}
				}
			case 7:
				r.l.SetVotesOnly(small() == 0)
			}
			r.take()
			if len(r.l.win.ring) > firstRing || len(r.l.parked.items) > maxParked {
				rt.Fatalf("%d slots, %d parked", len(r.l.win.ring), len(r.l.parked.items))
			}
			audit(rt, &r.l.win)
		}
	})
}
