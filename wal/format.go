package wal

import (
	"encoding/binary"

	"github.com/paxosd/paxosd/paxos"
)

// On disk: never change, only add. A store folder holds
//
//	IDENTITY       whose store it is                                   identity.go
//	WRITTEN        boot and newest durable write number, beside the    written.go
//	               engine, so that a lost tail of its log is noticed
//	BALLAST        room to reopen on a full disk                       ballast.go
//	CORRUPT        only after corruption was found: what, where        corrupt.go
//	pebble/        the engine's own files, with LOCK
//	pebble/spare-* what the engine's next log files are made of        spares.go
//
// Keys: a kind byte, then what it is of. Numbers are big-endian, so that keys sort by them. Each kind's keys of one log
// ascend as they are written and stand apart from all others, so that the engine never has to merge old with new. Checkpoints do not:
// old ones are deleted. So they must not border on what ascends: where the engine merges it takes along all that lies between tables
// that it merged before, and 32 had it write every chosen value once more.
//
//	01 item                        of the store: 01 incarnation, 02 boot, 03 write number
//	10 genesis                     log: name, state, epoch, genesis record
//	11 genesis                     promise                                        acceptor
//	12 genesis                     T, trimmed through                             acceptor
//	13 genesis slot                checkpoint: sequencer state at a mark          learner
//	1f                             fence: nothing, see open.go                    learner
//	20 genesis slot                vote: ballot, checksum and length of its value acceptor
//	21 genesis slot                the vote's value, as it travelled              acceptor
//	30 genesis slot                chosen slot, without its value                 learner
//	31 genesis slot                the chosen value, as it travelled              learner
//	32 genesis slot                checkpoint of an older build, read only        learner
//	33 genesis                     diverged: why this copy is never served again  learner
//
//	genesis: 16 bytes; slot: 8 bytes
//
// Every stored thing but a value is a record:
//
//	 0        1                        n-8          n
//	┌─────────┬────────────────────────┬────────────┐
//	│ version │ fields (codec.go)      │ sum        │   sum = xxHash64(key ‖ version ‖ fields)
//	└─────────┴────────────────────────┴────────────┘
//
// so a record is bound to its kind, log and slot, and with the ballot in its fields to that too. A value is stored bare: its
// vote or slot record has its length and xxHash64, so it is bound by them to log, slot and ballot. Both are checked at
// every read; what does not fit is corruption, never skipped.
const (
	// Format is the newest format that this build reads and the one that it writes.
	Format = 1

	recordVersion = 1

	sumBytes     = 8
	genesisBytes = 16
	logKeyBytes  = 1 + genesisBytes
	slotKeyBytes = logKeyBytes + 8
)

// keyKind is the first byte of every key.
type keyKind byte

// Kinds of keys.
const (
	kindStore         keyKind = 0x01
	kindLog           keyKind = 0x10
	kindPromise       keyKind = 0x11
	kindTrim          keyKind = 0x12
	kindCheckpoint    keyKind = 0x13
	kindFence         keyKind = 0x1f
	kindVote          keyKind = 0x20
	kindVoteValue     keyKind = 0x21
	kindSlot          keyKind = 0x30
	kindSlotValue     keyKind = 0x31
	kindOldCheckpoint keyKind = 0x32
	kindDiverged      keyKind = 0x33
)

// Items of the store, the second byte of a kindStore key.
const (
	itemIncarnation byte = 0x01
	itemBoot        byte = 0x02
	itemWritten     byte = 0x03
)

func storeKey(item byte) []byte { return []byte{byte(kindStore), item} }

func appendLogKey(dst []byte, kind keyKind, g paxos.GenesisID) []byte {
	return append(append(dst, byte(kind)), g[:]...)
}

func appendSlotKey(dst []byte, kind keyKind, g paxos.GenesisID, t paxos.Slot) []byte {
	return binary.BigEndian.AppendUint64(appendLogKey(dst, kind, g), uint64(t))
}

// appendAfterLog appends the first key after all keys of that kind and log.
func appendAfterLog(dst []byte, kind keyKind, g paxos.GenesisID) []byte {
	return append(appendSlotKey(dst, kind, g, paxos.MaxSlot), 0)
}

// slotOfKey returns the slot of a key made by appendSlotKey.
func slotOfKey(key []byte) (paxos.Slot, bool) {
	if len(key) != slotKeyBytes {
		return 0, false
	}
	return paxos.Slot(binary.BigEndian.Uint64(key[logKeyBytes:])), true
}

// genesisOfKey returns the genesis id of a key made by appendLogKey.
func genesisOfKey(key []byte) (paxos.GenesisID, bool) {
	var g paxos.GenesisID
	if len(key) != logKeyBytes {
		return g, false
	}
	copy(g[:], key[1:])
	return g, true
}
