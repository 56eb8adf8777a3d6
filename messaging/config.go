package messaging

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// Config says how one role reaches its broker.
type Config struct {
	URLs    []string // nats://host:port or tls://host:port; at least one, unless InProcess is set
	Prefix  string   // of subjects; DefaultPrefix where empty
	Cluster string
	Name    string     // the role's name: the name token of what it sends
	Role    paxos.Role // for the connection's name, as `nats server list` shows it
	Run     uint64     // random per process start, not zero

	Credentials Credentials
	TLS         TLS

	// InboxPrefix is the prefix of this role's own inboxes; DefaultInboxPrefix where empty. The broker's permissions
	// should let nobody else subscribe under it.
	InboxPrefix string
	// ReplyPrefixes says where answers may go (PROTOCOL N2): inbox prefixes, "_INBOX_*" for all whose first token begins
	// so. DefaultInboxPrefix and InboxPrefix are always among them.
	ReplyPrefixes []string

	// Timeout is the protocol's time-out: for so long after a (re)connect no 503 counts (PROTOCOL N5). It also bounds a
	// connection attempt and a blocked write. Default: paxos.DefaultTimeout.
	Timeout time.Duration

	// MinPayload is the smallest max_payload that the logs need, in bytes: the value limit and paxos.PayloadHeadroom. Default: that
	// of the default value limit.
	MinPayload int64

	// PendingMessages and PendingBytes bound what one subscription may have waiting for its handler; past them arriving
	// messages are dropped and counted.
	PendingMessages int
	PendingBytes    int

	// QueueMessages and QueueBytes bound what waits to leave, per connection.
	QueueMessages int
	QueueBytes    int

	// InProcess connects to an embedded server without a socket; URLs is then ignored.
	InProcess nats.InProcessConnProvider

	// Observe is told of events; nil: nobody is. It is called from many goroutines and must not block.
	Observe func(Event)
	// OnConnection is told when both connections are up (first while Connect still runs), and when one of them is no longer. It is
	// never called concurrently, and must not call Close.
	OnConnection func(up bool)
}

// Credentials say who connects. At most one way is set, or none.
type Credentials struct {
	File     string // .creds file: JWT and seed
	NKeyFile string // seed file
	User     string
	Password string
	Token    string
}

// TLS names files in PEM. CA alone checks the broker; Cert and Key show who connects.
type TLS struct {
	CA   string
	Cert string
	Key  string
}

// Defaults of Config. The pending bytes are those of an in-flight window and its resends; what a slow handler loses is
// sent again.
const (
	defaultPendingMessages = 64 << 10
	defaultPendingBytes    = 64 << 20
	defaultQueueMessages   = 64 << 10
	defaultQueueBytes      = 64 << 20

	// reconnectWait and its jitter stay below the 50 ms of PROTOCOL N5 together.
	reconnectWait   = 40 * time.Millisecond
	reconnectJitter = 10 * time.Millisecond

	pingInterval = 2 * time.Second
	maxPingsOut  = 2

	// waitingEvery is how often a transport that waits for its broker says so.
	waitingEvery = 5 * time.Second
)

// withDefaults checks c and fills in what is not set.
func (c Config) withDefaults() (Config, error) {
	if c.InProcess == nil && len(c.URLs) == 0 {
		return c, fmt.Errorf("%w: no broker URL", ErrConfig)
	}
	if !paxos.ValidName(c.Name) {
		return c, fmt.Errorf("%w: node name %q must match [A-Za-z0-9][A-Za-z0-9_-]{0,63}", ErrConfig, c.Name)
	}
	if c.Run == 0 {
		return c, fmt.Errorf("%w: run 0: it must be random, not zero", ErrConfig)
	}
	if err := c.Credentials.check(); err != nil {
		return c, err
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return c, fmt.Errorf("%w: a TLS certificate and its key come together", ErrConfig)
	}
	if c.InboxPrefix == "" {
		c.InboxPrefix = DefaultInboxPrefix
	}
	if !cleanSubject(c.InboxPrefix) {
		return c, fmt.Errorf("%w: inbox prefix %q is no subject", ErrConfig, c.InboxPrefix)
	}
	if c.Timeout <= 0 {
		c.Timeout = time.Duration(paxos.DefaultTimeout)
	}
	if c.MinPayload <= 0 {
		c.MinPayload = paxos.DefaultValueLimit + paxos.PayloadHeadroom
	}
	orDefault(&c.PendingMessages, defaultPendingMessages)
	orDefault(&c.PendingBytes, defaultPendingBytes)
	orDefault(&c.QueueMessages, defaultQueueMessages)
	orDefault(&c.QueueBytes, defaultQueueBytes)
	return c, nil
}

func orDefault(n *int, d int) {
	if *n <= 0 {
		*n = d
	}
}

func (c Credentials) check() error {
	ways := 0
	for _, set := range [...]bool{c.File != "", c.NKeyFile != "", c.User != "" || c.Password != "", c.Token != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		return fmt.Errorf("%w: more than one of creds file, nkey file, user and token: keep one", ErrConfig)
	}
	return nil
}

// options returns what the client library needs, apart from callbacks.
func (c *Config) options(conn string) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(fmt.Sprintf("paxosd %s %s %s", c.Role, c.Name, conn)),
		nats.NoEcho(),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectWait),
		nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.ReconnectBufSize(-1), // late is worse than lost (PROTOCOL N5)
		nats.IgnoreAuthErrorAbort(),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPingsOut),
		nats.Timeout(c.Timeout),
		nats.FlusherTimeout(c.Timeout),
		nats.CustomInboxPrefix(c.InboxPrefix),
	}
	if c.InProcess != nil {
		opts = append(opts, nats.InProcessServer(c.InProcess))
	}
	if c.TLS.CA != "" {
		opts = append(opts, nats.RootCAs(c.TLS.CA))
	}
	if c.TLS.Cert != "" {
		opts = append(opts, nats.ClientCert(c.TLS.Cert, c.TLS.Key))
	}
	cred, err := c.Credentials.option()
	if err != nil {
		return nil, err
	}
	return append(opts, cred), nil
}

func (c Credentials) option() (nats.Option, error) {
	switch {
	case c.File != "":
		return nats.UserCredentials(c.File), nil
	case c.NKeyFile != "":
		o, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("%w: nkey seed file %q: %w", ErrConfig, c.NKeyFile, err)
		}
		return o, nil
	case c.Token != "":
		return nats.Token(c.Token), nil
	case c.User != "" || c.Password != "":
		return nats.UserInfo(c.User, c.Password), nil
	}
	return func(*nats.Options) error { return nil }, nil
}

// broker names the broker in errors, without passwords.
func (c *Config) broker() string {
	if c.InProcess != nil {
		return "in this process"
	}
	names := make([]string, len(c.URLs))
	for i, s := range c.URLs {
		names[i] = "(unreadable URL)"
		if u, err := url.Parse(s); err == nil {
			names[i] = u.Redacted()
		}
	}
	return strings.Join(names, ", ")
}

// hopeless reports whether a first connection attempt shows that waiting will not help: who connects is not let in, or
// the files that should say so are wrong.
func hopeless(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired) ||
		errors.Is(err, nats.ErrNkeyButNoSigCB) || errors.Is(err, nats.ErrNkeysNotSupported) ||
		errors.Is(err, nats.ErrSecureConnRequired) || errors.Is(err, nats.ErrSecureConnWanted)
}
