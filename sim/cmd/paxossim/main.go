// Command paxossim runs simulated clusters.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/paxosd/paxosd/sim"
)

func main() {
	seed := flag.Uint64("seed", 1, "first seed")
	n := flag.Uint64("seeds", 1, "how many")
	trace := flag.Bool("trace", false, "trace")
	profile := flag.String("profile", "", "profile")
	flag.Parse()
	start := time.Now()
	simulated := time.Duration(0)
	bad := 0
	for s := *seed; s < *seed+*n; s++ {
		o := sim.Options{Seed: s, Profile: *profile}
		if *trace {
			o.Trace = os.Stdout
		}
		r := sim.Run(o)
		simulated += r.Simulated
		if r.Failure != nil {
			bad++
			fmt.Println(s, r.Failure)
		}
		if *n == 1 {
			fmt.Printf("%x %d %v %v\n", r.Hash, r.Steps, r.Simulated, r.Counters)
		}
	}
	fmt.Println(*n, bad, simulated, time.Since(start), simulated.Seconds()/time.Since(start).Seconds())
}
