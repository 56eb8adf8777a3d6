package main

import (
	"github.com/paxosd/paxosd/metrics"
	"github.com/paxosd/paxosd/paxos"
)

// source tells the metrics how a role stands, at each scrape.
func (b *base) source(r role) metrics.Source {
	s := metrics.Source{
		Role: b.kind, Name: b.name,
		Mailbox:   func() int { return r.stats().Queue },
		Transport: b.transportState,
	}
	if b.kind != paxos.RoleProposer {
		s.Store = func() metrics.StoreState {
			sp, written := r.disk()
			return metrics.StoreState{Bytes: sp.StoreBytes, Written: written, Free: sp.FreeBytes, Size: sp.TotalBytes, Full: sp.Full}
		}
	}
	if b.kind == paxos.RoleLearner {
		s.Subscribers = func() int { return r.stats().Readers }
	}
	if b.kind != paxos.RoleAcceptor {
		s.Logs = func() []metrics.LogState { return logStates(r.stats()) }
	}
	return s
}

func (b *base) transportState() metrics.TransportState {
	if !b.connected.Load() {
		return metrics.TransportState{}
	}
	s := b.tr.Stats()
	return metrics.TransportState{
		Up: b.tr.Up(), Reconnects: s.Reconnects, SlowConsumers: s.SlowConsumers, Sent: s.Sent, SentBytes: s.SentBytes,
		Received: s.Received, ReceivedBytes: s.ReceivedBytes, Rejected: s.Rejected, Dropped: s.Dropped,
		Queued: s.Queued, QueuedBytes: s.QueuedBytes, Ignored: s.Suppressed,
	}
}

func logStates(st roleStats) []metrics.LogState {
	out := make([]metrics.LogState, 0, len(st.Logs))
	for i := range st.Logs {
		l := &st.Logs[i]
		out = append(out, metrics.LogState{
			Log: l.Log, Through: paxos.Slot(l.Through), Known: paxos.Slot(l.Known), Stable: paxos.Slot(l.Stable), Last: paxos.Offset(l.Last),
			Stopped: l.Stopped != "", Queued: l.Queued, QueuedBytes: l.QueuedBytes, Open: l.Open, InFlight: l.InFlight,
		})
	}
	return out
}
