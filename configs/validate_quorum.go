package configs

import (
	"path/filepath"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// quorum checks the sizes: any two quorums of the two phases meet, a lost disk is survived, and stability is worth at
// least as much as a vote.
func (v *checker) quorum() {
	q, n := v.c.Quorum, len(v.c.Acceptors)
	if n == 0 {
		return
	}
	if n > paxos.MaxAcceptors {
		v.bad("acceptors", "votes need few, fast disks: 3 or 5 are usual", "%d acceptors, more than %d", n, paxos.MaxAcceptors)
	}
	if !v.within("quorum.read", q.Read, 1, n, "acceptors") || !v.within("quorum.write", q.Write, 1, n, "acceptors") {
		return
	}
	if q.Read+q.Write <= n {
		v.bad("quorum.write", "raise one of them, or leave both out for majorities",
			"read %d + write %d do not exceed %d acceptors: a candidate could miss what was acknowledged", q.Read, q.Write, n)
	}
	if n >= 2 && q.Write < 2 {
		v.bad("quorum.write", "use 2 or more", "one vote of %d acceptors: the loss of one disk would lose what was acknowledged", n)
	}
	v.stability(n)
}

// stability checks k against W and the keepers there are.
func (v *checker) stability(n int) {
	k, w, have := v.c.Quorum.Keepers, v.c.Quorum.Write, len(v.c.Keepers)
	if have == 0 {
		return
	}
	if have > paxos.MaxKeepers {
		v.bad("keepers", "the other learners need not be keepers", "%d keepers, more than %d", have, paxos.MaxKeepers)
	}
	if k == 1 && n == 1 && have == 1 {
		return
	}
	least := max(w, 2)
	switch {
	case k < least:
		v.bad("quorum.keepers", "leave it out, or raise it",
			"k = %d is below %d: acceptors would forget what too few copies hold (k must be at least W, and 2 unless there is one acceptor and one keeper)", k, least)
	case k > have:
		v.bad(v.keeperKey(), "add keepers", "k = %d keepers must hold an entry before acceptors may forget it, but there are %d (W = %d)", k, have, w)
	}
}

// keeperKey is the key to blame for too few keepers: the count, if it was given, else the list.
func (v *checker) keeperKey() string {
	if v.c.given("quorum.keepers") {
		return "quorum.keepers"
	}
	return "keepers"
}

// within checks a number against closed bounds.
func (v *checker) within(key string, n, low, high int, unit string) bool {
	if n >= low && n <= high {
		return true
	}
	v.bad(key, "", "%d is not between %d and %d %s", n, low, high, unit)
	return false
}

// folders checks that every store has a folder of its own.
func (v *checker) folders() {
	a, l := v.folder(v.c.Acceptor.Name, "acceptor.data", v.c.Acceptor.Data), v.folder(v.c.Learner.Name, "learner.data", v.c.Learner.Data)
	if a == "" || l == "" {
		return
	}
	if a == l || inside(a, l) || inside(l, a) {
		v.bad("learner.data", "give each store a folder of its own, none inside another",
			"%s is the acceptor's %s, or one is inside the other", v.c.Learner.Data, v.c.Acceptor.Data)
	}
}

// folder returns the absolute path of a role's folder, or "" where the role is absent or has none.
func (v *checker) folder(role, key, path string) string {
	if role == "" {
		return ""
	}
	if path == "" {
		v.bad(key, "name a folder that nothing else uses", "missing")
		return ""
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		v.bad(key, "use an absolute path", "%v", err)
		return ""
	}
	return abs
}

// inside reports whether path a lies below b.
func inside(a, b string) bool {
	return strings.HasPrefix(a, strings.TrimSuffix(b, string(filepath.Separator))+string(filepath.Separator))
}
