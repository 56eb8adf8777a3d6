package configs_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/paxos"
)

var update = flag.Lookup("update")

// The ready-to-run files are written by this package, so that permissions, names and keys in them cannot drift apart.
func TestShippedFilesAreGenerated(t *testing.T) {
	top := configs.ShippedTopology()
	files := configs.RoleFiles(top)
	files["example.yaml"] = configs.Example()
	files["broker.conf"] = configs.BrokerFile(top)
	files["broker-passwords.conf"] = configs.PasswordsFile(top)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if update.Value.String() == "true" {
			if err := os.WriteFile(name, files[name], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, files[name]) {
			t.Errorf("%s differs; write it again with: go test ./configs -update", name)
		}
	}
}

// Every shipped YAML file of a process loads and can run what its name says.
func TestShippedFilesAreValid(t *testing.T) {
	names, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var checked int
	listeners, founders := map[string]string{}, 0
	for _, name := range names {
		c, err := configs.ReadFile(name, nil, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := c.Validate(rolesOf(name)...); err != nil {
			t.Errorf("%s:\n%v", name, err)
		}
		if name == "example.yaml" {
			continue
		}
		checked++
		if other, taken := listeners[c.HTTP.Listen]; taken {
			t.Errorf("%s and %s listen on %s", name, other, c.HTTP.Listen)
		}
		listeners[c.HTTP.Listen] = name
		if c.Proposer.Found && !strings.HasPrefix(name, "node-") {
			founders++
		}
	}
	scraped, err := os.ReadFile("prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	for listen, name := range listeners {
		if !bytes.Contains(scraped, []byte("- "+listen+" ")) {
			t.Errorf("prometheus.yml does not scrape %s of %s", listen, name)
		}
	}
	if checked != 10 || founders != 1 {
		t.Errorf("%d files, %d founders among the single roles; want 10 and 1", checked, founders)
	}
}

func rolesOf(file string) []paxos.Role {
	switch {
	case strings.HasPrefix(file, "acceptor-"):
		return []paxos.Role{paxos.RoleAcceptor}
	case strings.HasPrefix(file, "proposer-"):
		return []paxos.Role{paxos.RoleProposer}
	case strings.HasPrefix(file, "learner-"):
		return []paxos.Role{paxos.RoleLearner}
	default:
		return nil
	}
}

// The server's own parser reads the shipped broker configuration as it is meant.
func TestBrokerFileParses(t *testing.T) {
	opts, err := server.ProcessConfigFile("broker.conf")
	if err != nil {
		t.Fatal(err)
	}
	if opts.MaxPayload != 1<<20 || opts.MaxPending != 64<<20 || opts.PingInterval.Seconds() != 3 || opts.MaxPingsOut != 2 || opts.Port != 4222 {
		t.Errorf("max_payload %d, max_pending %d, ping %v × %d, port %d", opts.MaxPayload, opts.MaxPending, opts.PingInterval, opts.MaxPingsOut, opts.Port)
	}
	users := configs.ShippedTopology().Users()
	if len(opts.Users) != len(users) {
		t.Fatalf("%d users, want %d", len(opts.Users), len(users))
	}
	for i, u := range opts.Users {
		want := users[i]
		if u.Username != want.Name || u.Password != "change-me-"+want.Name {
			t.Errorf("user %d: %q with password %q", i, u.Username, u.Password)
		}
		if !slices.Equal(u.Permissions.Publish.Allow, want.Access.Publish) || !slices.Equal(u.Permissions.Subscribe.Allow, want.Access.Subscribe) {
			t.Errorf("user %s: permissions differ", u.Username)
		}
	}
}
