// Package session is the deterministic core of a producer session: what to send, when to send it again, and what became of each
// batch. It does no I/O, reads no clock, starts no goroutine and draws no randomness but from its seed; its owner
// hands it answers, announcements and ticks, and carries out its Output.
//
// What it is not: it builds no frames, knows no subject and no error value. Package client does.
//
// A session is opened by a command; its id is that command's place in the log (docs/protocol.md Q1). Its batches are
// numbered 1, 2, 3 … and the log takes each number once, in order (Q2), so that a batch may be sent again, under whatever leader,
// until it is answered. From that follow the rules kept here:
//
//	I1  Numbered batches are a prefix of the queue, numbers are dense, and a number's bytes do not change: a resend is byte-identical.
//	    The one exception is the filler, below.
//	I2  At most Window numbers are unanswered, so that no outcome is asked for that the log has forgotten (Q2's F).
//	I3  Results are given in the order of submission, each once.
//	I4  "Refused" is said only of what is certainly not in the log and never will be (P6): the sequencer said so, or every
//	    send of the batch is known to be dead. A send is dead when the broker found nobody to deliver it to, or when the
//	    very leader that its envelope named refused it. Under an envelope that names no leader, no refusal is definite.
//
// # Fillers
//
// A batch that is given up (its deadline passed, nobody waits any more) leaves a number behind that later batches depend
// on. The session then sends, under that number, a batch whose condition cannot hold. The log takes one of the two, whichever is
// sequenced first: if the filler, the batch given up never appears; if the batch, the filler is told that the number was used. Either way the
// number is settled, later batches go on, and nothing is appended twice.
//
// # When to send
//
// Everything unanswered is sent again, in order, as one epoch:
//
//	a new leader announced itself      at once, all
//	a batch met a hole                 at once, all: an earlier one was lost
//	nothing heard for 250 ms           all, naming no leader; the wait doubles up to 2 s
//	the broker knew of no leader       after 10 ms doubling up to 250 ms; one batch first, more as answers come
//	the leader refused for now         likewise
//	others are answered, this one not  this one alone
package session
