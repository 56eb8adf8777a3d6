package messaging

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/paxosd/paxosd/paxos"
)

// On the wire: never change, only add. The diagram is in pb/wire.proto.
const (
	magic       = "PXD1"
	wireVersion = 1

	versionAt  = 4
	checksumAt = 8
	coveredAt  = 16 // the checksum covers what is from here: see sum
	kindAt     = 16
	flagsAt    = 17
	genesisAt  = 20
	requestAt  = 36
	lengthAt   = 44

	// EnvelopeBytes is the length of the fixed envelope.
	EnvelopeBytes = 48
)

// Limits of what a decoder takes.
const (
	// MaxMessageBytes is the largest payload: NATS itself allows no more.
	MaxMessageBytes = 64 << 20

	// MaxBodyBytes is the largest protobuf body. What is large travels in the tail; the longest lists (a beacon's
	// items, a chunk's batches, a promise's votes) stay below.
	MaxBodyBytes = 512 << 10

	// maxBodyFields bounds the top-level fields of a body before it is parsed: two bytes of input can be a list
	// element of a hundred bytes in memory.
	maxBodyFields = 2048
)

// header is the fixed envelope, read.
type header struct {
	kind    paxos.Kind
	genesis paxos.GenesisID
	request uint64
}

// putHeader fills in the envelope of a message whose body is b[EnvelopeBytes:EnvelopeBytes+body], checksum included.
func putHeader(b []byte, h header, body int) {
	copy(b, magic)
	b[versionAt] = wireVersion
	clear(b[versionAt+1 : checksumAt])
	b[kindAt], b[flagsAt], b[flagsAt+1], b[flagsAt+2] = byte(h.kind), 0, 0, 0
	copy(b[genesisAt:], h.genesis[:])
	binary.BigEndian.PutUint64(b[requestAt:], h.request)
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(body))
	putSum(b)
}

// putSum fills in the checksum.
func putSum(b []byte) { binary.BigEndian.PutUint64(b[checksumAt:], sum(b)) }

// sum returns the checksum of the envelope b. It covers everything after itself, except a tail whose pieces have their checksums in the
// body: values are large, many receive them, and all of them check those.
func sum(b []byte) uint64 {
	end := len(b)
	switch paxos.Kind(b[kindAt]) {
	case paxos.KindAccept, paxos.KindPropose, paxos.KindVotesAnswer, paxos.KindChosen:
		end = min(end, EnvelopeBytes+int(binary.BigEndian.Uint32(b[lengthAt:])))
	default:
	}
	return xxhash.Sum64(b[coveredAt:end])
}

// cutHeader reads the envelope of b and returns its body and tail, which alias b.
func cutHeader(b []byte) (h header, body, tail []byte, err error) {
	switch {
	case len(b) < len(magic) || string(b[:len(magic)]) != magic:
		return h, nil, nil, fmt.Errorf("%w: a payload of %d bytes does not begin with %q", ErrMagic, len(b), magic)
	case len(b) < EnvelopeBytes:
		return h, nil, nil, fmt.Errorf("%w: %d bytes, an envelope has %d", ErrTruncated, len(b), EnvelopeBytes)
	case len(b) > MaxMessageBytes:
		return h, nil, nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	case b[versionAt] != wireVersion:
		return h, nil, nil, fmt.Errorf("%w: %d, this build knows %d", ErrVersion, b[versionAt], wireVersion)
	case b[versionAt+1] != 0 || b[versionAt+2] != 0 || b[versionAt+3] != 0:
		return h, nil, nil, fmt.Errorf("%w: reserved bytes are set", ErrVersion)
	case binary.BigEndian.Uint64(b[checksumAt:]) != sum(b):
		return h, nil, nil, fmt.Errorf("%w: of the envelope", ErrChecksum)
	case b[flagsAt] != 0 || b[flagsAt+1] != 0 || b[flagsAt+2] != 0:
		return h, nil, nil, fmt.Errorf("%w: unknown flags", ErrVersion)
	}
	h.kind = paxos.Kind(b[kindAt])
	h.genesis = paxos.GenesisID(b[genesisAt:requestAt])
	h.request = binary.BigEndian.Uint64(b[requestAt:])
	n, rest := binary.BigEndian.Uint32(b[lengthAt:]), b[EnvelopeBytes:]
	if n > MaxBodyBytes {
		return h, nil, nil, fmt.Errorf("%w: a body of %d bytes, at most %d", ErrTooLarge, n, MaxBodyBytes)
	}
	if int(n) > len(rest) {
		return h, nil, nil, fmt.Errorf("%w: a body of %d bytes, %d are left", ErrTruncated, n, len(rest))
	}
	return h, rest[:n:n], rest[n:], nil
}

// cutTail splits tail into pieces of these lengths, which must use it up.
func cutTail(tail []byte, lengths []uint32) ([][]byte, error) {
	pieces := make([][]byte, len(lengths))
	for i, n := range lengths {
		if uint64(n) > uint64(len(tail)) {
			return nil, fmt.Errorf("%w: piece %d of the tail has %d bytes, %d are left", ErrTruncated, i, n, len(tail))
		}
		if n > 0 {
			pieces[i], tail = tail[:n:n], tail[n:]
		}
	}
	if len(tail) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the last piece of the tail", ErrMalformed, len(tail))
	}
	return pieces, nil
}
