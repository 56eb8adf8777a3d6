// Command paxosd is a replicated log: every role of Multi-Paxos, a whole cluster in one process for trying it out,
// and the tools to append, read and look after logs.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}
