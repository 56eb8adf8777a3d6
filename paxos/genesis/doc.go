// Package genesis founds logs (PROTOCOL section 6, and section 8 "Genesis from configuration"). It has two
// halves, which meet only through messages:
//
//   - A Participant is an acceptor's or a keeper's side: per log none → prepared(G) → live(G), or aborted(G), each
//     durable before it is heard.
//   - A Founder is the initiator's side, for one log: it asks every listed process what it holds, and drives
//     exactly one genesis to live. It keeps nothing durable: whatever step its predecessor died at, it reads
//     the stores' answers and goes on from there.
//
// Why no log is ever founded twice:
//
//  1. A genesis becomes live only after all acceptors and keepers that it lists have durably prepared it.
//  2. A store holds one genesis of a log at a time; live is for ever, and prepared ends only in live or aborted.
//  3. A founder proposes a new genesis only when every listed process, asked by name, holds none, when every
//     genesis that it ever saw is aborted by so many acceptors that no read quorum is left to it, and when no
//     other process that answers knows the log.
//
// What it is not: it keeps no time and draws no random number (Instants and ids are arguments), it stores
// nothing (records are output), and it knows no way to repair a log that lost its quorum for good.
package genesis
