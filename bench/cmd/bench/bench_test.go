//go:build e2e

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/paxosd/paxosd/bench/load"
	"github.com/paxosd/paxosd/bench/system"
	"github.com/paxosd/paxosd/bench/system/paxosd"
)

// TestMain also is the server processes of the peers, which are started from the binary that runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := command(context.Background(), os.Args[1:]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// TestEverySystem runs each system as processes under a little of each kind of load.
func TestEverySystem(t *testing.T) {
	if testing.Short() {
		t.SkipNow()
	}
	root, err := paxosd.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "paxosd")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/paxosd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for _, s := range systems() {
		t.Run(s.Name(), func(t *testing.T) {
			c, err := s.Start(ctx, system.Options{Dir: t.TempDir(), Logs: []string{mainLog, readLog}, Paxosd: binary})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}()
			short := load.Length{WarmUp: 100 * time.Millisecond, Measure: 300 * time.Millisecond}
			for _, w := range []load.Workload{
				{Name: "callers", Kind: load.Callers, Clients: 8, Size: 128},
				{Name: "pipelined", Kind: load.Pipelined, Window: 512, Size: 128},
				{Name: "tail", Kind: load.Tail, Rate: 200, Window: 64, Size: 128},
				{Name: "read", Kind: load.Read, Window: 512, Size: 128},
				{Name: "killed", Kind: load.Failover, Size: 128, Trials: 1},
			} {
				target := &load.Target{Cluster: c, Log: mainLog, Dir: t.TempDir(), Appended: map[string]uint64{}}
				if w.Kind == load.Read {
					target.Log = readLog
				}
				r, err := load.Run(ctx, target, &w, short)
				if err != nil && !isUnsupported(err) {
					t.Fatal(err)
				}
				if err == nil && (r.Entries == 0 || r.Errors > 0 && w.Kind != load.Failover) {
					t.Fatalf("%s: %+v", w.Name, r)
				}
			}
			for _, p := range c.Processes() {
				if u, err := system.Measure(p.PID); err != nil || u.Peak == 0 {
					t.Fatalf("%s: %+v %v", p.Name, u, err)
				}
			}
		})
	}
}
