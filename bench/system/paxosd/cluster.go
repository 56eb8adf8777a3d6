package paxosd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/bench/system"
	"github.com/paxosd/paxosd/client"
)

type cluster struct {
	g       system.Group
	o       system.Options
	url     string
	process map[string]string // by role's name: the process that has it
	ready   map[string]string // by process: address that answers once it serves
	nc      *nats.Conn        // of the shared client
	c       *client.Client
}

// closeLimit is how long what is on its way may take to be acknowledged when a client closes.
const closeLimit = 30 * time.Second

// serves waits until an append to the log is acknowledged.
func (c *cluster) serves(ctx context.Context, log string) error {
	err := system.Until(ctx, func(ctx context.Context) error {
		_, err := c.c.Log(log).Append(ctx, client.Entry{Payload: []byte("ready?")})
		return err
	})
	if err != nil {
		err = fmt.Errorf("log %s does not serve: %w: %s", log, err, c.g.Tail(c.process["p1"]))
	}
	return err
}

func (c *cluster) Processes() []system.Process { return c.g.Processes() }

// KillLeader asks "paxosd status" who leads, and kills that process.
func (c *cluster) KillLeader(ctx context.Context, log string) error {
	cmd := exec.CommandContext(ctx, c.o.Paxosd, "status", "--json", "--timeout", "2s")
	cmd.Env = append(os.Environ(), "NATS_URL="+strings.Replace(c.url, user+":"+password, monitor, 1), "PAXOSD_INBOX_PREFIX=_INBOX_monitor")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("ask who leads: %w", err)
	}
	var st struct {
		Logs []struct{ Log, Leader string } `json:"logs"`
	}
	if err := json.Unmarshal(out, &st); err != nil {
		return fmt.Errorf("ask who leads: %w", err)
	}
	for _, l := range st.Logs {
		if l.Log == log && l.Leader != "" {
			return c.g.Kill(c.process[l.Leader])
		}
	}
	return fmt.Errorf("nobody leads log %s: %s", log, out)
}

// Revive starts again what was killed, and waits until it is ready and the logs serve.
func (c *cluster) Revive(ctx context.Context) error {
	names, err := c.g.Restart()
	if err != nil {
		return err
	}
	for _, n := range names {
		err := system.Until(ctx, func(ctx context.Context) error { return answers(ctx, c.ready[n]) })
		if err != nil {
			return fmt.Errorf("%s is not ready again: %w: %s", n, err, c.g.Tail(n))
		}
	}
	return system.Each(ctx, c.o.Logs, c.serves)
}

func answers(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := r.Body.Close(); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return errors.New(r.Status)
	}
	return nil
}

func (c *cluster) Close() error {
	if c.c != nil {
		c.c.Close()
	}
	if c.nc != nil {
		c.nc.Close()
	}
	return c.g.Close()
}

// Client connects with a connection of its own, or takes the shared one.
func (c *cluster) Client(ctx context.Context, log string, o system.ClientOptions) (system.Client, error) {
	one := &caller{log: c.c.Log(log), window: make(chan struct{}, max(o.Window, 1))}
	if o.Shared {
		return one, nil
	}
	nc, err := nats.Connect(c.url, nats.CustomInboxPrefix("_INBOX_"+user), nats.MaxReconnects(-1))
	if err != nil {
		return nil, err
	}
	cl, err := client.New(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	one.log, one.end = cl.Log(log), func() {
		cl.Close()
		nc.Close()
	}
	return one, nil
}

type caller struct {
	log    *client.Log
	p      *client.Producer
	window chan struct{}
	end    func() // nil if the connection is shared
}

func (c *caller) Append(ctx context.Context, payload []byte) error {
	_, err := c.log.Append(ctx, client.Entry{Payload: payload})
	return err
}

func (c *caller) Go(ctx context.Context, payload []byte, done func(error)) error {
	if c.p == nil {
		p, err := c.log.Producer(ctx)
		if err != nil {
			return err
		}
		c.p = p
	}
	select {
	case c.window <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := c.p.Append(ctx, client.Entry{Payload: payload}, func(_ client.Ack, err error) {
		<-c.window
		done(err)
	})
	if err != nil {
		<-c.window
	}
	return err
}

// readBuffer is what may wait for a reader, in bytes.
const readBuffer = 32 << 20

func (c *caller) Subscribe(ctx context.Context, fromStart bool, ready func(), each func([]byte) bool) error {
	from := client.First()
	if !fromStart {
		last, err := c.log.LastOffset(ctx)
		if err != nil {
			return err
		}
		from = client.Offset(last + 1)
		ready()
	}
	for e, err := range c.log.Subscribe(ctx, from, client.Buffer(readBuffer)) {
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if !each(e.Payload) {
			return nil
		}
	}
	return nil
}

func (c *caller) Close() error {
	var err error
	if c.p != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		err = c.p.Close(ctx)
		cancel()
	}
	if c.end != nil {
		c.end()
	}
	return err
}
