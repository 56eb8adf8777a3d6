package paxos

// SetWritten writes the newest durable write number into a message that tells one (PROTOCOL A9). It is done as the message leaves,
// repeats included, so that a receiver can tell a store that went back.
func SetWritten(env *Envelope, written uint64) {
	switch m := env.Msg.(type) {
	case *Promise:
		m.Written = written
	case *Refuse:
		m.Written = written
	case *Learn:
		m.Written = written
	case *Beat:
		m.Written = written
	case *Report:
		m.Written = written
	case *AskAnswer:
		m.Written = written
	case *IdentAnswer:
		m.Written = written
	case *FetchAnswer:
		m.Written = written
	case *VotesAnswer:
		m.Written = written
	case *CheckpointAnswer:
		m.Written = written
	}
}
