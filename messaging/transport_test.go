package messaging

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

// TestTransportCarriesEveryKind sends every sample from its sender to a receiver that wants it, over a real socket.
func TestTransportCarriesEveryKind(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	for _, s := range samples() {
		if s.subject == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			a, err := testSubjects(t).Parse(s.subject)
			if err != nil {
				t.Fatal(err)
			}
			sender := join(t, testConfig(e, "sender", paxos.RoleProposer))
			receiver := join(t, testConfig(e, "receiver", paxos.RoleAcceptor))
			in := Interest{Kinds: []paxos.Kind{a.Kind}, Generation: 5}
			if shapeOf(a.Kind) == shapeAddressee {
				in.Name, in.Run = a.Name, a.Run
			}
			receiver.subscribe(t, in)
			sender.send(t, s.env)
			eventually(t, "arrival", func() bool { return len(receiver.got()) == 1 })
			got := receiver.got()[0]
			if k := a.Kind; k.IsRequest() {
				if got.Reply == "" {
					t.Error("the request arrived without a reply")
				}
				s.env.Reply = got.Reply
			}
			stampGeneration(s.env.Msg, 5)
			if !reflect.DeepEqual(got, s.env) {
				t.Errorf("got %+v %+v\nwant %+v %+v", got, got.Msg, s.env, s.env.Msg)
			}
		})
	}
}

// TestRequestsMeetTheirAnswers: number, log and sender come back; a stream of answers to one request does too.
func TestRequestsMeetTheirAnswers(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	asker := join(t, testConfig(e, "p2", paxos.RoleProposer))
	learner := join(t, testConfig(e, "l1", paxos.RoleLearner))
	learner.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindRead, paxos.KindFetch}, Name: "l1"})
	for i, msg := range []paxos.Message{&paxos.Read{From: 1}, &paxos.Fetch{What: paxos.FetchChosen, From: 1, To: 1}} {
		env := request("l1", 0, msg)
		env.Request = uint64(i + 1)
		asker.send(t, env)
	}
	eventually(t, "both requests", func() bool { return len(learner.got()) == 2 })
	for _, env := range learner.got() {
		back := env
		back.From = "l1"
		switch env.Msg.(type) {
		case *paxos.Read:
			for n := range uint64(3) {
				back.Msg = &paxos.ReadAnswer{Learner: "l1", Number: n + 1}
				learner.send(t, back)
			}
		case *paxos.Fetch:
			back.Msg = &paxos.FetchAnswer{Voter: sampleVoter("l1"), From: 1}
			learner.send(t, back)
		}
	}
	eventually(t, "four answers", func() bool { return len(asker.got()) == 4 })
	for _, env := range asker.got() {
		want := uint64(1)
		if env.Msg.Kind() == paxos.KindFetchAnswer {
			want = 2
		}
		if env.Request != want || env.Log != "orders" || env.From != "l1" || env.Reply != "" || !env.Bulk {
			t.Errorf("answer %+v", env)
		}
	}
}

// TestAnswersOfOthersAreStrangers: an answer counts only under its number, from who was asked, for this run (PROTOCOL N2).
func TestAnswersOfOthersAreStrangers(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p2", paxos.RoleProposer))
	p.flush(t)
	nc := client(t, e)
	ask := request("a1", 0, &paxos.Ask{Asker: "p2", Run: 1})
	ask.Request = 5
	inbox := p.control.inbox.subject(&ask)
	ans := func(number uint64, name string) []byte {
		env := answer(&paxos.AskAnswer{Voter: sampleVoter(name)})
		env.Request = number
		b, err := Encode(nil, &env)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	beacon := answer(&paxos.Beacon{Proposer: "a1", Full: true})
	beacon.Request = 5
	b, err := Encode(nil, &beacon)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, subject, reply string
		data                 []byte
		reason               string
	}{
		{"another number", inbox, "", ans(6, "a1"), "stale"},
		{"another sender", inbox, "", ans(5, "a2"), "sender"},
		{"a reply", inbox, "_INBOX.x", ans(5, "a1"), "reply"},
		{"garbage", inbox, "", []byte("yes"), "magic"},
		{"empty", inbox, "", nil, "magic"},
		{"of a process, to what was asked of a log", inbox, "", b, "kind"},
		{"a broken inbox", strings.TrimSuffix(inbox, "a1") + "-", "", ans(5, "a1"), "subject"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := p.rejected(tt.reason)
			if err := nc.PublishMsg(&nats.Msg{Subject: tt.subject, Reply: tt.reply, Data: tt.data}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the rejection", func() bool { return p.rejected(tt.reason) == before+1 })
		})
	}
	if got := p.got(); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
	if err := nc.Publish(inbox, ans(5, "a1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the real one", func() bool { return len(p.got()) == 1 })
}

// TestNobodyHearsHimself: a leader's own accepts do not come back over its link, and asking for one's own identity finds others only.
func TestNobodyHearsHimself(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p1, p2 := join(t, testConfig(e, "p1", paxos.RoleProposer)), join(t, testConfig(e, "p2", paxos.RoleProposer))
	for _, p := range []*peer{p1, p2} {
		p.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	}
	p1.send(t, prepareAt(1))
	eventually(t, "arrival at the other", func() bool { return len(p2.got()) == 1 })
	p1.flush(t)
	if got := p1.got(); len(got) != 0 {
		t.Errorf("p1 heard itself: %+v", got)
	}
}

// TestN3EverySubscriberHearsEverything: with a queue group only one would.
func TestN3EverySubscriberHearsEverything(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	kinds := append(LeaderKinds(), paxos.KindPrepare, paxos.KindAccept)
	var peers []*peer
	for i := range 3 {
		p := join(t, testConfig(e, names(i), paxos.RoleProposer))
		p.subscribe(t, Interest{Kinds: kinds, Log: "orders"})
		peers = append(peers, p)
	}
	sender := join(t, testConfig(e, "p1", paxos.RoleProposer))
	sent := 0
	for _, s := range samples() {
		if slices.Contains(kinds, s.env.Msg.Kind()) {
			sender.send(t, s.env)
			sent++
		}
	}
	for _, p := range peers {
		eventually(t, "every message at every subscriber", func() bool { return len(p.got()) == sent })
	}
}

func TestSubscribeRefuses(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	for _, in := range []Interest{
		{Kinds: []paxos.Kind{paxos.KindAskAnswer}},
		{Kinds: []paxos.Kind{paxos.KindNone}},
		{Kinds: []paxos.Kind{paxos.KindAccept}, Log: "a.b"},
		{Kinds: []paxos.Kind{paxos.KindAccept}, Log: ">"},
		{Kinds: []paxos.Kind{paxos.KindAsk}, Name: "*"},
		{Kinds: []paxos.Kind{paxos.KindAccept, paxos.KindLive}, Name: "p1"},
	} {
		if _, err := p.Subscribe(in, p.handle); err == nil {
			t.Errorf("%+v taken", in)
		}
	}
	nc := client(t, e)
	if _, err := nc.Request("paxos.main.orders.accept.p9", nil, time.Second); err != nats.ErrNoResponders { //nolint:errorlint // returned bare
		t.Errorf("a failed Subscribe left subscriptions behind: %v", err)
	}
}

// TestGarbageOnEverySubject: garbage, truncated, oversized, wrong-version and wrongly addressed messages on every protocol
// subject reach no handler, and each is counted by its reason.
func TestGarbageOnEverySubject(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "x1", paxos.RoleAcceptor))
	nc := client(t, e)
	inbox := nc.NewInbox()
	for _, s := range samples() {
		if s.subject == "" {
			continue
		}
		a, err := testSubjects(t).Parse(s.subject)
		if err != nil {
			t.Fatal(err)
		}
		in := Interest{Kinds: []paxos.Kind{a.Kind}, Run: a.Run}
		if a.Run != 0 {
			in.Name = a.Name
		}
		sub := p.subscribe(t, in)
		whole := encodeUnchecked(t, &s.env)
		wrongVersion := slices.Clone(whole)
		wrongVersion[versionAt] = 9
		flipped := slices.Clone(whole)
		flipped[len(flipped)-1] ^= 1
		other := whole
		for _, o := range samples() {
			if o.env.Msg.Kind() != a.Kind {
				other = encodeUnchecked(t, &o.env)
				break
			}
		}
		longer := "checksum"
		if a.Kind == paxos.KindChosen {
			longer = "malformed" // what its body does not list is in no checksum
		}
		bad := []struct {
			data   []byte
			reason string
		}{
			{nil, "magic"},
			{[]byte("hello"), "magic"},
			{make([]byte, 1<<20), "magic"},
			{whole[:EnvelopeBytes-1], "truncated"},
			{append(slices.Clone(whole), 0), longer},
			{flipped, "checksum"},
			{wrongVersion, "version"},
			{other, "kind"},
		}
		for _, b := range bad {
			before := p.rejected(b.reason)
			m := &nats.Msg{Subject: s.subject, Data: b.data}
			if a.Kind.IsRequest() {
				m.Reply = inbox
			}
			if err := nc.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			eventually(t, s.name+" rejected as "+b.reason, func() bool { return p.rejected(b.reason) > before })
		}
		if err := sub.Stop(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.got(); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
}

// TestN2RepliesWhereTheyDoNotBelong: a reply on a broadcast, one to a protocol subject, none on a request.
func TestN2RepliesWhereTheyDoNotBelong(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "a1", paxos.RoleAcceptor))
	p.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare, paxos.KindAppend, paxos.KindBatch, paxos.KindAccept}})
	p.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindAsk, paxos.KindGet, paxos.KindFetch}, Name: "a1"})
	nc := client(t, e)
	ask := request("a1", 0, &paxos.Ask{Asker: "p2"})
	prepare := prepareAt(1)
	batch := request("", 0, &paxos.Batch{Batch: []byte("b")})
	const accept = "paxos.main.orders.accept.p1"
	abused, err := nc.SubscribeSync(accept)
	if err != nil {
		t.Fatal(err)
	}
	want := uint64(0)
	for _, m := range []*nats.Msg{
		{Subject: "paxos.main.orders.prepare.p1", Reply: "_INBOX.x", Data: encodeUnchecked(t, &prepare)},
		{Subject: "paxos.main.orders.ask.a1", Data: encodeUnchecked(t, &ask)},
		{Subject: "paxos.main.orders.ask.a1", Reply: accept, Data: encodeUnchecked(t, &ask)},
		{Subject: "paxos.main.orders.append", Reply: accept, Data: []byte("hello")},
		{Subject: "paxos.main.orders.batch", Reply: accept, Data: encodeUnchecked(t, &batch)},
		{Subject: "paxos.main.orders.get.a1", Reply: accept, Data: []byte(`{"from":1}`)},
		{Subject: "paxos.main.orders.get.a1", Reply: accept, Data: []byte(`garbage`)},
		{Subject: "paxos.main.orders.append", Reply: accept, Header: nats.Header{"Nats-Rollup": {"all"}}},
		{Subject: "paxos.main.orders.append", Reply: "_INBOX_other.x", Data: []byte("hello")},
	} {
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		want++
	}
	eventually(t, "the rejections", func() bool { return p.rejected("reply") == want })
	p.flush(t)
	if got := p.got(); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := abused.Pending(); n != 0 || err != nil {
		t.Errorf("%d answers published as p1's accepts, %v", n, err)
	}
	// Without a reply, an append and a batch are taken; nobody is answered.
	for _, m := range []*nats.Msg{
		{Subject: "paxos.main.orders.append", Data: []byte("hello")}, {Subject: "paxos.main.orders.batch", Data: encodeUnchecked(t, &batch)},
	} {
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both", func() bool { return len(p.got()) == 2 })
	for _, env := range p.got() {
		env.Msg = &paxos.BatchAnswer{Code: paxos.CodeAppended, Ballot: sampleBallot}
		if err := p.Send(&env); err != nil || env.Reply != "" {
			t.Errorf("answer to nobody: %q, %v", env.Reply, err)
		}
	}
}

// TestEmbeddedInProcess: connections without a socket carry the same messages.
func TestEmbeddedInProcess(t *testing.T) {
	e, err := embedded.Start(testContext(t), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	if e.ClientURL() != "" {
		t.Errorf("it listens on %q", e.ClientURL())
	}
	var peers []*peer
	for _, name := range []string{"p1", "a1"} {
		cfg := testConfig(nil, name, paxos.RoleAcceptor)
		cfg.InProcess = e
		peers = append(peers, join(t, cfg))
	}
	if e.Clients() != 4 {
		t.Errorf("%d connections", e.Clients())
	}
	peers[1].subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	peers[0].send(t, prepareAt(1))
	eventually(t, "arrival", func() bool { return len(peers[1].got()) == 1 })
}
