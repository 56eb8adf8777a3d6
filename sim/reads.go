package sim

import (
	"slices"
	"sort"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

const (
	streamIdleAfter = paxos.Second      // an idle stream says its last offset this often
	streamForgotten = 30 * paxos.Second // a stream whose reader is not heard from ends
	streamsAtMost   = 64
)

// readers serves subscribers' streams on a learner, as package node does.
type readers struct {
	s   *learnerService
	all []*served
}

// served is one stream.
type served struct {
	f      *followed
	env    paxos.Envelope // of the request, for answers
	id     uint64
	number uint64 // of the newest chunk
	next   paxos.Offset
	most   int // bytes of a chunk
	credit int64
	heard  paxos.Instant
	idle   paxos.Instant // when the reader was last told something
	over   bool
}

// unknown answers a reader of a log that is not here.
func (r *readers) unknown(env *paxos.Envelope) {
	if m, ok := env.Msg.(*paxos.Read); ok && env.Reply != "" && !m.Stop {
		r.answer(env, &paxos.ReadAnswer{Stream: m.Stream, Number: 1, Code: paxos.ReadUnknown})
	}
}

// onRead begins a stream, or grants one more credit.
func (r *readers) onRead(env *paxos.Envelope, m *paxos.Read, f *followed) {
	if env.Reply == "" {
		return
	}
	now := r.s.p.clock()
	for _, st := range r.all {
		if st.id == m.Stream && st.env.Reply == env.Reply && st.f == f {
			if m.From == 0 && m.Since <= 0 {
				st.credit += int64(m.Credit)
			}
			st.heard = now
			st.over = st.over || m.Stop
			return
		}
	}
	code := paxos.ReadOK
	switch {
	case m.Stop:
		return
	case m.From == 0 && m.Since <= 0:
		code = paxos.ReadStopped
	case f.core == nil:
		code = paxos.ReadUnknown
	case len(r.all) >= streamsAtMost:
		code = paxos.ReadBusy
	}
	if code != paxos.ReadOK {
		r.answer(env, &paxos.ReadAnswer{Stream: m.Stream, Number: 1, Code: code})
		return
	}
	st := &served{f: f, env: *env, id: m.Stream, next: m.From, most: int(m.MaxBytes), credit: int64(m.Credit), heard: now, idle: now}
	if st.next == 0 {
		st.next = f.offsetSince(m.Since)
	}
	r.all = append(r.all, st)
}

func (r *readers) answer(to *paxos.Envelope, a *paxos.ReadAnswer) {
	a.Learner, a.Run = r.s.p.name, r.s.p.run
	r.s.answer(to, a)
}

// pump sends what there is and what readers have room for.
func (r *readers) pump() {
	if len(r.all) == 0 {
		return
	}
	now := r.s.p.clock()
	for _, st := range r.all {
		r.serve(now, st)
	}
	r.all = slices.DeleteFunc(r.all, func(st *served) bool { return st.over })
}

func (r *readers) serve(now paxos.Instant, st *served) {
	f := st.f
	switch {
	case st.over || now.Sub(st.heard) > streamForgotten:
		st.over = true
		return
	case f.core == nil || f.diverged != "":
		r.tell(now, st, paxos.ReadStopped)
		st.over = true
		return
	case st.next < f.first():
		r.tell(now, st, paxos.ReadElsewhere)
		st.over = true
		return
	}
	last := f.core.Sequencer().LastOffset()
	for st.credit > 0 && st.next <= last {
		bs, slot, hash := f.batchesFrom(st.next, st.most)
		if len(bs) == 0 {
			r.s.p.w.fail(CheckDense, "%s does not find offset %d of %s, its last is %d", r.s.p.name, st.next, f.gen.Log, last)
		}
		st.number++
		for i := range bs {
			st.credit -= int64(bs[i].Cost())
		}
		end := &bs[len(bs)-1]
		st.next = end.First + paxos.Offset(end.Count)
		st.idle = now
		r.answer(&st.env, &paxos.ReadAnswer{Stream: st.id, Number: st.number, Last: last, Slot: slot, Hash: hash, Batches: bs})
	}
	if now.Sub(st.idle) >= streamIdleAfter {
		r.tell(now, st, paxos.ReadIdle)
	}
}

// tell sends what is no chunk of entries.
func (r *readers) tell(now paxos.Instant, st *served, code paxos.ReadCode) {
	st.number++
	st.idle = now
	a := &paxos.ReadAnswer{Stream: st.id, Number: st.number, Code: code}
	if st.f.core != nil {
		a.Last = st.f.core.Sequencer().LastOffset()
		if code == paxos.ReadElsewhere {
			a.First = st.f.first()
		}
	}
	r.answer(&st.env, a)
}

// first is the first offset held here.
func (f *followed) first() paxos.Offset {
	k := f.kept()
	switch {
	case k == nil || k.start <= 1:
		return 1
	case len(k.slots) > 0:
		return k.slots[0].applied.First
	}
	return f.core.Sequencer().LastOffset() + 1
}

// offsetSince returns the first offset whose stamp is at or after s, or the next one to come.
func (f *followed) offsetSince(s paxos.Stamp) paxos.Offset {
	for _, x := range f.kept().slots {
		if a := &x.applied; a.Stamp >= s && a.First <= a.Last {
			return a.First
		}
	}
	return f.core.Sequencer().LastOffset() + 1
}

// batchesFrom returns batches that hold offset from and later ones, up to so many bytes and at least one, with the newest slot that
// they complete.
func (f *followed) batchesFrom(from paxos.Offset, most int) (bs []paxos.ReadBatch, slot paxos.Slot, hash paxos.Hash) {
	slots := f.kept().slots
	size := 0
	for i := sort.Search(len(slots), func(i int) bool { return slots[i].applied.Last >= from }); i < len(slots); i++ {
		a := &slots[i].applied
		if a.First <= a.Last {
			v, err := value.Decode(a.Value)
			if err != nil {
				f.s.p.w.fail(CheckInvariant, "%s slot %d: %v", f.s.p.name, a.Slot, err)
			}
			for j := range a.Outcomes {
				o := &a.Outcomes[j]
				if o.Code != paxos.CodeAppended || o.First+paxos.Offset(o.Count) <= from {
					continue
				}
				b, err := value.DecodeBatch(v.Items[o.Item].Body)
				if err != nil {
					f.s.p.w.fail(CheckInvariant, "%s slot %d: %v", f.s.p.name, a.Slot, err)
				}
				x := paxos.ReadBatch{First: o.First, Count: o.Count, Stamp: a.Stamp, Frames: b.Frames}
				if size > 0 && size+x.Cost() > most {
					return bs, slot, hash
				}
				bs = append(bs, x)
				size += x.Cost()
			}
		}
		slot, hash = a.Slot, a.Hash
	}
	return bs, slot, hash
}
