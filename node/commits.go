package node

import (
	"slices"
	"sync/atomic"

	"github.com/paxosd/paxosd/paxos"
)

// Committer makes records durable, in order, a group at a time.
type Committer interface {
	// Submit adds recs to the group that forms; they become durable together or not at all. done is called, in the order of
	// Submit and from one goroutine, when they and all before are durable. With no recs it waits for what came before. It keeps
	// no reference to recs. An error means that nothing will come of recs and that the process must end.
	Submit(recs []paxos.Record, done func(written uint64)) error
	// Written returns the newest durable write number.
	Written() uint64
}

// maxUnsettled bounds the turns whose output waits for the store. Records have a bound of their own in the store; this one is for
// envelopes without records, which a disk that hangs would gather without end. Past it the loop waits: the disk is what limits.
const maxUnsettled = 1024

// commits hands a loop's output to a store and lets envelopes go when they may: at once, or after the records of this
// turn and of every earlier one (PROTOCOL A1). The loop owns it; completions come from the store's goroutine, and never wait for
// the loop.
type commits struct {
	store Committer
	send  func(*paxos.Envelope)
	last  func(env *paxos.Envelope, synced bool) // the last word on what leaves after the store, synced if records were written; may be nil
	fail  func(error)
	quit  <-chan struct{} // closed when the service stops: nothing waits for the store any more

	room      chan struct{} // a token for each turn that is not settled
	unsettled atomic.Int64  // groups submitted and not durable yet
	broken    bool          // a submit failed: nothing waits for durability any more, and nothing leaves by it
}

func newCommits(store Committer, send func(*paxos.Envelope), fail func(error), quit <-chan struct{}) *commits {
	return &commits{store: store, send: send, fail: fail, quit: quit, room: make(chan struct{}, maxUnsettled)}
}

// enter waits until fewer turns wait for the store. It reports false when the service ends first: what is not written then was
// never promised.
func (c *commits) enter() bool {
	select {
	case c.room <- struct{}{}:
		return true
	default:
	}
	select {
	case c.room <- struct{}{}:
		return true
	case <-c.quit:
		return false
	}
}

// leave sends what may leave now.
func (c *commits) leave(envs []paxos.Envelope) {
	for i := range envs {
		env := envs[i]
		paxos.SetWritten(&env, c.store.Written())
		if c.last != nil {
			c.last(&env, false)
		}
		c.send(&env)
	}
}

// submit makes recs durable and then sends after, then calls done, if any. Where nothing is under way and there is nothing to
// write, that is at once. done runs on the loop or on the store's goroutine, and must wait for neither.
func (c *commits) submit(recs []paxos.Record, after []paxos.Envelope, done func()) {
	if c.broken {
		return
	}
	if len(recs) == 0 {
		if len(after) == 0 && done == nil {
			return
		}
		if c.unsettled.Load() == 0 {
			c.leave(after)
			if done != nil {
				done()
			}
			return
		}
	}
	if !c.enter() {
		return
	}
	after = slices.Clone(after)
	wrote := len(recs) > 0
	c.unsettled.Add(1)
	err := c.store.Submit(recs, func(written uint64) {
		for i := range after {
			paxos.SetWritten(&after[i], written)
			if c.last != nil {
				c.last(&after[i], wrote)
			}
			c.send(&after[i])
		}
		if done != nil {
			done()
		}
		// Only now: a later envelope that finds nothing under way must not overtake these.
		c.unsettled.Add(-1)
		<-c.room
	})
	if err != nil {
		c.broken = true
		c.fail(err)
	}
}
