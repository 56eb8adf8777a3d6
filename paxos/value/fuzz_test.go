package value

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// Each target: no panic, whatever the bytes; and what decodes encodes to the very same bytes, so that one meaning has one encoding
// and one hash. Seeds are every golden layout, and testdata/fuzz.

func FuzzDecodeValue(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		origin, originErr := Origin(b)
		v, err := Decode(b)
		if err != nil {
			CarriesBatches(b)
			return
		}
		if originErr != nil || origin != v.Origin {
			t.Fatalf("origin %v, %v; want %v", origin, originErr, v.Origin)
		}
		batches := false
		for i := range v.Items {
			batches = batches || v.Items[i].Kind == ItemBatch
		}
		if CarriesBatches(b) != batches {
			t.Fatalf("carries batches %t, want %t", !batches, batches)
		}
		if got := Encode(nil, &v); !bytes.Equal(got, b) {
			t.Fatalf("%x encodes to %x", b, got)
		}
	})
}

func FuzzDecodeBatch(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, x := range [][]byte{b, sealed(bytes.Clone(b))} { // with a right checksum the rest is reached too
			v, err := DecodeBatch(x)
			if err != nil {
				continue
			}
			if len(v.MessageID) > paxos.MaxMessageIDBytes || v.Count > paxos.MaxBatchEntries {
				t.Fatalf("beyond its limits: %+v", v)
			}
			if got := EncodeBatch(nil, &v); !bytes.Equal(got, x) {
				t.Fatalf("%x encodes to %x", x, got)
			}
		}
	})
}

// FuzzFrames also holds the scan of a leader to what a reader gets: they must take the same bytes for the same entries.
func FuzzFrames(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var count uint32
		var again []byte
		for x, err := range Frames(b) {
			if err != nil {
				if ScanFrames(b, count+1) == nil {
					t.Fatalf("a leader takes %d entries of %x, a reader does not: %v", count+1, b, err)
				}
				return
			}
			again = AppendFrame(again, x.Headers, x.Payload)
			count++
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x encodes to %x", b, again)
		}
		if err := ScanFrames(b, count); err != nil && len(b) < paxos.MaxEntryBytes {
			t.Fatalf("a reader takes %d entries of %x, a leader does not: %v", count, b, err)
		}
		if ScanFrames(b, count+1) == nil || (count > 0 && ScanFrames(b, count-1) == nil) {
			t.Fatalf("%x holds %d entries, and another count was taken", b, count)
		}
	})
}

func FuzzDecodeCommand(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			return
		}
		if got := EncodeCommand(nil, c); !bytes.Equal(got, b) {
			t.Fatalf("%x encodes to %x", b, got)
		}
	})
}

func FuzzDecodeGenesis(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := DecodeGenesis(b)
		if err != nil {
			return
		}
		if got := EncodeGenesis(g); !bytes.Equal(got, b) {
			t.Fatalf("%x encodes to %x", b, got)
		}
	})
}

// seed adds the layouts that concern a target, whole.
func seed(f *testing.F) {
	for name, b := range samples() {
		if concerns(f.Name(), name) {
			f.Add(b)
		}
	}
}

// concerns reports whether a sample is of the layout that a target decodes.
func concerns(target, sample string) bool {
	layout := strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(target, "Fuzz"), "Decode")), "s")
	return strings.HasPrefix(sample, layout) || (layout == "value" && sample == "noop")
}

// corpus is what is committed beside the seeds: encodings damaged at the places where a decoder decides.
func corpus() map[string][][]byte {
	all := samples()
	cut := func(name string, n int) []byte { return all[name][:len(all[name])-n] }
	set := func(name string, at int, with ...byte) []byte {
		b := bytes.Clone(all[name])
		copy(b[at:], with)
		return b
	}
	max32 := []byte{0xff, 0xff, 0xff, 0xff}
	return map[string][][]byte{
		"FuzzDecodeValue": {
			{},
			set("value", 0, 2), cut("value", 1), set("value", 17, 65), set("noop", len(all["noop"])-4, max32...),
			append(bytes.Clone(all["noop"]), 0),
		},
		"FuzzDecodeBatch": {
			{}, set("batch", 0, 2), set("batch", 1, 0xff), set("batch", 22, max32...), set("batch", 34, 0xff, 0xff), cut("batch_tail", 1),
		},
		"FuzzFrames": {
			{},
			cut("frames", 1), set("frames", 0, max32...), set("frames", 4, 0xff, 0xff), set("frames", 6, 0xff, 0xff),
			{1, 0, 0, 0, 0},
			{2, 0, 0, 0, 1, 0},
		},
		"FuzzDecodeCommand": {
			{},
			{0},
			{8},
			set("command_open", 9, 65), set("command_stable", 41, 64), cut("command_stable", 1),
			set("command_stable", len(all["command_stable"])-1, 2), set("command_setmembership", 27, 0xff), append([]byte{2}, 0),
		},
		"FuzzDecodeGenesis": {
			{}, set("genesis", 0, 2), set("genesis", 1, make([]byte, 16)...), set("genesis", 17, 65), cut("genesis", 1),
		},
	}
}

// TestFuzzCorpora: the committed corpora are what corpus says, and each target has one.
func TestFuzzCorpora(t *testing.T) {
	for target, inputs := range corpus() {
		dir := filepath.Join("testdata", "fuzz", target)
		for i, b := range inputs {
			path := filepath.Join(dir, fmt.Sprintf("damaged-%02d", i))
			want := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", b)
			if *update {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("%s: %v, %q; want %q", path, err, got, want)
			}
		}
	}
}
