package messaging

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/paxosd/paxosd/paxos"
)

// TestN1NameAtItsFixedToken: what the broker's permissions speak about is what is read, whatever the tokens contain.
func TestN1NameAtItsFixedToken(t *testing.T) {
	s := testSubjects(t)
	tests := []struct {
		subject string
		want    Address
	}{
		{"paxos.main.orders.accept.p1", Address{Log: "orders", Kind: paxos.KindAccept, Name: "p1"}},
		{"paxos.main.accept.accept.accept", Address{Log: "accept", Kind: paxos.KindAccept, Name: "accept"}},
		{"paxos.main._.beacon.p1", Address{Log: "_", Kind: paxos.KindBeacon, Name: "p1"}},
		{"paxos.main.orders.append", Address{Log: "orders", Kind: paxos.KindAppend}},
		{"paxos.main.orders.batch", Address{Log: "orders", Kind: paxos.KindBatch}},
		{"paxos.main.orders.open", Address{Log: "orders", Kind: paxos.KindOpen}},
		{"paxos.main.orders.admin", Address{Log: "orders", Kind: paxos.KindAdmin}},
		{"paxos.main.orders.live.p1.ff", Address{Log: "orders", Kind: paxos.KindLive, Name: "p1", Run: 255}},
		{"paxos.main._.ident.a1", Address{Log: "_", Kind: paxos.KindIdent, Name: "a1"}},
		{"paxos.main._.ident.a1.1", Address{Log: "_", Kind: paxos.KindIdent, Name: "a1", Run: 1}},
		{"paxos.main._.beacons.p1.ffffffffffffffff", Address{Log: "_", Kind: paxos.KindBeacons, Name: "p1", Run: 1<<64 - 1}},
		{"paxos.main.orders.get.l1", Address{Log: "orders", Kind: paxos.KindGet, Name: "l1"}},
	}
	for _, tt := range tests {
		got, err := s.Parse(tt.subject)
		if err != nil || got != tt.want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", tt.subject, got, err, tt.want)
		}
		if back := s.Subject(tt.want); back != tt.subject {
			t.Errorf("Subject(%+v) = %q, want %q", tt.want, back, tt.subject)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	s := testSubjects(t)
	tests := map[string]error{
		"":                                  ErrSubject,
		"paxos.main":                        ErrSubject,
		"other.main.orders.accept.p1":       ErrSubject,
		"paxos.other.orders.accept.p1":      ErrSubject,
		"paxos.main.":                       ErrUnknownKind,
		"paxos.main.orders":                 ErrUnknownKind,
		"paxos.main.orders.":                ErrUnknownKind,
		"paxos.main.orders.ballot.a1":       ErrUnknownKind,
		"paxos.main.orders.batch-answer.p1": ErrUnknownKind,
		"paxos.main.orders.accept":          ErrSubject,
		"paxos.main.orders.accept.":         ErrSubject,
		"paxos.main.orders.accept.p1.1":     ErrSubject,
		"paxos.main.orders.accept.p1.p2":    ErrSubject,
		"paxos.main.orders.accept.*":        ErrSubject,
		"paxos.main.*.accept.p1":            ErrSubject,
		"paxos.main._.accept.p1":            ErrSubject,
		"paxos.main.orders.beacon.p1":       ErrSubject,
		"paxos.main..accept.p1":             ErrSubject,
		"paxos.main.orders.append.p1":       ErrSubject,
		"paxos.main.orders.append.":         ErrSubject,
		"paxos.main.orders.live.p1":         ErrSubject,
		"paxos.main.orders.live.p1.0":       ErrSubject,
		"paxos.main.orders.live.p1.0f":      ErrSubject,
		"paxos.main.orders.live.p1.F":       ErrSubject,
		"paxos.main.orders.live.p1.xyz":     ErrSubject,
		"paxos.main.orders.live.p1.1.2":     ErrSubject,
		"paxos.main.orders.fetch.a1.1":      ErrSubject,
		"paxos.main._.beacons.p1":           ErrSubject,
		"paxos.main.orders.vote.a1":         ErrSubject,
		"paxos.main.orders.vote.a1.p1.1":    ErrSubject,
		"paxos.main.orders.propose.p1.1":    ErrSubject,
		"paxos.main.-orders.accept.p1":      ErrSubject,
		"paxos.main.orders.accept.p\u00e9":  ErrSubject,
		"paxos.main.orders.accept.p1 ":      ErrSubject,
		"paxos.main." + strings.Repeat("l", paxos.MaxNameBytes+1) + ".accept.p1": ErrSubject,
	}
	for subject, want := range tests {
		if a, err := s.Parse(subject); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %+v, %v, want %v", subject, a, err, want)
		}
	}
}

func TestNewSubjectsRefuses(t *testing.T) {
	for _, tt := range [][2]string{
		{"a..b", "main"},
		{"a.", "main"},
		{"a.*", "main"},
		{"a b", "main"},
		{"$SYS", "main"},
		{"a.b.c.d.e.f.g.h.i", "main"},
		{"paxos", ""},
		{"paxos", "a.b"},
		{"paxos", ">"},
	} {
		if _, err := NewSubjects(tt[0], tt[1]); !errors.Is(err, ErrConfig) {
			t.Errorf("NewSubjects(%q, %q): %v", tt[0], tt[1], err)
		}
	}
}

func TestPatterns(t *testing.T) {
	s, err := NewSubjects("acme.logs", "eu")
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[string]Address{
		"acme.logs.eu.*.accept.*":     {Kind: paxos.KindAccept},
		"acme.logs.eu.orders.learn.*": {Log: "orders", Kind: paxos.KindLearn},
		"acme.logs.eu.*.fetch.l1":     {Kind: paxos.KindFetch, Name: "l1"},
		"acme.logs.eu.orders.append":  {Log: "orders", Kind: paxos.KindAppend},
		"acme.logs.eu._.beacon.*":     {Log: "_", Kind: paxos.KindBeacon},
		"acme.logs.eu.*.live.p1.a0":   {Kind: paxos.KindLive, Name: "p1", Run: 0xa0},
	} {
		if got := s.Pattern(a); got != want {
			t.Errorf("Pattern(%+v) = %q, want %q", a, got, want)
		}
	}
}

// TestSubjectsAndAddressesAreOneToOne: what Subject writes, Parse reads, under prefixes of several tokens too.
func TestSubjectsAndAddressesAreOneToOne(t *testing.T) {
	name := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`)
	rapid.Check(t, func(t *rapid.T) {
		prefix := strings.Join(rapid.SliceOfN(name, 1, 4).Draw(t, "prefix"), ".")
		s, err := NewSubjects(prefix, name.Draw(t, "cluster"))
		if err != nil {
			t.Fatal(err)
		}
		a := Address{Kind: paxos.Kind(rapid.IntRange(1, int(paxos.KindAdmin)).Draw(t, "kind")), Log: name.Draw(t, "log")}
		if processKind(a.Kind) {
			a.Log = paxos.ProcessLog
		}
		if shapeOf(a.Kind) != shapeLeader {
			a.Name = name.Draw(t, "name")
		}
		if a.Kind == paxos.KindLive || a.Kind == paxos.KindBeacons || a.Kind == paxos.KindIdent && rapid.Bool().Draw(t, "with run") {
			a.Run = rapid.Uint64Min(1).Draw(t, "run")
		}
		if got, err := s.Parse(s.Subject(a)); err != nil || got != a {
			t.Fatalf("Parse(%q) = %+v, %v, want %+v", s.Subject(a), got, err, a)
		}
	})
}

func FuzzParseSubject(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.subject)
	}
	f.Add("paxos.main.orders.append")
	s := testSubjects(f)
	f.Fuzz(func(t *testing.T, subject string) {
		a, err := s.Parse(subject)
		if err == nil && s.Subject(a) != subject {
			t.Errorf("%q parsed as %+v, which is %q", subject, a, s.Subject(a))
		}
	})
}
