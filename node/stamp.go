package node

import "github.com/paxosd/paxosd/paxos"

// stamp writes the newest durable write number into whatever tells one (PROTOCOL A9). It is done as the message leaves,
// repeats included, so that a receiver can tell a store that went back.
func stamp(env *paxos.Envelope, written uint64) {
	switch m := env.Msg.(type) {
	case *paxos.Promise:
		m.Written = written
	case *paxos.Refuse:
		m.Written = written
	case *paxos.Learn:
		m.Written = written
	case *paxos.Beat:
		m.Written = written
	case *paxos.Report:
		m.Written = written
	case *paxos.AskAnswer:
		m.Written = written
	case *paxos.IdentAnswer:
		m.Written = written
	case *paxos.FetchAnswer:
		m.Written = written
	case *paxos.VotesAnswer:
		m.Written = written
	case *paxos.CheckpointAnswer:
		m.Written = written
	}
}
