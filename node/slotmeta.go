package node

import (
	"encoding/binary"
	"errors"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// A learner stores beside each chosen value which of its items were appended and where, so that a reader needs no
// sequencer: duplicates, refused and dropped batches stay in the value and are never shown.
//
// On disk: never change, only add.
//
//	┌─────────┬ per appended batch, in order of offsets ─┐
//	│ version │ item uvarint │ count uvarint             │
//	│ 1 byte  │ place in the │ entries                   │
//	│         │ value's list │                           │
//	└─────────┴──────────────┴───────────────────────────┘
//
// The first batch's first offset is the record's; each later one begins where the one before ended.
const slotMetaVersion = 1

var errSlotMeta = errors.New("the record of a slot's appended batches is damaged")

func encodeSlotMeta(a *sequencer.Applied) []byte {
	b := []byte{slotMetaVersion}
	for i := range a.Outcomes {
		if o := &a.Outcomes[i]; o.Code == paxos.CodeAppended {
			b = binary.AppendUvarint(b, uint64(o.Item))
			b = binary.AppendUvarint(b, uint64(o.Count))
		}
	}
	return b
}

// decodeStored cuts the appended batches out of a stored slot, whose checksum the store has checked. The frames alias val.
func decodeStored(val, meta []byte, first paxos.Offset, stamp paxos.Stamp) ([]paxos.ReadBatch, error) {
	if len(meta) == 0 || meta[0] != slotMetaVersion {
		return nil, errSlotMeta
	}
	meta = meta[1:]
	if len(meta) == 0 {
		return nil, nil
	}
	v, err := value.Decode(val)
	if err != nil {
		return nil, err
	}
	var bs []paxos.ReadBatch
	next := uint64(0)
	for len(meta) > 0 {
		item, n := binary.Uvarint(meta)
		if n <= 0 || item < next || item >= uint64(len(v.Items)) {
			return nil, errSlotMeta
		}
		next = item + 1
		meta = meta[n:]
		count, n := binary.Uvarint(meta)
		if n <= 0 || count == 0 || count > paxos.MaxBatchEntries {
			return nil, errSlotMeta
		}
		meta = meta[n:]
		b, err := value.OpenBatch(v.Items[item].Body)
		if err != nil {
			return nil, err
		}
		if uint64(b.Count) != count {
			return nil, errSlotMeta
		}
		bs = append(bs, paxos.ReadBatch{First: first, Count: b.Count, Stamp: stamp, Frames: b.Frames})
		first += paxos.Offset(count)
	}
	return bs, nil
}
