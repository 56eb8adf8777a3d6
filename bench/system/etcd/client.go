package etcd

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/paxosd/paxosd/bench/system"
)

// page is how many keys one range returns: reading is fastest so.
const page = 10_000

type caller struct {
	c      *clientv3.Client
	log    string // what all its keys begin with
	mine   string // what the keys of this client begin with
	shared bool
	next   atomic.Uint64
	window chan struct{}
}

// Client connects to the leader, which saves a hop; to all members if it must survive; or takes the shared connection.
func (c *cluster) Client(ctx context.Context, log string, o system.ClientOptions) (system.Client, error) {
	one := &caller{
		c: c.c, log: log + "/", mine: fmt.Sprintf("%s/%x/", log, time.Now().UnixNano()), shared: o.Shared,
		window: make(chan struct{}, max(o.Window, 1)),
	}
	if o.Shared {
		return one, nil
	}
	endpoints := c.endpoints
	if !o.Survive {
		i, err := c.leader(ctx)
		if err != nil {
			return nil, err
		}
		endpoints = endpoints[i : i+1]
	}
	var err error
	one.c, err = dial(endpoints)
	return one, err
}

func (c *caller) Append(ctx context.Context, payload []byte) error {
	_, err := c.c.Put(ctx, fmt.Sprintf("%s%016x", c.mine, c.next.Add(1)), string(payload))
	return err
}

// Go puts from a goroutine of its own: the client has no asynchronous calls, and multiplexes concurrent ones on one connection.
func (c *caller) Go(ctx context.Context, payload []byte, done func(error)) error {
	select {
	case c.window <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	go func() {
		err := c.Append(ctx, payload)
		<-c.window
		done(err)
	}()
	return nil
}

// Subscribe reads what is there page by page, which is its faster reader, and watches for new keys.
func (c *caller) Subscribe(ctx context.Context, fromStart bool, ready func(), each func([]byte) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithCreatedNotify()}
	if fromStart {
		revision, more, err := c.pages(ctx, each)
		if err != nil || !more {
			return err
		}
		opts = append(opts, clientv3.WithRev(revision+1))
	}
	for r := range c.c.Watch(clientv3.WithRequireLeader(ctx), c.log, opts...) {
		if err := r.Err(); err != nil {
			return err
		}
		if r.Created && !fromStart {
			ready()
		}
		for _, e := range r.Events {
			if !each(e.Kv.Value) {
				return nil
			}
		}
	}
	return nil
}

// pages reads all keys of the log as they are at one revision, and returns it. A client's keys are in the order in which they were made.
func (c *caller) pages(ctx context.Context, each func([]byte) bool) (revision int64, more bool, err error) {
	from, end := c.log, clientv3.GetPrefixRangeEnd(c.log)
	for {
		r, err := c.c.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(page), clientv3.WithRev(revision))
		if err != nil {
			return 0, false, err
		}
		if revision == 0 {
			revision = r.Header.Revision
		}
		for _, kv := range r.Kvs {
			if !each(kv.Value) {
				return revision, false, nil
			}
			from = string(kv.Key) + "\x00"
		}
		if !r.More {
			return revision, true, nil
		}
	}
}

func (c *caller) Close() error {
	if c.shared {
		return nil
	}
	return c.c.Close()
}
