package client

import (
	"fmt"
	"time"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// Defaults, all in one place.
const (
	DefaultCluster = "main"

	// DefaultMaxBatchBytes is how large a batch grows while earlier ones are on their way. It is a quarter of what a message
	// carries: a larger batch delays others more than it saves.
	DefaultMaxBatchBytes = 256 << 10

	// DefaultMaxBuffered bounds what a producer holds that is not acknowledged, in bytes; Append waits beyond it.
	DefaultMaxBuffered = 16 << 20

	// DefaultDeliveryTimeout is how long a producer tries before it reports "unknown", or "refused" where that is certain.
	DefaultDeliveryTimeout = 30 * time.Second

	// eagerBatches is how many batches are on their way before a batch that is not full waits for one of them. Few, so that
	// what arrives meanwhile gathers; more than one, so that the pipe is never empty.
	eagerBatches = 3

	// confirmAfter is how old what is known of a log must be before a call that nobody answers has it looked for again.
	confirmAfter = 10 * time.Second
)

// Option changes a Client.
type Option func(*config)

type config struct {
	cluster string
	prefix  string
	name    string
	foreign func(subject string)
	confirm time.Duration

	explainEvery int
	explained    func(Explanation)
}

// WithCluster names the cluster; DefaultCluster where it is not given.
func WithCluster(name string) Option { return func(c *config) { c.cluster = name } }

// WithPrefix gives the subject prefix that the cluster is configured with; "paxos" where it is not given.
func WithPrefix(prefix string) Option { return func(c *config) { c.prefix = prefix } }

// WithName names the client in the log's session commands, for people who look for who appended what.
func WithName(name string) Option { return func(c *config) { c.name = name } }

// WithForeignAnswers has f called for each answer to an append that did not come from a leader of the log: another
// system sits on the log's subjects. Such answers never count.
func WithForeignAnswers(f func(subject string)) Option { return func(c *config) { c.foreign = f } }

func newConfig(opts []Option) (config, messaging.Subjects, error) {
	c := config{cluster: DefaultCluster, foreign: func(string) {}, confirm: confirmAfter}
	for _, o := range opts {
		o(&c)
	}
	s, err := messaging.NewSubjects(c.prefix, c.cluster)
	if err != nil {
		return c, s, fmt.Errorf("new client: %w: %w", ErrInvalid, err)
	}
	if len(c.name) > paxos.MaxNameBytes {
		return c, s, fmt.Errorf("new client: %w: the name has %d bytes, at most %d", ErrInvalid, len(c.name), paxos.MaxNameBytes)
	}
	if c.foreign == nil {
		c.foreign = func(string) {}
	}
	return c, s, nil
}

// AppendOption changes one AppendBatch.
type AppendOption func(*appendConfig)

type appendConfig struct {
	expect    uint64
	hasExpect bool
	id        string
}

// ExpectLast appends only if the log's last offset is last at that moment; 0: if the log is empty. Else ErrConditionFailed.
func ExpectLast(last uint64) AppendOption {
	return func(c *appendConfig) { c.expect, c.hasExpect = last, true }
}

// WithMessageID gives the entries of this append, together, an id. If the log remembers the id nothing is appended, and the Ack has
// the first one's offsets, with Duplicate set. It makes trying again after ErrUnknown safe.
func WithMessageID(id string) AppendOption { return func(c *appendConfig) { c.id = id } }

// ProducerOption changes a Producer.
type ProducerOption func(*producerConfig)

type producerConfig struct {
	maxBatch int
	buffered int
	window   int
	timeout  time.Duration
	onAck    func(Ack, error)
	stop     bool
	chain    bool
	expect   uint64
}

func defaultProducer() producerConfig {
	return producerConfig{
		maxBatch: DefaultMaxBatchBytes, buffered: DefaultMaxBuffered, window: paxos.DefaultOutcomes, timeout: DefaultDeliveryTimeout,
	}
}

// MaxBatchBytes bounds one batch; what the log takes bounds it too. Default: DefaultMaxBatchBytes.
func MaxBatchBytes(n int) ProducerOption { return func(c *producerConfig) { c.maxBatch = n } }

// MaxBuffered bounds the bytes that are not acknowledged. Default: DefaultMaxBuffered.
func MaxBuffered(n int) ProducerOption { return func(c *producerConfig) { c.buffered = n } }

// MaxInFlight bounds the batches on their way, from 1 to 64. Default: 64, what a log keeps outcomes for.
func MaxInFlight(n int) ProducerOption { return func(c *producerConfig) { c.window = n } }

// DeliveryTimeout bounds how long an entry is tried for, from Append on; 0: for ever. Default: DefaultDeliveryTimeout.
func DeliveryTimeout(d time.Duration) ProducerOption {
	return func(c *producerConfig) { c.timeout = d }
}

// OnAck is called for entries that were appended without a function of their own, in order.
func OnAck(f func(Ack, error)) ProducerOption { return func(c *producerConfig) { c.onAck = f } }

// StopOnError ends the producer at its first failure, so that nothing is appended after an entry that was not: what was
// acknowledged is then a prefix of what was given. Without it each entry stands for itself.
func StopOnError() ProducerOption { return func(c *producerConfig) { c.stop = true } }

// ChainFrom makes every batch conditional: the first one on last being the log's last offset, each later one on the one before it. So nobody
// else's entries come between. It implies StopOnError and MaxInFlight(1).
func ChainFrom(last uint64) ProducerOption {
	return func(c *producerConfig) { c.chain, c.expect = true, last }
}

func (c *producerConfig) validate(log string) error {
	const op = "produce to"
	if c.chain {
		c.stop, c.window = true, 1
	}
	switch {
	case c.maxBatch <= 0:
		return invalid(op, log, "MaxBatchBytes %d: want a positive number", c.maxBatch)
	case c.buffered <= 0:
		return invalid(op, log, "MaxBuffered %d: want a positive number", c.buffered)
	case c.window < 1 || c.window > paxos.DefaultOutcomes:
		return invalid(op, log, "MaxInFlight %d: want 1 to %d", c.window, paxos.DefaultOutcomes)
	case c.timeout < 0:
		return invalid(op, log, "DeliveryTimeout %v: want a positive span, or 0 for none", c.timeout)
	}
	return nil
}

// SubscribeOption changes a subscription.
type SubscribeOption func(*subscribeConfig)

type subscribeConfig struct {
	untilLast bool
	buffer    int
}

// UntilLast ends the subscription after the last offset as it was, linearizably, when it began.
func UntilLast() SubscribeOption { return func(c *subscribeConfig) { c.untilLast = true } }

// Buffer bounds the bytes that wait to be consumed. Default: 4 MiB.
func Buffer(bytes int) SubscribeOption { return func(c *subscribeConfig) { c.buffer = bytes } }
