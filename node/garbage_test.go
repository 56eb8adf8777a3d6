package node

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

func some[T any, P interface {
	*T
	paxos.Message
}]() *rapid.Generator[paxos.Message] {
	return rapid.Custom(func(t *rapid.T) paxos.Message {
		m := rapid.Make[T]().Draw(t, "message")
		return P(&m)
	})
}

// anything is any message, of any content.
var anything = rapid.OneOf(
	some[paxos.Prepare](), some[paxos.Promise](), some[paxos.Refuse](), some[paxos.Accept](), some[paxos.Learn](), some[paxos.Beacon](),
	some[paxos.Beat](), some[paxos.Report](), some[paxos.Leader](), some[paxos.Append](), some[paxos.Batch](), some[paxos.Ask](),
	some[paxos.Live](), some[paxos.Ident](), some[paxos.Beacons](), some[paxos.GenesisMsg](), some[paxos.Read](), some[paxos.Get](),
	some[paxos.Fetch](), some[paxos.Checkpoint](), some[paxos.Open](), some[paxos.Admin](), some[paxos.AskAnswer](),
	some[paxos.LiveAnswer](), some[paxos.IdentAnswer](), some[paxos.ReadAnswer](), some[paxos.FetchAnswer](), some[paxos.VotesAnswer](),
	some[paxos.CheckpointAnswer](), some[paxos.BatchAnswer](), some[paxos.GetAnswer](), some[paxos.NoResponders](),
)

// TestGarbageHarmsNoLearner: whatever arrives, and whenever, nothing panics, no slot is shown that was not chosen, and the learner
// still learns and serves.
func TestGarbageHarmsNoLearner(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStepped(t)
		defer s.Stop()
		var g *learnerLog
		throw := func() {
			for range rapid.IntRange(1, 8).Draw(rt, "messages") {
				m := anything.Draw(rt, "what")
				if x, ok := m.(*paxos.Ident); ok && x.Incarnation == s.cfg.Incarnation {
					continue // proof that both must stop
				}
				s.turn(&paxos.Envelope{
					Log:     rapid.SampledFrom([]string{"orders", "", "_", "x"}).Draw(rt, "log"),
					Genesis: rapid.SampledFrom([]paxos.GenesisID{{}, s.gen.ID, {9}}).Draw(rt, "genesis"),
					From:    rapid.SampledFrom([]string{"", "p1", "l2", "a1"}).Draw(rt, "from"),
					Request: rapid.Uint64Range(0, 2000).Draw(rt, "request"),
					Reply:   rapid.SampledFrom([]string{"", "x"}).Draw(rt, "reply"),
					Msg:     m,
				})
			}
		}
		throw()
		s.log()
		throw()
		if rapid.Bool().Draw(rt, "begun") {
			s.pass(3 * paxos.Second) // nobody answers: the log begins at its beginning
			if g = s.logs[s.gen.ID]; g.core == nil || g.view.marks().last != 0 {
				rt.Fatalf("begun: %v", g.core != nil)
			}
			c := s.chainOf()
			s.learns(c.entries(1, "a"))
			throw()
			if mk := g.view.marks(); mk.last != 1 && g.core.Stopped() == nil {
				rt.Fatalf("after garbage: %+v", mk)
			}
		}
		s.pass(paxos.Second)
		if s.err != nil {
			rt.Fatalf("failed: %v", s.err)
		}
	})
}
