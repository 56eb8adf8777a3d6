package wal

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// The storage engine takes the end of its newest log file for a write that a crash cut short, unless something later in
// the file says that it was synced. So the last synced writes before a crash, a truncated file, or a log file that is not
// there at all would be missed by nobody. WRITTEN says what must be there: the boot and the newest write number whose
// sync has returned. It is written, not synced, after each group, which costs one call and no wait: a killed
// process leaves it exact. It is synced each second, so after a loss of power it may lag by about that; it never says too much.
//
// On disk: never change. Two slots, 512 bytes apart, are written in turn, so that one torn write leaves the other.
//
//	 0         8               24      32        40      48
//	┌─────────┬───────────────┬───────┬─────────┬───────┐
//	│ magic   │ incarnation   │ boot  │ written │ sum   │   sum = xxHash64(all before)
//	└─────────┴───────────────┴───────┴─────────┴───────┘
const (
	writtenFile      = "WRITTEN"
	writtenMagic     = "pxdwrtn1"
	writtenSlotBytes = 512
	writtenBytes     = 48

	// writtenSyncEvery bounds how far WRITTEN lags after a loss of power.
	writtenSyncEvery = time.Second
)

// written is what WRITTEN says.
type written struct {
	Boot   uint64
	Number uint64
}

func (w written) less(o written) bool {
	return w.Number < o.Number || w.Number == o.Number && w.Boot < o.Boot
}

func encodeWritten(inc paxos.Incarnation, w written) []byte {
	b := make([]byte, 0, writtenBytes)
	b = append(b, writtenMagic...)
	b = append(b, inc[:]...)
	b = binary.BigEndian.AppendUint64(b, w.Boot)
	b = binary.BigEndian.AppendUint64(b, w.Number)
	return binary.BigEndian.AppendUint64(b, uint64(paxos.Sum(b)))
}

func decodeWrittenSlot(inc paxos.Incarnation, b []byte) (written, bool) {
	if len(b) < writtenBytes {
		return written{}, false
	}
	w := written{Boot: binary.BigEndian.Uint64(b[24:]), Number: binary.BigEndian.Uint64(b[32:])}
	return w, string(encodeWritten(inc, w)) == string(b[:writtenBytes])
}

// decodeWritten returns the newer of the slots that are whole.
func decodeWritten(inc paxos.Incarnation, b []byte) (w written, ok bool) {
	for at := 0; at < len(b); at += writtenSlotBytes {
		if s, good := decodeWrittenSlot(inc, b[at:]); good && (!ok || w.less(s)) {
			w, ok = s, true
		}
	}
	return w, ok
}

// createWritten makes the file of a new store.
func createWritten(fsys vfs.FS, path string, inc paxos.Incarnation) error {
	b := make([]byte, 2*writtenSlotBytes)
	copy(b, encodeWritten(inc, written{}))
	return writeSmall(fsys, path, b)
}

// notary keeps WRITTEN while the store is open. note is called by one goroutine; sync by another.
type notary struct {
	inc  paxos.Incarnation
	boot uint64

	mu    sync.Mutex
	file  vfs.File
	dirty bool
}

func openNotary(fsys vfs.FS, path string, inc paxos.Incarnation, boot uint64) (*notary, error) {
	f, err := fsys.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &notary{inc: inc, boot: boot, file: f}, nil
}

// note records that every write through number is durable.
func (n *notary) note(number uint64) error {
	b := encodeWritten(n.inc, written{Boot: n.boot, Number: number})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dirty = true
	_, err := n.file.WriteAt(b, int64(number%2)*writtenSlotBytes)
	return err
}

// sync makes what was noted survive a loss of power.
func (n *notary) sync() error {
	n.mu.Lock()
	dirty := n.dirty
	n.dirty = false
	n.mu.Unlock()
	if !dirty {
		return nil
	}
	return n.file.SyncData()
}

func (n *notary) close() error {
	return errors.Join(n.sync(), n.file.Close())
}
