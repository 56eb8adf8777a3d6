package learner

import (
	"errors"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
)

// Defaults and floors of a Config.
const (
	// DefaultBufferBytes bounds the values held for slots that are not sequenced yet: twice what a leader may have in flight.
	DefaultBufferBytes = 2 * paxos.DefaultInFlightBytes
	// DefaultMaxHashes bounds the running hashes kept above the stable mark: 2^20 of 32 bytes, 32 MiB. A keeper that is
	// farther behind than that is judged once it has come nearer.
	DefaultMaxHashes = 1 << 20
	// minHashes is kept also below the stable mark, so that beacons and fetch answers can be compared.
	minHashes = 4096
)

// Errors that Stopped wraps, beside sequencer.ErrUpgrade and sequencer.ErrMalformed.
var (
	// ErrDiverged says that a slot which this learner has handed over contradicts the log (PROTOCOL L5): its copy must never
	// be served again. The owner makes that durable where it has a store, and raises the alarm.
	ErrDiverged = errors.New("this copy contradicts the log")
	// ErrConflict says that messages prove a broken invariant elsewhere, such as two values at one slot and ballot. What was
	// handed over is not touched by it; nothing more will be, until the process has been started again.
	ErrConflict = errors.New("messages contradict each other")
)

// Config is what a Learner is made with. It is not changed afterwards.
type Config struct {
	Genesis     *paxos.Genesis
	Self        string        // name of this process; it never asks itself
	Learners    []string      // learners that may be asked, as far as known; SetLearners replaces them
	BufferBytes int           // of values not sequenced yet; 0: DefaultBufferBytes
	MaxHashes   int           // 0: DefaultMaxHashes
	Seed        uint64        // of the jitter and of the order in which learners are asked
	NextRequest func() uint64 // numbers requests, unique within the process role
}

// Chosen is a slot that is chosen and sequenced. It is handed over: the Learner keeps no reference to its slices.
type Chosen struct {
	Slot     paxos.Slot
	Ballot   paxos.Ballot   // at which it was chosen as seen here; zero if it was fetched without one (PROTOCOL L2)
	Checksum paxos.Checksum // of the value, as it came
	Applied  sequencer.Applied
}

// Output is what a Learner asks of its owner after a step. The owner takes Chosen in order and may reuse the Output after Reset.
type Output struct {
	Chosen   []Chosen
	Requests []paxos.Envelope // requests that may leave at once
	Events   []paxos.Event
	// NeedCheckpoint says that no learner holds the next slot any more: the owner must begin again from a checkpoint
	// (Bootstrap), and replace this Learner.
	NeedCheckpoint bool
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Chosen)
	clear(o.Requests)
	clear(o.Events)
	o.Chosen, o.Requests, o.Events, o.NeedCheckpoint = o.Chosen[:0], o.Requests[:0], o.Events[:0], false
}

// Learner finds out what was chosen in one log. One goroutine owns it.
//
//	I1  Output.Chosen is slots base+1, base+2, … without a hole, each with the one value that was chosen.
//	I2  votes count only for slots in the window, whose membership is defined, and only of that membership's incarnations.
//	I3  buffered values stay within BufferBytes, but for one value at the head of the line and what this process proposed.
//	I4  once stopped it changes nothing any more.
type Learner struct {
	cfg       Config
	seq       *sequencer.Sequencer
	governing []*paxos.Membership // of the window, ascending
	win       window
	parked    parked
	unpark    []parkedItem // scratch
	marks     marks
	hashes    hashes
	decisions decisions
	witness   Witness
	known     paxos.Slot // highest slot known to be chosen, with all below it
	marked    paxos.Slot // highest slot that a beacon's mark covered, or an acceptor's trim mark shows: known by no learner's word
	seen      paxos.Slot // highest slot seen in an accept, a vote or a mark
	repair    repair
	rng       random
	handed    paxos.Slot
	joining   bool // apply's slots are held back until the hash after them is compared
	stopped   error
}

// New returns a Learner that continues after the newest slot that seq has applied. It owns seq from now on.
func New(cfg Config, seq *sequencer.Sequencer) *Learner {
	if cfg.BufferBytes <= 0 {
		cfg.BufferBytes = DefaultBufferBytes
	}
	if cfg.MaxHashes <= 0 {
		cfg.MaxHashes = DefaultMaxHashes
	}
	through := seq.Through()
	l := &Learner{
		cfg:    cfg,
		seq:    seq,
		win:    window{base: through, size: cfg.Genesis.Window, top: through},
		hashes: newHashes(through, seq.Hash(), cfg.MaxHashes),
		handed: through,
		known:  through,
		seen:   through,
		rng:    random{state: cfg.Seed},
	}
	l.governing = seq.InForce()
	l.repair.init()
	l.SetLearners(cfg.Learners)
	return l
}

// Through returns the newest slot that was handed over.
func (l *Learner) Through() paxos.Slot { return l.handed }

// Known returns the highest slot that is known to be chosen with all below it, be its value known or not.
func (l *Learner) Known() paxos.Slot { return l.known }

// HighestSeen returns the highest slot that was seen in an accept, a vote or a mark.
func (l *Learner) HighestSeen() paxos.Slot { return l.seen }

// Sequencer returns the sequencer, for reading. Only the Learner applies to it. Once Stopped it may be ahead of Through, by
// what was not handed over.
func (l *Learner) Sequencer() *sequencer.Sequencer { return l.seq }

// Stopped returns why this Learner goes no further, or nil. The error wraps ErrDiverged, ErrConflict, sequencer.ErrUpgrade or
// sequencer.ErrMalformed.
func (l *Learner) Stopped() error { return l.stopped }

// CaughtUp reports whether the learners were asked once for what this one lacks, and nothing is known to be missing.
func (l *Learner) CaughtUp() bool { return l.repair.probed && l.known <= l.win.base }

// HashAt returns the running hash at slot t. Kept are the newest slot, those above the stable mark and a few thousand below,
// at most Config.MaxHashes in all.
func (l *Learner) HashAt(t paxos.Slot) (paxos.Hash, bool) { return l.hashes.at(t) }

// BallotOf returns the ballot at which slot t was chosen, as far as it is remembered: the newest 256 slots, if they were
// not fetched without a ballot.
func (l *Learner) BallotOf(t paxos.Slot) (paxos.Ballot, bool) {
	d, ok := l.decisions.at(t)
	return d.ballot, ok && !d.ballot.IsZero()
}

// Lookup returns the value of exactly this slot, ballot and checksum that an accept brought, for a candidate that adopts it
// (PROTOCOL A6). The bytes are shared: they are not to be changed.
func (l *Learner) Lookup(t paxos.Slot, b paxos.Ballot, sum paxos.Checksum) ([]byte, bool) {
	if s := l.win.at(t); s != nil {
		if i := s.find(b); i >= 0 && s.tallies[i].held && s.tallies[i].sum == sum {
			return s.tallies[i].value, true
		}
		return nil, false
	}
	if it := l.parked.find(t, b); it != nil && it.sum == sum {
		return it.value, true
	}
	return nil, false
}

// KnownChosen tells the Learner that every slot through t is chosen, as an acceptor's trim mark says (PROTOCOL P3), so that it
// fetches what it lacks.
func (l *Learner) KnownChosen(t paxos.Slot) {
	l.known = max(l.known, t)
	l.seen = max(l.seen, t)
}

// knownTrimmed tells the Learner that an acceptor has trimmed through t: a stable command for t or more is in a slot above t, and whoever
// ordered the trimming had sequenced it (PROTOCOL K5). So slot t+1 is chosen too, even if no learner that is left has it; and if what was
// sequenced here has no such command, so is the next slot.
func (l *Learner) knownTrimmed(t paxos.Slot) {
	l.repair.trimmed = max(l.repair.trimmed, t)
	if t == 0 {
		return
	}
	chosen := t + 1
	if stable, _ := l.seq.Stable(); stable < t {
		chosen = max(chosen, l.win.base+1)
	}
	l.KnownChosen(chosen)
	l.marked = max(l.marked, chosen)
}

// Status is a view of a Learner for people and metrics.
type Status struct {
	Through  paxos.Slot
	Known    paxos.Slot
	Seen     paxos.Slot
	Trimmed  paxos.Slot // highest trim mark that an acceptor told a repair
	Buffered int        // bytes of values above Through
	Parked   int        // messages above the window
	Asking   int        // requests in flight
	Stopped  error
}

// Status returns how the Learner stands.
func (l *Learner) Status() Status {
	return Status{
		Through: l.handed, Known: l.known, Seen: l.seen, Trimmed: l.repair.trimmed,
		Buffered: l.win.bytes + l.parked.bytes, Parked: len(l.parked.items),
		Asking: len(l.repair.flying), Stopped: l.stopped,
	}
}
