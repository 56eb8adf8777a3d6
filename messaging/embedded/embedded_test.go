package embedded

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startBroker runs a server on a real socket of any port.
func startBroker(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	e, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	return e
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTakesAnyPort(t *testing.T) {
	a, b := startBroker(t, Config{}), startBroker(t, Config{})
	if a.ClientURL() == b.ClientURL() || strings.HasSuffix(a.ClientURL(), ":0") {
		t.Errorf("%q and %q", a.ClientURL(), b.ClientURL())
	}
}

// TestNamesATakenPort: the error says which address, and the first server goes on.
func TestNamesATakenPort(t *testing.T) {
	e := startBroker(t, Config{})
	at := strings.TrimPrefix(e.ClientURL(), "nats://")
	if _, err := Start(t.Context(), Config{Listen: at}); !errors.Is(err, ErrListen) || !strings.Contains(err.Error(), at) {
		t.Errorf("got %v", err)
	}
	nc, err := nats.Connect(e.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if e, err := Start(ctx, Config{Listen: "127.0.0.1:0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
		e.Shutdown()
	}
}

func TestRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no port":     {Listen: "127.0.0.1"},
		"named port":  {Listen: "127.0.0.1:nats"},
		"high port":   {Listen: "127.0.0.1:65536"},
		"no file":     {ConfigFile: "/nonexistent/broker.conf"},
		"broken file": {ConfigFile: writeFile(t, "broken.conf", "authorization {")},
		"JetStream":   {ConfigFile: writeFile(t, "js.conf", "jetstream { store_dir: \"/nonexistent\" }")},
	} {
		if e, err := Start(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
			e.Shutdown()
		}
	}
}

// TestDefaults: JetStream off, the payload that the logs need, and pings every 2 to 5 s (PROTOCOL N5).
func TestDefaults(t *testing.T) {
	opts, err := Config{}.options()
	if err != nil {
		t.Fatal(err)
	}
	if opts.JetStream || opts.MaxPayload != 1<<20 || opts.PingInterval.Seconds() != 3 || opts.MaxPingsOut != 2 || !opts.DontListen || !opts.NoSigs {
		t.Errorf("%+v", opts)
	}
	file := writeFile(t, "broker.conf", "ping_interval: 5s, max_payload: 2MB, port: 4333, host: 127.0.0.1, ping_max: 1")
	if opts, err = (Config{ConfigFile: file}).options(); err != nil {
		t.Fatal(err)
	}
	if opts.MaxPayload != 2<<20 || opts.PingInterval.Seconds() != 5 || opts.MaxPingsOut != 1 || opts.DontListen || opts.Port != 4333 {
		t.Errorf("the file's settings were lost: %+v", opts)
	}
}

func TestLogs(t *testing.T) {
	var mu sync.Mutex
	var b strings.Builder
	logger := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := startBroker(t, Config{Logger: logger})
	e.Shutdown()
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(b.String(), "Server is ready") {
		t.Errorf("logged: %s", b.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
