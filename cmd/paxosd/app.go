package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/metrics"
	"github.com/paxosd/paxosd/paxos"
)

// stopTimeout bounds an orderly stop of the whole process: the hand-over takes two seconds at most, stores sync what
// they hold. Past it the process ends as by SIGKILL, which is safe always.
const stopTimeout = 15 * time.Second

// part of a process: a role under its configuration. dev has seven, a role's command one.
type part struct {
	kind paxos.Role
	cfg  *configs.Config
}

// parts returns the roles of a configuration in the order in which they start.
func parts(cfg *configs.Config) []part {
	var ps []part
	for _, k := range cfg.Roles() {
		ps = append(ps, part{kind: k, cfg: cfg})
	}
	return ps
}

// host runs the process's roles. fx starts and stops it.
type host struct {
	log   *slog.Logger
	deps  roleDeps
	shut  fx.Shutdowner
	mu    sync.Mutex
	roles []*running
	err   error
	ready chan struct{} // closed when every role has been ready once
	left  int
}

// running is a role and its end.
type running struct {
	role
	base *base
	stop context.CancelFunc
	done chan struct{}
}

func newHost(log *slog.Logger, deps roleDeps, shut fx.Shutdowner) *host {
	return &host{log: log, deps: deps, shut: shut, ready: make(chan struct{})}
}

// expect says how many roles there will be.
func (h *host) expect(n int) { h.left = n }

// start runs a role in the background.
func (h *host) start(p part) {
	b := newBase(p.cfg, p.kind, h.deps)
	var r role
	switch p.kind {
	case paxos.RoleAcceptor:
		r = newAcceptorRole(b)
	case paxos.RoleProposer:
		r = newProposerRole(b)
	default:
		r = newLearnerRole(b)
	}
	ctx, stop := context.WithCancel(context.Background())
	run := &running{role: r, base: b, stop: stop, done: make(chan struct{})}
	h.mu.Lock()
	h.roles = append(h.roles, run)
	h.mu.Unlock()
	h.deps.metrics.AddSource(b.source(r))
	go func() {
		defer close(run.done)
		var once sync.Once
		err := r.run(ctx, func() { once.Do(h.oneReady) })
		if err != nil {
			h.failed(err)
		}
	}()
}

func (h *host) oneReady() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left--; h.left == 0 {
		close(h.ready)
	}
}

// failed ends the process: a role that cannot go on is not left half alive beside others.
func (h *host) failed(err error) {
	h.mu.Lock()
	first := h.err == nil
	h.err = errors.Join(h.err, err)
	h.mu.Unlock()
	if first {
		h.log.Error("a role cannot go on; the process ends", "error", err)
		if e := h.shut.Shutdown(fx.ExitCode(exitFailed)); e != nil {
			h.log.Error("cannot shut down", "error", e)
		}
	}
}

// stop ends the role that was started last, and waits for it: proposers hand over while acceptors still vote, learners send
// their readers away, acceptors go last.
func (h *host) stopOne(ctx context.Context, i int) error {
	h.mu.Lock()
	r := h.roles[i]
	h.mu.Unlock()
	r.stop()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s %q: %w", r.base.kind, r.base.name, ctx.Err())
	}
}

// all returns the roles there are.
func (h *host) all() []*running {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*running(nil), h.roles...)
}

// stats returns what every role tells of itself.
func (h *host) stats() []roleStats {
	var all []roleStats
	for _, r := range h.all() {
		all = append(all, r.stats())
	}
	return all
}

// roleModule starts one role with the process and stops it in turn.
func roleModule(p part, i int) fx.Option {
	return fx.Module(fmt.Sprintf("%s-%s", p.kind, p.cfg.Name(p.kind)),
		fx.Invoke(func(lc fx.Lifecycle, h *host) {
			lc.Append(fx.Hook{
				OnStart: func(context.Context) error { h.start(p); return nil },
				OnStop:  func(ctx context.Context) error { return h.stopOne(ctx, i) },
			})
		}))
}

// processModule is what every process of roles has, whichever they are.
func processModule(cfg *configs.Config, std stdio) fx.Option {
	return fx.Module("process",
		fx.Supply(cfg),
		fx.Provide(
			func() (*slog.Logger, error) { return newLogger(cfg.Logging, std.err) },
			newClock,
			prometheus.NewRegistry,
			func(r *prometheus.Registry) (*metrics.Metrics, error) {
				return metrics.New(r, metrics.Build{Version: version(), Go: runtime.Version()})
			},
			func(l *slog.Logger, c systemClock, m *metrics.Metrics) roleDeps {
				return roleDeps{clock: c, log: l, metrics: m, exit: os.Exit}
			},
			newHost,
			newHTTP,
		),
		fx.Invoke(func(lc fx.Lifecycle, s *httpServer) { lc.Append(fx.Hook{OnStart: s.start, OnStop: s.stop}) }),
	)
}

// application returns the whole graph of a process: the parts in the order in which they start.
func application(cfg *configs.Config, ps []part, std stdio, extra ...fx.Option) fx.Option {
	opts := []fx.Option{
		fx.WithLogger(func() fxevent.Logger { return fxevent.NopLogger }),
		fx.StopTimeout(stopTimeout),
		processModule(cfg, std),
		fx.Invoke(func(h *host) { h.expect(len(ps)) }),
	}
	opts = append(opts, extra...)
	for i, p := range ps {
		opts = append(opts, roleModule(p, i))
	}
	return fx.Options(opts...)
}

// serve runs an application until ctx ends or a part fails. started is called once it runs.
func serve(ctx context.Context, opts fx.Option, started func(*host)) error {
	var h *host
	app := fx.New(opts, fx.Populate(&h))
	if err := app.Err(); err != nil {
		return rootCause(err)
	}
	if err := app.Start(ctx); err != nil {
		stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		_ = app.Stop(stopCtx) // what had started ends; why it ends is err
		return rootCause(err)
	}
	done := app.Wait()
	if started != nil {
		started(h)
	}
	select {
	case <-ctx.Done():
		h.log.Info("stops", "why", "told to")
	case <-done:
	}
	stopCtx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := app.Stop(stopCtx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	return err
}

// rootCause strips what the assembly adds to an error of a part.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil || !strings.Contains(fmt.Sprintf("%T", err), "fx") && !strings.Contains(fmt.Sprintf("%T", err), "dig") {
			return err
		}
		err = next
	}
}

// newLogger returns the process's logger, on standard error.
func newLogger(cfg configs.Logging, w interface{ Write([]byte) (int, error) }) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("logging.level %q: %w", cfg.Level, err)
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}
