package sim

import (
	"encoding/binary"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// batchRecord is one batch that a client wants in the log, and what became of it. Its first entry begins with its number.
type batchRecord struct {
	number    uint64 // place in checker.batches
	log       string
	producer  *producer // nil: a plain append
	order     uint64    // in its producer
	count     uint32
	hasExpect bool
	expect    paxos.Offset
	called    paxos.Instant
	returned  paxos.Instant // 0: no answer yet
	acked     bool
	refused   bool
	condition bool         // refused since the condition did not hold, when told was last
	told      paxos.Offset // as acknowledged
	last      paxos.Offset // with condition
	offset    paxos.Offset // in the log; 0: not there
	gaveUp    bool         // its client does not wait for ever
	tail      bool         // no batch: asked for the last offset
}

// kind says in a word what it is.
func (b *batchRecord) kind() string {
	switch {
	case b.tail:
		return "tail"
	case b.producer != nil:
		return "session"
	default:
		return "plain"
	}
}

// newBatch numbers a batch.
func (c *checker) newBatch(b *batchRecord) *batchRecord {
	b.number, b.called = uint64(len(c.batches)), c.w.now
	c.batches = append(c.batches, b)
	return b
}

// frames makes a batch's entries.
func (b *batchRecord) frames(size int) []byte {
	var f []byte
	for i := range b.count {
		p := make([]byte, 12+size)
		binary.LittleEndian.PutUint64(p, b.number)
		binary.LittleEndian.PutUint32(p[8:], i)
		f = value.AppendFrame(f, nil, p)
	}
	return f
}

// batchOf finds the batch that an entry begins.
func (c *checker) batchOf(payload []byte) *batchRecord {
	if len(payload) < 12 {
		return nil
	}
	n := binary.LittleEndian.Uint64(payload)
	if n >= uint64(len(c.batches)) {
		return nil
	}
	return c.batches[n]
}

// entryIndex is the place of an entry in its batch.
func entryIndex(payload []byte) paxos.Offset {
	return paxos.Offset(binary.LittleEndian.Uint32(payload[8:]))
}

// acknowledged takes note that a client was told where its batch is.
func (c *checker) acknowledged(b *batchRecord, first paxos.Offset) {
	w := c.w
	switch {
	case b.refused:
		w.fail(CheckExactlyOnce, "batch %d was refused, and is acknowledged at offset %d", b.number, first)
	case b.acked && b.told != first:
		w.fail(CheckExactlyOnce, "batch %d is acknowledged at offsets %d and %d", b.number, b.told, first)
	case b.offset == 0:
		w.fail(CheckDurableAck, "batch %d is acknowledged at offset %d before its slot is durable on a write quorum and sequenced", b.number, first)
	case b.offset != first:
		w.fail(CheckExactlyOnce, "batch %d is acknowledged at offset %d and is at %d", b.number, first, b.offset)
	}
	if !b.acked {
		b.acked, b.told, b.returned = true, first, w.now
		c.durableNow(b)
		w.count("acknowledged")
	}
}

// notAppended takes note that a client was told that its batch never will be in the log.
func (c *checker) notAppended(b *batchRecord, condition bool, last paxos.Offset) {
	if b.offset != 0 {
		c.w.fail(CheckExactlyOnce, "batch %d is refused, and is in the log at offset %d", b.number, b.offset)
	}
	b.refused, b.condition, b.last, b.returned = true, condition, last, c.w.now
	c.w.count("refused")
}

// unknown takes note that a client was told nothing of what became of its batch. Sending again is the session's part: that ends without an
// outcome only where the client gave up, or the log may have forgotten the session.
func (c *checker) unknown(b *batchRecord) {
	if !b.gaveUp && !c.w.sessionsExpire(b.log) {
		c.w.fail(CheckProgress, "what became of batch %d is unknown, though nobody gave it up and its session is not forgotten", b.number)
	}
}
