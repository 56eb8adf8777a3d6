package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
	"github.com/paxosd/paxosd/wal"
)

// acceptorRole is an acceptor with its store and its connection.
type acceptorRole struct {
	*base
	store   *wal.Votes
	svc     atomic.Pointer[node.Acceptor]
	space   atomic.Pointer[wal.Space]
	written atomic.Uint64 // bytes that the store's engine wrote since it was opened
}

func newAcceptorRole(b *base) *acceptorRole { return &acceptorRole{base: b} }

// run opens the store before anything is said, and closes it after nothing more is.
func (r *acceptorRole) run(ctx context.Context, ready func()) (err error) {
	r.store, err = wal.OpenVotes(r.cfg.Acceptor.Data, wal.Want{Cluster: r.cfg.Cluster, Owner: r.name}, r.storeOptions())
	if err != nil {
		return fmt.Errorf("acceptor %q: open store: %w", r.name, err)
	}
	defer func() {
		if e := r.store.Close(); e != nil && err == nil {
			err = fmt.Errorf("acceptor %q: %w", r.name, e)
		}
	}()
	id := r.store.Identity()
	var reqs uint64
	core, err := acceptor.New(acceptor.Config{
		Cluster: r.cfg.Cluster, Name: r.name, Incarnation: id.Incarnation, Boot: r.store.Boot(), Run: r.runID, Version: version(),
		Started: r.clock.Now(), Wall: r.clock.Wall(), Timeout: paxos.Span(r.cfg.Protocol.Timeout),
		NextRequest: func() uint64 { reqs++; return reqs << 8 },
	}, restoredVotes(r.store.Load()))
	if err != nil {
		return err
	}
	defer r.close()
	var svc *node.Acceptor
	answers, guard := guardAnswers(func(env *paxos.Envelope) { svc.Receive(env) })
	svc = node.NewAcceptor(node.AcceptorConfig{
		Name: r.name, Core: core, Store: voteStore{Votes: r.store, measured: r.measured},
		Transport: sender{r.base}, Clock: r.clock, Observer: r.obs, Failed: r.fail,
	})
	if err := r.connect(ctx, answers, nil); err != nil {
		return stopped(ctx, err)
	}
	if err := r.subscribe(svc.Receive, nil, []paxos.Kind{paxos.KindIdent}); err != nil {
		return err
	}
	if err := r.guard(ctx, id, r.store.Boot(), guard); err != nil {
		return stopped(ctx, err)
	}
	if err := r.subscribe(svc.Receive,
		[]paxos.Kind{paxos.KindPrepare, paxos.KindAccept, paxos.KindPropose, paxos.KindBeacon, paxos.KindGenesis},
		[]paxos.Kind{paxos.KindAsk, paxos.KindFetch},
	); err != nil {
		return err
	}
	svc.Start()
	r.svc.Store(svc)
	r.log.Info("serves", "incarnation", id.Incarnation, "boot", r.store.Boot(), "data", r.cfg.Acceptor.Data)
	err = r.serve(ctx, ready, r.stats)
	r.svc.Store(nil)
	svc.Stop()
	return err
}

// disk returns the newest measurement.
func (r *acceptorRole) disk() (wal.Space, uint64) {
	if sp := r.space.Load(); sp != nil {
		return *sp, r.written.Load()
	}
	return wal.Space{}, 0
}

// measured is told of each measurement, while the store is open.
func (r *acceptorRole) measured(sp wal.Space) {
	m := r.store.Metrics()
	r.written.Store(m.LogBytes + m.FlushBytes + m.CompactBytes)
	r.space.Store(&sp)
}

func (r *acceptorRole) stats() roleStats {
	st := r.newStats()
	svc := r.svc.Load()
	if svc == nil {
		st.Why = "starting or stopping"
		return st
	}
	id := r.store.Identity()
	st.Incarnation, st.Boot, st.Written, st.Queue = id.Incarnation.String(), r.store.Boot(), r.store.Written(), svc.QueueLength()
	if sp := r.space.Load(); sp != nil {
		st.DiskBytes, st.DiskFree, st.Full = sp.StoreBytes, sp.FreeBytes, sp.Why
	}
	if !r.tr.Up() {
		st.Ready, st.Why = false, "not connected to the broker"
	}
	for _, l := range svc.Status() {
		st.Logs = append(st.Logs, logStats{
			Log: l.Log, Genesis: l.Genesis.String(), State: l.State.String(), Served: l.State == paxos.LogLive,
			Ballot: ballotText(l.Promised), Trimmed: uint64(l.Trimmed), Voted: uint64(l.HighestVoted), Epoch: uint64(l.Epoch),
		})
	}
	return st
}

// sender sends through a role's transport, which is made after the service.
type sender struct{ b *base }

func (s sender) Send(env *paxos.Envelope) error {
	s.b.obs.answered(env)
	return s.b.tr.Send(env)
}
