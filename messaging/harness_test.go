package messaging

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen; a test that passes waits far less.
const patience = 20 * time.Second

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startBroker runs an embedded server on a real socket of any port.
func startBroker(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	e, err := embedded.Start(testContext(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Shutdown)
	return e
}

// address returns host:port of a server.
func address(t *testing.T, e *embedded.Server) string {
	t.Helper()
	u, err := url.Parse(e.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// writeFile writes a file of this test.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// recorder keeps what handlers and observers are told.
type recorder struct {
	mu     sync.Mutex
	envs   []paxos.Envelope
	events []Event
	ups    []bool
}

func (r *recorder) handle(env *paxos.Envelope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.envs = append(r.envs, *env)
}

func (r *recorder) observe(ev Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
}

func (r *recorder) connection(up bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ups = append(r.ups, up)
}

func (r *recorder) got() []paxos.Envelope {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.envs)
}

func (r *recorder) connections() []bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ups)
}

// seen counts events of a kind.
func (r *recorder) seen(k EventKind) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, ev := range r.events {
		if ev.Kind == k {
			n++
		}
	}
	return n
}

// peer is a transport with what it received.
type peer struct {
	*Transport
	recorder
}

func testConfig(e *embedded.Server, name string, role paxos.Role) Config {
	cfg := Config{Cluster: "main", Name: name, Role: role, Run: 0xabc, Timeout: 2 * time.Second}
	if e != nil {
		cfg.URLs = []string{e.ClientURL()}
	}
	return cfg
}

// join connects a peer; its answers go to its recorder.
func join(t *testing.T, cfg Config) *peer {
	t.Helper()
	p := &peer{}
	cfg.Observe, cfg.OnConnection = p.observe, p.connection
	var err error
	if p.Transport, err = Connect(testContext(t), cfg, p.handle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		p.Close(ctx)
	})
	return p
}

// subscribe delivers to the peer's recorder, and returns once the broker knows.
func (p *peer) subscribe(t *testing.T, in Interest) *Subscription {
	t.Helper()
	s, err := p.Subscribe(in, p.handle)
	if err != nil {
		t.Fatal(err)
	}
	p.flush(t)
	return s
}

func (p *peer) flush(t *testing.T) {
	t.Helper()
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) send(t *testing.T, env paxos.Envelope) {
	t.Helper()
	if err := p.Send(&env); err != nil {
		t.Fatalf("send %s: %v", env.Msg.Kind(), err)
	}
}

// away reports whether both connections have noticed a break.
func (p *peer) away() bool { return !p.bulk.up.Load() && !p.control.up.Load() }

// age makes the connections old enough for a 503 to be believed.
func (p *peer) age() {
	for _, l := range []*link{p.bulk, p.control} {
		l.since.Store(0)
	}
}

// rejected returns how many messages were rejected for a reason.
func (p *peer) rejected(word string) uint64 { return p.Stats().Rejected[word] }

// client is a NATS client with no library of ours.
func client(t *testing.T, e *embedded.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(e.ClientURL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// prepareAt is a small broadcast that names a number.
func prepareAt(slot int) paxos.Envelope {
	return broadcast("p1", &paxos.Prepare{Ballot: sampleBallot, From: paxos.Slot(slot)})
}

// slots returns the numbers of the prepares among envs.
func slots(envs []paxos.Envelope) []int {
	var ns []int
	for i := range envs {
		if m, ok := envs[i].Msg.(*paxos.Prepare); ok {
			ns = append(ns, int(m.From))
		}
	}
	return ns
}

func names(n int) string { return fmt.Sprintf("n%d", n) }
