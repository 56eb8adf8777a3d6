// Package node holds the thin services: each joins one role's pure core to a store, a transport, a clock and an
// observer. A service owns goroutines and resources and decides nothing about the protocol.
//
// A service is one loop goroutine that owns its core, and few helpers around it:
//
//	transport callbacks ─▶ mailbox ─▶ loop: deliver all that is queued, flush ─┬─▶ transport (what may leave now)
//	ticker ──────────────────────────▶ │                                        └─▶ store (records, one fsync)
//	read results, completions ───────▶ │                                             └─▶ transport (what waits for them)
//
// The loop takes everything that is queued, steps the core once for each, and hands the gathered output over as one
// group: one store write, one fsync, however many logs it touches. While that group syncs the next one forms.
//
// The package declares the interfaces that it needs (Transport, VoteStore, ChosenStore, Clock, Observer); wal, messaging and
// metrics implement them without knowing it. Assembly is the binary's work.
package node
