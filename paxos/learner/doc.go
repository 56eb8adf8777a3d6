// Package learner is the pure core that finds out what was chosen in one log. The learner role carries one per log and
// stores what it emits; every proposer, standby or leader, carries one too and stores nothing.
//
// It takes values from accept messages, votes from learn messages and marks from beacons, and closes gaps by asking other
// learners, then acceptors. In slot order every chosen value passes through a sequencer; Output.Chosen lists the results.
//
//	accept ──▶ values by (slot, ballot) ─┐
//	learn  ──▶ votes by (slot, ballot)  ─┼─▶ chosen ─▶ in slot order ─▶ sequencer ─▶ Output.Chosen
//	beacon ──▶ marks (b, n, hash)       ─┘                 ▲
//	fetch answers, by equal running hashes ────────────────┘
//
// What it is not: it does no I/O, reads no clock, starts no goroutine. One goroutine owns a Learner. It stores nothing, serves
// nobody, and reports nothing to proposers: the learner service does, from what it has synced.
//
// The rules it enforces are those of docs/protocol.md:
//
//	L1  a write quorum of distinct incarnations of M(t), one ballot, equal checksums, and that ballot's value in hand
//	L2  at or below a beacon's mark (b, n, hash), only a value from accept(t, b) of exactly that b
//	L3  a mark above what was sequenced starts a repair, though nothing else arrives
//	L4  repair without a leader: other learners, else acceptors' votes: a write quorum's equal ones, or, in a slot known to be
//	    chosen before they were asked, a read quorum's highest; bounded, jittered, one request per range in flight
//	L5  fetched values join only onto an equal running hash; a mismatch stops the log here
//	P2  nobody counts for a slot whose membership is undefined; such messages wait in a bounded buffer
//	A9  a lower boot is stale; a store that provably went back, or runs twice, does not count
//
// A Learner knows M(t) exactly for the slots in (Through, Through+α], its window: votes are counted there and nowhere else.
package learner
