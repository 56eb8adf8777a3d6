package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/paxosd/paxosd/paxos"
)

const (
	engineDir = "pebble"
	logSuffix = ".log" // of the engine's log files

	// reopenBytes is the free space below which the ballast is given back before the engine opens: a new log file, the
	// tables flushed from the old ones, a manifest.
	reopenMemTables = 3
)

// openStore opens or creates the store in dir. On success the caller reads the logs and then calls start.
func openStore(dir string, want Want, role paxos.Role, opts Options) (_ *store, err error) {
	opts.fill(role)
	if !paxos.ValidName(want.Cluster) || !paxos.ValidName(want.Owner) {
		return nil, fmt.Errorf("open store %s: cluster %q or node %q is no name", dir, want.Cluster, want.Owner)
	}
	s := newStore(dir, role, opts)
	defer func() {
		if r := recover(); r != nil {
			err = s.openPanicked(r)
		}
		if err != nil {
			s.abandon()
			err = s.openFailed(err)
		}
	}()
	if err := s.lockFolder(); err != nil {
		return nil, err
	}
	if err := refuseMarked(opts.FS, dir); err != nil {
		return nil, err
	}
	id, found, err := s.readIdentity()
	if err != nil {
		return nil, err
	}
	if err := s.giveBackBallast(); err != nil {
		return nil, err
	}
	if !found {
		return s, s.create(want)
	}
	if err := id.check(want, role); err != nil {
		return nil, err
	}
	s.id = id
	return s, s.reopen()
}

// errDamage marks corruption that was proved by an open, so that CORRUPT is left behind. It is in no message.
var errDamage = errors.New("damage")

type damage struct{ error }

func (d damage) Unwrap() []error { return []error{d.error, errDamage} }

// openPanicked turns an engine that fell over what it read into an error. A protocol violation and an end of the process that
// OnFatal did not bring about go on.
func (s *store) openPanicked(r any) error {
	err, ok := r.(error)
	if !ok {
		return corruptf("the engine fell over it: %v", r)
	}
	var violation *paxos.Violation
	if errors.As(err, &violation) || s.broken() != nil {
		panic(r)
	}
	var fault runtime.Error
	if errors.As(err, &fault) {
		return corruptf("the engine fell over it: %w", err)
	}
	return fmt.Errorf("the engine gave up: %w", err)
}

func (s *store) lockFolder() error {
	if err := s.opts.FS.MkdirAll(s.engineDir(), 0o755); err != nil {
		return err
	}
	lock, err := pebble.LockDirectory(s.engineDir(), s.opts.FS)
	if err == nil {
		s.lock = lock
		return nil
	}
	if lockHeld(err) {
		return fmt.Errorf("%w: another process holds %s", ErrInUse, s.opts.FS.PathJoin(s.engineDir(), "LOCK"))
	}
	return err
}

// lockHeld tells a lock that another holds from a lock file that may not be written, which comes with its path.
func lockHeld(err error) bool {
	var file *fs.PathError
	if errors.As(err, &file) {
		return false
	}
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || err.Error() == "lock held by current process"
}

// readIdentity returns the identity of a store that was made; found is false for a folder in which none was, or not to
// the end. It refuses a folder that has lost its identity.
func (s *store) readIdentity() (id Identity, found bool, err error) {
	b, found, err := readSmall(s.opts.FS, s.path(identityFile), maxIdentityBytes)
	if err != nil {
		return Identity{}, false, err
	}
	if found {
		id, err := decodeIdentity(b)
		if err != nil && !errors.Is(err, ErrNewer) {
			err = corruptf("file %s: %w", identityFile, err)
		}
		return id, true, err
	}
	unfinished, err := exists(s.opts.FS, s.path(identityNewFile))
	if err != nil || unfinished {
		return Identity{}, false, err
	}
	names, err := s.opts.FS.List(s.engineDir())
	if err != nil {
		return Identity{}, false, err
	}
	for _, n := range names {
		if n != "LOCK" {
			return Identity{}, false, corruptf("there is %s/%s, but no %s file", engineDir, n, identityFile)
		}
	}
	return Identity{}, false, nil
}

// create makes a new store. Everything is durable before the identity file gets its name, so that a store either exists, with
// all that it needs, or was never used.
func (s *store) create(want Want) error {
	s.id = Identity{Format: Format, Cluster: want.Cluster, Owner: want.Owner, Role: s.role}
	source := s.opts.Rand
	if source == nil {
		source = rand.Reader
	}
	if _, err := io.ReadFull(source, s.id.Incarnation[:]); err != nil {
		return fmt.Errorf("draw an incarnation: %w", err)
	}
	if err := s.sweep(); err != nil {
		return err
	}
	if err := writeSmall(s.opts.FS, s.path(identityNewFile), s.id.encode()); err != nil {
		return err
	}
	if err := syncAbove(s.opts.FS, s.dir); err != nil {
		return err
	}
	if err := s.makeSpares(); err != nil {
		return err
	}
	if err := s.openEngine(); err != nil {
		return err
	}
	if err := s.writeFirst(); err != nil {
		return err
	}
	if err := createWritten(s.opts.FS, s.path(writtenFile), s.id.Incarnation); err != nil {
		return err
	}
	// Names may reach the disk in any order: the others must not come after this one.
	if err := syncDir(s.opts.FS, s.dir); err != nil {
		return err
	}
	if err := s.opts.FS.Rename(s.path(identityNewFile), s.path(identityFile)); err != nil {
		return err
	}
	if err := syncDir(s.opts.FS, s.dir); err != nil {
		return err
	}
	return s.enter(0, 1)
}

// sweep removes what an unfinished creation left. The lock stays.
func (s *store) sweep() error {
	names, err := s.opts.FS.List(s.engineDir())
	if err != nil {
		return err
	}
	for _, n := range names {
		if n == "LOCK" {
			continue
		}
		if err := s.opts.FS.RemoveAll(s.opts.FS.PathJoin(s.engineDir(), n)); err != nil {
			return err
		}
	}
	return nil
}

// writeFirst makes write 1 of a new store: its incarnation, which binds the engine's files to the identity file.
func (s *store) writeFirst() error {
	b := s.db.NewBatch()
	if err := s.putNumber(b, itemWritten, 1); err != nil {
		return err
	}
	s.w.buf = append(s.w.buf[:0], storeKey(itemIncarnation)...)
	encodeIncarnation(&s.w, s.id.Incarnation)
	if err := s.put(b); err != nil {
		return err
	}
	if s.role != paxos.RoleLearner {
		return b.Commit(pebble.Sync)
	}
	return s.writeFence(b)
}

// writeFence commits the first batch of a learner's store with a key that lies between all that is small and written again and again, and the chosen
// values, and brings it to the engine's lowest level. Where the engine merges what lies on each other there it takes along what lies beside it, but not past a
// table of that level: without the fence it wrote what the first two flushes brought once more, values and all.
func (s *store) writeFence(b *pebble.Batch) error {
	s.w.buf = append(s.w.buf[:0], byte(kindFence))
	encodeNumber(&s.w, 0)
	if err := s.put(b); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	if err := s.db.Flush(); err != nil {
		return err
	}
	return s.db.Compact(s.reclaim.ctx, []byte{byte(kindFence)}, []byte{byte(kindFence) + 1}, false)
}

// reopen opens a store that exists.
func (s *store) reopen() error {
	// A crash can leave both names. The new one would make a later loss of IDENTITY look like an unfinished creation.
	if err := removeIfThere(s.opts.FS, s.path(identityNewFile)); err != nil {
		return err
	}
	b, found, err := readSmall(s.opts.FS, s.path(writtenFile), 2*writtenSlotBytes)
	if err != nil {
		return err
	}
	if !found {
		return damage{corruptf("file %s is not there", writtenFile)}
	}
	want, ok := decodeWritten(s.id.Incarnation, b)
	if !ok {
		return damage{corruptf("file %s has no whole slot of this incarnation", writtenFile)}
	}
	if err := s.checkEngine(); err != nil {
		return err
	}
	through, err := auditEngine(s.opts.FS, s.engineDir(), s.lock, want)
	if err != nil {
		return judgeOpen(err)
	}
	if err := s.spares.find(); err != nil {
		return judgeOpen(err)
	}
	if err := s.openEngine(); err != nil {
		return judgeOpen(err)
	}
	return judgeOpen(s.recover(want, through))
}

// checkEngine refuses an engine that is not there, and one of a newer format before the engine falls over it.
func (s *store) checkEngine() error {
	desc, err := pebble.Peek(s.engineDir(), s.opts.FS)
	if err != nil {
		return judgeOpen(err)
	}
	if !desc.Exists {
		return damage{corruptf("there is an %s file, but nothing in %s", identityFile, engineDir)}
	}
	if desc.FormatMajorVersion > engineFormat {
		return fmt.Errorf("%w: engine format %d; this program knows %d", ErrNewer, desc.FormatMajorVersion, engineFormat)
	}
	return nil
}

// recover checks what the engine came up with.
func (s *store) recover(want written, through uint64) error {
	inc, err := s.getIncarnation()
	if err != nil {
		return err
	}
	if inc != s.id.Incarnation {
		return corruptf("%s is of incarnation %s, the %s file of %s", engineDir, inc, identityFile, s.id.Incarnation)
	}
	boot, _, err := getNumber(s.db, itemBoot)
	if err != nil {
		return err
	}
	number, found, err := getNumber(s.db, itemWritten)
	if err != nil {
		return err
	}
	if !found || number != through || number < want.Number || boot < want.Boot {
		return corruptf("recovered boot %d and write %d, but the files have write %d and %s says boot %d and write %d",
			boot, number, through, writtenFile, want.Boot, want.Number)
	}
	return s.enter(boot, number)
}

// judgeOpen tells corruption from a disk that does not work and other passing trouble. Files that should be there and are not
// are corruption; so is what the engine cannot make sense of.
func judgeOpen(err error) error {
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrCorrupt), pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist):
		return damage{fmt.Errorf("%w: %w", ErrCorrupt, err)}
	case errors.As(err, &errno), errors.Is(err, fs.ErrPermission), errors.Is(err, ErrNewer), errors.Is(err, ErrForeign):
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// openEngine opens Pebble and checks that it has the format that was asked for: see engineFormat.
func (s *store) openEngine() error {
	db, err := pebble.Open(s.engineDir(), s.engineOptions())
	if err != nil {
		return err
	}
	s.db = db
	if got := db.FormatMajorVersion(); got != engineFormat {
		return fmt.Errorf("engine format is %d, not %d", got, engineFormat)
	}
	return nil
}

// enter counts this start: boot is durable before anything is said under it (PROTOCOL A9).
func (s *store) enter(boot, number uint64) error {
	s.boot = boot + 1
	b := s.db.NewBatch()
	if err := s.putNumber(b, itemWritten, number+1); err != nil {
		return err
	}
	if err := s.putNumber(b, itemBoot, s.boot); err != nil {
		return err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	n, err := openNotary(s.opts.FS, s.path(writtenFile), s.id.Incarnation, s.boot)
	if err != nil {
		return err
	}
	s.notary = n
	if err := n.note(number + 1); err != nil {
		return err
	}
	if err := n.sync(); err != nil {
		return err
	}
	s.assigned = number + 1
	s.durable.Store(number + 1)
	return nil
}

// finishOpen reads what the role needs to know and ends the open.
func (s *store) finishOpen(load func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = s.openPanicked(r)
		}
		if err != nil {
			s.abandon()
			err = s.openFailed(err)
		}
	}()
	if err := load(); err != nil {
		return judgeOpen(err)
	}
	s.opening.Store(false)
	if seen := s.seen.Load(); seen != nil {
		return judgeOpen(*seen)
	}
	return nil
}

// openFailed says which store it is, and leaves CORRUPT behind where damage was proved.
func (s *store) openFailed(err error) error {
	err = fmt.Errorf("open store %s: %w", s.dir, err)
	if errors.Is(err, errDamage) {
		markCorrupt(s.opts.FS, s.dir, err)
	}
	return err
}
