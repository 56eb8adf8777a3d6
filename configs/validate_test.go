package configs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// good is a node with every role, to which each case adds overrides.
const good = `
acceptor: {name: a1, data: /d/a1}
proposer: {name: p1, found: true}
learner: {name: l1, data: /d/l1}
acceptors: [a1, a2, a3]
proposers: [p1, p2]
keepers: [l1, l2]
`

func loadWith(t *testing.T, overrides ...string) *Config {
	t.Helper()
	in := Input{Path: "f.yaml", File: []byte(good)}
	for _, o := range overrides {
		key, value, _ := strings.Cut(o, "=")
		in.Overrides = append(in.Overrides, Override{Key: key, Value: value, Flag: "--set"})
	}
	c, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoodIsValid(t *testing.T) {
	for _, roles := range [][]paxos.Role{nil, {paxos.RoleAcceptor}, {paxos.RoleProposer}, {paxos.RoleLearner}} {
		if err := loadWith(t).Validate(roles...); err != nil {
			t.Errorf("%v: %v", roles, err)
		}
	}
}

// Each impossible combination is refused with the key, its place, and what to do. Nothing else is found in it.
func TestImpossible(t *testing.T) {
	for _, tc := range []struct{ set, want string }{
		{"cluster=a.b", `--set: cluster: "a.b" is no valid name; use letters, digits, '-' and '_', at most 64, beginning with a letter or digit`},
		{"prefix=a..b", `prefix: "" is no valid name`},
		{"prefix=a.b.c.d.e.f.g.h.i", `prefix: "a.b.c.d.e.f.g.h.i" has more than 8 tokens; use paxos`},
		{"node=ä", `node: "ä" is no valid name`},
		{"acceptor.name=a9", `--set: acceptor.name: "a9" is not one of acceptors; add it to acceptors, in every file of the cluster`},
		{"acceptor.name=", `f.yaml:2:22: acceptor.name: missing beside acceptor.data; set it, or remove the section`},
		{"acceptor.data=", `acceptor.data: missing; name a folder that nothing else uses`},
		{"learner.data=/d/a1", `learner.data: /d/a1 is the acceptor's /d/a1, or one is inside the other; give each store a folder of its own, none inside another`},
		{"learner.data=/d/a1/x", `learner.data: /d/a1/x is the acceptor's /d/a1, or one is inside the other`},
		{"acceptor.data=/", `learner.data: /d/l1 is the acceptor's /, or one is inside the other`},
		{"learner.keeper=false", `learner.keeper: is false, but keepers says otherwise of "l1"; make the two agree, or remove learner.keeper`},
		{"acceptors=a1,a1,a3", `acceptors: "a1" is there twice; name each once`},
		{"acceptors=a1,p1,a3", `proposers: "p1" is in acceptors, too; give every process of the cluster a name of its own`},
		{"keepers=l1,a2", `keepers: "a2" is in acceptors, too; give every process of the cluster a name of its own`},
		{"keepers=l1,l1", `keepers: "l1" is there twice`},
		{"learners=l1", `keepers: "l2" is no learner; add it to learners`},
		{"logs=a,a", `logs: "a" is there twice`},
		{"logs=", `logs: empty, so that there is nothing to found; name a log, or set proposer.found to false`},
		{"logs=_", `logs: "_" is no valid name`},
		{"acceptors=", `acceptors: empty; list the cluster's acceptors, the same in every file`},
		{"quorum.write=1", `quorum.write: one vote of 3 acceptors: the loss of one disk would lose what was acknowledged; use 2 or more`},
		{"quorum.write=4", `quorum.write: 4 is not between 1 and 3 acceptors`},
		{"quorum.read=-1", `quorum.read: -1 is not between 1 and 3 acceptors`},
		{"quorum.read=1 quorum.write=2", `quorum.write: read 1 + write 2 do not exceed 3 acceptors: a candidate could miss what was acknowledged; raise one of them, or leave both out for majorities`},
		{"quorum.keepers=1", `quorum.keepers: k = 1 is below 2: acceptors would forget what too few copies hold`},
		{"quorum.keepers=3", `quorum.keepers: k = 3 keepers must hold an entry before acceptors may forget it, but there are 2 (W = 2); add keepers`},
		{"acceptors=a1,a2,a3,a4,a5", `f.yaml:7:1: keepers: k = 3 keepers must hold an entry before acceptors may forget it, but there are 2 (W = 3); add keepers`},
		{"broker.urls=", `broker.urls: empty; name a NATS server, like nats://127.0.0.1:4222`},
		{"broker.urls=http://u:secret@x:1", `broker.urls: "…@x:1" has a scheme that is not NATS's`},
		{"broker.urls=host", `broker.urls: "host" is no URL of a NATS server; write it like nats://host:4222`},
		{"broker.creds=/c broker.token=t", `broker.token: set beside broker.creds: a connection has one identity; keep one of them`},
		{"broker.password=x", `broker.password: a password without a user; set broker.user, too`},
		{"broker.user=x", `broker.user: a user without a password; set broker.password, best by PAXOSD_BROKER_PASSWORD`},
		{"broker.tls_cert=/c", `broker.tls_cert: a certificate without its key; set broker.tls_key, too`},
		{"broker.tls_key=/c", `broker.tls_key: a key without its certificate; set broker.tls_cert, too`},
		{"broker.inbox=_INBOX_x", `broker.inbox: "_INBOX_x" is the same for each of this process's roles; use _INBOX_{name}`},
		{"broker.inbox=_INBOX_{name}.>", `broker.inbox: "_INBOX_x.>" is no subject prefix`},
		{"broker.reply_to=_X", `broker.reply_to: has nothing that broker.inbox (_INBOX_{name}) begins with`},
		{"broker.reply_to=_INBOX_*,paxos.main", `broker.reply_to: "paxos.main" would let a request send the answer to the cluster's or the broker's own subjects; name inboxes only`},
		{"broker.reply_to=_INBOX_*,p*", `broker.reply_to: "p*" would let a request send`},
		{"broker.reply_to=_INBOX_*,$SRV", `broker.reply_to: "$SRV" would let a request send`},
		{"broker.reply_to=_INBOX_*,>", `broker.reply_to: "" is no subject prefix`},
		{"broker.max_payload=512KiB", `genesis.value_limit: 1008KiB does not fit into the broker's max_payload of 512KiB less 16KiB; lower it, or raise max_payload in the broker's configuration and broker.max_payload here`},
		{"broker.max_pending=32MiB", `protocol.in_flight: 16MiB is more than a quarter of the broker's max_pending, 32MiB: the broker would cut the leader off`},
		{"genesis.value_limit=1KiB", `genesis.value_limit: 1KiB is too small: want at least 16KiB`},
		{"genesis.window=1", `genesis.window: 1 is not between 2 and 65536 slots`},
		{"protocol.in_flight=100KiB", `protocol.in_flight: 100KiB is too small: want at least 1008KiB; a full value must fit (genesis.value_limit)`},
		{"protocol.beacon_every=80ms", `protocol.ask_after: 100ms is too short beside protocol.beacon_every: want at least 160ms`},
		{"protocol.ask_after=1s", `protocol.timeout: 1s is not above protocol.ask_after, 1s`},
		{"protocol.progress_limit=500ms protocol.resend_max=500ms", `protocol.progress_limit: 500ms is too short beside protocol.timeout: want at least 1s`},
		{"protocol.resend_max=50ms", `protocol.resend_max: 50ms is too short beside protocol.resend_first: want at least 100ms`},
		{"protocol.clock_bound=0s", `protocol.clock_bound: 0s is not between 10ms and 10m0s`},
		{"http.listen=7480", `http.listen: "7480" is no address; write it like 127.0.0.1:7480, or off`},
		{"http.listen=:99999", `http.listen: "99999" is no port; use a port from 0 to 65535`},
		{"http.listen=off http.pprof=true", `http.pprof: there is no listener to serve it on; set http.listen, or http.pprof to false`},
		{"logging.level=loud", `logging.level: "loud" is unknown; use debug, info, warn or error`},
		{"logging.format=xml", `logging.format: "xml" is unknown; use text or json`},
		{"disk.min_free=100", `disk.min_free: 100 is not between 0 and 90 percent`},
	} {
		t.Run(tc.set, func(t *testing.T) {
			err := loadWith(t, strings.Split(tc.set, " ")...).Validate()
			var ps Problems
			if !errors.As(err, &ps) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got  %v\nwant %s", err, tc.want)
			}
			if len(ps) != 1 && !strings.HasPrefix(tc.set, "keepers=") && !strings.HasPrefix(tc.set, "acceptors=") && !strings.HasPrefix(tc.set, "broker.reply_to=") {
				t.Errorf("%d problems, want one:\n%v", len(ps), err)
			}
		})
	}
}

// A role command needs its own section.
func TestRoleWithoutSection(t *testing.T) {
	c, err := Load(Input{Path: "f.yaml", File: []byte("proposers: [p1]\nacceptors: [a1]\nkeepers: [l1]\n")})
	if err != nil {
		t.Fatal(err)
	}
	for roles, want := range map[paxos.Role]string{
		paxos.RoleAcceptor: "f.yaml: acceptor.name: missing; set it to one of acceptors",
		paxos.RoleProposer: "f.yaml: proposer.name: missing; set it to one of proposers",
		paxos.RoleLearner:  "f.yaml: learner.name: missing; set it to one of learners",
	} {
		if err := c.Validate(roles); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := c.Validate(); err == nil || err.Error() != "f.yaml: the configuration has no role to run; add a section acceptor, learner or proposer" {
		t.Errorf("got %v", err)
	}
}

// What passes here as quorum sizes is a safe membership by the protocol's own rule, and the other way round.
func TestQuorumAgreesWithProtocol(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, keepers := rapid.IntRange(1, 7).Draw(rt, "n"), rapid.IntRange(1, 7).Draw(rt, "keepers")
		r, w, k := rapid.IntRange(1, 8).Draw(rt, "r"), rapid.IntRange(1, 8).Draw(rt, "w"), rapid.IntRange(1, 8).Draw(rt, "k")
		names := func(letter string, n int) string {
			s := make([]string, n)
			for i := range s {
				s[i] = fmt.Sprint(letter, i+1)
			}
			return strings.Join(s, ",")
		}
		c := loadWith(t,
			"acceptors="+names("a", n), "keepers="+names("l", keepers),
			fmt.Sprint("quorum.read=", r), fmt.Sprint("quorum.write=", w), fmt.Sprint("quorum.keepers=", k))
		got := c.Validate() == nil
		m := paxos.Membership{Epoch: 1, From: 1, Read: r, Write: w}
		for i := range n {
			m.Acceptors = append(m.Acceptors, paxos.Member{Name: fmt.Sprint("a", i+1), Incarnation: paxos.Incarnation{1, byte(i + 1)}})
		}
		ks := paxos.Keepers{Epoch: 1, K: k}
		for i := range keepers {
			ks.Members = append(ks.Members, paxos.Member{Name: fmt.Sprint("l", i+1), Incarnation: paxos.Incarnation{2, byte(i + 1)}})
		}
		want := quorum.Validate(&m) == nil && quorum.ValidateKeepers(&ks, &m) == nil
		// Of one acceptor, several keepers with k = 1 are safe for the protocol; here k = 1 wants one keeper, so that nobody
		// with two disks believes both hold everything.
		if n == 1 && k == 1 && keepers > 1 {
			want = false
		}
		if got != want {
			rt.Fatalf("n=%d keepers=%d R=%d W=%d k=%d: configuration valid %t, membership safe %t: %v", n, keepers, r, w, k, got, want, c.Validate())
		}
	})
}
