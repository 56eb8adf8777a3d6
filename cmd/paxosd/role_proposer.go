package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/paxosd/paxosd/configs"
	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/node"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/genesis"
	"github.com/paxosd/paxosd/paxos/proposer"
	"github.com/paxosd/paxosd/wal"
)

// proposerRole is a proposer with its connection. It has no store.
type proposerRole struct {
	*base
	svc atomic.Pointer[node.Proposer]
}

func newProposerRole(b *base) *proposerRole { return &proposerRole{base: b} }

func (r *proposerRole) run(ctx context.Context, ready func()) error {
	p := &r.cfg.Protocol
	svc, err := node.NewProposer(node.ProposerConfig{
		Cluster: r.cfg.Cluster, Name: r.name, Run: r.runID, Version: version(), Seed: randomRun(),
		Acceptors: r.cfg.Acceptors, Learners: r.cfg.Learners, Proposers: r.cfg.Proposers,
		Found: founding(r.cfg, r.clock),
		Core: proposer.Config{
			BeaconEvery: paxos.Span(p.BeaconEvery), AskAfter: paxos.Span(p.AskAfter), SuccessorStep: paxos.Span(p.SuccessorStep),
			Timeout: paxos.Span(p.Timeout), ProgressLimit: paxos.Span(p.ProgressLimit), ResendFirst: paxos.Span(p.ResendFirst),
			ResendMax: paxos.Span(p.ResendMax), ClockBound: paxos.Span(p.ClockBound), StableEvery: paxos.Span(p.StableEvery),
			MarkEvery: paxos.Span(p.MarkEvery), HandOverLimit: paxos.Span(p.HandOver), StableBytes: uint64(p.StableBytes),
			MarkBytes: uint64(p.MarkBytes), InFlightBytes: int(p.InFlight), Quiet: true, AloneBytes: paxos.DefaultAloneBytes, QueueBytes: int(p.Queue),
		},
		Transport: sender{r.base}, Subscriber: subscriber{r.base}, Clock: r.clock, Observer: r.obs, Failed: r.fail,
	})
	if err != nil {
		return fmt.Errorf("proposer %q: %w", r.name, err)
	}
	defer r.close()
	if err := r.connect(ctx, svc.Receive, svc.OnConnection); err != nil {
		return stopped(ctx, err)
	}
	if err := r.subscribe(svc.Receive,
		[]paxos.Kind{
			paxos.KindPromise, paxos.KindRefuse, paxos.KindAccept, paxos.KindLearn, paxos.KindBeacon, paxos.KindBeat,
			paxos.KindReport, paxos.KindGenesis, paxos.KindChosen,
		},
		[]paxos.Kind{paxos.KindVote, paxos.KindLive, paxos.KindIdent, paxos.KindBeacons},
	); err != nil {
		return err
	}
	svc.Start()
	r.svc.Store(svc)
	r.log.Info("serves", "run", fmt.Sprintf("%x", r.runID), "founds", r.cfg.Proposer.Found)
	err = r.serve(ctx, ready, r.stats)
	if err == nil {
		r.handOver(svc)
	}
	r.svc.Store(nil)
	svc.Stop()
	return err
}

// handOver lets what is held be proposed and acknowledged before the process ends, and the last beacon say so.
func (r *proposerRole) handOver(svc *node.Proposer) {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.Protocol.HandOver+time.Second)
	defer cancel()
	if err := svc.HandOver(ctx); err != nil {
		r.log.Warn("stops without having handed over", "error", err)
	}
}

// founding returns what this process founds.
func founding(cfg *configs.Config, clock systemClock) []genesis.FounderConfig {
	if !cfg.Proposer.Found {
		return nil
	}
	var fs []genesis.FounderConfig
	for _, log := range cfg.Logs {
		g := &cfg.Genesis
		f := genesis.FounderConfig{
			ID: randomGenesis(),
			Genesis: paxos.Genesis{
				Cluster: cfg.Cluster, Log: log, Founded: clock.Wall(), Level: paxos.FormatLevel, Window: uint64(g.Window),
				ValueLimit: uint32(g.ValueLimit), Sessions: uint32(g.Sessions), Outcomes: uint32(g.Outcomes), MessageIDs: uint32(g.MessageIDs),
				Membership: paxos.Membership{Acceptors: named(cfg.Acceptors), Read: cfg.Quorum.Read, Write: cfg.Quorum.Write},
				Keepers:    paxos.Keepers{Members: named(cfg.Keepers), K: cfg.Quorum.Keepers},
			},
		}
		for _, p := range cfg.Proposers {
			f.Others = append(f.Others, genesis.Peer{Name: p, Role: paxos.RoleProposer})
		}
		for _, l := range cfg.Learners {
			if !contains(cfg.Keepers, l) {
				f.Others = append(f.Others, genesis.Peer{Name: l, Role: paxos.RoleLearner})
			}
		}
		fs = append(fs, f)
	}
	return fs
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func named(names []string) []paxos.Member {
	ms := make([]paxos.Member, 0, len(names))
	for _, n := range names {
		ms = append(ms, paxos.Member{Name: n})
	}
	return ms
}

// disk is zero: a proposer has no store.
func (r *proposerRole) disk() (wal.Space, uint64) { return wal.Space{}, 0 }

func (r *proposerRole) stats() roleStats {
	st := r.newStats()
	svc := r.svc.Load()
	if svc == nil {
		st.Why = "starting or stopping"
		return st
	}
	s := svc.Status()
	st.Queue, st.InFlight = svc.QueueLength(), s.InFlight
	if !r.tr.Up() {
		st.Ready, st.Why = false, "not connected to the broker"
	}
	for _, text := range s.Founding {
		st.Ready, st.Why = false, text
	}
	for _, log := range s.Finding {
		st.Ready, st.Why = false, fmt.Sprintf("log %q: looking for where to begin", log)
	}
	for i := range s.Logs {
		l := &s.Logs[i]
		x := logStats{
			Log: l.Log, Genesis: l.Genesis.String(), Served: true, Phase: l.Phase.String(), Serving: l.Serving, Ballot: ballotText(l.Ballot),
			Leader: ballotText(l.Leader), Epoch: uint64(l.Epoch), Through: uint64(l.Through), Last: uint64(l.Last), Hash: hashText(l.Hash),
			Stable: uint64(l.Stable), Open: l.Open, Queued: l.Queued, QueuedBytes: l.QueuedBytes, InFlight: l.InFlight,
		}
		for _, k := range l.Keepers {
			x.Keepers = append(x.Keepers, keeperStats{
				Name: k.Member.Name, Reported: uint64(k.Reported), Verified: uint64(k.Verified), Excluded: k.Excluded, Diverged: k.Diverged,
			})
		}
		if l.Stopped != nil {
			x.Stopped = l.Stopped.Error()
			st.Ready, st.Why = false, fmt.Sprintf("log %q: %s", l.Log, x.Stopped)
		}
		st.Logs = append(st.Logs, x)
	}
	return st
}

// subscriber makes a leader's subscriptions.
type subscriber struct{ b *base }

func (s subscriber) Subscribe(ctx context.Context, log string, generation uint64, h func(*paxos.Envelope)) (func(context.Context) error, error) {
	sub, err := s.b.tr.Subscribe(messaging.Interest{Kinds: messaging.LeaderKinds(), Log: log, Generation: generation}, h)
	if err != nil {
		return nil, err
	}
	return sub.Stop, s.b.tr.Flush(ctx)
}
