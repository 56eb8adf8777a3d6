package node

import (
	"context"
	"fmt"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// guardWait is how long a newcomer waits for a process that already runs under its name. The broker says at once if there is
// none; a process that is paused says nothing, and is not waited for.
const guardWait = time.Second

// errTwice is the end of a process that met another one on its own store.
func errTwice(name string, m *paxos.Ident) error {
	return fmt.Errorf("%q: %w: another process (run %x, boot %d) runs on a copy of this store; both stop, keep one of the two folders only",
		name, ErrStopped, m.Run, m.Boot)
}

// Guard asks, before a store's process says anything else, whether its name or its store is in use already (PROTOCOL A9).
// answers carries what arrives for the request that it sends through tr. It returns an error that says which of the
// two it is: with the same incarnation both processes stop, with another one the newcomer refuses to start.
func Guard(ctx context.Context, tr Transport, self paxos.Ident, answers <-chan *paxos.Envelope) error {
	var reqs requests
	number := reqs.source(askerGuard)()
	m := self
	err := tr.Send(&paxos.Envelope{Log: paxos.ProcessLog, From: self.Asker, To: self.Asker, Request: number, Msg: &m})
	if err != nil {
		return fmt.Errorf("ask whether %q runs already: %w", self.Asker, err)
	}
	wait := time.NewTimer(guardWait)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
			return nil
		case env := <-answers:
			if env.Request != number {
				continue
			}
			a, ok := env.Msg.(*paxos.IdentAnswer)
			if !ok {
				return nil // the broker: nobody is there
			}
			if a.Name != self.Asker || a.Run == self.Run {
				continue
			}
			if a.Incarnation == self.Incarnation && !self.Incarnation.IsZero() {
				return errTwice(self.Asker, &paxos.Ident{Run: a.Run, Boot: a.Boot})
			}
			return fmt.Errorf("%q: %w: a process under this name runs already with another store (incarnation %s); stop it, or give this one another name",
				self.Asker, ErrStopped, a.Incarnation)
		}
	}
}
