// Package messaging carries envelopes between processes: subjects, the wire format, the NATS transport, an embedded
// NATS server, and what plain NATS clients see (JSON answers, error headers, micro services).
//
// What it is not: it knows no role and decides nothing. Whatever is malformed, foreign or forged as far as a single
// message can show it is stopped here, with an error that counters can tell apart (Reason); whether a message is stale or
// from a stranger is for the cores, which know the membership.
//
// The files, from the outside in:
//
//	transport.go   two connections, subscriptions, inbox        PROTOCOL N2, N3, N5
//	subjects.go    prefix.cluster.log.kind.name[.run]           PROTOCOL N1, section 8
//	envelope.go    the fixed envelope: magic, checksum, genesis PROTOCOL N1
//	encode.go, decode.go  bodies, to and from protobuf (pb/wire.proto has the diagram)
//	validate.go    what must hold of a message before it reaches a core
//	plain.go       appends and reads without a client library
//	codes.go       outcome codes, wire codes and error classes: one table
//
// Decoding happens in the subscription's callback; decoded messages alias the payload. Nothing here keeps state
// about requests: who was asked, for which log and under which number is in the inbox subject itself.
package messaging
