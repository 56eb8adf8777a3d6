package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// errRecord is any record that cannot be read; the caller says which key it was.
var errRecord = errors.New("bad record")

// writer builds a key and the record bound to it in one buffer: key ‖ record. Fields are fixed-width big-endian numbers,
// fixed arrays, and strings of bytes behind a 4-byte length.
type writer struct {
	buf []byte
	key int // length of the key at the front
}

// begin starts a record: the key is what buf holds by now.
func (w *writer) begin() {
	w.key = len(w.buf)
	w.buf = append(w.buf, recordVersion)
}

func (w *writer) u8(v uint8)     { w.buf = append(w.buf, v) }
func (w *writer) u32(v uint32)   { w.buf = binary.BigEndian.AppendUint32(w.buf, v) }
func (w *writer) u64(v uint64)   { w.buf = binary.BigEndian.AppendUint64(w.buf, v) }
func (w *writer) raw(b []byte)   { w.buf = append(w.buf, b...) }
func (w *writer) bytes(b []byte) { w.u32(uint32(len(b))); w.raw(b) }
func (w *writer) str(s string)   { w.u32(uint32(len(s))); w.buf = append(w.buf, s...) }

func (w *writer) ballot(b paxos.Ballot) {
	w.u64(b.Round)
	w.u64(b.Run)
	w.str(b.Proposer)
}

// end adds the checksum and returns key and record. They are valid until the next use of w.
func (w *writer) end() (key, record []byte) {
	w.u64(uint64(paxos.Sum(w.buf)))
	return w.buf[:w.key], w.buf[w.key:]
}

// reader takes a record apart. The first error sticks; close reports it.
type reader struct {
	b   []byte
	err error
}

// open checks the record's checksum and version. key and record are only read; what the reader returns aliases record.
func open(scratch *[]byte, key, record []byte) reader {
	if len(record) < 1+sumBytes {
		return reader{err: fmt.Errorf("%w: %d bytes", errRecord, len(record))}
	}
	body := record[:len(record)-sumBytes]
	*scratch = append(append((*scratch)[:0], key...), body...)
	want := paxos.Checksum(binary.BigEndian.Uint64(record[len(body):]))
	if got := paxos.Sum(*scratch); got != want {
		return reader{err: fmt.Errorf("%w: checksum %016x, stored %016x", errRecord, uint64(got), uint64(want))}
	}
	if body[0] != recordVersion {
		return reader{err: fmt.Errorf("%w: version %d", errRecord, body[0])}
	}
	return reader{b: body[1:]}
}

func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b) {
		r.err = fmt.Errorf("%w: ends early", errRecord)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) bytes() []byte { return r.take(int(r.u32())) }

func (r *reader) str() string { return string(r.bytes()) }

func (r *reader) ballot() paxos.Ballot {
	var b paxos.Ballot
	b.Round = r.u64()
	b.Run = r.u64()
	b.Proposer = r.str()
	return b
}

func (r *reader) hash() (h paxos.Hash) {
	copy(h[:], r.take(len(h)))
	return h
}

// close returns the first error, or one if bytes are left over.
func (r *reader) close() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%w: %d bytes left over", errRecord, len(r.b))
	}
	return r.err
}
