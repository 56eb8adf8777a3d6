//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paxosd/paxosd/client"
)

// TestDamagedStore: one flipped bit in an acceptor's newest log file, and one in a learner's. The process ends at its start with
// code 3, says what is damaged and what to do, and never answers from that store again. Appends go on without it.
func TestDamagedStore(t *testing.T) {
	c := newCluster(t)
	log := c.sdk().Log("main")
	for range 200 {
		if _, err := log.Append(t.Context(), client.Entry{Payload: []byte(strings.Repeat("x", 1000))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"a1", "l1"} {
		c.procs[n].stop(t, syscall.SIGKILL)
		files, err := filepath.Glob(filepath.Join(c.dir, n, "pebble", "*.log"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no log file: %v", n, err)
		}
		file := files[len(files)-1]
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A new store's log file ends in zeros, which mean nothing: the bit is one of those that were written.
		b[len(bytes.TrimRight(b, "\x00"))/3] ^= 4
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second start finds the mark that the first one left
			_, stderr, code := c.run(nil, c.procs[n].args...)
			if code != 3 || !strings.Contains(stderr, "corrupt") {
				t.Errorf("%s on a damaged store: exit code %d:\n%s", n, code, stderr)
			}
			t.Log(lastLine(stderr))
		}
	}
	c.waitAppend(10 * time.Second)
}

// TestFullAcceptors: acceptors that cannot forget, because a keeper is away, refuse batches at their high-water mark, with
// an error that names the keeper; they go on once it is back.
func TestFullAcceptors(t *testing.T) {
	c := newCluster(t, "--set", "disk.high_water=128MiB")
	log := c.sdk().Log("main")
	c.procs["l2"].stop(t, syscall.SIGKILL)
	payload := []byte(strings.Repeat("x", 900_000))
	var refused error
	until(t, 60*time.Second, "an append is refused for want of space", func() bool {
		try, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, refused = log.Append(try, client.Entry{Payload: payload})
		return errors.Is(refused, client.ErrFull)
	})
	t.Log(refused)
	if !strings.Contains(refused.Error(), "l2") {
		t.Errorf("the error does not name the keeper that lags: %v", refused)
	}
	// What was on its way when the acceptors became full may have an unknown outcome: its leader gave way, and the next one adopted it or not. What
	// is begun now is refused for certain.
	try, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, refused = c.sdk().Log("main").Append(try, client.Entry{Payload: payload})
	t.Log(refused)
	if !errors.Is(refused, client.ErrFull) || !errors.Is(refused, client.ErrRefused) || !strings.Contains(refused.Error(), "l2") {
		t.Errorf("the error does not name the keeper that lags: %v", refused)
	}
	c.procs["l2"].start(t)
	until(t, 60*time.Second, "appends go on", func() bool {
		try, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err := log.Append(try, client.Entry{Payload: payload})
		return err == nil
	})
}

// TestDiskWithoutRoom: an acceptor and a learner whose file systems are full end, and say why; appends and readers go on with the others.
// With room again they start on the same store, and nothing is missing. Neither starts on a read-only file system.
func TestDiskWithoutRoom(t *testing.T) {
	c := newCluster(t, "--set", "disk.min_free=0")
	log := c.sdk().Log("main")
	victims := []string{"a3", "l2"}
	for _, n := range victims {
		c.procs[n].stop(t, syscall.SIGTERM)
		mountSmall(t, filepath.Join(c.dir, n), "80m")
		c.procs[n].start(t)
	}
	c.waitAppend(10 * time.Second)
	var fillers []string
	for _, n := range victims {
		fillers = append(fillers, fillUp(t, filepath.Join(c.dir, n)))
	}
	payload := []byte(strings.Repeat("x", 100_000))
	appended := 0
	until(t, 60*time.Second, "both have ended", func() bool {
		if _, err := log.Append(t.Context(), client.Entry{Payload: payload}); err != nil {
			t.Fatal(err)
		}
		appended++
		return !c.procs["a3"].runs() && !c.procs["l2"].runs()
	})
	for _, n := range victims {
		if code, said := c.procs[n].ended(t, time.Second); code != 1 || !strings.Contains(lastLine(said), "no space left on device") {
			t.Errorf("%s on a full disk: exit code %d: %s", n, code, lastLine(said))
		} else {
			t.Log(lastLine(said))
		}
	}
	for _, f := range fillers {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range victims {
		remount(t, filepath.Join(c.dir, n), true)
		_, stderr, code := c.run(nil, c.procs[n].args...)
		if code != 1 || !strings.Contains(stderr, "read-only file system") {
			t.Errorf("%s on a read-only disk: exit code %d:\n%s", n, code, stderr)
		} else {
			t.Log(lastLine(stderr))
		}
		remount(t, filepath.Join(c.dir, n), false)
		c.procs[n].start(t)
	}
	// The two that were away are needed now.
	until(t, 30*time.Second, "a3 and l2 are back", func() bool {
		a, _, errA := c.procs["a3"].get("/readyz")
		l, _, errL := c.procs["l2"].get("/readyz")
		return errA == nil && errL == nil && a == 200 && l == 200
	})
	c.procs["a1"].stop(t, syscall.SIGKILL)
	c.procs["l1"].stop(t, syscall.SIGKILL)
	c.waitAppend(10 * time.Second)
	held := 0
	for _, p := range c.readAll(t) {
		if p == string(payload) {
			held++
		}
	}
	if held != appended {
		t.Errorf("%d entries acknowledged, %d in the log", appended, held)
	}
	c.procs["l1"].start(t)
	c.sameHash(t)
}

// TestSmallPayload: a broker whose messages are too small for the log is refused, with an error that says what it needs.
func TestSmallPayload(t *testing.T) {
	c := newCluster(t)
	for _, n := range c.order[1:] {
		c.procs[n].stop(t, syscall.SIGTERM)
	}
	c.procs["broker"].stop(t, syscall.SIGTERM)
	conf, err := os.ReadFile(filepath.Join(root(t), "configs", "broker.conf"))
	if err != nil {
		t.Fatal(err)
	}
	passwords, err := os.ReadFile(filepath.Join(root(t), "configs", "broker-passwords.conf"))
	if err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(c.dir, "broker.conf")
	if err := os.WriteFile(small, []byte(strings.Replace(string(conf), "max_payload: 1048576", "max_payload: 65536", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "broker-passwords.conf"), passwords, 0o644); err != nil {
		t.Fatal(err)
	}
	c.procs["broker"].args = []string{"broker", "--config", small, "--listen", c.host}
	c.procs["broker"].start(t)
	_, stderr, code := c.run(nil, c.procs["a1"].args...)
	if code != 1 || !strings.Contains(stderr, "max_payload") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	t.Log(lastLine(stderr))
}
