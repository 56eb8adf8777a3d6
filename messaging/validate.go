package messaging

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// check holds an envelope to everything that one message can show. Encode and Decode share it: what is never sent
// need never be taken.
func check(env *paxos.Envelope) error {
	k := env.Msg.Kind()
	if err := checkGenesis(env, k); err != nil {
		return err
	}
	answer := k.IsAnswer() || (k == paxos.KindBeacon && env.Reply != "")
	switch {
	case answer && env.Reply == "":
		return fmt.Errorf("%w: %s answers nothing", ErrReply, k)
	case !answer && env.Reply != "" && !k.IsRequest():
		return fmt.Errorf("%w: %s never carries one", ErrReply, k)
	case !answer && env.Request != 0 && !k.IsRequest():
		return fmt.Errorf("%w: %s carries a request number", ErrMalformed, k)
	}
	if name, named := sender(env.Msg); named && name != env.From && (env.From != "" || !answer && !k.IsRequest()) {
		return fmt.Errorf("%w: the payload says %q, the subject %q", ErrSender, name, env.From)
	}
	if err := checkAddressee(env); err != nil {
		return err
	}
	return checkMessage(env.Msg)
}

// checkGenesis enforces PROTOCOL N1: the genesis id is zero only in live, ident, genesis and checkpoint requests and their answers,
// and always zero in process messages, whose items carry it per log.
func checkGenesis(env *paxos.Envelope, k paxos.Kind) error {
	if env.Log == paxos.ProcessLog || processKind(k) {
		if !env.Genesis.IsZero() {
			return fmt.Errorf("%w: a process message names one", ErrGenesis)
		}
		return nil
	}
	switch k {
	case paxos.KindLive, paxos.KindLiveAnswer, paxos.KindCheckpoint, paxos.KindCheckpointAnswer:
		return nil
	case paxos.KindGenesis:
		if m, ok := env.Msg.(*paxos.GenesisMsg); ok && !env.Genesis.IsZero() && env.Genesis != m.ID {
			return fmt.Errorf("%w: the envelope says %s, the message %s", ErrGenesis, env.Genesis, m.ID)
		}
		return nil
	default:
		if env.Genesis.IsZero() {
			return fmt.Errorf("%w: none in the envelope", ErrGenesis)
		}
		return nil
	}
}

// checkAddressee holds what a payload says of its addressee to the subject.
func checkAddressee(env *paxos.Envelope) error {
	switch m := env.Msg.(type) {
	case *paxos.Learn:
		if m.Quiet && m.Ballot.Proposer != env.To {
			return fmt.Errorf("%w: a vote at ballot %s for %q", ErrMalformed, m.Ballot, env.To)
		}
	case *paxos.Live:
		if m.Ballot.Proposer != env.To || m.Ballot.Run != env.ToRun {
			return fmt.Errorf("%w: ballot %s asked of %q run %x", ErrMalformed, m.Ballot, env.To, env.ToRun)
		}
	case *paxos.Beacons:
		if m.Run != env.ToRun {
			return fmt.Errorf("%w: beacons of run %x asked of run %x", ErrMalformed, m.Run, env.ToRun)
		}
	}
	return nil
}

// senderOf returns who the payload says sent it, or "" where it does not say.
func senderOf(msg paxos.Message) string {
	name, _ := sender(msg)
	return name
}

// sender returns who the payload says sent it; named is false where the message has no place for that.
func sender(msg paxos.Message) (name string, named bool) {
	switch m := msg.(type) {
	case *paxos.Prepare:
		return m.Ballot.Proposer, true
	case *paxos.Promise:
		return m.Name, true
	case *paxos.Refuse:
		return m.Name, true
	case *paxos.Accept:
		return m.Ballot.Proposer, true
	case *paxos.Learn:
		return m.Name, true
	case *paxos.ChosenMsg:
		return m.Ballot.Proposer, true
	case *paxos.Beacon:
		return m.Proposer, true
	case *paxos.Beat:
		return m.Name, true
	case *paxos.Report:
		return m.Name, true
	case *paxos.Leader:
		return m.Ballot.Proposer, true
	case *paxos.GenesisMsg:
		return m.Sender, true
	case *paxos.Ask:
		return m.Asker, true
	case *paxos.AskAnswer:
		return m.Name, true
	case *paxos.LiveAnswer:
		return m.Name, true
	case *paxos.Ident:
		return m.Asker, true
	case *paxos.IdentAnswer:
		return m.Name, true
	case *paxos.ReadAnswer:
		return m.Learner, true
	case *paxos.FetchAnswer:
		return m.Name, true
	case *paxos.VotesAnswer:
		return m.Name, true
	case *paxos.CheckpointAnswer:
		return m.Name, true
	case *paxos.BatchAnswer:
		return m.Ballot.Proposer, true
	default:
		return "", false
	}
}

// checkMessage holds a message to the rules of its kind.
func checkMessage(msg paxos.Message) error {
	c := checker{}
	switch m := msg.(type) {
	case *paxos.Prepare:
		c.ballot(m.Ballot)
		c.slot(m.From)
	case *paxos.Promise:
		c.promise(m)
	case *paxos.Refuse:
		c.refuse(m)
	case *paxos.Accept:
		c.ballot(m.Ballot)
		c.slot(m.Slot)
		c.want(len(m.Value) > 0, "an accept without a value")
	case *paxos.Learn:
		c.learn(m)
	case *paxos.ChosenMsg:
		c.chosen(m)
	case *paxos.Beacon:
		c.beacon(m)
	case *paxos.Beat:
		c.beat(m)
	case *paxos.Report:
		c.voter(m.Voter)
		c.want(!m.Hash.IsZero(), "a report without a hash")
	case *paxos.GenesisMsg:
		c.genesis(m)
	case *paxos.Leader:
		c.ballot(m.Ballot)
	default:
		c.request(msg)
	}
	return c.err
}

// checker keeps the first rule that is broken.
type checker struct{ err error }

func (c *checker) fail(sentinel error, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
	}
}

func (c *checker) want(ok bool, otherwise string) {
	if !ok {
		c.fail(ErrMalformed, "%s", otherwise)
	}
}

func (c *checker) most(n, limit int, what string) {
	if n > limit {
		c.fail(ErrTooLarge, "%d %s, at most %d", n, what, limit)
	}
}

func (c *checker) name(s, what string) {
	if !paxos.ValidName(s) {
		c.fail(ErrMalformed, "%s %q must match [A-Za-z0-9][A-Za-z0-9_-]{0,63}", what, s)
	}
}

func (c *checker) slot(t paxos.Slot) { c.want(t > 0, "slot 0") }

// ballot wants a real one.
func (c *checker) ballot(b paxos.Ballot) {
	if b.Round == 0 {
		c.fail(ErrMalformed, "ballot without a round")
	}
	c.name(b.Proposer, "ballot's proposer")
}

// ballotOrNone wants a real one or none.
func (c *checker) ballotOrNone(b paxos.Ballot) {
	if !b.IsZero() {
		c.ballot(b)
	}
}

// voter wants the store that speaks to be named in full (PROTOCOL A9).
func (c *checker) voter(v paxos.Voter) {
	c.name(v.Name, "store's owner")
	c.want(!v.Incarnation.IsZero(), "store without an incarnation")
	c.want(v.Boot > 0, "store without a boot count")
}

func (c *checker) promise(m *paxos.Promise) {
	c.voter(m.Voter)
	c.ballot(m.Ballot)
	c.slot(m.From)
	c.want(m.From <= m.To, "a range that ends before it begins")
	c.most(len(m.Votes), paxos.MaxReportsPerChunk, "votes")
	at := m.From - 1
	for i := range m.Votes {
		c.vote(&m.Votes[i], at, m.To)
		if c.err != nil {
			return
		}
		if m.Ballot.Less(m.Votes[i].Ballot) {
			c.fail(ErrMalformed, "a vote for slot %d above the promised ballot", m.Votes[i].Slot)
		}
		at = m.Votes[i].Slot
	}
}

// vote wants a vote above slot after and at or below to, so that lists are in order and without repeats.
func (c *checker) vote(v *paxos.VoteInfo, after, to paxos.Slot) {
	if v.Slot <= after || v.Slot > to {
		c.fail(ErrMalformed, "vote for slot %d out of order or range", v.Slot)
	}
	c.ballot(v.Ballot)
}

func (c *checker) refuse(m *paxos.Refuse) {
	c.voter(m.Voter)
	c.ballot(m.Refused)
	c.ballotOrNone(m.Promised)
	switch m.Of {
	case paxos.KindPrepare:
		c.want(m.Slot == 0, "a refused prepare names a slot")
	case paxos.KindAccept:
		c.slot(m.Slot)
	default:
		c.fail(ErrMalformed, "a refusal of kind %d", m.Of)
	}
	c.want(m.Reason >= paxos.RefusedBallot && m.Reason <= paxos.RefusedRound, "unknown reason")
}

func (c *checker) learn(m *paxos.Learn) {
	c.voter(m.Voter)
	c.ballot(m.Ballot)
	c.want(len(m.Votes) > 0, "no votes")
	c.most(len(m.Votes), paxos.MaxVotesPerLearn, "votes")
	c.want(len(m.Times) <= len(m.Votes), "more times than votes")
	var at paxos.Slot
	for i := range m.Votes {
		if m.Votes[i].Slot <= at {
			c.fail(ErrMalformed, "vote for slot %d out of order", m.Votes[i].Slot)
			return
		}
		at = m.Votes[i].Slot
	}
}

func (c *checker) chosen(m *paxos.ChosenMsg) {
	c.ballot(m.Ballot)
	c.slot(m.Through)
	c.most(len(m.Values), paxos.MaxChosenValues, "values")
	var at paxos.Slot
	for i := range m.Values {
		v := &m.Values[i]
		if v.Slot <= at || v.Slot > m.Through || len(v.Value) == 0 {
			c.fail(ErrMalformed, "value for slot %d out of order or range, or empty", v.Slot)
			return
		}
		at = v.Slot
	}
}

func (c *checker) beacon(m *paxos.Beacon) {
	c.name(m.Proposer, "proposer")
	c.want(m.Number > 0 || m.Full, "a beacon without a number")
	c.most(len(m.Items), paxos.MaxBeaconItems, "logs")
	c.most(len(m.Succession), paxos.MaxSuccession, "names in succession")
	for _, s := range m.Succession {
		c.name(s, "successor")
	}
	for i := range m.Items {
		it := &m.Items[i]
		c.item(it.Log, it.Genesis)
		c.ballot(it.Ballot)
		if it.Ballot.Proposer != m.Proposer || it.Ballot.Run != m.Run {
			c.fail(ErrSender, "%q run %x renews ballot %s", m.Proposer, m.Run, it.Ballot)
		}
		if c.err != nil {
			return
		}
	}
}

// item wants a log with its genesis.
func (c *checker) item(log string, id paxos.GenesisID) {
	c.name(log, "log")
	if id.IsZero() {
		c.fail(ErrGenesis, "none for log %q", log)
	}
}

func (c *checker) beat(m *paxos.Beat) {
	c.voter(m.Voter)
	c.name(m.Proposer, "proposer")
	c.most(len(m.Differs), paxos.MaxBeaconItems, "logs")
	for i := range m.Differs {
		c.item(m.Differs[i].Log, m.Differs[i].Genesis)
		c.ballotOrNone(m.Differs[i].Promised)
	}
}
