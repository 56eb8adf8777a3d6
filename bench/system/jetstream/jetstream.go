// Package jetstream runs NATS JetStream for the benchmark: three servers, file storage, a stream of three replicas for each log.
package jetstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/paxosd/paxosd/bench/system"
)

const replicas = 3

// JetStream is the system.
type JetStream struct {
	SyncAlways bool // sync_interval: always. Without it, an acknowledgement comes before the sync, which comes within two minutes
}

var _ system.System = JetStream{}

// Name is "jetstream-sync" or "jetstream".
func (j JetStream) Name() string {
	if j.SyncAlways {
		return "jetstream-sync"
	}
	return "jetstream"
}

// Durable reports whether it syncs before it acknowledges.
func (j JetStream) Durable() bool { return j.SyncAlways }

// About says version and configuration.
func (j JetStream) About() string {
	sync := "sync_interval unset: acknowledges before fsync"
	if j.SyncAlways {
		sync = "sync_interval: always"
	}
	return fmt.Sprintf("nats-server %s; 3 servers, file storage, R3 stream, %s; everything else as its defaults are", server.VERSION, sync)
}

type cluster struct {
	g    system.Group
	urls []string
	nc   *nats.Conn
	js   jetstream.JetStream
}

// Start starts the servers and makes the streams.
func (j JetStream) Start(ctx context.Context, o system.Options) (_ system.Cluster, err error) {
	ports, err := system.Ports(2 * replicas)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var routes []string
	for i := range replicas {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[replicas+i]))
	}
	c := &cluster{g: system.Group{Dir: o.Dir}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	var env []string
	if o.Procs > 0 {
		env = append(env, fmt.Sprintf("GOMAXPROCS=%d", o.Procs))
	}
	for i := range replicas {
		name := fmt.Sprint("n", i+1)
		c.urls = append(c.urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
		conf := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%d\njetstream {\n store_dir: %q\n", name, ports[i], filepath.Join(o.Dir, name))
		if j.SyncAlways {
			conf += " sync_interval: always\n"
		}
		conf += fmt.Sprintf("}\ncluster {\n name: bench\n listen: 127.0.0.1:%d\n routes: [%s]\n}\n", ports[replicas+i], strings.Join(routes, ", "))
		file := filepath.Join(o.Dir, name+".conf")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			return nil, err
		}
		if err := c.g.Start(name, "server", env, self, "serve", "jetstream", file); err != nil {
			return nil, err
		}
	}
	err = system.Until(ctx, func(context.Context) error {
		c.nc, err = connect(c.urls)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.js, err = jetstream.New(c.nc); err != nil {
		return nil, err
	}
	err = system.Each(ctx, o.Logs, func(ctx context.Context, log string) error {
		err := system.Until(ctx, func(ctx context.Context) error {
			_, err := c.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
				Name: log, Subjects: []string{"log." + log}, Storage: jetstream.FileStorage, Replicas: replicas,
			})
			return err
		})
		if err != nil {
			err = fmt.Errorf("make stream %s: %w", log, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, c.current(ctx, o.Logs)
}

func connect(urls []string) (*nats.Conn, error) {
	return nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.DontRandomize())
}

// current waits until every replica of the streams is up to date.
func (c *cluster) current(ctx context.Context, logs []string) error {
	return system.Each(ctx, logs, func(ctx context.Context, log string) error {
		return system.Until(ctx, func(ctx context.Context) error {
			s, err := c.js.Stream(ctx, log)
			if err != nil {
				return err
			}
			in, err := s.Info(ctx)
			if err != nil {
				return err
			}
			if in.Cluster == nil || in.Cluster.Leader == "" || len(in.Cluster.Replicas) != replicas-1 {
				return fmt.Errorf("stream %s has no leader or no replicas yet", log)
			}
			for _, r := range in.Cluster.Replicas {
				if !r.Current || r.Offline {
					return fmt.Errorf("replica %s of stream %s is behind", r.Name, log)
				}
			}
			return nil
		})
	})
}

func (c *cluster) Processes() []system.Process { return c.g.Processes() }

func (c *cluster) KillLeader(ctx context.Context, log string) error {
	leader, err := c.leader(ctx, log)
	if err != nil {
		return err
	}
	return c.g.Kill(leader)
}

func (c *cluster) Revive(ctx context.Context) error {
	if _, err := c.g.Restart(); err != nil {
		return err
	}
	var logs []string
	err := system.Until(ctx, func(ctx context.Context) error {
		logs = nil
		names := c.js.StreamNames(ctx)
		for n := range names.Name() {
			logs = append(logs, n)
		}
		return names.Err()
	})
	return errors.Join(err, c.current(ctx, logs))
}

func (c *cluster) Close() error {
	if c.nc != nil {
		c.nc.Close()
	}
	return c.g.Close()
}

// Serve runs one server with a configuration file, until a signal ends it.
func Serve(_ context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want one configuration file")
	}
	o, err := server.ProcessConfigFile(args[0])
	if err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	s.Start()
	s.WaitForShutdown()
	return nil
}
