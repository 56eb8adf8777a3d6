// Package floor measures what no replicated log on this machine can be faster than: a sync of the disk, and a question and its answer through a broker.
package floor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/bench/load"
	"github.com/paxosd/paxosd/bench/system"
)

// Name is that of the machine among the systems.
const Name = "machine"

// Names of what is measured.
const (
	SyncWritten = "fdatasync of 4 KiB over written blocks"
	SyncNew     = "fdatasync of 4 KiB over new blocks"
	RoundTrip   = "request and reply through a broker"
)

// Measure measures each for so long.
func Measure(ctx context.Context, dir string, each time.Duration) ([]load.Result, error) {
	var all []load.Result
	for _, m := range []struct {
		name string
		do   func(context.Context, string, time.Duration) (load.Result, error)
	}{{SyncWritten, syncWritten}, {SyncNew, syncNew}, {RoundTrip, roundTrip}} {
		r, err := m.do(ctx, dir, each)
		if err != nil {
			return all, fmt.Errorf("measure %s: %w", m.name, err)
		}
		r.System, r.Workload = Name, m.name
		all = append(all, r)
	}
	return all, nil
}

const (
	writeBytes = 4 << 10
	fileBytes  = 16 << 20
)

func syncWritten(_ context.Context, dir string, each time.Duration) (load.Result, error) {
	return syncs(dir, each, true)
}

func syncNew(_ context.Context, dir string, each time.Duration) (load.Result, error) {
	return syncs(dir, each, false)
}

// syncs writes and syncs block after block of a file, which was written before or grows.
func syncs(dir string, each time.Duration, written bool) (r load.Result, err error) {
	path := filepath.Join(dir, "floor")
	f, err := os.Create(path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	if written {
		if _, err := f.Write(make([]byte, fileBytes)); err != nil {
			return r, err
		}
		if err := f.Sync(); err != nil {
			return r, err
		}
	}
	b := make([]byte, writeBytes)
	at := int64(0)
	return repeat(each, func() error {
		if written {
			at %= fileBytes
		}
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
		at += writeBytes
		return syscall.Fdatasync(int(f.Fd()))
	})
}

// repeat calls f for a while, a tenth of it to warm up, and returns how long it took each time.
func repeat(each time.Duration, f func() error) (load.Result, error) {
	h := hdrhistogram.New(100, int64(time.Minute), 3)
	began := time.Now()
	for time.Since(began) < each/10 {
		if err := f(); err != nil {
			return load.Result{}, err
		}
	}
	began = time.Now()
	for time.Since(began) < each {
		start := time.Now()
		if err := f(); err != nil {
			return load.Result{}, err
		}
		if err := h.RecordValue(int64(time.Since(start))); err != nil {
			return load.Result{}, err
		}
	}
	s := time.Since(began).Seconds()
	n := uint64(h.TotalCount())
	return load.Result{Seconds: s, Entries: n, Rate: float64(n) / s, Latency: load.LatencyOf(h)}, nil
}

// roundTrip asks a process that answers at once, through a broker that is a third process.
func roundTrip(ctx context.Context, dir string, each time.Duration) (r load.Result, err error) {
	ports, err := system.Ports(1)
	if err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	g := system.Group{Dir: dir}
	defer func() { err = errors.Join(err, g.Close()) }()
	url := fmt.Sprintf("nats://127.0.0.1:%d", ports[0])
	env := []string{"GOMAXPROCS=1"}
	if err := errors.Join(
		g.Start("floor-broker", "broker", env, self, "serve", "floor", "broker", fmt.Sprint(ports[0])),
		g.Start("floor-echo", "echo", env, self, "serve", "floor", "echo", url),
	); err != nil {
		return r, err
	}
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var nc *nats.Conn
	err = system.Until(start, func(context.Context) error {
		nc, err = nats.Connect(url)
		return err
	})
	if err != nil {
		return r, err
	}
	defer nc.Close()
	ask := func() error {
		_, err := nc.Request(echoSubject, payload[:], time.Second)
		return err
	}
	if err := system.Until(start, func(context.Context) error { return ask() }); err != nil {
		return r, err
	}
	return repeat(each, ask)
}

const echoSubject = "floor.echo"

var payload [128]byte // what is sent and comes back

// Serve is the broker, or the process that answers, until ctx ends.
func Serve(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("want broker PORT, or echo URL")
	}
	switch args[0] {
	case "broker":
		return broker(ctx, args[1])
	case "echo":
		return echo(ctx, args[1])
	}
	return fmt.Errorf("there is no %q to serve", args[0])
}

func broker(ctx context.Context, port string) error {
	o := &server.Options{Host: "127.0.0.1", NoLog: true, NoSigs: true}
	if _, err := fmt.Sscan(port, &o.Port); err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	<-ctx.Done()
	s.Shutdown()
	return nil
}

func echo(ctx context.Context, url string) error {
	nc, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	if _, err := nc.Subscribe(echoSubject, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil { // an answer that is lost is asked for again
		return err
	}
	<-ctx.Done()
	return nil
}
