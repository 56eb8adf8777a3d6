// Command chaos runs a cluster of real paxosd processes through faults, and judges what is left of what clients were told.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/harness"
	"github.com/paxosd/paxosd/e2e/chaos/world"
)

func main() {
	code, outside, err := world.Enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if outside || err != nil {
		os.Exit(max(code, 0))
	}
	dir, err := os.MkdirTemp("", "chaos-")
	if err == nil {
		err = harness.Once(context.Background(), dir, os.Args[1], 10*time.Second)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
