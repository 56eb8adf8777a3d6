package dragonboat

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/paxosd/paxosd/bench/system"
)

var (
	errRefused = errors.New("the proposal was not applied")
	errLost    = errors.New("the connection to the leader broke")
)

// caller keeps one connection to the leader's front, over which all its proposals go.
type caller struct {
	fronts []string
	shard  uint64
	window chan struct{}

	mu     sync.Mutex
	stream *stream
}

// stream is one connection. Answers come in the order of proposals.
type stream struct {
	conn net.Conn

	mu      sync.Mutex // over w and the order of waiting
	w       *bufio.Writer
	waiting chan func(error)
	broken  error
	poke    chan struct{}
}

// Client returns a client of the log's shard.
func (c *cluster) Client(_ context.Context, log string, o system.ClientOptions) (system.Client, error) {
	shard, err := c.shard(log)
	if err != nil {
		return nil, err
	}
	return &caller{fronts: c.fronts, shard: shard, window: make(chan struct{}, max(o.Window, 1))}, nil
}

// whoLeads asks the fronts in turn.
func whoLeads(ctx context.Context, fronts []string, shard uint64) (uint64, error) {
	err := errors.New("no replica says who leads")
	for _, f := range fronts {
		id, e := ask(ctx, f, shard)
		switch {
		case e != nil:
			err = e
		case id != 0:
			return id, nil
		}
	}
	return 0, err
}

func ask(ctx context.Context, front string, shard uint64) (id uint64, err error) {
	conn, err := open(ctx, front, opLeader, shard)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	err = binary.Read(conn, binary.BigEndian, &id)
	return id, err
}

func open(ctx context.Context, front string, op byte, shard uint64) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", front)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(binary.BigEndian.AppendUint64([]byte{op}, shard)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// connected returns the stream to the leader, a new one if the last has broken.
func (c *caller) connected(ctx context.Context) (*stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.stream; s != nil && s.alive() {
		return s, nil
	}
	id, err := whoLeads(ctx, c.fronts, c.shard)
	if err != nil {
		return nil, err
	}
	if id > uint64(len(c.fronts)) {
		return nil, fmt.Errorf("replica %d leads, and there is none", id)
	}
	conn, err := open(ctx, c.fronts[id-1], opAppend, c.shard)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn, w: bufio.NewWriterSize(conn, frontBuffer), waiting: make(chan func(error), frontPending), poke: make(chan struct{}, 1)}
	go s.read()
	go s.flush()
	c.stream = s
	return s, nil
}

func (s *stream) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken == nil
}

// read hands out the answers.
func (s *stream) read() {
	r := bufio.NewReaderSize(s.conn, frontBuffer)
	for {
		code, err := r.ReadByte()
		if err != nil {
			s.fail(errLost)
			return
		}
		done := <-s.waiting
		if code != 0 {
			// The leader may have changed: what follows goes to whoever leads now.
			done(errRefused)
			s.fail(errRefused)
			return
		}
		done(nil)
	}
}

// fail ends the stream and answers all that wait.
func (s *stream) fail(err error) {
	s.mu.Lock()
	s.broken = err
	close(s.waiting)
	close(s.poke)
	s.mu.Unlock()
	_ = s.conn.Close()
	for done := range s.waiting {
		done(err)
	}
}

// flush sends what gathered while it sent the last.
func (s *stream) flush() {
	for range s.poke {
		s.mu.Lock()
		err := s.w.Flush()
		s.mu.Unlock()
		if err != nil {
			return // the reader notices
		}
	}
}

func (s *stream) send(payload []byte, done func(error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.waiting <- done
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(payload)))
	if _, err := s.w.Write(head[:]); err != nil {
		return nil //nolint:nilerr // done is told once the reader notices
	}
	_, _ = s.w.Write(payload)
	select {
	case s.poke <- struct{}{}:
	default:
	}
	return nil
}

func (c *caller) Append(ctx context.Context, payload []byte) error {
	s, err := c.connected(ctx)
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	if err := s.send(payload, func(err error) { answer <- err }); err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *caller) Go(ctx context.Context, payload []byte, done func(error)) error {
	select {
	case c.window <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := c.connected(ctx)
	if err == nil {
		err = s.send(payload, func(err error) {
			<-c.window
			done(err)
		})
	}
	if err != nil {
		<-c.window
	}
	return err
}

// Subscribe is not what dragonboat is for.
func (*caller) Subscribe(context.Context, bool, func(), func([]byte) bool) error {
	return system.ErrUnsupported
}

func (c *caller) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream == nil {
		return nil
	}
	if err := c.stream.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
