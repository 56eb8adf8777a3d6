// Package embedded runs a NATS server inside this process: the default broker of `paxosd dev`, and the whole of `paxosd broker`. It is a
// package of its own so that the client, which needs the messages, does not link a server.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/paxosd/paxosd/paxos"
)

// ErrConfig says that the configuration cannot work. Change it.
var ErrConfig = errors.New("invalid configuration")

// ErrListen says that the embedded server could not take its address. Choose another, or port 0 for any.
var ErrListen = errors.New("cannot listen")

// Config says how to run a NATS server inside this process.
type Config struct {
	// Listen is host:port; port 0 takes any. Empty: what ConfigFile says, or no socket at all (connections come
	// through InProcess).
	Listen string
	// ConfigFile is a configuration of nats-server, for users and permissions; empty: none. What it does not set has the
	// defaults here. JetStream is refused: a stream over the log's subjects would answer in a leader's place (PROTOCOL P9).
	ConfigFile string
	// MaxPayload is the largest message in bytes. Default: what the default value limit needs.
	MaxPayload int32
	// PingInterval is how often the server looks whether a client is alive. Default: 3 s, two may be missed.
	PingInterval time.Duration
	// Logger takes the server's own log lines; nil: nobody.
	Logger *slog.Logger
}

// Defaults of Config.
const (
	defaultPingsOut = 2
	defaultPing     = 3 * time.Second
	startTimeout    = 10 * time.Second
	startPoll       = 10 * time.Millisecond
)

// Server is a NATS server in this process: the default broker of dev, and the whole of `paxosd broker`.
type Server struct {
	server *server.Server
	listen bool
}

// Start starts a server and returns when it takes connections. A taken address is ErrListen.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the embedded NATS server: %w: %w", ErrConfig, err)
	}
	log := &serverLog{log: cfg.Logger, fatal: make(chan struct{})}
	s.SetLoggerV2(log, log.enabled(slog.LevelDebug), false, false)
	s.Start()
	e := &Server{server: s, listen: !opts.DontListen}
	if err := e.ready(ctx, log); err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("start the embedded NATS server on %s: %w",
			net.JoinHostPort(opts.Host, strconv.Itoa(max(opts.Port, 0))), err)
	}
	return e, nil
}

// ready waits until the server takes connections.
func (e *Server) ready(ctx context.Context, log *serverLog) error {
	if !e.listen {
		return nil
	}
	end := time.Now().Add(startTimeout)
	for {
		select {
		case <-log.fatal:
			return fmt.Errorf("%w: %s", ErrListen, log.text)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if e.server.ReadyForConnections(startPoll) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: not ready after %s", ErrListen, startTimeout)
		}
	}
}

func (c Config) options() (*server.Options, error) {
	opts := &server.Options{}
	if c.ConfigFile != "" {
		var err error
		if opts, err = server.ProcessConfigFile(c.ConfigFile); err != nil {
			return nil, fmt.Errorf("read broker configuration %q: %w: %w", c.ConfigFile, ErrConfig, err)
		}
		if opts.JetStream {
			return nil, fmt.Errorf("read broker configuration %q: %w: it enables JetStream, which paxosd does not use: remove it", c.ConfigFile, ErrConfig)
		}
	}
	if err := c.listenOn(opts); err != nil {
		return nil, err
	}
	if opts.MaxPayload == 0 || c.MaxPayload > 0 {
		opts.MaxPayload = max(c.MaxPayload, 0)
		if opts.MaxPayload == 0 {
			opts.MaxPayload = paxos.DefaultValueLimit + paxos.PayloadHeadroom
		}
	}
	if opts.PingInterval == 0 || c.PingInterval > 0 {
		opts.PingInterval = c.PingInterval
		if opts.PingInterval <= 0 {
			opts.PingInterval = defaultPing
		}
	}
	if opts.MaxPingsOut == 0 {
		opts.MaxPingsOut = defaultPingsOut
	}
	opts.NoSigs = true
	return opts, nil
}

// listenOn applies Listen. The server takes port -1 for "any", and 0 for its default.
func (c Config) listenOn(opts *server.Options) error {
	if c.Listen == "" {
		opts.DontListen = c.ConfigFile == ""
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("%w: address %q: %w", ErrConfig, c.Listen, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("%w: address %q: port %q is no number", ErrConfig, c.Listen, port)
	}
	opts.Host, opts.Port = host, int(n)
	if n == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

// ClientURL returns the URL for clients, the real port in it; empty where the server does not listen.
func (e *Server) ClientURL() string {
	if !e.listen {
		return ""
	}
	return e.server.ClientURL()
}

// InProcessConn makes a connection without a socket: it makes Server fit messaging.Config.InProcess.
func (e *Server) InProcessConn() (net.Conn, error) { return e.server.InProcessConn() }

// Clients returns how many connections there are.
func (e *Server) Clients() int { return e.server.NumClients() }

// SlowConsumers returns how many connections the server has cut because they did not read.
func (e *Server) SlowConsumers() int64 { return e.server.NumSlowConsumers() }

// Shutdown closes every connection and the socket, and waits for the server's goroutines.
func (e *Server) Shutdown() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// serverLog passes the server's lines to slog, and keeps the first fatal one: the server itself goes on after it.
type serverLog struct {
	log   *slog.Logger
	once  sync.Once
	fatal chan struct{} // closed once text is set
	text  string
}

func (l *serverLog) enabled(level slog.Level) bool {
	return l.log != nil && l.log.Enabled(context.Background(), level)
}

func (l *serverLog) write(level slog.Level, format string, args []any) {
	if l.enabled(level) {
		l.log.Log(context.Background(), level, "embedded NATS server", "line", fmt.Sprintf(format, args...))
	}
}

// Noticef logs what the server says at start and end.
func (l *serverLog) Noticef(format string, args ...any) { l.write(slog.LevelDebug, format, args) }

// Warnf logs a warning.
func (l *serverLog) Warnf(format string, args ...any) { l.write(slog.LevelWarn, format, args) }

// Errorf logs an error.
func (l *serverLog) Errorf(format string, args ...any) { l.write(slog.LevelError, format, args) }

// Debugf logs a detail.
func (l *serverLog) Debugf(format string, args ...any) { l.write(slog.LevelDebug, format, args) }

// Tracef logs nothing: tracing is off.
func (l *serverLog) Tracef(string, ...any) {}

// Fatalf keeps the reason why the server cannot go on.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.once.Do(func() {
		l.text = fmt.Sprintf(format, args...)
		close(l.fatal)
	})
}
