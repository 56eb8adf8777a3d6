package wal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// CORRUPT says that damage was found in this store and what. It is text for a person; that it exists is what counts: the store is
// never opened again, even if a later read of the same place would succeed (PROTOCOL A8).
const (
	corruptFile    = "CORRUPT"
	maxCorruptText = 16 << 10
)

const corruptAdvice = `This store reported corruption and must not be used again: it may have forgotten what it once answered for.
An acceptor or keeper comes back as a new incarnation: move this folder away, start the node with an empty one, and
replace the old incarnation by the new one with a membership (or keepers) command. A learner that is no keeper just
starts with an empty folder.
`

// markCorrupt leaves the file, as well as it can: on a failing disk it may not get there.
func markCorrupt(fsys vfs.FS, dir string, found error) {
	path := fsys.PathJoin(dir, corruptFile)
	if marked, err := exists(fsys, path); marked || err != nil {
		return // the first finding is the one that matters
	}
	text := fmt.Sprintf("%v\n\n%s", found, corruptAdvice)
	if writeSmall(fsys, path, []byte(text[:min(len(text), maxCorruptText)])) == nil {
		_ = syncDir(fsys, dir)
	}
}

// refuseMarked refuses a store that was found corrupt before.
func refuseMarked(fsys vfs.FS, dir string) error {
	text, marked, err := readSmall(fsys, fsys.PathJoin(dir, corruptFile), maxCorruptText)
	if err != nil {
		return err
	}
	if marked {
		return corruptf("found so before, as %s says: %s", fsys.PathJoin(dir, corruptFile), text)
	}
	return nil
}

// fail ends the process: a write, a sync or a read failed, so what the store holds is not known. It does not return.
func (s *store) fail(err error) {
	s.failOnce.Do(func() {
		s.failure = err
		close(s.failed)
		if errors.Is(err, ErrCorrupt) {
			markCorrupt(s.opts.FS, s.dir, err)
		}
	})
	if s.opts.OnFatal != nil {
		s.opts.OnFatal(err)
	}
	panic(err)
}

// broken returns ErrBroken with its cause once fail was called.
func (s *store) broken() error {
	select {
	case <-s.failed:
		return fmt.Errorf("%w: %w", ErrBroken, s.failure)
	default:
		return nil
	}
}
