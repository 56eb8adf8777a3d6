package quorum

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

func members(n int) []paxos.Member {
	ms := make([]paxos.Member, n)
	for i := range ms {
		ms[i] = paxos.Member{Name: fmt.Sprintf("m%03d", i), Incarnation: paxos.Incarnation{1, uint8(i)}}
	}
	return ms
}

// TestValidateMeetsExhaustively goes through every membership of up to 6 acceptors and every pair of quorum sizes: Validate takes
// exactly those in which each read quorum meets each write quorum, and a write is on two acceptors where there are two (PITFALLS 28).
func TestValidateMeetsExhaustively(t *testing.T) {
	for n := 1; n <= 6; n++ {
		for read := -1; read <= n+1; read++ {
			for write := -1; write <= n+1; write++ {
				m := &paxos.Membership{Epoch: 1, From: 1, Acceptors: members(n), Read: read, Write: write}
				want := safe(n, read, write)
				if err := Validate(m); (err == nil) != want || (err != nil && !errors.Is(err, ErrInvalid)) {
					t.Errorf("n=%d R=%d W=%d: %v, safe %t", n, read, write, err, want)
				}
			}
		}
	}
}

// safe tries every pair of quorums.
func safe(n, read, write int) bool {
	if read < 1 || read > n || write < 1 || write > n || (n >= 2 && write < 2) {
		return false
	}
	for r := range uint(1) << n {
		for w := range uint(1) << n {
			if bits.OnesCount(r) == read && bits.OnesCount(w) == write && r&w == 0 {
				return false
			}
		}
	}
	return true
}

func TestValidateMembers(t *testing.T) {
	tests := []struct {
		name string
		edit func(ms []paxos.Member) []paxos.Member
		ok   bool
	}{
		{"three", func(ms []paxos.Member) []paxos.Member { return ms }, true},
		{"none", func([]paxos.Member) []paxos.Member { return nil }, false},
		{"as many as votes can be counted of", func([]paxos.Member) []paxos.Member { return members(paxos.MaxAcceptors) }, true},
		{"one more", func([]paxos.Member) []paxos.Member { return members(paxos.MaxAcceptors + 1) }, false},
		{"not sorted", func(ms []paxos.Member) []paxos.Member { ms[0], ms[1] = ms[1], ms[0]; return ms }, false},
		{"one name twice", func(ms []paxos.Member) []paxos.Member { ms[1].Name = ms[0].Name; return ms }, false},
		{"one incarnation twice", func(ms []paxos.Member) []paxos.Member { ms[2].Incarnation = ms[0].Incarnation; return ms }, false},
		{"no incarnation", func(ms []paxos.Member) []paxos.Member { ms[2].Incarnation = paxos.Incarnation{}; return ms }, false},
		{"no name", func(ms []paxos.Member) []paxos.Member { ms[0].Name = ""; return ms }, false},
		{"a name that no subject can hold", func(ms []paxos.Member) []paxos.Member { ms[0].Name = "a.b"; return ms }, false},
		{"a name too long", func(ms []paxos.Member) []paxos.Member { ms[0].Name = "a" + strings.Repeat("b", 64); return ms }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ms := tt.edit(members(3))
			n := len(ms)
			err := Validate(&paxos.Membership{Acceptors: ms, Read: n/2 + 1, Write: n/2 + 1})
			if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrInvalid)) {
				t.Errorf("acceptors: %v, want ok %t", err, tt.ok)
			}
			one := &paxos.Membership{Acceptors: members(3), Read: 2, Write: 2}
			err = ValidateKeepers(&paxos.Keepers{Members: ms, K: min(2, max(n, 1))}, one)
			if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrInvalid)) {
				t.Errorf("keepers: %v, want ok %t", err, tt.ok)
			}
		})
	}
}

// TestK2KeepersAtLeastWrite: k >= W and k >= 2; a single keeper only beside a single acceptor.
func TestK2KeepersAtLeastWrite(t *testing.T) {
	tests := []struct {
		acceptors, write, keepers, k int
		ok                           bool
	}{
		{3, 2, 2, 2, true},
		{3, 2, 3, 2, true},
		{3, 2, 3, 3, true},
		{3, 2, 2, 1, false}, // one copy behind what a quorum forgot
		{3, 2, 1, 1, false},
		{3, 2, 1, 2, false}, // more than there are
		{3, 2, 2, 0, false},
		{3, 2, 2, -1, false},
		{3, 3, 3, 2, false}, // fewer copies than a write has
		{5, 3, 2, 2, false},
		{5, 3, 3, 3, true},
		{2, 2, 2, 2, true},
		{1, 1, 1, 1, true},
		{1, 1, 2, 1, false}, // k=1 only where there is no second keeper
		{1, 1, 2, 2, true},
	}
	for _, tt := range tests {
		m := &paxos.Membership{Acceptors: members(tt.acceptors), Read: tt.acceptors, Write: tt.write}
		err := ValidateKeepers(&paxos.Keepers{Members: members(tt.keepers), K: tt.k}, m)
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrInvalid)) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// TestSetCountsDistinctMembers: one member counts once, however often it is heard (PITFALLS 8).
func TestSetCountsDistinctMembers(t *testing.T) {
	m := &paxos.Membership{Acceptors: members(5), Read: 4, Write: 2}
	var s Set
	for range 3 {
		s.Add(1)
	}
	s.Add(-1) // Index of a stranger
	s.Add(64)
	if s.Len() != 1 || !s.Has(1) || s.Has(0) || s.Has(-1) || s.Has(64) || HasWrite(m, s) {
		t.Fatalf("set %b of one member", s)
	}
	s.Add(4)
	if !HasWrite(m, s) || HasRead(m, s) {
		t.Fatalf("set %b of two members", s)
	}
	s.Add(0)
	s.Add(62)
	if !HasRead(m, s) || s.Len() != 4 {
		t.Fatalf("set %b of four members", s)
	}
}
