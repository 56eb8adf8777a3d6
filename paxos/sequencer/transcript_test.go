package sequencer

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

// Transcripts: slots in, what became of their items out, readable by a person (go test -rewrite writes the answers anew).
//
//	new [window=N] [sessions=N] [outcomes=N] [ids=N]     a fresh log: acceptors a, b, c; keepers l1, l2 with k=2
//	slot [at=ROUND] [stamp=N]                            the next slot, first composed at a ballot; an item a line:
//	    open | term | level N | retain N
//	    batch s=SLOT/PLACE n=N count=N [id=x] [expect=N] [body=x]
//	    plain [id=x] [expect=N] [body=x]
//	    tail
//	    stable N by=l1,l2 [hash=N] [mark]                hash N stands for a hash; without it, N's own
//	    members replaces=EPOCH a,b,c [r=N w=N]           majorities, unless said otherwise
//	    keepers replaces=EPOCH k=N l1,l2,l3              a name followed by ' is another incarnation of it
//	noops until=SLOT                                     no-ops, until that slot is the next
//	membership SLOT …                                    who governs it
//	maygo NAME …                                         may this acceptor be retired?
//	restore                                              go on from the newest mark's checkpoint, and replay what followed
//
// The rules are in docs/protocol.md; each function below names its own, and its schedule.

// TestQ1Sessions: sessions begin with an open command, whose place is the id; an unknown id is "expired, outcome unknown"; they end
// by count, least recently used in log order. The schedule: an expired producer's resend of its first batch would look new,
// appended twice.
func TestQ1Sessions(t *testing.T) { transcript(t, "q1_sessions") }

// TestQ2Outcomes: the last F outcomes are kept and repeated; holes consume nothing, everything else does; the same number with
// another checksum is an error; the order of checks is origin, number, id, condition.
func TestQ2Outcomes(t *testing.T) { transcript(t, "q2_outcomes") }

// TestQ3Conditions: a condition is judged at the batch's own place in the slot's list, after those before it.
func TestQ3Conditions(t *testing.T) { transcript(t, "q3_conditions") }

// TestQ4MessageIDs: one id stands for a whole batch; the last N by log order are known; a refused batch records none.
func TestQ4MessageIDs(t *testing.T) { transcript(t, "q4_message_ids") }

// TestQ5Stamps: stamps never go back.
func TestQ5Stamps(t *testing.T) { transcript(t, "q5_stamps") }

// TestQ7Membership: a membership command names the epoch that it replaces, and is refused unless that is the newest chosen
// and in force; it governs from its slot + α on. The schedule is P1's: M1={a,b,c}, M2={a,d,e}, α=10, change at 100.
func TestQ7Membership(t *testing.T) { transcript(t, "q7_membership") }

// TestP2MembershipUndefined: M(t) is undefined until every slot <= t-α is sequenced.
func TestP2MembershipUndefined(t *testing.T) { transcript(t, "p2_undefined") }

// TestP6TermStarts: what was composed below the highest term start in a lower slot is dropped, as if absent. The schedule: one plain
// request reaches L1@5, deposed, and L2@6, which chooses it in 101; P3@7 adopts L1's value in 105: appended twice from one publish.
func TestP6TermStarts(t *testing.T) { transcript(t, "p6_term_starts") }

// TestK2Stable: the stable mark moves only forward, by k keepers of the set, below the command's own slot.
func TestK2Stable(t *testing.T) { transcript(t, "k2_stable") }

// TestK3Keepers: keepers change at once, by epoch; nobody leaves unless k of the rest are on record at the stable mark; the same
// mark may be stated again with more keepers.
func TestK3Keepers(t *testing.T) { transcript(t, "k3_keepers") }

// TestMarks: a log goes on from a mark's checkpoint as from its beginning, hash by hash.
func TestMarks(t *testing.T) { transcript(t, "marks") }

func transcript(t *testing.T, name string) {
	s := &script{}
	datadriven.RunTest(t, filepath.Join("testdata", "transcripts", name+".txt"), s.run)
}

type script struct {
	r      *rig
	values [][]byte
	mark   *Applied
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	num := func(key string, def int) int {
		d.MaybeScanArgs(t, key, &def)
		return def
	}
	switch d.Cmd {
	case "new":
		g := testGenesis()
		g.Window, g.Sessions = uint64(num("window", 10)), uint32(num("sessions", 3))
		g.Outcomes, g.MessageIDs = uint32(num("outcomes", 4)), uint32(num("ids", 4))
		*s = script{r: newRigOf(t, g)}
		return ""
	case "slot":
		v := value.Value{Origin: ballot(uint64(num("at", 1))), Stamp: paxos.Stamp(num("stamp", 0))}
		for line := range strings.Lines(d.Input) {
			v.Items = append(v.Items, parseItem(t, strings.Fields(line)))
		}
		return s.apply(t, &v)
	case "noops":
		for until := paxos.Slot(num("until", 0)); s.r.seq.Next() < until; {
			s.apply(t, &value.Value{Origin: ballot(1)})
		}
		return fmt.Sprintf("through slot %d", s.r.seq.Through())
	case "membership":
		return s.memberships(t, d.CmdArgs)
	case "maygo":
		var b strings.Builder
		for _, a := range d.CmdArgs {
			fmt.Fprintf(&b, "%s: %t\n", a.Key, s.r.seq.MayGo(parseMembers(a.Key)[0]))
		}
		return b.String()
	case "restore":
		return s.restore(t)
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

func (s *script) apply(t *testing.T, v *value.Value) string {
	t.Helper()
	raw := value.Encode(nil, v)
	a, err := s.r.seq.Apply(s.r.seq.Next(), raw)
	if err != nil {
		return "error: " + err.Error()
	}
	s.values = append(s.values, raw)
	if a.Mark {
		s.mark = &a
	}
	var b strings.Builder
	fmt.Fprintf(&b, "slot %d: last %d, stamp %d", a.Slot, a.Last, a.Stamp)
	if a.Stable > 0 {
		fmt.Fprintf(&b, ", stable %d", a.Stable)
	}
	if !a.TermStart.IsZero() {
		fmt.Fprintf(&b, ", term %d", a.TermStart.Round)
	}
	if a.Mark {
		b.WriteString(", mark")
	}
	b.WriteString("\n")
	for i := range a.Outcomes {
		fmt.Fprintf(&b, "  %s\n", tell(&a.Outcomes[i]))
	}
	if m := a.Membership; m != nil {
		fmt.Fprintf(&b, "  chosen: %s\n", tellMembership(m))
	}
	return b.String()
}

func (s *script) memberships(t *testing.T, args []datadriven.CmdArg) string {
	t.Helper()
	var b strings.Builder
	for _, a := range args {
		n, err := strconv.ParseUint(a.Key, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		says := "undefined"
		if m, ok := s.r.seq.MembershipAt(paxos.Slot(n)); ok {
			says = tellMembership(m)
		}
		fmt.Fprintf(&b, "%d: %s\n", n, says)
	}
	b.WriteString("in force:")
	for _, m := range s.r.seq.InForce() {
		fmt.Fprintf(&b, " %d", m.Epoch)
	}
	return b.String() + "\n"
}

func (s *script) restore(t *testing.T) string {
	t.Helper()
	seq, err := Restore(s.r.g, s.mark.Slot, s.mark.Hash, s.mark.State)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range s.values[s.mark.Slot:] {
		if _, err := seq.Apply(seq.Next(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if seq.Hash() != s.r.seq.Hash() || seq.Through() != s.r.seq.Through() {
		return "differs"
	}
	s.r.seq = seq
	return fmt.Sprintf("from the mark in slot %d to slot %d: same hash", s.mark.Slot, seq.Through())
}

func parseItem(t *testing.T, words []string) value.Item {
	t.Helper()
	args, bare := map[string]string{}, []string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			bare = append(bare, w)
		}
	}
	num := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		return n
	}
	opt := func(key string, def uint64) uint64 {
		if s, ok := args[key]; ok {
			return num(s)
		}
		return def
	}
	switch words[0] {
	case "open":
		return commandItem(&value.Open{Client: "c"})
	case "term":
		return commandItem(&value.TermStart{})
	case "level":
		return commandItem(&value.SetLevel{Level: uint32(num(bare[0]))})
	case "retain":
		return commandItem(&value.Retain{Through: paxos.Offset(num(bare[0]))})
	case "stable":
		n := num(bare[0])
		return commandItem(&value.Stable{
			Slot: paxos.Slot(n), Hash: paxos.Hash{uint8(opt("hash", n))}, Keepers: parseMembers(args["by"]), Mark: len(bare) > 1,
		})
	case "members":
		m := paxos.Membership{Acceptors: parseMembers(bare[0])}
		half := uint64(len(m.Acceptors)/2 + 1)
		m.Read, m.Write = int(opt("r", half)), int(opt("w", half))
		return commandItem(&value.SetMembership{Replaces: paxos.Epoch(opt("replaces", 0)), Membership: m})
	case "keepers":
		k := paxos.Keepers{Members: parseMembers(bare[0]), K: int(opt("k", 0))}
		return commandItem(&value.SetKeepers{Replaces: paxos.Epoch(opt("replaces", 0)), Keepers: k})
	}
	b := value.Batch{MessageID: args["id"], Plain: words[0] == "plain", Count: uint32(opt("count", 0)), Number: opt("n", 0)}
	if b.Plain {
		b.Count = 1
	}
	if at, place, ok := strings.Cut(args["s"], "/"); ok {
		b.Session = paxos.SessionID{Slot: paxos.Slot(num(at)), Place: uint32(num(place))}
	}
	if _, b.HasExpect = args["expect"]; b.HasExpect {
		b.Expect = paxos.Offset(num(args["expect"]))
	}
	for range b.Count {
		b.Frames = value.AppendFrame(b.Frames, nil, []byte(args["body"]))
	}
	return batchItem(b)
}

// parseMembers reads names; a name followed by ' is another incarnation.
func parseMembers(s string) (ms []paxos.Member) {
	for name := range strings.SplitSeq(s, ",") {
		first, other := strings.CutSuffix(name, "'")
		if other {
			ms = append(ms, member(first, 2))
		} else if name != "" {
			ms = append(ms, member(name, 1))
		}
	}
	return ms
}

func tellMembership(m *paxos.Membership) string {
	names := make([]string, len(m.Acceptors))
	for i := range m.Acceptors {
		names[i] = m.Acceptors[i].Name
	}
	return fmt.Sprintf("epoch %d from slot %d: %s, R=%d W=%d", m.Epoch, m.From, strings.Join(names, ","), m.Read, m.Write)
}

func tell(o *Outcome) string {
	entries := fmt.Sprintf("%d-%d", o.First, o.First+paxos.Offset(o.Count)-1)
	switch o.Code {
	case paxos.CodeAppended:
		return "appended " + entries
	case paxos.CodeDuplicate:
		return "duplicate of " + entries
	case paxos.CodeConditionFails:
		return fmt.Sprintf("condition fails: last is %d", o.Last)
	case paxos.CodeHole:
		return fmt.Sprintf("hole: expected %d", o.Expected)
	case paxos.CodeHoleFar:
		return fmt.Sprintf("far hole: expected %d", o.Expected)
	case paxos.CodeForgotten:
		return "duplicate, outcome no longer kept"
	case paxos.CodeMismatch:
		return "same number, another checksum"
	case paxos.CodeExpired:
		return "session expired, outcome unknown"
	case paxos.CodeTail:
		return fmt.Sprintf("tail: last is %d", o.Last)
	case paxos.CodeOpened:
		return "opened " + o.Session.String()
	case paxos.CodeCommandDone:
		return "done"
	case paxos.CodeCommandRefused:
		return "refused: " + o.Text
	case paxos.CodeDropped:
		return "dropped"
	case paxos.CodeTermStart:
		return "term begins"
	default:
		return fmt.Sprintf("code %d", o.Code)
	}
}
