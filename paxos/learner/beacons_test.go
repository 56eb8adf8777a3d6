package learner

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// tickEvery is how often these tests let time be noticed.
const tickEvery = 10 * paxos.Millisecond

func newTestBeacons() (*Beacons, *paxos.Output) {
	request := uint64(0)
	return NewBeacons("l1", func() uint64 { request++; return request }), &paxos.Output{}
}

func beaconOf(number uint64, full bool) *paxos.Beacon {
	return &paxos.Beacon{Proposer: "p1", Run: 7, Number: number, Full: full}
}

// TestN6MissedBeaconAsksForTheFullList: of an idle log the newest mark is told once; whoever missed it asks (L3), again until
// answered, and not of a run that has fallen silent.
func TestN6MissedBeaconAsksForTheFullList(t *testing.T) {
	h, out := newTestBeacons()
	asked := func() int {
		n := len(out.Now)
		for _, env := range out.Now {
			if m := env.Msg.(*paxos.Beacons); env.To != "p1" || env.ToRun != 7 || m.Run != 7 || env.Log != paxos.ProcessLog || env.Request == 0 {
				t.Fatalf("asked %+v", env)
			}
		}
		out.Reset()
		return n
	}
	now := paxos.Instant(1)
	h.OnBeacon(now, beaconOf(1, false), out)
	h.OnBeacon(now, beaconOf(2, false), out)
	if asked() != 0 {
		t.Fatal("asked though nothing was missed")
	}
	h.OnBeacon(now, beaconOf(4, false), out)
	if asked() != 1 {
		t.Fatal("3 was missed")
	}
	h.OnBeacon(now, beaconOf(5, false), out)
	if asked() != 0 {
		t.Fatal("asked twice at once")
	}
	now = now.Add(askBeaconsEvery)
	h.OnBeacon(now, beaconOf(6, false), out)
	if asked() != 1 {
		t.Fatal("not asked again")
	}
	h.OnBeacon(now, beaconOf(4, true), out) // left before 5 and 6, which were heard
	now = now.Add(askBeaconsEvery)
	h.Tick(now, out)
	h.OnBeacon(now, beaconOf(7, false), out)
	if asked() != 0 {
		t.Fatal("asked after the full list")
	}
	h.OnBeacon(now, beaconOf(9, false), out)
	asked()
	for range 1000 {
		now = now.Add(tickEvery)
		h.Tick(now, out)
	}
	if n := asked(); n != 3 {
		t.Fatalf("asked %d times of a run that is silent for its time-out", n)
	}
	over := beaconOf(12, false)
	over.Over = true
	h.OnBeacon(now, over, out)
	if asked() != 0 {
		t.Fatal("asked a run that is over")
	}
}

func TestN6NewcomerAsksForTheFullList(t *testing.T) {
	h, out := newTestBeacons()
	h.OnBeacon(1, beaconOf(100, false), out)
	if len(out.Now) != 1 {
		t.Fatal("a learner that hears beacon 100 first knows nothing of the 99 before")
	}
	h.OnBeacon(1, beaconOf(100, false), out)
	h.OnBeacon(1, &paxos.Beacon{Proposer: "p1", Run: 8, Number: 1}, out)
	if len(out.Now) != 1 {
		t.Fatal("asked a run of which everything was heard")
	}
}

// TestL3LogThatBeginsLateAsksForTheFullList: what a beacon said of a log before the learner could take it is asked for again, once the
// log has begun: of an idle log it is told once.
func TestL3LogThatBeginsLateAsksForTheFullList(t *testing.T) {
	h, out := newTestBeacons()
	h.OnBeacon(1, beaconOf(1, false), out)
	h.OnBeacon(1, beaconOf(2, false), out)
	h.Again(2, out)
	if len(out.Now) != 1 {
		t.Fatal("content with what was dropped")
	}
	h.OnBeacon(3, beaconOf(3, false), out)
	h.OnBeacon(4, beaconOf(3, true), out)
	out.Reset()
	h.Tick(paxos.Instant(0).Add(askBeaconsEvery+4), out)
	if len(out.Now) != 0 || h.runs[0].number != 3 {
		t.Fatalf("asks %d times after the full list, content through %d", len(out.Now), h.runs[0].number)
	}
}

// TestN6EverythingIsHeardInTheEnd: beacons and full lists are lost, repeated and reordered in any way; if the learner is content,
// it has heard the newest word on everything.
func TestN6EverythingIsHeardInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, out := newTestBeacons()
		got := make(map[uint64]bool)
		newest := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.Uint64Range(1, newest+3).Draw(t, "number")
			full := rapid.IntRange(0, 9).Draw(t, "full") == 0
			h.OnBeacon(1, beaconOf(n, full), out)
			newest = max(newest, n)
			got[n] = true
			for i := uint64(1); full && i <= n; i++ {
				got[i] = true
			}
			r := h.runs[0]
			for i := uint64(1); i <= r.number; i++ {
				if !got[i] {
					t.Fatalf("content through %d without %d", r.number, i)
				}
			}
			if r.newest != newest {
				t.Fatalf("newest %d, want %d", r.newest, newest)
			}
		}
	})
}

func TestBeaconRunsAreBounded(t *testing.T) {
	h, out := newTestBeacons()
	for i := range 10 * maxBeaconRuns {
		h.OnBeacon(paxos.Instant(i), &paxos.Beacon{Proposer: fmt.Sprint("p", i), Run: 1, Number: 1}, out)
		h.OnBeacon(paxos.Instant(i), &paxos.Beacon{Proposer: "p0", Run: 1, Number: uint64(i + 1)}, out)
	}
	if len(h.runs) != maxBeaconRuns || h.runs[0].name != "p0" || h.runs[0].number != 10*maxBeaconRuns {
		t.Fatalf("%d runs, first %+v", len(h.runs), h.runs[0])
	}
}
