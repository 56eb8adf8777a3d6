package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/client"
)

// connect is what every program begins with.
func connect(ctx context.Context) (*client.Client, func(), error) {
	nc, err := nats.Connect(nats.DefaultURL, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		return nil, nil, err
	}
	c, err := client.New(ctx, nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return c, func() { c.Close(); nc.Close() }, nil
}

// An append that returned without an error can no longer be lost.
func ExampleLog_Append() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, done, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer done()

	ack, err := c.Log("main").Append(ctx,
		client.Entry{Payload: []byte("first")},
		client.Entry{Payload: []byte("second"), Headers: []client.Header{{Key: "Type", Value: "order"}}})
	switch {
	case errors.Is(err, client.ErrRefused):
		log.Fatalf("certainly not in the log: %v", err)
	case errors.Is(err, client.ErrUnknown):
		log.Fatalf("perhaps in the log: %v", err)
	case err != nil:
		log.Fatal(err)
	}
	fmt.Printf("offsets %d and %d\n", ack.Offset, ack.Last())
}

// A message id makes it safe to try again after ErrUnknown.
func ExampleLog_AppendBatch_messageID() {
	ctx := context.Background()
	c, done, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer done()

	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		ack, err := c.Log("main").AppendBatch(try, []client.Entry{{Payload: []byte("order 7311")}}, client.WithMessageID("order-7311"))
		cancel()
		if err == nil {
			fmt.Println("offset", ack.Offset, "appended before:", ack.Duplicate)
			return
		}
		if !client.Retryable(err) && !errors.Is(err, client.ErrUnknown) {
			log.Fatal(err)
		}
	}
}

// A conditional append goes on from what was read: nobody else's entry can come between.
func ExampleLog_AppendBatch_condition() {
	ctx := context.Background()
	c, done, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer done()

	l := c.Log("main")
	last, err := l.LastOffset(ctx)
	if err != nil {
		log.Fatal(err)
	}
	_, err = l.AppendBatch(ctx, []client.Entry{{Payload: []byte("decision")}}, client.ExpectLast(last))
	var e *client.Error
	if errors.Is(err, client.ErrConditionFailed) && errors.As(err, &e) {
		fmt.Println("read on to offset", e.Last, "and decide again")
	}
}

// A producer gathers entries into batches and keeps many in flight.
func ExampleLog_Producer() {
	ctx := context.Background()
	c, done, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer done()

	p, err := c.Log("main").Producer(ctx, client.OnAck(func(ack client.Ack, err error) {
		if err != nil {
			log.Print(err)
		}
	}))
	if err != nil {
		log.Fatal(err)
	}
	for i := range 1_000_000 {
		if err := p.Append(ctx, client.Entry{Payload: fmt.Appendf(nil, "line %d", i)}, nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := p.Close(ctx); err != nil { // flushes
		log.Fatal(err)
	}
}

// A subscription goes on for ever; it ends with its context, or with the loop.
func ExampleLog_Subscribe() {
	ctx := context.Background()
	c, done, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer done()

	var at struct{ Next uint64 } // kept by the program, so that it goes on where it was
	at.Next = 1
	for e, err := range c.Log("main").Subscribe(ctx, client.Offset(at.Next)) {
		if errors.Is(err, client.ErrGone) {
			log.Fatalf("retention was faster: %v", err)
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s %s\n", e.Offset, e.Time.Format(time.RFC3339), e.Payload)
		at.Next = e.Offset + 1
	}
}

// Read what is in the log, and end.
func ExampleUntilLast() {
	ctx := context.Background()
	c, done, err := connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer done()

	for e, err := range c.Log("main").Subscribe(ctx, client.Time(time.Now().Add(-time.Hour)), client.UntilLast()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", e.Payload)
	}
}
