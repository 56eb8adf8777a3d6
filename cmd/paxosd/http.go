package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/paxosd/paxosd/configs"
)

// httpServer serves /metrics, /livez, /readyz, /status, and pprof where that is enabled.
type httpServer struct {
	cfg    configs.HTTP
	log    *slog.Logger
	server *http.Server
	addr   atomic.Pointer[string]
	done   chan struct{}
}

// httpOff is the address that stands for no listener.
const httpOff = "off"

func newHTTP(cfg *configs.Config, log *slog.Logger, reg *prometheus.Registry, h *host) *httpServer {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { readyz(w, h.stats()) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		_ = e.Encode(h.stats()) // a client that went away
	})
	if cfg.HTTP.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return &httpServer{
		cfg: cfg.HTTP, log: log, done: make(chan struct{}),
		server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)},
	}
}

// readyz answers 200 if every role serves, else 503 with a line for each that does not.
func readyz(w http.ResponseWriter, all []roleStats) {
	var why []string
	for i := range all {
		if r := &all[i]; !r.Ready {
			why = append(why, fmt.Sprintf("%s %s: %s", r.Role, r.Name, r.Why))
		}
	}
	if len(why) == 0 && len(all) > 0 {
		_, _ = fmt.Fprintln(w, "ok")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	for _, l := range why {
		_, _ = fmt.Fprintln(w, l)
	}
}

// start listens, so that a taken port is an error of the start, and serves in the background.
func (s *httpServer) start(ctx context.Context) error {
	if s.cfg.Listen == httpOff || s.cfg.Listen == "" {
		close(s.done)
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("serve HTTP on %s: %w (choose another address with --http, port 0 for any, or 'off')", s.cfg.Listen, err)
	}
	addr := l.Addr().String()
	s.addr.Store(&addr)
	go func() {
		defer close(s.done)
		if err := s.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP ended", "error", err)
		}
	}()
	return nil
}

func (s *httpServer) stop(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	<-s.done
	return err
}

// address returns where it listens, or "".
func (s *httpServer) address() string {
	if a := s.addr.Load(); a != nil {
		return *a
	}
	return ""
}
