// Package sequencer is the deterministic function from chosen values, in slot order, to what users see: offsets, stamps,
// producer sessions, message ids, conditions, term starts, commands, and a running hash over all of it. Proposers and learners each
// carry one; equal slots give equal results, whoever computes them (docs/protocol.md, section 4).
//
// What it is not: it does no I/O, reads no clock and looks into no payload. It judges batches by their counted envelope, which
// the leader that proposed them has scanned (Q8).
//
// The running hash h(t) is SHA-256 over h(t-1), the slot, SHA-256 of the value's bytes, the stamp, and for each item in order
// its outcome code, session, number, first offset and count, all of fixed width and little-endian. At a mark it is also over
// SHA-256 of the state after the slot. The state itself does not contain h(t), which is stored beside it: so neither depends on
// itself, and whoever vouches for h(t) vouches for the state.
package sequencer
