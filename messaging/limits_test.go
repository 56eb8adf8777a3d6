package messaging

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/paxosd/paxosd/paxos"
)

// TestLargestListsFit keeps the limits of paxos/limits.go within what one body may hold, names at their longest.
func TestLargestListsFit(t *testing.T) {
	long := strings.Repeat("n", paxos.MaxNameBytes)
	ballot := paxos.Ballot{Round: 1 << 63, Proposer: long, Run: 1 << 63}
	promise := &paxos.Promise{Voter: sampleVoter(long), Ballot: ballot, From: 1, To: paxos.MaxSlot}
	learn := &paxos.Learn{Voter: sampleVoter(long), Ballot: ballot}
	for i := range paxos.Slot(paxos.MaxReportsPerChunk) {
		promise.Votes = append(promise.Votes, paxos.VoteInfo{Slot: 1<<63 + i, Ballot: ballot, Checksum: 1, Bytes: 1 << 30})
		learn.Votes = append(learn.Votes, paxos.SlotSum{Slot: 1<<63 + i, Checksum: 1})
	}
	beacon := &paxos.Beacon{Proposer: long, Run: ballot.Run, Number: 1, Succession: slices.Repeat([]string{long}, paxos.MaxSuccession)}
	beat := &paxos.Beat{Voter: sampleVoter(long), Proposer: long}
	ident := &paxos.IdentAnswer{Name: long, Cluster: long}
	for range paxos.MaxBeaconItems {
		beacon.Items = append(beacon.Items, paxos.BeaconItem{
			Log: long, Genesis: sampleGenesis, Ballot: ballot, Chosen: paxos.MaxSlot, ChosenHash: sampleHash, Stable: paxos.MaxSlot, Last: 1 << 63,
		})
		beat.Differs = append(beat.Differs, paxos.BeatItem{Log: long, Genesis: sampleGenesis, Promised: ballot})
		ident.Logs = append(ident.Logs, paxos.LogInfo{
			Log: long, Genesis: sampleGenesis, State: paxos.LogLive, Record: []byte("r"), Leads: ballot, Through: paxos.MaxSlot, Last: 1 << 63,
		})
	}
	read := &paxos.ReadAnswer{Learner: long, Number: 1}
	for i := range paxos.Offset(paxos.MaxReadBatches) {
		read.Batches = append(read.Batches, paxos.ReadBatch{First: 1<<63 + i, Count: 1, Stamp: -1, Frames: []byte("f")})
	}
	fetch := &paxos.FetchAnswer{Voter: sampleVoter(long), From: 1 << 63}
	votes := &paxos.VotesAnswer{Voter: sampleVoter(long), From: 1, To: paxos.MaxSlot}
	for i := range paxos.Slot(paxos.MaxFetchValues) {
		fetch.Values = append(fetch.Values, paxos.ChosenValue{Slot: 1<<63 + i, Value: []byte("v")})
		info := paxos.VoteInfo{Slot: 1<<63 + i, Ballot: ballot, Checksum: paxos.Sum([]byte("v")), Bytes: 1}
		votes.Votes = append(votes.Votes, paxos.VoteValue{VoteInfo: info, Value: []byte("v")})
	}
	subjects := testSubjects(t)
	for _, env := range []paxos.Envelope{
		broadcast(long, promise), broadcast(long, learn), process(long, beacon), process(long, beat), answer(ident), answer(read), answer(fetch),
		answer(votes),
	} {
		b, err := Encode(nil, &env)
		if err != nil {
			t.Errorf("%s: %v", env.Msg.Kind(), err)
			continue
		}
		var got paxos.Envelope
		if env.Reply != "" {
			got, err = DecodeAnswer(b)
		} else {
			a, _ := subjects.Of(&env)
			got, err = DecodeAt(a, b)
		}
		if err != nil || !reflect.DeepEqual(got.Msg, env.Msg) {
			t.Errorf("%s of %d bytes does not come back: %v", env.Msg.Kind(), len(b), err)
		}
	}
}
