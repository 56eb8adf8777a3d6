package sequencer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/quorum"
	"github.com/paxosd/paxosd/paxos/value"
)

// oracle is the Sequencer's slow, obvious twin: it keeps the whole history in slices and maps, looks everything up from
// the start, and says each rule of PROTOCOL section 4 in the words of the rule. It shares no code with the Sequencer but
// the decoders' types.
type oracle struct {
	g       *paxos.Genesis
	slot    paxos.Slot
	hash    [32]byte
	last    paxos.Offset
	stamps  []paxos.Stamp
	terms   []oracleTerm
	used    []*oracleSession // least recently used first; those that ended are gone
	ids     []oracleID       // every id ever recorded
	members []paxos.Membership
	keepers paxos.Keepers
	stable  paxos.Slot
	hashAt  paxos.Hash
	stated  map[paxos.Member]bool
	kept    paxos.Offset // retention
}

type oracleTerm struct {
	slot   paxos.Slot
	ballot paxos.Ballot
}

type oracleSession struct {
	id       paxos.SessionID
	outcomes []oracleOutcome // of numbers 1, 2, …; all of them
}

type oracleOutcome struct {
	sum   paxos.Checksum
	code  paxos.Code
	first paxos.Offset
	count uint32
	last  paxos.Offset
}

type oracleID struct {
	id    string
	first paxos.Offset
	count uint32
}

// oracleItem is an item as the history's author meant it.
type oracleItem struct {
	batch   *value.Batch
	command value.Command
}

func newOracle(g *paxos.Genesis) *oracle {
	return &oracle{
		g: g, hash: sha256.Sum256(value.EncodeGenesis(g)), members: []paxos.Membership{g.Membership}, keepers: g.Keepers,
		stated: map[paxos.Member]bool{},
	}
}

// term is the highest-ballot term start in a slot below t.
func (o *oracle) term(t paxos.Slot) (b paxos.Ballot) {
	for _, x := range o.terms {
		if x.slot < t && b.Less(x.ballot) {
			b = x.ballot
		}
	}
	return b
}

func (o *oracle) stamp() (highest paxos.Stamp) {
	for _, x := range o.stamps {
		highest = max(highest, x)
	}
	return highest
}

// at is M(t), or nil while it is undefined.
func (o *oracle) at(t paxos.Slot) (m *paxos.Membership) {
	if t == 0 || t > o.slot+paxos.Slot(o.g.Window) {
		return nil
	}
	for i := range o.members {
		if o.members[i].From <= t {
			m = &o.members[i]
		}
	}
	return m
}

// remembered is the memberships that govern a slot above the stable mark.
func (o *oracle) remembered() (ms []paxos.Membership) {
	for i, m := range o.members {
		if i+1 == len(o.members) || o.members[i+1].From-1 > o.stable {
			ms = append(ms, m)
		}
	}
	return ms
}

// oracleApplied is what the twins must agree on.
type oracleApplied struct {
	outcomes  []Outcome
	hash      [32]byte
	mark      bool
	chosen    *paxos.Membership
	termStart paxos.Ballot
}

func (o *oracle) apply(origin paxos.Ballot, stamp paxos.Stamp, items []oracleItem, raw []byte) (a oracleApplied) {
	t := o.slot + 1
	o.stamps = append(o.stamps, stamp)
	dropped := origin.Less(o.term(t))
	for i, it := range items {
		out := Outcome{Item: i, Kind: value.ItemCommand}
		if it.batch != nil {
			b := it.batch
			out.Kind, out.Session, out.Number = value.ItemBatch, b.Session, b.Number
			out.Checksum, out.Plain, out.MessageID = b.Checksum, b.Plain, b.MessageID != ""
		} else {
			out.Command = it.command.Kind()
		}
		switch {
		case dropped:
			out.Code = paxos.CodeDropped
			out.Last = o.last
		case it.batch != nil:
			o.batch(it.batch, &out)
		default:
			o.command(t, origin, it.command, &out, &a)
			out.Last = o.last
		}
		a.outcomes = append(a.outcomes, out)
	}
	o.slot = t
	o.chain(raw, &a)
	return a
}

func (o *oracle) batch(b *value.Batch, out *Outcome) {
	out.Last = o.last
	var sess *oracleSession
	if b.Session.Slot != 0 {
		i := slices.IndexFunc(o.used, func(s *oracleSession) bool { return s.id == b.Session })
		if i < 0 {
			out.Code = paxos.CodeExpired
			return
		}
		sess = o.used[i]
		o.used = append(slices.Delete(o.used, i, i+1), sess)
		last, f := len(sess.outcomes), int(o.g.Outcomes)
		n := int(b.Number)
		switch {
		case n > last+f:
			out.Code, out.Expected = paxos.CodeHoleFar, uint64(last+1)
			return
		case n > last+1:
			out.Code, out.Expected = paxos.CodeHole, uint64(last+1)
			return
		case n <= last-f:
			out.Code = paxos.CodeForgotten
			return
		case n <= last && sess.outcomes[n-1].sum != b.Checksum:
			out.Code = paxos.CodeMismatch
			return
		case n <= last:
			k := sess.outcomes[n-1]
			out.Code, out.First, out.Count, out.Last = k.code, k.first, k.count, k.last
			if out.Code == paxos.CodeAppended {
				out.Code = paxos.CodeDuplicate
			}
			return
		}
	}
	o.fresh(b, out)
	if sess != nil {
		sess.outcomes = append(sess.outcomes, oracleOutcome{b.Checksum, out.Code, out.First, out.Count, out.Last})
	}
}

func (o *oracle) fresh(b *value.Batch, out *Outcome) {
	newest := o.ids[max(0, len(o.ids)-int(o.g.MessageIDs)):]
	for _, x := range newest {
		if b.MessageID != "" && x.id == b.MessageID {
			out.Code, out.First, out.Count = paxos.CodeDuplicate, x.first, x.count
			return
		}
	}
	if b.HasExpect && b.Expect != o.last {
		out.Code = paxos.CodeConditionFails
		return
	}
	if b.Tail {
		out.Code = paxos.CodeTail
		return
	}
	out.Code, out.First, out.Count = paxos.CodeAppended, o.last+1, b.Count
	o.last += paxos.Offset(b.Count)
	out.Last = o.last
	if b.MessageID != "" {
		o.ids = append(o.ids, oracleID{b.MessageID, out.First, out.Count})
	}
}

func (o *oracle) command(t paxos.Slot, origin paxos.Ballot, c value.Command, out *Outcome, a *oracleApplied) {
	out.Code = paxos.CodeCommandDone
	ok := true
	switch c := c.(type) {
	case *value.Open:
		out.Code, out.Session = paxos.CodeOpened, paxos.SessionID{Slot: t, Place: uint32(out.Item)}
		if o.used = append(o.used, &oracleSession{id: out.Session}); len(o.used) > int(o.g.Sessions) {
			o.used = o.used[1:]
		}
	case *value.TermStart:
		if o.term(t + 1).Less(origin) {
			out.Code, a.termStart = paxos.CodeTermStart, origin
			o.terms = append(o.terms, oracleTerm{t, origin})
		}
	case *value.Stable:
		if ok = o.mayState(t, c); ok {
			if c.Slot != o.stable {
				o.stated = map[paxos.Member]bool{}
			}
			for _, m := range c.Keepers {
				o.stated[m] = true
			}
			o.stable, o.hashAt = c.Slot, c.Hash
			a.mark = a.mark || c.Mark
		}
	case *value.SetMembership:
		m := c.Membership
		newest := o.members[len(o.members)-1]
		m.Epoch, m.From = newest.Epoch+1, t+paxos.Slot(o.g.Window)
		ok = c.Replaces == newest.Epoch && newest.From <= t && len(o.remembered()) < maxMemberships &&
			quorum.Validate(&m) == nil && o.keepers.K >= m.Write && (o.keepers.K >= 2 || len(m.Acceptors) == 1)
		if ok {
			o.members = append(o.members, m)
			a.chosen = &m
		}
	case *value.SetKeepers:
		if ok = o.mayKeep(c); ok {
			epoch := o.keepers.Epoch
			o.keepers = c.Keepers
			o.keepers.Epoch = epoch + 1
			for m := range o.stated {
				if !slices.Contains(o.keepers.Members, m) {
					delete(o.stated, m)
				}
			}
		}
	case *value.SetLevel:
		ok = false // there is no second level yet
	case *value.Retain:
		if ok = c.Through > o.kept && c.Through <= o.last; ok {
			o.kept = c.Through
		}
	}
	if !ok {
		out.Code = paxos.CodeCommandRefused
	}
}

func (o *oracle) mayState(t paxos.Slot, c *value.Stable) bool {
	distinct := map[paxos.Member]bool{}
	names := []string{}
	for _, m := range c.Keepers {
		if !slices.Contains(o.keepers.Members, m) {
			return false
		}
		distinct[m] = true
		names = append(names, m.Name)
	}
	return c.Slot >= 1 && c.Slot < t && c.Slot >= o.stable && (c.Slot != o.stable || c.Hash == o.hashAt) &&
		len(distinct) == len(c.Keepers) && len(distinct) >= o.keepers.K && sort.StringsAreSorted(names)
}

func (o *oracle) mayKeep(c *value.SetKeepers) bool {
	if c.Replaces != o.keepers.Epoch {
		return false
	}
	for _, m := range o.remembered() {
		if quorum.ValidateKeepers(&c.Keepers, &m) != nil {
			return false
		}
	}
	rest := 0
	for m := range o.stated {
		if slices.Contains(c.Keepers.Members, m) {
			rest++
		}
	}
	return o.stable == 0 || rest >= c.Keepers.K
}

func put(b *bytes.Buffer, xs ...any) {
	for _, x := range xs {
		if s, ok := x.(string); ok {
			b.WriteString(s)
			continue
		}
		if err := binary.Write(b, binary.LittleEndian, x); err != nil {
			panic(err)
		}
	}
}

// chain is the running hash as docs/protocol.md, section 8, has it.
func (o *oracle) chain(raw []byte, a *oracleApplied) {
	var b bytes.Buffer
	put(&b, o.hash, o.slot, sha256.Sum256(raw), o.stamp())
	for _, x := range a.outcomes {
		put(&b, x.Code, x.Session.Slot, x.Session.Place, x.Number, x.First, x.Count)
	}
	if a.mark {
		put(&b, sha256.Sum256(o.state()))
	}
	o.hash = sha256.Sum256(b.Bytes())
	a.hash = o.hash
}

// state is the canonical encoding, from the layout in state.go.
func (o *oracle) state() []byte {
	var b bytes.Buffer
	list := func(ms []paxos.Member) {
		put(&b, uint8(len(ms)))
		for _, m := range ms {
			put(&b, uint8(len(m.Name)), m.Name, m.Incarnation)
		}
	}
	term := o.term(o.slot + 1)
	put(&b, uint8(1), o.slot, o.last, o.stamp(), o.g.Level, term.Round, term.Run, uint8(len(term.Proposer)), term.Proposer, o.kept)
	put(&b, o.stable, o.hashAt)
	var record []paxos.Member
	for m := range o.stated {
		record = append(record, m)
	}
	sort.Slice(record, func(i, j int) bool { return record[i].Name < record[j].Name })
	list(record)
	put(&b, o.keepers.Epoch, uint8(o.keepers.K))
	list(o.keepers.Members)
	put(&b, uint8(len(o.remembered())))
	for _, m := range o.remembered() {
		put(&b, m.Epoch, m.From, uint8(m.Read), uint8(m.Write))
		list(m.Acceptors)
	}
	put(&b, uint32(len(o.used)))
	for _, s := range o.used {
		ks := s.outcomes[max(0, len(s.outcomes)-int(o.g.Outcomes)):]
		put(&b, s.id.Slot, s.id.Place, uint64(len(s.outcomes)), uint32(len(ks)))
		for _, k := range ks {
			put(&b, k.sum, k.code, k.first, k.count, k.last)
		}
	}
	newest := o.ids[max(0, len(o.ids)-int(o.g.MessageIDs)):]
	put(&b, uint32(len(newest)))
	for _, x := range newest {
		put(&b, uint16(len(x.id)), x.id, x.first, x.count)
	}
	return b.Bytes()
}
