// Command rawpath is the floor under an append: the same messages over NATS and the same synced write into Pebble, and
// nothing of the protocol. It exists to be measured beside paxosd in one run.
//
//	rawpath replica --server URL --name r1 --data DIR   stores what the leader sends, fsyncs, answers
//	rawpath leader  --server URL --replicas 3           fans a request out, answers after a majority
//	rawpath measure --server URL --count 2000           one request at a time; prints percentiles
//
// What it leaves out is everything that makes an answer mean something: ballots, promises, slots, checksums, retries.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/cockroachdb/pebble/v2"
	"github.com/nats-io/nats.go"
)

const (
	subjectAppend = "rawpath.append"
	subjectWrite  = "rawpath.write"
	subjectWrote  = "rawpath.wrote"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rawpath:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("want replica, leader or measure")
	}
	fs := flag.NewFlagSet(args[0], flag.ContinueOnError)
	server := fs.String("server", nats.DefaultURL, "NATS server")
	data := fs.String("data", "", "folder of a replica")
	replicas := fs.Int("replicas", 3, "replicas that the leader waits for a majority of")
	count := fs.Int("count", 2000, "requests to measure")
	size := fs.Int("size", 128, "bytes of a request")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	nc, err := nats.Connect(*server, nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	switch args[0] {
	case "replica":
		return replica(ctx, nc, *data)
	case "leader":
		return leader(ctx, nc, *replicas/2+1)
	case "measure":
		return measure(ctx, nc, *count, *size)
	}
	return fmt.Errorf("unknown part %q: want replica, leader or measure", args[0])
}

// replica writes all that is queued as one batch with one fsync, then answers each.
func replica(ctx context.Context, nc *nats.Conn, dir string) error {
	db, err := pebble.Open(dir, &pebble.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	in := make(chan *nats.Msg, 1<<16)
	if _, err := nc.ChanSubscribe(subjectWrite, in); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			group := []*nats.Msg{m}
			for len(in) > 0 {
				group = append(group, <-in)
			}
			b := db.NewBatch()
			for _, m := range group {
				if err := b.Set(m.Data[:8], m.Data[8:], nil); err != nil {
					return err
				}
			}
			if err := b.Commit(pebble.Sync); err != nil {
				return err
			}
			for _, m := range group {
				if err := nc.Publish(subjectWrote, m.Data[:8]); err != nil {
					return err
				}
			}
		}
	}
}

// leader numbers requests, fans each out and answers once a majority wrote it.
func leader(ctx context.Context, nc *nats.Conn, majority int) error {
	type waiting struct {
		reply string
		votes int
	}
	open := make(map[uint64]*waiting)
	in := make(chan *nats.Msg, 1<<16)
	for _, s := range []string{subjectAppend, subjectWrote} {
		if _, err := nc.ChanSubscribe(s, in); err != nil {
			return err
		}
	}
	next := uint64(time.Now().UnixNano())
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-in:
			if m.Subject == subjectAppend {
				next++
				open[next] = &waiting{reply: m.Reply}
				if err := nc.Publish(subjectWrite, append(binary.BigEndian.AppendUint64(nil, next), m.Data...)); err != nil {
					return err
				}
				continue
			}
			n := binary.BigEndian.Uint64(m.Data)
			if w, ok := open[n]; ok {
				if w.votes++; w.votes == majority {
					delete(open, n)
					if err := nc.Publish(w.reply, m.Data); err != nil {
						return err
					}
				}
			}
		}
	}
}

func measure(ctx context.Context, nc *nats.Conn, count, size int) error {
	h := hdrhistogram.New(1, int64(10*time.Second), 3)
	payload := make([]byte, size)
	for i := range count + count/10 {
		start := time.Now()
		if _, err := nc.RequestWithContext(ctx, subjectAppend, payload); err != nil {
			return err
		}
		if i >= count/10 { // the first tenth warms up
			if err := h.RecordValue(int64(time.Since(start))); err != nil {
				return err
			}
		}
	}
	us := func(v int64) float64 { return float64(v) / 1e3 }
	fmt.Printf("raw path, one at a time, %d B: min %.0f us, median %.0f us, p99 %.0f us, max %.0f us over %d\n",
		size, us(h.Min()), us(h.ValueAtQuantile(50)), us(h.ValueAtQuantile(99)), us(h.Max()), h.TotalCount())
	return nil
}
