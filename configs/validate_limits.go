package configs

import (
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// Bounds of what may be configured, each with its reason.
const (
	tick          = 10 * time.Millisecond // services let time pass in steps of it: shorter spans mean nothing
	maxSpan       = 10 * time.Minute      // longer ones are typing errors
	minValueLimit = 16 * KiB              // a batch needs room beside the headroom
	maxPayloadCap = 64 * MiB              // the NATS server's own limit
	minPayload    = minValueLimit + paxos.PayloadHeadroom
	maxWindow     = 1 << 16 // slots; what a genesis may say
	maxSessions   = 1 << 20 // sessions are kept in memory and in every checkpoint
	maxOutcomes   = 1 << 12
	maxMessageIDs = 1 << 24
)

// times checks the spans of the failure detector and of retries, and their order.
func (v *checker) times() {
	p := &v.c.Protocol
	v.spans([]span{
		{"protocol.beacon_every", p.BeaconEvery},
		{"protocol.ask_after", p.AskAfter},
		{"protocol.timeout", p.Timeout},
		{"protocol.successor_step", p.SuccessorStep},
		{"protocol.progress_limit", p.ProgressLimit},
		{"protocol.resend_first", p.ResendFirst},
		{"protocol.resend_max", p.ResendMax},
		{"protocol.clock_bound", p.ClockBound},
		{"protocol.stable_every", p.StableEvery},
		{"protocol.mark_every", p.MarkEvery},
		{"protocol.hand_over", p.HandOver},
	})
	v.order("protocol.ask_after", p.AskAfter, "protocol.beacon_every", 2*p.BeaconEvery, "one lost beacon would look like silence: use at least twice the beacon's")
	if p.AskAfter >= p.Timeout {
		v.bad("protocol.timeout", "use several times ask_after", "%v is not above protocol.ask_after, %v: acceptors would answer before a standby asks", p.Timeout, p.AskAfter)
	}
	v.order("protocol.progress_limit", p.ProgressLimit, "protocol.timeout", p.Timeout, "a leader would resign before its time-out")
	v.order("protocol.resend_max", p.ResendMax, "protocol.resend_first", p.ResendFirst, "resends slow down, they do not speed up")
	v.order("protocol.progress_limit", p.ProgressLimit, "protocol.resend_max", p.ResendMax, "a leader would resign before it has sent again")
	v.order("protocol.mark_every", p.MarkEvery, "protocol.stable_every", p.StableEvery, "a mark is made with a stable record")
}

type span struct {
	key string
	d   time.Duration
}

func (v *checker) spans(ss []span) {
	for _, s := range ss {
		if s.d < tick || s.d > maxSpan {
			v.bad(s.key, "", "%v is not between %v and %v", s.d, tick, maxSpan)
		}
	}
}

// order checks that a span is at least another.
func (v *checker) order(key string, d time.Duration, than string, least time.Duration, why string) {
	if d < least {
		v.bad(key, why, "%v is too short beside %s: want at least %v", d, than, least)
	}
}

// sizes checks limits in bytes and counts, and how they fit into each other and into the broker's.
func (v *checker) sizes() {
	b, g, p := &v.c.Broker, &v.c.Genesis, &v.c.Protocol
	v.between("broker.max_payload", b.MaxPayload, minPayload, maxPayloadCap)
	if room := b.MaxPayload - paxos.PayloadHeadroom; g.ValueLimit > room {
		v.bad("genesis.value_limit", "lower it, or raise max_payload in the broker's configuration and broker.max_payload here",
			"%v does not fit into the broker's max_payload of %v less %v", g.ValueLimit, b.MaxPayload, Bytes(paxos.PayloadHeadroom))
	}
	v.atLeast("genesis.value_limit", g.ValueLimit, minValueLimit, "a batch needs room in it")
	if p.InFlight > b.MaxPending/4 {
		v.bad("protocol.in_flight", "lower it, or raise max_pending in the broker's configuration and broker.max_pending here",
			"%v is more than a quarter of the broker's max_pending, %v: the broker would cut the leader off", p.InFlight, b.MaxPending)
	}
	v.atLeast("protocol.in_flight", p.InFlight, g.ValueLimit, "a full value must fit (genesis.value_limit)")
	v.atLeast("protocol.queue", p.Queue, g.ValueLimit, "a full value must fit (genesis.value_limit)")
	v.atLeast("protocol.buffer", p.Buffer, p.InFlight, "what a leader has in flight should fit (protocol.in_flight)")
	v.atLeast("protocol.stable_bytes", p.StableBytes, 1, "")
	v.atLeast("protocol.mark_bytes", p.MarkBytes, p.StableBytes, "a mark is made with a stable record (protocol.stable_bytes)")
	v.within("genesis.window", g.Window, 2, maxWindow, "slots")
	v.within("genesis.sessions", g.Sessions, 1, maxSessions, "sessions")
	v.within("genesis.outcomes", g.Outcomes, 1, maxOutcomes, "outcomes")
	v.within("genesis.message_ids", g.MessageIDs, 1, maxMessageIDs, "ids")
}

func (v *checker) between(key string, b, low, high Bytes) {
	if b < low || b > high {
		v.bad(key, "", "%v is not between %v and %v", b, low, high)
	}
}

func (v *checker) atLeast(key string, b, least Bytes, why string) {
	if b < least {
		v.bad(key, why, "%v is too small: want at least %v", b, least)
	}
}
