// Command paxosd is a replicated log: every role of Multi-Paxos, a whole cluster in one process for trying it out,
// and the tools to append, read and look after logs.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

// collectAt is GOGC where the environment does not say: what a role holds is small beside what passes through it, and collecting half as often
// was worth a fifth of the throughput of small entries, for a few tens of MiB.
const collectAt = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	os.Exit(run(context.Background(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
