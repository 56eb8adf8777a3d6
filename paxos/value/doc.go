// Package value has the fixed byte layouts of what is agreed on: values, batches, frames, commands, and the genesis record. They
// are hashed, stored and sent: never change one, only add under a new version.
//
// All integers are little-endian. Decoders take any bytes, never panic, allocate no more than a small multiple of their input,
// and alias it.
//
//	value    ┌───────────┬────────┬───────┬────────┬────────────────────────────────┐
//	         │ version 1 │ origin │ stamp │ count  │ count × (kind u8, len u32, body)│
//	         │ u8        │ ballot │ i64   │ u32    │ no items: a no-op               │
//	         └───────────┴────────┴───────┴────────┴────────────────────────────────┘
//	ballot   round u64, run u64, len u8, proposer
//	batch    ┌───────────┬───────┬──────────────────┬────────┬───────┬────────┬─────────────┬──────────┬────────┐
//	         │ version 1 │ flags │ session slot u64,│ number │ count │ expect │ id len u16, │ checksum │ frames │
//	         │ u8        │ u8    │ place u32        │ u64    │ u32   │ u64    │ id          │ u64      │        │
//	         └───────────┴───────┴──────────────────┴────────┴───────┴────────┴─────────────┴──────────┴────────┘
//	frame    len u32 (of what follows), headers u16, headers × (len u16, key, len u32, value), payload
//	command  kind u8, then by kind:
//	         1 open           token u64, len u8, client
//	         2 term start     nothing
//	         3 stable         slot u64, hash [32], members, mark u8 (0 or 1)
//	         4 set membership replaces u64, membership
//	         5 set keepers    replaces u64, keepers
//	         6 set level      level u32
//	         7 retain         through u64
//	genesis  version u8, id [16], len u8, cluster, len u8, log, founded i64, level u32, window u64, value limit u32, sessions u32,
//	         outcomes u32, message ids u32, membership, keepers
//
//	membership  epoch u64, from u64, read u8, write u8, members
//	keepers     epoch u64, k u8, members
//	members     count u8 (at most 63), count × (len u8, name, incarnation [16])
//
// Batch flags: 1 expects an offset, 2 a tail, 4 a plain append. A name has at most 64 bytes.
// A batch's checksum is over everything but itself. What is not here: no judgement (package sequencer), no wire envelope
// (package messaging).
package value
