// Package etcd runs etcd for the benchmark: three members; an append is a put of a new key.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/version"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/paxosd/paxosd/bench/system"
)

const members = 3

// Etcd is the system.
type Etcd struct{}

var _ system.System = Etcd{}

// Name is "etcd".
func (Etcd) Name() string { return "etcd" }

// Durable is true: a majority has synced a put before it returns.
func (Etcd) Durable() bool { return true }

// About says version and configuration.
func (Etcd) About() string {
	return "etcd " + version.Version + "; 3 members, heartbeat 100 ms, election 1 s (its defaults), quota 8 GiB; an append is a put of a new key"
}

type cluster struct {
	g         system.Group
	endpoints []string
	names     []string
	c         *clientv3.Client
}

// Start starts the members.
func (Etcd) Start(ctx context.Context, o system.Options) (_ system.Cluster, err error) {
	ports, err := system.Ports(2 * members)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var initial []string
	for i := range members {
		initial = append(initial, fmt.Sprintf("e%d=http://127.0.0.1:%d", i+1, ports[members+i]))
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
	for i := range members {
		name := fmt.Sprint("e", i+1)
		c.names = append(c.names, name)
		c.endpoints = append(c.endpoints, fmt.Sprintf("http://127.0.0.1:%d", ports[i]))
		err := c.g.Start(name, "member", env, self, "serve", "etcd", name, filepath.Join(o.Dir, name),
			strconv.Itoa(ports[i]), strconv.Itoa(ports[members+i]), strings.Join(initial, ","))
		if err != nil {
			return nil, err
		}
	}
	if c.c, err = dial(c.endpoints); err != nil {
		return nil, err
	}
	return c, system.Until(ctx, func(ctx context.Context) error {
		_, err := c.c.Put(ctx, "ready", "?")
		return err
	})
}

func dial(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop(),
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
	})
}

func (c *cluster) Processes() []system.Process { return c.g.Processes() }

// leader returns which member leads.
func (c *cluster) leader(ctx context.Context) (int, error) {
	for i, e := range c.endpoints {
		st, err := c.c.Status(ctx, e)
		if err == nil && st.Leader == st.Header.MemberId {
			return i, nil
		}
	}
	return 0, errors.New("no member says that it leads")
}

func (c *cluster) KillLeader(ctx context.Context, _ string) error {
	i, err := c.leader(ctx)
	if err != nil {
		return err
	}
	return c.g.Kill(c.names[i])
}

// Revive returns once all members have the same index, or nearly.
func (c *cluster) Revive(ctx context.Context) error {
	if _, err := c.g.Restart(); err != nil {
		return err
	}
	return system.Until(ctx, func(ctx context.Context) error {
		var low, high uint64
		for i, e := range c.endpoints {
			st, err := c.c.Status(ctx, e)
			if err != nil {
				return err
			}
			if st.Leader == 0 {
				return errors.New("no leader")
			}
			if i == 0 {
				low = st.RaftAppliedIndex
			}
			low, high = min(low, st.RaftAppliedIndex), max(high, st.RaftAppliedIndex)
		}
		if high-low > 100 {
			return fmt.Errorf("a member is %d entries behind", high-low)
		}
		return nil
	})
}

func (c *cluster) Close() error {
	var err error
	if c.c != nil {
		err = c.c.Close()
	}
	return errors.Join(err, c.g.Close())
}

// Serve runs one member until a signal ends it.
func Serve(ctx context.Context, args []string) error {
	if len(args) != 5 {
		return errors.New("want NAME DIR CLIENT-PORT PEER-PORT INITIAL-CLUSTER")
	}
	at := func(port string) url.URL { return url.URL{Scheme: "http", Host: "127.0.0.1:" + port} }
	cfg := embed.NewConfig()
	cfg.Name, cfg.Dir = args[0], args[1]
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{at(args[2])}, []url.URL{at(args[2])}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{at(args[3])}, []url.URL{at(args[3])}
	cfg.InitialCluster = args[4]
	cfg.QuotaBackendBytes = 8 << 30
	cfg.LogLevel = "warn"
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	select {
	case err := <-e.Err():
		return err
	case <-ctx.Done():
		return nil
	}
}
