// Package paxosd_test holds what is true of the whole repository: which package may import which, and what no file may have.
package paxosd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/paxosd/paxosd"

// listed is what `go list` says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

// folder returns the package's folder in the repository, or "" for others' packages.
func (p *listed) folder() string {
	f, ok := strings.CutPrefix(p.ImportPath, module+"/")
	if !ok {
		return ""
	}
	return f
}

// packages lists the repository's own packages, with their direct imports and all they depend on. Tests do not count.
func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Standard,Imports,Deps", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages: the rules would hold for nothing", len(all))
	}
	return all
}

// within reports whether a folder is one of the trees, or below one.
func within(folder string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return folder == tree || strings.HasPrefix(folder, tree+"/") })
}

// Imports among our own packages go one way: cmd → node → roles → quorum, value → paxos; client → messaging → paxos; wal →
// paxos. A folder that is not in the table fails, so that a new one is thought about.
func TestImportsGoOneWay(t *testing.T) {
	cores := []string{"paxos"}
	rules := []struct {
		folders []string // exactly these, or with "/…" their trees
		may     []string // trees; exactly "=paxos" is the vocabulary alone
	}{
		{[]string{"paxos"}, nil},
		{[]string{"paxos/quorum"}, []string{"=paxos"}},
		{[]string{"paxos/value"}, []string{"=paxos", "paxos/quorum"}},
		{[]string{"paxos/…"}, cores},
		{[]string{"wal/…"}, []string{"=paxos", "paxos/value", "wal"}},
		{[]string{"messaging/…"}, []string{"=paxos", "paxos/value", "messaging"}},
		{[]string{"metrics/…", "configs/…"}, []string{"=paxos"}},
		{[]string{"client/…"}, []string{"=paxos", "paxos/value", "messaging", "client"}},
		{[]string{"node/…"}, []string{"paxos", "node"}},
		{[]string{"sim/…"}, []string{"paxos", "node", "wal", "client/session", "client/stream", "sim"}},
		{[]string{"counts"}, nil}, // tests alone
		{[]string{"cmd/…", "bench/…", "e2e/…"}, []string{"paxos", "node", "wal", "messaging", "client", "metrics", "configs", "cmd", "bench", "e2e"}},
	}
	for _, p := range packages(t) {
		folder := p.folder()
		if folder == "" {
			continue
		}
		i := slices.IndexFunc(rules, func(r struct{ folders, may []string }) bool {
			return slices.ContainsFunc(r.folders, func(f string) bool {
				tree, deep := strings.CutSuffix(f, "/…")
				return folder == tree || deep && within(folder, tree)
			})
		})
		if i < 0 {
			t.Errorf("%s: no rule says what it may import", folder)
			continue
		}
		for _, imported := range p.Imports {
			own, ok := strings.CutPrefix(imported, module+"/")
			if ok && !mayImport(rules[i].may, own) {
				t.Errorf("%s imports %s", folder, own)
			}
		}
	}
}

func mayImport(may []string, folder string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		if exact, ok := strings.CutPrefix(m, "="); ok {
			return folder == exact
		}
		return within(folder, m)
	})
}

// The cores are deterministic: no clock, no goroutine's tools, no I/O, no randomness, no log lines. Direct imports are
// looked at, since the standard library's own packages import each other.
func TestCoresAreDeterministic(t *testing.T) {
	banned := []string{
		"bufio", "context", "crypto/rand", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2", "net", "os", "os/exec", "os/signal",
		"path/filepath", "runtime", "runtime/debug", "sync", "sync/atomic", "syscall", "testing", "time", "unsafe",
	}
	for _, p := range packages(t) {
		if !within(p.folder(), "paxos") && p.folder() != "client/session" {
			continue
		}
		for _, imported := range p.Imports {
			if slices.Contains(banned, imported) || strings.HasPrefix(imported, "net/") {
				t.Errorf("%s imports %s", p.folder(), imported)
			}
		}
	}
}

// Other people's modules stay where they belong, however long the way by which they would come in.
func TestModulesStayInTheirPlace(t *testing.T) {
	const (
		nats       = "github.com/nats-io/"
		server     = "github.com/nats-io/nats-server/"
		pebble     = "github.com/cockroachdb/"
		protobuf   = "google.golang.org/protobuf/"
		fx         = "go.uber.org/fx"
		prometheus = "github.com/prometheus/"
		cobra      = "github.com/spf13/cobra"
		yaml       = "github.com/goccy/go-yaml"
	)
	all := packages(t)
	for _, rule := range []struct {
		trees []string
		never []string
	}{
		{[]string{"paxos", "client/session"}, []string{nats, pebble, protobuf, fx, prometheus, cobra, yaml}},
		{[]string{"node"}, []string{nats, pebble, protobuf, fx, prometheus, cobra, yaml}},
		{[]string{"wal"}, []string{nats, fx, cobra, yaml}},
		{[]string{"messaging", "client"}, []string{pebble, fx, prometheus, cobra, yaml}},
		{[]string{"client"}, []string{server}},
		{[]string{"metrics"}, []string{nats, pebble, fx, cobra, yaml}},
		{[]string{"configs"}, []string{nats, pebble, protobuf, fx, prometheus, cobra}},
		{[]string{"sim"}, []string{nats, fx, cobra}},
	} {
		for _, p := range all {
			if !within(p.folder(), rule.trees...) {
				continue
			}
			for _, dep := range p.Deps {
				for _, never := range rule.never {
					if strings.HasPrefix(dep, never) {
						t.Errorf("%s depends on %s", p.folder(), dep)
					}
				}
			}
		}
	}
}

// PROTOCOL N3: no queue groups, on no subject.
func TestN3NoQueueGroups(t *testing.T) {
	word := regexp.MustCompile(`\.(Chan)?QueueSubscribe(Sync\w*)?\(`)
	forFiles(t, ".go", func(path string, text []byte) {
		if !strings.HasSuffix(path, "_test.go") && word.Match(text) {
			t.Errorf("%s subscribes in a queue group", path)
		}
	})
}

// Names of metrics stand in one file.
func TestMetricNamesInOneFile(t *testing.T) {
	word := regexp.MustCompile(`"paxosd_[a-z]`)
	forFiles(t, ".go", func(path string, text []byte) {
		if path != "metrics/names.go" && !strings.HasSuffix(path, "_test.go") && word.Match(text) {
			t.Errorf("%s names a metric; names belong into metrics/names.go", path)
		}
	})
}

// No file knows the machine that it was written on.
func TestNoMachinePaths(t *testing.T) {
	// In halves, so that this file does not have them itself.
	for _, word := range []string{"/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/"} {
		forFiles(t, "", func(path string, text []byte) {
			if i := bytes.Index(text, []byte(word)); i >= 0 {
				t.Errorf("%s:%d has the path %s", path, 1+bytes.Count(text[:i], []byte("\n")), word)
			}
		})
	}
}

// forFiles calls f with every text file of the repository whose name ends in suffix.
func forFiles(t *testing.T, suffix string, f func(path string, text []byte)) {
	t.Helper()
	skip := []string{".git", "bin", "dist", "data"}
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skip, path) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(path, suffix) || binaryName(path) {
			return nil
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a test of another package removed its own file meanwhile
		}
		if err != nil {
			return err
		}
		if !bytes.ContainsRune(text, 0) {
			seen++
			f(filepath.ToSlash(path), text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Fatalf("%d files looked at: the rule would hold for nothing", seen)
	}
}

// binaryName reports what builds and profiling leave behind.
func binaryName(path string) bool {
	for _, end := range []string{".test", ".prof", ".out"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}
