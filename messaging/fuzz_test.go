package messaging

import (
	"reflect"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// addSamples seeds a fuzz target with every sample's parts.
func addSamples(f *testing.F) {
	f.Helper()
	for _, s := range samples() {
		h, body, tail, err := cutHeader(encodeUnchecked(f, &s.env))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.subject, byte(h.kind), h.request, body, tail)
	}
}

// FuzzDecode feeds bodies and tails under envelopes whose checksum is right: nothing panics, and what is taken is
// encoded and decoded again to the same.
func FuzzDecode(f *testing.F) {
	addSamples(f)
	s := testSubjects(f)
	f.Fuzz(func(t *testing.T, subject string, kind byte, number uint64, body, tail []byte) {
		h := header{kind: paxos.Kind(kind), request: number}
		a, err := s.Parse(subject)
		if err == nil && a.Log != paxos.ProcessLog || err != nil && !processKind(h.kind) {
			h.genesis = sampleGenesis
		}
		payload := assemble(h, body, tail)
		decode := func(b []byte) (paxos.Envelope, error) {
			if err != nil {
				return DecodeAnswer(b)
			}
			return DecodeAt(a, b)
		}
		env, derr := decode(payload)
		if derr != nil {
			if Reason(derr) == "other" {
				t.Fatalf("an error without a reason: %v", derr)
			}
			return
		}
		sent := env
		if err != nil {
			sent.Reply = "e_INBOX.x"
		}
		b, eerr := Encode(nil, &sent)
		if eerr != nil {
			t.Fatalf("%+v was taken and is not sent: %v", env.Msg, eerr)
		}
		again, derr := decode(b)
		if derr != nil || !reflect.DeepEqual(again, env) {
			t.Fatalf("%+v came back as %+v, %v", env.Msg, again.Msg, derr)
		}
	})
}

// FuzzDecodeRaw feeds whole payloads, checksum and all.
func FuzzDecodeRaw(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.subject, encodeUnchecked(f, &s.env))
	}
	f.Add("paxos.main.orders.accept.p1", []byte("hello"))
	s := testSubjects(f)
	f.Fuzz(func(t *testing.T, subject string, payload []byte) {
		if _, err := s.Decode(subject, payload); err != nil && Reason(err) == "other" {
			t.Fatalf("an error without a reason: %v", err)
		}
		_, _ = DecodeAnswer(payload)
	})
}

// FuzzDecodeGet feeds get requests.
func FuzzDecodeGet(f *testing.F) {
	for _, s := range []string{`{"from":1,"max":100}`, `{"from":1}`, `{}`, `null`, `[]`, `{"from":-1}`, `{"from":1}{}`, `{"from":1,"x":2}`, ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeGet(b)
		if err == nil && (m.From == 0 || m.Max == 0 || m.Max > paxos.MaxGetEntries) {
			t.Fatalf("%q taken as %+v", b, m)
		}
	})
}

// FuzzDecodeAppend feeds the headers of plain appends: whatever is taken holds its limits, and is sorted.
func FuzzDecodeAppend(f *testing.F) {
	f.Add("Nats-Msg-Id", "a", "Trace", "b", "c")
	f.Add("Nats-Expected-Last-Sequence", "12", "nats-rollup", "all", "")
	f.Add("Z", "", "A", "x", "y")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, v3 string) {
		h := nats.Header{k1: {v1}}
		h[k2] = append(h[k2], v2, v3)
		m, err := DecodeAppend(&nats.Msg{Subject: "s", Header: h, Data: []byte("payload")})
		if err != nil {
			return
		}
		if len(m.MessageID) > paxos.MaxMessageIDBytes || string(m.Payload) != "payload" {
			t.Fatalf("taken: %+v", m)
		}
		for i := 1; i < len(m.Headers); i++ {
			if m.Headers[i-1].Key > m.Headers[i].Key {
				t.Fatalf("headers out of order: %+v", m.Headers)
			}
		}
	})
}
