package wal

import (
	"errors"
	"fmt"
)

// Errors by which a caller tells what to do. They are matched with errors.Is; the text names the folder and the facts.
var (
	// ErrCorrupt: the store is damaged, or what it once held is not there any more. The incarnation ends
	// (PROTOCOL A8): empty the folder, and let the node come back as a new incarnation, by membership change.
	ErrCorrupt = errors.New("store is corrupt")

	// ErrInUse: another process, or another part of this one, has the folder open.
	ErrInUse = errors.New("store is in use")

	// ErrForeign: the folder belongs to another cluster, node or role.
	ErrForeign = errors.New("store belongs to another node")

	// ErrNewer: a newer version of the program wrote the folder.
	ErrNewer = errors.New("store has a newer format")

	// ErrBroken: an earlier write, sync or read failed. What reached the disk is unknown, so the process must stop and
	// recover by opening the store again.
	ErrBroken = errors.New("store is broken")

	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")

	// ErrUnknownLog: no state was ever recorded for that genesis.
	ErrUnknownLog = errors.New("log is not in the store")
)

// corruptf describes damage. The facts come first; the way out is the same each time.
func corruptf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCorrupt, fmt.Errorf(format, args...))
}
