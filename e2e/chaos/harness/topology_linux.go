package harness

import (
	"fmt"
	"slices"

	"github.com/paxosd/paxosd/configs"
)

// The cluster: three machines with a broker each and the roles beside it, and a fourth for clients. Three keepers, of which two
// must hold an entry: the loss of one learner's store does not stop acceptors from forgetting.
const (
	machines      = 3
	clientMachine = 4
	storeBytes    = 1 << 30

	brokerPort = 4222
	routePort  = 6222
	proxyPort  = 4300 // and above, one a role
	httpPort   = 7481 // and above, one a role
)

// Logs: producers append to the first, single operations go to the second.
const (
	logMain   = "main"
	logSingle = "single"
)

// roleKind is a word of paxosd's command line.
type roleKind string

const (
	acceptor roleKind = "acceptor"
	proposer roleKind = "proposer"
	learner  roleKind = "learner"
)

// place is a role and the machine it is on.
type place struct {
	name    string
	kind    roleKind
	machine int
}

func places() []place {
	return []place{
		{"a1", acceptor, 1},
		{"a2", acceptor, 2},
		{"a3", acceptor, 3},
		{"l1", learner, 1},
		{"l2", learner, 2},
		{"l3", learner, 3},
		{"p1", proposer, 1},
		{"p2", proposer, 2},
	}
}

// topology is what the broker's permissions follow from.
func topology() *configs.Topology {
	t := &configs.Topology{Cluster: "main", Prefix: "paxos"}
	for _, p := range places() {
		switch p.kind {
		case acceptor:
			t.Acceptors = append(t.Acceptors, p.name)
		case proposer:
			t.Proposers = append(t.Proposers, p.name)
		case learner:
			t.Learners = append(t.Learners, p.name)
		}
	}
	return t
}

func brokerName(machine int) string { return fmt.Sprintf("b%d", machine) }

// others returns the machines of the cluster but one.
func others(machine int) []int {
	all := []int{1, 2, 3}
	return slices.DeleteFunc(all, func(i int) bool { return i == machine })
}
