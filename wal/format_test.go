package wal

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// Every key and record that a store holds, byte by byte. A difference is a change of format.
func TestStoredBytesGolden(t *testing.T) {
	datadriven.RunTest(t, "testdata/stored", func(t *testing.T, d *datadriven.TestData) string {
		fsys := vfs.NewMem()
		switch d.Cmd {
		case "votes":
			v := openVotes(t, fsys)
			defer closeStore(t, v)
			apply(t, v, stateRecord(), promiseRecord(2), voteRecord(5, 3, []byte("five")), voteRecord(6, 3, nil), trimRecord(4))
			return dump(t, v.db)
		case "chosen":
			c := openChosen(t, fsys)
			defer closeStore(t, c)
			apply(t, c, stateRecord(), chosenRecord(1, 1, 2, []byte("one")), chosenRecord(2, 3, 2, nil), checkpointRecord(2, []byte("state")))
			apply(t, c, paxos.Record{Kind: paxos.RecordDiverged, Log: testName, Genesis: testGenesis, Text: "says who"})
			return dump(t, c.db)
		case "written":
			return hex.Dump(encodeWritten(paxos.Incarnation{1, 2}, written{Boot: 3, Number: 0x1234}))
		}
		t.Fatalf("no command %q", d.Cmd)
		return ""
	})
}

func checkpointRecord(slot paxos.Slot, state []byte) paxos.Record {
	r := chosenRecord(slot, 3, 2, nil)
	return paxos.Record{
		Kind: paxos.RecordCheckpoint, Log: testName, Genesis: testGenesis, Slot: slot,
		Hash: r.Hash, Last: r.Last, Stamp: r.Stamp, Body: state,
	}
}

func dump(t *testing.T, db *pebble.DB) string {
	t.Helper()
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for it.First(); it.Valid(); it.Next() {
		b.WriteString(hex.EncodeToString(it.Key()) + "\n")
		for _, line := range strings.Split(strings.TrimSuffix(hex.Dump(it.Value()), "\n"), "\n") {
			b.WriteString("    " + line + "\n")
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A record is bound to its key and to each of its bits.
func TestRecordIsBoundToItsKey(t *testing.T) {
	var w writer
	w.buf = appendSlotKey(nil, kindVote, testGenesis, 7)
	encodeVote(&w, &paxos.VoteInfo{Ballot: ballot(3), Checksum: 9, Bytes: 4})
	key, rec := w.end()
	key, rec = append([]byte(nil), key...), append([]byte(nil), rec...)
	var scratch []byte
	if _, err := decodeVote(open(&scratch, key, rec), 7); err != nil {
		t.Fatal(err)
	}
	for i := range len(key) + len(rec) {
		for bit := range 8 {
			k, r := append([]byte(nil), key...), append([]byte(nil), rec...)
			if i < len(k) {
				k[i] ^= 1 << bit
			} else {
				r[i-len(k)] ^= 1 << bit
			}
			if v, err := decodeVote(open(&scratch, k, r), 7); !errors.Is(err, errRecord) {
				t.Fatalf("bit %d of byte %d: %+v, %v", bit, i, v, err)
			}
		}
	}
}

// decoders has every record decoder.
var decoders = map[string]func(reader) error{
	"log":         func(r reader) error { return new(logRecord).decode(r) },
	"ballot":      func(r reader) error { _, err := decodeBallot(r); return err },
	"number":      func(r reader) error { _, err := decodeNumber(r); return err },
	"incarnation": func(r reader) error { _, err := decodeIncarnation(r); return err },
	"text":        func(r reader) error { _, err := decodeText(r); return err },
	"vote":        func(r reader) error { _, err := decodeVote(r, 1); return err },
	"slot":        func(r reader) error { return new(Slot).decode(r, 1) },
	"checkpoint":  func(r reader) error { return new(Checkpoint).decode(r, 1) },
}

// FuzzRecords feeds every decoder with bodies under a right checksum, so that the fields are what is tried, and raw.
func FuzzRecords(f *testing.F) {
	var w writer
	add := func(encode func(*writer)) {
		w.buf = w.buf[:0]
		encode(&w)
		f.Add(append([]byte(nil), w.buf...))
	}
	add(func(w *writer) { (&logRecord{Log: "orders", State: paxos.LogLive, Genesis: testRecord}).encode(w) })
	add(func(w *writer) { encodeBallot(w, ballot(3)) })
	add(func(w *writer) { encodeVote(w, &paxos.VoteInfo{Ballot: ballot(3), Checksum: 1, Bytes: 2}) })
	add(func(w *writer) { (&Slot{Ballot: ballot(1), Body: []byte("meta")}).encode(w) })
	add(func(w *writer) { (&Checkpoint{State: []byte("state")}).encode(w) })
	add(func(w *writer) { encodeText(w, "why") })
	f.Fuzz(func(t *testing.T, body []byte) {
		key := []byte{byte(kindVote), 1}
		var scratch []byte
		for name, decode := range decoders {
			if err := decode(open(&scratch, key, body)); err == nil && len(body) < 1+sumBytes {
				t.Fatalf("%s: %x decoded", name, body)
			}
			w := writer{buf: append([]byte(nil), key...)}
			w.key = len(w.buf)
			w.raw(body)
			k, rec := w.end()
			_ = decode(open(&scratch, k, rec))
		}
		var s Slot
		w := writer{buf: append([]byte(nil), key...)}
		w.key = len(w.buf)
		w.raw(body)
		k, rec := w.end()
		if s.decode(open(&scratch, k, rec), 1) == nil {
			again := writer{buf: append([]byte(nil), key...)}
			s.encode(&again)
			if _, rec2 := again.end(); string(rec2) != string(rec) {
				t.Fatalf("%x encodes to %x", rec, rec2)
			}
		}
	})
}
