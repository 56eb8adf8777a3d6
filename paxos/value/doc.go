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
//	command  kind u8, body by kind
//
// A batch's checksum is over everything but itself. What is not here: no judgement (package sequencer), no wire envelope
// (package messaging).
package value
