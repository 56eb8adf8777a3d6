package mutants

// stores break package wal under the simulator, whose acceptors and learners keep what they know in real stores here.
var stores = []Mutant{
	{
		Name: "store-does-not-sync",
		Rule: "A1: the store says durable of what it wrote and did not sync",
		Edits: []Edit{
			edit("wal/committer.go", `s.db.ApplyNoSyncWait(g.batch, pebble.Sync)`, `s.db.Apply(g.batch, pebble.NoSync)`),
			edit("wal/committer.go", `if err := g.batch.SyncWait(); err != nil {`, `if err := error(nil); err != nil {`),
		},
		Profile:  "store",
		Checkers: []string{"durable-ack", "invariant"},
	},
	{
		Name:     "store-ignores-a-failed-sync",
		Rule:     "A8: a failed sync of a log file is taken for success (PITFALLS 10)",
		Edits:    []Edit{edit("wal/guard.go", `{ return f.g.check("sync", f.name, f.File.SyncData()) }`, `{ _ = f.File.SyncData(); return nil }`)},
		Profile:  "store",
		Checkers: []string{"durable-ack"},
	},
	{
		Name: "store-believes-a-cut-log",
		Rule: "A8: a store whose newest writes are gone opens as if nothing was",
		Edits: []Edit{
			edit("wal/open.go", `|| number != through || number < want.Number ||`, `|| number < through ||`),
			edit("wal/audit.go", `	if through < want.Number {`, `	if through == 0 {`),
		},
		Profile:  "store",
		Checkers: []string{"damaged-silent", "durable-ack"},
	},
	{
		Name: "store-trims-in-part",
		Rule: "A4: T is written, and the votes below it stay",
		Edits: []Edit{edit("wal/votes.go", `		if err := b.DeleteRange(v.rec.buf, v.key, nil); err != nil {
			return err
		}
`, ``)},
		Profile:  "store",
		Checkers: []string{"durable-ack", "vote-monotone"},
	},
	{
		Name: "store-vote-without-promise",
		Rule: "A3: the store does not raise the promise with a vote",
		Edits: []Edit{edit("wal/votes.go", `	if r.Ballot != l.promised {
		if err`, `	if r.Ballot != l.promised && l.promised.IsZero() {
		if err`)},
		Profile:  "store",
		Checkers: []string{"durable-ack", "invariant"},
	},
	{
		Name: "store-forgets-the-newest-checkpoint",
		Rule: "K1: dropping old checkpoints takes the newest one with them",
		Edits: []Edit{edit("wal/chosen.go", `	c.rec.buf = appendSlotKey(c.rec.buf[:0], kindCheckpoint, r.Genesis, r.Slot)
	return b.DeleteRange`, `	c.rec.buf = appendSlotKey(c.rec.buf[:0], kindCheckpoint, r.Genesis, r.Slot+1)
	return b.DeleteRange`)},
		Profile:  "store",
		Checkers: []string{"durable-ack"},
	},
}
