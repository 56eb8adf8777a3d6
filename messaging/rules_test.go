package messaging

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// rule breaks one rule of one sample.
type rule struct {
	sample string
	name   string
	edit   func(env *paxos.Envelope)
	want   error
}

// msg returns env's message as a T.
func msg[T paxos.Message](env *paxos.Envelope) T {
	m, _ := env.Msg.(T)
	return m
}

func breakRules(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.sample+": "+r.name, func(t *testing.T) {
			all := samples()
			i := slices.IndexFunc(all, func(s sample) bool { return s.name == r.sample })
			if i < 0 {
				t.Fatalf("no sample %q", r.sample)
			}
			s := all[i]
			r.edit(&s.env)
			if _, err := Encode(nil, &s.env); !errors.Is(err, r.want) {
				t.Errorf("Encode: got %v, want %v", err, r.want)
			}
			if _, err := decodeSample(t, &s, encodeUnchecked(t, &s.env)); !errors.Is(err, r.want) {
				t.Errorf("Decode: got %v, want %v", err, r.want)
			}
		})
	}
}

// TestN1SenderIsTheSubjectsName: ballot.proposer (prepare, accept, beacon) and acceptor (promise, vote) must be the subject's
// name, so that the broker's permissions decide who may vote as whom.
func TestN1SenderIsTheSubjectsName(t *testing.T) {
	other := paxos.Ballot{Round: 7, Proposer: "p2", Run: 1}
	breakRules(t, []rule{
		{"prepare", "forged", func(e *paxos.Envelope) { msg[*paxos.Prepare](e).Ballot = other }, ErrSender},
		{"accept", "forged", func(e *paxos.Envelope) { msg[*paxos.Accept](e).Ballot = other }, ErrSender},
		{"beacon", "forged", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Proposer = "p2" }, ErrSender},
		{"beacon", "forged item", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Items[1].Ballot.Proposer = "p2" }, ErrSender},
		{"beacon", "item of another run", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Items[1].Ballot.Run++ }, ErrSender},
		{"leader", "forged", func(e *paxos.Envelope) { msg[*paxos.Leader](e).Ballot = other }, ErrSender},
		{"promise", "forged", func(e *paxos.Envelope) { msg[*paxos.Promise](e).Name = "a2" }, ErrSender},
		{"refuse", "forged", func(e *paxos.Envelope) { msg[*paxos.Refuse](e).Name = "a2" }, ErrSender},
		{"learn", "forged", func(e *paxos.Envelope) { msg[*paxos.Learn](e).Name = "a2" }, ErrSender},
		{"beat", "forged", func(e *paxos.Envelope) { msg[*paxos.Beat](e).Name = "a2" }, ErrSender},
		{"report", "forged", func(e *paxos.Envelope) { msg[*paxos.Report](e).Name = "l2" }, ErrSender},
		{"genesis", "forged", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).Sender = "p2" }, ErrSender},
	})
}

// TestN1GenesisMustBeThere: zero only in live, genesis and checkpoint requests, and always in process messages.
func TestN1GenesisMustBeThere(t *testing.T) {
	may := map[paxos.Kind]bool{
		paxos.KindLive: true, paxos.KindLiveAnswer: true, paxos.KindGenesis: true, paxos.KindCheckpoint: true, paxos.KindCheckpointAnswer: true,
	}
	for _, s := range samples() {
		k := s.env.Msg.Kind()
		want := ErrGenesis
		switch {
		case processKind(k):
			s.env.Genesis = sampleGenesis
		case may[k]:
			s.env.Genesis, want = paxos.GenesisID{}, nil
		default:
			s.env.Genesis = paxos.GenesisID{}
		}
		if _, err := decodeSample(t, &s, encodeUnchecked(t, &s.env)); !errors.Is(err, want) {
			t.Errorf("%s with genesis %s: got %v, want %v", s.name, s.env.Genesis, err, want)
		}
	}
	breakRules(t, []rule{
		{"genesis", "of two minds", func(e *paxos.Envelope) { e.Genesis[0]++ }, ErrGenesis},
		{"genesis", "names none", func(e *paxos.Envelope) {
			e.Genesis, msg[*paxos.GenesisMsg](e).ID = paxos.GenesisID{}, paxos.GenesisID{}
		}, ErrGenesis},
		{"beacon", "item without", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Items[0].Genesis = paxos.GenesisID{} }, ErrGenesis},
		{"beat", "item without", func(e *paxos.Envelope) { msg[*paxos.Beat](e).Differs[0].Genesis = paxos.GenesisID{} }, ErrGenesis},
	})
}

// TestN2NoReplyOnBroadcasts: what is no request carries neither a reply nor a request number, and what is an answer answers something.
func TestN2NoReplyOnBroadcasts(t *testing.T) {
	for _, s := range samples() {
		k := s.env.Msg.Kind()
		switch {
		case k.IsAnswer():
			s.env.Reply = ""
		case k.IsRequest():
			continue
		case s.subject == "": // the full list of beacons
			continue
		case k == paxos.KindBeacon: // with a reply it would be that answer
			continue
		default:
			s.env.Reply = "e_INBOX.x"
		}
		if _, err := Encode(nil, &s.env); !errors.Is(err, ErrReply) {
			t.Errorf("%s with reply %q: got %v", s.name, s.env.Reply, err)
		}
	}
	breakRules(t, []rule{{"accept", "numbered", func(e *paxos.Envelope) { e.Request = 1 }, ErrMalformed}})
}

func TestRulesOfBallotsAndStores(t *testing.T) {
	breakRules(t, []rule{
		{"prepare", "slot 0", func(e *paxos.Envelope) { msg[*paxos.Prepare](e).From = 0 }, ErrMalformed},
		{"prepare", "round 0", func(e *paxos.Envelope) { msg[*paxos.Prepare](e).Ballot.Round = 0 }, ErrMalformed},
		{"leader", "round 0", func(e *paxos.Envelope) { msg[*paxos.Leader](e).Ballot.Round = 0 }, ErrMalformed},
		{"refuse", "no refused ballot", func(e *paxos.Envelope) { msg[*paxos.Refuse](e).Refused = paxos.Ballot{} }, ErrMalformed},
		{"ask-answer", "half a ballot", func(e *paxos.Envelope) { msg[*paxos.AskAnswer](e).Promised.Round = 0 }, ErrMalformed},
		{"promise", "no incarnation", func(e *paxos.Envelope) { msg[*paxos.Promise](e).Incarnation = paxos.Incarnation{} }, ErrMalformed},
		{"learn", "boot 0", func(e *paxos.Envelope) { msg[*paxos.Learn](e).Boot = 0 }, ErrMalformed},
		{"report", "no hash", func(e *paxos.Envelope) { msg[*paxos.Report](e).Hash = paxos.Hash{} }, ErrMalformed},
		{"beat", "bad proposer", func(e *paxos.Envelope) { msg[*paxos.Beat](e).Proposer = "p 1" }, ErrMalformed},
		{"beacon", "no number", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Number = 0 }, ErrMalformed},
		{"beacon", "bad successor", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Succession[1] = "" }, ErrMalformed},
		{"beat", "half a ballot", func(e *paxos.Envelope) { msg[*paxos.Beat](e).Differs[0].Promised.Round = 0 }, ErrMalformed},
		{"ident-answer", "half a ballot", func(e *paxos.Envelope) { msg[*paxos.IdentAnswer](e).Logs[1].Leads.Round = 0 }, ErrMalformed},
		{"ident-answer", "bad log", func(e *paxos.Envelope) { msg[*paxos.IdentAnswer](e).Logs[1].Log = "_" }, ErrMalformed},
		{"ident-answer", "bad name", func(e *paxos.Envelope) { e.From, msg[*paxos.IdentAnswer](e).Name = "a 1", "a 1" }, ErrMalformed},
		{"live-answer", "bad name", func(e *paxos.Envelope) { e.From, msg[*paxos.LiveAnswer](e).Name = "a 1", "a 1" }, ErrMalformed},
		{"read-answer", "bad name", func(e *paxos.Envelope) { e.From, msg[*paxos.ReadAnswer](e).Learner = "a 1", "a 1" }, ErrMalformed},
		{"beacons-answer", "bad proposer", func(e *paxos.Envelope) {
			e.From = "p 1"
			*msg[*paxos.Beacon](e) = paxos.Beacon{Proposer: "p 1", Number: 1}
		}, ErrMalformed},
		{"beacon", "bad log", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Items[0].Log = "_" }, ErrMalformed},
		{"beacon", "item without ballot", func(e *paxos.Envelope) { msg[*paxos.Beacon](e).Items[0].Ballot = paxos.Ballot{} }, ErrMalformed},
	})
}

// fieldsOf returns every field of msg that is a T, embedded or not, with its name; not those inside slices.
func fieldsOf[T any](msg paxos.Message) (names []string, fields []*T) {
	v := reflect.ValueOf(msg).Elem()
	for i := range v.NumField() {
		if f, ok := v.Field(i).Addr().Interface().(*T); ok {
			names, fields = append(names, v.Type().Field(i).Name), append(fields, f)
		}
	}
	return names, fields
}

// TestEveryStoreIsNamedInFull: whatever a store says carries its owner, its incarnation and its boot (PROTOCOL A9).
func TestEveryStoreIsNamedInFull(t *testing.T) {
	stores := 0
	for _, s := range samples() {
		for field, edit := range map[string]func(v *paxos.Voter){
			"owner":       func(v *paxos.Voter) { v.Name = "a 1" },
			"incarnation": func(v *paxos.Voter) { v.Incarnation = paxos.Incarnation{} },
			"boot":        func(v *paxos.Voter) { v.Boot = 0 },
		} {
			_, voters := fieldsOf[paxos.Voter](s.env.Msg)
			for _, v := range voters {
				whole := *v
				edit(v)
				env := s.env
				env.From = senderOf(env.Msg)
				if _, err := Encode(nil, &env); !errors.Is(err, ErrMalformed) {
					t.Errorf("%s: bad %s: got %v", s.name, field, err)
				}
				*v = whole
				stores++
			}
		}
	}
	if stores != 3*11 {
		t.Errorf("%d stores tried", stores)
	}
}

// TestEveryBallotIsWhole: a ballot has a round and a valid proposer, or is not there at all, where it need not be.
func TestEveryBallotIsWhole(t *testing.T) {
	optional := map[string]bool{
		"refuse Promised": true, "batch Ballot": true, "batch-explain Ballot": true, "open Ballot": true, "admin Ballot": true, "ask-answer Promised": true, "live-answer Ballot": true,
	}
	for _, s := range samples() {
		names, ballots := fieldsOf[paxos.Ballot](s.env.Msg)
		for i, b := range ballots {
			whole := *b
			for _, broken := range []paxos.Ballot{
				{}, {Proposer: b.Proposer, Run: b.Run}, {Round: b.Round, Run: b.Run}, {Round: b.Round, Proposer: "p 1", Run: b.Run},
			} {
				*b = broken
				env := s.env
				if name, named := sender(env.Msg); named {
					env.From = name
				}
				if _, ok := env.Msg.(*paxos.Live); ok {
					env.To = b.Proposer
					env.ToRun = b.Run
				}
				_, err := Encode(nil, &env)
				if fine := broken.IsZero() && optional[s.name+" "+names[i]]; fine != (err == nil) || !fine && !errors.Is(err, ErrMalformed) {
					t.Errorf("%s: %s = %+v: got %v", s.name, names[i], broken, err)
				}
			}
			*b = whole
		}
	}
}

func TestRulesOfVotes(t *testing.T) {
	votes := func(e *paxos.Envelope) []paxos.VoteInfo { return msg[*paxos.Promise](e).Votes }
	breakRules(t, []rule{
		{"promise", "range backwards", func(e *paxos.Envelope) { msg[*paxos.Promise](e).To = 10 }, ErrMalformed},
		{"promise", "slot 0", func(e *paxos.Envelope) { msg[*paxos.Promise](e).From = 0 }, ErrMalformed},
		{"promise", "no ballot", func(e *paxos.Envelope) { m := msg[*paxos.Promise](e); m.Ballot, m.Votes = paxos.Ballot{}, nil }, ErrMalformed},
		{"promise", "empty range backwards", func(e *paxos.Envelope) { m := msg[*paxos.Promise](e); m.To, m.Votes = 10, nil }, ErrMalformed},
		{"promise", "empty range from slot 0", func(e *paxos.Envelope) { m := msg[*paxos.Promise](e); m.From, m.Votes = 0, nil }, ErrMalformed},
		{"promise", "vote below the range", func(e *paxos.Envelope) { votes(e)[0].Slot = 10 }, ErrMalformed},
		{"promise", "vote above the range", func(e *paxos.Envelope) { msg[*paxos.Promise](e).To = 13 }, ErrMalformed},
		{"promise", "votes out of order", func(e *paxos.Envelope) { votes(e)[0].Slot, votes(e)[1].Slot = 13, 11 }, ErrMalformed},
		{"promise", "vote repeated", func(e *paxos.Envelope) { votes(e)[1].Slot = 11 }, ErrMalformed},
		{"promise", "vote above the promise", func(e *paxos.Envelope) { votes(e)[0].Ballot.Round = 8 }, ErrMalformed},
		{"promise", "vote without ballot", func(e *paxos.Envelope) { votes(e)[0].Ballot = paxos.Ballot{} }, ErrMalformed},
		{"promise", "too many votes", func(e *paxos.Envelope) {
			msg[*paxos.Promise](e).Votes = slices.Repeat(votes(e)[:1], paxos.MaxReportsPerChunk+1)
		}, ErrTooLarge},
		{"refuse", "of nothing", func(e *paxos.Envelope) { msg[*paxos.Refuse](e).Of = paxos.KindLearn }, ErrMalformed},
		{"refuse", "accept of slot 0", func(e *paxos.Envelope) { msg[*paxos.Refuse](e).Slot = 0 }, ErrMalformed},
		{"refuse", "prepare of a slot", func(e *paxos.Envelope) { msg[*paxos.Refuse](e).Of = paxos.KindPrepare }, ErrMalformed},
		{"refuse", "unknown reason", func(e *paxos.Envelope) { msg[*paxos.Refuse](e).Reason = 77 }, ErrMalformed},
		{"accept", "slot 0", func(e *paxos.Envelope) { msg[*paxos.Accept](e).Slot = 0 }, ErrMalformed},
		{"accept", "no value", func(e *paxos.Envelope) { m := msg[*paxos.Accept](e); m.Value, m.Checksum = nil, paxos.Sum(nil) }, ErrMalformed},
		{"learn", "nothing", func(e *paxos.Envelope) { msg[*paxos.Learn](e).Votes = nil }, ErrMalformed},
		{"learn", "slot 0", func(e *paxos.Envelope) { msg[*paxos.Learn](e).Votes[0].Slot = 0 }, ErrMalformed},
		{"learn-explain", "more times than votes", func(e *paxos.Envelope) {
			m := msg[*paxos.Learn](e)
			m.Times = append(m.Times, m.Times[0], m.Times[0])
		}, ErrMalformed},
		{"learn", "repeated", func(e *paxos.Envelope) { msg[*paxos.Learn](e).Votes[1].Slot = 12 }, ErrMalformed},
		{"learn", "too many", func(e *paxos.Envelope) {
			m := msg[*paxos.Learn](e)
			m.Votes = slices.Repeat(m.Votes[:1], paxos.MaxVotesPerLearn+1)
		}, ErrTooLarge},
		{"beacon", "too many logs", func(e *paxos.Envelope) {
			m := msg[*paxos.Beacon](e)
			m.Items = slices.Repeat(m.Items[:1], paxos.MaxBeaconItems+1)
		}, ErrTooLarge},
		{"beacon", "too many successors", func(e *paxos.Envelope) {
			m := msg[*paxos.Beacon](e)
			m.Succession = slices.Repeat(m.Succession[:1], paxos.MaxSuccession+1)
		}, ErrTooLarge},
		{"beat", "too many logs", func(e *paxos.Envelope) {
			m := msg[*paxos.Beat](e)
			m.Differs = slices.Repeat(m.Differs[:1], paxos.MaxBeaconItems+1)
		}, ErrTooLarge},
	})
}

func TestRulesOfFounding(t *testing.T) {
	members := func(e *paxos.Envelope) *paxos.Membership { return msg[*paxos.GenesisMsg](e).Membership }
	breakRules(t, []rule{
		{"genesis", "step 0", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).Step = 0 }, ErrMalformed},
		{"genesis", "step 9", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).Step = 9 }, ErrMalformed},
		{"genesis", "unknown state", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).State = 9 }, ErrMalformed},
		{"genesis", "join without record", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).Record = nil }, ErrMalformed},
		{"genesis", "join without membership", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).Membership = nil }, ErrMalformed},
		{"genesis", "membership without join", func(e *paxos.Envelope) { msg[*paxos.GenesisMsg](e).Step = paxos.GenesisIsLive }, ErrMalformed},
		{"genesis", "epoch 0", func(e *paxos.Envelope) { members(e).Epoch = 0 }, ErrMalformed},
		{"genesis", "quorums apart", func(e *paxos.Envelope) { members(e).Write = 1 }, ErrMalformed},
		{"genesis", "quorum too large", func(e *paxos.Envelope) { members(e).Read = 3 }, ErrMalformed},
		{"genesis", "unsorted", func(e *paxos.Envelope) { slices.Reverse(members(e).Acceptors) }, ErrMalformed},
		{"genesis", "repeated", func(e *paxos.Envelope) { members(e).Acceptors[1].Name = "a1" }, ErrMalformed},
		{"genesis", "no incarnation", func(e *paxos.Envelope) { members(e).Acceptors[1].Incarnation = paxos.Incarnation{} }, ErrMalformed},
		{"genesis", "nobody", func(e *paxos.Envelope) { members(e).Acceptors = nil }, ErrMalformed},
		{"genesis", "too many", func(e *paxos.Envelope) {
			members(e).Acceptors = slices.Repeat(members(e).Acceptors[:1], paxos.MaxAcceptors+1)
		}, ErrTooLarge},
	})
}

func TestRulesOfRequests(t *testing.T) {
	breakRules(t, []rule{
		{"ask", "nobody asks", func(e *paxos.Envelope) { e.From, msg[*paxos.Ask](e).Asker = "", "" }, ErrMalformed},
		{"ask-answer", "unknown reason", func(e *paxos.Envelope) { msg[*paxos.AskAnswer](e).Gone = 9 }, ErrMalformed},
		{"ask-answer", "unknown state", func(e *paxos.Envelope) { msg[*paxos.AskAnswer](e).State = 9 }, ErrMalformed},
		{"live", "another's ballot", func(e *paxos.Envelope) { msg[*paxos.Live](e).Ballot.Proposer = "p2" }, ErrMalformed},
		{"live", "another run's ballot", func(e *paxos.Envelope) { msg[*paxos.Live](e).Ballot.Run = 1 }, ErrMalformed},
		{"live-answer", "unknown phase", func(e *paxos.Envelope) { msg[*paxos.LiveAnswer](e).Phase = 9 }, ErrMalformed},
		{"ident", "unknown role", func(e *paxos.Envelope) { msg[*paxos.Ident](e).Role = 9 }, ErrMalformed},
		{"ident", "nameless role", func(e *paxos.Envelope) { e.From, msg[*paxos.Ident](e).Asker = "", "" }, ErrMalformed},
		{"ident-answer", "unknown role", func(e *paxos.Envelope) { msg[*paxos.IdentAnswer](e).Role = 9 }, ErrMalformed},
		{"ident-answer", "no cluster", func(e *paxos.Envelope) { msg[*paxos.IdentAnswer](e).Cluster = "" }, ErrMalformed},
		{"ident-answer", "unknown state", func(e *paxos.Envelope) { msg[*paxos.IdentAnswer](e).Logs[0].State = 9 }, ErrMalformed},
		{"ident-answer", "long version", func(e *paxos.Envelope) {
			msg[*paxos.IdentAnswer](e).Version = strings.Repeat("v", paxos.MaxTextBytes+1)
		}, ErrTooLarge},
		{"ident-answer", "too many logs", func(e *paxos.Envelope) {
			m := msg[*paxos.IdentAnswer](e)
			m.Logs = slices.Repeat(m.Logs[:1], paxos.MaxIdentLogs+1)
		}, ErrTooLarge},
		{"beacons", "another run's", func(e *paxos.Envelope) { msg[*paxos.Beacons](e).Run = 1 }, ErrMalformed},
		{"fetch", "of nothing", func(e *paxos.Envelope) { msg[*paxos.Fetch](e).What = 0 }, ErrMalformed},
		{"fetch", "slot 0", func(e *paxos.Envelope) { msg[*paxos.Fetch](e).From = 0 }, ErrMalformed},
		{"fetch", "backwards", func(e *paxos.Envelope) { msg[*paxos.Fetch](e).From = 10 }, ErrMalformed},
		{"fetch-answer", "slot 0", func(e *paxos.Envelope) {
			m := msg[*paxos.FetchAnswer](e)
			m.From, m.Values[0].Slot, m.Values[1].Slot = 0, 0, 1
		}, ErrMalformed},
		{"fetch-answer", "past the last slot", func(e *paxos.Envelope) { msg[*paxos.FetchAnswer](e).From = paxos.MaxSlot }, ErrMalformed},
		{"fetch-answer", "empty value", func(e *paxos.Envelope) { msg[*paxos.FetchAnswer](e).Values[1].Value = nil }, ErrMalformed},
		{"fetch-answer", "too many", func(e *paxos.Envelope) {
			m := msg[*paxos.FetchAnswer](e)
			m.Values = slices.Repeat(m.Values[:1], paxos.MaxFetchValues+1)
		}, ErrTooLarge},
		{"votes-answer", "out of range", func(e *paxos.Envelope) { msg[*paxos.VotesAnswer](e).To = 7 }, ErrMalformed},
		{"votes-answer", "backwards", func(e *paxos.Envelope) { msg[*paxos.VotesAnswer](e).To = 3 }, ErrMalformed},
		{"votes-answer", "empty value", func(e *paxos.Envelope) {
			v := &msg[*paxos.VotesAnswer](e).Votes[0]
			v.Value, v.Checksum = nil, paxos.Sum(nil)
		}, ErrMalformed},
		{"checkpoint-answer", "past the end", func(e *paxos.Envelope) { msg[*paxos.CheckpointAnswer](e).Offset = 95 }, ErrMalformed},
	})
}

func TestRulesOfClients(t *testing.T) {
	batches := func(e *paxos.Envelope) []paxos.ReadBatch { return msg[*paxos.ReadAnswer](e).Batches }
	breakRules(t, []rule{
		{"batch", "empty", func(e *paxos.Envelope) { msg[*paxos.Batch](e).Batch = nil }, ErrMalformed},
		{"batch", "half a ballot", func(e *paxos.Envelope) { msg[*paxos.Batch](e).Ballot.Round = 0 }, ErrMalformed},
		{"open", "long name", func(e *paxos.Envelope) { msg[*paxos.Open](e).Client = strings.Repeat("c", paxos.MaxNameBytes+1) }, ErrTooLarge},
		{"admin", "empty", func(e *paxos.Envelope) { msg[*paxos.Admin](e).Command = nil }, ErrMalformed},
		{"batch-answer", "no leader", func(e *paxos.Envelope) { e.From, msg[*paxos.BatchAnswer](e).Ballot = "", paxos.Ballot{} }, ErrMalformed},
		{"batch-answer", "no outcome", func(e *paxos.Envelope) { msg[*paxos.BatchAnswer](e).Code = 0 }, ErrMalformed},
		{"batch-answer", "dropped", func(e *paxos.Envelope) { msg[*paxos.BatchAnswer](e).Code = paxos.CodeDropped }, ErrMalformed},
		{"batch-answer", "long text", func(e *paxos.Envelope) {
			msg[*paxos.BatchAnswer](e).Text = strings.Repeat("t", paxos.MaxTextBytes+1)
		}, ErrTooLarge},
		{"read-answer", "no number", func(e *paxos.Envelope) { msg[*paxos.ReadAnswer](e).Number = 0 }, ErrMalformed},
		{"read-answer", "unknown code", func(e *paxos.Envelope) { msg[*paxos.ReadAnswer](e).Code = 99 }, ErrMalformed},
		{"read-answer", "hole", func(e *paxos.Envelope) { batches(e)[1].First = 13 }, ErrMalformed},
		{"read-answer", "repeat", func(e *paxos.Envelope) { batches(e)[1].First = 11 }, ErrMalformed},
		{"read-answer", "offset 0", func(e *paxos.Envelope) { batches(e)[0].First, batches(e)[1].First = 0, 2 }, ErrMalformed},
		{"read-answer", "no entries", func(e *paxos.Envelope) { batches(e)[0].Count, batches(e)[1].First = 0, 10 }, ErrMalformed},
		{"read-answer", "too many entries", func(e *paxos.Envelope) { batches(e)[1].Count = paxos.MaxBatchEntries + 1 }, ErrMalformed},
		{"read-answer", "too many", func(e *paxos.Envelope) {
			m := msg[*paxos.ReadAnswer](e)
			m.Batches = slices.Repeat(m.Batches[:1], paxos.MaxReadBatches+1)
		}, ErrTooLarge},
	})
}

// TestChecksumsOfValues: a value is checked before it reaches a core, in an accept and in an acceptor's answer.
func TestChecksumsOfValues(t *testing.T) {
	for _, s := range samples() {
		switch m := s.env.Msg.(type) {
		case *paxos.Accept:
			m.Checksum++
		case *paxos.VotesAnswer:
			m.Votes[1].Checksum++
		default:
			continue
		}
		if _, err := decodeSample(t, &s, encodeUnchecked(t, &s.env)); !errors.Is(err, ErrChecksum) {
			t.Errorf("%s: got %v", s.name, err)
		}
	}
}

// TestEveryKindRefusesAnotherSubject sends every sample by every other sample's subject: none is taken, except where both
// say the same.
func TestEveryKindRefusesAnotherSubject(t *testing.T) {
	for _, s := range samples() {
		b := encodeUnchecked(t, &s.env)
		for _, other := range samples() {
			if other.subject == s.subject || other.env.Msg.Kind() == s.env.Msg.Kind() {
				continue
			}
			if other.subject == "" {
				if env, err := DecodeAnswer(b); err == nil && s.subject != "" && s.env.Msg.Kind() != paxos.KindBeacon {
					t.Errorf("%s taken as an answer: %+v", s.name, env)
				}
				continue
			}
			if _, err := testSubjects(t).Decode(other.subject, b); err == nil {
				t.Errorf("%s taken by %s", s.name, other.subject)
			}
		}
	}
}
