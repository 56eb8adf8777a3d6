package dragonboat

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/lni/dragonboat/v4/statemachine"
)

// chunkBytes is how much of the entries is kept in one piece: few pieces, and none that a garbage collector looks into.
const chunkBytes = 1 << 20

// kept is the state machine: a log in memory. Whoever uses the library has to keep the entries somewhere, and this is the least that it costs.
type kept struct {
	n      uint64
	chunks [][]byte // length and bytes of one entry after another
}

// Update keeps the entry. The library wants its bytes back: they are copied.
func (k *kept) Update(e statemachine.Entry) (statemachine.Result, error) {
	need := 4 + len(e.Cmd)
	last := len(k.chunks) - 1
	if last < 0 || cap(k.chunks[last])-len(k.chunks[last]) < need {
		k.chunks = append(k.chunks, make([]byte, 0, max(chunkBytes, need)))
		last++
	}
	k.chunks[last] = append(binary.BigEndian.AppendUint32(k.chunks[last], uint32(len(e.Cmd))), e.Cmd...)
	k.n++
	return statemachine.Result{Value: k.n}, nil
}

// Lookup returns how many entries there are.
func (k *kept) Lookup(any) (any, error) { return k.n, nil }

func (k *kept) SaveSnapshot(w io.Writer, _ statemachine.ISnapshotFileCollection, _ <-chan struct{}) error {
	err := binary.Write(w, binary.BigEndian, k.n)
	for _, c := range k.chunks {
		_, e := w.Write(c)
		err = errors.Join(err, e)
	}
	return err
}

func (k *kept) RecoverFromSnapshot(r io.Reader, _ []statemachine.SnapshotFile, _ <-chan struct{}) error {
	if err := binary.Read(r, binary.BigEndian, &k.n); err != nil {
		return err
	}
	all, err := io.ReadAll(r)
	k.chunks = [][]byte{all}
	return err
}

func (k *kept) Close() error { return nil }
