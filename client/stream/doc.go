// Package stream is the deterministic core of a subscriber: which learner to read from, what to ask it for, and which of the
// chunks that arrive to hand on. It does no I/O, reads no clock and starts no goroutine; its owner hands it chunks,
// consumption and ticks, and carries out its Output.
//
// What it is not: it decodes no entries, finds no learners and knows no error value. Package client does.
//
//	I1  Batches are handed on in order of offsets, without hole or repeat, for ever: across chunks lost, repeated and reordered, learners
//	    that stop, and new streams (docs/protocol.md N7). Next only grows, by exactly what was handed on.
//	I2  What was handed on and not consumed, and what may still be on its way, stays within the credit window and one chunk.
//	I3  At most one stream counts: chunks of earlier ones are dropped, and a learner that still sends them is told to stop.
//
// A chunk that is not the next by number, or does not begin at the next offset, ends the stream; a new one begins at the
// next offset, with the same learner if it was only a chunk that got lost, else with another. A learner behind Next waits for the
// log, and so does the reader: it hears "nothing new" each second, and takes silence for the learner's end.
package stream
