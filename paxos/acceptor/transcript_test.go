package acceptor

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// transcript runs testdata/name: commands in, and, line by line, what the acceptor puts out:
//
//	write …   a record; it is applied at once, and durable after the command, or after "sync" in a lazy rig
//	read …    a read asked of the store; "read" answers the oldest
//	now …     an envelope that may leave at once
//	then …    an envelope that left after a sync
//	note …    an event
//	stop …    the process must end
//	panic …   a broken invariant of its own state ended the process
func transcript(t *testing.T, name string) {
	t.Helper()
	s := &script{t: t, names: map[paxos.Checksum]string{}}
	datadriven.RunTest(t, filepath.Join("testdata", name), s.run)
}

// script is a rig that speaks text.
type script struct {
	t       *testing.T
	rig     *rig
	lazy    bool
	last    uint64 // number of the newest request that left
	names   map[paxos.Checksum]string
	replies int
	looked  *ReadResult
}

func (s *script) run(t *testing.T, d *datadriven.TestData) (res string) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *paxos.Violation:
			res = "panic " + v.Text + "\n"
		default:
			panic(v)
		}
	}()
	var b strings.Builder
	switch d.Cmd {
	case "start":
		logs := "main"
		d.MaybeScanArgs(t, "logs", &logs)
		if logs == "none" {
			s.rig = newRig(t)
		} else {
			s.rig = newRig(t, strings.Split(logs, ",")...)
		}
		s.lazy = d.HasArg("lazy")
	case "sync":
		envs := s.rig.sync()
		var took int64
		d.MaybeScanArgs(t, "took", &took)
		for i := range envs {
			if m, ok := envs[i].Msg.(*paxos.Learn); ok {
				paxos.SetSynced(m, s.rig.now, paxos.Span(took)*paxos.Millisecond)
			}
		}
		s.left(&b, envs)
	case "crash":
		s.rig.start()
		s.state(&b)
	case "state":
		s.state(&b)
	case "read":
		n := 1
		d.MaybeScanArgs(t, "times", &n)
		for range n {
			if len(s.rig.reads) == 0 {
				t.Fatalf("%s: no read is under way", d.Pos)
			}
			q := s.rig.reads[0]
			s.rig.reads = s.rig.reads[1:]
			res := s.looked
			if s.looked = nil; res == nil {
				res = s.rig.applied.scan(&q)
			}
			s.step(&b, func(out *Output) { s.rig.a.OnRead(s.rig.now, res, out) })
		}
	case "look": // the store looks for the oldest read; what happens then it does not see
		s.looked = s.rig.applied.scan(&s.rig.reads[0])
	case "tick":
		var ms int64
		d.ScanArgs(t, "ms", &ms)
		s.rig.now = s.rig.now.Add(paxos.Span(ms) * paxos.Millisecond)
		s.step(&b, func(out *Output) { s.rig.a.Tick(s.rig.now, paxos.Stamp(s.rig.now), out) })
	case "full":
		s.step(&b, func(out *Output) { s.rig.a.SetFull(d.HasArg("on"), out) })
	case "retire":
		var epoch uint64
		d.ScanArgs(t, "epoch", &epoch)
		s.step(&b, func(out *Output) { s.rig.a.Retire(s.rig.now, paxos.GenesisID{1}, paxos.Epoch(epoch), out) })
	case "votes": // a vote in each slot of a range, one turn
		var from, to uint64
		d.ScanArgs(t, "from", &from)
		d.ScanArgs(t, "to", &to)
		s.step(&b, func(out *Output) {
			for n := from; n <= to; n++ {
				env := s.accept(d, paxos.Slot(n))
				s.rig.a.Deliver(s.rig.now, &env, out)
			}
		})
		if d.HasArg("quiet") {
			return ""
		}
	default:
		env := s.message(d)
		s.step(&b, func(out *Output) { s.rig.a.Deliver(s.rig.now, &env, out) })
	}
	return b.String()
}

// step runs a step of the core and prints what came out.
func (s *script) step(b *strings.Builder, f func(out *Output)) {
	out := s.rig.step(f)
	for i := range out.Records {
		fmt.Fprintf(b, "write %s\n", s.record(&out.Records[i]))
	}
	for _, q := range out.Reads {
		fmt.Fprintf(b, "read %s %s values=%t\n", q.Log, span(q.From, q.To), q.Values)
	}
	for _, env := range out.Now {
		fmt.Fprintf(b, "now %s\n", s.envelope(&env))
		s.last = env.Request
	}
	if !s.lazy {
		s.left(b, s.rig.sync())
	}
	for _, e := range out.Events {
		switch e.Kind {
		case paxos.EventDropped, paxos.EventFull, paxos.EventExcluded:
			fmt.Fprintf(b, "note %s %d\n", strings.TrimSpace(e.Text), e.N)
		default:
		}
	}
	if out.Stop != "" {
		fmt.Fprintf(b, "stop %s\n", out.Stop)
	}
}

func (s *script) left(b *strings.Builder, envs []paxos.Envelope) {
	for _, env := range envs {
		fmt.Fprintf(b, "then %s\n", s.envelope(&env))
	}
}

func (s *script) state(b *strings.Builder) {
	for _, l := range s.rig.a.Logs() {
		fmt.Fprintf(b, "%s %s promised=%s T=%d highest=%d\n", l.Log, l.State, name(l.Promised), l.Trimmed, l.HighestVoted)
	}
}

// message builds the message that a command describes.
func (s *script) message(d *datadriven.TestData) paxos.Envelope {
	str := func(key, def string) string { d.MaybeScanArgs(s.t, key, &def); return def }
	num := func(key string, def uint64) uint64 { d.MaybeScanArgs(s.t, key, &def); return def }
	id, log := byte(num("id", 1)), str("log", "main")
	request := func(from string, m paxos.Message) paxos.Envelope {
		s.replies++
		env := about(id, log, from, m)
		env.To, env.Request, env.Reply = "a1", uint64(s.replies), fmt.Sprint("reply", s.replies)
		return env
	}
	switch d.Cmd {
	case "prepare":
		b := s.ballot(str("b", ""))
		return about(id, log, str("by", b.Proposer), &paxos.Prepare{Ballot: b, From: paxos.Slot(num("from", 1))})
	case "accept":
		return s.accept(d, paxos.Slot(num("slot", 0)))
	case "fetch":
		return request("l1", &paxos.Fetch{
			What: paxos.FetchVotes, From: paxos.Slot(num("from", 1)), To: paxos.Slot(num("to", 0)), MaxBytes: uint32(num("bytes", 1<<20)),
		})
	case "ask":
		by := str("by", "p2")
		return request(by, &paxos.Ask{Asker: by, Run: num("run", 1), PromiseOnly: d.HasArg("promise-only")})
	case "live":
		phase := map[string]paxos.Phase{"leader": paxos.PhaseLeader, "candidate": paxos.PhaseCandidate}[str("phase", "standby")]
		b := s.ballot(str("b", ""))
		return paxos.Envelope{Log: log, Genesis: paxos.GenesisID{id}, From: b.Proposer, Request: s.last, Msg: &paxos.LiveAnswer{
			Name: b.Proposer, Run: num("run", b.Run), Ballot: b, Phase: phase,
		}}
	case "503":
		return paxos.Envelope{Request: s.last, Msg: &paxos.NoResponders{}}
	case "ident":
		by := str("by", "p1")
		env := request(by, &paxos.Ident{Asker: by, Incarnation: paxos.Incarnation{byte(num("inc", 0))}, Boot: num("boot", 1), Run: num("run", 1)})
		env.Log, env.Genesis = paxos.ProcessLog, paxos.GenesisID{}
		return env
	case "beacon":
		return s.beacon(d, str("p", "p1"), num("run", 1), num("n", 1))
	case "genesis":
		return s.genesis(str("step", ""), id, log, str("inc", "a1"))
	default:
		d.Fatalf(s.t, "unknown command")
	}
	return paxos.Envelope{}
}

func (s *script) accept(d *datadriven.TestData, t paxos.Slot) paxos.Envelope {
	str := func(key, def string) string { d.MaybeScanArgs(s.t, key, &def); return def }
	b := s.ballot(str("b", ""))
	text := str("value", "v"+strconv.FormatUint(uint64(t), 10))
	v := batchValue(s.ballot(str("origin", name(b))), text)
	if d.HasArg("command") {
		v = commandValue(s.ballot(str("origin", name(b))), text)
	}
	s.names[paxos.Sum(v)] = text
	env := about(1, str("log", "main"), str("by", b.Proposer), &paxos.Accept{Ballot: b, Slot: t, Checksum: paxos.Sum(v), Value: v})
	if str("log", "main") == "other" {
		env.Genesis = paxos.GenesisID{2}
	}
	if m, ok := env.Msg.(*paxos.Accept); ok {
		m.Explain = d.HasArg("explain")
	}
	if ms, err := strconv.ParseInt(str("waited", ""), 10, 64); err == nil {
		env.Arrived = s.rig.now.Add(-paxos.Span(ms) * paxos.Millisecond)
	}
	return env
}

// beacon reads items of the form "main 3.p1 stable=10 withdrawn", one a line.
func (s *script) beacon(d *datadriven.TestData, p string, run, n uint64) paxos.Envelope {
	m := &paxos.Beacon{Proposer: p, Run: run, Number: n, Full: d.HasArg("full"), Over: d.HasArg("over")}
	for line := range strings.Lines(d.Input) {
		f := strings.Fields(line)
		it := paxos.BeaconItem{Log: f[0], Genesis: paxos.GenesisID{1}, Ballot: s.ballot(f[1])}
		for _, x := range f[2:] {
			switch k, v, _ := strings.Cut(x, "="); k {
			case "stable":
				u, _ := strconv.ParseUint(v, 10, 64)
				it.Stable = paxos.Slot(u)
			case "id":
				u, _ := strconv.ParseUint(v, 10, 8)
				it.Genesis = paxos.GenesisID{byte(u)}
			case "withdrawn":
				it.Withdrawn = true
			}
		}
		m.Items = append(m.Items, it)
	}
	env := beacon(m)
	if d.HasArg("answer") {
		env.Request = s.last
	}
	return env
}

func (s *script) genesis(step string, id byte, log, inc string) paxos.Envelope {
	steps := map[string]paxos.GenesisStep{
		"prepare": paxos.GenesisPrepare, "go-live": paxos.GenesisGoLive, "abort": paxos.GenesisAbort, "join": paxos.GenesisJoin,
	}
	g := testGenesis(log, id)
	m := &paxos.GenesisMsg{Step: steps[step], ID: g.ID, Sender: "p1"}
	u, _ := strconv.ParseUint(strings.TrimLeft(inc, "ab"), 16, 8)
	switch step {
	case "join":
		ms := g.Membership
		g.Membership.Acceptors = append([]paxos.Member{{Name: "a0", Incarnation: paxos.Incarnation{0xa0}}}, g.Membership.Acceptors[1:]...)
		ms.Epoch, ms.From = 2, 100
		m.Membership = &ms
	default:
		g.Membership.Acceptors[0].Incarnation = paxos.Incarnation{0xa0 + byte(u)}
	}
	m.Record = value.EncodeGenesis(g)
	return about(id, log, "p1", m)
}

// ballot reads "round.proposer" or "round.proposer.run"; the run is 1 unless given.
func (s *script) ballot(text string) paxos.Ballot {
	if text == "" || text == "-" {
		return paxos.Ballot{}
	}
	f := strings.Split(text, ".")
	round, err := strconv.ParseUint(f[0], 10, 64)
	if err != nil || len(f) < 2 {
		s.t.Fatalf("ballot %q", text)
	}
	b := bal(round, f[1])
	if len(f) > 2 {
		b.Run, _ = strconv.ParseUint(f[2], 10, 64)
	}
	return b
}

// name writes a ballot as ballot reads it.
func name(b paxos.Ballot) string {
	switch {
	case b.IsZero():
		return "-"
	case b.Run == 1:
		return fmt.Sprintf("%d.%s", b.Round, b.Proposer)
	}
	return fmt.Sprintf("%d.%s.%d", b.Round, b.Proposer, b.Run)
}

func span(from, to paxos.Slot) string {
	if to == paxos.MaxSlot {
		return fmt.Sprintf("[%d,inf)", from)
	}
	return fmt.Sprintf("[%d,%d]", from, to)
}

func (s *script) record(r *paxos.Record) string {
	switch r.Kind {
	case paxos.RecordState:
		return fmt.Sprintf("state %s %x %s epoch=%d", r.Log, r.Genesis[0], r.State, r.Epoch)
	case paxos.RecordPromise:
		return fmt.Sprintf("promise %s", name(r.Ballot))
	case paxos.RecordVote:
		return fmt.Sprintf("vote %d %s %s", r.Slot, name(r.Ballot), s.names[r.Checksum])
	case paxos.RecordTrim:
		return fmt.Sprintf("trim %d", r.Slot)
	default:
		return fmt.Sprintf("record %d", r.Kind)
	}
}

var goneWords = [...]string{"not-gone", "no-responders", "no-longer", "silent", "no-promise", "candidate"}

func (s *script) envelope(env *paxos.Envelope) string {
	switch m := env.Msg.(type) {
	case *paxos.Promise:
		line := fmt.Sprintf("promise %s %s T=%d:", name(m.Ballot), span(m.From, m.To), m.Trimmed)
		if len(m.Votes) > 12 {
			return fmt.Sprintf("%s %d votes, slots %d-%d", line, len(m.Votes), m.Votes[0].Slot, m.Votes[len(m.Votes)-1].Slot)
		}
		for _, v := range m.Votes {
			line += fmt.Sprintf(" %d@%s=%s", v.Slot, name(v.Ballot), s.names[v.Checksum])
		}
		return line
	case *paxos.Refuse:
		return fmt.Sprintf("refuse %s %s slot=%d: %s; promised=%s T=%d epoch=%d",
			m.Of, name(m.Refused), m.Slot, refusals[m.Reason], name(m.Promised), m.Trimmed, m.Epoch)
	case *paxos.Learn:
		line := fmt.Sprintf("learn %s %s:", env.Log, name(m.Ballot))
		for _, v := range m.Votes {
			line += fmt.Sprintf(" %d=%s", v.Slot, s.names[v.Checksum])
		}
		for _, v := range m.Times {
			line += fmt.Sprintf("; slot %d took %d ms, %d of them the sync", v.Slot, v.Synced/paxos.Millisecond, v.Fsync/paxos.Millisecond)
		}
		return line
	case *paxos.Beat:
		line := fmt.Sprintf("beat %s.%d n=%d full=%t", m.Proposer, m.ToRun, m.Number, m.Full)
		for _, v := range m.Differs {
			line += fmt.Sprintf(" differs:%s=%s", v.Log, name(v.Promised))
		}
		return line
	case *paxos.AskAnswer:
		return fmt.Sprintf("answer %s to %s: %s promised=%s T=%d %s epoch=%d",
			env.Reply, env.To, goneWords[m.Gone], name(m.Promised), m.Trimmed, m.State, m.Epoch)
	case *paxos.Live:
		return fmt.Sprintf("live? %s.%d at %s", env.To, env.ToRun, name(m.Ballot))
	case *paxos.Beacons:
		return fmt.Sprintf("beacons? %s.%d", env.To, env.ToRun)
	case *paxos.VotesAnswer:
		line := fmt.Sprintf("votes %s %s T=%d:", env.Reply, span(m.From, m.To), m.Trimmed)
		for _, v := range m.Votes {
			line += fmt.Sprintf(" %d@%s=%s(%d bytes)", v.Slot, name(v.Ballot), s.names[v.Checksum], len(v.Value))
		}
		return line
	case *paxos.IdentAnswer:
		line := fmt.Sprintf("ident %s %s %x boot=%d", env.Reply, m.Name, m.Incarnation[0], m.Boot)
		for _, l := range m.Logs {
			line += fmt.Sprintf(" %s:%x:%s:T=%d", l.Log, l.Genesis[0], l.State, l.Through)
		}
		return line
	case *paxos.GenesisMsg:
		words := map[paxos.GenesisStep]string{
			paxos.GenesisPrepared: "prepared", paxos.GenesisIsLive: "is-live", paxos.GenesisAborted: "aborted", paxos.GenesisRefused: "refused",
		}
		return fmt.Sprintf("genesis %s %s %x: %s, holds %x", words[m.Step], env.Log, m.ID[0], m.State, m.Holds[0])
	default:
		return m.Kind().String()
	}
}
