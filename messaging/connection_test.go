package messaging

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

// TestN503ComesBackAsNoResponders: the broker says at once that nobody listens.
func TestN503ComesBackAsNoResponders(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p2", paxos.RoleProposer))
	p.age()
	for i, bulk := range []bool{false, true} {
		env := request("a1", 0, &paxos.Ask{Asker: "p2"})
		env.Request, env.Bulk = uint64(i+1), bulk
		start := time.Now()
		p.send(t, env)
		eventually(t, "the 503", func() bool { return len(p.got()) == i+1 })
		got := p.got()[i]
		if got.Msg.Kind() != paxos.KindNoResponders || got.Request != env.Request || got.From != "a1" || got.Log != "orders" {
			t.Errorf("got %+v %v after %s", got, got.Msg, time.Since(start))
		}
	}
}

// TestN5YoungConnectionsBelieveNo503 is the rule "after a reconnect no 503 counts for one time-out": the subscriptions of others may
// not be back yet.
func TestN5YoungConnectionsBelieveNo503(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p2", paxos.RoleProposer))
	env := request("a1", 0, &paxos.Ask{Asker: "p2"})
	p.send(t, env)
	eventually(t, "the 503 to be passed over", func() bool { return p.Stats().Suppressed == 1 })
	p.age()
	p.send(t, env)
	eventually(t, "the 503 to count", func() bool { return len(p.got()) == 1 })

	if err := p.control.nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reconnect", func() bool { return p.seen(EventReconnected) == 1 && p.Up() })
	p.send(t, env)
	eventually(t, "the 503 to be passed over again", func() bool { return p.Stats().Suppressed == 2 })
	if got := p.got(); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestN5NothingIsKeptForLater is the schedule "a publish made while disconnected arrived 1.3 s late": what is sent
// while the broker is away is dropped and counted, what is sent after arrives.
func TestN5NothingIsKeptForLater(t *testing.T) {
	at := freeAddress(t)
	e := startBroker(t, embedded.Config{Listen: at})
	sender, receiver := join(t, testConfig(e, "p1", paxos.RoleProposer)), join(t, testConfig(e, "a1", paxos.RoleAcceptor))
	receiver.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	sender.send(t, prepareAt(1))
	eventually(t, "the first", func() bool { return len(receiver.got()) == 1 })

	e.Shutdown()
	eventually(t, "both to notice", func() bool { return sender.away() && receiver.away() })
	for i := range 100 {
		env := prepareAt(1000 + i)
		if err := sender.Send(&env); !errors.Is(err, ErrDisconnected) {
			t.Fatalf("sent while away: %v", err)
		}
	}
	startBroker(t, embedded.Config{Listen: at})
	eventually(t, "both to be back", func() bool {
		return sender.seen(EventReconnected) == 2 && receiver.seen(EventReconnected) == 2 && sender.Up() && receiver.Up()
	})
	receiver.flush(t)
	sender.send(t, prepareAt(2))
	eventually(t, "the second", func() bool { return len(receiver.got()) >= 2 })
	if got := slots(receiver.got()); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("arrived: %v", got)
	}
	if s := sender.Stats(); s.Dropped["disconnected"] != 100 || s.Reconnects != 2 {
		t.Errorf("%+v", s)
	}
	eventually(t, "the owner to be told", func() bool {
		return slices.Equal(sender.connections(), []bool{true, false, true})
	})
}

// TestN5WhatWaitedBeforeABreakDoesNotLeaveAfterIt: the queue too is part of the connection that broke.
func TestN5WhatWaitedBeforeABreakDoesNotLeaveAfterIt(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	sender, receiver := join(t, testConfig(e, "p1", paxos.RoleProposer)), join(t, testConfig(e, "a1", paxos.RoleAcceptor))
	receiver.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	stale := prepareAt(1)
	b := getBuffer()
	b.b = append(b.b, encodeUnchecked(t, &stale)...)
	l := sender.control
	it := item{subject: "paxos.main.orders.prepare.p1", epoch: l.epoch.Load(), data: b}
	l.down() // the break, and at once the connection is back
	l.up.Store(true)
	if err := l.out.put(it); err != nil {
		t.Fatal(err)
	}
	sender.send(t, prepareAt(2))
	eventually(t, "what was queued after", func() bool { return len(receiver.got()) >= 1 })
	if got := slots(receiver.got()); !slices.Equal(got, []int{2}) || sender.Stats().Dropped["disconnected"] != 1 {
		t.Errorf("arrived: %v, %+v", got, sender.Stats())
	}
}

func TestConnectWaitsForABrokerThatIsDown(t *testing.T) {
	at := freeAddress(t)
	p := &peer{}
	cfg := testConfig(nil, "p1", paxos.RoleProposer)
	cfg.URLs, cfg.Observe, cfg.OnConnection = []string{"nats://user:secret@" + at}, p.observe, p.connection
	ctx := testContext(t)
	done := make(chan error, 1)
	go func() {
		var err error
		p.Transport, err = Connect(ctx, cfg, nil)
		done <- err
	}()
	eventually(t, "it to say that it waits", func() bool { return p.seen(EventWaiting) == 1 })
	p.recorder.mu.Lock()
	text := p.events[0].Err.Error()
	p.recorder.mu.Unlock()
	if !strings.Contains(text, at) || strings.Contains(text, "secret") {
		t.Errorf("it says %q", text)
	}
	startBroker(t, embedded.Config{Listen: at})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	if !p.Up() || p.seen(EventConnected) != 2 || !slices.Equal(p.connections(), []bool{true}) {
		t.Errorf("up %t, connections told %v", p.Up(), p.connections())
	}
}

func TestConnectGivesUpWithItsContext(t *testing.T) {
	cfg := testConfig(nil, "p1", paxos.RoleProposer)
	cfg.URLs = []string{"nats://" + freeAddress(t)}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Connect(ctx, cfg, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestSmallMaxPayloadIsRefused: at start, and at a broker that is met again (PROTOCOL P11).
func TestSmallMaxPayloadIsRefused(t *testing.T) {
	small := startBroker(t, embedded.Config{MaxPayload: 64 << 10})
	_, err := Connect(testContext(t), testConfig(small, "p1", paxos.RoleProposer), nil)
	if !errors.Is(err, ErrMaxPayload) || !strings.Contains(err.Error(), "65536") || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("got %v", err)
	}

	at := freeAddress(t)
	e := startBroker(t, embedded.Config{Listen: at})
	cfg := testConfig(e, "p1", paxos.RoleProposer)
	cfg.Timeout = 200 * time.Millisecond
	p := join(t, cfg)
	e.Shutdown()
	e = startBroker(t, embedded.Config{Listen: at, MaxPayload: 64 << 10})
	eventually(t, "the small broker to be refused", func() bool { return p.seen(EventMaxPayload) >= 2 })
	env := prepareAt(1)
	if err := p.Send(&env); !errors.Is(err, ErrDisconnected) || p.Up() {
		t.Errorf("sent to a broker that is too small: %v", err)
	}
	e.Shutdown()
	startBroker(t, embedded.Config{Listen: at})
	eventually(t, "a fitting broker to be taken", p.Up)
}

func TestWrongPasswordFailsAtOnce(t *testing.T) {
	file := writeFile(t, "broker.conf", `authorization { user: p1, password: right }`)
	e := startBroker(t, embedded.Config{ConfigFile: file, Listen: "127.0.0.1:0"})
	cfg := testConfig(e, "p1", paxos.RoleProposer)
	cfg.Credentials = Credentials{User: "p1", Password: "wrong"}
	if _, err := Connect(testContext(t), cfg, nil); !errors.Is(err, nats.ErrAuthorization) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	cfg.Credentials.Password = "right"
	join(t, cfg)
}

func TestConfigRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Config){
		"no URL":           func(c *Config) { c.URLs = nil },
		"bad name":         func(c *Config) { c.Name = "p 1" },
		"bad cluster":      func(c *Config) { c.Cluster = "" },
		"bad prefix":       func(c *Config) { c.Prefix = "a..b" },
		"run 0":            func(c *Config) { c.Run = 0 },
		"two identities":   func(c *Config) { c.Credentials = Credentials{User: "u", Token: "t"} },
		"key without cert": func(c *Config) { c.TLS.Key = "key.pem" },
		"missing CA":       func(c *Config) { c.TLS.CA = "/nonexistent/ca.pem" },
		"missing cert":     func(c *Config) { c.TLS.Cert, c.TLS.Key = "/nonexistent/c.pem", "/nonexistent/k.pem" },
		"missing nkey":     func(c *Config) { c.Credentials.NKeyFile = "/nonexistent/seed" },
		"bad inbox":        func(c *Config) { c.InboxPrefix = "a b" },
		"inbox in paxos":   func(c *Config) { c.InboxPrefix = "paxos.main" },
		"replies anywhere": func(c *Config) { c.ReplyPrefixes = []string{">"} },
	} {
		cfg := testConfig(nil, "p1", paxos.RoleProposer)
		cfg.URLs = []string{"nats://127.0.0.1:1"}
		edit(&cfg)
		if _, err := Connect(testContext(t), cfg, nil); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPermissionViolationsAreTold: the broker's refusal names what to allow.
func TestPermissionViolationsAreTold(t *testing.T) {
	file := writeFile(t, "broker.conf", `authorization { users: [ { user: a1, password: x, permissions: {
		publish: [ "paxos.*.*.learn.a1" ], subscribe: [ "_INBOX.>", "paxos.*.*.prepare.*" ] } } ] }`)
	e := startBroker(t, embedded.Config{ConfigFile: file, Listen: "127.0.0.1:0"})
	cfg := testConfig(e, "a1", paxos.RoleAcceptor)
	cfg.Credentials = Credentials{User: "a1", Password: "x"}
	p := join(t, cfg)
	p.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindPrepare}})
	if n := p.seen(EventPermission); n != 0 {
		t.Errorf("%d violations before any", n)
	}
	p.send(t, broadcastSamples()[0].env)
	p.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindAccept}})
	eventually(t, "both violations", func() bool { return p.seen(EventPermission) == 2 })
}

// TestSlowConsumersAreCounted: a handler that does not keep up loses messages, and that shows.
func TestSlowConsumersAreCounted(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	cfg := testConfig(e, "a1", paxos.RoleAcceptor)
	cfg.PendingMessages = 4
	p := join(t, cfg)
	release := make(chan struct{})
	sub, err := p.Subscribe(Interest{Kinds: []paxos.Kind{paxos.KindPrepare}}, func(*paxos.Envelope) { <-release })
	if err != nil {
		t.Fatal(err)
	}
	p.flush(t)
	sender := join(t, testConfig(e, "p1", paxos.RoleProposer))
	for i := range 50 {
		sender.send(t, prepareAt(i+1))
	}
	eventually(t, "the loss", func() bool { return p.Stats().SlowConsumers >= 45 && p.seen(EventSlowConsumer) >= 1 })
	close(release)
	lost := p.Stats().SlowConsumers
	if err := sub.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if n := p.Stats().SlowConsumers; n != lost {
		t.Errorf("%d lost before the subscription ended, %d after", lost, n)
	}
}

// TestCloseSendsWhatIsQueued: a leader's last beacon leaves, whatever is before it in the queue.
func TestCloseSendsWhatIsQueued(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	receiver := join(t, testConfig(e, "a1", paxos.RoleAcceptor))
	receiver.subscribe(t, Interest{Kinds: []paxos.Kind{paxos.KindAccept}})
	sender := join(t, testConfig(e, "p1", paxos.RoleProposer))
	value := make([]byte, 128<<10)
	env := broadcast("p1", &paxos.Accept{Ballot: sampleBallot, Checksum: paxos.Sum(value), Value: value})
	const n = 300
	for i := range n {
		msg[*paxos.Accept](&env).Slot = paxos.Slot(i + 1)
		sender.send(t, env)
	}
	sender.Close(testContext(t))
	eventually(t, "all of it", func() bool { return len(receiver.got()) == n })
	for i, got := range receiver.got() {
		if at := msg[*paxos.Accept](&got).Slot; at != paxos.Slot(i+1) {
			t.Fatalf("message %d is for slot %d: order was lost", i, at)
		}
	}
	if err := sender.Send(&env); !errors.Is(err, ErrDisconnected) {
		t.Errorf("sent after Close: %v", err)
	}
	sender.Close(testContext(t))
}

// TestStuckBrokerDoesNotStopTheSender: a broker that no longer reads, as under SIGSTOP, costs the connection, never the caller's time.
func TestStuckBrokerDoesNotStopTheSender(t *testing.T) {
	at := stuckBroker(t)
	cfg := testConfig(nil, "p1", paxos.RoleProposer)
	cfg.URLs, cfg.Timeout, cfg.QueueBytes = []string{"nats://" + at}, 500*time.Millisecond, 8<<20
	p := join(t, cfg)
	value := make([]byte, 512<<10)
	env := broadcast("p1", &paxos.Accept{Ballot: sampleBallot, Slot: 1, Checksum: paxos.Sum(value), Value: value})
	var full, away int
	end := time.Now().Add(patience)
	for full == 0 || away == 0 {
		if time.Now().After(end) {
			t.Fatalf("queue full %d times, away %d times", full, away)
		}
		start := time.Now()
		err := p.Send(&env)
		if d := time.Since(start); d > 250*time.Millisecond {
			t.Fatalf("Send took %s", d)
		}
		switch {
		case errors.Is(err, ErrQueueFull):
			full++
			time.Sleep(time.Millisecond)
		case errors.Is(err, ErrDisconnected):
			away++
		case err != nil:
			t.Fatal(err)
		}
	}
}

// stuckBroker is a listener that speaks just enough NATS to be connected to, and then reads no more.
func stuckBroker(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			if len(conns) <= 2 {
				wg.Go(func() { greet(c) })
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().String()
}

// greet answers CONNECT and the first PING.
func greet(c net.Conn) {
	fmt.Fprintf(c, "INFO {\"server_id\":\"x\",\"version\":\"2.10.0\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n")
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "PING") {
			_, _ = io.WriteString(c, "PONG\r\n")
			return
		}
	}
}

// TestN5ConnectionOptions pins what the protocol asks of the client library.
func TestN5ConnectionOptions(t *testing.T) {
	e := startBroker(t, embedded.Config{})
	p := join(t, testConfig(e, "p1", paxos.RoleProposer))
	if p.bulk.nc == p.control.nc {
		t.Error("one connection for everything")
	}
	for _, l := range []*link{p.bulk, p.control} {
		o := l.nc.Opts
		if o.ReconnectBufSize != -1 || o.MaxReconnect != -1 || !o.AllowReconnect || !o.NoEcho || !o.IgnoreAuthErrorAbort {
			t.Errorf("%s: %+v", l.name, o)
		}
		if wait := o.ReconnectWait + max(o.ReconnectJitter, o.ReconnectJitterTLS); wait > 50*time.Millisecond {
			t.Errorf("%s reconnects after %s", l.name, wait)
		}
		if o.PingInterval < 2*time.Second || o.PingInterval > 5*time.Second || o.MaxPingsOut != 2 {
			t.Errorf("%s pings every %s, may miss %d", l.name, o.PingInterval, o.MaxPingsOut)
		}
		if !strings.Contains(o.Name, "proposer p1 "+l.name) {
			t.Errorf("connection name %q", o.Name)
		}
	}
}
