package genesis

import (
	"fmt"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// Stage is how far the founding of a log has come.
type Stage uint8

// Stages of a founding.
const (
	StageAsking    Stage = iota // not all that must answer have said what they hold
	StageAborting               // an earlier attempt must be out of the way first
	StagePreparing              // a genesis is on its way into every listed store
	StageEnliving               // all are prepared: live is being sent
	StageLive                   // a store is live: the log exists; the rest are being told
	StageSettled                // nothing is left to send
	StageStuck                  // only a person can go on; the text says why
)

// move is one step to broadcast.
type move struct {
	step paxos.GenesisStep
	id   paxos.GenesisID
}

// plan is what the founder's view of the world tells it to do. It is a function of the view alone.
type plan struct {
	stage Stage
	text  string // for people: what it waits for
	moves []move
	id    paxos.GenesisID // the genesis that is pursued; zero: a new one is wanted, if stage is StagePreparing
}

// plan decides. The order matters: what is live is never touched, what is doomed is out of the way before anything new.
func (f *Founder) plan() plan {
	if len(f.view.ids) >= MaxIDs {
		return plan{stage: StageStuck, text: "more geneses of this log were begun than a founder can tell apart"}
	}
	live, stuck := f.existing()
	if stuck != "" {
		return plan{stage: StageStuck, text: stuck}
	}
	if !live.IsZero() {
		return f.finish(live)
	}
	if missing := f.unheard(); missing != "" {
		return plan{stage: StageAsking, text: "waiting for an answer of " + missing}
	}
	survivor := f.survivor()
	if moves, text := f.aborts(survivor); len(moves) > 0 {
		return plan{stage: StageAborting, text: text, moves: moves}
	}
	if survivor.IsZero() {
		if !f.othersSettled {
			return plan{stage: StageAsking, text: "asking proposers and learners whether the log exists"}
		}
		return plan{stage: StagePreparing, text: "founding a new genesis"}
	}
	return f.pursue(survivor)
}

// existing returns the genesis that is known to have become live: by a store's word, by that of a process that serves it, or
// because this founder sent "live" itself.
func (f *Founder) existing() (id paxos.GenesisID, stuck string) {
	for _, x := range f.view.ids {
		if x != f.enlived && !f.view.anywhere(x, paxos.LogLive) && !f.view.anywhere(x, paxos.LogRetired) && f.claimant(x) == "" {
			continue
		}
		if !id.IsZero() {
			return id, fmt.Sprintf("two geneses of this log are live, %s and %s: only a person can tell which one to keep", id, x)
		}
		id = x
	}
	return id, ""
}

// claimant names a proposer or learner without a part in founding that says that the log exists as id, or "".
func (f *Founder) claimant(id paxos.GenesisID) string {
	for _, p := range f.view.peers {
		if !p.listed && p.state(id) != paxos.LogNone {
			return p.Name
		}
	}
	return ""
}

// finish makes an existing genesis live wherever it is prepared, and aborts whatever else is. It never prepares: a listed store
// that is not even prepared has lost what it once said (PROTOCOL A9).
func (f *Founder) finish(id paxos.GenesisID) plan {
	r, ok := f.view.records[id]
	held := f.view.anywhere(id, paxos.LogPrepared) || f.view.anywhere(id, paxos.LogLive) || f.view.anywhere(id, paxos.LogRetired)
	switch {
	case !held && f.claimant(id) != "":
		if missing := f.unheard(); missing != "" {
			return plan{stage: StageAsking, text: "waiting for an answer of " + missing}
		}
		return plan{stage: StageStuck, text: fmt.Sprintf(
			"%s knows this log as genesis %s, but no acceptor or keeper holds it: it is not founded a second time",
			f.claimant(id), id)}
	case !ok:
		return plan{stage: StageAsking, text: "waiting for the record of genesis " + id.String()}
	}
	pl := plan{stage: StageSettled, text: "live", id: id}
	var waits []string
	f.view.listed(r, func(m paxos.Member, p *peer) bool {
		absent := !p.answered && (p.configured || !p.gone)
		if absent || (p.is(m) && p.state(id) == paxos.LogPrepared) {
			waits = append(waits, m.Name)
		}
		return true
	})
	if len(waits) > 0 {
		pl.moves = append(pl.moves, move{paxos.GenesisGoLive, id})
		pl.stage, pl.text = StageLive, "telling "+strings.Join(waits, ", ")
	}
	if !f.view.anywhere(id, paxos.LogLive) && !f.view.anywhere(id, paxos.LogRetired) {
		pl.stage, pl.text = StageEnliving, "waiting for a store to be live"
	}
	for _, x := range f.view.ids {
		if x != id && f.view.anywhere(x, paxos.LogPrepared) {
			pl.moves = append(pl.moves, move{paxos.GenesisAbort, x})
			if pl.stage == StageSettled {
				pl.stage, pl.text = StageLive, "aborting genesis "+x.String()
			}
		}
	}
	return pl
}

// unheard names those that must answer and have not, and those who hold a genesis whose record is not known yet.
func (f *Founder) unheard() string {
	var names []string
	for _, p := range f.view.peers {
		unknown := false
		for _, h := range p.holds {
			if _, ok := f.view.records[h.id]; !ok && h.state == paxos.LogPrepared {
				unknown = true
			}
		}
		if p.listed && (!p.answered || unknown) {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, ", ")
}

// survivor returns the one genesis that may still become live, or zero: the smallest that is prepared somewhere and not doomed,
// else this founder's own.
//
// Its own counts for nothing before a store is seen to be prepared for it, and is not aborted either. Otherwise: (1) founder F2 sends
// prepare(2) and is refused by stores that are late to prepare 3; (2) it aborts 3 as the greater, and dies; (3) F3 sees only 3, prepared
// everywhere, and sends live(3); (4) F2's abort reaches one store before F3's live does, and the log is crippled. As it is, the
// smallest genesis that any store ever prepared is never aborted, so that no abort is under way for what a later founder pursues.
func (f *Founder) survivor() paxos.GenesisID {
	for _, id := range f.view.ids {
		if f.view.anywhere(id, paxos.LogPrepared) && !f.doomed(id) {
			return id
		}
	}
	if !f.mine.IsZero() && !f.doomed(f.mine) {
		return f.mine
	}
	return paxos.GenesisID{}
}

// doomed reports whether a genesis that is not known to be live can no longer become it: some store aborted it, or a listed
// name has another incarnation.
func (f *Founder) doomed(id paxos.GenesisID) bool {
	r, ok := f.view.records[id]
	if !ok || f.view.anywhere(id, paxos.LogAborted) {
		return true
	}
	return !f.view.listed(r, func(m paxos.Member, p *peer) bool { return p.is(m) })
}

// aborts returns the steps that clear everything but the survivor out of the way, until nobody is prepared for it and so many
// of its acceptors confirmed that no read quorum is left: then it cannot become live behind this founder's back.
func (f *Founder) aborts(survivor paxos.GenesisID) (moves []move, text string) {
	for _, id := range f.view.ids {
		if id == survivor || f.dead(id) {
			continue
		}
		moves = append(moves, move{paxos.GenesisAbort, id})
		if text == "" {
			text = f.abortText(id)
		}
	}
	return moves, text
}

// dead reports whether a genesis needs no abort (any more). One that no store was ever seen to hold needs none: the survivor is
// prepared wherever it could have been.
func (f *Founder) dead(id paxos.GenesisID) bool {
	if f.view.anywhere(id, paxos.LogPrepared) {
		return false
	}
	r, ok := f.view.records[id]
	return !ok || !f.view.anywhere(id, paxos.LogAborted) || f.confirmed(r) >= confirmations(r)
}

// confirmed counts the acceptors that the record lists and that aborted it.
func (f *Founder) confirmed(r record) int {
	n := 0
	for _, m := range r.genesis.Membership.Acceptors {
		if p := f.view.peer(m.Name); p.is(m) && p.state(r.genesis.ID) == paxos.LogAborted {
			n++
		}
	}
	return n
}

// confirmations is how many must: with n-R+1 of n acceptors aborted, fewer than R can ever promise.
func confirmations(r record) int {
	return len(r.genesis.Membership.Acceptors) - r.genesis.Membership.Read + 1
}

func (f *Founder) abortText(id paxos.GenesisID) string {
	r, ok := f.view.records[id]
	if !ok {
		return "aborting genesis " + id.String()
	}
	return fmt.Sprintf("aborting genesis %s: %d of the %d confirmations needed; an acceptor that was wiped since cannot confirm",
		id, f.confirmed(r), confirmations(r))
}

// pursue drives the survivor through prepared to live.
func (f *Founder) pursue(id paxos.GenesisID) plan {
	r := f.view.records[id]
	var waits []string
	f.view.listed(r, func(m paxos.Member, p *peer) bool {
		if p.state(id) != paxos.LogPrepared {
			waits = append(waits, m.Name)
		}
		return true
	})
	if len(waits) > 0 {
		return plan{
			stage: StagePreparing, id: id, text: "waiting until prepared: " + strings.Join(waits, ", "),
			moves: []move{{paxos.GenesisPrepare, id}},
		}
	}
	return plan{stage: StageEnliving, id: id, text: "all are prepared", moves: []move{{paxos.GenesisGoLive, id}}}
}
