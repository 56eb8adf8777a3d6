// Command bench measures paxosd beside NATS JetStream, etcd and dragonboat: the same loads from one client process, three replicas as separate processes
// on this machine, one system after the other in every round.
//
//	bench run [-systems a,b] [-loads x,y] [-rounds N] [-seconds S] [-json F] [-plots DIR]
//	bench report F [-plots DIR]
//	bench list
//
// It starts and ends its servers itself, as processes of its own binary ("bench serve …") and of paxosd, which it builds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/paxosd/paxosd/bench/floor"
	"github.com/paxosd/paxosd/bench/report"
	"github.com/paxosd/paxosd/bench/system/dragonboat"
	"github.com/paxosd/paxosd/bench/system/etcd"
	"github.com/paxosd/paxosd/bench/system/jetstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("want run, report or list")
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "report":
		return show(args[1:])
	case "list":
		return list()
	case "serve":
		return serve(ctx, args[1:])
	}
	return fmt.Errorf("there is no command %q: want run, report or list", args[0])
}

// serve runs one server process of a peer.
func serve(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("serve what?")
	}
	switch args[0] {
	case "jetstream":
		return jetstream.Serve(ctx, args[1:])
	case "etcd":
		return etcd.Serve(ctx, args[1:])
	case "dragonboat":
		return dragonboat.Serve(ctx, args[1:])
	case "floor":
		return floor.Serve(ctx, args[1:])
	}
	return fmt.Errorf("there is no system %q to serve", args[0])
}

func show(args []string) error {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	plots := f.String("plots", "", "folder to draw SVG plots into")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return errors.New("report wants one file")
	}
	r, err := report.Read(f.Arg(0))
	if err != nil {
		return err
	}
	return present(r, *plots)
}

// present prints the table and draws the plots.
func present(r *report.Run, plots string) error {
	if err := r.Table(os.Stdout); err != nil || plots == "" {
		return err
	}
	return drawAll(r, plots)
}
