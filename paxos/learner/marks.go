package learner

import "github.com/paxosd/paxosd/paxos"

// maxMarks bounds the ballots whose marks are kept; the highest win. At most one of them leads.
const maxMarks = 4

// mark is the newest chosen mark (b, n, hash) of one ballot that lies above what was sequenced (PROTOCOL L2).
type mark struct {
	ballot paxos.Ballot
	n      paxos.Slot
	hash   paxos.Hash
	// The oldest mark of this ballot that was not compared yet: a learner that lags by more than a beacon's distance would
	// otherwise put the comparison off for ever.
	checkAt   paxos.Slot
	checkHash paxos.Hash
}

// marks holds the marks above the sequenced prefix, in no particular order.
type marks struct{ all []mark }

// add takes note of a mark. It reports whether it says more than the one kept before.
func (m *marks) add(b paxos.Ballot, n paxos.Slot, hash paxos.Hash) bool {
	for i := range m.all {
		k := &m.all[i]
		if k.ballot == b {
			if n <= k.n {
				return false
			}
			k.n, k.hash = n, hash
			return true
		}
	}
	e := mark{ballot: b, n: n, hash: hash, checkAt: n, checkHash: hash}
	if len(m.all) < maxMarks {
		m.all = append(m.all, e)
		return true
	}
	low := 0
	for i := range m.all {
		if m.all[i].ballot.Less(m.all[low].ballot) {
			low = i
		}
	}
	if b.Less(m.all[low].ballot) {
		return false
	}
	m.all[low] = e
	return true
}

// withdraw forgets the mark of ballot b.
func (m *marks) withdraw(b paxos.Ballot) {
	for i := range m.all {
		if m.all[i].ballot == b {
			m.all = append(m.all[:i], m.all[i+1:]...)
			return
		}
	}
}

// covers reports whether ballot b's own mark says that slot t is chosen.
func (m *marks) covers(t paxos.Slot, b paxos.Ballot) bool {
	for i := range m.all {
		if m.all[i].n >= t && m.all[i].ballot == b {
			return true
		}
	}
	return false
}

// reached compares the hash at the newest sequenced slot with the marks that end there, and drops marks that are reached.
// It returns the mark that differs, if one does.
func (m *marks) reached(t paxos.Slot, hash paxos.Hash) (bad mark, differs bool) {
	kept := m.all[:0]
	for _, k := range m.all {
		if k.checkAt == t {
			if k.checkHash != hash {
				return k, true
			}
			k.checkAt, k.checkHash = k.n, k.hash
		}
		if k.n > t {
			kept = append(kept, k)
		}
	}
	m.all = kept
	return mark{}, false
}
