package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/paxosd/paxosd/client"
	"github.com/paxosd/paxosd/paxos"
)

// shared are the flags of every command that talks to a cluster.
type shared struct {
	server  string
	context string
	creds   string
	cluster string
	prefix  string
	inbox   string
	timeout time.Duration
}

func (s *shared) register(fs *pflag.FlagSet) {
	fs.StringVar(&s.server, "server", envOr("NATS_URL", ""), "NATS server `URL` (also NATS_URL; default "+nats.DefaultURL+")")
	fs.StringVar(&s.context, "context", "", "NATS `context` to connect with, as the nats command keeps them")
	fs.StringVar(&s.creds, "creds", envOr("NATS_CREDS", ""), "NATS credentials `file`")
	fs.StringVar(&s.cluster, "cluster", envOr("PAXOSD_CLUSTER", "main"), "`name` of the cluster")
	fs.StringVar(&s.prefix, "prefix", envOr("PAXOSD_PREFIX", "paxos"), "first `tokens` of the cluster's subjects")
	fs.StringVar(&s.inbox, "inbox-prefix", envOr("PAXOSD_INBOX_PREFIX", "_INBOX"), "`prefix` of the subjects on which answers arrive")
	fs.DurationVar(&s.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
}

func envOr(key, otherwise string) string {
	if v, ok := os.LookupEnv(key); ok && v != "" {
		return v
	}
	return otherwise
}

func (s *shared) validate() error {
	if !paxos.ValidName(s.cluster) {
		return usagef("--cluster %q is no valid name: letters, digits, '-' and '_', at most %d, beginning with a letter or digit", s.cluster, paxos.MaxNameBytes)
	}
	if s.timeout <= 0 {
		return usagef("--timeout must be positive, not %v", s.timeout)
	}
	return nil
}

// dial connects to the broker as the flags say.
func (s *shared) dial(ctx context.Context) (*nats.Conn, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	opts := []nats.Option{
		nats.Name("paxosd command"),
		nats.CustomInboxPrefix(s.inbox),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(50 * time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(min(s.timeout, 5*time.Second)),
	}
	if s.creds != "" {
		opts = append(opts, nats.UserCredentials(s.creds))
	}
	if s.context != "" || (s.server == "" && s.creds == "" && natscontext.SelectedContext() != "") {
		named, err := natscontext.New(s.context, true, natscontext.WithServerURL(s.server))
		if err != nil {
			return nil, usagef("--context %q: %v", s.context, err)
		}
		nc, err := named.Connect(opts...)
		if err != nil {
			return nil, fmt.Errorf("connect with NATS context %q: %w", s.context, err)
		}
		return nc, nil
	}
	url := s.server
	if url == "" {
		url = nats.DefaultURL
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to the broker at %s: %w (is it running? 'paxosd dev' starts one)", url, err)
	}
	return nc, ctx.Err()
}

// open connects and returns the SDK's client; closing it closes the connection.
func (s *shared) open(ctx context.Context, opts ...client.Option) (*client.Client, func(), error) {
	nc, err := s.dial(ctx)
	if err != nil {
		return nil, nil, err
	}
	c, err := client.New(ctx, nc, append(opts, client.WithCluster(s.cluster), client.WithPrefix(s.prefix))...)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return c, func() { c.Close(); nc.Close() }, nil
}

// use connects, calls f within the time-out, and closes again.
func (s *shared) use(ctx context.Context, f func(context.Context, *client.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	c, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	return f(ctx, c)
}

// logFlag registers --log.
func logFlag(cmd *cobra.Command, log *string) {
	cmd.Flags().StringVar(log, "log", "main", "`name` of the log")
}

func checkLogName(log string) error {
	if !paxos.ValidName(log) {
		return usagef("--log %q is no valid name: letters, digits, '-' and '_', at most %d, beginning with a letter or digit", log, paxos.MaxNameBytes)
	}
	return nil
}
