package learner

import (
	"errors"
	"fmt"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/sequencer"
)

// vouchPause is the least pause between two attempts to have a checkpoint vouched for.
const vouchPause = 200 * paxos.Millisecond

// vouching is what a copied checkpoint waits for. Three ways are open at once, and any will do:
//
//	keepers    k keepers of the restored state answer an equal hash at the mark.
//	leader     a replay reaches the slot n of a beacon's (b, n, hash), and has that hash there: what a leader sequenced is the log (L2).
//	acceptors  a replay reaches the slot s of the newest stable(n >= mark, hash); the hash at n is equal; and a write quorum
//	           of M(s) has voted for the value in s.
type vouching struct {
	seq     *sequencer.Sequencer // at the mark, untouched
	agreed  []paxos.Member       // keepers that answered an equal hash
	replay  *Learner             // of a second sequencer; nil until the keepers were asked once
	output  Output               // of replay
	newest  stableAt
	votes   []ballotVotes // for newest
	leader  leaderMark
	witness Witness
	rounds  int
	next    paxos.Instant // no asking before it
}

// leaderMark is what a leader said in a beacon: it has sequenced the slots through slot, with this running hash there.
type leaderMark struct {
	slot paxos.Slot
	hash paxos.Hash
	name string
}

// OnBeacon takes what a beacon says of the log. The oldest mark that the replay has not reached is kept: newer ones may come faster than it
// replays.
func (b *Bootstrap) OnBeacon(from string, item *paxos.BeaconItem) {
	v := &b.vouch
	if b.stage != stageVouching || item.Withdrawn || item.Chosen < max(b.taken.mark, 1) {
		return
	}
	if v.leader.slot == 0 || v.replay != nil && v.replay.Through() > v.leader.slot {
		v.leader = leaderMark{slot: item.Chosen, hash: item.ChosenHash, name: from}
	}
	if v.replay != nil {
		v.replay.KnownChosen(v.leader.slot)
	}
}

// stableAt is the newest stable command at or above the mark that the replay met.
type stableAt struct {
	n       paxos.Slot        // what it says is stable
	slot    paxos.Slot        // of the command
	sum     paxos.Checksum    // of the value in slot
	members *paxos.Membership // that governs slot; nil: not to be confirmed
}

// ballotVotes are the confirmed votes for the newest stable command at one ballot.
type ballotVotes struct {
	ballot paxos.Ballot
	votes  quorum.Set
}

// tickVouching asks for what is missing, and ends the bootstrap once it is vouched for.
func (b *Bootstrap) tickVouching(now paxos.Instant, out *Output) {
	v := &b.vouch
	if by := v.vouched(); by != "" {
		b.done = &Start{Sequencer: v.seq, Mark: b.taken.mark, Hash: b.taken.hash, State: b.state, Vouched: by}
		b.stage, b.state, b.vouch, b.flying = stageDone, nil, vouching{}, nil
		return
	}
	if v.replay != nil {
		v.replay.Tick(now, &v.output)
		if !b.replayed(now, out) {
			return
		}
	}
	if len(b.flying) > 0 || now < v.next {
		return
	}
	if v.rounds > 0 && v.replay == nil && !b.beginReplay(now, out) {
		return
	}
	if v.replay != nil {
		v.replay.repair.probed = false // nothing live reaches the replay: it asks for what is new
	}
	b.askKeepers(now, out)
	b.askAcceptors(now, out)
	pause := min(vouchPause<<min(v.rounds, 16), lastPause)
	v.next = now.Add(pause + paxos.Span(b.rng.below(uint64(pause)/2)))
	v.rounds++
}

// vouched says by whom, or nothing.
func (v *vouching) vouched() string {
	if k := v.seq.Keepers(); k.K > 0 && len(v.agreed) >= k.K {
		return fmt.Sprintf("%d keepers", len(v.agreed))
	}
	if v.leader.slot > 0 && v.replay != nil {
		if own, ok := v.replay.HashAt(v.leader.slot); ok && own == v.leader.hash {
			return fmt.Sprintf("leader %s at slot %d", v.leader.name, v.leader.slot)
		}
	}
	for i := range v.votes {
		if quorum.HasWrite(v.newest.members, v.votes[i].votes) {
			return fmt.Sprintf("%d acceptors at slot %d", v.votes[i].votes.Len(), v.newest.slot)
		}
	}
	return ""
}

func (b *Bootstrap) askKeepers(now paxos.Instant, out *Output) {
	for _, k := range b.vouch.seq.Keepers().Members {
		if k.Name == b.cfg.Self || b.vouch.hasAgreed(k) {
			continue
		}
		b.request(out, flight{kind: paxos.KindFetch, what: paxos.FetchHash, name: k.Name, until: now.Add(pollTimeout)},
			&paxos.Fetch{What: paxos.FetchHash, From: b.taken.mark, To: b.taken.mark})
	}
}

func (v *vouching) hasAgreed(m paxos.Member) bool {
	for i := range v.agreed {
		if v.agreed[i] == m {
			return true
		}
	}
	return false
}

// onHash takes a keeper's running hash at the mark.
func (b *Bootstrap) onHash(m *paxos.FetchAnswer, out *Output) {
	v := &b.vouch
	keeper := paxos.Member{Name: m.Name, Incarnation: m.Incarnation}
	if b.stage != stageVouching || !m.Known || v.seq.Keepers().Index(keeper.Name, keeper.Incarnation) < 0 || v.hasAgreed(keeper) {
		return
	}
	if m.After != b.taken.hash {
		b.event(out, paxos.Event{
			Kind: paxos.EventDropped, Slot: b.taken.mark, Name: m.Name,
			Text: fmt.Sprintf("hash at the mark is %v there and %v in the checkpoint of %q", m.After, b.taken.hash, b.taken.name),
		})
		return
	}
	v.agreed = append(v.agreed, keeper)
}

// beginReplay begins the second way with a sequencer of its own: what it sequences is thrown away.
func (b *Bootstrap) beginReplay(now paxos.Instant, out *Output) bool {
	seq, err := sequencer.Restore(b.cfg.Genesis, b.taken.mark, b.taken.hash, b.state)
	if err != nil {
		b.restart(now, fmt.Sprintf("restore checkpoint at slot %d: %v", b.taken.mark, err), out)
		return false
	}
	cfg := b.cfg
	cfg.Seed = b.rng.next()
	cfg.Learners = nil
	for i := range b.sources.all {
		cfg.Learners = append(cfg.Learners, b.sources.all[i].name)
	}
	b.vouch.replay = New(cfg, seq)
	b.vouch.replay.KnownChosen(max(b.taken.through, b.vouch.leader.slot))
	b.vouch.replay.repair.beyond = true
	return true
}

// answerReplay hands an answer to the replay, if there is one.
func (b *Bootstrap) answerReplay(now paxos.Instant, env *paxos.Envelope, out *Output) bool {
	v := &b.vouch
	if v.replay == nil || !v.replay.OnAnswer(now, env, &v.output) {
		return false
	}
	if b.replayed(now, out) {
		b.Tick(now, out)
	}
	return true
}

// replayed takes what the replay put out. It reports false if the bootstrap began again.
func (b *Bootstrap) replayed(now paxos.Instant, out *Output) bool {
	v := &b.vouch
	out.Requests = append(out.Requests, v.output.Requests...)
	out.Events = append(out.Events, v.output.Events...)
	why := v.look(b.taken.mark)
	if own, ok := v.replay.HashAt(v.leader.slot); ok && v.leader.slot > 0 && own != v.leader.hash {
		why = fmt.Sprintf("hash at slot %d is %v after the checkpoint, and %v at leader %s", v.leader.slot, own, v.leader.hash, v.leader.name)
	}
	if v.output.NeedCheckpoint {
		why = "nobody holds the slots above this checkpoint"
	}
	if err := v.replay.Stopped(); err != nil && !errors.Is(err, sequencer.ErrUpgrade) {
		why = err.Error()
	}
	v.output.Reset()
	if why == "" {
		return true
	}
	if src := b.sources.find(b.taken.name); src != nil {
		src.rest(now.Add(mistrust))
	}
	b.restart(now, why, out)
	return false
}

// look takes note of the newest stable command at or above the mark, whose slot acceptors can confirm. It says what is wrong
// if the command names another hash than the replay has.
func (v *vouching) look(mark paxos.Slot) string {
	found := false
	for i := range v.output.Chosen {
		if c := &v.output.Chosen[i]; c.Applied.Stable >= mark && c.Applied.Stable > v.newest.n {
			v.newest = stableAt{n: c.Applied.Stable, slot: c.Slot, sum: paxos.Sum(c.Applied.Value)}
			found = true
		}
	}
	if !found {
		return ""
	}
	v.votes = nil
	n, hash := v.replay.Sequencer().Stable()
	if own, ok := v.replay.HashAt(n); ok && own != hash {
		return fmt.Sprintf("hash at slot %d is %v after the checkpoint and %v in the stable command in slot %d", n, own, hash, v.newest.slot)
	} else if ok && n == v.newest.n {
		v.newest.members, _ = v.replay.Sequencer().MembershipAt(v.newest.slot)
	}
	return ""
}

// askAcceptors asks those that govern the newest stable command's slot whether they voted for it.
func (b *Bootstrap) askAcceptors(now paxos.Instant, out *Output) {
	at := &b.vouch.newest
	if at.members == nil {
		return
	}
	for _, a := range at.members.Acceptors {
		b.request(out, flight{
			kind: paxos.KindFetch, what: paxos.FetchVotes, name: a.Name, from: at.slot, to: at.slot, until: now.Add(pollTimeout),
		}, &paxos.Fetch{What: paxos.FetchVotes, From: at.slot, To: at.slot, MaxBytes: pollBytes})
	}
}

// onVotes counts an acceptor's confirmation of the newest stable command. One that has trimmed the slot tells that a newer
// command is chosen, to which the replay goes on: if no learner that is left has it, by what acceptors hold.
func (b *Bootstrap) onVotes(f *flight, m *paxos.VotesAnswer) {
	v := &b.vouch
	if b.stage != stageVouching || v.newest.members == nil || f.from != v.newest.slot {
		return
	}
	k := v.newest.members.Index(m.Name, m.Incarnation)
	if k < 0 {
		return
	}
	if verdict, _ := v.witness.Observe(&m.Voter); verdict == StaleBoot || verdict == Excluded {
		return
	}
	v.replay.knownTrimmed(m.Trimmed)
	for i := range m.Votes {
		if vote := &m.Votes[i]; vote.Slot == v.newest.slot && vote.Checksum == v.newest.sum {
			v.confirm(vote.Ballot, k)
		}
	}
}

// confirm counts one vote. Votes of different ballots are not added (PITFALLS 8).
func (v *vouching) confirm(b paxos.Ballot, k int) {
	for i := range v.votes {
		if v.votes[i].ballot == b {
			v.votes[i].votes.Add(k)
			return
		}
	}
	if len(v.votes) < maxTallies {
		v.votes = append(v.votes, ballotVotes{ballot: b, votes: 1 << k})
	}
}
