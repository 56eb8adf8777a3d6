package harness

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// connect returns a connection from the clients' machine, to whichever broker answers.
func (c *Cluster) connect() (*nats.Conn, error) {
	urls := make([]string, 0, machines)
	for i := 1; i <= machines; i++ {
		urls = append(urls, fmt.Sprintf("nats://client:change-me-client@%s:%d", world.Address(i), brokerPort))
	}
	rand.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	o := nats.GetDefaultOptions()
	o.Servers = urls
	for _, opt := range []nats.Option{
		nats.SetCustomDialer(c.net.Machine(clientMachine)), nats.DontRandomize(),
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ReconnectBufSize(-1),
		nats.CustomInboxPrefix("_INBOX_client"), nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.RetryOnFailedConnect(true),
	} {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	return o.Connect()
}
