package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// TestA9GuardRefuses what its name's process answers, and nothing else.
func TestA9GuardRefuses(t *testing.T) {
	self := paxos.Ident{Asker: "a1", Role: paxos.RoleAcceptor, Incarnation: paxos.Incarnation{1}, Boot: 4, Run: 7}
	ident := func(name string, inc byte, run uint64) *paxos.IdentAnswer {
		return &paxos.IdentAnswer{Name: name, Incarnation: paxos.Incarnation{inc}, Run: run, Boot: 5}
	}
	for _, x := range []struct {
		name   string
		msg    paxos.Message
		number uint64 // of the answer; 0: that of the question
		refuse bool
		wait   bool // until nobody else can answer
	}{
		{"nobody", nil, 0, false, true},
		{"the broker knows nobody", &paxos.NoResponders{}, 0, false, false},
		{"the same store", ident("a1", 1, 8), 0, true, false},
		{"another store", ident("a1", 2, 8), 0, true, false},
		{"itself", ident("a1", 1, 7), 0, false, true},
		{"another name", ident("a2", 1, 8), 0, false, true},
		{"another question's answer", ident("a1", 1, 8), 99, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := newRecorder()
			answers := make(chan *paxos.Envelope, 1)
			begun := time.Now()
			go func() {
				<-tr.poke
				q := tr.take()[0]
				if m := q.Msg.(*paxos.Ident); *m != self || q.To != "a1" || q.Log != paxos.ProcessLog {
					t.Errorf("asked %+v", q)
				}
				number := q.Request
				if x.number != 0 {
					number = x.number
				}
				if x.msg != nil {
					answers <- &paxos.Envelope{Request: number, Msg: x.msg}
				}
			}()
			err := Guard(t.Context(), tr, self, answers)
			if refused := errors.Is(err, ErrStopped); refused != x.refuse || err != nil && !refused {
				t.Errorf("%s: %v", x.name, err)
			}
			if waited := time.Since(begun) >= guardWait; waited != x.wait {
				t.Errorf("%s: waited %v", x.name, time.Since(begun))
			}
			synctest.Wait()
		})
	}
}

func TestGuardIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Guard(ctx, newRecorder(), paxos.Ident{Asker: "a1"}, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	tr := newRecorder()
	tr.setFull(true)
	if err := Guard(t.Context(), tr, paxos.Ident{Asker: "a1"}, nil); !errors.Is(err, errFull) {
		t.Fatal(err)
	}
}
