package value

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

func testGenesis() *paxos.Genesis {
	ms := func(names ...string) (ms []paxos.Member) {
		for i, n := range names {
			ms = append(ms, paxos.Member{Name: n, Incarnation: paxos.Incarnation{n[0], n[1], uint8(i)}})
		}
		return ms
	}
	return &paxos.Genesis{
		ID: paxos.GenesisID{0xaa, 0xbb}, Cluster: "main", Log: "orders", Founded: 1_700_000_000_000_000_000, Level: 1,
		Window: paxos.DefaultWindow, ValueLimit: paxos.DefaultValueLimit, Sessions: paxos.DefaultSessions,
		Outcomes: paxos.DefaultOutcomes, MessageIDs: paxos.DefaultMessageIDs,
		Membership: paxos.Membership{Epoch: 1, From: 1, Acceptors: ms("a1", "a2", "a3"), Read: 2, Write: 2},
		Keepers:    paxos.Keepers{Epoch: 1, Members: ms("l1", "l2"), K: 2},
	}
}

// TestGenesisLimits: a log is founded only on constants that memory, one message and one checkpoint can bear.
func TestGenesisLimits(t *testing.T) {
	tests := []struct {
		name string
		edit func(g *paxos.Genesis)
		want error // nil: is taken
	}{
		{"the defaults", func(*paxos.Genesis) {}, nil},
		{"no id", func(g *paxos.Genesis) { g.ID = paxos.GenesisID{} }, ErrMalformed},
		{"cluster's name", func(g *paxos.Genesis) { g.Cluster = "a.b" }, ErrMalformed},
		{"log's name", func(g *paxos.Genesis) { g.Log = paxos.ProcessLog }, ErrMalformed},
		{"longest name", func(g *paxos.Genesis) { g.Log = strings.Repeat("x", 64) }, nil},
		{"name too long", func(g *paxos.Genesis) { g.Log = strings.Repeat("x", 65) }, ErrMalformed},
		{"level 0", func(g *paxos.Genesis) { g.Level = 0 }, ErrMalformed},
		{"a newer level: the sequencer stops at it", func(g *paxos.Genesis) { g.Level = math.MaxUint32 }, nil},
		{"window 0", func(g *paxos.Genesis) { g.Window = 0 }, ErrMalformed},
		{"window 1", func(g *paxos.Genesis) { g.Window = 1 }, nil},
		{"largest window", func(g *paxos.Genesis) { g.Window = maxWindow }, nil},
		{"window too large", func(g *paxos.Genesis) { g.Window = maxWindow + 1 }, ErrMalformed},
		{"smallest value", func(g *paxos.Genesis) { g.ValueLimit = minValueLimit }, nil},
		{"value too small for the largest command", func(g *paxos.Genesis) { g.ValueLimit = minValueLimit - 1 }, ErrMalformed},
		{"largest value", func(g *paxos.Genesis) { g.ValueLimit = maxValueLimit }, nil},
		{"value larger than any broker takes", func(g *paxos.Genesis) { g.ValueLimit = maxValueLimit + 1 }, ErrMalformed},
		{"no sessions", func(g *paxos.Genesis) { g.Sessions = 0 }, ErrMalformed},
		{"no outcomes", func(g *paxos.Genesis) { g.Outcomes = 0 }, ErrMalformed},
		{"no message ids", func(g *paxos.Genesis) { g.MessageIDs = 0 }, nil},
		{"most sessions", func(g *paxos.Genesis) { g.Sessions, g.Outcomes = maxSessions, 1 }, nil},
		{"too many sessions", func(g *paxos.Genesis) { g.Sessions, g.Outcomes = maxSessions+1, 1 }, ErrMalformed},
		{"most outcomes", func(g *paxos.Genesis) { g.Sessions, g.Outcomes = 16, maxOutcomes }, nil},
		{"too many outcomes", func(g *paxos.Genesis) { g.Sessions, g.Outcomes = 16, maxOutcomes+1 }, ErrMalformed},
		{"too many message ids", func(g *paxos.Genesis) { g.MessageIDs = maxMessageIDs + 1 }, ErrMalformed},
		{"a checkpoint that no newcomer fetches", func(g *paxos.Genesis) { g.Sessions, g.Outcomes = maxSessions, maxOutcomes }, ErrMalformed},
		{"too many ids for a checkpoint", func(g *paxos.Genesis) { g.MessageIDs = maxMessageIDs }, ErrMalformed},
		{"a later epoch", func(g *paxos.Genesis) { g.Membership.Epoch = 2 }, ErrMalformed},
		{"a later slot", func(g *paxos.Genesis) { g.Membership.From = 2 }, ErrMalformed},
		{"a later keeper epoch", func(g *paxos.Genesis) { g.Keepers.Epoch = 2 }, ErrMalformed},
		{"quorums that do not meet", func(g *paxos.Genesis) { g.Membership.Read = 1 }, quorum.ErrInvalid},
		{"fewer copies than a write", func(g *paxos.Genesis) { g.Membership.Write, g.Membership.Read = 3, 1 }, quorum.ErrInvalid},
		{"one keeper", func(g *paxos.Genesis) { g.Keepers.Members, g.Keepers.K = g.Keepers.Members[:1], 1 }, quorum.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := testGenesis()
			tt.edit(g)
			got, err := DecodeGenesis(EncodeGenesis(g))
			if tt.want == nil && (err != nil || !bytes.Equal(EncodeGenesis(got), EncodeGenesis(g))) {
				t.Fatalf("error %v, want none", err)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
		})
	}
	b := EncodeGenesis(testGenesis())
	b[0] = 2
	if _, err := DecodeGenesis(b); !errors.Is(err, ErrUnknownVersion) {
		t.Fatalf("a newer version: %v", err)
	}
}

// sealed returns a batch's bytes with its checksum made right.
func sealed(b []byte) []byte {
	const idAt = 34
	if len(b) < idAt+2 {
		return b
	}
	at := idAt + 2 + int(le.Uint16(b[idAt:]))
	if at+8 > len(b) {
		return b
	}
	le.PutUint64(b[at:], uint64(batchSum(b[:at], b[at+8:])))
	return b
}

// TestBatchShapes: a leader refuses a batch that does not decode (PROTOCOL Q8), so none is ever chosen.
func TestBatchShapes(t *testing.T) {
	session := paxos.SessionID{Slot: 3, Place: 1}
	tests := []struct {
		name string
		b    Batch
		want error
	}{
		{"plain", Batch{Count: 1, Plain: true}, nil},
		{"plain with an id and a condition", Batch{Count: 1, Plain: true, MessageID: "x", HasExpect: true, Expect: 4}, nil},
		{"tail", Batch{Tail: true}, nil},
		{"of a session", Batch{Session: session, Number: 1, Count: 3}, nil},
		{"the most entries", Batch{Session: session, Number: 1, Count: paxos.MaxBatchEntries}, nil},
		{"one more", Batch{Session: session, Number: 1, Count: paxos.MaxBatchEntries + 1}, ErrMalformed},
		{"nothing, and no tail", Batch{}, ErrMalformed},
		{"a tail with entries", Batch{Tail: true, Count: 1}, ErrMalformed},
		{"a tail with frames", Batch{Tail: true, Frames: []byte{1}}, ErrMalformed},
		{"plain, of two", Batch{Count: 2, Plain: true}, ErrMalformed},
		{"plain, in a session", Batch{Session: session, Number: 1, Count: 1, Plain: true}, ErrMalformed},
		{"a session's, without a number", Batch{Session: session, Count: 1}, ErrMalformed},
		{"a number without a session", Batch{Number: 1, Count: 1}, ErrMalformed},
		{"a place without a slot", Batch{Session: paxos.SessionID{Place: 1}, Number: 1, Count: 1}, ErrMalformed},
		{"an offset expected without the flag", Batch{Count: 1, Expect: 1}, ErrMalformed},
		{"the longest id", Batch{Count: 1, MessageID: strings.Repeat("i", paxos.MaxMessageIDBytes)}, nil},
		{"an id too long", Batch{Count: 1, MessageID: strings.Repeat("i", paxos.MaxMessageIDBytes+1)}, ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := DecodeBatch(EncodeBatch(nil, &tt.b))
			if !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
		})
	}
	b := EncodeBatch(nil, &Batch{Count: 1})
	b[1] |= 1 << 7
	if _, err := DecodeBatch(sealed(b)); !errors.Is(err, ErrUnknownVersion) {
		t.Fatalf("an unknown flag: %v", err)
	}
	b[0] = 2
	if _, err := DecodeBatch(b); !errors.Is(err, ErrUnknownVersion) {
		t.Fatalf("a newer version: %v", err)
	}
}

// TestBatchChecksum: the checksum is over every byte but its own: a flip anywhere is found.
func TestBatchChecksum(t *testing.T) {
	b := Batch{
		Session: paxos.SessionID{Slot: 7, Place: 2}, Number: 5, Count: 1, MessageID: "id", HasExpect: true, Expect: 9,
		Frames: AppendFrame(nil, []paxos.Header{{Key: "k", Value: "v"}}, []byte("payload")),
	}
	enc := EncodeBatch(nil, &b)
	for i := range enc {
		flipped := bytes.Clone(enc)
		flipped[i] ^= 0x20
		if _, err := DecodeBatch(flipped); err == nil {
			t.Fatalf("byte %d flipped: taken", i)
		}
	}
}

// TestQ8ScanFrames: the leader counts entries and their lengths before it proposes; the sequencer trusts the count.
func TestQ8ScanFrames(t *testing.T) {
	two := AppendFrame(AppendFrame(nil, nil, nil), []paxos.Header{{Key: "k", Value: "v"}}, []byte("p"))
	frame := func(length uint32, rest ...byte) []byte { return append(le.AppendUint32(nil, length), rest...) }
	largest := AppendFrame(nil, nil, make([]byte, paxos.MaxEntryBytes-2))
	tests := []struct {
		name   string
		frames []byte
		count  uint32
		ok     bool
	}{
		{"none", nil, 0, true},
		{"two", two, 2, true},
		{"more counted than there are", two, 3, false},
		{"fewer counted than there are", two, 1, false},
		{"none counted", two, 0, false},
		{"countless", nil, math.MaxUint32, false},
		{"empty entry", frame(2, 0, 0), 1, true},
		{"no room for the header count", frame(1, 0), 1, false},
		{"no length", []byte{2, 0, 0}, 1, false},
		{"length beyond the end", frame(3, 0, 0), 1, false},
		{"length that wraps", frame(math.MaxUint32, 0, 0), 1, false},
		{"a header that is not there", frame(2, 1, 0), 1, false},
		{"a key beyond its frame", append(frame(4, 1, 0, 3, 0), frame(2, 0, 0)...), 2, false},
		{"a header value that wraps", frame(8, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), 1, false},
		{"65,535 headers promised", frame(2, 0xff, 0xff), 1, false},
		{"the largest entry", largest, 1, true},
		{"one byte more", AppendFrame(nil, nil, make([]byte, paxos.MaxEntryBytes-1)), 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ScanFrames(tt.frames, tt.count)
			if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrMalformed)) {
				t.Fatalf("error %v, want ok %t", err, tt.ok)
			}
		})
	}
}

// TestCommandLimits: what a decoder takes has a bound, so that every command fits into a value.
func TestCommandLimits(t *testing.T) {
	long := strings.Repeat("n", paxos.MaxNameBytes)
	member := func(name string) []paxos.Member { return []paxos.Member{{Name: name}} }
	tests := []struct {
		name string
		c    Command
		ok   bool
	}{
		{"longest client", &Open{Client: long}, true},
		{"client too long", &Open{Client: long + "n"}, false},
		{"longest keeper", &Stable{Keepers: member(long)}, true},
		{"keeper's name too long", &Stable{Keepers: member(long + "n")}, false},
		{"acceptor's name too long", &SetMembership{Membership: paxos.Membership{Acceptors: member(long + "n")}}, false},
		{"as many as can be counted", &SetKeepers{Keepers: paxos.Keepers{Members: make([]paxos.Member, paxos.MaxKeepers)}}, true},
		{"one more", &SetKeepers{Keepers: paxos.Keepers{Members: make([]paxos.Member, paxos.MaxKeepers+1)}}, false},
		{"one acceptor more", &SetMembership{Membership: paxos.Membership{Acceptors: make([]paxos.Member, paxos.MaxAcceptors+1)}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := DecodeCommand(EncodeCommand(nil, tt.c)); (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrMalformed)) {
				t.Fatalf("error %v, want ok %t", err, tt.ok)
			}
		})
	}
	for kind := range 256 {
		_, err := DecodeCommand([]byte{uint8(kind)})
		if known := kind >= 1 && kind <= 7; errors.Is(err, ErrUnknownCommand) == known {
			t.Errorf("command kind %d: %v", kind, err)
		}
	}
	if _, err := DecodeCommand(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("no bytes: %v", err)
	}
	mark := EncodeCommand(nil, &Stable{})
	mark[len(mark)-1] = 2
	if _, err := DecodeCommand(mark); !errors.Is(err, ErrMalformed) {
		t.Errorf("a flag of 2: %v", err) // one meaning, one encoding
	}
}

// TestLargestCommandFits: every command that decodes fits into a value of the smallest limit. One that does not would wait at the
// head of its leader's queue for ever, with all behind it.
func TestLargestCommandFits(t *testing.T) {
	long := strings.Repeat("n", paxos.MaxNameBytes)
	ms := make([]paxos.Member, max(paxos.MaxKeepers, paxos.MaxAcceptors))
	for i := range ms {
		ms[i].Name = long
	}
	for _, c := range []Command{
		&Stable{Keepers: ms}, &SetKeepers{Keepers: paxos.Keepers{Members: ms}},
		&SetMembership{Membership: paxos.Membership{Acceptors: ms}},
	} {
		body := EncodeCommand(nil, c)
		if _, err := DecodeCommand(body); err != nil {
			t.Fatal(err)
		}
		if b := NewBuilder(nil, paxos.Ballot{Proposer: long}, 0, minValueLimit); !b.Add(ItemCommand, body) {
			t.Errorf("command kind %d of %d bytes does not fit into %d", c.Kind(), len(body), minValueLimit)
		}
	}
}

// TestValueShapes: what no leader writes is no value.
func TestValueShapes(t *testing.T) {
	good := Value{Origin: paxos.Ballot{Round: 1, Proposer: "p", Run: 2}, Items: []Item{{ItemCommand, []byte{2}}}}
	b := Encode(nil, &good)
	countAt := len(b) - 4 - itemHeader - 1
	edit := func(at int, with ...byte) []byte { x := bytes.Clone(b); copy(x[at:], with); return x }
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"good", b, nil},
		{"newer version", edit(0, 2), ErrUnknownVersion},
		{"nothing", nil, ErrMalformed},
		{"fewer items than counted", edit(countAt, 2), ErrMalformed},
		{"items uncounted", edit(countAt, 0), ErrMalformed},
		{"countless items", edit(countAt, 0xff, 0xff, 0xff, 0xff), ErrMalformed},
		{"item kind", edit(countAt+4, 3), ErrUnknownVersion},
		{"body beyond the end", edit(countAt+5, 2), ErrMalformed},
		{"body that wraps", edit(countAt+5, 0xff, 0xff, 0xff, 0xff), ErrMalformed},
		{"a proposer of 65 bytes", Encode(nil, &Value{Origin: paxos.Ballot{Proposer: strings.Repeat("p", 65)}}), ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Decode(tt.b); !errors.Is(err, tt.want) || (tt.want == nil) != (err == nil) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
		})
	}
	if CarriesBatches(b) || CarriesBatches(nil) || !CarriesBatches(edit(countAt+4, uint8(ItemBatch))) {
		t.Error("CarriesBatches")
	}
	if CarriesBatches(edit(countAt, 0xff, 0xff, 0xff, 0xff)) {
		t.Error("bytes that are no value carry batches")
	}
	if _, err := Origin([]byte{1, 2}); !errors.Is(err, ErrMalformed) {
		t.Error("origin of nothing")
	}
}

// TestHostileCounts: a count in a few bytes makes no decoder allocate more than a small multiple of its input.
func TestHostileCounts(t *testing.T) {
	value := appendHead(nil, paxos.Ballot{}, 0, math.MaxUint32)
	frame := append(le.AppendUint32(nil, 2), 0xff, 0xff)
	stable := append([]byte{uint8(CommandStable)}, make([]byte, 40)...)
	stable = append(stable, 63)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		_, errV := Decode(value)
		_, _, errF := DecodeFrame(frame)
		_, errC := DecodeCommand(stable)
		if errV == nil || errF == nil || errC == nil {
			t.Fatal("taken")
		}
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / 100; per > 8<<10 {
		t.Fatalf("%d bytes allocated for three hostile inputs of under 100 bytes", per)
	}
}
