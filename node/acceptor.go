package node

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/acceptor"
)

// VoteStore is what an acceptor needs of its store.
type VoteStore interface {
	Committer
	// Scan returns the votes of a log in [from, to], in slot order, and the last slot that it covers: less than to where
	// maxVotes or maxBytes (of values, if wanted) cut it short, but at least one vote is returned if there is one.
	Scan(genesis paxos.GenesisID, from, to paxos.Slot, maxVotes, maxBytes int, values bool) (votes []paxos.VoteValue, covered paxos.Slot, err error)
	// SyncTime returns how long the sync of the newest durable group took. It is asked in a done of Submit.
	SyncTime() time.Duration
	// Full reports whether the disk is above its high-water mark (PROTOCOL K5).
	Full() (bool, error)
}

// diskEvery is how often the free space of a store is looked at. There is no event for a disk that fills.
const diskEvery = time.Second

// ErrStopped is wrapped by the errors with which a service ends by itself, other than by a failed store.
var ErrStopped = errors.New("the role cannot go on")

// AcceptorConfig is what an acceptor's service is made of. Core is restored from Store; the service owns both from
// Start on, and closes neither.
type AcceptorConfig struct {
	Name      string
	Core      *acceptor.Acceptor
	Store     VoteStore
	Transport Transport
	Clock     Clock
	Observer  Observer
	// Failed is told, once or more and from any goroutine, that the service cannot go on; it must not block.
	Failed func(error)
}

// Acceptor is an acceptor's service: one loop that owns the core, a goroutine that reads the store, one that watches
// the disk.
type Acceptor struct {
	cfg     AcceptorConfig
	loop    loop
	commits *commits
	out     acceptor.Output
	readers *mailbox
	ended   bool // the core said that the process must end: it is not stepped any more
	stop    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

// NewAcceptor returns a service that does nothing until Start.
func NewAcceptor(cfg AcceptorConfig) *Acceptor {
	a := &Acceptor{cfg: cfg, loop: newLoop(acceptorTickEvery), readers: newMailbox(), stop: make(chan struct{})}
	a.commits = newCommits(cfg.Store, a.send, cfg.Failed, a.stop)
	a.commits.last = a.timed
	a.loop.deliver = func(env *paxos.Envelope) {
		if !a.ended {
			cfg.Core.Deliver(cfg.Clock.Now(), env, &a.out)
		}
	}
	a.loop.tick = func() { cfg.Core.Tick(cfg.Clock.Now(), cfg.Clock.Wall(), &a.out) }
	a.loop.flush = a.flush
	return a
}

// Start begins to serve. Messages come by Receive.
func (a *Acceptor) Start() {
	a.loop.start()
	a.wg.Add(2)
	go a.runReads()
	go a.watchDisk()
}

// Receive takes a message from the transport; it may block while the acceptor is busy.
func (a *Acceptor) Receive(env *paxos.Envelope) {
	env.Arrived = a.cfg.Clock.Now()
	a.loop.receive(env)
}

// Stop ends the service, started or not, and waits for its goroutines. Records submitted are left to the store, whose Close
// waits for them.
func (a *Acceptor) Stop() {
	a.once.Do(func() { close(a.stop) })
	a.loop.end()
	a.readers.close()
	a.wg.Wait()
}

// QueueLength returns how many messages wait for the loop.
func (a *Acceptor) QueueLength() int { return a.loop.box.length() }

// Status returns the core's status of every log. It asks the loop and waits for it; nil once the service has stopped.
func (a *Acceptor) Status() []acceptor.LogStatus {
	return ask(&a.loop, func() []acceptor.LogStatus { return a.cfg.Core.Logs() })
}

// ask runs f on the loop and returns what it returns; the zero value once the loop ended.
func ask[T any](l *loop, f func() T) (v T) {
	done := make(chan T, 1)
	if !l.post(func() { done <- f() }) {
		return v
	}
	select {
	case v = <-done:
	case <-l.done:
	}
	return v
}

// timed measures votes as they leave, and says so in those that were asked. It runs on the loop or on the store's goroutine.
func (a *Acceptor) timed(env *paxos.Envelope, synced bool) {
	m, ok := env.Msg.(*paxos.Learn)
	if !ok {
		return
	}
	now := a.cfg.Clock.Now()
	var fsync paxos.Span
	if synced {
		fsync = paxos.Span(a.cfg.Store.SyncTime())
	}
	paxos.SetSynced(m, now, fsync)
	a.cfg.Observer.Observe(paxos.RoleAcceptor, a.cfg.Name, paxos.Event{
		Kind: paxos.EventSynced, Log: env.Log, Slot: m.Votes[len(m.Votes)-1].Slot, N: int64(now.Sub(m.Arrived)),
	})
}

func (a *Acceptor) send(env *paxos.Envelope) {
	// What is not sent is lost, as on any network: the other side asks again.
	_ = a.cfg.Transport.Send(env)
}

// flush ends a turn: what may leave now leaves, records go to the store with what waits for them, and reads start once what they
// must see has been written.
func (a *Acceptor) flush() {
	if a.ended {
		a.out.Reset()
		return
	}
	a.cfg.Core.Flush(&a.out)
	observe(a.cfg.Observer, paxos.RoleAcceptor, a.cfg.Name, a.out.Events)
	a.commits.leave(a.out.Now)
	var reads func()
	if len(a.out.Reads) > 0 {
		jobs := append([]acceptor.Read(nil), a.out.Reads...)
		reads = func() {
			for i := range jobs {
				a.readers.push(event{call: func() { a.read(&jobs[i]) }}) // the core bounds how many are under way
			}
		}
	}
	a.commits.submit(a.out.Records, a.out.After, reads)
	if a.out.Stop != "" {
		// What this turn said may still leave; nothing is said after it (PROTOCOL A9).
		a.ended = true
		a.cfg.Failed(fmt.Errorf("acceptor %q: %w: %s", a.cfg.Name, ErrStopped, a.out.Stop))
	}
	a.out.Reset()
}

// runReads reads the store, one range at a time, so that a long scan holds up nobody but other scans.
func (a *Acceptor) runReads() {
	defer a.wg.Done()
	runJobs(a.readers, a.stop)
}

// runJobs runs what is put into box, in order, until stop is closed.
func runJobs(box *mailbox, stop <-chan struct{}) {
	var jobs []event
	for {
		select {
		case <-stop:
			return
		case <-box.wake:
			jobs = box.take(jobs)
			for i := range jobs {
				select {
				case <-stop:
					return
				default:
					jobs[i].call()
				}
			}
		}
	}
}

func (a *Acceptor) read(r *acceptor.Read) {
	votes, covered, err := a.cfg.Store.Scan(r.Genesis, r.From, r.To, r.MaxVotes, r.MaxBytes, r.Values)
	if err != nil {
		a.cfg.Failed(fmt.Errorf("acceptor %q: read votes of log %q from slot %d: %w", a.cfg.Name, r.Log, r.From, err))
		return
	}
	res := &acceptor.ReadResult{Number: r.Number, From: r.From, To: covered, Votes: votes}
	a.loop.post(func() { a.cfg.Core.OnRead(a.cfg.Clock.Now(), res, &a.out) })
}

// watchDisk tells the core when the disk passes its high-water mark.
func (a *Acceptor) watchDisk() {
	defer a.wg.Done()
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for {
		full, err := a.cfg.Store.Full()
		if err != nil {
			a.cfg.Failed(fmt.Errorf("acceptor %q: look at the disk: %w", a.cfg.Name, err))
			return
		}
		a.loop.post(func() { a.cfg.Core.SetFull(full, &a.out) })
		select {
		case <-a.stop:
			return
		case <-tick.C:
		}
	}
}
