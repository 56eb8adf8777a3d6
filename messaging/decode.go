package messaging

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/paxosd/paxosd/paxos"
)

// Decode reads an enveloped payload that came by subject. Everything that one message can show is checked before it is
// returned; values, frames and records in it alias payload. Reply is not set: the transport does, where the kind allows one.
func (s Subjects) Decode(subject string, payload []byte) (paxos.Envelope, error) {
	a, err := s.Parse(subject)
	if err != nil {
		return paxos.Envelope{}, err
	}
	return DecodeAt(a, payload)
}

// DecodeAt is Decode for a subject that was parsed before.
func DecodeAt(a Address, payload []byte) (paxos.Envelope, error) {
	h, msg, err := decode(payload)
	if err != nil {
		return paxos.Envelope{}, fmt.Errorf("decode %s of log %q: %w", a.Kind, a.Log, err)
	}
	env := paxos.Envelope{Log: a.Log, Genesis: h.genesis, Request: h.request, Bulk: bulkKind(a.Kind), Msg: msg}
	if h.kind != a.Kind {
		return env, fmt.Errorf("decode %s of log %q: %w: the payload says %s", a.Kind, a.Log, ErrKind, h.kind)
	}
	switch shapeOf(a.Kind) {
	case shapeSender:
		env.From = a.Name
	case shapeBoth:
		env.From, env.To = a.Name, a.To
	case shapeAddressee:
		env.To, env.ToRun, env.From = a.Name, a.Run, senderOf(msg)
	case shapeLeader, shapeNone:
	}
	if err := check(&env); err != nil {
		return env, fmt.Errorf("decode %s of log %q: %w", a.Kind, a.Log, err)
	}
	return env, nil
}

// DecodeAnswer reads the enveloped answer to a request. From is the name in the payload; the caller knows, or the
// inbox subject says, which log was asked about, under which number, and whom.
func DecodeAnswer(payload []byte) (paxos.Envelope, error) {
	h, msg, err := decode(payload)
	if err != nil {
		return paxos.Envelope{}, fmt.Errorf("decode an answer: %w", err)
	}
	env := paxos.Envelope{Genesis: h.genesis, Request: h.request, From: senderOf(msg), Reply: answered, Msg: msg}
	if !h.kind.IsAnswer() && h.kind != paxos.KindBeacon {
		return env, fmt.Errorf("decode an answer: %w: %s is none", ErrKind, h.kind)
	}
	if processKind(h.kind) {
		env.Log = paxos.ProcessLog
	}
	err = check(&env)
	env.Reply = ""
	if err != nil {
		return env, fmt.Errorf("decode an answer: %w", err)
	}
	return env, nil
}

// answered stands for the reply subject of an answer that has arrived; check asks only whether there is one.
const answered = "-"

// decode reads envelope, body and tail.
func decode(payload []byte) (header, paxos.Message, error) {
	h, body, tail, err := cutHeader(payload)
	if err != nil {
		return h, nil, err
	}
	if err := countFields(body); err != nil {
		return h, nil, err
	}
	d := decoder{body: body, tail: tail}
	msg := d.message(h.kind)
	if d.err != nil {
		return h, nil, d.err
	}
	return h, msg, nil
}

// countFields refuses a body whose parse could take far more memory than it has bytes.
func countFields(body []byte) error {
	for n := 0; len(body) > 0; n++ {
		if n == maxBodyFields {
			return fmt.Errorf("%w: more than %d fields in a body", ErrTooLarge, maxBodyFields)
		}
		_, _, size := protowire.ConsumeField(body)
		if size < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(size))
		}
		body = body[size:]
	}
	return nil
}

// decoder turns one body into a message. The first error sticks; what is read after it means nothing.
type decoder struct {
	body, tail []byte
	err        error
}

func (d *decoder) fail(sentinel error, format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
	}
}

// parse reads the body into m.
func (d *decoder) parse(m proto.Message) {
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(d.body, m); err != nil {
		d.fail(ErrMalformed, "%v", err)
	}
}

// noTail is for the messages that have none.
func (d *decoder) noTail() {
	if len(d.tail) > 0 {
		d.fail(ErrMalformed, "%d bytes after the body", len(d.tail))
	}
}

// pieces splits the tail, which must have between 0 and most pieces.
func (d *decoder) pieces(lengths []uint32, most int) [][]byte {
	if len(lengths) > most {
		d.fail(ErrTooLarge, "%d pieces in the tail, at most %d", len(lengths), most)
		return nil
	}
	pieces, err := cutTail(d.tail, lengths)
	if err != nil && d.err == nil {
		d.err = err
	}
	return pieces
}

// message reads the body that belongs to kind.
func (d *decoder) message(kind paxos.Kind) paxos.Message {
	switch kind {
	case paxos.KindPrepare:
		return d.prepare()
	case paxos.KindPromise:
		return d.promise()
	case paxos.KindRefuse:
		return d.refuse()
	case paxos.KindAccept, paxos.KindPropose:
		return d.accept(kind == paxos.KindPropose)
	case paxos.KindLearn, paxos.KindVote:
		return d.learn(kind == paxos.KindVote)
	case paxos.KindChosen:
		return d.chosen()
	case paxos.KindBeacon:
		return d.beacon()
	case paxos.KindBeat:
		return d.beat()
	case paxos.KindReport:
		return d.report()
	case paxos.KindLeader:
		return d.leader()
	case paxos.KindGenesis:
		return d.genesis()
	case paxos.KindBatch:
		return d.batch()
	case paxos.KindOpen:
		return d.open()
	case paxos.KindAdmin:
		return d.admin()
	case paxos.KindBatchAnswer:
		return d.batchAnswer()
	default:
		return d.request(kind)
	}
}

// request reads the bodies of addressed requests and their answers.
func (d *decoder) request(kind paxos.Kind) paxos.Message {
	switch kind {
	case paxos.KindAsk:
		return d.ask()
	case paxos.KindAskAnswer:
		return d.askAnswer()
	case paxos.KindLive:
		return d.live()
	case paxos.KindLiveAnswer:
		return d.liveAnswer()
	case paxos.KindIdent:
		return d.ident()
	case paxos.KindIdentAnswer:
		return d.identAnswer()
	case paxos.KindBeacons:
		return d.beacons()
	case paxos.KindRead:
		return d.read()
	case paxos.KindReadAnswer:
		return d.readAnswer()
	case paxos.KindFetch:
		return d.fetch()
	case paxos.KindFetchAnswer:
		return d.fetchAnswer()
	case paxos.KindVotesAnswer:
		return d.votesAnswer()
	case paxos.KindCheckpoint:
		return d.checkpoint()
	case paxos.KindCheckpointAnswer:
		return d.checkpointAnswer()
	default:
		d.fail(ErrUnknownKind, "%d", kind)
		return nil
	}
}
