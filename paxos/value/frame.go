package value

import (
	"fmt"
	"iter"

	"github.com/paxosd/paxosd/paxos"
)

const frameHead = 6 // length, header count

// Frame is one entry as it travels.
type Frame struct {
	Headers []paxos.Header // in order; keys may repeat
	Payload []byte         // aliases what it was decoded from
}

// FrameSize returns the bytes that AppendFrame appends.
func FrameSize(headers []paxos.Header, payload []byte) int {
	n := frameHead + len(payload)
	for i := range headers {
		n += 2 + len(headers[i].Key) + 4 + len(headers[i].Value)
	}
	return n
}

// AppendFrame appends one entry's frame to dst. Keys are at most 65,535 bytes and headers at most 65,535: the entry's limit
// is far below.
func AppendFrame(dst []byte, headers []paxos.Header, payload []byte) []byte {
	dst = le.AppendUint32(dst, uint32(FrameSize(headers, payload)-4))
	dst = le.AppendUint16(dst, uint16(len(headers)))
	for i := range headers {
		dst = le.AppendUint16(dst, uint16(len(headers[i].Key)))
		dst = append(dst, headers[i].Key...)
		dst = le.AppendUint32(dst, uint32(len(headers[i].Value)))
		dst = append(dst, headers[i].Value...)
	}
	return append(dst, payload...)
}

// DecodeFrame reads the first frame of b and returns what follows it.
func DecodeFrame(b []byte) (f Frame, rest []byte, err error) {
	body, rest, err := cutFrame(b)
	if err != nil {
		return Frame{}, nil, err
	}
	r := Reader{b: body}
	n := int(r.U16())
	if n*6 > len(r.b) {
		return Frame{}, nil, fmt.Errorf("frame of %d bytes with %d headers: %w", len(body), n, ErrMalformed)
	}
	if n > 0 {
		f.Headers = make([]paxos.Header, 0, n)
	}
	for range n {
		key := r.Take(int(r.U16()))
		val := r.Take(int(r.U32()))
		f.Headers = append(f.Headers, paxos.Header{Key: string(key), Value: string(val)})
	}
	if r.bad {
		return Frame{}, nil, fmt.Errorf("headers of a frame are cut short: %w", ErrMalformed)
	}
	f.Payload = r.b
	return f, rest, nil
}

// cutFrame splits off the first frame, without its length.
func cutFrame(b []byte) (body, rest []byte, err error) {
	r := Reader{b: b}
	body = r.Take(int(r.U32()))
	if r.bad || len(body) < 2 {
		return nil, nil, fmt.Errorf("frame is cut short: %w", ErrMalformed)
	}
	return body, r.b, nil
}

// ScanFrames checks that frames holds exactly count entries, each within its limit (PROTOCOL Q8). It allocates nothing.
func ScanFrames(frames []byte, count uint32) error {
	for i := range count {
		body, rest, err := cutFrame(frames)
		if err != nil {
			return fmt.Errorf("entry %d of %d: %w", i+1, count, err)
		}
		if err := scanFrame(body); err != nil {
			return fmt.Errorf("entry %d of %d: %w", i+1, count, err)
		}
		frames = rest
	}
	if len(frames) > 0 {
		return fmt.Errorf("%d bytes after %d entries: %w", len(frames), count, ErrMalformed)
	}
	return nil
}

func scanFrame(body []byte) error {
	if len(body) > paxos.MaxEntryBytes {
		return fmt.Errorf("entry of %d bytes, at most %d: %w", len(body), paxos.MaxEntryBytes, ErrMalformed)
	}
	r := Reader{b: body}
	for n := r.U16(); n > 0 && !r.bad; n-- {
		r.Take(int(r.U16()))
		r.Take(int(r.U32()))
	}
	if r.bad {
		return fmt.Errorf("headers are cut short: %w", ErrMalformed)
	}
	return nil
}

// Frames goes over every frame of b in order; it ends with an error if b is malformed.
func Frames(b []byte) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for len(b) > 0 {
			f, rest, err := DecodeFrame(b)
			if !yield(f, err) || err != nil {
				return
			}
			b = rest
		}
	}
}
