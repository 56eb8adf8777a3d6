package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/paxosd/paxosd/client/session"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

var codes = map[string]paxos.Code{
	"appended": paxos.CodeAppended, "duplicate": paxos.CodeDuplicate, "condition": paxos.CodeConditionFails, "hole": paxos.CodeHole,
	"holefar": paxos.CodeHoleFar, "forgotten": paxos.CodeForgotten, "mismatch": paxos.CodeMismatch, "expired": paxos.CodeExpired,
	"opened": paxos.CodeOpened, "overloaded": paxos.CodeOverloaded, "toolarge": paxos.CodeTooLarge, "unknown": paxos.CodeUnknown,
	"notleader": paxos.CodeNotLeader, "full": paxos.CodeFull,
}

func codeWord(c paxos.Code) string {
	for w, x := range codes {
		if x == c {
			return w
		}
	}
	return "none"
}

// script runs one session by hand. Times are in milliseconds since the beginning.
type script struct {
	s       *session.Session
	out     session.Output
	now     paxos.Instant
	request uint64
	sums    map[uint64]paxos.Checksum
	b       strings.Builder
}

// TestTranscripts reads like a conversation: what the owner tells the session, and what the session asks for.
//
//	new [window=N] [stop]              begin
//	submit TAG [within=MS]             give a batch; it holds one entry, the tag
//	leader ROUND                       that leader announces itself
//	answer REQUEST CODE [from=ROUND] [at=OFFSET] [want=NUMBER]
//	503 REQUEST                        the broker delivered it to nobody
//	foreign REQUEST                    somebody else answered
//	wait MS                            time passes, in steps at which the session wants to be woken
//	cut / reconnect                    the connection
//	abandon TAG                        nobody waits for it any more
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		c := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c.b.Reset()
			if c.s == nil && d.Cmd != "new" {
				t.Fatal("begin with new")
			}
			c.do(t, d)
			if c.b.Len() == 0 {
				return "ok\n"
			}
			return c.b.String()
		})
	})
}

func (c *script) do(t *testing.T, d *datadriven.TestData) {
	number := func(i int) (n uint64) {
		if _, err := fmt.Sscan(d.CmdArgs[i].Key, &n); err != nil {
			d.Fatalf(t, "%v", err)
		}
		return n
	}
	switch d.Cmd {
	case "new":
		cfg := session.Config{Client: "test", Seed: 1, StopOnFailure: d.HasArg("stop"), NextRequest: func() uint64 { c.request++; return c.request }}
		d.MaybeScanArgs(t, "window", &cfg.Window)
		*c = script{now: 1, sums: make(map[uint64]paxos.Checksum)}
		c.s = session.New(cfg)
	case "submit":
		var within int
		b := session.Batch{Tag: number(0)}
		b.Value = value.Batch{Count: 1, Frames: value.AppendFrame(nil, nil, []byte(d.CmdArgs[0].Key))}
		if d.MaybeScanArgs(t, "within", &within); within > 0 {
			b.Deadline = c.now.Add(paxos.Span(within) * paxos.Millisecond)
		}
		if !c.s.Submit(c.now, b, &c.out) {
			c.b.WriteString("no room\n")
		}
	case "leader":
		c.s.OnLeader(c.now, ballot(number(0)), &c.out)
	case "answer":
		c.answer(t, d, number(0))
	case "503":
		c.s.OnNoResponders(c.now, number(0), &c.out)
	case "foreign":
		c.s.OnForeign(number(0))
	case "wait":
		c.wait(paxos.Span(number(0)) * paxos.Millisecond)
	case "cut":
		c.s.OnConnection(c.now, false, &c.out)
	case "reconnect":
		c.s.OnConnection(c.now, true, &c.out)
	case "abandon":
		c.s.Abandon(c.now, number(0), &c.out)
	default:
		d.Fatalf(t, "unknown command %q", d.Cmd)
	}
	c.show()
}

func ballot(round uint64) paxos.Ballot { return paxos.Ballot{Round: round, Proposer: "p", Run: 1} }

func (c *script) answer(t *testing.T, d *datadriven.TestData, request uint64) {
	code, ok := codes[d.CmdArgs[1].Key]
	if !ok {
		d.Fatalf(t, "unknown code %q", d.CmdArgs[1].Key)
	}
	m := paxos.BatchAnswer{Code: code, Checksum: c.sums[request], Count: 1, Ballot: ballot(1)}
	var from, at, want uint64
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "at", &at)
	d.MaybeScanArgs(t, "want", &want)
	if from > 0 {
		m.Ballot = ballot(from)
	}
	if code == paxos.CodeOpened {
		m.Session = paxos.SessionID{Slot: paxos.Slot(request)}
	}
	m.First, m.Number = paxos.Offset(at), want
	if d.HasArg("tampered") {
		m.Checksum++
	}
	if !c.s.OnAnswer(c.now, request, &m, &c.out) {
		c.b.WriteString("foreign\n")
	}
}

func (c *script) wait(d paxos.Span) {
	for end := c.now.Add(d); c.now < end; {
		at := c.s.Wake()
		if at == 0 || at > end {
			at = end
		}
		c.now = max(at, c.now)
		c.s.Tick(c.now, &c.out)
		c.show()
		if at == end {
			return
		}
	}
}

func (c *script) show() {
	for _, x := range c.out.Sends {
		fmt.Fprintf(&c.b, "%d ms: #%d to %s: ", int64(c.now)/int64(paxos.Millisecond), x.Request, roundOf(ballotOf(x)))
		switch m := x.Msg.(type) {
		case *paxos.Open:
			c.sums[x.Request] = paxos.Sum(value.EncodeCommand(nil, &value.Open{Client: m.Client, Token: m.Token}))
			c.b.WriteString("open\n")
		case *paxos.Batch:
			b, err := value.DecodeBatch(m.Batch)
			if err != nil {
				fmt.Fprintf(&c.b, "%v\n", err)
				continue
			}
			c.sums[x.Request] = b.Checksum
			what := "filler"
			if !b.HasExpect {
				f, _, _ := value.DecodeFrame(b.Frames)
				what = "batch " + string(f.Payload)
			}
			fmt.Fprintf(&c.b, "%s as number %d of session %s\n", what, b.Number, b.Session)
		}
	}
	for _, x := range c.out.Done {
		fmt.Fprintf(&c.b, "%d ms: batch %d is %s", int64(c.now)/int64(paxos.Millisecond), x.Tag, x.Class)
		if x.Class == session.Appended {
			fmt.Fprintf(&c.b, " at %d", x.Answer.First)
		} else {
			fmt.Fprintf(&c.b, ": %s", codeWord(x.Answer.Code))
		}
		if x.Foreign {
			c.b.WriteString(", with foreign answers")
		}
		c.b.WriteString("\n")
	}
	c.out.Reset()
}

func roundOf(b paxos.Ballot) string {
	if b.IsZero() {
		return "any leader"
	}
	return fmt.Sprintf("leader %d", b.Round)
}
