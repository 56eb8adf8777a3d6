// Package acceptor is the core of one acceptor process, over all its logs: what it promised, what it voted, and
// whether what it promised still leads. It enforces PROTOCOL section 1 (A1-A7, A9, A10), the acceptor's side of P7 and P8,
// L4, K2, K5, K4's "retired", section 6 and N6's receiving side.
//
// It is a pure state machine. One goroutine, the service's, owns it: it delivers messages, completions of reads
// and ticks, and obeys the Output. Time is an argument; nothing here blocks, logs, or reads a clock.
//
// What it is not: it keeps no value and, beyond a bounded cache, no vote. Its service persists the records and
// answers reads from the store. It never learns what is chosen: it trims on a beacon's word (K2), which is the
// word of a process that sequenced it.
//
// The order of durability. Everything that shows a promise, a vote, a trim mark or a state is in Output.After, and
// thereby leaves only when the records of this Output and of every earlier one are durable (A1). The core itself counts
// what it recorded as done at once: a vote that is not yet durable is as good as durable to it, since nobody
// hears of it before it is; if the process dies first, it comes back as if the message had never arrived.
//
// Reads. The core knows by heart the votes of the top slots (a complete cache above a floor) and asks its service
// for anything below. A Read must see every record of the Outputs before it and of its own. It may also see later ones,
// and messages may come in between; both are harmless:
//
//  1. A parked accept is judged when its read returns, by the promise, the trim mark and the state of that moment. Votes in its slot
//     cannot have changed meanwhile: a later accept for the slot parks behind it.
//  2. A promise chunk is sent only while the promise is still at the ballot that asked for it; once it is not, the
//     candidate is refused instead. So every vote cast since the promise is at the candidate's own ballot, which the
//     candidate ignores (P5), in a slot that it had already proposed by another quorum.
//  3. Whatever was trimmed meanwhile is cut off a chunk by the trim mark of the moment in which the chunk is made.
//
// Tests: testdata/*.txt hold a transcript for each rule and its schedule; TestModel compares the core with a
// slow twin over random messages, reads and crashes.
package acceptor
