package main

import (
	"context"
	"log/slog"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/metrics"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/wal"
)

// observer turns what happens in a role into metrics and log lines: one line for each change of state, nothing for what
// happens with every append.
type observer struct {
	b    *base
	log  *slog.Logger
	all  *metrics.Metrics
	role *metrics.Role
}

func newObserver(b *base, m *metrics.Metrics) *observer {
	return &observer{b: b, log: b.log, all: m, role: m.Role(b.kind, b.name)}
}

// Observe implements node.Observer.
func (o *observer) Observe(role paxos.Role, name string, ev paxos.Event) {
	o.all.Observe(role, name, ev)
	if ev.Kind == paxos.EventGenesis {
		poke(o.b.changed)
	}
	level, text := line(ev)
	if text == "" || !o.log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 6)
	if ev.Log != "" {
		attrs = append(attrs, slog.String("log", ev.Log))
	}
	if ev.Slot != 0 {
		attrs = append(attrs, slog.Uint64("slot", uint64(ev.Slot)))
	}
	if !ev.Ballot.IsZero() {
		attrs = append(attrs, slog.String("ballot", ev.Ballot.String()))
	}
	if ev.Name != "" && ev.Name != name {
		attrs = append(attrs, slog.String("other", ev.Name))
	}
	if ev.Text != "" {
		attrs = append(attrs, slog.String("why", ev.Text))
	}
	o.log.LogAttrs(context.Background(), level, text, attrs...)
}

// line returns the log line of an event, empty where it is none.
func line(ev paxos.Event) (slog.Level, string) {
	switch ev.Kind {
	case paxos.EventPhase:
		return slog.LevelInfo, "is now " + paxos.Phase(ev.N).String()
	case paxos.EventTermStart:
		return slog.LevelInfo, "leads: takes appends"
	case paxos.EventResigned:
		return slog.LevelWarn, "resigned"
	case paxos.EventGenesis:
		return slog.LevelInfo, "genesis"
	case paxos.EventDiverged:
		return slog.LevelError, "a copy contradicts the log"
	case paxos.EventUpgrade:
		return slog.LevelError, "the log needs a newer version of paxosd"
	case paxos.EventExcluded:
		return slog.LevelError, "a store went back in time, or exists twice"
	case paxos.EventFull:
		if ev.N > 0 {
			return slog.LevelError, "the disk is full: batches are refused"
		}
		return slog.LevelInfo, "the disk has room again"
	case paxos.EventClock:
		return slog.LevelWarn, "does not stand: the clock differs from the acceptors'"
	case paxos.EventElection, paxos.EventAsked, paxos.EventGapRepaired, paxos.EventPromiseRefused:
		return slog.LevelDebug, eventWord(ev.Kind)
	case paxos.EventDropped:
		return slog.LevelDebug, "dropped a message"
	default:
		return slog.LevelDebug, ""
	}
}

func eventWord(k paxos.EventKind) string {
	switch k {
	case paxos.EventElection:
		return "stands"
	case paxos.EventAsked:
		return "asks the acceptors whether the leader is gone"
	case paxos.EventGapRepaired:
		return "repaired a gap"
	default:
		return "refused a prepare"
	}
}

// transport takes what happens to the role's connections.
func (o *observer) transport(ev messaging.Event) {
	switch ev.Kind {
	case messaging.EventWaiting:
		o.log.Warn("waits for the broker", "conn", ev.Conn, "error", ev.Err)
	case messaging.EventConnected:
		o.log.Debug("connected", "conn", ev.Conn, "broker", ev.Text)
	case messaging.EventDisconnected:
		if ev.Err == nil {
			o.log.Debug("closed the connection", "conn", ev.Conn)
			return
		}
		o.log.Warn("lost the broker", "conn", ev.Conn, "error", ev.Err)
	case messaging.EventReconnected:
		o.log.Info("reached the broker again", "conn", ev.Conn, "broker", ev.Text)
	case messaging.EventPermission:
		o.log.Error("the broker's permissions forbid a subject", "conn", ev.Conn, "error", ev.Err)
	case messaging.EventMaxPayload:
		o.log.Error("the broker takes too small messages", "error", ev.Err)
		o.b.fail(ev.Err)
	case messaging.EventSlowConsumer:
		o.log.Warn("messages were lost: too slow", "subject", ev.Subject, "lost", ev.N)
	case messaging.EventError:
		o.log.Warn("connection error", "conn", ev.Conn, "error", ev.Err)
	case messaging.EventRejected:
		o.log.Debug("rejected a message", "subject", ev.Subject, "reason", ev.Reason, "error", ev.Err)
	case messaging.EventDropped, messaging.EventSuppressed:
		// Counted by the transport.
	}
}

// committed takes each group that a store made durable.
func (o *observer) committed(c wal.Commit) {
	o.role.Committed(c.Records, c.Bytes, c.Waited, c.Duration)
}

// streamed takes what readers were sent.
func (o *observer) streamed(bytes, entries int) { o.role.Streamed(bytes, entries) }

// answered takes a leader's answers.
func (o *observer) answered(env *paxos.Envelope) {
	if a, ok := env.Msg.(*paxos.BatchAnswer); ok {
		o.role.Answered(env.Log, a)
	}
}
