package node

import (
	"context"
	"time"

	"github.com/paxosd/paxosd/paxos"
)

// loop is the one goroutine that owns a core. It takes everything that is queued, hands it to the core one by one, and then
// flushes once: what queued during one turn is the next turn, so that work is gathered under load and nothing waits without.
type loop struct {
	box  *mailbox
	stop context.CancelFunc
	done chan struct{}

	every   paxos.Span                // between ticks
	deliver func(env *paxos.Envelope) // a message, for the core or a part of the service
	tick    func()                    // time passed
	flush   func()                    // end of a turn: hand over what the core asked for
	last    func()                    // when the loop ends; may be nil
}

// post queues a function to run on the loop, and waits while the mailbox is full. It reports false once the loop ended.
func (l *loop) post(f func()) bool { return l.box.put(event{call: f}) }

// complete queues a function to run on the loop and never waits: it is for whatever the loop itself may be waiting for.
func (l *loop) complete(f func()) bool { return l.box.push(event{call: f}) }

// receive queues a message; it is the transport's callback.
func (l *loop) receive(env *paxos.Envelope) {
	l.box.put(event{env: env, size: envelopeCost(env)})
}

// envelopeCost is what a queued message takes of the mailbox's bytes.
func envelopeCost(env *paxos.Envelope) int {
	const overhead = 256
	switch m := env.Msg.(type) {
	case *paxos.Accept:
		return overhead + len(m.Value)
	case *paxos.Append:
		return overhead + len(m.Payload)
	case *paxos.Batch:
		return overhead + len(m.Batch)
	case *paxos.FetchAnswer:
		n := overhead
		for i := range m.Values {
			n += len(m.Values[i].Value)
		}
		return n
	case *paxos.VotesAnswer:
		n := overhead
		for i := range m.Votes {
			n += len(m.Votes[i].Value)
		}
		return n
	case *paxos.CheckpointAnswer:
		return overhead + len(m.State)
	}
	return overhead
}

// newLoop returns a loop whose mailbox takes messages already; nothing is done with them until start.
func newLoop(every paxos.Span) loop {
	return loop{box: newMailbox(), done: make(chan struct{}), every: every}
}

// start runs the loop until end is called.
func (l *loop) start() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.run(ctx)
}

// end stops the loop, if it runs, and waits for it. What is still queued is dropped: the protocol sends it again. Whoever waits to
// put something goes on.
func (l *loop) end() {
	l.box.close()
	if l.stop != nil {
		l.stop()
		<-l.done
	}
}

func (l *loop) run(ctx context.Context) {
	defer close(l.done)
	ticker := time.NewTicker(time.Duration(l.every))
	defer ticker.Stop()
	var events []event
	for {
		select {
		case <-ctx.Done():
			if l.last != nil {
				l.last()
			}
			return
		case <-ticker.C:
			l.tick()
		case <-l.box.wake:
			events = l.box.take(events)
			for i := range events {
				if e := &events[i]; e.call != nil {
					e.call()
				} else {
					l.deliver(e.env)
				}
			}
		}
		l.flush()
	}
}
