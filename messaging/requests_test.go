package messaging

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

// leaderOf answers appends of a log from a function.
func leaderOf(t *testing.T, e *embedded.Server, answer func(m *paxos.Append) paxos.BatchAnswer) *peer {
	t.Helper()
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	_, err := p.Subscribe(Interest{Kinds: LeaderKinds(), Log: "orders", Generation: 3}, func(env *paxos.Envelope) {
		p.handle(env)
		if m, ok := env.Msg.(*paxos.Append); ok {
			a := answer(m)
			back := paxos.Envelope{Log: env.Log, Genesis: sampleGenesis, From: "p1", Reply: env.Reply, Msg: &a}
			if err := p.Send(&back); err != nil {
				t.Errorf("answer: %v", err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p.flush(t)
	return p
}

// TestPlainAppend: `nats req paxos.main.orders.append hello` gets JSON and, where it fails, the headers that NATS users know.
func TestPlainAppend(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := leaderOf(t, e, func(m *paxos.Append) paxos.BatchAnswer {
		switch {
		case m.MessageID == "again":
			return paxos.BatchAnswer{Code: paxos.CodeDuplicate, First: 3}
		case m.HasExpect && m.Expect != 41:
			return paxos.BatchAnswer{Code: paxos.CodeConditionFails, Last: 41}
		}
		return paxos.BatchAnswer{Code: paxos.CodeAppended, First: 42, Checksum: paxos.Sum(m.Payload)}
	})
	nc := client(t, e)
	for _, tt := range []struct {
		name   string
		header nats.Header
		body   string
		code   string
	}{
		{"plain", nil, `{"log":"orders","offset":42}`, ""},
		{"duplicate", nats.Header{HeaderMessageID: {"again"}}, `{"log":"orders","offset":3,"duplicate":true}`, ""},
		{"condition holds", nats.Header{HeaderExpectedLast: {"41"}}, `{"log":"orders","offset":42}`, ""},
		{
			"condition fails",
			nats.Header{HeaderExpectedLast: {"7"}},
			`{"log":"orders","last":41,"error":{"code":400,"description":"wrong last sequence: 41"}}`, "400",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := nc.RequestMsg(&nats.Msg{Subject: "paxos.main.orders.append", Header: tt.header, Data: []byte("hello")}, patience)
			if err != nil {
				t.Fatal(err)
			}
			if string(m.Data) != tt.body || m.Header.Get(HeaderErrorCode) != tt.code || m.Header.Get(HeaderGenesis) != sampleGenesis.String() {
				t.Errorf("got %s, %v", m.Data, m.Header)
			}
		})
	}
	if m := msg[*paxos.Append](&p.got()[0]); m.Generation != 3 || string(m.Payload) != "hello" {
		t.Errorf("the leader got %+v", m)
	}
}

// TestPlainAppendRefusedForItsHeaders: the author learns which, and no leader sees the entry.
func TestPlainAppendRefusedForItsHeaders(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := leaderOf(t, e, func(*paxos.Append) paxos.BatchAnswer { return paxos.BatchAnswer{Code: paxos.CodeAppended, First: 1} })
	m, err := client(t, e).RequestMsg(&nats.Msg{Subject: "paxos.main.orders.append", Header: nats.Header{"Nats-Rollup": {"all"}}}, patience)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get(HeaderErrorCode) != "431" || !strings.Contains(m.Header.Get(HeaderError), "Nats-Rollup") {
		t.Errorf("got %v %s", m.Header, m.Data)
	}
	if got := p.got(); len(got) != 0 {
		t.Errorf("the leader got %+v", got)
	}
}

// TestPlainAppendWithBrokenHeaders: the client library passes such a message on as one without headers, a message id lost.
func TestPlainAppendWithBrokenHeaders(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := leaderOf(t, e, func(*paxos.Append) paxos.BatchAnswer { return paxos.BatchAnswer{Code: paxos.CodeAppended, First: 1} })
	c, err := net.Dial("tcp", address(t, e))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	header := "NATS/1.0\r\nno colon here\r\n\r\n"
	fmt.Fprintf(c, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB paxos.main.orders.append %d %d\r\n%shello\r\nPING\r\n",
		len(header), len(header)+len("hello"), header)
	eventually(t, "the rejection", func() bool { return p.rejected("malformed") == 1 })
	if got := p.got(); len(got) != 0 {
		t.Errorf("the leader got %+v", got)
	}
	_, _ = io.Copy(io.Discard, readable(c))
}

// readable closes c for reading soon, so that a copy ends.
func readable(c net.Conn) io.Reader {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.CloseRead()
	}
	return c
}

func TestPlainGet(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	l := join(t, testConfig(e, "l1", paxos.RoleLearner))
	_, err := l.Subscribe(Interest{Kinds: []paxos.Kind{paxos.KindGet}, Name: "l1"}, func(env *paxos.Envelope) {
		l.handle(env)
		back := *env
		m := msg[*paxos.Get](env)
		back.Msg = &paxos.GetAnswer{Learner: "l1", Last: 9, Entries: []paxos.Entry{{Offset: m.From, Payload: []byte("hi")}}}
		if err := l.Send(&back); err != nil {
			t.Errorf("answer: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.flush(t)
	nc := client(t, e)
	m, err := nc.Request("paxos.main.orders.get.l1", []byte(`{"from":4,"max":2}`), patience)
	if err != nil {
		t.Fatal(err)
	}
	var got EntriesJSON
	if err := json.Unmarshal(m.Data, &got); err != nil || got.Last != 9 || len(got.Entries) != 1 || !strings.Contains(string(got.Entries[0]), `"data":"hi"`) {
		t.Errorf("got %s, %v", m.Data, err)
	}
	m, err = nc.Request("paxos.main.orders.get.l1", []byte(`{"from":0}`), patience)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get(HeaderErrorCode) != "406" || !strings.Contains(m.Header.Get(HeaderError), "offsets begin at 1") {
		t.Errorf("got %v %s", m.Header, m.Data)
	}
	if n := len(l.got()); n != 1 {
		t.Errorf("the learner got %d requests", n)
	}
}

// TestEnvelopedAnswersToPlainRequests: a service that mixes up what it answers is told so, and nothing leaves.
func TestEnvelopedAnswersToPlainRequests(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	for _, env := range []paxos.Envelope{
		{Log: "orders", Genesis: sampleGenesis, From: "a1", Reply: "a_INBOX.x", Msg: &paxos.AskAnswer{Voter: sampleVoter("a1")}},
		{Log: "orders", Genesis: sampleGenesis, From: "p1", Reply: "g_INBOX.x", Msg: &paxos.BatchAnswer{Code: paxos.CodeTail, Ballot: sampleBallot}},
		{Log: "orders", Genesis: sampleGenesis, Reply: "x", Msg: &paxos.GetAnswer{}},
	} {
		if err := p.Send(&env); Reason(err) != "reply" {
			t.Errorf("%s to %q: %v", env.Msg.Kind(), env.Reply, err)
		}
	}
}
