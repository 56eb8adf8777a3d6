package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/configs"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The storage engine and the embedded broker keep a few goroutines of the process's own.
		goleak.IgnoreAnyFunction("github.com/cockroachdb/pebble/v2/internal/cache.(*evictionWorker).run"),
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
	)
}

// command runs one command line in this process.
func command(ctx context.Context, in string, args ...string) (stdout, stderr string, code int) {
	var o, e bytes.Buffer
	code = run(ctx, args, stdio{in: strings.NewReader(in), out: &o, err: &e})
	return o.String(), e.String(), code
}

// TestHelp holds every command's help to its golden file: it is part of the contract.
func TestHelp(t *testing.T) {
	for _, k := range []string{"NATS_URL", "NATS_CREDS", "PAXOSD_CLUSTER", "PAXOSD_PREFIX", "PAXOSD_INBOX_PREFIX"} {
		t.Setenv(k, "")
	}
	var walk func(c *cobra.Command, path []string)
	walk = func(c *cobra.Command, path []string) {
		name := strings.Join(append([]string{"paxosd"}, path...), "-")
		t.Run(name, func(t *testing.T) {
			out, stderr, code := command(t.Context(), "", append(path, "--help")...)
			if code != exitDone || stderr != "" {
				t.Fatalf("exit code %d, standard error %q", code, stderr)
			}
			golden := filepath.Join("testdata", "help", name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out != string(want) {
				t.Errorf("help of %s has changed; if that is meant, run 'go test ./cmd/paxosd -update':\n%s", name, out)
			}
		})
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
				walk(sub, append(append([]string(nil), path...), sub.Name()))
			}
		}
	}
	walk(newRoot(stdio{out: io.Discard, err: io.Discard}), nil)
}

// TestUsage: what is wrong on the command line exits with 2 and says what to do.
func TestUsage(t *testing.T) {
	for _, x := range []struct {
		want string
		args []string
	}{
		{"unknown command", []string{"frobnicate"}},
		{"unknown flag", []string{"append", "--frobnicate"}},
		{"unknown command", []string{"append", "extra"}},
		{"--expect-last", []string{"append", "--expect-last", "-1"}},
		{"--listen", []string{"dev", "--listen", "127.0.0.1:99999"}},
		{"--logs is empty", []string{"dev", "--logs", ""}},
		{"is there twice", []string{"dev", "--logs", "a,a"}},
		{"--whole", []string{"append", "--whole", "--skip", "3"}},
		{"--http", []string{"dev", "--http", "nonsense"}},
		{"--config is missing", []string{"learner"}},
		{"no valid name", []string{"append", "--log", "a b"}},
		{"no valid name", []string{"dev", "--logs", "a.b"}},
		{"no valid name", []string{"last", "--cluster", "*"}},
		{"want raw or json", []string{"subscribe", "-o", "xml"}},
		{"offsets begin at 1", []string{"subscribe", "--from", "0"}},
		{"want first, next", []string{"subscribe", "--from", "yesterday"}},
		{"no --from beside it", []string{"subscribe", "--from", "first", "--since", "5m"}},
		{"number from 1", []string{"get", "0"}},
		{"--delimiter is empty", []string{"append", "--delimiter", ""}},
		{"only to logs whose names begin", []string{"bench", "--log", "main"}},
		{"must be positive", []string{"last", "--timeout", "0s"}},
	} {
		_, stderr, code := command(t.Context(), "", x.args...)
		if code != exitUsage || !strings.Contains(stderr, x.want) {
			t.Errorf("%v: exit code %d, standard error %q; want 2 and %q", x.args, code, stderr, x.want)
		}
	}
}

// TestApplicationIsComplete: every part of every kind of process finds what it needs.
func TestApplicationIsComplete(t *testing.T) {
	std := stdio{out: io.Discard, err: io.Discard}
	cfg, ps := devConfig(devOptions{data: t.TempDir(), http: httpOff, level: "warn", logs: []string{"main"}}, "nats://127.0.0.1:1")
	if err := fx.ValidateApp(application(cfg, ps, std, fx.Populate(new(*httpServer)))); err != nil {
		t.Errorf("dev: %v", err)
	}
	files, err := filepath.Glob("../../configs/*-[apln123]*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, f := range files {
		cfg, err := configs.ReadFile(f, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := fx.ValidateApp(application(cfg, parts(cfg), std)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// output is a standard output that a test waits on.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	poke(o.more)
	return o.text.Write(b)
}

// wait returns the first match of pattern's first group, once it is there.
func (o *output) wait(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(30 * time.Second)
	for {
		o.mu.Lock()
		m := re.FindStringSubmatch(o.text.String())
		o.mu.Unlock()
		if m != nil {
			return m[1]
		}
		select {
		case <-o.more:
		case <-limit:
			t.Fatalf("no %q in time in:\n%s", pattern, o.text.String())
		}
	}
}

// startDev runs dev in this process on free ports, and returns the broker's URL, that of its HTTP pages, and how to stop it.
func startDev(t *testing.T, args ...string) (url, web string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := newOutput()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"dev", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...), stdio{in: strings.NewReader(""), out: out, err: out})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-done; code != exitDone {
			t.Errorf("dev ended with code %d:\n%s", code, out.text.String())
		}
	})
	t.Cleanup(stop)
	url = out.wait(t, `ready: .* at (\S+)`)
	web = out.wait(t, `http:\s+(http://[^/]+)`)
	return url, web, stop
}

// TestDev: what the README shows works, and a restart on the same folder finds everything again.
func TestDev(t *testing.T) {
	data := t.TempDir()
	url, _, stop := startDev(t, "--data", data, "--logs", "main,other")
	ctx := t.Context()
	var in strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&in, "entry %d\n", i)
	}
	out, stderr, code := command(ctx, in.String(), "append", "--server", url)
	if code != exitDone || out != "appended 5000 entries to main: offsets 1-5000\n" {
		t.Fatalf("append: %d, %q, %q", code, out, stderr)
	}
	read := func(url string) {
		t.Helper()
		out, stderr, code := command(ctx, "", "subscribe", "--server", url, "--from", "first", "--count", "5000", "--follow=false")
		if code != exitDone || out != in.String() {
			t.Fatalf("subscribe: code %d, %d bytes instead of %d, %q", code, len(out), in.Len(), stderr)
		}
	}
	read(url)
	for _, x := range []struct {
		want string
		args []string
	}{
		{"5000\n", []string{"last"}},
		{"entry 41\n", []string{"get", "42"}},
		{`"data":"entry 41"`, []string{"get", "42", "-o", "json"}},
		{"other", []string{"log", "list"}},
		{"leader", []string{"status"}},
		{`"hashes_agree": true`, []string{"status", "--json"}},
		{"nobody else answers", []string{"doctor"}},
	} {
		out, stderr, code := command(ctx, "", append(x.args, "--server", url)...)
		if code != exitDone || !strings.Contains(out, x.want) {
			t.Errorf("%v: code %d, %q, %q; want %q", x.args, code, out, stderr, x.want)
		}
	}
	if _, stderr, code := command(ctx, "", "dev", "--data", data, "--listen", "127.0.0.1:0", "--http", "off"); code != exitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("a second dev on the folder: code %d, %q", code, stderr)
	}
	stop()
	url, _, _ = startDev(t, "--data", data, "--logs", "main,other")
	read(url)
}

// TestDevTakenPort: the error names the flag.
func TestDevTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, stderr, code := command(t.Context(), "", "dev", "--listen", l.Addr().String(), "--http", "off")
	if code != exitFailed || !strings.Contains(stderr, "--listen") {
		t.Errorf("taken broker port: code %d, %q", code, stderr)
	}
	_, stderr, code = command(t.Context(), "", "dev", "--listen", "127.0.0.1:0", "--http", l.Addr().String())
	if code != exitFailed || !strings.Contains(stderr, "--http") {
		t.Errorf("taken HTTP port: code %d, %q", code, stderr)
	}
}

// TestN4DoctorFindsListeners: a subscription to everything makes a missing leader look like a slow one, and a stream answers appends
// itself; doctor finds both.
func TestN4DoctorFindsListeners(t *testing.T) {
	url, _, _ := startDev(t)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, x := range []struct {
		want string
		hear nats.MsgHandler
	}{
		{"somebody listens to everything", func(*nats.Msg) {}},
		{"somebody who is no leader answers", func(m *nats.Msg) { _ = m.Respond([]byte(`{"stream":"S","seq":1}`)) }},
	} {
		sub, err := nc.Subscribe("paxos.>", x.hear)
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		out, stderr, code := command(t.Context(), "", "doctor", "--server", url)
		if code != exitFailed || !strings.Contains(out, x.want) {
			t.Errorf("code %d, want %q:\n%s%s", code, x.want, out, stderr)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

// An interrupt ends append at once though its input gives nothing more: what was given is settled, what is read afterwards is not appended.
func TestInterruptedAppend(t *testing.T) {
	url, _, stop := startDev(t)
	defer stop()
	in, give := io.Pipe()
	defer give.Close()
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	out, errs := newOutput(), newOutput()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"append", "--json", "--server", url}, stdio{in: in, out: out, err: errs})
	}()
	for i := range 3 {
		if _, err := fmt.Fprintf(give, "entry %d\n", i+1); err != nil {
			t.Fatal(err)
		}
	}
	c, done := connected(t, url)
	defer done()
	l := c.Log("main")
	for e, err := range l.Subscribe(t.Context(), client.First()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Offset == 3 {
			break
		}
	}
	interrupt()
	if c := <-code; c != exitFailed {
		t.Errorf("exit code %d, want %d", c, exitFailed)
	}
	if said := errs.wait(t, `(?s)(interrupted.*go on with --skip \d+)`); !strings.Contains(said, "interrupted") || !strings.Contains(said, "--skip 3") {
		t.Errorf("it said %q", said)
	}
	go func() { _, _ = give.Write([]byte("late\n")) }()
	if last, err := l.LastOffset(t.Context()); err != nil || last != 3 {
		t.Errorf("last offset %d, %v; want 3", last, err)
	}
}

func connected(t *testing.T, url string) (*client.Client, func()) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	return c, func() { c.Close(); nc.Close() }
}

// TestBenchExplains: the stages of an append add up to the whole, none is negative, and a disk was written to.
func TestBenchExplains(t *testing.T) {
	url, _, _ := startDev(t, "--data", t.TempDir(), "--logs", "bench")
	for _, mode := range []string{"callers", "pipelined"} {
		out, stderr, code := command(t.Context(), "", "bench", "--server", url, "--mode", mode, "--seconds", "0.3", "--explain", "--json")
		var r benchResult
		if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitDone {
			t.Fatalf("bench: code %d, %v in %q, %q", code, err, out, stderr)
		}
		if len(r.Explained) != 2 || r.Explained[0].Total > r.Explained[1].Total {
			t.Fatalf("%s: %+v", mode, r.Explained)
		}
		for _, e := range r.Explained {
			sum, fsync := 0.0, 0.0
			for _, s := range e.Stages {
				sum += s.Time
				if s.Time < 0 {
					t.Errorf("%s: %s took %f us", mode, s.Name, s.Time)
				}
				if s.Name == "fsync" {
					fsync = s.Time
				}
			}
			if e.Batches == 0 || e.Total <= 0 || math.Abs(sum-e.Total) > 1 || fsync <= 0 {
				t.Errorf("%s: %d batches, stages of %f us in all, of which fsync %f, explain %f us", mode, e.Batches, sum, fsync, e.Total)
			}
		}
	}
	out, stderr, code := command(t.Context(), "", "bench", "--server", url, "--seconds", "0.3", "--explain")
	if code != exitDone || strings.Count(out, "fsync") != 2 || strings.Count(out, "in all") != 2 {
		t.Fatalf("bench: code %d, %q, %q", code, out, stderr)
	}
}
