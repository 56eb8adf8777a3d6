package messaging

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/paxosd/paxosd/messaging/pb"
	"github.com/paxosd/paxosd/paxos"
)

// Encode appends the payload of env to dst. It refuses what Decode would refuse, so that a mistake shows at its author. Appends,
// gets and their answers are not enveloped: see EncodeAppend, EncodeGet and EncodePlain.
func Encode(dst []byte, env *paxos.Envelope) ([]byte, error) {
	if env.Msg == nil {
		return dst, fmt.Errorf("%w: an envelope without a message", ErrUnknownKind)
	}
	if err := check(env); err != nil {
		return dst, fmt.Errorf("encode %s of log %q: %w", env.Msg.Kind(), env.Log, err)
	}
	body, err := bodyOf(env.Msg)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	b := append(dst, make([]byte, EnvelopeBytes)...)
	b, err = proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, body)
	if err != nil {
		return dst, fmt.Errorf("encode %s of log %q: %w: %w", env.Msg.Kind(), env.Log, ErrMalformed, err)
	}
	n := len(b) - start - EnvelopeBytes
	if n > MaxBodyBytes {
		return dst, fmt.Errorf("encode %s of log %q: %w: a body of %d bytes, at most %d", env.Msg.Kind(), env.Log, ErrTooLarge, n, MaxBodyBytes)
	}
	b = appendTail(b, env.Msg)
	if len(b)-start > MaxMessageBytes {
		return dst, fmt.Errorf("encode %s of log %q: %w: %d bytes", env.Msg.Kind(), env.Log, ErrTooLarge, len(b)-start)
	}
	putHeader(b[start:], header{kind: env.Msg.Kind(), genesis: env.Genesis, request: env.Request}, n)
	return b, nil
}

// appendTail appends the bytes that protobuf does not carry, in the order in which the body names their lengths.
func appendTail(b []byte, msg paxos.Message) []byte {
	switch m := msg.(type) {
	case *paxos.Accept:
		return append(b, m.Value...)
	case *paxos.Batch:
		return append(b, m.Batch...)
	case *paxos.Admin:
		return append(b, m.Command...)
	case *paxos.GenesisMsg:
		return append(b, m.Record...)
	case *paxos.CheckpointAnswer:
		return append(append(b, m.State...), m.Record...)
	case *paxos.IdentAnswer:
		for i := range m.Logs {
			b = append(b, m.Logs[i].Record...)
		}
	case *paxos.ReadAnswer:
		for i := range m.Batches {
			b = append(b, m.Batches[i].Frames...)
		}
	case *paxos.FetchAnswer:
		for i := range m.Values {
			b = append(b, m.Values[i].Value...)
		}
	case *paxos.ChosenMsg:
		for i := range m.Values {
			b = append(b, m.Values[i].Value...)
		}
	case *paxos.VotesAnswer:
		for i := range m.Votes {
			b = append(b, m.Votes[i].Value...)
		}
	}
	return b
}

// bodyOf returns the protobuf body of msg.
func bodyOf(msg paxos.Message) (proto.Message, error) {
	switch m := msg.(type) {
	case *paxos.Prepare:
		return &pb.Prepare{Ballot: ballotOut(m.Ballot), From: uint64(m.From)}, nil
	case *paxos.Promise:
		return &pb.Promise{
			Voter: voterOut(m.Voter), Ballot: ballotOut(m.Ballot), From: uint64(m.From), To: uint64(m.To),
			Trimmed: uint64(m.Trimmed), Votes: votesOut(m.Votes),
		}, nil
	case *paxos.Refuse:
		return &pb.Refuse{
			Voter: voterOut(m.Voter), Of: uint32(m.Of), Refused: ballotOut(m.Refused), Slot: uint64(m.Slot), Reason: uint32(m.Reason),
			Promised: ballotOut(m.Promised), Trimmed: uint64(m.Trimmed), Epoch: uint64(m.Epoch),
		}, nil
	case *paxos.Accept:
		return &pb.Accept{Ballot: ballotOut(m.Ballot), Slot: uint64(m.Slot), Checksum: uint64(m.Checksum), Explain: m.Explain, Quiet: m.Quiet}, nil
	case *paxos.Learn:
		return learnOut(m), nil
	case *paxos.ChosenMsg:
		return chosenOut(m), nil
	case *paxos.Beacon:
		return beaconOut(m), nil
	case *paxos.Beat:
		return beatOut(m), nil
	case *paxos.Report:
		return &pb.Report{Voter: voterOut(m.Voter), Slot: uint64(m.Slot), Hash: hashOut(m.Hash), Start: uint64(m.Start)}, nil
	case *paxos.GenesisMsg:
		return genesisOut(m), nil
	default:
		return requestBody(msg)
	}
}

// requestBody returns the bodies of requests, their answers, and what else clients see.
func requestBody(msg paxos.Message) (proto.Message, error) {
	switch m := msg.(type) {
	case *paxos.Leader:
		return &pb.Leader{Ballot: ballotOut(m.Ballot), Last: uint64(m.Last)}, nil
	case *paxos.Batch:
		return &pb.Batch{Ballot: ballotOut(m.Ballot), Explain: m.Explain}, nil
	case *paxos.Open:
		return &pb.Open{Ballot: ballotOut(m.Ballot), Client: m.Client, Token: m.Token}, nil
	case *paxos.Admin:
		return &pb.Admin{Ballot: ballotOut(m.Ballot)}, nil
	case *paxos.BatchAnswer:
		return batchAnswerOut(m), nil
	case *paxos.Ask:
		return &pb.Ask{Asker: m.Asker, Run: m.Run, PromiseOnly: m.PromiseOnly}, nil
	case *paxos.AskAnswer:
		return &pb.AskAnswer{
			Voter: voterOut(m.Voter), Promised: ballotOut(m.Promised), Gone: uint32(m.Gone), Trimmed: uint64(m.Trimmed),
			Clock: int64(m.Clock), State: uint32(m.State), Epoch: uint64(m.Epoch),
		}, nil
	case *paxos.Live:
		return &pb.Live{Ballot: ballotOut(m.Ballot)}, nil
	case *paxos.LiveAnswer:
		return &pb.LiveAnswer{Name: m.Name, Run: m.Run, Ballot: ballotOut(m.Ballot), Phase: uint32(m.Phase)}, nil
	case *paxos.Ident:
		return &pb.Ident{Asker: m.Asker, Role: uint32(m.Role), Incarnation: incarnationOut(m.Incarnation), Boot: m.Boot, Run: m.Run}, nil
	case *paxos.IdentAnswer:
		return identAnswerOut(m), nil
	case *paxos.Beacons:
		return &pb.Beacons{Run: m.Run}, nil
	case *paxos.Read:
		return &pb.Read{
			Stream: m.Stream, From: uint64(m.From), Credit: m.Credit, MaxBytes: m.MaxBytes, Since: int64(m.Since), Stop: m.Stop,
		}, nil
	case *paxos.ReadAnswer:
		return readAnswerOut(m), nil
	case *paxos.Fetch:
		return &pb.Fetch{What: uint32(m.What), From: uint64(m.From), To: uint64(m.To), MaxBytes: m.MaxBytes}, nil
	case *paxos.FetchAnswer:
		return fetchAnswerOut(m), nil
	case *paxos.VotesAnswer:
		return votesAnswerOut(m), nil
	case *paxos.Checkpoint:
		return &pb.Checkpoint{Mark: uint64(m.Mark), Offset: m.Offset}, nil
	case *paxos.CheckpointAnswer:
		return &pb.CheckpointAnswer{
			Voter: voterOut(m.Voter), Mark: uint64(m.Mark), Hash: hashOut(m.Hash), Total: m.Total, Offset: m.Offset,
			Through: uint64(m.Through), Tail: []uint32{uint32(len(m.State)), uint32(len(m.Record))},
		}, nil
	default:
		return nil, fmt.Errorf("encode %s: %w: it has no envelope", msg.Kind(), ErrUnknownKind)
	}
}
