// Package plan lists what is measured: the loads, by name, and what cluster each wants.
package plan

import (
	"fmt"
	"time"

	"github.com/paxosd/paxosd/bench/load"
)

// Load is a workload and where it runs.
type Load struct {
	load.Workload
	Short  bool     // it is of the short form, too
	Group  Group    // loads of one group run one after the other on one cluster
	Rounds int      // measured in so many rounds at most; 0: in each
	Only   []string // systems that it is measured on; empty: all
}

// Group says what cluster its loads want.
type Group struct {
	Apart    string // a cluster of its own for this
	Logs     int    // logs beside those of every cluster
	Learners int    // 0: the system's own choice
}

// Of says how far the loads go that take long.
type Of struct {
	Trials int           // kills of a leader, a round
	Long   uint64        // entries of the long log; 0: none
	LongOn []string      // systems that get it
	Soak   time.Duration // how long the peak is held; 0: not
	SoakOn []string
}

// Names that reports look for.
const (
	OneAtATime = "one at a time, 128 B"
	Tail       = "append to subscriber, 1000/s, 128 B"
	Read       = "subscribe from the start, 128 B"
	Killed     = "leader killed"
	Soak       = "peak held, pipelined 4096, 128 B"
)

// ShortLog is how long the log is that the long one is compared with.
const ShortLog = 1_000_000

// Callers names the load of so many callers.
func Callers(n int) string { return fmt.Sprintf("%d callers, 128 B", n) }

// Pipelined names the load of a pipelined client.
func Pipelined(window, size int) string { return fmt.Sprintf("pipelined %d, %d B", window, size) }

// Peak is the load whose rate is a system's peak.
func Peak() string { return Pipelined(4096, 128) }

// Half names the open loop at half of the lesser of two peaks, paxosd's and this peer's.
func Half(peer string) string { return "open loop at half the peak, beside " + peer + ", 128 B" }

// Many names the load over so many logs.
func Many(logs int) string { return fmt.Sprintf("%d logs, pipelined 4096, 128 B", logs) }

// Fan names the load with so many subscribers.
func Fan(subscribers int) string {
	return fmt.Sprintf("%d subscribers, pipelined 4096, 128 B", subscribers)
}

// Long names the load that begins with so many entries in the log.
func Long(entries uint64) string {
	return fmt.Sprintf("log of %d entries, pipelined 16384, 16 B", entries)
}

// LongLone names the same for one append at a time.
func LongLone(entries uint64) string {
	return fmt.Sprintf("log of %d entries, one at a time, 16 B", entries)
}

// Counts of logs and of subscribers, with a learner for each: two learners at least, since paxosd's acceptors forget what two copies hold.
var (
	LogCounts        = []int{1, 10, 100, 1000}
	SubscriberCounts = []int{1, 2, 3, 4}
)

const minLearners = 2

// All returns all loads in the order in which they run.
func All(of Of) (all []Load) {
	add := func(l Load) { all = append(all, l) }
	add(Load{Workload: load.Workload{Name: OneAtATime, Kind: load.Callers, Clients: 1, Size: 128}, Short: true})
	for _, n := range []int{64, 256} {
		add(Load{Workload: load.Workload{Name: Callers(n), Kind: load.Callers, Clients: n, Size: 128}, Short: true})
	}
	for _, window := range []int{4096, 16384} {
		for _, size := range []int{16, 128, 1024, 16 << 10} {
			if window == 16384 && size > 1024 {
				continue // 256 MiB on their way are no pipeline any more
			}
			add(Load{
				Workload: load.Workload{Name: Pipelined(window, size), Kind: load.Pipelined, Window: window, Size: size},
				Short:    window == 4096 && (size == 128 || size == 1024),
			})
		}
	}
	add(Load{Workload: load.Workload{Name: Tail, Kind: load.Tail, Rate: 1000, Window: 4096, Size: 128}, Short: true})
	add(Load{Workload: load.Workload{Name: Read, Kind: load.Read, Window: 16384, Size: 128}, Short: true})
	add(Load{Workload: load.Workload{Name: Killed, Kind: load.Failover, Size: 128, Trials: of.Trials}, Short: true})
	for _, n := range LogCounts {
		add(Load{
			Workload: load.Workload{Name: Many(n), Kind: load.Many, Logs: n, Window: 4096, Size: 128},
			Group:    Group{Apart: "logs", Logs: n}, Rounds: 1,
		})
	}
	for _, n := range SubscriberCounts {
		add(Load{
			Workload: load.Workload{Name: Fan(n), Kind: load.Fan, Subscribers: n, Window: 4096, Size: 128},
			Group:    Group{Apart: "subscribers", Learners: max(n, minLearners)}, Rounds: 1,
		})
	}
	return append(all, long(of)...)
}

// longMeasure is how long is measured on a log that took minutes to fill.
const longMeasure = 10 * time.Second

func long(of Of) (all []Load) {
	if of.Soak > 0 {
		all = append(all, Load{
			Workload: load.Workload{Name: Soak, Kind: load.Pipelined, Window: 4096, Size: 128, Measure: of.Soak},
			Group:    Group{Apart: "peak held"}, Rounds: 1, Only: of.SoakOn,
		})
	}
	if of.Long == 0 {
		return all
	}
	for _, n := range []uint64{ShortLog, of.Long} {
		for _, w := range []load.Workload{
			{Name: Long(n), Kind: load.Pipelined, Window: 16384, Size: 16},
			{Name: LongLone(n), Kind: load.Callers, Clients: 1, Window: 16384, Size: 16},
		} {
			w.Fill, w.Measure = n, longMeasure
			all = append(all, Load{Workload: w, Group: Group{Apart: "long log"}, Rounds: 1, Only: of.LongOn})
		}
	}
	return all
}
