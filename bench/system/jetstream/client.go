package jetstream

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/paxosd/paxosd/bench/system"
)

type caller struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	log     string
	subject string
}

// Client connects with a connection of its own.
func (c *cluster) Client(_ context.Context, log string, o system.ClientOptions) (system.Client, error) {
	nc, err := connect(c.urls)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(max(o.Window, 1)), jetstream.WithPublishAsyncTimeout(30*time.Second))
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &caller{nc: nc, js: js, log: log, subject: "log." + log}, nil
}

func (c *caller) Append(ctx context.Context, payload []byte) error {
	_, err := c.js.Publish(ctx, c.subject, payload)
	return err
}

// Go publishes asynchronously. The library waits itself while its window is full.
func (c *caller) Go(_ context.Context, payload []byte, done func(error)) error {
	f, err := c.js.PublishAsync(c.subject, payload, jetstream.WithStallWait(30*time.Second))
	if err != nil {
		return err
	}
	go func() {
		select {
		case <-f.Ok():
			done(nil)
		case err := <-f.Err():
			done(err)
		}
	}()
	return nil
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
	}, jetstream.PullMaxMessages(20000))
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
	c.nc.Close()
	return nil
}
