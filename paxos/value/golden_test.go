package value

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// update writes new golden files and fuzz corpora: go test ./paxos/value -update. A file that is there must never change: logs
// exist whose hashes are over these bytes.
var update = flag.Bool("update", false, "write testdata anew")

// samples is one encoding of everything that has a layout, with no field left at zero where it may be anything else.
func samples() map[string][]byte {
	origin := paxos.Ballot{Round: 0x0102030405060708, Proposer: "p1", Run: 0x1112131415161718}
	headers := []paxos.Header{{Key: "Trace", Value: "t-1"}, {Key: "Trace", Value: ""}}
	frames := AppendFrame(AppendFrame(nil, headers, []byte("hello")), nil, nil)
	batch := EncodeBatch(nil, &Batch{
		Session: paxos.SessionID{Slot: 0x21, Place: 0x22}, Number: 0x23, Count: 2, HasExpect: true, Expect: 0x24,
		MessageID: "id-1", Frames: frames,
	})
	g := testGenesis()
	ms := g.Keepers.Members
	stable := &Stable{Slot: 0x31, Keepers: ms, Mark: true}
	for i := range stable.Hash {
		stable.Hash[i] = uint8(i)
	}
	term := EncodeCommand(nil, &TermStart{})
	return map[string][]byte{
		"value":                 Encode(nil, &Value{Origin: origin, Stamp: 0x0a0b0c0d0e0f, Items: []Item{{ItemCommand, term}, {ItemBatch, batch}}}),
		"noop":                  Encode(nil, &Value{Origin: origin, Stamp: -1}),
		"batch":                 batch,
		"batch_plain":           EncodeBatch(nil, &Batch{Count: 1, Plain: true, Frames: AppendFrame(nil, nil, []byte("hello"))}),
		"batch_tail":            EncodeBatch(nil, &Batch{Tail: true}),
		"frames":                frames,
		"command_open":          EncodeCommand(nil, &Open{Client: "producer-1", Token: 0x41}),
		"command_termstart":     term,
		"command_stable":        EncodeCommand(nil, stable),
		"command_setmembership": EncodeCommand(nil, &SetMembership{Replaces: 0x42, Membership: g.Membership}),
		"command_setkeepers":    EncodeCommand(nil, &SetKeepers{Replaces: 0x43, Keepers: g.Keepers}),
		"command_setlevel":      EncodeCommand(nil, &SetLevel{Level: 0x44}),
		"command_retain":        EncodeCommand(nil, &Retain{Through: 0x45}),
		"genesis":               EncodeGenesis(g),
	}
}

// TestGoldenBytes pins every layout to the byte: a log's hashes, stores and messages are over them (docs/protocol.md, section 8).
func TestGoldenBytes(t *testing.T) {
	all := samples()
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name+".golden")
			got := hex.Dump(b)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the layout changed:\n%swant\n%s", got, want)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) != len(all) {
		t.Errorf("%d golden files for %d layouts, %v", len(files), len(all), err)
	}
}
