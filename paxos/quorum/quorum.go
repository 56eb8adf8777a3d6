// Package quorum checks memberships and counts distinct members. It is a leaf: it knows no message and no ballot, so
// that the one place where R + W > n is held can be tested alone (PITFALLS 28).
package quorum

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/paxosd/paxosd/paxos"
)

// ErrInvalid is wrapped by every refusal of a membership or keeper set.
var ErrInvalid = errors.New("unsafe quorum")

// Validate returns an error unless m is a safe membership: 1 to MaxAcceptors of them, sorted by name, names valid, names and
// incarnations distinct, every read quorum meeting every write quorum, and a write quorum of two or more where there
// are two acceptors or more.
func Validate(m *paxos.Membership) error {
	n := len(m.Acceptors)
	if n < 1 || n > paxos.MaxAcceptors {
		return fmt.Errorf("%w: %d acceptors, want 1 to %d", ErrInvalid, n, paxos.MaxAcceptors)
	}
	if err := validateMembers(m.Acceptors); err != nil {
		return err
	}
	switch {
	case m.Read < 1 || m.Read > n || m.Write < 1 || m.Write > n:
		return fmt.Errorf("%w: read %d and write %d of %d acceptors", ErrInvalid, m.Read, m.Write, n)
	case m.Read+m.Write <= n:
		return fmt.Errorf("%w: read %d + write %d must exceed the %d acceptors", ErrInvalid, m.Read, m.Write, n)
	case n >= 2 && m.Write < 2:
		return fmt.Errorf("%w: write %d of %d acceptors would acknowledge a single copy", ErrInvalid, m.Write, n)
	}
	return nil
}

// ValidateKeepers returns an error unless k suits m: sorted, distinct, K of them at most as many as there are, and K at least the
// write quorum and 2 (PROTOCOL K2). Only a single acceptor may have a single keeper.
func ValidateKeepers(k *paxos.Keepers, m *paxos.Membership) error {
	n := len(k.Members)
	if n < 1 || n > paxos.MaxKeepers {
		return fmt.Errorf("%w: %d keepers, want 1 to %d", ErrInvalid, n, paxos.MaxKeepers)
	}
	if err := validateMembers(k.Members); err != nil {
		return err
	}
	if k.K < 1 || k.K > n {
		return fmt.Errorf("%w: k=%d of %d keepers", ErrInvalid, k.K, n)
	}
	if k.K < m.Write || (k.K < 2 && (n > 1 || len(m.Acceptors) > 1)) {
		return fmt.Errorf("%w: k=%d, want at least the write quorum %d, and 2", ErrInvalid, k.K, m.Write)
	}
	return nil
}

func validateMembers(ms []paxos.Member) error {
	seen := make(map[paxos.Incarnation]bool, len(ms))
	for i := range ms {
		switch {
		case !paxos.ValidName(ms[i].Name):
			return fmt.Errorf("%w: %q is no valid name", ErrInvalid, ms[i].Name)
		case i > 0 && ms[i-1].Name >= ms[i].Name:
			return fmt.Errorf("%w: %q after %q: names must be sorted and distinct", ErrInvalid, ms[i].Name, ms[i-1].Name)
		case ms[i].Incarnation.IsZero() || seen[ms[i].Incarnation]:
			return fmt.Errorf("%w: incarnation of %q is missing or not its own", ErrInvalid, ms[i].Name)
		}
		seen[ms[i].Incarnation] = true
	}
	return nil
}

// Set is a set of members by their place in a membership or keeper set: bit i is member i.
type Set uint64

// Add puts member i into the set.
func (s *Set) Add(i int) { *s |= 1 << uint(i) }

// Has reports whether member i is in it.
func (s Set) Has(i int) bool { return s&(1<<uint(i)) != 0 }

// Len returns how many distinct members are in it.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// HasRead reports whether s holds a read quorum of m.
func HasRead(m *paxos.Membership, s Set) bool { return s.Len() >= m.Read }

// HasWrite reports whether s holds a write quorum of m.
func HasWrite(m *paxos.Membership, s Set) bool { return s.Len() >= m.Write }
