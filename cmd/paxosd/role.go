package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/metrics"
	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/wal"
)

// role is one role of this process: it starts in the background, says when it serves, and stops in order.
type role interface {
	// run serves until ctx ends or it cannot go on. ready is called once, when it serves.
	run(ctx context.Context, ready func()) error
	// stats is what the role tells of itself: on /status, to `nats micro stats`, to `paxosd status`.
	stats() roleStats
	// disk returns how the role's store stands, and the bytes written since it was opened.
	disk() (wal.Space, uint64)
}

// base is what every role has.
type base struct {
	cfg   *configs.Config
	kind  paxos.Role
	name  string
	runID uint64
	clock systemClock
	log   *slog.Logger
	obs   *observer
	exit  func(code int) // ends the process; does not return

	tr        *messaging.Transport // set before connected
	connected atomic.Bool
	ready     atomic.Bool
	failed    chan error    // capacity 1: the first reason why the role cannot go on
	changed   chan struct{} // capacity 1: which logs are served may have changed

	mu      sync.Mutex
	service *messaging.Service
	listed  string
}

func newBase(cfg *configs.Config, kind paxos.Role, deps roleDeps) *base {
	name := cfg.Name(kind)
	b := &base{
		cfg: cfg, kind: kind, name: name, runID: randomRun(), clock: deps.clock, exit: deps.exit,
		log:    deps.log.With("role", kind.String(), "name", name),
		failed: make(chan error, 1), changed: make(chan struct{}, 1),
	}
	b.obs = newObserver(b, deps.metrics)
	return b
}

// roleDeps is what the process gives every role.
type roleDeps struct {
	clock   systemClock
	log     *slog.Logger
	metrics *metrics.Metrics
	exit    func(int)
}

// randomRun returns a run: random per process start, and never zero (PROTOCOL A2).
func randomRun() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return binary.LittleEndian.Uint64(b[:]) | 1
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fail takes the first reason why the role cannot go on.
func (b *base) fail(err error) {
	select {
	case b.failed <- err:
	default:
	}
}

// fatal ends the process for a store that failed (PROTOCOL A8): nothing may go on with its handle, so there is no orderly stop.
func (b *base) fatal(err error) {
	b.log.Error("the store failed; the process ends", "error", err)
	b.exit(failureCode(err))
}

// storeOptions returns how this role's store is opened.
func (b *base) storeOptions() wal.Options {
	d := &b.cfg.Disk
	return wal.Options{
		OnFatal:        b.fatal,
		BallastBytes:   uint64(d.Ballast),
		SpareLogs:      wal.DefaultSpareLogs,
		HighWaterBytes: uint64(d.HighWater),
		MinFreePercent: uint64(d.MinFree),
		Info:           func(format string, args ...any) { b.log.Debug(fmt.Sprintf(format, args...)) },
		Committed:      b.obs.committed,
	}
}

// connect reaches the broker, and waits for it if it is down.
func (b *base) connect(ctx context.Context, answers messaging.Handler, onConnection func(bool)) error {
	br := &b.cfg.Broker
	tr, err := messaging.Connect(ctx, messaging.Config{
		URLs: br.URLs, Prefix: b.cfg.Prefix, Cluster: b.cfg.Cluster, Name: b.name, Role: b.kind, Run: b.runID,
		Credentials: messaging.Credentials{File: br.Creds, NKeyFile: br.NKey, User: br.User, Password: br.Password, Token: br.Token},
		TLS:         messaging.TLS{CA: br.TLS.CA, Cert: br.TLS.Cert, Key: br.TLS.Key},
		InboxPrefix: br.InboxFor(b.name), ReplyPrefixes: br.ReplyTo,
		Timeout:      b.cfg.Protocol.Timeout,
		MinPayload:   int64(b.cfg.Genesis.ValueLimit) + paxos.PayloadHeadroom,
		Observe:      b.obs.transport,
		OnConnection: onConnection,
	}, answers)
	if err != nil {
		return fmt.Errorf("%s %q: connect to the broker: %w", b.kind, b.name, err)
	}
	b.tr = tr
	b.connected.Store(true)
	return nil
}

// subscribe listens to broadcasts of every log, and to requests to this role.
func (b *base) subscribe(h messaging.Handler, broadcasts, addressed []paxos.Kind) error {
	if len(broadcasts) > 0 {
		if _, err := b.tr.Subscribe(messaging.Interest{Kinds: broadcasts}, h); err != nil {
			return err
		}
	}
	_, err := b.tr.Subscribe(messaging.Interest{Kinds: addressed, Name: b.name, Run: b.runID}, h)
	return err
}

// guard refuses to start where the name or the store is in use (PROTOCOL A9).
func (b *base) guard(ctx context.Context, id wal.Identity, boot uint64, answers <-chan *paxos.Envelope) error {
	if err := b.tr.Flush(ctx); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return node.Guard(ctx, b.tr, paxos.Ident{
		Asker: b.name, Role: b.kind, Incarnation: id.Incarnation, Boot: boot, Run: b.runID,
	}, answers)
}

// randomGenesis returns a fresh genesis id.
func randomGenesis() (g paxos.GenesisID) {
	_, _ = rand.Read(g[:]) // never fails: it ends the program instead
	return g
}

// watchSpace measures a store every second until ctx ends: a disk that fills tells nobody. The channel is closed then.
func (b *base) watchSpace(ctx context.Context, store interface{ Full() (bool, error) }) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			if _, err := store.Full(); err != nil {
				b.fail(fmt.Errorf("%s %q: look at the disk: %w", b.kind, b.name, err))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return done
}

// guardAnswers returns a handler that offers every answer to the guard while it waits, and to then afterwards.
func guardAnswers(then func(*paxos.Envelope)) (messaging.Handler, <-chan *paxos.Envelope) {
	c := make(chan *paxos.Envelope, 64)
	return func(env *paxos.Envelope) {
		select {
		case c <- env:
		default:
		}
		then(env)
	}, c
}

// serve keeps the role registered as a micro service and waits for the end.
func (b *base) serve(ctx context.Context, ready func(), stats func() roleStats) error {
	b.register(stats)
	b.ready.Store(true)
	ready()
	defer b.ready.Store(false)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-b.failed:
			return err
		case <-b.changed:
			b.register(stats)
		}
	}
}

// register shows the role to `nats micro`, anew whenever the logs that it serves have changed.
func (b *base) register(stats func() roleStats) {
	st := stats()
	logs := make([]messaging.LogIdentity, 0, len(st.Logs))
	for _, l := range st.Logs {
		id, err := paxos.ParseGenesisID(l.Genesis)
		if err == nil && l.Served {
			logs = append(logs, messaging.LogIdentity{Log: l.Log, Genesis: id})
		}
	}
	listed := fmt.Sprint(logs)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.service != nil {
		if b.listed == listed {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.service.Stop(ctx); err != nil {
			b.log.Warn("cannot renew the micro service", "error", err)
		}
	}
	s, err := b.tr.Register(messaging.ServiceConfig{Version: version(), Logs: logs, Stats: func() any { return stats() }})
	if err != nil {
		b.log.Warn("not visible to nats micro", "error", err)
		return
	}
	b.service, b.listed = s, listed
}

// close ends what connect began. It is bounded: a broker that is gone is not waited for.
func (b *base) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b.mu.Lock()
	if b.service != nil {
		_ = b.service.Stop(ctx) // the connection ends with it
	}
	b.mu.Unlock()
	if b.tr == nil {
		return
	}
	b.tr.Close(ctx)
}

// stopped turns the end of ctx during a start into no error: the process was told to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, messaging.ErrClosed)) {
		return nil
	}
	return err
}
