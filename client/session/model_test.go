package session_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/client/session"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// modelLog is a slow, obvious sequencer of sessions: docs/protocol.md Q1 and Q2, nothing else.
type modelLog struct {
	slot     paxos.Slot
	last     paxos.Offset
	sessions map[paxos.SessionID]*modelSession
	entries  []string // payload of each first frame, in order of offsets
}

type modelSession struct {
	last     uint64
	outcomes map[uint64]paxos.BatchAnswer
}

func newModelLog() *modelLog { return &modelLog{sessions: make(map[paxos.SessionID]*modelSession)} }

func (l *modelLog) open(m *paxos.Open) paxos.BatchAnswer {
	l.slot++
	id := paxos.SessionID{Slot: l.slot}
	l.sessions[id] = &modelSession{outcomes: make(map[uint64]paxos.BatchAnswer)}
	sum := paxos.Sum(value.EncodeCommand(nil, &value.Open{Client: m.Client, Token: m.Token}))
	return paxos.BatchAnswer{Code: paxos.CodeOpened, Session: id, Checksum: sum}
}

func (l *modelLog) batch(wire []byte) paxos.BatchAnswer {
	b, err := value.DecodeBatch(wire)
	if err != nil {
		panic(err)
	}
	l.slot++
	a := paxos.BatchAnswer{Checksum: b.Checksum}
	s := l.sessions[b.Session]
	switch {
	case s == nil:
		a.Code = paxos.CodeExpired
		return a
	case b.Number <= s.last:
		old := s.outcomes[b.Number]
		if old.Checksum != b.Checksum {
			a.Code = paxos.CodeMismatch
			return a
		}
		if old.Code == paxos.CodeAppended {
			old.Code = paxos.CodeDuplicate
		}
		return old
	case b.Number > s.last+1:
		a.Code, a.Number = paxos.CodeHole, s.last+1
		return a
	case b.HasExpect && b.Expect != l.last:
		a.Code, a.Last = paxos.CodeConditionFails, l.last
	default:
		f, _, err := value.DecodeFrame(b.Frames)
		if err != nil {
			panic(err)
		}
		a.Code, a.First, a.Count = paxos.CodeAppended, l.last+1, b.Count
		l.entries = append(l.entries, string(f.Payload))
		l.last++
	}
	s.last = b.Number
	s.outcomes[b.Number] = a
	return a
}

// world is one session, a log, proposers that come and go, and a network that loses, repeats and reorders.
type world struct {
	t       *rapid.T
	now     paxos.Instant
	s       *session.Session
	out     session.Output
	log     *modelLog
	request uint64

	leaders  []*modelLeader
	round    uint64
	requests []session.Send // on their way
	answers  []modelAnswer
	// The broker repeats nothing. If it did, one copy of a request could be appended and another be refused, and no client could
	// tell: in a run whose network repeats requests "refused" is not held against the session. All else is.
	repeats bool
	orphans []session.Send // proposed by leaders that died: they may still be chosen, unanswered

	wires     map[string]string // what was first sent under each number
	submitted []string
	done      []session.Done
	calm      bool
}

type modelLeader struct {
	ballot paxos.Ballot
	queue  []session.Send
}

type modelAnswer struct {
	request uint64
	a       paxos.BatchAnswer
	none    bool // a 503
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, now: 1, log: newModelLog(), wires: make(map[string]string)}
	w.repeats = rapid.Bool().Draw(t, "repeats")
	w.s = session.New(session.Config{
		Client: "model", Seed: rapid.Uint64().Draw(t, "seed"), Window: rapid.IntRange(1, 8).Draw(t, "window"),
		NextRequest: func() uint64 { w.request++; return w.request },
	})
	return w
}

// carry does what the session asks for.
func (w *world) carry() {
	for _, x := range w.out.Sends {
		w.identical(x)
		w.t.Logf("%d: send %d at %v %s", w.now, x.Request, ballotOf(x), entryOf(x))
	}
	for _, d := range w.out.Done {
		w.t.Logf("%d: done %d %v %+v", w.now, d.Tag, d.Class, d.Answer)
	}
	w.requests = append(w.requests, w.out.Sends...)
	w.done = append(w.done, w.out.Done...)
	w.out.Reset()
}

func (w *world) submit() {
	if w.s.Room() == 0 {
		return
	}
	tag := uint64(len(w.submitted))
	p := fmt.Sprintf("e%d", tag)
	var deadline paxos.Instant
	if !w.calm && rapid.IntRange(0, 3).Draw(w.t, "deadline") == 0 {
		deadline = w.now.Add(paxos.Span(rapid.IntRange(1, 800).Draw(w.t, "within")) * paxos.Millisecond)
	}
	in := session.Batch{Tag: tag, Deadline: deadline, Value: value.Batch{Count: 1, Frames: value.AppendFrame(nil, nil, []byte(p))}}
	if !w.s.Submit(w.now, in, &w.out) {
		w.t.Fatal("no room, though there was")
	}
	w.submitted = append(w.submitted, p)
	w.carry()
}

// arrive delivers request i to every leader that takes it, or meets a 503. With keep, a copy stays on its way.
func (w *world) arrive(i int, keep bool) {
	r := w.requests[i]
	if !keep {
		w.requests = append(w.requests[:i:i], w.requests[i+1:]...)
	}
	if len(w.leaders) == 0 {
		w.answers = append(w.answers, modelAnswer{request: r.Request, none: true})
		return
	}
	for _, l := range w.leaders {
		if b := ballotOf(r); b.IsZero() || b == l.ballot {
			l.queue = append(l.queue, r)
		}
	}
}

// identical holds resends to the first send of their number, byte for byte.
func (w *world) identical(x session.Send) {
	m, ok := x.Msg.(*paxos.Batch)
	if !ok {
		return
	}
	b, err := value.DecodeBatch(m.Batch)
	if err != nil {
		w.t.Fatal(err)
	}
	key := fmt.Sprint(b.Session, b.Number, b.HasExpect)
	if first, ok := w.wires[key]; ok && first != string(m.Batch) {
		w.t.Fatalf("number %d of session %v was sent with two contents", b.Number, b.Session)
	}
	w.wires[key] = string(m.Batch)
}

func entryOf(s session.Send) string {
	m, ok := s.Msg.(*paxos.Batch)
	if !ok {
		return "open"
	}
	b, err := value.DecodeBatch(m.Batch)
	if err != nil {
		return err.Error()
	}
	if b.HasExpect {
		return fmt.Sprintf("filler for %d in %v", b.Number, b.Session)
	}
	f, _, _ := value.DecodeFrame(b.Frames)
	return fmt.Sprintf("%s as %d in %v", f.Payload, b.Number, b.Session)
}

func ballotOf(s session.Send) paxos.Ballot {
	switch m := s.Msg.(type) {
	case *paxos.Batch:
		return m.Ballot
	case *paxos.Open:
		return m.Ballot
	}
	panic("no such send")
}

func (w *world) sequence(s session.Send) paxos.BatchAnswer {
	w.t.Logf("%d: sequence %d", w.now, s.Request)
	switch m := s.Msg.(type) {
	case *paxos.Batch:
		return w.log.batch(m.Batch)
	case *paxos.Open:
		return w.log.open(m)
	}
	panic("no such send")
}

// lead lets leader l propose the oldest request of its queue and answer it.
func (w *world) lead(l *modelLeader, answer bool) {
	r := l.queue[0]
	l.queue = l.queue[1:]
	a := w.sequence(r)
	a.Ballot = l.ballot
	if answer {
		w.answers = append(w.answers, modelAnswer{request: r.Request, a: a})
	}
}

// refuse lets leader l refuse the oldest request of its queue.
func (w *world) refuse(l *modelLeader, code paxos.Code) {
	r := l.queue[0]
	l.queue = l.queue[1:]
	sum := paxos.Checksum(0)
	switch m := r.Msg.(type) {
	case *paxos.Batch:
		b, _ := value.DecodeBatch(m.Batch)
		sum = b.Checksum
	case *paxos.Open:
		sum = paxos.Sum(value.EncodeCommand(nil, &value.Open{Client: m.Client, Token: m.Token}))
	}
	w.answers = append(w.answers, modelAnswer{request: r.Request, a: paxos.BatchAnswer{Code: code, Ballot: l.ballot, Checksum: sum}})
}

// stand makes a new leader. With two leaders the older one is deposed and does not know it yet.
func (w *world) stand(announce bool) {
	w.round++
	l := &modelLeader{ballot: paxos.Ballot{Round: w.round, Proposer: "p", Run: 1}}
	w.leaders = append(w.leaders, l)
	if len(w.leaders) > 2 {
		w.fall(0)
	}
	if announce {
		w.s.OnLeader(w.now, l.ballot, &w.out)
		w.carry()
	}
}

// fall ends leader i. What it had proposed may be chosen yet, answered by nobody.
func (w *world) fall(i int) {
	w.orphans = append(w.orphans, w.leaders[i].queue...)
	w.leaders = append(w.leaders[:i:i], w.leaders[i+1:]...)
}

// hear delivers answer i.
func (w *world) hear(i int, keep bool) {
	m := w.answers[i]
	w.t.Logf("%d: answer to %d: none %v code %d of %v", w.now, m.request, m.none, m.a.Code, m.a.Ballot)
	if !keep {
		w.answers = append(w.answers[:i:i], w.answers[i+1:]...)
	}
	if m.none {
		w.s.OnNoResponders(w.now, m.request, &w.out)
	} else if !w.s.OnAnswer(w.now, m.request, &m.a, &w.out) {
		w.t.Fatalf("an honest answer was taken for a foreign one: %+v", m)
	}
	w.carry()
}

func (w *world) tick(ms int) {
	w.now = w.now.Add(paxos.Span(ms) * paxos.Millisecond)
	w.s.Tick(w.now, &w.out)
	w.carry()
}

// expire ends every session.
func (w *world) expire() { clear(w.log.sessions) }

// step does one random thing.
func (w *world) step() {
	pick := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(w.t, what) }
	switch what := pick(16, "what"); {
	case what < 3:
		w.submit()
	case what < 6 && len(w.requests) > 0:
		w.arrive(pick(min(len(w.requests), 3), "request"), w.repeats && pick(8, "twice") == 0)
	case what == 6 && len(w.requests) > 0:
		w.requests = w.requests[1:]
	case what < 10 && len(w.leaders) > 0:
		if l := w.leaders[pick(len(w.leaders), "leader")]; len(l.queue) > 0 {
			w.lead(l, pick(8, "answered") > 0)
		}
	case what < 12 && len(w.answers) > 0:
		w.hear(pick(min(len(w.answers), 3), "answer"), pick(8, "twice") == 0)
	case what == 12:
		w.rare(pick)
	case what == 13 && len(w.orphans) > 0:
		i := pick(len(w.orphans), "orphan")
		w.sequence(w.orphans[i])
		w.orphans = append(w.orphans[:i:i], w.orphans[i+1:]...)
	default:
		w.tick(pick(150, "ms"))
	}
}

func (w *world) rare(pick func(int, string) int) {
	codes := []paxos.Code{paxos.CodeOverloaded, paxos.CodeFull, paxos.CodeUnknown, paxos.CodeTooLarge}
	switch pick(9, "rare") {
	case 0, 1:
		w.stand(pick(4, "announced") > 0)
	case 2:
		if len(w.leaders) > 0 {
			w.fall(pick(len(w.leaders), "leader"))
		}
	case 3:
		w.expire()
	case 4, 5:
		if len(w.leaders) > 0 {
			if l := w.leaders[pick(len(w.leaders), "leader")]; len(l.queue) > 0 {
				w.refuse(l, codes[pick(len(codes), "code")])
			}
		}
	case 6:
		w.s.OnConnection(w.now, false, &w.out)
		w.carry()
	case 7:
		w.s.OnConnection(w.now, true, &w.out)
		w.carry()
	case 8:
		if n := len(w.submitted); n > 0 {
			w.s.Abandon(w.now, uint64(pick(n, "abandoned")), &w.out)
			w.carry()
		}
	}
}

// heal leaves one leader and a network that delivers, and waits until every batch is done.
func (w *world) heal() {
	w.calm = true
	w.s.OnConnection(w.now, true, &w.out)
	w.carry()
	w.stand(true)
	for len(w.leaders) > 1 {
		w.fall(0)
	}
	for range 2000 {
		if w.s.Unanswered() == 0 {
			return
		}
		for len(w.requests) > 0 {
			w.arrive(0, false)
		}
		for len(w.leaders[0].queue) > 0 {
			w.lead(w.leaders[0], true)
		}
		for len(w.answers) > 0 {
			w.hear(0, false)
		}
		w.tick(20)
	}
	w.t.Fatalf("%d of %d batches are done, %d unsettled, after healing", len(w.done), len(w.submitted), w.s.Unanswered())
}

// drain lets everything that is still on its way take effect: what was refused must not appear even then.
func (w *world) drain() {
	for _, r := range append(w.orphans, w.requests...) {
		w.sequence(r)
	}
}

func (w *world) check() {
	at := make(map[string]paxos.Offset)
	previous := -1
	for i, p := range w.log.entries {
		if o, twice := at[p]; twice {
			w.t.Fatalf("%s is in the log twice, at %d and %d", p, o, i+1)
		}
		at[p] = paxos.Offset(i + 1)
		var tag int
		if _, err := fmt.Sscanf(p, "e%d", &tag); err != nil {
			w.t.Fatal(err)
		}
		if tag < previous {
			w.t.Fatalf("%s is in the log after e%d", p, previous)
		}
		previous = tag
	}
	if len(w.done) != len(w.submitted) {
		w.t.Fatalf("%d results for %d batches", len(w.done), len(w.submitted))
	}
	for i, d := range w.done {
		if d.Tag != uint64(i) {
			w.t.Fatalf("result %d is of batch %d", i, d.Tag)
		}
		switch o, in := at[w.submitted[i]]; {
		case d.Class == session.Appended && (!in || d.Answer.First != o):
			w.t.Fatalf("batch %d was acknowledged at %d, and is at %d", i, d.Answer.First, o)
		case d.Class == session.Refused && in && !w.repeats:
			w.t.Fatalf("batch %d was refused, and is at %d", i, o)
		case d.Class == 0 || d.Class > session.Unknown:
			w.t.Fatalf("batch %d has no class", i)
		}
	}
}
