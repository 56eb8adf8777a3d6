package learner

import "github.com/paxosd/paxosd/paxos"

// Verdict is what a Witness thinks of one message of a store.
type Verdict uint8

// Verdicts.
const (
	// Fresh is a message in order.
	Fresh Verdict = iota
	// LowerNumber was sent before one that was seen already, by the same start of the store: reports and answers to
	// probes are out of date, votes and promise chunks stay true and count (PROTOCOL A9, N5).
	LowerNumber
	// StaleBoot was sent by an earlier start of the store. It is dropped, whatever it is.
	StaleBoot
	// Excluded is from a store that is proved to exist twice or to have gone back. Nothing of it counts any more.
	Excluded
)

// maxWitnessed bounds the stores that a Witness remembers: the members of a few memberships at most are in force at once.
const maxWitnessed = 4 * paxos.MaxAcceptors

// Witness watches the (boot, run, write number) that stores send along, and finds those that went back in time or exist
// twice (PROTOCOL A9). Exclusion needs proof, since messages overtake each other: two runs with one boot, or a
// write number of a higher boot below one of a lower boot. Ask it only about stores that are members of something, so that
// strangers cannot fill it. The zero Witness is ready for use.
type Witness struct {
	stores []witnessed
}

// witnessed is what is known of one store.
//
//	I1  every number of boot seen is in [low, high].
//	I2  every number of a lower boot seen is at most below, and below <= low; else the store is excluded.
type witnessed struct {
	member    paxos.Member
	boot      uint64
	run       uint64
	low, high uint64
	below     uint64
	excluded  bool
}

// Observe takes note of a message sent by v's store and says what it is worth. proof is not empty when this message is the
// one that proves the store wrong.
func (w *Witness) Observe(v *paxos.Voter) (verdict Verdict, proof string) {
	s := w.find(v)
	switch {
	case s == nil:
		w.add(v)
		return Fresh, ""
	case s.excluded:
		return Excluded, ""
	case v.Boot < s.boot:
		return s.earlierBoot(v)
	case v.Boot > s.boot:
		return s.laterBoot(v)
	default:
		return s.sameBoot(v)
	}
}

// Excluded reports whether the store is proved wrong.
func (w *Witness) Excluded(m paxos.Member) bool {
	for i := range w.stores {
		if w.stores[i].member == m {
			return w.stores[i].excluded
		}
	}
	return false
}

// Stands reports whether v's store is as it was when it sent that message: known, not proved wrong, and not started again since.
func (w *Witness) Stands(v *paxos.Voter) bool {
	s := w.find(v)
	return s != nil && !s.excluded && s.boot == v.Boot && s.run == v.Run
}

func (w *Witness) find(v *paxos.Voter) *witnessed {
	for i := range w.stores {
		s := &w.stores[i]
		if s.member.Incarnation == v.Incarnation && s.member.Name == v.Name {
			return s
		}
	}
	return nil
}

func (w *Witness) add(v *paxos.Voter) {
	if len(w.stores) >= maxWitnessed {
		// Forgetting a store costs the proof against it, never a vote. One that is excluded is kept longest.
		at := 0
		for at < len(w.stores)-1 && w.stores[at].excluded {
			at++
		}
		w.stores = append(w.stores[:at], w.stores[at+1:]...)
	}
	w.stores = append(w.stores, witnessed{
		member: paxos.Member{Name: v.Name, Incarnation: v.Incarnation},
		boot:   v.Boot, run: v.Run, low: v.Written, high: v.Written,
	})
}

func (s *witnessed) sameBoot(v *paxos.Voter) (Verdict, string) {
	if v.Run != s.run {
		return s.exclude("two runs with one boot")
	}
	if v.Written < s.below {
		return s.exclude("its write number is below one of an earlier boot")
	}
	s.low = min(s.low, v.Written)
	if v.Written < s.high {
		return LowerNumber, ""
	}
	s.high = v.Written
	return Fresh, ""
}

func (s *witnessed) laterBoot(v *paxos.Voter) (Verdict, string) {
	s.below = max(s.below, s.high)
	s.boot, s.run, s.low, s.high = v.Boot, v.Run, v.Written, v.Written
	if v.Written < s.below {
		return s.exclude("its write number is below one of an earlier boot")
	}
	return Fresh, ""
}

// earlierBoot judges a message that a later start of the store has overtaken. What the store had written by then, the later
// start must have found: a higher number than the later start's lowest is the same proof, seen in the other order.
func (s *witnessed) earlierBoot(v *paxos.Voter) (Verdict, string) {
	if v.Written > s.low {
		return s.exclude("its write number is below one of an earlier boot")
	}
	s.below = max(s.below, v.Written)
	return StaleBoot, ""
}

func (s *witnessed) exclude(proof string) (Verdict, string) {
	s.excluded = true
	return Excluded, proof
}
