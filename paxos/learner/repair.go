package learner

import (
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
)

// Spans of repair. Each delay is counted from when the head of the line stopped moving, and stretched by up to a half at
// random, so that learners which lost the same message do not ask at once.
const (
	// behindDelay is for what lies past the window, of which live messages are lost anyway.
	behindDelay = 0
	// laterDelay is for a slot below one that is chosen with its value: it was probably lost.
	laterDelay = 10 * paxos.Millisecond
	// gapDelay is for a slot that is chosen, as votes or a mark say, and whose value may be on its way: accepts
	// travel on another connection than votes and beacons (PROTOCOL N5).
	gapDelay = 25 * paxos.Millisecond
	// quietDelay is for a slot of which only a part was heard: its leader sends again after 100 ms, then 200 ms.
	quietDelay = 400 * paxos.Millisecond

	// fetchTimeout is how long an answer may take. A learner that did not answer is left alone for firstRest, which doubles up to
	// lastRest with each further silence: one lost message must not cost as much as a dead learner, of which there may be no other.
	fetchTimeout = 1 * paxos.Second
	firstRest    = 1 * paxos.Second
	lastRest     = 5 * paxos.Second
	// goneRest is how long a learner is left alone that the broker says is not there.
	goneRest = 1 * paxos.Second
	// pollTimeout is how long an acceptor's answer may take.
	pollTimeout = 500 * paxos.Millisecond
	// mistrust is how long a learner whose hash differs is left alone (PROTOCOL L5).
	mistrust = 10 * paxos.Second

	// firstPause to lastPause is the pause between rounds without progress: it doubles (PITFALLS 24).
	firstPause = 50 * paxos.Millisecond
	lastPause  = 2 * paxos.Second
)

// Sizes of repair.
const (
	// pollBytes is asked of each acceptor at most, since a few send the same.
	pollBytes = 256 << 10
	// answerOverhead is what a slot may cost in an answer beside its value, pollOverhead with its vote.
	answerOverhead = 24
	pollOverhead   = 256
	// maxFlying bounds the fetches in flight to one learner, answers that wait for an earlier one included.
	maxFlying = 2
	// minSpan and maxSpan bound the slots asked for at once; maxPoll those asked of acceptors.
	minSpan = 16
	maxSpan = 4096
	maxPoll = 256
	// roundsUnheard is after how many rounds without progress a learner that never answers no longer counts as one that
	// might still hold what the others lack.
	roundsUnheard = 3
)

// flight is a request whose answer did not come yet.
type flight struct {
	request  uint64
	kind     paxos.Kind
	what     paxos.FetchWhat // of a fetch
	name     string
	from, to paxos.Slot
	poll     uint64 // number of the poll whose answers may decide by a read quorum; 0: none
	round    uint64 // of a poll: its number
	until    paxos.Instant
}

// asked is the newest poll of the acceptors.
type asked struct {
	number   uint64
	from, to paxos.Slot
	ends     []paxos.Slot // of the ranges that its answers cover, which begin where it does
}

// gap is the present standstill: the head of the line does not move, though something is known above it.
type gap struct {
	open      bool
	head      paxos.Slot
	since     paxos.Instant
	jitter    uint64 // in 256ths of half a delay
	rounds    int    // of asking everyone, without progress
	polled    bool   // the acceptors were asked in this round
	on        bool   // the acceptors' answers closed the gap before, and were cut short by their size: there is more to ask for
	notBefore paxos.Instant
}

// repair closes gaps (PROTOCOL L3, L4). A round asks each learner in turn, then the acceptors; rounds without progress are
// spaced by growing pauses. There is one request in flight for a range.
type repair struct {
	sources   sources
	flying    []flight
	stash     []*paxos.FetchAnswer // answers above the head of the line, ascending; at most maxFlying
	gap       gap
	stream    string     // the learner whose answer was joined last
	trimmed   paxos.Slot // highest trim mark told
	slotBytes uint64     // bytes a slot, as of late
	probed    bool       // everyone was asked once since the start, or since a learner became known
	votesOnly bool
	asked     asked
	beyond    bool      // acceptors are asked for more than was heard of: of a replay, which hears nothing live
	polls     uint64    // number of the last poll that may decide by a read quorum
	box       ballotBox // of that poll
}

func (r *repair) init() { r.slotBytes = paxos.DefaultValueLimit / 256 }

// progress closes the gap if the head of the line has moved past it.
func (r *repair) progress(head paxos.Slot) {
	if r.gap.open && r.gap.head != head {
		r.gap.open = false
		r.sources.again()
	}
}

// SetLearners replaces the names of the learners that may be asked. This process's own name is skipped.
func (l *Learner) SetLearners(names []string) {
	if l.repair.sources.set(names, l.cfg.Self) {
		l.repair.probed = false
	}
}

// SetVotesOnly makes the Learner learn by counted votes alone: a leader completes the slots of its own ballot so, never from
// another learner, by a mark or by a read quorum (PROTOCOL P1). Acceptors may still be asked for their votes.
func (l *Learner) SetVotesOnly(on bool) {
	r := &l.repair
	if on && !r.votesOnly {
		r.stash = nil
		r.box = ballotBox{}
		l.marks = marks{}
		flying := r.flying[:0]
		for _, f := range r.flying {
			if f.what == paxos.FetchVotes {
				flying = append(flying, f)
			}
		}
		r.flying = flying
	}
	r.votesOnly = on
}

// Tick lets time pass: it asks for what is missing, and again for what was not answered.
func (l *Learner) Tick(now paxos.Instant, out *Output) {
	if l.stopped != nil {
		return
	}
	l.expire(now)
	l.pump(now, out)
}

// expire gives up on answers that are overdue.
func (l *Learner) expire(now paxos.Instant) {
	r := &l.repair
	kept := r.flying[:0]
	for _, f := range r.flying {
		if now < f.until {
			kept = append(kept, f)
			continue
		}
		if src := r.sources.find(f.name); src != nil && f.what == paxos.FetchChosen {
			src.tried, src.failed = true, true
			src.rest(now.Add(src.silence()))
		}
	}
	r.flying = kept
}

// pump asks for what is missing, if it is time.
func (l *Learner) pump(now paxos.Instant, out *Output) {
	r := &l.repair
	l.joinStash(now, out)
	head := l.win.base + 1
	if l.stopped != nil {
		return
	}
	fresh := !r.gap.open || r.gap.head != head
	on := r.gap.on
	if fresh {
		on = r.asked.from < head && head <= r.asked.to && r.covering(head) < l.enough(head)
	}
	if l.seen < head && r.probed && (!on || !r.beyond) {
		r.gap.open = false
		return
	}
	if fresh {
		r.gap = gap{open: true, head: head, since: now, jitter: l.rng.below(256), on: on}
		r.sources.again()
	}
	if !l.waits(head) && now >= l.due() {
		l.ask(now, out)
	}
	l.pipeline(now, out)
}

// waits reports whether an answer is under way that may help at the head of the line. Acceptors whose poll began before it are waited for only
// if their answers and the others', which may be cut short by their size, could be enough there: one that never answers would hold up each
// step of a long repair.
func (l *Learner) waits(head paxos.Slot) bool {
	r := &l.repair
	late := 0
	for i := range r.flying {
		switch f := &r.flying[i]; {
		case f.what != paxos.FetchVotes, f.from >= head:
			return true
		case f.to >= head:
			late++
		}
	}
	return late > 0 && r.covering(head)+late >= l.enough(head)
}

// covering returns how many answers to the last poll say what was voted in a slot.
func (r *repair) covering(t paxos.Slot) (n int) {
	for _, to := range r.asked.ends {
		if to >= t {
			n++
		}
	}
	return n
}

// enough returns how many acceptors' answers can decide a slot.
func (l *Learner) enough(t paxos.Slot) int {
	m := l.governs(t)
	return min(m.Read, m.Write)
}

// underWay reports whether a request to the acceptor is: there is one at a time.
func (r *repair) underWay(acceptor string) bool {
	for i := range r.flying {
		if f := &r.flying[i]; f.what == paxos.FetchVotes && f.name == acceptor {
			return true
		}
	}
	return false
}

// due returns the instant at which the present gap is worth a request.
func (l *Learner) due() paxos.Instant {
	g := &l.repair.gap
	d := l.delay()
	at := g.since.Add(d + d*paxos.Span(g.jitter)/512)
	return max(at, g.notBefore)
}

func (l *Learner) delay() paxos.Span {
	head := l.win.base + 1
	switch s := l.win.at(head); {
	case !l.repair.probed, l.known > l.win.last(), s == nil && l.streaming(head), l.repair.gap.on && l.win.ready == 0:
		return behindDelay
	case l.win.ready > 0:
		return laterDelay
	case l.known >= head, l.seen > l.win.last(), s != nil && s.decided != undecided:
		return gapDelay
	default:
		return quietDelay
	}
}

// streaming reports whether the learner that answered last holds much more, of which nothing was heard live: a catch-up
// goes on without a pause until it meets the live messages.
func (l *Learner) streaming(head paxos.Slot) bool {
	src := l.repair.sources.find(l.repair.stream)
	return src != nil && src.serves(head) && !src.tried && src.through-head >= minSpan
}

// ask sends the next request of the round.
func (l *Learner) ask(now paxos.Instant, out *Output) {
	r := &l.repair
	g := &r.gap
	if !r.votesOnly {
		if src := r.sources.pick(now, g.head); src != nil {
			l.fetch(now, src, g.head, out)
			return
		}
	}
	if l.seen < g.head && (!g.on || !r.beyond) {
		r.probed = true
		g.open = false
		return
	}
	r.probed = true
	if !g.polled && l.poll(now, out) {
		g.polled = true
		return
	}
	l.endRound(now, out)
}

// endRound pauses before everyone is asked again, and says so when nobody can help any more.
func (l *Learner) endRound(now paxos.Instant, out *Output) {
	r := &l.repair
	pause := min(firstPause<<min(r.gap.rounds, 16), lastPause)
	r.gap.notBefore = now.Add(pause + paxos.Span(l.rng.below(uint64(pause)/2)))
	r.gap.rounds++
	r.gap.polled, r.gap.on = false, false
	out.NeedCheckpoint = out.NeedCheckpoint || l.needsCheckpoint()
	r.sources.again()
}

// needsCheckpoint reports whether the head of the line is below what every learner holds.
func (l *Learner) needsCheckpoint() bool {
	r := &l.repair
	if r.votesOnly {
		return false
	}
	lacking := false
	for i := range r.sources.all {
		src := &r.sources.all[i]
		switch {
		case src.lacks(r.gap.head):
			lacking = true
		case src.serves(r.gap.head):
			return false
		case !src.told && r.gap.rounds < roundsUnheard:
			return false
		}
	}
	return lacking
}

// fetchBytes is how many bytes of values are asked of a learner at once. An accept of the largest value fits the broker's payload,
// and so does this with what the slots cost beside.
func (l *Learner) fetchBytes() uint64 {
	limit := uint64(l.cfg.Genesis.ValueLimit)
	return limit - limit/8
}

// span returns how many slots about fill an answer.
func (l *Learner) span() uint64 {
	n := max(l.fetchBytes()/max(l.repair.slotBytes, 1), minSpan)
	return max(min(n, maxSpan, uint64(l.cfg.Genesis.ValueLimit)/8/answerOverhead), 1)
}

// gapEnd returns the last slot worth asking for with head: before the next one that is in hand, or that waits in the stash.
func (l *Learner) gapEnd(head paxos.Slot) paxos.Slot {
	end := head + paxos.Slot(l.span()) - 1
	if st := l.repair.stash; len(st) > 0 && st[0].From > head {
		end = min(end, st[0].From-1)
	}
	for t := head + 1; t <= min(end, l.win.top); t++ {
		if s := l.win.at(t); s != nil && s.ready() {
			return t - 1
		}
	}
	return end
}

// fetch asks a learner for chosen slots from the given one on.
func (l *Learner) fetch(now paxos.Instant, src *source, from paxos.Slot, out *Output) {
	l.send(out, flight{
		what: paxos.FetchChosen, name: src.name, from: from, to: l.gapEnd(from), until: now.Add(fetchTimeout),
	}, uint32(l.fetchBytes()))
}

// pipeline keeps a second request in flight while one learner is known to hold much more than the first asked for.
func (l *Learner) pipeline(now paxos.Instant, out *Output) {
	r := &l.repair
	if len(r.flying) != 1 || len(r.flying)+len(r.stash) >= maxFlying || r.flying[0].what != paxos.FetchChosen {
		return
	}
	f := r.flying[0]
	src := r.sources.find(f.name)
	if src == nil || !src.serves(f.to+1) || src.through-f.to < minSpan || l.win.at(f.to+1) != nil {
		return
	}
	l.fetch(now, src, f.to+1, out)
}

// poll asks acceptors of the head's membership for their votes with values (PROTOCOL L4): all of them, or, where the votes
// are complete and only the value is missing, one that voted. It reports false if there is none to ask.
func (l *Learner) poll(now paxos.Instant, out *Output) bool {
	g := &l.repair.gap
	m := l.governs(g.head)
	limit := l.cfg.Genesis.ValueLimit
	slots := max(min(maxPoll, limit/2/pollOverhead), 1)
	to := min(l.gapEnd(g.head), l.win.last(), g.head+paxos.Slot(slots)-1)
	if !l.repair.beyond {
		to = min(to, l.seen)
	}
	for _, next := range l.governing {
		if next.From > g.head {
			to = min(to, next.From-1)
		}
	}
	r := &l.repair
	r.asked = asked{number: r.asked.number + 1, from: g.head, to: to, ends: r.asked.ends[:0]}
	only := l.voter(m, g)
	number := l.openBox(g.head, to)
	sent := false
	for i := range m.Acceptors {
		if only >= 0 && i != only || l.witness.Excluded(m.Acceptors[i]) || l.repair.underWay(m.Acceptors[i].Name) {
			continue
		}
		l.send(out, flight{
			what: paxos.FetchVotes, name: m.Acceptors[i].Name, from: g.head, to: to, poll: number, until: now.Add(pollTimeout),
			round: r.asked.number,
		}, min(pollBytes, limit/4))
		sent = true
	}
	return sent
}

// voter returns the acceptor to ask alone: one of those whose votes chose the head's value, another one each round. It
// returns -1 if all are to be asked: also once each was asked in vain, since all may have voted again since, at higher ballots.
func (l *Learner) voter(m *paxos.Membership, g *gap) int {
	s := l.win.at(g.head)
	if s == nil || s.decided == undecided || !s.voted {
		return -1
	}
	votes := s.tallies[s.decided].votes
	for i := range m.Acceptors {
		if l.witness.Excluded(m.Acceptors[i]) {
			votes &^= quorum.Set(1) << i
		}
	}
	n := votes.Len()
	if g.rounds >= n {
		return -1
	}
	skip := g.rounds
	for i := range m.Acceptors {
		if !votes.Has(i) {
			continue
		}
		if skip == 0 {
			return i
		}
		skip--
	}
	return -1
}

// send notes the request and emits it.
func (l *Learner) send(out *Output, f flight, maxBytes uint32) {
	f.kind, f.request = paxos.KindFetch, l.cfg.NextRequest()
	l.repair.flying = append(l.repair.flying, f)
	out.Requests = append(out.Requests, paxos.Envelope{
		Log: l.cfg.Genesis.Log, Genesis: l.cfg.Genesis.ID, From: l.cfg.Self, To: f.name, Request: f.request, Bulk: true,
		Msg: &paxos.Fetch{What: f.what, From: f.from, To: f.to, MaxBytes: maxBytes},
	})
}
