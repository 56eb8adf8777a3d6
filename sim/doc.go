// Package sim runs the real cores (acceptor, proposer, learner, sequencer, genesis, and the clients' session and stream) as many
// processes in one goroutine, over a simulated network, simulated disks and simulated clocks. One seed decides everything: the
// shape of the cluster, what clients do, the mix of faults and every delay. The same seed, options and build give the same
// trace hash.
//
// A run has two phases. First everything of the seed's plan goes wrong while safety is checked at every step; then the faults
// stop, a quorum is healed, and progress is demanded within a stated time.
//
//	agenda     what happens next: messages, ticks, syncs, faults        (agenda.go, world.go)
//	network    brokers, cuts, loss, repeats, delays                     (network.go, route.go)
//	processes  life, clock, pause                                       (process.go)
//	stores     what is durable, what a crash loses                      (disk.go, votes.go, chosen.go)
//	services   the cores with what package node does for them           (acceptor.go, proposer.go, learner.go)
//	clients    sessions, plain appends, tails, commands, readers        (client*.go)
//	plan       what goes wrong in this seed, and when                   (profile.go, plan.go, faults*.go)
//	checkers   what must never be seen                                  (check*.go)
//
// What it is not: it runs no goroutine, opens no file and knows no wire format; the harness of real processes has those.
package sim
