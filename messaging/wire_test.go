package messaging

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/paxosd/paxosd/paxos"
)

var update = flag.Bool("update", false, "write the golden files of this package anew")

func testSubjects(t testing.TB) Subjects {
	t.Helper()
	s, err := NewSubjects("", "main")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// decodeSample is Decode or DecodeAnswer, as the sample travels.
func decodeSample(t testing.TB, s *sample, payload []byte) (paxos.Envelope, error) {
	t.Helper()
	if s.subject == "" {
		env, err := DecodeAnswer(payload)
		env.Reply = s.env.Reply
		return env, err
	}
	return testSubjects(t).Decode(s.subject, payload)
}

// encodeUnchecked writes env as Encode would if it checked nothing: what a broken or hostile sender may send.
func encodeUnchecked(t testing.TB, env *paxos.Envelope) []byte {
	t.Helper()
	body, err := bodyOf(env.Msg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return assemble(header{kind: env.Msg.Kind(), genesis: env.Genesis, request: env.Request}, b, appendTail(nil, env.Msg))
}

// assemble joins a payload from its parts, with a checksum that is right.
func assemble(h header, body, tail []byte) []byte {
	b := append(make([]byte, EnvelopeBytes, EnvelopeBytes+len(body)+len(tail)), body...)
	b = append(b, tail...)
	putHeader(b, h, len(body))
	return b
}

func TestEncodeDecodeRoundTrip(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			prefix := []byte("before")
			b, err := Encode(prefix, &s.env)
			if err != nil {
				t.Fatal(err)
			}
			if string(b[:len(prefix)]) != "before" {
				t.Fatalf("Encode overwrote what it should append to: %q", b[:len(prefix)])
			}
			got, err := decodeSample(t, &s, b[len(prefix):])
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, s.env) {
				t.Errorf("decoded\n%+v %+v\nwant\n%+v %+v", got, got.Msg, s.env, s.env.Msg)
			}
			if s.subject == "" {
				return
			}
			a, err := testSubjects(t).Of(&s.env)
			if err != nil {
				t.Fatal(err)
			}
			if subject := testSubjects(t).Subject(a); subject != s.subject {
				t.Errorf("subject %q, want %q", subject, s.subject)
			}
		})
	}
}

// TestSamplesCoverEveryKind keeps the list of samples, and with it the tests that walk it, complete.
func TestSamplesCoverEveryKind(t *testing.T) {
	seen := make(map[paxos.Kind]bool)
	for _, s := range samples() {
		seen[s.env.Msg.Kind()] = true
	}
	unenveloped := map[paxos.Kind]bool{paxos.KindAppend: true, paxos.KindGet: true, paxos.KindGetAnswer: true, paxos.KindNoResponders: true}
	for k := range paxos.Kind(255) {
		if known := k.String() != "unknown"; known != (seen[k] || unenveloped[k]) {
			t.Errorf("kind %d (%s): known %t, sampled %t", k, k, known, seen[k])
		}
	}
}

// TestGoldenWireBytes pins what travels: bytes once sent are read by other versions.
func TestGoldenWireBytes(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			b, err := Encode(nil, &s.env)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "wire", s.name+".hex")
			if *update {
				if err := os.WriteFile(file, []byte(hex.Dump(b)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.Dump(b); got != string(want) {
				t.Errorf("wire bytes changed:\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestDecodeTruncated cuts every sample at every length; nothing but the whole is taken, whoever computes the checksum.
func TestDecodeTruncated(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			whole := encodeUnchecked(t, &s.env)
			for n := range whole {
				if _, err := decodeSample(t, &s, whole[:n:n]); err == nil {
					t.Fatalf("the first %d of %d bytes were taken", n, len(whole))
				}
				if n < EnvelopeBytes {
					continue
				}
				// A sender that computes the checksum over what is left: lengths catch a cut body; a cut tail may be a shorter one.
				_, err := decodeSample(t, &s, sumOnly(whole[:n]))
				if body := EnvelopeBytes + int(binary.BigEndian.Uint32(whole[lengthAt:])); n < body && !errors.Is(err, ErrTruncated) {
					t.Fatalf("the first %d of %d bytes, summed anew: %v", n, len(whole), err)
				}
			}
		})
	}
}

// TestDecodeFlippedBit flips every bit of every sample: the checksum, or a fixed field, catches each.
func TestDecodeFlippedBit(t *testing.T) {
	for _, s := range samples() {
		whole := encodeUnchecked(t, &s.env)
		for i := range len(whole) * 8 {
			whole[i/8] ^= 1 << (i % 8)
			if _, err := decodeSample(t, &s, whole); err == nil {
				t.Errorf("%s: bit %d flipped and taken", s.name, i)
			}
			whole[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestDecodeEnvelope(t *testing.T) {
	good := func(t *testing.T) []byte { return encodeUnchecked(t, &samples()[0].env) }
	resum := func(b []byte) []byte {
		h, body, tail, err := cutHeaderUnchecked(b)
		if err != nil {
			t.Fatal(err)
		}
		return assemble(h, body, tail)
	}
	tests := []struct {
		name string
		edit func(b []byte) []byte
		want error
	}{
		{"empty", func([]byte) []byte { return nil }, ErrMagic},
		{"garbage", func([]byte) []byte {
			return []byte("hello, world: this is no message of the protocol, but long enough")
		}, ErrMagic},
		{"magic alone", func(b []byte) []byte { return b[:4] }, ErrTruncated},
		{"next version", func(b []byte) []byte { b[versionAt]++; return b }, ErrVersion},
		{"reserved byte", func(b []byte) []byte { b[versionAt+2] = 1; return b }, ErrVersion},
		{"checksum", func(b []byte) []byte { b[checksumAt]++; return b }, ErrChecksum},
		{"flag", func(b []byte) []byte { b[flagsAt] = 1; return sumOnly(b) }, ErrVersion},
		{"unknown kind", func(b []byte) []byte { b[kindAt] = 200; return sumOnly(b) }, ErrUnknownKind},
		{"another kind", func(b []byte) []byte { b[kindAt] = byte(paxos.KindLeader); return sumOnly(b) }, ErrKind},
		{"body past the end", func(b []byte) []byte { b[lengthAt+3]++; return sumOnly(b) }, ErrTruncated},
		{"huge body", func(b []byte) []byte { b[lengthAt] = 0xff; return sumOnly(b) }, ErrTooLarge},
		{"bytes after the body", func(b []byte) []byte { return resum(append(b, 0)) }, ErrMalformed},
		{"too large", func([]byte) []byte { return append([]byte(magic), make([]byte, MaxMessageBytes)...) }, ErrTooLarge},
		{"no protobuf", func([]byte) []byte {
			return assemble(header{kind: paxos.KindPrepare, genesis: sampleGenesis}, []byte{0xff}, nil)
		}, ErrMalformed},
		{"too many fields", func([]byte) []byte {
			return assemble(header{kind: paxos.KindPrepare, genesis: sampleGenesis}, []byte(strings.Repeat("\x78\x01", maxBodyFields+1)), nil)
		}, ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := testSubjects(t).Decode("paxos.main.orders.prepare.p1", tt.edit(good(t)))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// cutHeaderUnchecked is cutHeader for bytes whose checksum is wrong.
func cutHeaderUnchecked(b []byte) (header, []byte, []byte, error) { return cutHeader(sumOnly(b)) }

// sumOnly returns b with the right checksum.
func sumOnly(b []byte) []byte {
	c := append([]byte(nil), b...)
	putSum(c)
	return c
}

// TestEncodeRefusesWhatHasNoEnvelope: plain requests, their answers, and what never travels.
func TestEncodeRefusesWhatHasNoEnvelope(t *testing.T) {
	for _, m := range []paxos.Message{nil, &paxos.Append{}, &paxos.Get{From: 1, Max: 1}, &paxos.GetAnswer{}, &paxos.NoResponders{}} {
		env := paxos.Envelope{Log: "orders", Genesis: sampleGenesis, Reply: "e_INBOX.x", Msg: m}
		if m != nil && !m.Kind().IsAnswer() {
			env.Reply = ""
		}
		if b, err := Encode([]byte("x"), &env); !errors.Is(err, ErrUnknownKind) || string(b) != "x" {
			t.Errorf("%T: %q, %v", m, b, err)
		}
	}
}

// TestDecodeUnknownFieldsAreSkipped: a later version may add fields.
func TestDecodeUnknownFieldsAreSkipped(t *testing.T) {
	s := samples()[0]
	b := encodeUnchecked(t, &s.env)
	h, body, tail, err := cutHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	longer := append(append([]byte(nil), body...), "\xf2\x3f\x03new"...) // field 1022
	got, err := decodeSample(t, &s, assemble(h, longer, tail))
	if err != nil || !reflect.DeepEqual(got, s.env) {
		t.Errorf("got %+v, %v", got.Msg, err)
	}
}

// TestDecodeSpansOfTime: spans only inform. One that cannot be is cut, and costs no vote; arrays that do not match are a mistake.
func TestDecodeSpansOfTime(t *testing.T) {
	s := &sample{subject: "paxos.main.orders.learn.a1", env: broadcast("a1", &paxos.Learn{
		Voter: sampleVoter("a1"), Ballot: sampleBallot, Votes: []paxos.SlotSum{{Slot: 12}, {Slot: 13}},
		Times: []paxos.VoteTime{{Slot: 12, Synced: -5, Fsync: math.MaxInt64}},
	})}
	got, err := decodeSample(t, s, encodeUnchecked(t, &s.env))
	if err != nil {
		t.Fatal(err)
	}
	if times := msg[*paxos.Learn](&got).Times; times[0].Synced != 0 || times[0].Fsync != maxSpan {
		t.Errorf("times %+v", times)
	}
	body := learnOut(msg[*paxos.Learn](&s.env))
	body.Synced = append(body.Synced, 1)
	b, err := proto.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeSample(t, s, assemble(header{kind: paxos.KindLearn, genesis: sampleGenesis}, b, nil)); !errors.Is(err, ErrMalformed) {
		t.Errorf("arrays that differ in length: %v", err)
	}
}

// TestNothingAskedNothingTravels: who asks for no stages neither sends nor gets a byte for them.
func TestNothingAskedNothingTravels(t *testing.T) {
	for _, name := range []string{"accept", "learn", "batch"} {
		sizes := map[string]int{}
		for _, s := range samples() {
			sizes[s.name] = len(encodeUnchecked(t, &s.env))
		}
		if sizes[name] >= sizes[name+"-explain"] {
			t.Errorf("%s has %d bytes, %d where stages were asked for", name, sizes[name], sizes[name+"-explain"])
		}
	}
}

// TestDecodeAliasesPayload: what is large is never copied.
func TestDecodeAliasesPayload(t *testing.T) {
	value := make([]byte, paxos.DefaultValueLimit)
	env := broadcast("p1", &paxos.Accept{Ballot: sampleBallot, Slot: 1, Checksum: paxos.Sum(value), Value: value})
	b, err := Encode(nil, &env)
	if err != nil {
		t.Fatal(err)
	}
	got, err := testSubjects(t).Decode("paxos.main.orders.accept.p1", b)
	if err != nil {
		t.Fatal(err)
	}
	v := got.Msg.(*paxos.Accept).Value //nolint:errcheck,forcetypeassert // it panics, and the test fails
	if &v[0] != &b[len(b)-len(v)] {
		t.Error("the value was copied")
	}
	if n := testing.AllocsPerRun(20, func() {
		_, _ = testSubjects(t).Decode("paxos.main.orders.accept.p1", b)
	}); n > 24 {
		t.Errorf("%v allocations to decode an accept", n)
	}
}
