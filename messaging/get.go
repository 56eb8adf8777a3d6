package messaging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/paxos"
)

// maxGetBytes bounds a get request: it is two small numbers.
const maxGetBytes = 4 << 10

// defaultGetEntries is how many entries a get without "max" wants.
const defaultGetEntries = 100

// GetJSON is a get request.
type GetJSON struct {
	From paxos.Offset `json:"from"`          // first offset wanted, from 1
	Max  *uint32      `json:"max,omitempty"` // entries; 100 where absent, at most paxos.MaxGetEntries
}

// EntryJSON is one entry. Exactly one of Data and Base64 is there: Data where the payload is valid UTF-8.
type EntryJSON struct {
	Offset  paxos.Offset        `json:"offset"`
	Time    time.Time           `json:"time"`
	Headers map[string][]string `json:"headers,omitempty"`
	Data    *string             `json:"data,omitempty"`
	Base64  []byte              `json:"base64,omitempty"`
}

// EntriesJSON is the answer to a get.
type EntriesJSON struct {
	Log     string            `json:"log"`
	First   paxos.Offset      `json:"first,omitempty"` // with an error: the first offset held
	Last    paxos.Offset      `json:"last"`            // last offset known to this learner
	Entries []json.RawMessage `json:"entries"`         // EntryJSON each
	Error   *ErrorJSON        `json:"error,omitempty"`
}

// DecodeGet reads a get request: {"from":1,"max":100}. Unknown keys are refused, so that a typing error shows.
func DecodeGet(payload []byte) (*paxos.Get, error) {
	if len(payload) > maxGetBytes {
		return nil, fmt.Errorf("decode get: %w: %d bytes", ErrTooLarge, len(payload))
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	var j GetJSON
	if err := d.Decode(&j); err != nil {
		return nil, fmt.Errorf(`decode get: %w: %w: want {"from":1,"max":100}`, ErrMalformed, err)
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // io.EOF is returned bare
		return nil, fmt.Errorf("decode get: %w: more follows the request", ErrMalformed)
	}
	m := &paxos.Get{From: j.From, Max: defaultGetEntries}
	if j.Max != nil {
		m.Max = *j.Max
	}
	if err := checkMessage(m); err != nil {
		return nil, fmt.Errorf("decode get: %w", err)
	}
	return m, nil
}

// EncodeGetAnswer returns the JSON answer to a get in at most limit bytes. Entries that do not fit are cut from the end; the
// reader goes on after the last that it got. If not even the first fits, the answer is an error that says so.
func EncodeGetAnswer(log string, a *paxos.GetAnswer, limit int) (nats.Header, []byte, error) {
	o, ok := ReadOutcomeOf(a.Code)
	if !ok {
		return nil, nil, fmt.Errorf("encode the answer to a get from log %q: %w: code %d", log, ErrMalformed, a.Code)
	}
	h := nats.Header{}
	j := EntriesJSON{Log: log, Last: a.Last, Entries: []json.RawMessage{}}
	if o.Wire != 0 {
		j.First = a.First
		j.Error = &ErrorJSON{Code: o.Wire, Description: readText(a, o)}
	} else if err := addEntries(&j, a.Entries, limit); err != nil {
		return nil, nil, err
	}
	if j.Error != nil {
		errorHeaders(h, j.Error)
	}
	b, err := marshal(&j)
	return h, b, err
}

// EncodeGetRefusal returns the answer to a get that did not decode.
func EncodeGetRefusal(log string, refused error) (nats.Header, []byte, error) {
	o, _ := OutcomeOf(paxos.CodeMalformed)
	h := nats.Header{}
	j := EntriesJSON{
		Log: log, Entries: []json.RawMessage{},
		Error: &ErrorJSON{Code: o.Wire, Description: refused.Error()},
	}
	errorHeaders(h, j.Error)
	b, err := marshal(&j)
	return h, b, err
}

func readText(a *paxos.GetAnswer, o ReadOutcome) string {
	if o.Code == paxos.ReadGone || o.Code == paxos.ReadElsewhere {
		return fmt.Sprintf("%s: first offset is %d", o.Text, a.First)
	}
	return o.Text
}

// getOverhead is what an answer needs beside its entries: names, numbers, headers.
const getOverhead = 1 << 10

func addEntries(j *EntriesJSON, entries []paxos.Entry, limit int) error {
	left := limit - getOverhead
	for i := range entries {
		b, err := marshal(entryJSON(&entries[i]))
		if err != nil {
			return fmt.Errorf("encode entry %d of log %q: %w", entries[i].Offset, j.Log, err)
		}
		if left -= len(b) + 1; left < 0 {
			if i == 0 {
				o, _ := OutcomeOf(paxos.CodeTooLarge)
				j.Error = &ErrorJSON{
					Code:        o.Wire,
					Description: fmt.Sprintf("entry %d does not fit a JSON answer of %d bytes: read it by subscribing", entries[0].Offset, limit),
				}
			}
			return nil
		}
		j.Entries = append(j.Entries, b)
	}
	return nil
}

func entryJSON(e *paxos.Entry) *EntryJSON {
	j := &EntryJSON{Offset: e.Offset, Time: time.Unix(0, int64(e.Stamp)).UTC()}
	for _, h := range e.Headers {
		if j.Headers == nil {
			j.Headers = make(map[string][]string, len(e.Headers))
		}
		j.Headers[h.Key] = append(j.Headers[h.Key], h.Value)
	}
	if utf8.Valid(e.Payload) {
		s := string(e.Payload)
		j.Data = &s
	} else {
		j.Base64 = e.Payload
	}
	return j
}
