// Package paxos is the vocabulary of the replicated log: the numbers, names, messages, records and
// limits that the roles, the stores and the transport share. It decides nothing: the protocol's rules
// are enforced in paxos/acceptor, paxos/proposer, paxos/learner and paxos/sequencer.
//
// What it is not: it knows no wire format (messaging has it), no disk layout (wal has it), no
// clock, no goroutine and no log output. Everything below paxos/ is deterministic: time arrives
// as an Instant or a Stamp, randomness as an argument.
//
// The words follow Lamport, "Paxos Made Simple", and docs/protocol.md. Ranges are closed on
// both ends; "...Through" is the largest number with all at or below done; "next..." is the only
// exclusive bound.
package paxos
