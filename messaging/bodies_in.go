package messaging

import (
	"math"

	"github.com/paxosd/paxosd/messaging/pb"
	"github.com/paxosd/paxosd/paxos"
)

// enum brings a number of the wire into a byte-sized enumeration; check knows which values are known.
func (d *decoder) enum(n uint32, what string) uint8 {
	if n > math.MaxUint8 {
		d.fail(ErrMalformed, "%s %d", what, n)
	}
	return uint8(n)
}

// fixed copies an identity of exactly len(dst) bytes, or none at all.
func (d *decoder) fixed(dst, b []byte, what string) {
	if len(b) != 0 && len(b) != len(dst) {
		d.fail(ErrMalformed, "%s of %d bytes, want %d", what, len(b), len(dst))
		return
	}
	copy(dst, b)
}

func (d *decoder) hash(b []byte) (h paxos.Hash) {
	d.fixed(h[:], b, "hash")
	return h
}

func (d *decoder) genesisID(b []byte) (g paxos.GenesisID) {
	d.fixed(g[:], b, "genesis id")
	return g
}

func (d *decoder) incarnation(b []byte) (i paxos.Incarnation) {
	d.fixed(i[:], b, "incarnation")
	return i
}

// ballot reads a ballot that may be absent. One that is there must be whole: its zero values mean "no ballot" nowhere.
func (d *decoder) ballot(p *pb.Ballot) paxos.Ballot {
	if p == nil {
		return paxos.Ballot{}
	}
	b := paxos.Ballot{Round: p.GetRound(), Proposer: p.GetProposer(), Run: p.GetRun()}
	if b.Round == 0 || !paxos.ValidName(b.Proposer) {
		d.fail(ErrMalformed, "ballot of round %d by %q", b.Round, b.Proposer)
	}
	return b
}

func (d *decoder) voter(p *pb.Voter) paxos.Voter {
	return paxos.Voter{
		Name: p.GetName(), Incarnation: d.incarnation(p.GetIncarnation()), Boot: p.GetBoot(), Run: p.GetRun(), Written: p.GetWritten(),
	}
}

// votes reads parallel arrays, at most `most` votes.
func (d *decoder) votes(p *pb.Votes, most int) []paxos.VoteInfo {
	n := len(p.GetSlots())
	switch {
	case n > most:
		d.fail(ErrTooLarge, "%d votes, at most %d", n, most)
	case len(p.GetRounds()) != n || len(p.GetOwners()) != n || len(p.GetChecksums()) != n || len(p.GetLengths()) != n,
		len(p.GetProposers()) != len(p.GetRuns()):
		d.fail(ErrMalformed, "arrays of votes differ in length")
	}
	if n == 0 || d.err != nil {
		return nil
	}
	votes := make([]paxos.VoteInfo, n)
	for i := range votes {
		o := p.Owners[i]
		if uint64(o) >= uint64(len(p.Proposers)) {
			d.fail(ErrMalformed, "vote %d names ballot owner %d of %d", i, o, len(p.Proposers))
			return nil
		}
		votes[i] = paxos.VoteInfo{
			Slot:     paxos.Slot(p.Slots[i]),
			Ballot:   paxos.Ballot{Round: p.Rounds[i], Proposer: p.Proposers[o], Run: p.Runs[o]},
			Checksum: paxos.Checksum(p.Checksums[i]), Bytes: p.Lengths[i],
		}
	}
	return votes
}

func (d *decoder) prepare() paxos.Message {
	var p pb.Prepare
	d.parse(&p)
	d.noTail()
	return &paxos.Prepare{Ballot: d.ballot(p.GetBallot()), From: paxos.Slot(p.GetFrom())}
}

func (d *decoder) promise() paxos.Message {
	var p pb.Promise
	d.parse(&p)
	d.noTail()
	return &paxos.Promise{
		Voter: d.voter(p.GetVoter()), Ballot: d.ballot(p.GetBallot()), From: paxos.Slot(p.GetFrom()), To: paxos.Slot(p.GetTo()),
		Trimmed: paxos.Slot(p.GetTrimmed()), Votes: d.votes(p.GetVotes(), paxos.MaxReportsPerChunk),
	}
}

func (d *decoder) refuse() paxos.Message {
	var p pb.Refuse
	d.parse(&p)
	d.noTail()
	return &paxos.Refuse{
		Voter: d.voter(p.GetVoter()), Of: paxos.Kind(d.enum(p.GetOf(), "kind refused")), Refused: d.ballot(p.GetRefused()),
		Slot: paxos.Slot(p.GetSlot()), Reason: paxos.RefuseReason(d.enum(p.GetReason(), "reason")),
		Promised: d.ballot(p.GetPromised()), Trimmed: paxos.Slot(p.GetTrimmed()), Epoch: paxos.Epoch(p.GetEpoch()),
	}
}

func (d *decoder) accept(alone bool) paxos.Message {
	var p pb.Accept
	d.parse(&p)
	m := &paxos.Accept{
		Ballot: d.ballot(p.GetBallot()), Slot: paxos.Slot(p.GetSlot()), Checksum: paxos.Checksum(p.GetChecksum()), Value: d.tail,
		Explain: p.GetExplain(), Quiet: p.GetQuiet(), Alone: alone,
	}
	if d.err == nil && paxos.Sum(m.Value) != m.Checksum {
		d.fail(ErrChecksum, "of the value for slot %d", m.Slot)
	}
	return m
}

func (d *decoder) learn(quiet bool) paxos.Message {
	var p pb.Learn
	d.parse(&p)
	d.noTail()
	m := &paxos.Learn{Voter: d.voter(p.GetVoter()), Ballot: d.ballot(p.GetBallot()), Quiet: quiet}
	switch n := len(p.GetSlots()); {
	case n > paxos.MaxVotesPerLearn:
		d.fail(ErrTooLarge, "%d votes, at most %d", n, paxos.MaxVotesPerLearn)
	case n != len(p.GetChecksums()):
		d.fail(ErrMalformed, "arrays of votes differ in length")
	default:
		m.Votes = make([]paxos.SlotSum, n)
		for i := range m.Votes {
			m.Votes[i] = paxos.SlotSum{Slot: paxos.Slot(p.Slots[i]), Checksum: paxos.Checksum(p.Checksums[i])}
		}
	}
	m.Times = d.times(&p)
	return m
}

func (d *decoder) chosen() paxos.Message {
	var p pb.Chosen
	d.parse(&p)
	m := &paxos.ChosenMsg{Ballot: d.ballot(p.GetBallot()), Through: paxos.Slot(p.GetThrough()), Hash: d.hash(p.GetHash())}
	n := len(p.GetTail())
	if n != len(p.GetSlots()) || n != len(p.GetChecksums()) {
		d.fail(ErrMalformed, "arrays of values differ in length")
		return m
	}
	pieces := d.pieces(p.GetTail(), paxos.MaxChosenValues)
	if d.err != nil || n == 0 {
		return m
	}
	m.Values = make([]paxos.SlotValue, n)
	for i := range m.Values {
		m.Values[i] = paxos.SlotValue{Slot: paxos.Slot(p.Slots[i]), Checksum: paxos.Checksum(p.Checksums[i]), Value: pieces[i]}
		if paxos.Sum(pieces[i]) != m.Values[i].Checksum {
			d.fail(ErrChecksum, "of the value for slot %d", m.Values[i].Slot)
		}
	}
	return m
}

// times reads how long votes took: nothing, but where it was asked for.
func (d *decoder) times(p *pb.Learn) []paxos.VoteTime {
	n := len(p.GetTimed())
	if len(p.GetSynced()) != n || len(p.GetFsynced()) != n {
		d.fail(ErrMalformed, "arrays of times differ in length")
	}
	if n == 0 || d.err != nil {
		return nil
	}
	times := make([]paxos.VoteTime, n)
	for i := range times {
		times[i] = paxos.VoteTime{Slot: paxos.Slot(p.Timed[i]), Synced: spanIn(p.Synced[i]), Fsync: spanIn(p.Fsynced[i])}
	}
	return times
}

// spanIn reads a span of time. One that no process has lived through is cut: spans only inform, and no vote is lost for one.
func spanIn(n uint64) paxos.Span { return paxos.Span(min(n, maxSpan)) }

// maxSpan bounds spans of time, in nanoseconds: four years, so that some of them can be added up.
const maxSpan = 1 << 57

func (d *decoder) beacon() paxos.Message {
	var p pb.Beacon
	d.parse(&p)
	d.noTail()
	m := &paxos.Beacon{
		Proposer: p.GetProposer(), Run: p.GetRun(), Number: p.GetNumber(), Full: p.GetFull(), Over: p.GetOver(),
		Clock: paxos.Stamp(p.GetClock()), Succession: p.GetSuccession(),
	}
	if n := len(p.GetItems()); n > 0 {
		m.Items = make([]paxos.BeaconItem, 0, n)
	}
	for _, it := range p.GetItems() {
		m.Items = append(m.Items, paxos.BeaconItem{
			Log: it.GetLog(), Genesis: d.genesisID(it.GetGenesis()), Ballot: d.ballot(it.GetBallot()), Withdrawn: it.GetWithdrawn(),
			Chosen: paxos.Slot(it.GetChosen()), ChosenHash: d.hash(it.GetChosenHash()), Stable: paxos.Slot(it.GetStable()),
			Last: paxos.Offset(it.GetLast()),
		})
	}
	return m
}

func (d *decoder) beat() paxos.Message {
	var p pb.Beat
	d.parse(&p)
	d.noTail()
	m := &paxos.Beat{
		Voter: d.voter(p.GetVoter()), Proposer: p.GetProposer(), ToRun: p.GetToRun(), Number: p.GetNumber(),
		Clock: paxos.Stamp(p.GetClock()), Full: p.GetFull(),
	}
	for _, it := range p.GetDiffers() {
		m.Differs = append(m.Differs, paxos.BeatItem{
			Log: it.GetLog(), Genesis: d.genesisID(it.GetGenesis()), Promised: d.ballot(it.GetPromised()),
		})
	}
	return m
}

func (d *decoder) report() paxos.Message {
	var p pb.Report
	d.parse(&p)
	d.noTail()
	return &paxos.Report{
		Voter: d.voter(p.GetVoter()), Slot: paxos.Slot(p.GetSlot()), Hash: d.hash(p.GetHash()), Start: paxos.Slot(p.GetStart()),
	}
}

func (d *decoder) leader() paxos.Message {
	var p pb.Leader
	d.parse(&p)
	d.noTail()
	return &paxos.Leader{Ballot: d.ballot(p.GetBallot()), Last: paxos.Offset(p.GetLast())}
}

func (d *decoder) genesis() paxos.Message {
	var p pb.Genesis
	d.parse(&p)
	return &paxos.GenesisMsg{
		Step: paxos.GenesisStep(d.enum(p.GetStep(), "step")), ID: d.genesisID(p.GetId()), Record: d.rest(), Sender: p.GetSender(),
		Incarnation: d.incarnation(p.GetIncarnation()), Run: p.GetRun(), State: paxos.LogState(d.enum(p.GetState(), "state")),
		Holds: d.genesisID(p.GetHolds()), Membership: d.membership(p.GetMembership()),
	}
}

// rest returns the whole tail as one piece, nil if there is none.
func (d *decoder) rest() []byte {
	if len(d.tail) == 0 {
		return nil
	}
	return d.tail
}

func (d *decoder) membership(p *pb.Membership) *paxos.Membership {
	if p == nil {
		return nil
	}
	n, bytes := len(p.GetNames()), p.GetIncarnations()
	var size paxos.Incarnation
	switch {
	case n > paxos.MaxAcceptors:
		d.fail(ErrTooLarge, "a membership of %d acceptors, at most %d", n, paxos.MaxAcceptors)
		return nil
	case len(bytes) != n*len(size):
		d.fail(ErrMalformed, "%d names and %d bytes of incarnations", n, len(bytes))
		return nil
	}
	m := &paxos.Membership{
		Epoch: paxos.Epoch(p.GetEpoch()), From: paxos.Slot(p.GetFrom()), Acceptors: make([]paxos.Member, n),
		Read: int(p.GetRead()), Write: int(p.GetWrite()),
	}
	for i := range m.Acceptors {
		m.Acceptors[i] = paxos.Member{
			Name: p.Names[i], Incarnation: paxos.Incarnation(bytes[i*len(size) : (i+1)*len(size)]),
		}
	}
	return m
}
