package wal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// The identity file is text, so that a person can read whose store it is. On disk: never change, only add.
//
//	paxosd store
//	format 1
//	cluster main
//	owner a1
//	role acceptor
//	incarnation 00112233445566778899aabbccddeeff
//	sum 0011223344556677           xxHash64 of all lines before this one
//
// Other formats may have other lines after the second one; a reader says "newer" before it looks at them. It is written
// beside as IDENTITY.new while the store is being created and gets its name, by a rename, when all else is durable: a
// folder with only IDENTITY.new was never used, and its creation starts again.
const (
	identityFile    = "IDENTITY"
	identityNewFile = "IDENTITY.new"
	identityTitle   = "paxosd store"

	// maxIdentityBytes bounds what is read of an identity file.
	maxIdentityBytes = 4096
)

// Encode returns the content of the identity file.
func (id *Identity) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nformat %d\ncluster %s\nowner %s\nrole %s\nincarnation %s\n",
		identityTitle, id.Format, id.Cluster, id.Owner, id.Role, id.Incarnation)
	fmt.Fprintf(&b, "sum %016x\n", uint64(paxos.Sum(b.Bytes())))
	return b.Bytes()
}

// decodeIdentity reads what encode wrote, and nothing else.
func decodeIdentity(b []byte) (Identity, error) {
	lines := strings.Split(string(b), "\n")
	if lines[0] != identityTitle {
		return Identity{}, errors.New("it does not begin with \"" + identityTitle + "\"")
	}
	format, err := identityNumber(lines, 1, "format", 32)
	if err != nil {
		return Identity{}, err
	}
	if format > Format {
		return Identity{}, fmt.Errorf("%w: %d; this program knows %d", ErrNewer, format, Format)
	}
	id := Identity{Format: uint32(format)}
	if id.Cluster, err = identityField(lines, 2, "cluster"); err != nil {
		return Identity{}, err
	}
	if id.Owner, err = identityField(lines, 3, "owner"); err != nil {
		return Identity{}, err
	}
	role, err := identityField(lines, 4, "role")
	if err != nil {
		return Identity{}, err
	}
	for _, r := range []paxos.Role{paxos.RoleAcceptor, paxos.RoleLearner} {
		if role == r.String() {
			id.Role = r
		}
	}
	incarnation, err := identityField(lines, 5, "incarnation")
	if err != nil {
		return Identity{}, err
	}
	if len(incarnation) != 2*len(id.Incarnation) { // what is longer would not fit: hex.Decode panics
		return Identity{}, fmt.Errorf("incarnation %q", incarnation)
	}
	if _, err := hex.Decode(id.Incarnation[:], []byte(incarnation)); err != nil {
		return Identity{}, fmt.Errorf("incarnation %q: %w", incarnation, err)
	}
	if !paxos.ValidName(id.Cluster) || !paxos.ValidName(id.Owner) || id.Role == paxos.RoleNone || !bytes.Equal(id.encode(), b) {
		return Identity{}, errors.New("its lines and its sum do not fit")
	}
	return id, nil
}

func identityField(lines []string, i int, name string) (string, error) {
	if i >= len(lines) {
		return "", fmt.Errorf("it ends before the line %q", name)
	}
	v, ok := strings.CutPrefix(lines[i], name+" ")
	if !ok {
		return "", fmt.Errorf("line %d is not %q", i+1, name)
	}
	return v, nil
}

func identityNumber(lines []string, i int, name string, bits int) (uint64, error) {
	v, err := identityField(lines, i, name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(v, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("%s %q is no number", name, v)
	}
	return n, nil
}

// check refuses the store of another.
func (id *Identity) check(want Want, role paxos.Role) error {
	switch {
	case id.Cluster != want.Cluster:
		return fmt.Errorf("%w: it is of cluster %q, not %q", ErrForeign, id.Cluster, want.Cluster)
	case id.Owner != want.Owner:
		return fmt.Errorf("%w: it is of node %q, not %q", ErrForeign, id.Owner, want.Owner)
	case id.Role != role:
		return fmt.Errorf("%w: its role is %s, not %s", ErrForeign, id.Role, role)
	}
	return nil
}

// readSmall returns a file's content, or ok = false if there is no such file.
func readSmall(fsys vfs.FS, path string, limit int64) (b []byte, ok bool, err error) {
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err = io.ReadAll(io.LimitReader(f, limit))
	return b, true, err
}

// writeSmall writes and syncs a whole file. It may be torn by a crash: rename it into place, or check a sum in it.
func writeSmall(fsys vfs.FS, path string, b []byte) error {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	// File.Write may change what it is given.
	if _, err = f.Write(bytes.Clone(b)); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes creations, renames and removals in a folder durable.
func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func exists(fsys vfs.FS, path string) (bool, error) {
	_, err := fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// syncAbove makes the names of dir and of all folders above it durable: a store whose folder a loss of power takes away would
// come back as an empty one. Folders that may not be read were not made for it.
func syncAbove(fsys vfs.FS, dir string) error {
	for parent := fsys.PathDir(dir); ; dir, parent = parent, fsys.PathDir(parent) {
		if err := syncDir(fsys, dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("sync folder %s: %w", dir, err)
		}
		if parent == dir {
			return nil
		}
	}
}

func removeIfThere(fsys vfs.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
