package learner

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// OnAnswer takes the answer to a request of this Learner: FetchAnswer, VotesAnswer or NoResponders. It reports false if the
// request is not, or no longer, one of its own; the answer is dropped then (PITFALLS 4, 7).
func (l *Learner) OnAnswer(now paxos.Instant, env *paxos.Envelope, out *Output) bool {
	f, ok := land(&l.repair.flying, env.Request)
	if !ok {
		return false
	}
	if l.stopped != nil {
		return true
	}
	switch m := env.Msg.(type) {
	case *paxos.FetchAnswer:
		if l.fits(env, &f, paxos.FetchChosen, m.Name, out) {
			l.onChosen(now, &f, m, out)
		}
	case *paxos.VotesAnswer:
		if l.fits(env, &f, paxos.FetchVotes, m.Name, out) {
			l.onVotes(&f, m, out)
		}
	case *paxos.NoResponders:
		if src := l.repair.sources.find(f.name); src != nil && f.what == paxos.FetchChosen {
			src.tried, src.failed = true, true
			src.rest(now.Add(goneRest))
		}
	default:
		l.useless(&f, "unexpected answer", out)
	}
	l.settle(out)
	if l.stopped == nil {
		l.pump(now, out)
	}
	return true
}

// land removes the flight with this request number.
func land(flying *[]flight, request uint64) (flight, bool) {
	for i, f := range *flying {
		if f.request == request && request != 0 {
			*flying = append((*flying)[:i], (*flying)[i+1:]...)
			return f, true
		}
	}
	return flight{}, false
}

// fits reports whether an answer is of the kind that was asked for, from who was asked, about this log.
func (l *Learner) fits(env *paxos.Envelope, f *flight, what paxos.FetchWhat, name string, out *Output) bool {
	if f.what == what && env.Genesis == l.cfg.Genesis.ID && name == f.name {
		return true
	}
	l.useless(f, "answer of another", out)
	return false
}

// useless takes note that a request came to nothing.
func (l *Learner) useless(f *flight, why string, out *Output) {
	l.drop(out, f.from, paxos.Ballot{}, f.name, why)
	if src := l.repair.sources.find(f.name); src != nil && f.what == paxos.FetchChosen {
		src.tried, src.failed = true, true
	}
}

// onVotes counts the votes that an acceptor answers, each with its value, as if they had just been published; and keeps the answer,
// if its poll may decide by a read quorum.
func (l *Learner) onVotes(f *flight, m *paxos.VotesAnswer, out *Output) {
	if !l.credible(&m.Voter, out) {
		return
	}
	l.knownTrimmed(m.Trimmed)
	if p := &l.repair.asked; f.round == p.number {
		p.ends = append(p.ends, min(f.to, m.To))
	}
	for i := range m.Votes {
		if l.stopped != nil {
			return
		}
		v := &m.Votes[i]
		if v.Slot < f.from || v.Slot > f.to || v.Ballot.IsZero() {
			l.useless(f, "vote not asked for", out)
			return
		}
		// The vote first: it finds its value a place among other ballots'.
		l.vote(&m.Voter, v.Slot, v.Ballot, v.Checksum, out)
		if l.stopped == nil && len(v.Value) > 0 && paxos.Sum(v.Value) == v.Checksum {
			l.accept(v.Slot, v.Ballot, v.Checksum, v.Value, false, out)
		}
	}
	l.repair.box.put(f, m)
}

// onChosen takes chosen slots from another learner.
func (l *Learner) onChosen(now paxos.Instant, f *flight, m *paxos.FetchAnswer, out *Output) {
	src := l.repair.sources.find(f.name)
	if src == nil {
		return
	}
	n := uint64(len(m.Values))
	if n > uint64(f.to-f.from)+1 || m.From != f.from || !consecutive(m) {
		l.useless(f, "slots not asked for", out)
		return
	}
	src.told, src.failed, src.missed = true, false, 0
	src.start, src.through = m.Start, m.Through
	l.KnownChosen(m.Through)
	if n == 0 {
		src.tried = true
		return
	}
	if m.From > l.win.base+1 {
		l.keep(m)
		return
	}
	if l.join(now, src, m, out) {
		l.joinStash(now, out)
	}
}

func consecutive(m *paxos.FetchAnswer) bool {
	for i := range m.Values {
		if m.Values[i].Slot != m.From+paxos.Slot(i) {
			return false
		}
	}
	return true
}

// keep holds an answer until the slots before it are there.
func (l *Learner) keep(m *paxos.FetchAnswer) {
	r := &l.repair
	if len(r.stash) < maxFlying {
		r.stash = append(r.stash, m)
	}
}

// joinStash joins the answers that waited, as far as they are next.
func (l *Learner) joinStash(now paxos.Instant, out *Output) {
	r := &l.repair
	for l.stopped == nil && len(r.stash) > 0 {
		at := -1
		for i := range r.stash {
			if r.stash[i].From <= l.win.base+1 {
				at = i
			}
		}
		if at < 0 {
			return
		}
		m := r.stash[at]
		r.stash = append(r.stash[:at], r.stash[at+1:]...)
		if src := r.sources.find(m.Name); src != nil {
			l.join(now, src, m, out)
		}
	}
}

// join sequences fetched slots, if their source's running hash before them is one's own (PROTOCOL L5). They are handed over
// only once the hash after them is equal too: what a divergent learner sends goes no further than here.
func (l *Learner) join(now paxos.Instant, src *source, m *paxos.FetchAnswer, out *Output) bool {
	own, ok := l.hashes.at(m.From - 1)
	if !ok {
		src.tried = true
		return false
	}
	if own != m.Before {
		l.distrust(now, src, m.From-1, fmt.Sprintf("hash at slot %d is %v here and %v there", m.From-1, own, m.Before), out)
		return false
	}
	if t, ok := l.contradicts(m); ok {
		l.distrust(now, src, t, fmt.Sprintf("slot %d has another value there than its votes say", t), out)
		return false
	}
	held, before, bytes := len(out.Chosen), l.win.base, 0
	l.joining = true
	ok = l.joinValues(m, &bytes, out)
	l.joining = false
	last := m.From + paxos.Slot(len(m.Values)) - 1
	if own, known := l.hashes.at(last); ok && known && own != m.After {
		text := fmt.Sprintf("hash after fetched slot %d is %v here and %v at learner %q", last, own, m.After, src.name)
		if last <= before { // all of it had been handed over
			l.diverged(out, last, paxos.Ballot{}, text)
		} else {
			l.conflict(out, last, paxos.Ballot{}, text)
		}
	}
	if l.stopped != nil {
		clear(out.Chosen[held:])
		out.Chosen = out.Chosen[:held]
		return false
	}
	l.handed = l.win.base
	if n := int64(l.win.base - before); n > 0 {
		l.repair.slotBytes = (3*l.repair.slotBytes + uint64(bytes)/uint64(n)) / 4
		l.event(out, paxos.Event{Kind: paxos.EventGapRepaired, Slot: last, Name: src.name, N: n})
		l.repair.stream = src.name
		l.repair.progress(l.win.base + 1)
	}
	return true
}

// joinValues sequences what of m is above the prefix.
func (l *Learner) joinValues(m *paxos.FetchAnswer, bytes *int, out *Output) bool {
	for i := range m.Values {
		t, v := m.Values[i].Slot, m.Values[i].Value
		if t <= l.win.base {
			continue
		}
		*bytes += len(v)
		var b paxos.Ballot
		if s := l.win.at(t); s != nil && s.decided != undecided {
			b = s.tallies[s.decided].ballot
		}
		if !l.apply(b, paxos.Sum(v), v, out) {
			return false
		}
	}
	return true
}

// contradicts finds a fetched value that differs from what is decided here for its slot.
func (l *Learner) contradicts(m *paxos.FetchAnswer) (paxos.Slot, bool) {
	for i := range m.Values {
		s := l.win.at(m.Values[i].Slot)
		if s == nil || s.decided == undecided {
			continue
		}
		if chosenSum(&s.tallies[s.decided]) != paxos.Sum(m.Values[i].Value) {
			return s.slot, true
		}
	}
	return 0, false
}

// distrust leaves a learner alone for a while whose log differs from this one.
func (l *Learner) distrust(now paxos.Instant, src *source, t paxos.Slot, text string, out *Output) {
	src.tried, src.failed = true, true
	src.rest(now.Add(mistrust))
	l.drop(out, t, paxos.Ballot{}, src.name, text)
}
