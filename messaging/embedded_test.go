package messaging

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

func TestEmbeddedTakesAnyPort(t *testing.T) {
	a, b := startBroker(t, EmbeddedConfig{}), startBroker(t, EmbeddedConfig{})
	if a.ClientURL() == b.ClientURL() || strings.HasSuffix(a.ClientURL(), ":0") {
		t.Errorf("%q and %q", a.ClientURL(), b.ClientURL())
	}
}

// TestEmbeddedNamesATakenPort: the error says which address, and the first server goes on.
func TestEmbeddedNamesATakenPort(t *testing.T) {
	e := startBroker(t, EmbeddedConfig{})
	at := address(t, e)
	if _, err := StartEmbedded(testContext(t), EmbeddedConfig{Listen: at}); !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), at) {
		t.Errorf("got %v", err)
	}
	client(t, e)
}

func TestEmbeddedStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e, err := StartEmbedded(ctx, EmbeddedConfig{Listen: "127.0.0.1:0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
		e.Shutdown()
	}
}

func TestEmbeddedRefuses(t *testing.T) {
	for name, cfg := range map[string]EmbeddedConfig{
		"no port":     {Listen: "127.0.0.1"},
		"named port":  {Listen: "127.0.0.1:nats"},
		"high port":   {Listen: "127.0.0.1:65536"},
		"no file":     {ConfigFile: "/nonexistent/broker.conf"},
		"broken file": {ConfigFile: writeFile(t, "broken.conf", "authorization {")},
		"JetStream":   {ConfigFile: writeFile(t, "js.conf", "jetstream { store_dir: \"/nonexistent\" }")},
	} {
		if e, err := StartEmbedded(testContext(t), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
			e.Shutdown()
		}
	}
}

// TestEmbeddedDefaults: JetStream off, the payload that the logs need, and pings every 2 to 5 s (PROTOCOL N5).
func TestEmbeddedDefaults(t *testing.T) {
	opts, err := EmbeddedConfig{}.options()
	if err != nil {
		t.Fatal(err)
	}
	if opts.JetStream || opts.MaxPayload != 1<<20 || opts.PingInterval.Seconds() != 3 || opts.MaxPingsOut != 2 || !opts.DontListen || !opts.NoSigs {
		t.Errorf("%+v", opts)
	}
	file := writeFile(t, "broker.conf", "ping_interval: 5s, max_payload: 2MB, port: 4333, host: 127.0.0.1, ping_max: 1")
	if opts, err = (EmbeddedConfig{ConfigFile: file}).options(); err != nil {
		t.Fatal(err)
	}
	if opts.MaxPayload != 2<<20 || opts.PingInterval.Seconds() != 5 || opts.MaxPingsOut != 1 || opts.DontListen || opts.Port != 4333 {
		t.Errorf("the file's settings were lost: %+v", opts)
	}
}

// TestEmbeddedInProcess: connections without a socket carry the same messages.
func TestEmbeddedInProcess(t *testing.T) {
	e, err := StartEmbedded(testContext(t), EmbeddedConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	if e.ClientURL() != "" {
		t.Errorf("it listens on %q", e.ClientURL())
	}
	var peers []*peer
	for _, name := range []string{"p1", "a1"} {
		cfg := testConfig(nil, name, paxos.RoleAcceptor)
		cfg.InProcess = e
		peers = append(peers, join(t, cfg))
	}
	if e.Clients() != 4 {
		t.Errorf("%d connections", e.Clients())
	}
	peers[1].subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	peers[0].send(t, prepareAt(1))
	eventually(t, "arrival", func() bool { return len(peers[1].got()) == 1 })
}

func TestEmbeddedLogs(t *testing.T) {
	var mu sync.Mutex
	var b strings.Builder
	logger := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := startBroker(t, EmbeddedConfig{Logger: logger})
	e.Shutdown()
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(b.String(), "Server is ready") {
		t.Errorf("logged: %s", b.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
