package messaging

import (
	"bytes"

	"github.com/paxosd/paxosd/paxos"
)

// Identities that samples use.
var (
	sampleGenesis     = paxos.GenesisID{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	sampleIncarnation = paxos.Incarnation{0xb0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	sampleHash        = paxos.Hash(bytes.Repeat([]byte{0xc0}, 32))
	otherHash         = paxos.Hash(bytes.Repeat([]byte{0xc1}, 32))
	sampleBallot      = paxos.Ballot{Round: 7, Proposer: "p1", Run: 0x1122334455667788}
	olderBallot       = paxos.Ballot{Round: 5, Proposer: "p2", Run: 0x99}
)

func sampleVoter(name string) paxos.Voter {
	return paxos.Voter{Name: name, Incarnation: sampleIncarnation, Boot: 3, Run: 0xdead, Written: 4711}
}

// sample is one envelope as it is sent and, unless it is an answer, the subject it goes by.
type sample struct {
	name    string
	subject string // empty: an answer
	env     paxos.Envelope
}

func broadcast(from string, msg paxos.Message) paxos.Envelope {
	return paxos.Envelope{Log: "orders", Genesis: sampleGenesis, From: from, Bulk: bulkKind(msg.Kind()), Msg: msg}
}

func toOne(from, to string, msg paxos.Message) paxos.Envelope {
	env := broadcast(from, msg)
	env.To = to
	return env
}

func process(from string, msg paxos.Message) paxos.Envelope {
	return paxos.Envelope{Log: paxos.ProcessLog, From: from, Msg: msg}
}

func request(to string, run uint64, msg paxos.Message) paxos.Envelope {
	return paxos.Envelope{
		Log: "orders", Genesis: sampleGenesis, From: senderOf(msg), To: to, ToRun: run, Request: 0x0102030405, Bulk: bulkKind(msg.Kind()), Msg: msg,
	}
}

func processRequest(to string, run uint64, msg paxos.Message) paxos.Envelope {
	env := request(to, run, msg)
	env.Log, env.Genesis = paxos.ProcessLog, paxos.GenesisID{}
	return env
}

func answer(msg paxos.Message) paxos.Envelope {
	env := paxos.Envelope{Genesis: sampleGenesis, From: senderOf(msg), Request: 99, Reply: "e_INBOX.x", Msg: msg}
	if processKind(msg.Kind()) {
		env.Log, env.Genesis = paxos.ProcessLog, paxos.GenesisID{}
	}
	return env
}

// samples returns at least one message of every enveloped kind, with every field set.
func samples() []sample {
	return append(append(broadcastSamples(), requestSamples()...), answerSamples()...)
}

func broadcastSamples() []sample {
	value := []byte("the value's bytes")
	votes := []paxos.VoteInfo{
		{Slot: 11, Ballot: olderBallot, Checksum: 1, Bytes: 10},
		{Slot: 13, Ballot: sampleBallot, Checksum: 2, Bytes: 20},
		{Slot: 14, Ballot: olderBallot, Checksum: 3, Bytes: 30},
	}
	membership := &paxos.Membership{
		Epoch: 2, From: 100, Read: 1, Write: 2,
		Acceptors: []paxos.Member{{Name: "a1", Incarnation: sampleIncarnation}, {Name: "a4", Incarnation: paxos.Incarnation{9}}},
	}
	return []sample{
		{"prepare", "paxos.main.orders.prepare.p1", broadcast("p1", &paxos.Prepare{Ballot: sampleBallot, From: 11})},
		{"promise", "paxos.main.orders.promise.a1", broadcast("a1", &paxos.Promise{
			Voter: sampleVoter("a1"), Ballot: sampleBallot, From: 11, To: paxos.MaxSlot, Trimmed: 10, Votes: votes,
		})},
		{"refuse", "paxos.main.orders.refuse.a1", broadcast("a1", &paxos.Refuse{
			Voter: sampleVoter("a1"), Of: paxos.KindAccept, Refused: olderBallot, Slot: 12, Reason: paxos.RefusedTrimmed,
			Promised: sampleBallot, Trimmed: 12, Epoch: 2,
		})},
		{"accept", "paxos.main.orders.accept.p1", broadcast("p1", &paxos.Accept{
			Ballot: sampleBallot, Slot: 12, Checksum: paxos.Sum(value), Value: value,
		})},
		{"accept-explain", "paxos.main.orders.accept.p1", broadcast("p1", &paxos.Accept{
			Ballot: sampleBallot, Slot: 12, Checksum: paxos.Sum(value), Value: value, Explain: true,
		})},
		{"learn", "paxos.main.orders.learn.a1", broadcast("a1", &paxos.Learn{
			Voter: sampleVoter("a1"), Ballot: sampleBallot, Votes: []paxos.SlotSum{{Slot: 12, Checksum: 5}, {Slot: 15, Checksum: 6}},
		})},
		{"learn-explain", "paxos.main.orders.learn.a1", broadcast("a1", &paxos.Learn{
			Voter: sampleVoter("a1"), Ballot: sampleBallot, Votes: []paxos.SlotSum{{Slot: 12, Checksum: 5}, {Slot: 15, Checksum: 6}},
			Times: []paxos.VoteTime{{Slot: 15, Synced: 1_234_567, Fsync: 765_432}},
		})},
		{"accept-quiet", "paxos.main.orders.accept.p1", broadcast("p1", &paxos.Accept{
			Ballot: sampleBallot, Slot: 12, Checksum: paxos.Sum(value), Value: value, Quiet: true,
		})},
		{"propose", "paxos.main.orders.propose.p1", broadcast("p1", &paxos.Accept{
			Ballot: sampleBallot, Slot: 12, Checksum: paxos.Sum(value), Value: value, Quiet: true, Alone: true,
		})},
		{"vote", "paxos.main.orders.vote.a1.p1", toOne("a1", "p1", &paxos.Learn{
			Voter: sampleVoter("a1"), Ballot: sampleBallot, Votes: []paxos.SlotSum{{Slot: 12, Checksum: 5}}, Quiet: true,
		})},
		{"chosen", "paxos.main.orders.chosen.p1", broadcast("p1", &paxos.ChosenMsg{
			Ballot: sampleBallot, Through: 20, Hash: sampleHash,
			Values: []paxos.SlotValue{{Slot: 12, Checksum: paxos.Sum(value), Value: value}, {Slot: 20, Checksum: paxos.Sum(value[:5]), Value: value[:5]}},
		})},
		{"chosen-mark", "paxos.main.orders.chosen.p1", broadcast("p1", &paxos.ChosenMsg{Ballot: sampleBallot, Through: 20, Hash: sampleHash})},
		{"beacon", "paxos.main._.beacon.p1", process("p1", &paxos.Beacon{
			Proposer: "p1", Run: sampleBallot.Run, Number: 17, Over: true, Clock: 1_700_000_000_000_000_000, Succession: []string{"p2", "p3"},
			Items: []paxos.BeaconItem{
				{Log: "orders", Genesis: sampleGenesis, Ballot: sampleBallot, Chosen: 20, ChosenHash: sampleHash, Stable: 12, Last: 345},
				{Log: "events", Genesis: paxos.GenesisID{7}, Ballot: sampleBallot, Withdrawn: true},
			},
		})},
		{"beat", "paxos.main._.beat.a1", process("a1", &paxos.Beat{
			Voter: sampleVoter("a1"), Proposer: "p1", ToRun: sampleBallot.Run, Number: 17, Clock: -5, Full: true,
			Differs: []paxos.BeatItem{{Log: "orders", Genesis: sampleGenesis, Promised: olderBallot}, {Log: "events", Genesis: paxos.GenesisID{7}}},
		})},
		{"report", "paxos.main.orders.report.l1", broadcast("l1", &paxos.Report{Voter: sampleVoter("l1"), Slot: 19, Hash: sampleHash, Start: 1})},
		{"leader", "paxos.main.orders.leader.p1", broadcast("p1", &paxos.Leader{Ballot: sampleBallot, Last: 345})},
		{"genesis", "paxos.main.orders.genesis.p1", broadcast("p1", &paxos.GenesisMsg{
			Step: paxos.GenesisJoin, ID: sampleGenesis, Record: []byte("record"), Sender: "p1", Incarnation: sampleIncarnation, Run: 5,
			State: paxos.LogLive, Holds: paxos.GenesisID{8}, Membership: membership,
		})},
	}
}

func requestSamples() []sample {
	return []sample{
		{"batch", "paxos.main.orders.batch", request("", 0, &paxos.Batch{Ballot: sampleBallot, Batch: []byte("batch bytes")})},
		{"batch-explain", "paxos.main.orders.batch", request("", 0, &paxos.Batch{Ballot: sampleBallot, Batch: []byte("batch bytes"), Explain: true})},
		{"open", "paxos.main.orders.open", request("", 0, &paxos.Open{Ballot: sampleBallot, Client: "till 5", Token: 0xfeed})},
		{"admin", "paxos.main.orders.admin", request("", 0, &paxos.Admin{Ballot: sampleBallot, Command: []byte("command")})},
		{"ask", "paxos.main.orders.ask.a1", request("a1", 0, &paxos.Ask{Asker: "p2", Run: 6, PromiseOnly: true})},
		{"live", "paxos.main.orders.live.p1.1122334455667788", request("p1", sampleBallot.Run, &paxos.Live{Ballot: sampleBallot})},
		{"ident", "paxos.main._.ident.a1", processRequest("a1", 0, &paxos.Ident{
			Asker: "a9", Role: paxos.RoleAcceptor, Incarnation: sampleIncarnation, Boot: 2, Run: 6,
		})},
		{"ident-run", "paxos.main._.ident.a1.6f", processRequest("a1", 0x6f, &paxos.Ident{})},
		{"beacons", "paxos.main._.beacons.p1.99", processRequest("p1", 0x99, &paxos.Beacons{Run: 0x99})},
		{"read", "paxos.main.orders.read.l1", request("l1", 0, &paxos.Read{
			Stream: 3, From: 9, Credit: 1000, MaxBytes: 2000, Since: -3, Stop: true,
		})},
		{"fetch", "paxos.main.orders.fetch.a1", request("a1", 0, &paxos.Fetch{What: paxos.FetchVotes, From: 1, To: 9, MaxBytes: 77})},
		{"checkpoint", "paxos.main.orders.checkpoint.l1", request("l1", 0, &paxos.Checkpoint{Mark: 8, Offset: 9})},
	}
}

func answerSamples() []sample {
	a, b := []byte("value one"), []byte("value two!")
	return []sample{
		{"batch-answer", "", answer(&paxos.BatchAnswer{
			Code: paxos.CodeHole, Ballot: sampleBallot, Checksum: 1, First: 2, Count: 3, Last: 4, Number: 5,
			Session: paxos.SessionID{Slot: 6, Place: 7}, Stamp: 8, Text: "send 5 first",
		})},
		{"batch-answer-explain", "", answer(&paxos.BatchAnswer{
			Code: paxos.CodeAppended, Ballot: sampleBallot, Checksum: 1, First: 2, Count: 3, Stages: &paxos.Stages{
				Arrived: 1_700_000_000_000_000_000, Queued: 1, Voted: 1_500_000, Synced: 900_000, Fsync: 400_000, Answered: 5,
			},
		})},
		{"ask-answer", "", answer(&paxos.AskAnswer{
			Voter: sampleVoter("a1"), Promised: sampleBallot, Gone: paxos.GoneSilent, Trimmed: 5, Clock: 6, State: paxos.LogRetired, Epoch: 2,
		})},
		{"live-answer", "", answer(&paxos.LiveAnswer{Name: "p1", Run: 5, Ballot: sampleBallot, Phase: paxos.PhaseLeader})},
		{"ident-answer", "", answer(&paxos.IdentAnswer{
			Name: "a1", Role: paxos.RoleAcceptor, Cluster: "main", Incarnation: sampleIncarnation, Boot: 1, Run: 2, Written: 3, Version: "1.2.3", Clock: 4,
			Logs: []paxos.LogInfo{
				{Log: "events", Genesis: paxos.GenesisID{7}, State: paxos.LogPrepared},
				{Log: "orders", Genesis: sampleGenesis, State: paxos.LogLive, Record: []byte("record"), Leads: sampleBallot, Through: 8, Last: 9},
			},
		})},
		{"beacons-answer", "", answer(&paxos.Beacon{Proposer: "p1", Run: 0x99, Full: true})},
		{"read-answer", "", answer(&paxos.ReadAnswer{
			Learner: "l1", Run: 2, Stream: 3, Number: 4, Code: paxos.ReadElsewhere, First: 5, Last: 6, Slot: 7, Hash: sampleHash,
			Batches: []paxos.ReadBatch{{First: 10, Count: 2, Stamp: 1, Frames: a}, {First: 12, Count: 1, Stamp: 2, Frames: b}},
		})},
		{"fetch-answer", "", answer(&paxos.FetchAnswer{
			Voter: sampleVoter("l1"), From: 4, Before: sampleHash, After: otherHash, Start: 1, Through: 9, Known: true,
			Values: []paxos.ChosenValue{{Slot: 4, Value: a}, {Slot: 5, Value: b}},
		})},
		{"votes-answer", "", answer(&paxos.VotesAnswer{
			Voter: sampleVoter("a1"), From: 4, To: 8, Trimmed: 2,
			Votes: []paxos.VoteValue{
				{VoteInfo: paxos.VoteInfo{Slot: 4, Ballot: sampleBallot, Checksum: paxos.Sum(a), Bytes: uint32(len(a))}, Value: a},
				{VoteInfo: paxos.VoteInfo{Slot: 8, Ballot: olderBallot, Checksum: paxos.Sum(b), Bytes: uint32(len(b))}, Value: b},
			},
		})},
		{"checkpoint-answer", "", answer(&paxos.CheckpointAnswer{
			Voter: sampleVoter("l1"), Mark: 5, Hash: sampleHash, Total: 100, Offset: 3, State: a, Record: b, Through: 7,
		})},
	}
}
