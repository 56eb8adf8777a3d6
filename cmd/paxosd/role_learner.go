package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/wal"
)

// learnerRole is a learner with its store and its connection.
type learnerRole struct {
	*base
	store   *wal.Chosen
	svc     atomic.Pointer[node.Learner]
	space   atomic.Pointer[wal.Space]
	written atomic.Uint64 // bytes that the store's engine wrote since it was opened
}

func newLearnerRole(b *base) *learnerRole { return &learnerRole{base: b} }

func (r *learnerRole) run(ctx context.Context, ready func()) (err error) {
	r.store, err = wal.OpenChosen(r.cfg.Learner.Data, wal.Want{Cluster: r.cfg.Cluster, Owner: r.name}, r.storeOptions())
	if err != nil {
		return fmt.Errorf("learner %q: open store: %w", r.name, err)
	}
	defer func() {
		if e := r.store.Close(); e != nil && err == nil {
			err = fmt.Errorf("learner %q: %w", r.name, e)
		}
	}()
	id := r.store.Identity()
	store := chosenStore{Chosen: r.store, measured: r.measured}
	svc := node.NewLearner(node.LearnerConfig{
		Cluster: r.cfg.Cluster, Name: r.name, Incarnation: id.Incarnation, Boot: r.store.Boot(), Run: r.runID,
		Version: version(), Seed: randomRun(), BufferBytes: int(r.cfg.Protocol.Buffer),
		Acceptors: r.cfg.Acceptors, Learners: r.cfg.Learners,
		Store: store, Transport: sender{r.base}, Clock: r.clock, Observer: r.obs, Streamed: r.obs.streamed, Failed: r.fail,
	})
	defer r.close()
	answers, guard := guardAnswers(svc.Receive)
	up := func(up bool) {
		if up {
			svc.Reconnected()
		}
	}
	if err := r.connect(ctx, answers, up); err != nil {
		return stopped(ctx, err)
	}
	if err := r.subscribe(svc.Receive, nil, []paxos.Kind{paxos.KindIdent}); err != nil {
		return err
	}
	if err := r.guard(ctx, id, r.store.Boot(), guard); err != nil {
		return stopped(ctx, err)
	}
	if err := r.subscribe(svc.Receive,
		[]paxos.Kind{paxos.KindAccept, paxos.KindLearn, paxos.KindChosen, paxos.KindBeacon, paxos.KindGenesis},
		[]paxos.Kind{paxos.KindRead, paxos.KindGet, paxos.KindFetch, paxos.KindCheckpoint},
	); err != nil {
		return err
	}
	if err := svc.Start(); err != nil {
		return err
	}
	watching, stopWatch := context.WithCancel(ctx)
	watched := r.watchSpace(watching, store)
	r.svc.Store(svc)
	r.log.Info("serves", "incarnation", id.Incarnation, "boot", r.store.Boot(), "data", r.cfg.Learner.Data)
	err = r.serve(ctx, ready, r.stats)
	r.svc.Store(nil)
	svc.Stop()
	stopWatch()
	<-watched
	return err
}

// disk returns the newest measurement.
func (r *learnerRole) disk() (wal.Space, uint64) {
	if sp := r.space.Load(); sp != nil {
		return *sp, r.written.Load()
	}
	return wal.Space{}, 0
}

// measured is told of each measurement, while the store is open.
func (r *learnerRole) measured(sp wal.Space) {
	m := r.store.Metrics()
	r.written.Store(m.LogBytes + m.FlushBytes + m.CompactBytes)
	r.space.Store(&sp)
}

func (r *learnerRole) stats() roleStats {
	st := r.newStats()
	svc := r.svc.Load()
	if svc == nil {
		st.Why = "starting or stopping"
		return st
	}
	id := r.store.Identity()
	st.Incarnation, st.Boot, st.Written = id.Incarnation.String(), r.store.Boot(), r.store.Written()
	st.Queue, st.Readers = svc.QueueLength(), svc.Readers()
	if sp := r.space.Load(); sp != nil {
		st.DiskBytes, st.DiskFree, st.Full = sp.StoreBytes, sp.FreeBytes, sp.Why
	}
	if !r.tr.Up() {
		st.Ready, st.Why = false, "not connected to the broker"
	}
	for _, l := range svc.Status() {
		st.Logs = append(st.Logs, logStats{
			Log: l.Log, Genesis: l.Genesis.String(), Served: l.Begun && l.Stopped == "", Leader: ballotText(l.Leader),
			Through: uint64(l.Through), Known: uint64(l.Known), Last: uint64(l.Last), First: uint64(l.First), Hash: hashText(l.Hash),
			Stable: uint64(l.Stable), Durable: uint64(l.Durable), Keeper: l.Keeper, CaughtUp: l.CaughtUp, Stopped: l.Stopped,
		})
		switch {
		case l.Stopped != "":
			st.Ready, st.Why = false, fmt.Sprintf("log %q: %s", l.Log, l.Stopped)
		case !l.Begun:
			st.Ready, st.Why = false, fmt.Sprintf("log %q: looking for where to begin", l.Log)
		}
	}
	return st
}
