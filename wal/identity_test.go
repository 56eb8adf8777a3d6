package wal

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

const goldenIdentity = `paxosd store
format 1
cluster main
owner a1
role acceptor
incarnation 00000000000000010000000000000000
sum 99d94011993dde2f
`

func TestIdentityFileGolden(t *testing.T) {
	id := Identity{Format: 1, Cluster: "main", Owner: "a1", Role: paxos.RoleAcceptor}
	id.Incarnation[7] = 1
	if got := string(id.encode()); got != goldenIdentity {
		t.Fatalf("got\n%s\nwant\n%s", got, goldenIdentity)
	}
	back, err := decodeIdentity([]byte(goldenIdentity))
	if err != nil || back != id {
		t.Fatalf("got %+v, %v", back, err)
	}
}

// A store refuses to open as another (docs/protocol.md, "Stores").
func TestIdentityRefusals(t *testing.T) {
	newer := strings.Replace(goldenIdentity, "format 1", "format 2", 1)
	for _, c := range []struct {
		name    string
		content string // of the identity file; empty: as it is
		want    Want
		learner bool
		err     error
		text    string
	}{
		{name: "other cluster", want: Want{"test", "a1"}, err: ErrForeign, text: `cluster "main"`},
		{name: "other owner", want: Want{"main", "a2"}, err: ErrForeign, text: `node "a1"`},
		{name: "other role", want: testWant, learner: true, err: ErrForeign, text: "role is acceptor, not learner"},
		{name: "newer format", content: newer, want: testWant, err: ErrNewer, text: "knows 1"},
		{name: "newer format, other lines", content: "paxosd store\nformat 7\nshape round\n", want: testWant, err: ErrNewer},
		{name: "truncated", content: goldenIdentity[:60], want: testWant, err: ErrCorrupt},
		{name: "cut after the title", content: "paxosd store\n", want: testWant, err: ErrCorrupt},
		{name: "empty", content: "\n", want: testWant, err: ErrCorrupt},
		{name: "no last line break", content: strings.TrimSuffix(goldenIdentity, "\n"), want: testWant, err: ErrCorrupt},
		{name: "edited", content: strings.Replace(goldenIdentity, "owner a1", "owner a2", 1), want: Want{"main", "a2"}, err: ErrCorrupt},
		{name: "more lines", content: goldenIdentity + "x\n", want: testWant, err: ErrCorrupt},
		{name: "another incarnation", content: otherIncarnation(), want: testWant, err: ErrCorrupt},
		{name: "no name", want: Want{"main", "a/1"}, text: "is no name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := vfs.NewMem()
			closeStore(t, openVotes(t, fsys))
			if got := string(readFile(t, fsys, testDir+"/"+identityFile)); got != goldenIdentity {
				t.Fatalf("identity file is\n%s", got)
			}
			if c.content != "" {
				writeFile(t, fsys, testDir+"/"+identityFile, []byte(c.content))
			}
			open := func() error { _, err := OpenVotes(testDir, c.want, testOptions(fsys, newDeath())); return err }
			if c.learner {
				open = func() error { _, err := OpenChosen(testDir, c.want, testOptions(fsys, newDeath())); return err }
			}
			for range 2 { // refusing leaves nothing locked
				err := open()
				if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), testDir) {
					t.Fatalf("got %v", err)
				}
			}
		})
	}
}

func otherIncarnation() string {
	id := Identity{Format: 1, Cluster: "main", Owner: "a1", Role: paxos.RoleAcceptor}
	id.Incarnation[7] = 2
	return string(id.encode())
}

// A folder that lost its identity, or its engine, is not an empty one: it would vote again as if it had never voted.
func TestA8PartOfAStoreIsCorruption(t *testing.T) {
	for _, lost := range []string{identityFile, writtenFile, engineDir} {
		fsys := vfs.NewMem()
		v := openVotes(t, fsys)
		apply(t, v, stateRecord(), voteRecord(1, 1, nil))
		closeStore(t, v)
		if err := fsys.RemoveAll(testDir + "/" + lost); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenVotes(testDir, testWant, testOptions(fsys, newDeath())); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("without %s: %v", lost, err)
		}
	}
}

func TestEmptyFolderIsAnotherIncarnation(t *testing.T) {
	fsys := vfs.NewMem()
	opts := testOptions(fsys, newDeath())
	var seen []paxos.Incarnation
	for range 2 {
		v, err := OpenVotes(testDir, testWant, opts)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Load()) != 0 || v.Boot() != 1 || v.Identity().Incarnation.IsZero() {
			t.Fatalf("a new store has %d logs, boot %d, incarnation %s", len(v.Load()), v.Boot(), v.Identity().Incarnation)
		}
		seen = append(seen, v.Identity().Incarnation)
		closeStore(t, v)
		if err := fsys.RemoveAll(testDir); err != nil {
			t.Fatal(err)
		}
	}
	if seen[0] == seen[1] {
		t.Fatal("a wiped store came back as itself")
	}
}

func TestStoreInUse(t *testing.T) {
	mem := vfs.NewMem()
	for _, c := range []struct {
		fs  vfs.FS
		dir string
	}{{mem, testDir}, {vfs.Default, t.TempDir()}} {
		open := func() (*Votes, error) { return OpenVotes(c.dir, testWant, testOptions(c.fs, newDeath())) }
		v, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), c.dir) {
			t.Fatalf("second open: %v", err)
		}
		closeStore(t, v)
		if v, err = open(); err != nil {
			t.Fatal(err)
		}
		closeStore(t, v)
	}
}

// A store found corrupt is never opened again, even if it reads well by then.
func TestA8CorruptStoreStaysClosed(t *testing.T) {
	fsys := vfs.NewCrashableMem()
	v := openVotes(t, fsys)
	apply(t, v, stateRecord(), voteRecord(1, 1, []byte("x")))
	files := clone(fsys)
	closeStore(t, v)
	log := newestLog(t, files, testDir)
	good := readFile(t, files, log)
	writeFile(t, files, log, good[:lastNonZero(good)/4])
	for range 2 {
		_, err := OpenVotes(testDir, testWant, testOptions(files, newDeath()))
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("got %v", err)
		}
		writeFile(t, files, log, good)
	}
	text := string(readFile(t, files, testDir+"/"+corruptFile))
	if !strings.Contains(text, "membership") || !strings.Contains(text, "writes ") {
		t.Fatalf("%s says:\n%s", corruptFile, text)
	}
}

// The engine's files and the files beside them must be of one store, and of one time (PROTOCOL A9).
func TestA9FilesMustFitTogether(t *testing.T) {
	for name, c := range map[string]struct {
		item byte
		put  func(w *writer)
	}{
		"boot goes back":             {itemBoot, func(w *writer) { encodeNumber(w, 1) }},
		"write number goes back":     {itemWritten, func(w *writer) { encodeNumber(w, 2) }},
		"write number goes forth":    {itemWritten, func(w *writer) { encodeNumber(w, 99) }},
		"engine of another store":    {itemIncarnation, func(w *writer) { encodeIncarnation(w, paxos.Incarnation{9}) }},
		"incarnation without a word": {itemIncarnation, func(w *writer) { encodeText(w, "") }},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem()
			for range 2 {
				v := openVotes(t, fsys)
				closeStore(t, v)
			}
			db, err := pebble.Open(testDir+"/"+engineDir, &pebble.Options{FS: fsys, FormatMajorVersion: engineFormat})
			if err != nil {
				t.Fatal(err)
			}
			w := writer{buf: storeKey(c.item)}
			c.put(&w)
			key, rec := w.end()
			if err := errors.Join(db.Set(key, rec, pebble.Sync), db.Flush(), db.Close()); err != nil {
				t.Fatal(err)
			}
			d := newDeath()
			err = outlives(d, func() error { _, err := OpenVotes(testDir, testWant, testOptions(fsys, d)); return err })
			if name == "write number goes forth" {
				if err != nil {
					t.Fatalf("WRITTEN may lag: %v", err)
				}
				return
			}
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func FuzzIdentity(f *testing.F) {
	f.Add([]byte(goldenIdentity))
	f.Add([]byte("paxosd store\nformat 2\n"))
	f.Add([]byte("paxosd store\nformat 1\ncluster main\nowner a1\nrole learner\nincarnation 00\nsum 0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := decodeIdentity(b)
		if err == nil && string(id.encode()) != string(b) {
			t.Fatalf("%q is not what it would be written as", b)
		}
	})
}

func FuzzWritten(f *testing.F) {
	inc := paxos.Incarnation{1}
	f.Add(encodeWritten(inc, written{Boot: 1, Number: 2}))
	two := make([]byte, 2*writtenSlotBytes)
	copy(two, encodeWritten(inc, written{Boot: 1, Number: 2}))
	copy(two[writtenSlotBytes:], encodeWritten(inc, written{Boot: 1, Number: 3}))
	f.Add(two)
	f.Fuzz(func(t *testing.T, b []byte) {
		w, ok := decodeWritten(inc, b)
		if ok && !strings.Contains(string(b), string(encodeWritten(inc, w))) {
			t.Fatalf("%x does not say %+v", b, w)
		}
	})
}
