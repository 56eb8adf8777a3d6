package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/paxosd/paxosd/bench/system"
)

const (
	publishTimeout = 30 * time.Second
	pullMessages   = 20_000 // of a consumer, at a time: its reader is fastest so
)

type caller struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	log     string
	subject string
	shared  bool
	window  chan struct{}

	mu      sync.Mutex
	waiting map[*nats.Msg]func(error) // published, and neither acknowledged nor failed
}

// Client connects with a connection of its own to the server that leads the stream, which saves a hop, or takes the shared one.
func (c *cluster) Client(ctx context.Context, log string, o system.ClientOptions) (_ system.Client, err error) {
	one := &caller{
		nc: c.nc, log: log, subject: "log." + log, shared: o.Shared,
		window: make(chan struct{}, max(o.Window, 1)), waiting: make(map[*nats.Msg]func(error)),
	}
	if !o.Shared {
		urls, err := c.leaderFirst(ctx, log)
		if err != nil {
			return nil, err
		}
		if one.nc, err = connect(urls); err != nil {
			return nil, err
		}
	}
	one.js, err = jetstream.New(one.nc,
		jetstream.WithPublishAsyncMaxPending(max(o.Window, 1)+1), jetstream.WithPublishAsyncTimeout(publishTimeout),
		jetstream.WithPublishAsyncAckHandler(func(_ jetstream.JetStream, m *nats.Msg, _ *jetstream.PubAck) { one.ended(m, nil) }),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, m *nats.Msg, err error) { one.ended(m, err) }),
	)
	if err != nil {
		return nil, errors.Join(err, one.Close())
	}
	return one, nil
}

// leaderFirst returns the addresses of all servers, that of the stream's leader first.
func (c *cluster) leaderFirst(ctx context.Context, log string) ([]string, error) {
	leader, err := c.leader(ctx, log)
	if err != nil {
		return nil, err
	}
	urls := []string{""}
	for i, u := range c.urls {
		if fmt.Sprint("n", i+1) == leader {
			urls[0] = u
		} else {
			urls = append(urls, u)
		}
	}
	return urls, nil
}

func (c *cluster) leader(ctx context.Context, log string) (string, error) {
	s, err := c.js.Stream(ctx, log)
	if err != nil {
		return "", err
	}
	in, err := s.Info(ctx)
	if err != nil {
		return "", err
	}
	if in.Cluster == nil || in.Cluster.Leader == "" {
		return "", fmt.Errorf("nobody leads stream %s", log)
	}
	return in.Cluster.Leader, nil
}

func (c *caller) Append(ctx context.Context, payload []byte) error {
	_, err := c.js.Publish(ctx, c.subject, payload)
	return err
}

// Go publishes asynchronously. Its own window, one less than the library's, is what it waits for: the library's way of waiting is a time-out.
func (c *caller) Go(ctx context.Context, payload []byte, done func(error)) error {
	select {
	case c.window <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	m := &nats.Msg{Subject: c.subject, Data: payload}
	c.mu.Lock()
	c.waiting[m] = done
	c.mu.Unlock()
	if _, err := c.js.PublishMsgAsync(m); err != nil {
		c.take(m)
		<-c.window
		return err
	}
	return nil
}

func (c *caller) take(m *nats.Msg) func(error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := c.waiting[m]
	delete(c.waiting, m)
	return done
}

// ended tells what became of a message.
func (c *caller) ended(m *nats.Msg, err error) {
	if done := c.take(m); done != nil {
		<-c.window
		done(err)
	}
}

// Subscribe reads with an ordered consumer, which is its faster reader without acknowledgements.
func (c *caller) Subscribe(ctx context.Context, fromStart bool, ready func(), each func([]byte) bool) error {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
	if !fromStart {
		cfg.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	cons, err := c.js.OrderedConsumer(ctx, c.log, cfg)
	if err != nil {
		return err
	}
	end := make(chan struct{})
	over := false
	run, err := cons.Consume(func(m jetstream.Msg) {
		if !over && !each(m.Data()) {
			over = true
			close(end)
		}
	}, jetstream.PullMaxMessages(pullMessages))
	if err != nil {
		return err
	}
	defer run.Stop()
	if !fromStart {
		ready()
	}
	select {
	case <-ctx.Done():
	case <-end:
	}
	return nil
}

func (c *caller) Close() error {
	if !c.shared {
		c.nc.Close()
	}
	return nil
}
