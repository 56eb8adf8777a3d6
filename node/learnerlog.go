package node

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
)

// learnerLog is one log on a learner: its core, what readers see of it, and what its store has. The loop owns it, except
// for the view.
type learnerLog struct {
	svc    *Learner
	log    string
	id     paxos.GenesisID
	record []byte
	gen    *paxos.Genesis

	boot *learner.Bootstrap // until it is known where to begin; else nil
	core *learner.Learner   // nil while boot is not
	view *view              // nil while boot is not
	out  learner.Output

	marks    []paxos.Slot // of the checkpoints that the store holds or was given, ascending
	diverged string       // why this copy is not served any more, for ever or by this version; empty: it is

	report learner.Reports
}

// config is what the log's cores are made with.
func (g *learnerLog) config() learner.Config {
	s := g.svc
	return learner.Config{
		Genesis: g.gen, Self: s.cfg.Name, Learners: s.cfg.Learners, Seed: s.cfg.Seed,
		BufferBytes: s.cfg.BufferBytes, NextRequest: s.coreRequest,
	}
}

// begin starts learning after what seq has applied. at says where the copy here begins.
func (g *learnerLog) begin(seq *sequencer.Sequencer, at beginning) {
	at.through, at.last, at.hash = seq.Through(), seq.LastOffset(), seq.Hash()
	g.boot = nil
	g.view = newView(g.log, g.id, at)
	g.core = learner.New(g.config(), seq)
	g.svc.publish(g)
}

// tick lets time pass.
func (g *learnerLog) tick(now paxos.Instant) {
	switch {
	case g.diverged != "":
		return
	case g.boot != nil:
		g.boot.Tick(now, &g.out)
		g.settleBoot()
	default:
		g.core.Tick(now, &g.out)
	}
	g.settle()
	g.tickReport(now)
}

// settleBoot begins once the bootstrap has found where. A checkpoint counts as held once it is durable (PROTOCOL K1).
func (g *learnerLog) settleBoot() {
	start, ok := g.boot.Done()
	if !ok {
		return
	}
	s := g.svc
	seq := start.Sequencer
	s.note(paxos.Event{
		Kind: paxos.EventGenesis, Log: g.log, Slot: start.Mark, Text: "begins after slot " + fmt.Sprint(start.Mark) + ", vouched for by " + start.Vouched,
	})
	g.begin(seq, beginning{start: start.Mark + 1, first: seq.LastOffset() + 1, stamp: seq.Stamp()})
	s.beacons.Again(s.cfg.Clock.Now(), &s.out) // marks that came while the beginning was looked for were dropped
	if start.Mark > 0 {
		s.records = append(s.records, paxos.Record{
			Kind: paxos.RecordCheckpoint, Log: g.log, Genesis: g.id, Slot: start.Mark, Hash: start.Hash,
			Last: seq.LastOffset(), Stamp: seq.Stamp(), Body: start.State,
		})
		g.marks = append(g.marks, start.Mark)
		s.taken(g, start.Mark, start.Hash, 0)
	}
}

// settle takes what the core put out: slots to store and show, requests to send.
func (g *learnerLog) settle() {
	s := g.svc
	for i := range g.out.Chosen {
		g.take(&g.out.Chosen[i])
	}
	s.envs = append(s.envs, g.out.Requests...)
	s.events = append(s.events, g.out.Events...)
	again := g.out.NeedCheckpoint
	g.out.Reset()
	if g.core == nil {
		return
	}
	if err := g.core.Stopped(); err != nil && g.diverged == "" && errors.Is(err, learner.ErrDiverged) {
		g.diverge(err.Error())
		return
	}
	if again {
		g.restart()
	}
}

// take stores a chosen slot and shows it to readers. Entries may be streamed before this learner's own sync; reports may
// not leave before it (PROTOCOL N7).
func (g *learnerLog) take(c *learner.Chosen) {
	s := g.svc
	a := &c.Applied
	batches, err := readBatches(a)
	if err != nil {
		// The sequencer has accepted this very value: what it takes and what readers can be shown must agree.
		paxos.Violated("log %q slot %d: appended batches do not decode: %v", g.log, a.Slot, err)
	}
	s.records = append(s.records, paxos.Record{
		Kind: paxos.RecordChosen, Log: g.log, Genesis: g.id, Slot: a.Slot, Ballot: c.Ballot, Checksum: c.Checksum,
		Value: a.Value, Body: encodeSlotMeta(a), First: a.First, Last: a.Last, Hash: a.Hash, Stamp: a.Stamp,
	})
	if a.Mark {
		g.checkpoint(a)
	}
	g.view.push(a, batches)
	s.taken(g, a.Slot, a.Hash, len(a.Value))
}

// checkpoint keeps the state at a mark, and drops those that nobody will ask for: kept are the newest, and the newest at or below
// the stable mark.
func (g *learnerLog) checkpoint(a *sequencer.Applied) {
	s := g.svc
	s.records = append(s.records, paxos.Record{
		Kind: paxos.RecordCheckpoint, Log: g.log, Genesis: g.id, Slot: a.Slot, Hash: a.Hash, Last: a.Last, Stamp: a.Stamp, Body: a.State,
	})
	g.marks = append(g.marks, a.Slot)
	keep := 0
	for i, m := range g.marks {
		if m <= a.Stable {
			keep = i
		}
	}
	if keep > 0 {
		s.records = append(s.records, paxos.Record{Kind: paxos.RecordForget, Log: g.log, Genesis: g.id, Slot: g.marks[keep]})
		g.marks = slices.Delete(g.marks, 0, keep)
	}
}

// diverge ends serving of this log here, for ever (PROTOCOL L5).
func (g *learnerLog) diverge(why string) {
	g.diverged = why
	g.view.stop()
	g.svc.records = append(g.svc.records, paxos.Record{Kind: paxos.RecordDiverged, Log: g.log, Genesis: g.id, Text: why})
}

// restart begins again from a checkpoint: no learner holds the next slot any more, so that the copy here cannot be
// continued without a hole. What it holds stays in its store and is not served. Readers that wait here go elsewhere.
func (g *learnerLog) restart() {
	s := g.svc
	if g.diverged != "" {
		return
	}
	if g.core.Through() > 0 {
		g.diverge("no learner holds slot " + fmt.Sprint(g.core.Through()+1) +
			" any more: move this learner's data folder away and start it again, so that it begins from a checkpoint")
		s.note(paxos.Event{Kind: paxos.EventDiverged, Log: g.log, Slot: g.core.Through(), Text: g.diverged})
		return
	}
	g.view.stop()
	s.unpublish(g)
	g.core, g.view = nil, nil
	g.boot = learner.NewBootstrap(g.config())
}
