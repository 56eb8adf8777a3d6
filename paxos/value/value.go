package value

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

const (
	valueVersion = 1
	itemHeader   = 5 // kind, length
)

// ItemKind says what an item of a value is.
type ItemKind uint8

// Kinds of items. Stored and hashed: never renumber.
const (
	ItemBatch   ItemKind = 1
	ItemCommand ItemKind = 2
)

// Item is a batch or a command in a value. Body is its encoding.
type Item struct {
	Kind ItemKind
	Body []byte
}

// Value is what one slot decides on: batches and commands in order, or nothing (a no-op).
type Value struct {
	Origin paxos.Ballot // that first composed it, kept on adoption (PROTOCOL P6)
	Stamp  paxos.Stamp  // the composing leader's clock
	Items  []Item
}

// Encode appends v's bytes to dst.
func Encode(dst []byte, v *Value) []byte {
	dst = appendHead(dst, v.Origin, v.Stamp, uint32(len(v.Items)))
	for i := range v.Items {
		dst = appendItem(dst, v.Items[i].Kind, v.Items[i].Body)
	}
	return dst
}

func appendHead(dst []byte, origin paxos.Ballot, stamp paxos.Stamp, count uint32) []byte {
	dst = append(dst, valueVersion)
	dst = AppendBallot(dst, origin)
	dst = le.AppendUint64(dst, uint64(stamp))
	return le.AppendUint32(dst, count)
}

func appendItem(dst []byte, kind ItemKind, body []byte) []byte {
	dst = append(dst, uint8(kind))
	dst = le.AppendUint32(dst, uint32(len(body)))
	return append(dst, body...)
}

// head reads everything before the items.
func head(b []byte) (r Reader, origin paxos.Ballot, stamp paxos.Stamp, count uint32, err error) {
	r = Reader{b: b}
	if v := r.U8(); v != valueVersion && !r.bad {
		return r, origin, 0, 0, fmt.Errorf("value version %d: %w", v, ErrUnknownVersion)
	}
	origin = r.Ballot()
	stamp = paxos.Stamp(r.U64())
	count = r.U32()
	if r.bad {
		return r, origin, 0, 0, fmt.Errorf("value of %d bytes is cut short: %w", len(b), ErrMalformed)
	}
	return r, origin, stamp, count, nil
}

// Decode reads a value. Items alias b. It checks the layout, not what the items say.
func Decode(b []byte) (Value, error) {
	r, origin, stamp, count, err := head(b)
	if err != nil {
		return Value{}, err
	}
	if uint64(count)*itemHeader > uint64(len(r.b)) {
		return Value{}, fmt.Errorf("value of %d bytes cannot hold %d items: %w", len(b), count, ErrMalformed)
	}
	v := Value{Origin: origin, Stamp: stamp}
	if count > 0 {
		v.Items = make([]Item, 0, count)
	}
	for range count {
		it := Item{Kind: ItemKind(r.U8())}
		it.Body = r.Take(int(r.U32()))
		if r.bad {
			break
		}
		if it.Kind != ItemBatch && it.Kind != ItemCommand {
			return Value{}, fmt.Errorf("item kind %d: %w", it.Kind, ErrUnknownVersion)
		}
		v.Items = append(v.Items, it)
	}
	return v, r.End("value")
}

// Origin returns the ballot that composed the value b, without reading the rest.
func Origin(b []byte) (paxos.Ballot, error) {
	_, origin, _, _, err := head(b)
	return origin, err
}

// CarriesBatches reports whether the value b has a batch among its items (PROTOCOL K5). Bytes that are no value have none.
func CarriesBatches(b []byte) bool {
	r, _, _, count, err := head(b)
	if err != nil {
		return false
	}
	for range count {
		kind := ItemKind(r.U8())
		r.Take(int(r.U32()))
		if r.bad {
			return false
		}
		if kind == ItemBatch {
			return true
		}
	}
	return false
}

// Builder composes one value in place.
type Builder struct {
	buf     []byte
	countAt int
	count   uint32
	limit   int
}

// NewBuilder begins a value in buf's memory. limit is the largest value in bytes.
func NewBuilder(buf []byte, origin paxos.Ballot, stamp paxos.Stamp, limit uint32) *Builder {
	buf = appendHead(buf[:0], origin, stamp, 0)
	return &Builder{buf: buf, countAt: len(buf) - 4, limit: int(limit)}
}

// Add appends an item, or reports false, and changes nothing, if the value would exceed its limit.
func (b *Builder) Add(kind ItemKind, body []byte) bool {
	if len(b.buf)+itemHeader+len(body) > b.limit {
		return false
	}
	b.buf = appendItem(b.buf, kind, body)
	b.count++
	return true
}

// Len returns the value's bytes so far.
func (b *Builder) Len() int { return len(b.buf) }

// Count returns the number of items so far.
func (b *Builder) Count() int { return int(b.count) }

// Bytes returns the value. The Builder is not used after it.
func (b *Builder) Bytes() []byte {
	le.PutUint32(b.buf[b.countAt:], b.count)
	return b.buf
}
