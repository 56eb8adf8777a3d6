package system

import (
	"path/filepath"
	"testing"
)

// A process that cannot be started is reported as that, and is none of those that run.
func TestProcessThatDoesNotStart(t *testing.T) {
	g := Group{Dir: t.TempDir()}
	if err := g.Start("a1", "acceptor", nil, filepath.Join(g.Dir, "none")); err == nil {
		t.Error("it started")
	}
	if ps := g.Processes(); len(ps) != 0 {
		t.Errorf("%v run", ps)
	}
	if g.Kill("a1") == nil {
		t.Error("it was killed")
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
