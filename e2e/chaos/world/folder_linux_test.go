package world

import (
	"os"
	"path/filepath"
	"testing"
)

// fill puts into a folder what a cluster leaves.
func fill(t *testing.T, dir string) {
	t.Helper()
	cluster := filepath.Join(dir, "cluster-1")
	if err := os.MkdirAll(cluster, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a1.image", "a1.log"} {
		if err := os.WriteFile(filepath.Join(cluster, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func has(path ...string) bool {
	_, err := os.Lstat(filepath.Join(path...))
	return err == nil
}

func TestFoldersOfKilledRunsAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	next := func() *Folder {
		t.Helper()
		f, err := NewFolder("chaos-")
		if err != nil {
			t.Fatal(err)
		}
		fill(t, f.Dir)
		return f
	}
	killed, failed, running := next(), next(), next()
	if err := killed.lock.Close(); err != nil { // as the kernel does
		t.Fatal(err)
	}
	if err := failed.Keep(); err != nil {
		t.Fatal(err)
	}
	stranger := filepath.Join(os.TempDir(), "chaos-of-somebody-else")
	fill(t, stranger)
	if err := os.WriteFile(filepath.Join(stranger, markName), []byte("5"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(os.TempDir(), "other")
	fill(t, other)
	if err := os.Symlink(other, filepath.Join(os.TempDir(), "chaos-link")); err != nil {
		t.Fatal(err)
	}
	last := next()
	if has(killed.Dir) {
		t.Error("the folder of a run that was killed is still there")
	}
	if !has(failed.Dir, "cluster-1", "a1.log") || has(failed.Dir, "cluster-1", "a1.image") {
		t.Error("of a run that failed, not exactly what processes said is left")
	}
	if !has(running.Dir, "cluster-1", "a1.image") {
		t.Error("something of a run that goes on was removed")
	}
	if !has(stranger, "cluster-1", "a1.log") || !has(other, "cluster-1", "a1.image") {
		t.Error("something of somebody else was removed")
	}
	if err := last.Remove(); err != nil || has(last.Dir) {
		t.Errorf("a run that passed left its folder: %v", err)
	}
	if err := running.Remove(); err != nil {
		t.Error(err)
	}
}
