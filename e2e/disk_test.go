//go:build e2e

package e2e

import (
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
		b[len(b)/3] ^= 4
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
	if !errors.Is(refused, client.ErrRefused) || !strings.Contains(refused.Error(), "l2") {
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
