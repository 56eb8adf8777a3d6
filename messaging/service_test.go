package messaging

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

// ask gathers n answers to a request that many may answer.
func ask(t *testing.T, nc *nats.Conn, subject string, n int) []*nats.Msg {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	var ms []*nats.Msg
	for range n {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatalf("%s: %d of %d answers: %v", subject, len(ms), n, err)
		}
		ms = append(ms, m)
	}
	return ms
}

// TestRolesAreMicroServices: `nats micro ls`, info and stats show every instance, none hidden by a queue group.
func TestRolesAreMicroServices(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	logs := []LogIdentity{{"events", paxos.GenesisID{7}}, {"orders", sampleGenesis}}
	var services []*Service
	for _, name := range []string{"l1", "l2"} {
		p := join(t, testConfig(e, name, paxos.RoleLearner))
		s, err := p.Register(ServiceConfig{
			Version: "v1.2.3", Logs: logs, Stats: func() any { return map[string]any{"through": 42} },
		})
		if err != nil {
			t.Fatal(err)
		}
		p.flush(t)
		services = append(services, s)
	}
	nc := client(t, e)
	names := make(map[string]bool)
	for _, m := range ask(t, nc, "$SRV.INFO."+ServiceName(paxos.RoleLearner), 2) {
		var info micro.Info
		if err := json.Unmarshal(m.Data, &info); err != nil {
			t.Fatal(err)
		}
		got, err := LogsOf(info.Metadata)
		if err != nil || !reflect.DeepEqual(got, logs) {
			t.Errorf("logs %+v, %v", got, err)
		}
		meta := info.Metadata
		if info.Version != "1.2.3" || meta[MetaRole] != "learner" || meta[MetaCluster] != "main" || meta[MetaPrefix] != "paxos" ||
			meta[MetaRun] != "abc" || meta[MetaVersion] != "v1.2.3" {
			t.Errorf("info %+v", info)
		}
		for _, ep := range info.Endpoints {
			if ep.QueueGroup != "" {
				t.Errorf("endpoint %+v is in a queue group", ep)
			}
		}
		names[meta[MetaName]] = true
	}
	if !names["l1"] || !names["l2"] {
		t.Errorf("answered: %v", names)
	}
	for _, m := range ask(t, nc, "$SRV.STATS.paxosd-learner", 2) {
		var stats micro.Stats
		if err := json.Unmarshal(m.Data, &stats); err != nil || len(stats.Endpoints) != 1 || string(stats.Endpoints[0].Data) != `{"through":42}` {
			t.Errorf("stats %s, %v", m.Data, err)
		}
	}
	if m := ask(t, nc, "paxos.main._.stats.l2", 1)[0]; string(m.Data) != `{"through":42}` {
		t.Errorf("stats endpoint: %s", m.Data)
	}
	for _, s := range services {
		if err := s.Stop(testContext(t)); err != nil {
			t.Error(err)
		}
	}
	if _, err := nc.Request("$SRV.PING.paxosd-learner", nil, patience); err == nil {
		t.Error("a stopped service answers")
	}
}

// TestStatsEndpointAnswersInboxesOnly: PROTOCOL N2 holds for it too.
func TestStatsEndpointAnswersInboxesOnly(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	if _, err := p.Register(ServiceConfig{Version: "a development build"}); err != nil {
		t.Fatal(err)
	}
	p.flush(t)
	nc := client(t, e)
	sub, err := nc.SubscribeSync("paxos.main.orders.accept.p1")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("paxos.main._.stats.p1", "paxos.main.orders.accept.p1", nil); err != nil {
		t.Fatal(err)
	}
	ask(t, nc, "paxos.main._.stats.p1", 1) // handled after the first one
	if m, err := sub.NextMsg(10 * time.Millisecond); err == nil {
		t.Errorf("the proposer published %q as its accept", m.Data)
	}
}

func TestLogsOfRefuses(t *testing.T) {
	for _, meta := range []map[string]string{
		{MetaLogs: "a,b", MetaGeneses: "00"},
		{MetaLogs: "a", MetaGeneses: "zz"},
		{MetaLogs: "a b", MetaGeneses: sampleGenesis.String()},
	} {
		if got, err := LogsOf(meta); err == nil {
			t.Errorf("%v: %v", meta, got)
		}
	}
	if got, err := LogsOf(nil); err != nil || got != nil {
		t.Errorf("no logs: %v, %v", got, err)
	}
}
