package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// TestSlotMetaGolden: these bytes are on disks.
func TestSlotMetaGolden(t *testing.T) {
	c := newChain(t)
	id := c.session()
	var many []string
	for range 300 {
		many = append(many, "x")
	}
	for _, x := range []struct {
		name  string
		items []value.Item
		want  string
	}{
		{"no-op", nil, "01"},
		{"one entry", []value.Item{plain("a", "")}, "010001"},
		{"a duplicate between two", []value.Item{plain("a", "m"), plain("b", "m"), plain("c", "")}, "0100010201"},
		{"a command, then 300 entries", []value.Item{
			{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.TermStart{})}, sessionBatch(id, 1, many...),
		}, "0101ac02"},
		{"nothing appended", []value.Item{plain("d", "m")}, "01"},
	} {
		a := c.apply(5, x.items...)
		meta := encodeSlotMeta(a)
		if got := hex.EncodeToString(meta); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
		fresh, err := readBatches(a)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := decodeStored(a.Value, meta, a.First, a.Stamp)
		if err != nil || !slices.EqualFunc(fresh, stored, sameBatch) {
			t.Errorf("%s: stored %+v (%v), fresh %+v", x.name, stored, err, fresh)
		}
	}
}

func sameBatch(a, b paxos.ReadBatch) bool {
	return a.First == b.First && a.Count == b.Count && a.Stamp == b.Stamp && bytes.Equal(a.Frames, b.Frames)
}

func TestSlotMetaDamaged(t *testing.T) {
	a := newChain(t).entries(1, "a", "b")
	for _, x := range []string{"", "02", "0200", "0100", "0102", "010201", "010000", "01010100010001", "0100010001", "010002", "0100ff", "01ffffffffffffffffffff01"} {
		meta, err := hex.DecodeString(x)
		if err != nil {
			t.Fatal(err)
		}
		if bs, err := decodeStored(a.Value, meta, 1, 1); err == nil {
			t.Errorf("%s decodes to %+v", x, bs)
		}
	}
	if _, err := decodeStored([]byte("junk"), []byte{1, 0, 1}, 1, 1); err == nil {
		t.Error("a damaged value decodes")
	}
	if _, err := decodeStored(a.Value, nil, 1, 1); !errors.Is(err, errSlotMeta) {
		t.Errorf("no meta: %v", err)
	}
}

// FuzzSlotMeta: whatever is read back does not panic, and holds at most what the value holds.
func FuzzSlotMeta(f *testing.F) {
	c := newChain(f)
	for _, a := range [][]value.Item{nil, {plain("a", "")}, {plain("a", "m"), plain("b", "m")}} {
		x := c.apply(1, a...)
		f.Add(x.Value, encodeSlotMeta(x))
	}
	f.Add([]byte{}, []byte{1, 0x80})
	f.Add([]byte{1}, []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1})
	f.Fuzz(func(t *testing.T, val, meta []byte) {
		bs, err := decodeStored(val, meta, 1, 1)
		if err != nil {
			return
		}
		next := paxos.Offset(1)
		for i := range bs {
			if bs[i].First != next || bs[i].Count == 0 || len(bs[i].Frames) > len(val) {
				t.Fatalf("batch %d: %+v", i, bs[i])
			}
			next += paxos.Offset(bs[i].Count)
		}
	})
}
