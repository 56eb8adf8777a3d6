package messaging

import (
	"context"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/paxosd/paxosd/messaging/embedded"
	"github.com/paxosd/paxosd/paxos"
)

func BenchmarkEncodeAccept(b *testing.B) {
	value := make([]byte, 64<<10)
	env := broadcast("p1", &paxos.Accept{Ballot: sampleBallot, Slot: 1, Checksum: paxos.Sum(value), Value: value})
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf, _ = Encode(buf[:0], &env)
	}
}

func BenchmarkDecodeAccept(b *testing.B) {
	value := make([]byte, 64<<10)
	env := broadcast("p1", &paxos.Accept{Ballot: sampleBallot, Slot: 1, Checksum: paxos.Sum(value), Value: value})
	buf, err := Encode(nil, &env)
	if err != nil {
		b.Fatal(err)
	}
	s := testSubjects(b)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode("paxos.main.orders.accept.p1", buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeLearn(b *testing.B) {
	i := slices.IndexFunc(samples(), func(s sample) bool { return s.name == "learn" })
	env := samples()[i].env
	buf, err := Encode(nil, &env)
	if err != nil {
		b.Fatal(err)
	}
	s := testSubjects(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Decode("paxos.main.orders.learn.a1", buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkThereAndBack measures one message at a time from a transport to another and back, and the same with the client library
// alone: the difference is what this package costs an append that is alone.
func BenchmarkThereAndBack(b *testing.B) {
	e, err := embedded.Start(context.Background(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Shutdown)
	b.Run("transport", func(b *testing.B) {
		back := make(chan struct{}, 1)
		p, a := benchPeer(b, e, "p1"), benchPeer(b, e, "a1")
		value := make([]byte, 128)
		accept := broadcast("p1", &paxos.Accept{Ballot: sampleBallot, Slot: 1, Checksum: paxos.Sum(value), Value: value})
		learn := broadcast("a1", &paxos.Learn{Voter: sampleVoter("a1"), Ballot: sampleBallot, Votes: []paxos.SlotSum{{Slot: 1}}})
		if _, err := a.Subscribe(Interest{Kinds: []paxos.Kind{paxos.KindAccept}}, func(*paxos.Envelope) { _ = a.Send(&learn) }); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Subscribe(Interest{Kinds: []paxos.Kind{paxos.KindLearn}}, func(*paxos.Envelope) { back <- struct{}{} }); err != nil {
			b.Fatal(err)
		}
		for _, t := range []*Transport{p, a} {
			if err := t.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			if err := p.Send(&accept); err != nil {
				b.Fatal(err)
			}
			<-back
		}
	})
	b.Run("library", func(b *testing.B) {
		back := make(chan struct{}, 1)
		p, a := benchClient(b, e), benchClient(b, e)
		if _, err := a.Subscribe("there", func(*nats.Msg) { _ = a.Publish("back", make([]byte, 128)) }); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Subscribe("back", func(*nats.Msg) { back <- struct{}{} }); err != nil {
			b.Fatal(err)
		}
		_, _ = a.Flush(), p.Flush()
		for b.Loop() {
			if err := p.Publish("there", make([]byte, 256)); err != nil {
				b.Fatal(err)
			}
			<-back
		}
	})
}

func benchPeer(b *testing.B, e *embedded.Server, name string) *Transport {
	b.Helper()
	t, err := Connect(context.Background(), testConfig(e, name, paxos.RoleAcceptor), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.Close(context.Background()) })
	return t
}

func benchClient(b *testing.B, e *embedded.Server) *nats.Conn {
	b.Helper()
	nc, err := nats.Connect(e.ClientURL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return nc
}
