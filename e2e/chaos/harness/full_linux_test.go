package harness

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// A process whose write failed on its full disk may still run when the disk has room again, and end then: once, and for that reason.
func TestAFullDiskMayEndAProcessLate(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	r := &role{full: true, proc: &world.Process{
		Name: "l2", Machine: &world.Namespace{}, Path: "/bin/sh", Output: out,
		Args: []string{"-c", "echo write: no space left on device; exit 1"},
	}}
	ends := func() {
		t.Helper()
		if !r.proc.Ends(time.Minute) {
			t.Fatal("it does not end")
		}
	}
	if err := r.proc.Start(); err != nil {
		t.Fatal(err)
	}
	ends()
	c := &Cluster{}
	if err := c.ended(t.Context(), r); err != nil {
		t.Errorf("it ended of its full disk: %v", err)
	}
	ends()
	if err := c.ended(t.Context(), r); !errors.Is(err, errViolated) {
		t.Errorf("it ended again, with room: %v", err)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	r.full, r.fullSince = true, info.Size()
	if err := c.ended(t.Context(), r); !errors.Is(err, errViolated) {
		t.Errorf("it said nothing since the disk was filled: %v", err)
	}
}
