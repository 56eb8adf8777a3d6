// Package proposer is the pure core of one proposer process over all its logs. Per log it is a standby, a candidate, a
// leader, or a leader that is contested: closed phases, each holding only what it needs. It carries a learner and a sequencer
// per log, so that it always knows the chosen prefix.
//
//	            silence, 503, "over"            "gone" from a read quorum of
//	            or withdrawn: ask               every membership in the window
//	┌─────────┐ ───────────────▶ ┌─────────┐ ───────────────▶ ┌───────────┐
//	│ standby │                  │ asking  │                  │ candidate │◀─────────────┐
//	└─────────┘ ◀─────────────── └─────────┘                  └───────────┘              │
//	     ▲        not gone, renewed, behind                         │ promises cover     │ a write quorum
//	     │                                                          ▼ the next slot      │ still promises
//	     │     no W, no progress, T above, another value      ┌──────────┐  higher  ┌────┴──────┐ the old ballot
//	     └────────────────────────────────────────────────────│  leader  │─────────▶│ contested │
//	                                                          └──────────┘  ballot  └───────────┘
//
// A leader fills the slots that Phase 1 reported, then proposes its term start; once that is sequenced it subscribes to
// appends, composes what waits into values at the end of each turn, and acknowledges what its sequencer has numbered.
//
// What it is not: it does no I/O, keeps no store, reads no clock, draws no randomness but from its seed. One goroutine, its
// service's, owns a Proposer: it delivers messages and ticks, calls Flush at the end of each turn, and obeys the Output.
//
// The rules it enforces are those of docs/protocol.md:
//
//	A2   one ballot serves one candidacy (candidate.go)
//	A5   a promise counts for a slot only if a chunk of it covers the slot (promises.go)
//	A6   reported values come from the learner, else from the acceptors that reported them (adopt.go)
//	P1   the right to accept, per slot, ballot and membership (leader.go: mayPropose)
//	P2   nothing is decided for a slot whose membership is undefined (promises.go, leader.go)
//	P3   nothing is proposed at or below a trim mark told (group.go: told)
//	P4   resume above both bounds; holes get no-ops (leader.go)
//	P5   reports at one's own ballot are ignored; a late promise changes nothing proposed (promises.go, adopt.go)
//	P6   origin, term start, subscription generations, silence (leader.go, intake.go, contested.go)
//	P7   asking before standing, the order of succession (standby.go, asking.go)
//	P8   check-quorum, progress limit, raising in place (checkquorum.go, contested.go)
//	P9   answers only for what is chosen and sequenced (acks.go)
//	P10  a tail is a batch like any other (intake.go)
//	P11  in flight is bounded by bytes, over all logs (compose.go)
//	L2   the sender's side: a mark never passes a slot chosen above the ballot or fetched (leader.go, beacon.go)
//	N6   one numbered beacon per process (beacon.go, peers.go)
//	K1, K2  reports, stable commands and marks (stability.go)
//	K4   no-ops until the newest membership governs; a change only while its quorums answer (leader.go, change.go)
//	K5   appends refused before the acceptors must (intake.go)
//	Q5   no standing with a clock out of bounds (asking.go)
//	Q8   frames are scanned before they are proposed (intake.go)
package proposer
