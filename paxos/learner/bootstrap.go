package learner

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// Bounds and spans of a bootstrap.
const (
	// maxStateBytes bounds the checkpoint of a log: its sessions' outcomes and message ids, far below this at the defaults.
	maxStateBytes = 256 << 20
	// offerTimeout is how long learners may take to say which checkpoint they have, pieceTimeout to send a piece.
	offerTimeout = 1 * paxos.Second
	pieceTimeout = 1 * paxos.Second
)

// Start is where a process without a store of its own begins with a log.
type Start struct {
	Sequencer *sequencer.Sequencer // the state at Mark: hand it to New
	Mark      paxos.Slot           // 0: the log's beginning
	Hash      paxos.Hash           // running hash at Mark
	State     []byte               // the checkpoint at Mark, as a store keeps it; nil at the beginning
	Vouched   string               // who vouched for it, for people
}

// Bootstrap finds where a process without a store begins: at the newest checkpoint that learners offer, once others have
// vouched for it, or at the log's beginning, which needs no voucher (docs/protocol.md, "Stores").
//
//	asking    which checkpoint do you have?            each learner
//	copying   its pieces                               one learner, or another with the same one
//	vouching  an equal hash at the mark                k keepers of that state; or else
//	          a replay to the newest stable command,   learners
//	          whose slot is confirmed                  W acceptors that govern it
//	          or to a slot whose hash is that of a     the leader
//	          beacon
//
// Nothing may be served, reported or voted for on what it holds before Done says so. One goroutine owns it.
type Bootstrap struct {
	cfg     Config
	rng     random
	record  []byte // of the genesis, to compare
	sources sources
	flying  []flight
	offers  []offer
	stage   stage
	taken   offer // the offer being copied or vouched for
	state   []byte
	vouch   vouching
	pause   paxos.Instant // no asking before it
	tries   int
	done    *Start
}

type stage uint8

const (
	stageAsking stage = iota
	stageCopying
	stageVouching
	stageDone
)

// offer is a checkpoint that a learner says it has.
type offer struct {
	name    string
	mark    paxos.Slot
	hash    paxos.Hash
	total   uint32
	through paxos.Slot
}

func (o *offer) same(p *offer) bool {
	return o.mark == p.mark && o.hash == p.hash && o.total == p.total
}

// NewBootstrap returns a Bootstrap for cfg's log. The first Tick begins it.
func NewBootstrap(cfg Config) *Bootstrap {
	b := &Bootstrap{cfg: cfg, rng: random{state: cfg.Seed}, record: value.EncodeGenesis(cfg.Genesis)}
	b.SetLearners(cfg.Learners)
	return b
}

// SetLearners replaces the names of the learners that may be asked.
func (b *Bootstrap) SetLearners(names []string) {
	b.sources.set(names, b.cfg.Self)
	if b.vouch.replay != nil {
		b.vouch.replay.SetLearners(names)
	}
}

// Done returns where to begin, once that is known and vouched for.
func (b *Bootstrap) Done() (*Start, bool) { return b.done, b.done != nil }

// Tick lets time pass. Only Requests and Events of out are used.
func (b *Bootstrap) Tick(now paxos.Instant, out *Output) {
	b.expire(now)
	switch b.stage {
	case stageAsking:
		b.ask(now, out)
	case stageCopying:
		b.copyPiece(now, out)
	case stageVouching:
		b.tickVouching(now, out)
	case stageDone:
	}
}

// OnAnswer takes the answer to a request of this Bootstrap. It reports false if the request is not one of its own.
func (b *Bootstrap) OnAnswer(now paxos.Instant, env *paxos.Envelope, out *Output) bool {
	f, ok := land(&b.flying, env.Request)
	if !ok {
		return b.answerReplay(now, env, out)
	}
	if !env.Genesis.IsZero() && env.Genesis != b.cfg.Genesis.ID {
		b.lost(now, &f, mistrust)
		return true
	}
	switch m := env.Msg.(type) {
	case *paxos.CheckpointAnswer:
		if m.Name == f.name && f.kind == paxos.KindCheckpoint {
			b.onCheckpoint(now, &f, m, out)
		}
	case *paxos.FetchAnswer:
		if m.Name == f.name && f.what == paxos.FetchHash {
			b.onHash(m, out)
		}
	case *paxos.VotesAnswer:
		if m.Name == f.name && f.what == paxos.FetchVotes {
			b.onVotes(&f, m)
		}
	case *paxos.NoResponders:
		b.lost(now, &f, goneRest)
	default:
		b.lost(now, &f, mistrust)
	}
	b.Tick(now, out)
	return true
}

// expire gives up on answers that are overdue.
func (b *Bootstrap) expire(now paxos.Instant) {
	for i := 0; i < len(b.flying); {
		f := b.flying[i]
		if now < f.until {
			i++
			continue
		}
		b.flying = append(b.flying[:i], b.flying[i+1:]...)
		rest := paxos.Span(0)
		if src := b.sources.find(f.name); src != nil && f.kind == paxos.KindCheckpoint {
			rest = src.silence()
		}
		b.lost(now, &f, rest)
	}
}

// lost takes note that a request came to nothing.
func (b *Bootstrap) lost(now paxos.Instant, f *flight, rest paxos.Span) {
	if f.kind != paxos.KindCheckpoint {
		return // vouching asks again by itself
	}
	if src := b.sources.find(f.name); src != nil {
		src.tried = true
		src.rest(now.Add(rest))
	}
	b.dropOffers(func(o *offer) bool { return o.name == f.name })
}

func (b *Bootstrap) dropOffers(bad func(*offer) bool) {
	kept := b.offers[:0]
	for i := range b.offers {
		if !bad(&b.offers[i]) {
			kept = append(kept, b.offers[i])
		}
	}
	b.offers = kept
}

// ask asks every learner at once which checkpoint it has, and takes the newest when all have answered or their time is up.
// If none has one, the log begins at its beginning: whoever lacks slots then is told so by the Learner (NeedCheckpoint).
func (b *Bootstrap) ask(now paxos.Instant, out *Output) {
	if now < b.pause || len(b.flying) > 0 {
		return
	}
	asked := false
	for src := b.sources.pick(now, 1); src != nil; src = b.sources.pick(now, 1) {
		src.tried = true
		asked = true
		b.request(out, flight{kind: paxos.KindCheckpoint, name: src.name, until: now.Add(offerTimeout)},
			&paxos.Checkpoint{})
	}
	if asked {
		return
	}
	best := -1
	for i := range b.offers {
		if o := &b.offers[i]; o.mark > 0 && (best < 0 || o.mark > b.offers[best].mark) {
			best = i
		}
	}
	if best < 0 {
		// After a failure those that rest are waited for: there is a checkpoint, and replaying a whole log is the last resort.
		if b.tries == 0 || !b.sources.resting(now) {
			b.begin()
		} else {
			b.offers, b.pause = nil, now.Add(goneRest)
			b.sources.again()
		}
		return
	}
	b.taken, b.state, b.stage = b.offers[best], nil, stageCopying
	b.copyPiece(now, out)
}

// begin ends the bootstrap at the log's beginning.
func (b *Bootstrap) begin() {
	seq := sequencer.New(b.cfg.Genesis)
	b.done = &Start{Sequencer: seq, Hash: seq.Hash(), Vouched: "the genesis record"}
	b.stage = stageDone
}

// restart begins again after a pause, without what was taken.
func (b *Bootstrap) restart(now paxos.Instant, why string, out *Output) {
	b.event(out, paxos.Event{Kind: paxos.EventDropped, Slot: b.taken.mark, Name: b.taken.name, Text: why})
	pause := min(firstPause<<min(b.tries, 16), lastPause)
	b.pause = now.Add(pause + paxos.Span(b.rng.below(uint64(pause)/2)))
	b.tries++
	b.offers, b.flying, b.state, b.vouch, b.stage = nil, nil, nil, vouching{}, stageAsking
	b.sources.again()
}

// onCheckpoint takes an offer, or the next piece of what was offered.
func (b *Bootstrap) onCheckpoint(now paxos.Instant, f *flight, m *paxos.CheckpointAnswer, out *Output) {
	if err := b.checkPiece(m); err != nil {
		b.event(out, paxos.Event{Kind: paxos.EventDropped, Slot: m.Mark, Name: f.name, Text: err.Error()})
		b.lost(now, f, mistrust)
		return
	}
	if src := b.sources.find(f.name); src != nil {
		src.missed = 0
	}
	o := offer{name: f.name, mark: m.Mark, hash: m.Hash, total: m.Total, through: m.Through}
	switch {
	case b.stage == stageAsking:
		b.offers = append(b.offers, o)
	case b.stage == stageCopying && o.same(&b.taken) && int(m.Offset) == len(b.state) && len(m.State) > 0:
		b.state = append(b.state, m.State...)
	default:
		// It has a newer one by now, or sent nothing.
		b.lost(now, f, 0)
	}
}

var errPiece = errors.New("unfit checkpoint")

func (b *Bootstrap) checkPiece(m *paxos.CheckpointAnswer) error {
	switch {
	case len(m.Record) > 0 && !bytes.Equal(m.Record, b.record):
		return fmt.Errorf("another genesis record: %w", errPiece)
	case m.Mark == 0:
		return nil
	case m.Total == 0 || m.Total > maxStateBytes:
		return fmt.Errorf("state of %d bytes: %w", m.Total, errPiece)
	case uint64(m.Offset)+uint64(len(m.State)) > uint64(m.Total):
		return fmt.Errorf("piece at %d of %d bytes in %d: %w", m.Offset, len(m.State), m.Total, errPiece)
	}
	return nil
}

// copyPiece asks for the next piece, of any learner that offers this very checkpoint.
func (b *Bootstrap) copyPiece(now paxos.Instant, out *Output) {
	if len(b.flying) > 0 {
		return
	}
	if len(b.state) == int(b.taken.total) {
		b.copied(now, out)
		return
	}
	for i := range b.offers {
		if o := &b.offers[i]; o.same(&b.taken) {
			b.request(out, flight{kind: paxos.KindCheckpoint, name: o.name, until: now.Add(pieceTimeout)},
				&paxos.Checkpoint{Mark: b.taken.mark, Offset: uint32(len(b.state))})
			return
		}
	}
	b.restart(now, "nobody has this checkpoint any more", out)
}

// copied turns the whole checkpoint into a sequencer, which others have to vouch for.
func (b *Bootstrap) copied(now paxos.Instant, out *Output) {
	seq, err := sequencer.Restore(b.cfg.Genesis, b.taken.mark, b.taken.hash, b.state)
	if err != nil {
		if src := b.sources.find(b.taken.name); src != nil {
			src.rest(now.Add(mistrust))
		}
		b.restart(now, fmt.Sprintf("restore checkpoint at slot %d: %v", b.taken.mark, err), out)
		return
	}
	b.vouch = vouching{seq: seq}
	b.stage = stageVouching
	b.tickVouching(now, out)
}

func (b *Bootstrap) request(out *Output, f flight, m paxos.Message) {
	f.request = b.cfg.NextRequest()
	b.flying = append(b.flying, f)
	out.Requests = append(out.Requests, paxos.Envelope{
		Log: b.cfg.Genesis.Log, Genesis: b.cfg.Genesis.ID, From: b.cfg.Self, To: f.name, Request: f.request, Bulk: true, Msg: m,
	})
}

func (b *Bootstrap) event(out *Output, ev paxos.Event) {
	ev.Log = b.cfg.Genesis.Log
	out.Events = append(out.Events, ev)
}
