package sim

import (
	"sort"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// logState is what is true of one log, found out from what reached the acceptors' disks alone: no process is believed.
type logState struct {
	w       *world
	gen     *paxos.Genesis
	record  []byte
	seq     *sequencer.Sequencer
	members []*paxos.Membership // ascending by From
	slots   []slotState         // slot t at t-1
	stable  paxos.Slot
	stamp   paxos.Stamp
	offset  paxos.Offset
	start0  paxos.Hash
	highest map[paxos.Incarnation]paxos.Ballot // ever promised by each store, durably
}

// slotState is what happened in one slot.
type slotState struct {
	proposals []proposal
	tallies   []tally
	chosen    bool
	ballot    paxos.Ballot // the lowest at which a write quorum's votes are durable
	sum       paxos.Checksum
	applied   bool
	hash      paxos.Hash
	last      paxos.Offset
}

type proposal struct {
	ballot paxos.Ballot
	sum    paxos.Checksum
	by     string
	value  []byte
}

type tally struct {
	ballot paxos.Ballot
	sum    paxos.Checksum
	voters []paxos.Member
}

func newLogState(w *world, g *paxos.Genesis, record []byte) *logState {
	m := g.Membership
	l := &logState{
		w: w, gen: g, record: record, seq: sequencer.New(g), members: []*paxos.Membership{&m}, highest: map[paxos.Incarnation]paxos.Ballot{},
	}
	l.start0 = l.seq.Hash()
	return l
}

func (l *logState) slot(t paxos.Slot) *slotState {
	for paxos.Slot(len(l.slots)) < t {
		l.slots = append(l.slots, slotState{})
	}
	return &l.slots[t-1]
}

// through is the newest slot with all below it chosen.
func (l *logState) through() paxos.Slot { return l.seq.Through() }

// hashAt returns the running hash at a slot that is sequenced here.
func (l *logState) hashAt(t paxos.Slot) paxos.Hash {
	if t == 0 {
		return l.start0
	}
	return l.slots[t-1].hash
}

// governing returns the membership of a slot, by this log's own count.
func (l *logState) governing(t paxos.Slot) *paxos.Membership {
	i := sort.Search(len(l.members), func(i int) bool { return l.members[i].From > t })
	return l.members[i-1]
}

// promised takes note of a durable promise, or of the one in a vote.
func (l *logState) promised(i paxos.Incarnation, b paxos.Ballot) {
	if l.highest[i].Less(b) {
		l.highest[i] = b
	}
}

// entitled reports whether a read quorum of the slot's own membership has promised a ballot (PROTOCOL P1).
func (l *logState) entitled(t paxos.Slot, b paxos.Ballot) bool {
	m, n := l.governing(t), 0
	for _, a := range m.Acceptors {
		if !l.highest[a.Incarnation].Less(b) {
			n++
		}
	}
	return n >= m.Read
}

// proposedBy takes note of an accept that leaves.
func (l *logState) proposedBy(p *process, m *paxos.Accept) {
	if m.Slot == 0 || m.Slot > l.through()+paxos.Slot(l.gen.Window) {
		l.w.fail(CheckAgreement, "%s proposes in slot %d at %s, beyond the window: %d are chosen", p.name, m.Slot, m.Ballot, l.through())
	}
	s := l.slot(m.Slot)
	for i := range s.proposals {
		if o := &s.proposals[i]; o.ballot == m.Ballot {
			if o.sum != m.Checksum {
				l.w.fail(CheckAgreement, "two values are proposed in slot %d at %s", m.Slot, m.Ballot)
			}
			return
		}
	}
	if !l.entitled(m.Slot, m.Ballot) {
		l.w.fail(CheckAgreement, "%s proposes in slot %d at %s, which no read quorum has promised", p.name, m.Slot, m.Ballot)
	}
	for i := range s.proposals {
		if o := &s.proposals[i]; o.by == p.name && o.sum != m.Checksum && o.ballot.Less(m.Ballot) {
			l.w.count("another's value adopted over one's own")
		}
	}
	s.proposals = append(s.proposals, proposal{m.Ballot, m.Checksum, p.name, m.Value})
	if s.chosen && s.ballot.Less(m.Ballot) && s.sum != m.Checksum {
		l.w.fail(CheckAgreement, "slot %d was chosen at %s, and %s proposes another value at %s", m.Slot, s.ballot, p.name, m.Ballot)
	}
}

// voted takes note of a durable vote.
func (l *logState) voted(t paxos.Slot, b paxos.Ballot, sum paxos.Checksum, who paxos.Member) {
	s := l.slot(t)
	i := 0
	for i < len(s.tallies) && s.tallies[i].ballot != b {
		i++
	}
	if i == len(s.tallies) {
		s.tallies = append(s.tallies, tally{ballot: b, sum: sum})
	}
	y := &s.tallies[i]
	if y.sum != sum {
		l.w.fail(CheckAgreement, "two values have votes in slot %d at %s", t, b)
	}
	for _, m := range y.voters {
		if m == who {
			return
		}
	}
	y.voters = append(y.voters, who)
	if t <= l.through()+paxos.Slot(l.gen.Window) {
		l.judge(t, s, y)
	}
}

// judge looks whether a write quorum of the slot's own membership has voted.
func (l *logState) judge(t paxos.Slot, s *slotState, y *tally) {
	m := l.governing(t)
	n := 0
	for _, v := range y.voters {
		if m.Index(v.Name, v.Incarnation) >= 0 {
			n++
		}
	}
	if n < m.Write {
		return
	}
	if s.chosen && s.sum != y.sum {
		l.w.fail(CheckAgreement, "slot %d was chosen at %s, and another value is at %s", t, s.ballot, y.ballot)
	}
	if !s.chosen || y.ballot.Less(s.ballot) {
		s.ballot = y.ballot
	}
	known := s.chosen
	s.chosen, s.sum = true, y.sum
	for i := range s.proposals {
		if o := &s.proposals[i]; s.ballot.Less(o.ballot) && o.sum != s.sum {
			l.w.fail(CheckAgreement, "slot %d is chosen at %s, and %s proposed another value at %s", t, s.ballot, o.by, o.ballot)
		}
	}
	if !known {
		l.advance()
	}
}

// advance sequences what is chosen without a hole.
func (l *logState) advance() {
	for {
		t := l.seq.Next()
		if t > paxos.Slot(len(l.slots)) {
			return
		}
		s := &l.slots[t-1]
		for i := 0; !s.chosen && i < len(s.tallies); i++ {
			l.judge(t, s, &s.tallies[i]) // votes that came before the membership was known
		}
		if !s.chosen || s.applied {
			return
		}
		var v []byte
		found := false
		for i := range s.proposals {
			if s.proposals[i].sum == s.sum {
				v, found = s.proposals[i].value, true
			}
		}
		if !found {
			l.w.fail(CheckProposed, "the value chosen in slot %d was never proposed", t)
		}
		s.applied = true
		a, err := l.seq.Apply(t, v)
		if err != nil {
			l.w.fail(CheckProposed, "slot %d: %v", t, err)
		}
		l.take(s, &a)
		l.w.note("%s slot %d is chosen at %s: %d items, last offset %d", l.gen.Log, t, s.ballot, len(a.Outcomes), a.Last)
	}
}

// take judges what a slot did.
func (l *logState) take(s *slotState, a *sequencer.Applied) {
	w := l.w
	s.hash, s.last = a.Hash, a.Last
	if a.Stamp < l.stamp {
		w.fail(CheckDense, "slot %d has stamp %d after %d", a.Slot, a.Stamp, l.stamp)
	}
	l.stamp = a.Stamp
	v, err := value.Decode(a.Value)
	if err != nil {
		w.fail(CheckProposed, "slot %d: %v", a.Slot, err)
	}
	for i := range v.Items {
		o := &a.Outcomes[i]
		if v.Items[i].Kind == value.ItemBatch {
			l.batch(a, v.Items[i].Body, o)
			continue
		}
		l.command(a, v.Items[i].Body, o)
	}
	if a.Last != l.offset {
		w.fail(CheckDense, "slot %d ends at offset %d; its entries end at %d", a.Slot, a.Last, l.offset)
	}
}

// batch judges one batch.
func (l *logState) batch(a *sequencer.Applied, body []byte, o *sequencer.Outcome) {
	w := l.w
	b, err := value.DecodeBatch(body)
	if err != nil {
		w.fail(CheckProposed, "slot %d: %v", a.Slot, err)
	}
	switch o.Code {
	case paxos.CodeAppended:
	case paxos.CodeDropped:
		w.count("dropped below a term start")
		return
	default:
		return
	}
	if b.Tail || b.HasExpect && b.Count == 0 {
		return
	}
	if o.First != l.offset+1 {
		w.fail(CheckDense, "slot %d: a batch begins at offset %d after %d", a.Slot, o.First, l.offset)
	}
	f, _, err := value.DecodeFrame(b.Frames)
	if err != nil {
		w.fail(CheckProposed, "slot %d: %v", a.Slot, err)
	}
	r := w.check.batchOf(f.Payload)
	if r == nil || r.log != l.gen.Log || r.count != b.Count {
		w.fail(CheckProposed, "slot %d: no client sent this batch", a.Slot)
	}
	switch {
	case r.offset != 0:
		w.fail(CheckExactlyOnce, "batch %d is at offset %d and again at %d", r.number, r.offset, o.First)
	case r.refused:
		w.fail(CheckExactlyOnce, "batch %d was refused and appears at offset %d", r.number, o.First)
	case r.hasExpect && r.expect != l.offset:
		w.fail(CheckLinearizable, "batch %d expects offset %d and is appended after %d", r.number, r.expect, l.offset)
	case r.producer != nil && r.order <= r.producer.lastIn:
		w.fail(CheckExactlyOnce, "batch %d is behind a later one of its producer", r.number)
	}
	if r.producer != nil {
		r.producer.lastIn = r.order
	}
	r.offset = o.First
	l.offset += paxos.Offset(b.Count)
}

// command judges one command.
func (l *logState) command(a *sequencer.Applied, body []byte, o *sequencer.Outcome) {
	w := l.w
	cmd, err := value.DecodeCommand(body)
	if err != nil {
		w.fail(CheckProposed, "slot %d: %v", a.Slot, err)
	}
	done := o.Code == paxos.CodeCommandDone
	switch m := cmd.(type) {
	case *value.Open:
		if !w.check.opens[m.Token] {
			w.fail(CheckProposed, "slot %d: nobody asked for this session", a.Slot)
		}
	case *value.Stable:
		if done {
			w.check.stated(l, m, a.Slot)
			l.stable = max(l.stable, m.Slot)
			w.count("stable")
			if a.Mark {
				w.count("mark")
			}
		}
	case *value.SetMembership:
		l.sent(a, body)
		if done {
			n := m.Membership
			newest := l.members[len(l.members)-1]
			n.Epoch, n.From = newest.Epoch+1, a.Slot+paxos.Slot(l.gen.Window)
			if m.Replaces != newest.Epoch || newest.From > a.Slot {
				w.fail(CheckAgreement, "slot %d replaces membership %d; %d is the newest, from slot %d", a.Slot, m.Replaces, newest.Epoch, newest.From)
			}
			l.members = append(l.members, &n)
			w.count("membership changed")
			w.note("%s: membership %d from slot %d: %s", l.gen.Log, n.Epoch, n.From, memberNames(n.Acceptors))
		}
	case *value.SetKeepers:
		l.sent(a, body)
		if done {
			w.count("keepers changed")
		}
	}
}

func (l *logState) sent(a *sequencer.Applied, body []byte) {
	if !l.w.check.admins[paxos.Sum(body)] {
		l.w.fail(CheckProposed, "slot %d: nobody sent this command", a.Slot)
	}
}

func memberNames(ms []paxos.Member) string {
	s := ""
	for _, m := range ms {
		if s += " " + m.Name; m.Incarnation[15] != 1 {
			s += "#" + decimal(uint64(m.Incarnation[15]))
		}
	}
	return s
}
