package configs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// Every subject in a permission is one that the transport builds: with wildcards filled in it parses.
func TestPermissionsAreSubjects(t *testing.T) {
	s, err := messaging.NewSubjects("paxos", "main")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range configs.ShippedTopology().Users() {
		for _, list := range [][]string{u.Access.Publish, u.Access.Subscribe} {
			for _, subject := range list {
				if strings.HasPrefix(subject, "_INBOX") || strings.HasPrefix(subject, "$SRV") || strings.Contains(subject, "._.stats.") {
					continue
				}
				if _, err := s.Parse(fill(subject)); err != nil {
					t.Errorf("%s: %s: %v", u.Name, subject, err)
				}
			}
		}
	}
}

// fill puts a word for each wildcard; as the sixth token, that of a run, a number.
func fill(subject string) string {
	tokens := strings.Split(subject, ".")
	for i := range tokens {
		if tokens[i] == "*" {
			tokens[i] = "x1"
			if i == 5 {
				tokens[i] = "1f"
			}
		}
	}
	return strings.Join(tokens, ".")
}

// Under the shipped broker configuration nobody speaks in another's name (PROTOCOL N1), and nobody hears everything (N4).
func TestN1BrokerHoldsNamesToBeTrue(t *testing.T) {
	url := startBroker(t)
	senders := map[paxos.Kind][]string{
		paxos.KindPrepare: {"p1", "p2"}, paxos.KindAccept: {"p1", "p2"}, paxos.KindBeacon: {"p1", "p2"}, paxos.KindLeader: {"p1", "p2"},
		paxos.KindPromise: {"a1", "a2", "a3"}, paxos.KindRefuse: {"a1", "a2", "a3"}, paxos.KindLearn: {"a1", "a2", "a3"}, paxos.KindBeat: {"a1", "a2", "a3"},
		paxos.KindReport:  {"l1", "l2"},
		paxos.KindGenesis: {"a1", "a2", "a3", "p1", "p2", "l1", "l2"},
	}
	nodes := map[string][]string{"n1": {"a1", "p1", "l1"}, "n2": {"a2", "p2", "l2"}, "n3": {"a3"}}
	for _, u := range configs.ShippedTopology().Users() {
		nc := connect(t, url, u.Name)
		for kind, names := range senders {
			for _, name := range names {
				subject := "paxos.main.main." + kind.String() + "." + name
				if kind == paxos.KindBeacon || kind == paxos.KindBeat {
					subject = "paxos.main._." + kind.String() + "." + name
				}
				want := name == u.Name
				for _, role := range nodes[u.Name] {
					want = want || role == name
				}
				if got := mayPublish(t, nc, subject); got != want {
					t.Errorf("%s may publish %s: %t", u.Name, subject, got)
				}
			}
		}
		for _, subject := range []string{">", "paxos.>", "paxos.main.main.>", "_INBOX_other.>"} {
			if maySubscribe(t, nc, subject) {
				t.Errorf("%s may subscribe to %s", u.Name, subject)
			}
		}
	}
}

// A client reaches leaders and learners, hears announcements and its own answers, and nothing else.
func TestClientReachesWhatItNeeds(t *testing.T) {
	url := startBroker(t)
	nc := connect(t, url, "client")
	for subject, want := range map[string]bool{
		"paxos.main.main.append": true, "paxos.main.main.batch": true, "paxos.main.main.open": true, "paxos.main.main.admin": false,
		"paxos.main.main.read.l1": true, "paxos.main.main.get.l1": true, "paxos.main._.ident.l1": true, "paxos.main._.ident.a1.1f": true,
		"$SRV.INFO": true, "$SRV.STATS.paxosd": true, "paxos.main.main.fetch.l1": false, "paxos.main.main.ask.a1": false,
		"paxos.main.main.live.p1.1f": false, "_INBOX_a1.x": false, "_INBOX.x": false,
	} {
		if got := mayPublish(t, nc, subject); got != want {
			t.Errorf("publish %s: %t, want %t", subject, got, want)
		}
	}
	for subject, want := range map[string]bool{
		"_INBOX.abc.*": true, "_INBOX_client.>": true, "paxos.main.*.leader.*": true, "_INBOX_a1.>": false, "_INBOX_admin.>": false,
		"paxos.main.*.accept.*": false, "paxos.main.*.append": false, "$SRV.>": false,
	} {
		if got := maySubscribe(t, nc, subject); got != want {
			t.Errorf("subscribe %s: %t, want %t", subject, got, want)
		}
	}
}

// A role's own inbox, as the transport names it, is open to it and to nobody else.
func TestInboxesArePrivate(t *testing.T) {
	url := startBroker(t)
	for _, u := range configs.ShippedTopology().Users() {
		nc := connect(t, url, u.Name)
		for _, owner := range []string{"a1", "p2", "l1"} {
			want := owner == u.Name || (u.Name == "n1" && owner != "p2") || (u.Name == "n2" && owner == "p2")
			if got := maySubscribe(t, nc, "_INBOX_"+owner+"."+owner+".bulk.1f.*.*.*"); got != want {
				t.Errorf("%s may subscribe to %s's inbox: %t", u.Name, owner, got)
			}
		}
	}
}

// startBroker runs a server with the shipped configuration on a free port.
func startBroker(t *testing.T) string {
	t.Helper()
	opts, err := server.ProcessConfigFile("broker.conf")
	if err != nil {
		t.Fatal(err)
	}
	opts.Port, opts.NoLog, opts.NoSigs = -1, true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the broker does not start")
	}
	return s.ClientURL()
}

func connect(t *testing.T, url, user string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.UserInfo(user, "change-me-"+user), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatalf("connect as %s: %v", user, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// mayPublish tries. The server's refusal comes before the answer to the flush, and stays the connection's last error: so it is
// looked for by its subject.
func mayPublish(t *testing.T, nc *nats.Conn, subject string) bool {
	t.Helper()
	if err := nc.Publish(subject, nil); err != nil {
		t.Fatal(err)
	}
	return !refused(t, nc, subject)
}

func maySubscribe(t *testing.T, nc *nats.Conn, subject string) bool {
	t.Helper()
	if _, err := nc.SubscribeSync(subject); err != nil {
		t.Fatal(err)
	}
	return !refused(t, nc, subject)
}

func refused(t *testing.T, nc *nats.Conn, subject string) bool {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	err := nc.LastError()
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "\""+strings.ToLower(subject)+"\"")
}
