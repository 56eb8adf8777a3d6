package messaging

import "sync/atomic"

// EventKind names what happened to a transport.
type EventKind uint8

// Events of a transport. Each is a metric, a log line or both; none steers anything.
const (
	EventWaiting      EventKind = iota + 1 // no broker yet; Err says why. Told at once, then every few seconds
	EventConnected                         // Text is the broker's URL
	EventDisconnected                      // Err says why, if it is known
	EventReconnected                       // Text is the broker's URL
	EventRejected                          // an arriving message was dropped; Subject, Reason, Err
	EventDropped                           // a leaving message was dropped; Subject, Reason
	EventSlowConsumer                      // arriving messages were dropped for want of room; Subject, N so far
	EventPermission                        // the broker forbids a subject; Err names it and what to allow
	EventMaxPayload                        // the broker that was met again has too small a max_payload; Err
	EventSuppressed                        // a 503 shortly after a (re)connect was not believed (PROTOCOL N5)
	EventError                             // any other asynchronous error of the connection; Err
)

// Event tells the observer what happened.
type Event struct {
	Kind    EventKind
	Conn    string // "bulk" or "control"
	Subject string
	Reason  string // a word of Reasons
	Text    string
	N       int64
	Err     error
}

// Stats are a transport's counters since it was made.
type Stats struct {
	Sent          uint64
	SentBytes     uint64
	Received      uint64
	ReceivedBytes uint64
	Rejected      map[string]uint64 // arriving messages dropped, by reason; only reasons that occurred
	Dropped       map[string]uint64 // leaving messages dropped, by reason
	SlowConsumers uint64            // messages lost because a subscription's buffer was full
	Reconnects    uint64
	Suppressed    uint64 // 503s not believed
	Queued        int    // messages that wait to leave
	QueuedBytes   int
}

// reasonCounters count by reason without a lock.
type reasonCounters [len(reasons) + 1]atomic.Uint64

func (r *reasonCounters) add(word string) {
	for i := range reasons {
		if reasons[i].word == word {
			r[i].Add(1)
			return
		}
	}
	r[len(reasons)].Add(1)
}

func (r *reasonCounters) snapshot() map[string]uint64 {
	m := make(map[string]uint64)
	for i, word := range Reasons() {
		if n := r[i].Load(); n > 0 {
			m[word] = n
		}
	}
	return m
}

// counters are the live form of Stats.
type counters struct {
	sent, sentBytes         atomic.Uint64
	received, receivedBytes atomic.Uint64
	rejected, dropped       reasonCounters
	slow                    atomic.Uint64 // of subscriptions that have ended
	reconnects, suppressed  atomic.Uint64
}
