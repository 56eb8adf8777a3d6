package sim

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// describe puts a message into words; empty for those that only say that all is well.
func describe(env *paxos.Envelope) string {
	from := env.From
	if from == "" {
		from = "a client"
	}
	switch m := env.Msg.(type) {
	case *paxos.Prepare:
		return fmt.Sprintf("prepare %s from slot %d, from %s", m.Ballot, m.From, from)
	case *paxos.Promise:
		return fmt.Sprintf("promise %s for slots %d to %d with %d votes, trimmed %d, from %s", m.Ballot, m.From, m.To, len(m.Votes), m.Trimmed, m.Name)
	case *paxos.Refuse:
		return fmt.Sprintf("refusal %d of %s at %s slot %d, promised %s trimmed %d, from %s", m.Reason, m.Of, m.Refused, m.Slot, m.Promised, m.Trimmed, m.Name)
	case *paxos.Accept:
		return fmt.Sprintf("%s slot %d at %s, value %08x, from %s", m.Kind(), m.Slot, m.Ballot, uint32(m.Checksum), from)
	case *paxos.ChosenMsg:
		s := fmt.Sprintf("chosen through %d at %s from %s:", m.Through, m.Ballot, from)
		for i := range m.Values[:min(len(m.Values), 8)] {
			s += fmt.Sprintf(" %d=%08x", m.Values[i].Slot, uint32(m.Values[i].Checksum))
		}
		return s
	case *paxos.Learn:
		s := fmt.Sprintf("votes at %s from %s:", m.Ballot, m.Name)
		for _, v := range m.Votes[:min(len(m.Votes), 8)] {
			s += fmt.Sprintf(" %d=%08x", v.Slot, uint32(v.Checksum))
		}
		return s
	case *paxos.Beacon:
		if len(m.Items) == 0 && !m.Over {
			return ""
		}
		s := fmt.Sprintf("beacon %d from %s over=%t:", m.Number, m.Proposer, m.Over)
		for i := range m.Items {
			it := &m.Items[i]
			s += fmt.Sprintf(" %s at %s chosen %d stable %d withdrawn=%t", it.Log, it.Ballot, it.Chosen, it.Stable, it.Withdrawn)
		}
		return s
	case *paxos.Beat:
		if len(m.Differs) == 0 {
			return ""
		}
		return fmt.Sprintf("beat from %s: promised %s", m.Name, m.Differs[0].Promised)
	case *paxos.Report:
		return fmt.Sprintf("report from %s: holds slot %d", m.Name, m.Slot)
	case *paxos.Leader:
		return fmt.Sprintf("leader %s serves", m.Ballot)
	case *paxos.Ask:
		return fmt.Sprintf("ask from %s", m.Asker)
	case *paxos.AskAnswer:
		return fmt.Sprintf("answer of %s: promised %s, gone %d, trimmed %d", m.Name, m.Promised, m.Gone, m.Trimmed)
	case *paxos.Fetch:
		return fmt.Sprintf("fetch %d of slots %d to %d from %s", m.What, m.From, m.To, from)
	case *paxos.FetchAnswer:
		return fmt.Sprintf("%d values from slot %d on, of %s which holds %d to %d", len(m.Values), m.From, m.Name, m.Start, m.Through)
	case *paxos.VotesAnswer:
		return fmt.Sprintf("%d votes in slots %d to %d of %s", len(m.Votes), m.From, m.To, m.Name)
	case *paxos.Batch:
		return fmt.Sprintf("batch %08x for %s, request %x", uint32(paxos.Sum(m.Batch)), m.Ballot, env.Request)
	case *paxos.BatchAnswer:
		return fmt.Sprintf("answer %d to request %x from %s: offset %d last %d %s", m.Code, env.Request, m.Ballot, m.First, m.Last, m.Text)
	case *paxos.GenesisMsg:
		return fmt.Sprintf("genesis step %d of %s from %s", m.Step, env.Log, m.Sender)
	default:
		return fmt.Sprintf("%s from %s", env.Msg.Kind(), from)
	}
}
