package messaging

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// pairs makes headers of keys and values in turn.
func pairs(kv ...string) []paxos.Header {
	var hs []paxos.Header
	for i := 0; i < len(kv); i += 2 {
		hs = append(hs, paxos.Header{Key: kv[i], Value: kv[i+1]})
	}
	return hs
}

func TestDecodeAppendHeaders(t *testing.T) {
	h := nats.Header{
		"Zeta": {"1", "2"}, "Alpha": {"3"}, "alpha": {"4"}, "Nats-Msg-Id": {"id-1"}, "Nats-Expected-Last-Sequence": {"41"},
		"Nats-Subject": {"republished"},
	}
	got, err := DecodeAppend(&nats.Msg{Subject: "s", Header: h, Data: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	want := &paxos.Append{
		Headers: pairs("Alpha", "3", "Nats-Subject", "republished", "Zeta", "1", "Zeta", "2", "alpha", "4"),
		Payload: []byte("hello"), MessageID: "id-1", Expect: 41, HasExpect: true,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestDecodeAppendExpectsZero(t *testing.T) {
	got, err := DecodeAppend(&nats.Msg{Header: nats.Header{HeaderExpectedLast: {"0"}}})
	if err != nil || !got.HasExpect || got.Expect != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestControllingHeadersAreRefused: a header that asks for something is obeyed or refused, never passed over.
func TestControllingHeadersAreRefused(t *testing.T) {
	for _, tt := range []struct{ key, value string }{
		{"Nats-Rollup", "all"},
		{"Nats-TTL", "1h"},
		{"Nats-Schedule", "@every 1m"},
		{"Nats-Schedule-Target", "x"},
		{"Nats-Expected-Stream", "ORDERS"},
		{"Nats-Expected-Last-Msg-Id", "x"},
		{"Nats-Expected-Last-Subject-Sequence", "1"},
		{"Nats-Expected-Last-Subject-Sequence-Subject", "x"},
		{"Nats-Incr", "+1"},
		{"Nats-Batch-Id", "x"},
		{"Nats-Required-Api-Level", "1"},
		{"Nats-Not-Invented-Yet", "x"},
		{"nats-msg-id", "x"},
		{"NATS-MSG-ID", "x"},
		{"Nats-Msg-Id", ""},
		{"Nats-Msg-Id", strings.Repeat("i", paxos.MaxMessageIDBytes+1)},
		{"Nats-Expected-Last-Sequence", ""},
		{"Nats-Expected-Last-Sequence", "-1"},
		{"Nats-Expected-Last-Sequence", "1.5"},
		{"Nats-Expected-Last-Sequence", "18446744073709551616"},
	} {
		_, err := DecodeAppend(&nats.Msg{Header: nats.Header{tt.key: {tt.value}}})
		var refused *RefusedHeader
		if !errors.As(err, &refused) || refused.Key != tt.key && !strings.EqualFold(refused.Key, tt.key) {
			t.Errorf("%s: %q: got %v", tt.key, tt.value, err)
		}
	}
	for _, key := range []string{HeaderMessageID, HeaderExpectedLast} {
		if _, err := DecodeAppend(&nats.Msg{Header: nats.Header{key: {"1", "2"}}}); err == nil {
			t.Errorf("two values of %s taken", key)
		}
	}
}

func TestEncodePlain(t *testing.T) {
	tests := []struct {
		name   string
		answer paxos.BatchAnswer
		body   string
		code   string
		text   string
	}{
		{"appended", paxos.BatchAnswer{Code: paxos.CodeAppended, First: 7, Checksum: 255}, `{"log":"orders","offset":7}`, "", ""},
		{
			"duplicate",
			paxos.BatchAnswer{Code: paxos.CodeDuplicate, First: 3, Checksum: 255},
			`{"log":"orders","offset":3,"duplicate":true}`, "", "",
		},
		{
			"condition",
			paxos.BatchAnswer{Code: paxos.CodeConditionFails, Last: 0, Checksum: 255},
			`{"log":"orders","last":0,"error":{"code":400,"description":"wrong last sequence: 0"}}`, "400", "wrong last sequence: 0",
		},
		{
			"overloaded",
			paxos.BatchAnswer{Code: paxos.CodeOverloaded, Text: "queue <full>\r\nX: y", Checksum: 255},
			`{"log":"orders","error":{"code":429,"description":"queue <full>\r\nX: y"}}`, "429", "queue <full>  X: y",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, body, err := EncodePlain("orders", sampleGenesis, &tt.answer)
			if err != nil || string(body) != tt.body {
				t.Fatalf("got %s, %v, want %s", body, err, tt.body)
			}
			if h.Get(HeaderGenesis) != sampleGenesis.String() || h.Get(HeaderChecksum) != "ff" {
				t.Errorf("the answer does not show whose it is: %v", h)
			}
			if h.Get(HeaderErrorCode) != tt.code || h.Get(HeaderError) != tt.text {
				t.Errorf("error headers: %v", h)
			}
		})
	}
	if _, _, err := EncodePlain("orders", sampleGenesis, &paxos.BatchAnswer{Code: paxos.CodeDropped}); err == nil {
		t.Error("a dropped append was answered")
	}
}

func TestDecodeGet(t *testing.T) {
	for in, want := range map[string]paxos.Get{
		`{"from":1,"max":100}`: {From: 1, Max: 100},
		`{"from":7}`:           {From: 7, Max: defaultGetEntries},
		` {"max":1,"from":2} `: {From: 2, Max: 1},
	} {
		if got, err := DecodeGet([]byte(in)); err != nil || *got != want {
			t.Errorf("%s: got %+v, %v", in, got, err)
		}
	}
	for in, want := range map[string]error{
		``: ErrMalformed, `hello`: ErrMalformed, `{}`: ErrMalformed, `{"from":0}`: ErrMalformed, `{"from":-1}`: ErrMalformed,
		`{"from":1.5}`: ErrMalformed, `{"from":"1"}`: ErrMalformed, `{"from":1,"max":0}`: ErrMalformed, `{"from":1,"max":1001}`: ErrTooLarge,
		`{"from":1,"Foo":1}`: ErrMalformed, `{"from":1}x`: ErrMalformed, `{"from":1}{"from":2}`: ErrMalformed,
		`{"from":1` + strings.Repeat(" ", maxGetBytes) + `}`: ErrTooLarge,
	} {
		if got, err := DecodeGet([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%.40s: got %+v, %v, want %v", in, got, err, want)
		}
	}
}

func TestEncodeGetAnswer(t *testing.T) {
	entries := []paxos.Entry{
		{Offset: 4, Stamp: 1_700_000_000_000_000_001, Headers: pairs("b", "1", "a", "2", "b", "3"), Payload: []byte(`<"é">`)},
		{Offset: 5, Payload: []byte{0xff, 0}},
		{Offset: 6},
	}
	_, body, err := EncodeGetAnswer("orders", &paxos.GetAnswer{Last: 9, Entries: entries}, 1<<20)
	want := `{"log":"orders","last":9,"entries":[` +
		`{"offset":4,"time":"2023-11-14T22:13:20.000000001Z","headers":{"a":["2"],"b":["1","3"]},"data":"<\"é\">"},` +
		`{"offset":5,"time":"1970-01-01T00:00:00Z","base64":"/wA="},{"offset":6,"time":"1970-01-01T00:00:00Z","data":""}]}`
	if err != nil || string(body) != want {
		t.Errorf("got %s, %v\nwant %s", body, err, want)
	}
	h, body, err := EncodeGetAnswer("orders", &paxos.GetAnswer{Code: paxos.ReadGone, First: 5, Last: 9}, 1<<20)
	want = `{"log":"orders","first":5,"last":9,"entries":[],"error":{"code":410,"description":"dropped by retention: first offset is 5"}}`
	if err != nil || string(body) != want || h.Get(HeaderErrorCode) != "410" {
		t.Errorf("got %v %s, %v\nwant %s", h, body, err, want)
	}
}

// TestGetAnswerFitsItsMessage: entries are cut from the end, and one that can never fit is an error, not an empty answer for ever.
func TestGetAnswerFitsItsMessage(t *testing.T) {
	const limit = 8 << 10
	big := strings.Repeat("\x01", 1000) // six bytes each in JSON
	a := &paxos.GetAnswer{Last: 9, Entries: []paxos.Entry{{Offset: 1, Payload: []byte(big)}, {Offset: 2, Payload: []byte(big)}, {Offset: 3}}}
	h, body, err := EncodeGetAnswer("orders", a, limit)
	if err != nil || len(body) > limit || strings.Contains(string(body), `"offset":2`) || h.Get(HeaderErrorCode) != "" {
		t.Errorf("%d bytes, headers %v, %v", len(body), h, err)
	}
	a.Entries[0].Payload = []byte(big + big)
	h, body, err = EncodeGetAnswer("orders", a, limit)
	if err != nil || h.Get(HeaderErrorCode) != "413" || len(body) > limit {
		t.Errorf("%d bytes, headers %v, %v", len(body), h, err)
	}
}
