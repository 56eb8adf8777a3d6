package proposer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/learner"
	"github.com/paxosd/paxosd/paxos/sequencer"
	"github.com/paxosd/paxosd/paxos/value"
)

// rig holds one proposer, and plays everybody else.
type rig struct {
	t        *testing.T
	gen      *paxos.Genesis
	gens     []*paxos.Genesis
	p        *Proposer
	now      paxos.Instant
	out      Output
	requests uint64
	clients  uint64
	pending  []paxos.Envelope           // requests of the proposer that were not answered
	proposed map[string]paxos.Accept    // its accepts, by slot@ballot
	number   uint64                     // of the newest subscription
	sessions map[string]paxos.SessionID // by name
	written  map[string]uint64          // by store
	beats    []string
	votes    []string
	lines    []string
	timed    bool // stages are shown
}

const ownRun = 7

func (r *rig) wall() paxos.Stamp { return 1_000_000_000_000 + paxos.Stamp(r.now) }

func (r *rig) begin(a args) {
	accs := a.list("acceptors", "a1", "a2", "a3")
	*r = rig{
		t: r.t, gen: testGenesis(uint64(a.num("window", 8)), accs...), now: 1,
		proposed: map[string]paxos.Accept{},
		sessions: map[string]paxos.SessionID{}, written: map[string]uint64{},
	}
	r.gen.Keepers.Members = members(a.list("keepers", "l1", "l2")...)
	r.gen.ValueLimit = uint32(a.num("limit", 1<<16))
	r.beats, r.votes, r.timed = a.list("beats"), a.list("votes"), a.has("timed")
	r.p = New(Config{
		Name: a.str("me", "p1"), Cluster: "c", Version: "v", Run: ownRun, Seed: 1, Proposers: []string{"p1", "p2", "p3"},
		InFlightBytes: a.num("inflight", 0), QueueBytes: a.num("queue", 0), NextRequest: r.next,
		StableBytes: uint64(a.num("stable", 0)), Quiet: a.has("quiet"), AloneBytes: a.num("alone", 0),
	})
	r.add(r.gen, a.list("learners")...)
	for i, name := range a.list("also") {
		g := testGenesis(uint64(a.num("window", 8)), accs...)
		g.ID, g.Log = paxos.GenesisID{9, byte(i)}, name
		r.add(g)
	}
}

func (r *rig) add(g *paxos.Genesis, learners ...string) {
	r.gens = append(r.gens, g)
	l := learner.New(learner.Config{
		Genesis: g, Self: r.p.cfg.Name, Learners: learners, Seed: 1, NextRequest: r.next,
	}, sequencer.New(g))
	if err := r.p.AddLog(r.now, g, l, &r.out); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) next() uint64 { r.requests++; return r.requests }

func (r *rig) group() *group { return r.p.groups.byID[r.gen.ID] }

// deliver hands a message to the proposer.
func (r *rig) deliver(from string, m paxos.Message) { r.deliverEnv(paxos.Envelope{From: from, Msg: m}) }

func (r *rig) deliverEnv(env paxos.Envelope) {
	if env.Log == "" {
		env.Log, env.Genesis = r.gen.Log, r.gen.ID
	}
	r.p.Deliver(r.now, r.wall(), &env, &r.out)
}

func (r *rig) tick(d paxos.Span) {
	for end := r.now.Add(d); r.now < end; {
		r.now = r.now.Add(tickEvery)
		r.p.Tick(r.now, r.wall(), &r.out)
		r.flush()
	}
}

// flush ends turns until nothing follows by itself any more.
func (r *rig) flush() {
	for range 100 {
		r.p.Flush(r.now, r.wall(), &r.out)
		if !r.collect() {
			return
		}
	}
	r.t.Fatal("the proposer never comes to rest")
}

// collect shows what came out, and lets the automatic acceptors answer. It reports whether they did.
func (r *rig) collect() bool {
	envs := slices.Clone(r.out.Now)
	for i := range r.out.Events {
		r.showEvent(&r.out.Events[i])
	}
	for i := range envs {
		r.showEnvelope(&envs[i])
	}
	for _, s := range r.out.Subscribe {
		what := "unsubscribe"
		if s.Start {
			what, r.number = "subscribe", s.Generation
		}
		r.say("%s %s generation %d", what, s.Log, s.Generation)
	}
	for range r.out.NeedCheckpoint {
		r.say("needs a checkpoint")
	}
	r.out.Reset()
	did := false
	for i := range envs {
		did = r.automatic(&envs[i]) || did
	}
	return did
}

func (r *rig) automatic(env *paxos.Envelope) bool {
	did := false
	switch m := env.Msg.(type) {
	case *paxos.Beacon:
		for _, a := range r.beats {
			if env.Reply == "" {
				r.p.Deliver(r.now, r.wall(), &paxos.Envelope{
					Log: paxos.ProcessLog, From: a, Msg: &paxos.Beat{Voter: r.voter(a), Proposer: r.p.cfg.Name, ToRun: ownRun, Number: m.Number},
				}, &r.out)
				did = true
			}
		}
	case *paxos.Accept:
		for _, a := range r.votes {
			r.p.Deliver(r.now, r.wall(), &paxos.Envelope{Log: env.Log, Genesis: env.Genesis, From: a, Msg: &paxos.Learn{
				Voter: r.voter(a), Ballot: m.Ballot, Votes: []paxos.SlotSum{{Slot: m.Slot, Checksum: m.Checksum}},
			}}, &r.out)
			did = true
		}
	}
	return did
}

// voter is an acceptor's or keeper's stanza; its writes go on.
func (r *rig) voter(name string) paxos.Voter {
	r.written[name]++
	return paxos.Voter{Name: name, Incarnation: inc(name, 1), Boot: 1, Run: 1, Written: r.written[name]}
}

func (r *rig) say(format string, a ...any) { r.lines = append(r.lines, fmt.Sprintf(format, a...)) }

func (r *rig) ballot(s string) paxos.Ballot {
	if s == "" || s == "-" {
		return paxos.Ballot{}
	}
	if s == "own" {
		return r.group().lastOwn
	}
	round, name, ok := strings.Cut(s, ".")
	name, run, other := strings.Cut(name, "/") // of another run than the name's usual one
	n, err := strconv.ParseUint(round, 10, 64)
	if err != nil || !ok {
		r.t.Fatalf("ballot %q", s)
	}
	b := paxos.Ballot{Round: n, Proposer: name, Run: 5}
	if name == r.p.cfg.Name {
		b.Run = ownRun
	}
	if other {
		b.Run = r.number64(run)
	}
	return b
}

func (r *rig) showBallot(b paxos.Ballot) string {
	if b.IsZero() {
		return "-"
	}
	s := fmt.Sprintf("%d.%s", b.Round, b.Proposer)
	if want := r.ballot(s).Run; b.Run != want {
		s += fmt.Sprintf("(run %d)", b.Run)
	}
	return s
}

// value makes a value: words are plain entries, ts a term start, noop nothing. An origin may follow after "/".
func (r *rig) value(s string, at paxos.Ballot) []byte {
	text, origin, ok := strings.Cut(s, "/")
	v := value.Value{Origin: at, Stamp: 5}
	if ok {
		v.Origin = r.ballot(origin)
	}
	for _, w := range strings.Split(text, "+") {
		switch {
		case w == "noop":
		case w == "ts":
			v.Items = append(v.Items, value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.TermStart{})})
		case strings.HasPrefix(w, "members-"):
			names := strings.Split(strings.TrimPrefix(w, "members-"), "-")
			n := len(names)
			v.Items = append(v.Items, value.Item{Kind: value.ItemCommand, Body: value.EncodeCommand(nil, &value.SetMembership{
				Replaces: r.group().seq.Newest().Epoch, Membership: paxos.Membership{Acceptors: members(names...), Read: n/2 + 1, Write: n/2 + 1},
			})})
		default:
			b := value.Batch{Count: 1, Plain: true, Frames: value.AppendFrame(nil, nil, []byte(w))}
			v.Items = append(v.Items, value.Item{Kind: value.ItemBatch, Body: value.EncodeBatch(nil, &b)})
		}
	}
	b := value.Encode(nil, &v)
	return b
}

func (r *rig) showValue(b []byte) string {
	v, err := value.Decode(b)
	if err != nil {
		return err.Error()
	}
	words := []string{}
	for _, it := range v.Items {
		words = append(words, r.showItem(it))
	}
	if len(words) == 0 {
		words = []string{"noop"}
	}
	return strings.Join(words, "+") + " by " + r.showBallot(v.Origin)
}

func (r *rig) showItem(it value.Item) string {
	if it.Kind == value.ItemBatch {
		b, err := value.DecodeBatch(it.Body)
		switch {
		case err != nil:
			return err.Error()
		case b.Tail:
			return "tail"
		}
		text := ""
		for f := range value.Frames(b.Frames) {
			text += string(f.Payload)
		}
		if len(text) > 40 {
			text = fmt.Sprintf("%.8s…(%d bytes)", text, len(text))
		}
		return text
	}
	c, err := value.DecodeCommand(it.Body)
	if err != nil {
		return err.Error()
	}
	switch c := c.(type) {
	case *value.TermStart:
		return "ts"
	case *value.Open:
		return "open-" + c.Client
	case *value.Stable:
		names := ""
		for _, m := range c.Keepers {
			names += " " + m.Name
		}
		if c.Mark {
			names += " mark"
		}
		return fmt.Sprintf("stable(%d%s)", c.Slot, names)
	case *value.SetMembership:
		return fmt.Sprintf("members(%d)", len(c.Membership.Acceptors))
	default:
		return fmt.Sprintf("%T", c)
	}
}

var eventNames = map[paxos.EventKind]string{
	paxos.EventPhase: "phase", paxos.EventElection: "election", paxos.EventTermStart: "term start sequenced", paxos.EventResigned: "resigned",
	paxos.EventRetransmit: "retransmit", paxos.EventDropped: "dropped", paxos.EventDiverged: "diverged",
	paxos.EventStable: "stable", paxos.EventAsked: "asks", paxos.EventGenesis: "genesis", paxos.EventExcluded: "excluded",
	paxos.EventFull: "full", paxos.EventClock: "clock", paxos.EventDuplicate: "duplicate",
}

func (r *rig) showEvent(ev *paxos.Event) {
	if r.timed {
		r.showStage(ev)
	}
	name, ok := eventNames[ev.Kind]
	if !ok {
		return
	}
	var b strings.Builder
	b.WriteString("  * " + name)
	if ev.Kind == paxos.EventPhase {
		b.WriteString(" " + paxos.Phase(ev.N).String())
	}
	if ev.Slot != 0 {
		fmt.Fprintf(&b, " slot %d", ev.Slot)
	}
	if !ev.Ballot.IsZero() {
		b.WriteString(" " + r.showBallot(ev.Ballot))
	}
	if ev.Text != "" {
		b.WriteString(": " + strings.ReplaceAll(strings.ReplaceAll(ev.Text, ".p1.7", ".p1"), ".p2.5", ".p2"))
	}
	r.say("%s", b.String())
}

// showStage shows the events that measure.
func (r *rig) showStage(ev *paxos.Event) {
	switch ev.Kind {
	case paxos.EventQueued:
		r.say("  * slot %d left %s after its oldest request arrived", ev.Slot, millis(paxos.Span(ev.N)))
	case paxos.EventVoted:
		r.say("  * slot %d chosen %s later", ev.Slot, millis(paxos.Span(ev.N)))
	case paxos.EventAnswered:
		r.say("  * slot %d answered %s later", ev.Slot, millis(r.now.Sub(paxos.Instant(ev.N))))
	default:
	}
}

func millis(d paxos.Span) string { return fmt.Sprintf("%d ms", d/paxos.Millisecond) }

func (r *rig) showEnvelope(env *paxos.Envelope) {
	log := ""
	if len(r.gens) > 1 && env.Log != paxos.ProcessLog {
		log = env.Log + ": "
	}
	switch m := env.Msg.(type) {
	case *paxos.Prepare:
		r.say("%sprepare %s from %d", log, r.showBallot(m.Ballot), m.From)
	case *paxos.Accept:
		if env.Log == r.gen.Log {
			r.proposed[fmt.Sprintf("%d@%s", m.Slot, r.showBallot(m.Ballot))] = *m
		}
		asks := ""
		if m.Explain {
			asks = ", asks how long votes take"
		}
		if m.Quiet {
			asks += ", quietly"
		}
		r.say("%s%s %s slot %d: %s%s", log, m.Kind(), r.showBallot(m.Ballot), m.Slot, r.showValue(m.Value), asks)
	case *paxos.ChosenMsg:
		with := ""
		for i := range m.Values {
			with += fmt.Sprintf(", %d: %s", m.Values[i].Slot, r.showValue(m.Values[i].Value))
		}
		r.say("%schosen through %d by %s, hash %.8s%s", log, m.Through, r.showBallot(m.Ballot), m.Hash, with)
	case *paxos.Ask:
		r.pend(env)
		what := "ask"
		if m.PromiseOnly {
			what = "ask for the promise of"
		}
		r.say("%s%s %s", log, what, env.To)
	case *paxos.Fetch:
		r.pend(env)
		r.say("%sfetch slots %d-%d from %s", log, m.From, m.To, env.To)
	case *paxos.Ident:
		r.pend(env)
		r.say("ident %s", env.To)
	case *paxos.Beacons:
		r.pend(env)
		r.say("beacons? %s", env.To)
	case *paxos.Beacon:
		r.showBeacon(env, m)
	case *paxos.Leader:
		r.say("%sleader %s, last offset %d", log, r.showBallot(m.Ballot), m.Last)
	case *paxos.BatchAnswer:
		r.showAnswer(log, env, m)
	case *paxos.LiveAnswer:
		r.say("live answer %s: %s", r.showBallot(m.Ballot), m.Phase)
	case *paxos.IdentAnswer:
		r.say("ident answer: %s, %d logs, leads %s", m.Name, len(m.Logs), r.showBallot(m.Logs[0].Leads))
	case *paxos.GenesisMsg:
		r.say("%sjoin: epoch %d has %d acceptors from slot %d", log, m.Membership.Epoch, len(m.Membership.Acceptors), m.Membership.From)
	default:
		r.say("%s%T", log, m)
	}
}

func (r *rig) showBeacon(env *paxos.Envelope, m *paxos.Beacon) {
	words := []string{}
	for _, it := range m.Items {
		w := fmt.Sprintf("%s %s chosen %d stable %d", it.Log, r.showBallot(it.Ballot), it.Chosen, it.Stable)
		if it.Withdrawn {
			w = fmt.Sprintf("%s %s withdrawn", it.Log, r.showBallot(it.Ballot))
		}
		words = append(words, "["+w+"]")
	}
	if m.Over {
		words = append(words, "over")
	}
	if len(words) == 0 && env.Reply == "" {
		return
	}
	if m.Full {
		words = append(words, "full")
	}
	if len(m.Succession) > 0 {
		words = append(words, "succession "+strings.Join(m.Succession, ","))
	}
	r.say("beacon %d %s", m.Number, strings.Join(words, " "))
}

var codeNames = map[paxos.Code]string{
	paxos.CodeAppended: "appended", paxos.CodeDuplicate: "duplicate", paxos.CodeConditionFails: "condition fails", paxos.CodeHole: "hole",
	paxos.CodeTail: "tail", paxos.CodeOpened: "opened", paxos.CodeCommandDone: "done", paxos.CodeCommandRefused: "refused",
	paxos.CodeOverloaded: "overloaded", paxos.CodeTooLarge: "too large", paxos.CodeMalformed: "malformed", paxos.CodeFull: "full",
	paxos.CodeMismatch: "mismatch", paxos.CodeExpired: "expired", paxos.CodeUpgrade: "upgrade",
}

func (r *rig) showAnswer(log string, env *paxos.Envelope, m *paxos.BatchAnswer) {
	s := fmt.Sprintf("%sanswer %s at %s: %s", log, env.Reply, r.showBallot(m.Ballot), codeNames[m.Code])
	switch m.Code {
	case paxos.CodeAppended, paxos.CodeDuplicate:
		s += fmt.Sprintf(" offset %d count %d", m.First, m.Count)
	case paxos.CodeHole:
		s += fmt.Sprintf(", expects %d", m.Number)
	case paxos.CodeTail, paxos.CodeConditionFails:
		s += fmt.Sprintf(", last offset %d", m.Last)
	case paxos.CodeOpened:
		s += " " + m.Session.String()
		r.sessions["s"] = m.Session
	default:
	}
	if m.Text != "" {
		s += ": " + m.Text
	}
	if st := m.Stages; st != nil {
		s += fmt.Sprintf("; arrived %s ago, queued %s, voted %s (synced %s, sync %s), chosen %s ago", millis(paxos.Span(r.wall()-st.Arrived)),
			millis(st.Queued), millis(st.Voted), millis(st.Synced), millis(st.Fsync), millis(st.Answered))
	}
	r.say("%s", s)
}

// pend remembers a request. A newer one to the same process replaces it.
func (r *rig) pend(env *paxos.Envelope) {
	r.pending = append(r.pending, *env)
}

// take returns the newest unanswered request of this kind to that process.
func (r *rig) take(to string, kind paxos.Kind) (paxos.Envelope, bool) {
	for i := len(r.pending) - 1; i >= 0; i-- {
		if e := r.pending[i]; (to == "" || e.To == to) && e.Msg.Kind() == kind {
			r.pending = slices.Delete(r.pending, i, i+1)
			return e, true
		}
	}
	return paxos.Envelope{}, false
}

// takeOldest is take, of the one that was sent first.
func (r *rig) takeOldest(to string, kind paxos.Kind) (paxos.Envelope, bool) {
	i := slices.IndexFunc(r.pending, func(e paxos.Envelope) bool { return e.To == to && e.Msg.Kind() == kind })
	if i < 0 {
		return paxos.Envelope{}, false
	}
	e := r.pending[i]
	r.pending = slices.Delete(r.pending, i, i+1)
	return e, true
}

// args are a command's arguments.
type args struct {
	t     *testing.T
	words []string
	named map[string][]string
}

func (a args) str(key, def string) string {
	if v, ok := a.named[key]; ok {
		return strings.Join(v, ",")
	}
	return def
}

func (a args) num(key string, def int) int {
	s := a.str(key, "")
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		a.t.Fatalf("%s=%s", key, s)
	}
	return n
}

func (a args) list(key string, def ...string) []string {
	if v, ok := a.named[key]; ok {
		return v
	}
	return def
}

func (a args) has(word string) bool { return slices.Contains(a.words, word) }

func (r *rig) command(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	r.t = t
	a := args{t: t, named: map[string][]string{}}
	for _, c := range d.CmdArgs {
		if len(c.Vals) > 0 {
			a.named[c.Key] = c.Vals
		} else {
			a.words = append(a.words, c.Key)
		}
	}
	r.lines = nil
	do, ok := commands[d.Cmd]
	if !ok {
		d.Fatalf(t, "unknown command %s", d.Cmd)
	}
	do(r, a)
	if d.Cmd != "new" && d.Cmd != "hold" {
		r.collect()
	}
	if len(r.lines) == 0 {
		return "nothing\n"
	}
	return strings.Join(r.lines, "\n") + "\n"
}
