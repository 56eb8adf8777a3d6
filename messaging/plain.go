package messaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// DecodeAppend reads a plain append: the payload is the entry, headers may control it. The error is a *RefusedHeader, or wraps
// ErrMalformed where the headers did not parse. The payload is aliased.
func DecodeAppend(msg *nats.Msg) (*paxos.Append, error) {
	// The client library hands over a message whose headers it could not parse as one without any. Its size tells.
	if msg.Header == nil && msg.Size() > len(msg.Subject)+len(msg.Reply)+len(msg.Data) {
		return nil, fmt.Errorf("%w: headers do not parse", ErrMalformed)
	}
	m := &paxos.Append{Payload: msg.Data}
	if err := parseHeaders(msg.Header, m); err != nil {
		return nil, err
	}
	return m, nil
}

// AppendJSON is the answer to a plain append, as JSON. Duplicate and Last are left out where they mean nothing.
type AppendJSON struct {
	Log       string       `json:"log"`
	Offset    paxos.Offset `json:"offset,omitempty"`
	Duplicate bool         `json:"duplicate,omitempty"`
	Last      *uint64      `json:"last,omitempty"` // with a wrong expected sequence: the real one
	Error     *ErrorJSON   `json:"error,omitempty"`
}

// ErrorJSON is an error in a JSON answer, the same as in the headers.
type ErrorJSON struct {
	Code        int    `json:"code"`
	Description string `json:"description"`
}

// EncodePlain returns the answer to a plain append: JSON with the headers that show it was this log's leader that
// answered (PROTOCOL P9), and those of an error where it is one.
func EncodePlain(log string, genesis paxos.GenesisID, a *paxos.BatchAnswer) (nats.Header, []byte, error) {
	o, ok := OutcomeOf(a.Code)
	if !ok {
		return nil, nil, fmt.Errorf("encode the answer to an append to log %q: %w: code %d is never answered", log, ErrMalformed, a.Code)
	}
	h := nats.Header{
		HeaderGenesis:  {genesis.String()},
		HeaderChecksum: {strconv.FormatUint(uint64(a.Checksum), 16)},
	}
	j := AppendJSON{Log: log}
	if o.Class == ClassDone {
		j.Offset, j.Duplicate = a.First, a.Code == paxos.CodeDuplicate
	} else {
		j.Error = &ErrorJSON{Code: o.Wire, Description: describe(a, o)}
		if a.Code == paxos.CodeConditionFails {
			last := uint64(a.Last)
			j.Last = &last
		}
		errorHeaders(h, j.Error)
	}
	b, err := marshal(&j)
	return h, b, err
}

// describe returns the text of an error. A wrong expected sequence reads as JetStream's does.
func describe(a *paxos.BatchAnswer, o Outcome) string {
	if a.Code == paxos.CodeConditionFails {
		return o.Text + ": " + strconv.FormatUint(uint64(a.Last), 10)
	}
	if a.Text != "" {
		return a.Text
	}
	return o.Text
}

func errorHeaders(h nats.Header, e *ErrorJSON) {
	h[HeaderError] = []string{headerText(e.Description)}
	h[HeaderErrorCode] = []string{strconv.Itoa(e.Code)}
}

// marshal is json.Marshal without the escapes for web pages: people read these answers in a terminal.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// headerText keeps a text from ending its header line: texts may quote what a client sent.
func headerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// EncodeRefusal returns the answer to a plain append that was refused for its headers, before any leader saw it.
func EncodeRefusal(log string, refused error) (nats.Header, []byte, error) {
	o, _ := OutcomeOf(paxos.CodeHeader)
	h := nats.Header{}
	j := AppendJSON{Log: log, Error: &ErrorJSON{Code: o.Wire, Description: refused.Error()}}
	errorHeaders(h, j.Error)
	b, err := marshal(&j)
	return h, b, err
}
