package wal

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// oldChunk is a chunk of the engine's oldest log format, which has no file's number in it.
func oldChunk(kind byte, payload []byte) []byte {
	b := append([]byte{0, 0, 0, 0, byte(len(payload)), byte(len(payload) >> 8), kind}, payload...)
	binary.LittleEndian.PutUint32(b, maskedSum(b[6:]))
	return b
}

// chunkOf is a chunk of the format that the engine writes, for the log file of a number.
func chunkOf(file uint32, payload []byte) []byte {
	b := append([]byte{0, 0, 0, 0, byte(len(payload)), byte(len(payload) >> 8), 9}, make([]byte, 12)...)
	binary.LittleEndian.PutUint32(b[7:], file)
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b, maskedSum(b[6:]))
	return b
}

func maskedSum(b []byte) uint32 {
	c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + 0xa282ead8
}

// erasing is a group that deletes all votes.
func erasing() []byte {
	batch := binary.LittleEndian.AppendUint64(nil, 1<<40) // sequence number
	batch = binary.LittleEndian.AppendUint32(batch, 1)    // one operation:
	return append(batch, 15, 1, 0x20, 1, 0x22)            // DeleteRange [20, 22)
}

// repeat returns size bytes of chunks.
func repeat(size int, chunks ...[]byte) []byte {
	all := bytes.Join(chunks, nil)
	return bytes.Repeat(all, size/len(all)+1)[:size]
}

// slide is many empty chunks, which are skipped where a record is to begin, and then a group that deletes all votes.
func slide(size int) []byte {
	var v []byte
	for len(v) < size {
		v = append(v, repeat(2100, oldChunk(3, nil))...)
		v = append(v, oldChunk(1, erasing())...)
		v = append(v, make([]byte, (7-len(v)%7)%7)...)
	}
	return v[:size]
}

// What clients append is in log files that are used again. After a loss of power the engine reads on where the newest chunk ends,
// and finds it there: chunks that would replay as records of its own. None may be taken for one, and none may spoil a good store.
func TestPayloadsAreNotReplayed(t *testing.T) {
	for name, payload := range map[string]func(int) []byte{
		"random bytes":  func(n int) []byte { return valueOf(7, n) },
		"empty records": func(n int) []byte { return repeat(n, oldChunk(1, nil)) },
		"records of the right log": func(n int) []byte {
			return repeat(n, chunkOf(26, erasing()), chunkOf(27, erasing()), chunkOf(28, erasing()))
		},
		"a slide to a record": slide,
	} {
		t.Run(name, func(t *testing.T) {
			for _, spareLogs := range []int{0, 2} { // 0: the engine's own recycling alone
				for tail := 1; tail <= 40; tail++ {
					afterLossOfPower(t, payload, spareLogs, tail)
				}
			}
		})
	}
}

func afterLossOfPower(t *testing.T, payload func(int) []byte, spareLogs, tail int) {
	t.Helper()
	fsys := vfs.NewCrashableMem()
	opts := testOptions(fsys, newDeath())
	opts.SpareLogs = spareLogs
	v, err := OpenVotes(testDir, testWant, opts)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, v, stateRecord())
	slot := paxos.Slot(0)
	for range 60 { // enough that log files are used again
		slot++
		apply(t, v, voteRecord(slot, 1, payload(30_000)))
	}
	for range tail { // ends anywhere in what was there
		slot++
		apply(t, v, voteRecord(slot, 1, valueOf(slot, 100+tail)))
	}
	files := crash(fsys, 1, 0)
	closeStore(t, v)
	opts = testOptions(files, newDeath())
	opts.SpareLogs = spareLogs
	v, err = OpenVotes(testDir, testWant, opts)
	if err != nil {
		t.Fatalf("%d spares, %d votes at the end: a good store is refused: %v", spareLogs, tail, err)
	}
	defer closeStore(t, v)
	if got := v.Load()[0].HighestVoted; got != slot {
		t.Fatalf("%d spares, %d votes at the end: the highest vote is %d, not %d", spareLogs, tail, got, slot)
	}
}

// What follows the newest write, up to the end of its block and past it, are zeros.
func TestZerosFollowALogWrite(t *testing.T) {
	fsys := vfs.NewMem()
	s := newStore(testDir, paxos.RoleAcceptor, testOptions(fsys, newDeath()))
	old, err := fsys.Create("old.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Write(bytes.Repeat([]byte{7}, 3*logBlock)); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := guard{FS: fsys, s: s}.ReuseForWrite("old.log", "new.log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	at, want := 0, bytes.Repeat([]byte{7}, 3*logBlock)
	for _, n := range []int{1, 100, logBlock - 101 - 5, 5, 10, logBlock - 10} {
		if k, err := f.Write(bytes.Repeat([]byte{1}, n)); err != nil || k != n {
			t.Fatal(k, err)
		}
		copy(want[at:], bytes.Repeat([]byte{1}, n))
		at += n
		if at%logBlock != 0 {
			copy(want[at:], make([]byte, logEnd))
		}
		if b := readFile(t, fsys, "new.log"); !bytes.Equal(b, want) {
			t.Fatalf("after %d bytes: %v", at, b[at:at+2*logEnd])
		}
	}
}
