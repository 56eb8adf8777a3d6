// Package counts has tests alone: they run a whole cluster in one process, over a real broker and real files, and hold what an append costs
// in things that can be counted: allocations, messages, bytes on disk and through the broker, syncs. Times say more of the machine than of the
// program; counts change when the program does.
//
// Each bound is what was measured and head room, and says so beside it. A count that rises above its bound is a regression, or has a reason
// that belongs beside a new bound.
package counts
