package paxosd_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

const (
	protocolDoc = "docs/protocol.md"
	testingDoc  = "docs/testing.md"

	// realBugs is how many rows the table of real systems' bugs has.
	realBugs = 28
)

// named is a test as docs/testing.md names it: `folder.TestName`, or `folder.TestTranscripts/file`; the folder of this file is
// written paxosd.
var named = regexp.MustCompile("`([a-z0-9_/]+)\\.((?:Test|Fuzz|Example)\\w*)(?:/([\\w.-]+))?`")

// row is one row of a table: its cells, without the bars.
type row struct {
	line  int
	cells []string
}

// rows returns the rows of all tables of a Markdown file, the heads left out.
func rows(t *testing.T, path string) (all []row) {
	t.Helper()
	lines := strings.Split(readDoc(t, path), "\n")
	for i, line := range lines {
		head := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "| --")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| --") || head {
			continue
		}
		r := row{line: i + 1}
		for _, c := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			r.cells = append(r.cells, strings.TrimSpace(c))
		}
		all = append(all, r)
	}
	return all
}

func readDoc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testNames returns the tests in a folder, files behind build tags included.
func testNames(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// Every test that docs/testing.md names is there: the function in its package, the transcript beside it.
func TestDocumentedTestsExist(t *testing.T) {
	folders := make(map[string]map[string]bool)
	seen := 0
	for i, line := range strings.Split(readDoc(t, testingDoc), "\n") {
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			seen++
			folder, name, transcript := m[1], m[2], m[3]
			if folder == "paxosd" {
				folder = "."
			}
			if folders[folder] == nil {
				folders[folder] = testNames(t, folder)
			}
			switch {
			case !folders[folder][name]:
				t.Errorf("%s:%d: there is no test %s in %s", testingDoc, i+1, name, m[1])
			case transcript != "":
				at := filepath.Join(filepath.FromSlash(folder), "testdata", "transcripts", transcript)
				if _, err := os.Stat(at); err == nil {
					continue
				}
				if _, err := os.Stat(at + ".txt"); err != nil {
					t.Errorf("%s:%d: there is no transcript %s in %s", testingDoc, i+1, transcript, m[1])
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("%s names %d tests: the check would hold for nothing", testingDoc, seen)
	}
}

// demands returns what docs/testing.md must have rows for: the id of every rule of docs/protocol.md, "8 Title" for each settled
// detail, and "ID schedule" as often as a rule has schedules.
func demands(t *testing.T) map[string]int {
	t.Helper()
	var (
		section = regexp.MustCompile(`^## (\d)\.`)
		rule    = regexp.MustCompile(`^\*\*([A-Z]\d+)\.`)
		detail  = regexp.MustCompile(`^\*\*([^*]+?)\.?\*\*`)
		italic  = regexp.MustCompile(`(?:^|[^*])\*([^*\s][^*]{40,})\*(?:[^*]|$)`)
	)
	want := make(map[string]int)
	at, id := "", ""
	var text strings.Builder
	end := func() {
		if n := len(italic.FindAllString(text.String(), -1)); n > 0 && id != "" && at != "8" {
			want[id+" schedule"] = n
		}
		text.Reset()
	}
	for _, line := range strings.Split(readDoc(t, protocolDoc), "\n") {
		if m := section.FindStringSubmatch(line); m != nil {
			end()
			if at, id = m[1], ""; at == "6" {
				id = "6"
			}
		} else if m := rule.FindStringSubmatch(line); m != nil {
			end()
			id = m[1]
		} else if m := detail.FindStringSubmatch(line); m != nil && at == "8" {
			id = "8 " + m[1]
		}
		if id != "" {
			want[id] = 1
		}
		text.WriteString(line + "\n")
	}
	end()
	if len(want) < 60 {
		t.Fatalf("%s has %d rules and schedules: it is read wrongly", protocolDoc, len(want))
	}
	return want
}

// Every rule, every schedule and every settled detail of docs/protocol.md has its row in docs/testing.md, and so has each of
// the bugs that real systems had. A row names a test, or says that there is none.
func TestEveryRuleHasARow(t *testing.T) {
	have := make(map[string]int)
	for _, r := range rows(t, testingDoc) {
		id, last := r.cells[0], r.cells[len(r.cells)-1]
		have[id]++
		tested := named.MatchString(last)
		if !tested && !strings.HasPrefix(last, "none") && !strings.HasPrefix(last, "cannot arise yet: ") && isRow(id) {
			t.Errorf("%s:%d: row %q names no test and does not say that there is none", testingDoc, r.line, id)
		}
	}
	want := demands(t)
	for n := range realBugs {
		want["bug "+strconv.Itoa(n+1)] = 1
	}
	ids := make([]string, 0, len(want))
	for id := range want {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if have[id] < want[id] {
			t.Errorf("%s has %d rows %q, want %d", testingDoc, have[id], id, want[id])
		}
	}
	for id := range have {
		if isRow(id) && want[id] == 0 {
			t.Errorf("%s has a row %q, but %s has no such rule", testingDoc, id, protocolDoc)
		}
	}
}

// isRow tells the tables of rules and bugs from others.
func isRow(id string) bool {
	return regexp.MustCompile(`^([A-Z]\d+|6|8 .+|bug \d+)( schedule)?$`).MatchString(id)
}

// docs/protocol.md, section 8, "Defaults", says the numbers that the code has.
func TestDefaultsAreTheProtocols(t *testing.T) {
	doc := readDoc(t, protocolDoc)
	_, doc, _ = strings.Cut(doc, "**Defaults.**")
	doc, _, ok := strings.Cut(doc, "\n**")
	if !ok {
		t.Fatalf("%s has no defaults", protocolDoc)
	}
	doc = strings.Join(strings.Fields(doc), " ")
	span := func(s paxos.Span) string {
		if d := time.Duration(s); d%time.Second != 0 {
			return fmt.Sprintf("%d ms", d.Milliseconds())
		}
		return fmt.Sprintf("%d s", int(time.Duration(s).Seconds()))
	}
	count := func(n int) string { // with a comma between thousands
		s := strconv.Itoa(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	}
	for _, want := range []string{
		"α " + count(paxos.DefaultWindow),
		"beacon " + span(paxos.DefaultBeaconEvery),
		"a standby asks after " + span(paxos.DefaultAskAfter) + " of silence",
		"silence and check-quorum time-out " + span(paxos.DefaultTimeout),
		"δ " + span(paxos.DefaultSuccessorStep),
		"progress limit " + span(paxos.DefaultProgressLimit),
		"accept resend " + span(paxos.DefaultResendFirst) + " → " + span(paxos.DefaultResendMax),
		"clock bound " + span(paxos.DefaultClockBound),
		"value ≤ " + count(paxos.DefaultValueLimit) + " B",
		"1 MiB − " + strconv.Itoa(paxos.PayloadHeadroom>>10) + " KiB",
		"batch ≤ value − " + strconv.Itoa(paxos.BatchHeadroom>>10) + " KiB and " + count(paxos.MaxBatchEntries) + " entries",
		"entry with headers ≤ " + count(paxos.MaxEntryBytes) + " B",
		"in flight " + strconv.Itoa(paxos.DefaultInFlightBytes>>20) + " MiB",
		"sessions N = " + count(paxos.DefaultSessions),
		"outcomes F = " + count(paxos.DefaultOutcomes),
		"message ids " + count(paxos.DefaultMessageIDs),
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("%s does not say %q", protocolDoc, want)
		}
	}
}
