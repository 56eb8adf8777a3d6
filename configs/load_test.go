package configs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/paxosd/paxosd/paxos"
)

// Each source beats those before it: default, file, environment, flag.
func TestSourcesRise(t *testing.T) {
	file := []byte("cluster: fromfile\nlogging:\n  level: warn\n  format: json\n")
	env := []string{"PAXOSD_LOGGING_LEVEL=error", "PAXOSD_LOGGING_FORMAT=text", "HOME=/nowhere"}
	c, err := Load(Input{Path: "x.yaml", File: file, Environment: env, Overrides: []Override{{Key: "logging.format", Value: "json", Flag: "--log-format"}}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Prefix != "paxos" || c.Cluster != "fromfile" || c.Logging.Level != "error" || c.Logging.Format != "json" {
		t.Errorf("prefix %q, cluster %q, level %q, format %q", c.Prefix, c.Cluster, c.Logging.Level, c.Logging.Format)
	}
	for key, want := range map[string]string{
		"prefix": "", "cluster": "x.yaml:1:1", "logging.level": "PAXOSD_LOGGING_LEVEL", "logging.format": "--log-format",
	} {
		if got := c.Source(key).String(); got != want {
			t.Errorf("source of %s: %q, want %q", key, got, want)
		}
	}
}

// Every key can be set by each of the sources, to a value other than its default.
func TestEveryKeyFromEverySource(t *testing.T) {
	for _, f := range fields(Default()) {
		before := f.kind.text()
		words, yamlText := otherValue(f.kind)
		check := func(source string, in Input) {
			t.Helper()
			c, err := Load(in)
			if err != nil {
				t.Errorf("%s from %s: %v", f.key, source, err)
				return
			}
			for _, g := range fields(c) {
				if g.key == f.key && g.kind.text() == before {
					t.Errorf("%s from %s: still %s", f.key, source, before)
				}
			}
		}
		check("the environment", Input{Environment: []string{Environment(f.key) + "=" + words}})
		check("a flag", Input{Overrides: []Override{{Key: f.key, Value: words, Flag: "--set"}}})
		text := f.key + ": " + yamlText + "\n"
		if s := f.section(); s != "" {
			text = s + ":\n  " + strings.TrimPrefix(f.key, s+".") + ": " + yamlText + "\n"
		}
		check("a file", Input{Path: "f.yaml", File: []byte(text)})
	}
}

// otherValue returns a value that no default has, as a word for variables and as YAML.
func otherValue(k kind) (words, yamlText string) {
	switch k := k.(type) {
	case listKind:
		return "x1, x2", "[x1, x2]"
	case intKind:
		return "77", "77"
	case bytesKind:
		return "77KiB", "77KiB"
	case durationKind:
		return "77ms", "77ms"
	case boolKind:
		if *k.p {
			return "false", "false"
		}
		return "true", "true"
	default:
		return "x1", "x1"
	}
}

func TestBadFiles(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"unknown key", "clutser: a\n", "f.yaml:1:1: clutser: unknown key; did you mean cluster?"},
		{"unknown nested key", "acceptor:\n  name: a1\n  dta: /x\n", "f.yaml:3:3: acceptor.dta: unknown key; did you mean acceptor.data?"},
		{"unknown far from all", "zzzzzzzzzzzz: a\n", "f.yaml:1:1: zzzzzzzzzzzz: unknown key; example.yaml lists all keys"},
		{"dotted key", "acceptor.name: a1\n", "f.yaml:1:1: acceptor.name: unknown key; write the part behind the dot as a key inside the section"},
		{"key twice", "cluster: a\nprefix: b\ncluster: c\n", "f.yaml:3:1: cluster: given twice, first in line 1; keep one"},
		{"nested key twice", "http:\n  listen: off\n  listen: \":1\"\n", "f.yaml:3:3: http.listen: given twice, first in line 2; keep one"},
		{"section twice", "http:\n  listen: off\nlogs: [a]\nhttp:\n  pprof: true\n", "f.yaml:4:1: http: given twice, first in line 1; keep one"},
		{"no value", "cluster:\n", "f.yaml:1:1: cluster: no value; want a word, or remove the key"},
		{"empty section", "acceptor:\nlogs: [a]\n", "f.yaml:1:1: acceptor: a section without keys; give it some or remove it"},
		{"section as word", "acceptor: a1\n", "f.yaml:1:11: acceptor: want keys with values here, not a word; write \"key: value\" lines"},
		{"word as map", "cluster: {a: b}\n", "f.yaml:1:10: cluster: want a word, not a map"},
		{"word as list", "cluster: [a]\n", "f.yaml:1:10: cluster: want a word, not a list"},
		{"list as word", "logs: a\n", "f.yaml:1:7: logs: want a list like [a, b], not a word"},
		{"list in list", "logs: [a, [b]]\n", "f.yaml:1:11: logs: want words in the list, not a list"},
		{"number", "quorum:\n  read: two\n", "f.yaml:2:3: quorum.read: \"two\" is no whole number; want a whole number"},
		{"boolean", "http:\n  pprof: yes\n", "f.yaml:2:3: http.pprof: \"yes\" is neither true nor false; want true or false"},
		{"duration", "protocol:\n  timeout: 1000\n", "f.yaml:2:3: protocol.timeout: \"1000\" is no duration; want a duration like 50ms or 1s"},
		{"size", "disk:\n  ballast: 1.5GiB\n", "f.yaml:2:3: disk.ballast: size \"1.5GiB\": want a whole number with a unit, like 16MiB; want a size like 16MiB"},
		{"size unit", "disk:\n  ballast: 1gb\n", "f.yaml:2:3: disk.ballast: size \"1gb\": unknown unit \"gb\": use B, KiB, MiB, GiB or TiB; want a size like 16MiB"},
		{"two documents", "cluster: a\n---\ncluster: b\n", "a second document; keep one document in the file"},
		{"anchor", "cluster: &x a\n", "f.yaml:1:10: cluster: want a word, not an anchor or alias"},
		{"alias", "cluster: *x\n", "cluster: want a word, not an anchor or alias"},
		{"tag", "cluster: !!str a\n", "f.yaml:1:10: cluster: want a word, not a tag"},
		{"merge", "<<: {cluster: a}\n", "a key that is a merge key; write plain keys; anchors, aliases, tags and merges are not read"},
		{"a list at the top", "- a\n- b\n", "f.yaml:1:1: want keys with values here, not a list"},
		{"no YAML", "cluster: [a\n", "no valid YAML"},
		{"tab", "http:\n\tlisten: off\n", "no valid YAML"},
		{"nesting", strings.Repeat("[", 5000), "f.yaml: brackets or lists are nested deeper than 32"},
		{"list nesting", "logs:\n" + strings.Repeat("- ", 30000), "f.yaml: brackets or lists are nested deeper than 32"},
		{"something else", strings.Repeat("a: b\n", 10000), "given twice"},
		{"length", strings.Repeat("# comment\n", MaxFileBytes/10+1), "more than 65536; is it the right file?"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(Input{Path: "f.yaml", File: []byte(tc.file)})
			var ps Problems
			if !errors.As(err, &ps) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

// All problems are told at once, in the order of the file, then the other sources.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Load(Input{
		Path: "f.yaml", File: []byte("prefx: a\ncluster: b\nclustr: c\n"),
		Environment: []string{"PAXOSD_PREFX=1"}, Overrides: []Override{{Key: "nods", Value: "x", Flag: "--set"}},
	})
	want := `f.yaml:1:1: prefx: unknown key; did you mean prefix?
f.yaml:3:1: clustr: unknown key; did you mean cluster?
PAXOSD_PREFX: no key has this variable; did you mean PAXOSD_PREFIX?
--set: nods: unknown key; did you mean node?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var p *Problem
	if !errors.As(err, &p) {
		t.Error("errors.As finds no *Problem")
	}
}

func TestEnvironmentOfOthersIsLeftAlone(t *testing.T) {
	env := []string{
		"PAXOSD_INBOX_PREFIX=_X", "PAXOSD_CONFIG=/etc/x", "PAXOSD_SERVICE_HOST=10.0.0.1", "PAXOSD_PORT=tcp://10.0.0.1:80",
		"PAXOSD_BROKER_SERVICE_PORT_CLIENT=4222", "PAXOSD_BROKER_PORT_4222_TCP_ADDR=10.0.0.1", "OTHER=1", "broken",
	}
	if _, err := Load(Input{Environment: env}); err != nil {
		t.Error(err)
	}
}

func TestDerived(t *testing.T) {
	for _, tc := range []struct {
		name string
		file string
		want Quorum
	}{
		{"three", "acceptors: [a, b, c]\nkeepers: [l, m]\n", Quorum{2, 2, 2}},
		{"five", "acceptors: [a, b, c, d, e]\nkeepers: [l, m, n]\n", Quorum{3, 3, 3}},
		{"one", "acceptors: [a]\nkeepers: [l]\n", Quorum{1, 1, 1}},
		{"one, two keepers", "acceptors: [a]\nkeepers: [l, m]\n", Quorum{1, 1, 2}},
		{"two", "acceptors: [a, b]\nkeepers: [l, m]\n", Quorum{2, 2, 2}},
		{"write given", "acceptors: [a, b, c, d, e]\nkeepers: [l, m]\nquorum: {write: 2}\n", Quorum{4, 2, 2}},
		{"read given", "acceptors: [a, b, c, d, e]\nkeepers: [l, m]\nquorum: {read: 2}\n", Quorum{2, 4, 4}},
		{"all given", "acceptors: [a, b, c]\nkeepers: [l, m, n]\nquorum: {read: 3, write: 2, keepers: 3}\n", Quorum{3, 2, 3}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Load(Input{File: []byte(tc.file)})
			if err != nil {
				t.Fatal(err)
			}
			if c.Quorum != tc.want {
				t.Errorf("got %+v, want %+v", c.Quorum, tc.want)
			}
		})
	}
	c, err := Load(Input{File: []byte("keepers: [l1, l2]\nlearner: {name: l2}\nproposer: {name: p1}\n")})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Learner.Keeper || !slices.Equal(c.Learners, []string{"l1", "l2"}) || c.Node != "l2" {
		t.Errorf("keeper %t, learners %v, node %q", c.Learner.Keeper, c.Learners, c.Node)
	}
	if got := c.Roles(); !slices.Equal(got, []paxos.Role{paxos.RoleLearner, paxos.RoleProposer}) {
		t.Errorf("roles %v", got)
	}
	if got := c.Broker.InboxFor("l2"); got != "_INBOX_l2" {
		t.Errorf("inbox %q", got)
	}
}

func TestFlags(t *testing.T) {
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	f := BindFlags(fs)
	if err := fs.Parse([]string{"--http", "off", "--set", "logs=a,b", "--set=protocol.timeout=2s", "--log-level=debug"}); err != nil {
		t.Fatal(err)
	}
	os, err := f.Overrides()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(Input{Overrides: os})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.Listen != "off" || !slices.Equal(c.Logs, []string{"a", "b"}) || c.Protocol.Timeout != 2*time.Second || c.Logging.Level != "debug" {
		t.Errorf("%+v %v %v %+v", c.HTTP, c.Logs, c.Protocol.Timeout, c.Logging)
	}
	fs = pflag.NewFlagSet("x", pflag.ContinueOnError)
	f = BindFlags(fs)
	if err := fs.Parse([]string{"--set", "logs"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Overrides(); err == nil || !strings.Contains(err.Error(), "write --set key=value") {
		t.Errorf("got %v", err)
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadFile(filepath.Join(dir, "none.yaml"), nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, []byte("cluster: c9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadFile(path, nil, nil)
	if err != nil || c.Cluster != "c9" {
		t.Errorf("cluster %v, %v", c, err)
	}
	if _, err := ReadFile(dir, nil, nil); err == nil {
		t.Error("a folder was read as a file")
	}
	if c, err := ReadFile("", nil, nil); err != nil || c.Cluster != "main" {
		t.Errorf("no file: %v, %v", c, err)
	}
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0": 0, "17": 17, "17B": 17, "4KiB": 4096, "16MiB": 16 << 20, "8GiB": 8 << 30, "1TiB": 1 << 40, "500MB": 500e6, "2 GB": 2e9, "1kB": 1000,
	} {
		got, err := ParseBytes(text)
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
		if back, err := ParseBytes(got.String()); err != nil || back != got {
			t.Errorf("%q: written %q, read back %d, %v", text, got, back, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "99999999999999999999", "9999999999TiB", "0x10", "1 XB"} {
		if b, err := ParseBytes(text); err == nil {
			t.Errorf("%q: read as %d", text, b)
		}
	}
}
