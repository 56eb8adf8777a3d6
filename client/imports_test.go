package client_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCoresArePure holds the two cores to what a simulator can run: no clock, no lock, no goroutine's tools, no I/O.
func TestCoresArePure(t *testing.T) {
	allowed := map[string]bool{
		"math": true, "slices": true,
		"github.com/paxosd/paxosd/paxos": true, "github.com/paxosd/paxosd/paxos/value": true,
	}
	for _, dir := range []string{"session", "stream"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				if path, _ := strconv.Unquote(i.Path.Value); !allowed[path] {
					t.Errorf("%s imports %s", name, path)
				}
			}
		}
	}
}
