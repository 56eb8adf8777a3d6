//go:build !linux

// Command chaos runs clusters of real paxosd processes through faults, and judges what is left of what clients were told.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "chaos: this needs Linux, for its namespaces and file systems")
	os.Exit(2)
}
