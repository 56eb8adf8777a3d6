// Package wal keeps what must survive: the acceptor's votes (Votes) and the learner's chosen log (Chosen), each in a store
// of its own, with all logs of its process in it, on Pebble.
//
// What it is not: it knows no role, no message and no value's inside. It obeys records (paxos.Record) and gives back what was
// recorded. It decides nothing, but it refuses a record that contradicts what it holds.
//
// Who owns what: a store is opened, given records and closed by one service; Submit and the reads may be called from any
// goroutine. A store has three goroutines: the writer hands groups to the engine, the syncer waits for their syncs and tells
// those who wait, the notary syncs WRITTEN (committer.go, written.go).
//
// Rules that it enforces (docs/protocol.md):
//
//   - A1: done is called, Apply returns, only when the records would survive losing power. One sync covers
//     all that is queued, over all logs (committer.go).
//   - A3, A4: a vote and the promise that it raises, T and the range delete, are one atomic write (votes.go).
//   - A8: a failed write or sync, or a read that finds damage, ends the process; damage ends the incarnation
//     (corrupt.go, engine.go, audit.go).
//   - A9: boot is durable before a store is used; write numbers ascend by one with each group (open.go, committer.go).
//   - K5: Space says when a store is full; a ballast file leaves room to reopen (space.go, ballast.go).
//
// What reaches the disk, byte by byte, and what never changes: format.go.
package wal
