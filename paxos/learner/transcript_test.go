package learner

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Transcripts: messages in, what comes of them out, readable by a person. Commands:
//
//	new [window=N] [learners=(l2,l3)]            a fresh learner, after its first round of asking
//	log v1 v2 …                                  the true log: hash=ok, before=ok and after=ok mean its hashes
//	accept <ballot> <slot> <value>               ballots as round.proposer
//	learn <acceptor> <ballot> <slot>:<value> … [inc=N] [boot=N] [run=N] [written=N]
//	beacon <ballot> n=N [hash=bad]
//	tick <milliseconds>
//	answer <request> from=name start=N through=N [before=bad] [after=bad] <slot>:<value> …
//	votes <request> from=name [trimmed=N] <slot>@<ballot>:<value> …
//	gone <request>                               the broker's 503
//
// A value is a word, "noop", or "members(a,d,e)" for a membership command that replaces epoch 1.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := &script{t: t}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	t   *testing.T
	r   *rig
	log *truth
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	s.t = t
	var words []string
	args := map[string]string{}
	for _, a := range d.CmdArgs {
		if len(a.Vals) > 0 && !strings.HasPrefix(a.Key, "members") {
			args[a.Key] = strings.Join(a.Vals, ",")
			continue
		}
		words = append(words, a.String())
	}
	switch d.Cmd {
	case "new":
		s.begin(args)
	case "log":
		for _, w := range words {
			s.log.add(s.value(w))
		}
	case "accept":
		s.r.accept(parseBallot(words[0]), s.slot(words[1]), s.value(words[2]))
	case "learn":
		s.learn(words, args)
	case "beacon":
		n := s.slot(args["n"])
		s.r.beacon(parseBallot(words[0]), n, s.hash(args["hash"], n))
	case "tick":
		s.r.wait(paxos.Span(s.number(words[0])) * paxos.Millisecond)
	case "answer":
		s.answer(words, args)
	case "votes":
		s.votes(words, args)
	case "gone":
		s.r.l.OnAnswer(s.r.now, &paxos.Envelope{Request: s.number(words[0]), Msg: &paxos.NoResponders{}}, &s.r.out)
	default:
		t.Fatalf("unknown command %q", d.Cmd)
	}
	return s.show()
}

func (s *script) begin(args map[string]string) {
	window := uint64(8)
	if w := args["window"]; w != "" {
		window = s.number(w)
	}
	g := testGenesis(window)
	var learners []string
	if args["learners"] != "" {
		learners = strings.Split(args["learners"], ",")
	}
	s.r, s.log = newRigWith(g, Config{Learners: learners, Seed: 1}).settled(), newTruth(g)
	s.r.ids = 0
}

func (s *script) learn(words []string, args map[string]string) {
	v := voterOf(words[0])
	for key, to := range map[string]*uint64{"boot": &v.Boot, "run": &v.Run, "written": &v.Written} {
		if args[key] != "" {
			*to = s.number(args[key])
		}
	}
	if args["inc"] != "" {
		v.Incarnation = incarnation(v.Name, byte(s.number(args["inc"])))
	}
	m := &paxos.Learn{Voter: v, Ballot: parseBallot(words[1])}
	for _, w := range words[2:] {
		slot, val, _ := strings.Cut(w, ":")
		m.Votes = append(m.Votes, paxos.SlotSum{Slot: s.slot(slot), Checksum: paxos.Sum(s.value(val))})
	}
	s.r.l.OnLearn(s.r.now, m, &s.r.out)
}

func (s *script) answer(words []string, args map[string]string) {
	m := &paxos.FetchAnswer{Voter: voterOf(args["from"]), Start: s.slot(args["start"]), Through: s.slot(args["through"])}
	for _, w := range words[1:] {
		slot, val, _ := strings.Cut(w, ":")
		m.Values = append(m.Values, paxos.ChosenValue{Slot: s.slot(slot), Value: s.value(val)})
	}
	request := s.number(words[0])
	for _, f := range s.r.l.repair.flying {
		if f.request == request {
			m.From = f.from
		}
	}
	if n := len(m.Values); n > 0 {
		m.Before = s.hash(args["before"], m.From-1)
		m.After = s.hash(args["after"], m.Values[n-1].Slot)
	}
	s.r.answer(request, m.Name, m)
}

func (s *script) votes(words []string, args map[string]string) {
	m := &paxos.VotesAnswer{Voter: voterOf(args["from"])}
	if args["trimmed"] != "" {
		m.Trimmed = s.slot(args["trimmed"])
	}
	for _, w := range words[1:] {
		at, val, _ := strings.Cut(w, ":")
		slot, b, _ := strings.Cut(at, "@")
		v := s.value(val)
		m.Votes = append(m.Votes, paxos.VoteValue{
			VoteInfo: paxos.VoteInfo{Slot: s.slot(slot), Ballot: parseBallot(b), Checksum: paxos.Sum(v)}, Value: v,
		})
	}
	request := s.number(words[0])
	for _, f := range s.r.l.repair.flying {
		if f.request == request {
			m.From, m.To = f.from, f.to
		}
	}
	s.r.answer(request, m.Name, m)
}

func (s *script) value(w string) []byte {
	if w == "noop" {
		return noop()
	}
	if names, ok := strings.CutPrefix(w, "members"); ok {
		return command(&value.SetMembership{Replaces: 1, Membership: paxos.Membership{
			Epoch: 2, Acceptors: members(strings.Split(strings.Trim(names, "=()"), ",")...), Read: 2, Write: 2,
		}})
	}
	return text(w)
}

func (s *script) hash(word string, t paxos.Slot) paxos.Hash {
	if word == "bad" || uint64(t) >= uint64(len(s.log.hashes)) {
		return paxos.Hash{0xbd}
	}
	return s.log.hashes[t]
}

func (s *script) number(w string) uint64 {
	n, err := strconv.ParseUint(w, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) slot(w string) paxos.Slot { return paxos.Slot(s.number(w)) }

// show prints what was emitted since the last command.
func (s *script) show() string {
	var b strings.Builder
	chosen, need := s.r.out.Chosen, s.r.out.NeedCheckpoint
	for _, c := range chosen {
		at := "fetched"
		if !c.Ballot.IsZero() {
			at = fmt.Sprintf("%d.%s", c.Ballot.Round, c.Ballot.Proposer)
		}
		fmt.Fprintf(&b, "chosen %d %s at %s, last offset %d\n", c.Slot, payload(c.Applied.Value), at, c.Applied.Last)
	}
	requests, events := s.r.take()
	for _, e := range requests {
		f := e.Msg.(*paxos.Fetch)
		what := map[paxos.FetchWhat]string{paxos.FetchChosen: "chosen", paxos.FetchVotes: "votes"}[f.What]
		fmt.Fprintf(&b, "request %d: ask %s for %s [%d, %d]\n", e.Request, e.To, what, f.From, f.To)
	}
	for _, e := range events {
		fmt.Fprintf(&b, "%s\n", describe(e))
	}
	if need {
		b.WriteString("needs a checkpoint\n")
	}
	if b.Len() == 0 {
		return "ok\n"
	}
	return b.String()
}

func describe(e paxos.Event) string {
	switch e.Kind {
	case paxos.EventDropped:
		return fmt.Sprintf("dropped: slot %d name %q: %s", e.Slot, e.Name, e.Text)
	case paxos.EventGapRepaired:
		return fmt.Sprintf("repaired: %d slots through %d from %s", e.N, e.Slot, e.Name)
	case paxos.EventExcluded:
		return fmt.Sprintf("excluded: %s: %s", e.Name, e.Text)
	case paxos.EventDiverged:
		return "stopped: " + e.Text
	default:
		return fmt.Sprintf("event %d: %s", e.Kind, e.Text)
	}
}
