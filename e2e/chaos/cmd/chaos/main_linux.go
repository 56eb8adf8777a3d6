// Command chaos runs clusters of real paxosd processes through faults, and judges what is left of what clients were told.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/harness"
	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// Exit codes.
const (
	exitGood   = 0
	exitBad    = 1 // a cluster did what it must not
	exitFailed = 2 // nothing was shown
)

func main() {
	code, outside, err := world.Enter()
	if err == nil && !outside {
		code, err = run()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "chaos: %v\n", err)
		code = max(code, exitFailed)
	}
	os.Exit(code)
}

func run() (int, error) {
	minutes := flag.Float64("minutes", 10, "begin faults for this many `minutes`")
	each := flag.Float64("cluster-minutes", 8, "judge a cluster after this many `minutes`, and found another one")
	seed := flag.Uint64("seed", 0, "`number` that decides the plan (default: any)")
	asJSON := flag.String("json", "", "write the report to this `file`, too")
	binary := flag.String("paxosd", "bin/paxosd", "`program` to run")
	only := flag.String("only", "", "only faults with one of these `words` in their names, with commas between")
	flag.Parse()
	if *seed == 0 {
		*seed = rand.Uint64N(1e6) + 1
	}
	path, err := filepath.Abs(*binary)
	if err != nil {
		return exitFailed, err
	}
	folder, err := world.NewFolder("paxosd-chaos-")
	if err != nil {
		return exitFailed, err
	}
	dir := folder.Dir
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("seed %d, folder %s\n", *seed, dir)
	report, err := harness.Run(ctx, &harness.Config{
		Binary: path, Dir: dir, Seed: *seed, Only: *only, Out: os.Stdout,
		For: time.Duration(*minutes * float64(time.Minute)), Cluster: time.Duration(*each * float64(time.Minute)),
	})
	if report == nil {
		return exitFailed, errors.Join(err, folder.Keep())
	}
	report.Print(os.Stdout)
	if *asJSON != "" {
		err = errors.Join(err, write(*asJSON, report))
	}
	if report.Judged.Bad() {
		fmt.Printf("what the processes said is in %s\n", dir)
		return exitBad, folder.Keep()
	}
	if err != nil {
		return exitFailed, errors.Join(fmt.Errorf("%w (what the processes said is in %s)", err, dir), folder.Keep())
	}
	return exitGood, folder.Remove()
}

func write(name string, report *harness.Report) error {
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
