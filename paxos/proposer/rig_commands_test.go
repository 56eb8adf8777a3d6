package proposer

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

var commands = map[string]func(r *rig, a args){
	"new":          (*rig).begin,
	"auto":         (*rig).auto,
	"tick":         func(r *rig, a args) { r.tick(paxos.Span(r.number64(a.words[0])) * paxos.Millisecond) },
	"flush":        func(r *rig, _ args) { r.flush() },
	"lead":         (*rig).lead,
	"gone":         func(r *rig, a args) { r.answerAsk(a, paxos.GoneSilent) },
	"alive":        func(r *rig, a args) { r.answerAsk(a, paxos.NotGone) },
	"none":         (*rig).none,
	"promise":      (*rig).promise,
	"refuse":       (*rig).refuse,
	"vote":         (*rig).vote,
	"accept":       (*rig).accept,
	"beacon":       (*rig).beacon,
	"beat":         (*rig).beat,
	"fetched":      (*rig).fetched,
	"append":       (*rig).append,
	"batch":        (*rig).batch,
	"open":         (*rig).open,
	"tail":         (*rig).tail,
	"admin":        (*rig).admin,
	"ident-answer": (*rig).identAnswer,
	"subscribed":   func(r *rig, _ args) { r.p.OnSubscribed(r.gen.Log, r.number, &r.out); r.flush() },
	"unsubscribed": func(r *rig, _ args) { r.p.OnUnsubscribed(r.gen.Log, r.number, &r.out); r.flush() },
	"report":       (*rig).report,
	"connection":   func(r *rig, a args) { r.p.OnConnection(r.now, a.has("up"), &r.out) },
	"handover":     func(r *rig, _ args) { r.p.HandOver(r.now, r.wall(), &r.out); r.flush() },
	"live":         (*rig).live,
	"beacons":      (*rig).beacons,
	"ident":        func(r *rig, _ args) { r.ask(&paxos.Ident{}) },
	"foreign":      (*rig).foreign,
	"status":       (*rig).status,
}

func millisecond(n int) paxos.Span { return paxos.Span(n) * paxos.Millisecond }

func (r *rig) number64(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		r.t.Fatalf("number %q", s)
	}
	return n
}

func (r *rig) auto(a args) {
	r.beats, r.votes = a.list("beats", r.beats...), a.list("votes", r.votes...)
}

// lead takes a fresh standby to a subscribed leader, quietly.
func (r *rig) lead(a args) {
	from := a.list("from", "a1", "a2")
	kept := r.votes
	r.votes = from
	r.beats = a.list("beats", "a1", "a2", "a3")
	for range 100 {
		if r.group().phase.public() == paxos.PhaseCandidate {
			break
		}
		r.tick(tickEvery)
		for _, n := range from {
			r.answerAsk(args{t: r.t, words: []string{n}}, paxos.GoneNoPromise)
		}
	}
	for _, g := range r.gens {
		for _, n := range from {
			r.p.Deliver(r.now, r.wall(), &paxos.Envelope{Log: g.Log, Genesis: g.ID, From: n, Msg: &paxos.Promise{
				Voter: r.voter(n), Ballot: r.p.groups.byID[g.ID].lastOwn, From: r.group().next(), To: paxos.MaxSlot,
			}}, &r.out)
		}
	}
	r.flush()
	for _, g := range r.p.groups.list {
		r.p.OnSubscribed(g.log, g.phase.(*leader).generation, &r.out)
	}
	r.flush()
	r.votes = kept
	r.lines = nil
	r.pending = nil
	r.say("leads at %s, next slot %d", r.showBallot(r.group().lastOwn), r.group().next())
}

func (r *rig) answerAsk(a args, gone paxos.GoneReason) {
	for _, n := range a.words {
		for {
			take := r.take
			if a.has("late") {
				take = r.takeOldest
			}
			q, ok := take(n, paxos.KindAsk)
			if !ok {
				break
			}
			m := &paxos.AskAnswer{
				Voter: r.voter(n), Gone: gone, Promised: r.ballot(a.str("promised", "")), Trimmed: paxos.Slot(a.num("t", 0)),
				Clock: r.wall() + paxos.Stamp(a.num("clock", 0))*paxos.Stamp(paxos.Millisecond), State: paxos.LogLive,
			}
			if a.has("retired") {
				m.State = paxos.LogRetired
			}
			if v := a.num("inc", 1); v != 1 {
				m.Incarnation = inc(n, byte(v))
			}
			r.p.Deliver(r.now, r.wall(), &paxos.Envelope{Log: q.Log, Genesis: q.Genesis, From: n, Request: q.Request, Msg: m}, &r.out)
			if a.has("late") {
				break // the oldest question only
			}
		}
	}
	r.flush()
}

func (r *rig) none(a args) {
	pending := r.pending
	r.pending = nil
	for i := range pending {
		if to := a.str("to", ""); to != "" && pending[i].To != to {
			r.pending = append(r.pending, pending[i])
			continue
		}
		r.p.Deliver(r.now, r.wall(), &paxos.Envelope{Request: pending[i].Request, Msg: &paxos.NoResponders{}}, &r.out)
	}
	r.flush()
}

// votesIn reads slot@ballot=value arguments.
func (r *rig) votesIn(a args) []paxos.VoteValue {
	var vs []paxos.VoteValue
	for slot := paxos.Slot(0); slot < 2000; slot++ {
		for k, v := range a.named {
			s, b, ok := strings.Cut(k, "@")
			if !ok || paxos.Slot(r.number64(s)) != slot {
				continue
			}
			x := r.value(v[0], r.ballot(b))
			vs = append(vs, paxos.VoteValue{
				VoteInfo: paxos.VoteInfo{Slot: slot, Ballot: r.ballot(b), Checksum: paxos.Sum(x), Bytes: uint32(len(x))}, Value: x,
			})
		}
	}
	return vs
}

func (r *rig) store(a args) paxos.Voter {
	v := r.voter(a.words[0])
	if n := a.num("inc", 1); n != 1 {
		v.Incarnation = inc(a.words[0], byte(n))
	}
	v.Boot = uint64(a.num("boot", int(v.Boot)))
	v.Run = uint64(a.num("run", int(v.Run)))
	v.Written = uint64(a.num("written", int(v.Written)))
	return v
}

func (r *rig) promise(a args) {
	m := &paxos.Promise{
		Voter: r.store(a), Ballot: r.ballot(a.str("ballot", "own")), From: paxos.Slot(a.num("from", 1)), To: paxos.MaxSlot,
		Trimmed: paxos.Slot(a.num("t", 0)),
	}
	if n := a.num("to", 0); n != 0 {
		m.To = paxos.Slot(n)
	}
	for _, v := range r.votesIn(a) {
		m.Votes = append(m.Votes, v.VoteInfo)
	}
	r.deliver(m.Name, m)
	r.flush()
}

func (r *rig) refuse(a args) {
	why := map[string]paxos.RefuseReason{
		"ballot": paxos.RefusedBallot, "trimmed": paxos.RefusedTrimmed, "full": paxos.RefusedFull,
		"retired": paxos.RefusedRetired, "round": paxos.RefusedRound,
	}[a.str("why", "ballot")]
	of := paxos.KindPrepare
	if a.str("of", "prepare") == "accept" {
		of = paxos.KindAccept
	}
	m := &paxos.Refuse{
		Voter: r.store(a), Of: of, Refused: r.ballot(a.str("refused", "own")), Slot: paxos.Slot(a.num("slot", 0)), Reason: why,
		Promised: r.ballot(a.str("promised", "")), Trimmed: paxos.Slot(a.num("t", 0)),
	}
	r.deliver(m.Name, m)
	r.flush()
}

// vote votes for what was proposed in a slot, or for what is named.
func (r *rig) vote(a args) {
	b := r.ballot(a.str("ballot", "own"))
	for _, w := range a.words[1:] {
		slot := paxos.Slot(r.number64(w))
		m, ok := r.proposed[fmt.Sprintf("%d@%s", slot, r.showBallot(b))]
		if !ok {
			r.t.Fatalf("nothing was proposed in slot %d at %s", slot, r.showBallot(b))
		}
		learn := &paxos.Learn{
			Voter: r.store(a), Ballot: b, Votes: []paxos.SlotSum{{Slot: slot, Checksum: m.Checksum}},
		}
		if ms := a.num("synced", 0); ms != 0 {
			learn.Times = []paxos.VoteTime{{Slot: slot, Synced: millisecond(ms), Fsync: millisecond(a.num("fsync", 0))}}
		}
		r.deliver(a.words[0], learn)
	}
	for _, v := range r.votesIn(a) {
		r.deliver(a.words[0], &paxos.Learn{
			Voter: r.store(a), Ballot: v.Ballot, Votes: []paxos.SlotSum{{Slot: v.Slot, Checksum: v.Checksum}},
		})
	}
	r.flush()
}

func (r *rig) accept(a args) {
	b := r.ballot(a.words[0])
	v := r.value(a.words[2], b)
	m := &paxos.Accept{Ballot: b, Slot: paxos.Slot(r.number64(a.words[1])), Checksum: paxos.Sum(v), Value: v}
	r.proposed[fmt.Sprintf("%d@%s", m.Slot, r.showBallot(b))] = *m
	r.deliver(b.Proposer, m)
	r.flush()
}

func (r *rig) beacon(a args) {
	m := &paxos.Beacon{
		Proposer: a.words[0], Run: uint64(a.num("run", 5)), Number: uint64(a.num("n", 1)), Full: a.has("full"), Over: a.has("over"),
		Clock: r.wall(), Succession: a.list("succession"),
	}
	item := func(b string) paxos.BeaconItem {
		it := paxos.BeaconItem{Log: r.gen.Log, Genesis: r.gen.ID, Ballot: r.ballot(b), Chosen: paxos.Slot(a.num("chosen", 0))}
		it.Ballot.Run = m.Run
		if h, ok := r.group().learner.HashAt(it.Chosen); ok {
			it.ChosenHash = h
		}
		return it
	}
	if b := a.str("leads", ""); b != "" {
		m.Items = append(m.Items, item(b))
	}
	if b := a.str("withdrawn", ""); b != "" {
		it := item(b)
		it.Withdrawn = true
		m.Items = append(m.Items, it)
	}
	env := paxos.Envelope{Log: paxos.ProcessLog, From: m.Proposer, Msg: m}
	if a.has("answer") {
		q, ok := r.take(m.Proposer, paxos.KindBeacons)
		if !ok {
			r.t.Fatal("nobody asked for the full list")
		}
		env.Request = q.Request
	}
	r.p.Deliver(r.now, r.wall(), &env, &r.out)
	r.flush()
}

func (r *rig) beat(a args) {
	m := &paxos.Beat{
		Voter: r.store(a), Proposer: r.p.cfg.Name, ToRun: ownRun, Number: r.p.beacon.number, Clock: r.wall(), Full: a.has("full"),
	}
	m.Number = uint64(a.num("n", int(m.Number)))
	if b := a.str("promised", ""); b != "" {
		m.Differs = append(m.Differs, paxos.BeatItem{Log: r.gen.Log, Genesis: r.gen.ID, Promised: r.ballot(b)})
	}
	r.p.Deliver(r.now, r.wall(), &paxos.Envelope{Log: paxos.ProcessLog, From: m.Name, Msg: m}, &r.out)
	r.flush()
}

func (r *rig) fetched(a args) {
	q, ok := r.take(a.words[0], paxos.KindFetch)
	if !ok {
		r.t.Fatalf("nothing was fetched from %s", a.words[0])
	}
	f := q.Msg.(*paxos.Fetch)
	r.deliverEnv(paxos.Envelope{From: a.words[0], Request: q.Request, Msg: &paxos.VotesAnswer{
		Voter: r.store(a), From: f.From, To: f.To, Trimmed: paxos.Slot(a.num("t", 0)), Votes: r.votesIn(a),
	}})
	r.flush()
}

// request sends a client's request by the newest subscription, without ending the turn if hold is given.
func (r *rig) request(a args, msg func(generation uint64) paxos.Message) {
	r.clients++
	on := r.p.groups.byLog[a.str("on", r.gen.Log)]
	g := r.number
	if ld, ok := on.phase.(*leader); ok {
		g = ld.generation
	}
	if a.str("gen", "") != "" {
		g = uint64(a.num("gen", 0))
	}
	env := paxos.Envelope{
		Log: on.log, Genesis: on.id, Reply: a.str("reply", fmt.Sprintf("c%d", r.clients)), Request: r.clients, Msg: msg(g),
	}
	if ms := a.num("waited", 0); ms != 0 {
		env.Arrived = r.now.Add(-millisecond(ms))
	}
	r.deliverEnv(env)
	if !a.has("hold") {
		r.flush()
	}
}

func (r *rig) append(a args) {
	text := a.words[0]
	if n := a.num("bytes", 0); n > 0 {
		text = strings.Repeat(text, n)[:n]
	}
	r.request(a, func(g uint64) paxos.Message {
		m := &paxos.Append{Payload: []byte(text), Generation: g, MessageID: a.str("id", "")}
		if e := a.str("expect", ""); e != "" {
			m.HasExpect, m.Expect = true, paxos.Offset(r.number64(e))
		}
		return m
	})
}

func (r *rig) batch(a args) {
	text := a.words[0]
	if n := a.num("bytes", 0); n > 0 {
		text = strings.Repeat(text, n)[:n]
	}
	b := value.Batch{Session: r.sessions["s"], Number: uint64(a.num("number", 1)), Count: 1, Frames: value.AppendFrame(nil, nil, []byte(text))}
	if a.has("nosession") {
		b.Session, b.Number = paxos.SessionID{}, 0
	}
	if n := a.num("count", 1); n != 1 {
		b.Count = uint32(n)
	}
	body := value.EncodeBatch(nil, &b)
	if a.has("garbled") {
		body[len(body)-1] ^= 1
	}
	r.request(a, func(g uint64) paxos.Message {
		return &paxos.Batch{Ballot: r.ballot(a.str("ballot", "")), Batch: body, Generation: g, Explain: a.has("explain")}
	})
}

func (r *rig) tail(a args) {
	b := value.Batch{Tail: true}
	body := value.EncodeBatch(nil, &b)
	r.request(a, func(g uint64) paxos.Message { return &paxos.Batch{Batch: body, Generation: g} })
}

func (r *rig) open(a args) {
	r.request(a, func(g uint64) paxos.Message {
		return &paxos.Open{Ballot: r.ballot(a.str("ballot", "")), Client: a.words[0], Token: uint64(a.num("token", 1)), Generation: g}
	})
}

func (r *rig) admin(a args) {
	var c value.Command
	switch a.words[0] {
	case "members":
		names := a.list("set")
		n := len(names)
		c = &value.SetMembership{
			Replaces:   r.group().seq.Newest().Epoch,
			Membership: paxos.Membership{Acceptors: members(names...), Read: n/2 + 1, Write: n/2 + 1},
		}
	case "stable":
		c = &value.Stable{Slot: 1, Keepers: members("l1", "l2")}
	case "ts":
		c = &value.TermStart{}
	case "level":
		c = &value.SetLevel{Level: uint32(a.num("to", 1))}
	case "retain":
		c = &value.Retain{Through: 1}
	}
	r.request(a, func(g uint64) paxos.Message { return &paxos.Admin{Command: value.EncodeCommand(nil, c), Generation: g} })
}

func (r *rig) identAnswer(a args) {
	for _, n := range a.words {
		q, ok := r.take(n, paxos.KindIdent)
		if !ok {
			r.t.Fatalf("%s was not asked", n)
		}
		r.p.Deliver(r.now, r.wall(), &paxos.Envelope{Log: paxos.ProcessLog, From: n, Request: q.Request, Msg: &paxos.IdentAnswer{
			Name: n, Role: paxos.RoleAcceptor, Cluster: "c", Incarnation: inc(n, byte(a.num("inc", 1))),
		}}, &r.out)
	}
	r.flush()
}

func (r *rig) report(a args) {
	n := paxos.Slot(a.num("n", 0))
	h, ok := r.group().learner.HashAt(n)
	if !ok {
		h = r.hashOf(n)
	}
	if a.str("hash", "") == "bad" {
		h[0] ^= 1
	}
	r.deliver(a.words[0], &paxos.Report{Voter: r.store(a), Slot: n, Hash: h, Start: paxos.Slot(a.num("start", 1))})
	r.flush()
}

// hashOf is the running hash at slot n, if what is proposed at the own ballot gets chosen.
func (r *rig) hashOf(n paxos.Slot) paxos.Hash {
	seq := sequencer.New(r.gen)
	for t := paxos.Slot(1); t <= n; t++ {
		m, ok := r.proposed[fmt.Sprintf("%d@%s", t, r.showBallot(r.group().lastOwn))]
		if !ok {
			return paxos.Hash{1}
		}
		if _, err := seq.Apply(t, m.Value); err != nil {
			r.t.Fatal(err)
		}
	}
	return seq.Hash()
}

// ask sends a request of another process.
func (r *rig) ask(m paxos.Message) {
	env := paxos.Envelope{Reply: "q", Request: 1, Msg: m}
	switch m.(type) {
	case *paxos.Live:
		env.Log = r.gen.Log
	default:
		env.Log = paxos.ProcessLog
	}
	r.p.Deliver(r.now, r.wall(), &env, &r.out)
}

func (r *rig) live(a args) { r.ask(&paxos.Live{Ballot: r.ballot(a.words[0])}) }

func (r *rig) beacons(_ args) { r.ask(&paxos.Beacons{Run: ownRun}) }

// foreign lets an acceptor speak for another genesis of the same log.
func (r *rig) foreign(_ args) {
	r.deliverEnv(paxos.Envelope{Log: r.gen.Log, Genesis: paxos.GenesisID{66}, From: "a1", Msg: &paxos.Learn{Ballot: r.ballot("1.p2")}})
	r.flush()
}

func (r *rig) status(_ args) {
	st := r.group().status()
	r.say("%s %s through %d stable %d told %d open %d queued %d in flight %d seen %s", st.Phase, r.showBallot(st.Ballot),
		st.Through, st.Stable, st.Trimmed, st.Open, st.Queued, st.InFlight, r.showBallot(st.Seen))
}
