package sim

import (
	"github.com/paxosd/paxosd/paxos"
)

// service is what a process runs: a core and what package node does for it.
type service interface {
	deliver(env *paxos.Envelope)
	tick()
	// connection says whether the broker is reached.
	connection(up bool)
}

// process is a machine on which one role runs, is killed and started again. Its store stays.
type process struct {
	w    *world
	id   int // place in world.procs
	name string
	role paxos.Role
	twin bool // made from a copy of another's store, under its name

	asked map[question][]paxos.VoteInfo // durable as they were asked for

	life    uint32 // rises at each start and end; odd: runs
	run     uint64
	svc     service
	begin   func(p *process) // makes svc
	every   paxos.Span       // between ticks
	request uint64

	link   link
	votes  *voteStore   // an acceptor's
	chosen *chosenStore // a learner's
	disk   disk
	real   *realStore // beside the modelled one; nil: there is none

	paused paxos.Instant // until
	held   []event       // what came meanwhile

	rate float64    // of its clock
	base paxos.Span // its monotonic clock's start
	skew paxos.Span // of its wall clock

	fuseSend, fusePersist int        // crash at the n-th send or write from now; 0: not
	deaf                  bool       // hears no promise: it stays candidate for ever
	stuffed               bool       // an acceptor's disk is full of what trimming will remove
	sieve                 paxos.Slot // of its accepts only those leave whose slot this divides; 0: all
	broken                bool       // ended by itself: it is not started again as it is
}

func (p *process) up() bool { return p.life&1 == 1 }

// clock is the process's own monotonic clock.
func (p *process) clock() paxos.Instant {
	return paxos.Instant(float64(p.w.now)*p.rate) + paxos.Instant(p.base)
}

// wall is the process's wall clock.
func (p *process) wall() paxos.Stamp { return epoch + paxos.Stamp(p.w.now) + paxos.Stamp(p.skew) }

// start starts the process, if it does not run.
func (p *process) start() {
	if p.up() || p.broken {
		return
	}
	p.life++
	p.run = p.w.forLife.Uint64() | 1
	p.paused, p.held = 0, nil
	p.fuseSend, p.fusePersist = 0, 0
	p.w.mix(uint64(p.id)<<8 | 1)
	p.w.note("%s starts, run %x", p.name, p.run)
	p.begin(p)
	if p.up() {
		p.w.plans(event{at: p.w.now.Add(span(p.w.forLife, p.every)), p: p, life: p.life, kind: eventTick})
	}
}

// crash ends the process at once.
func (p *process) crash(why string) {
	if !p.up() {
		return
	}
	p.life++
	p.w.mix(uint64(p.id)<<8 | 2)
	p.w.note("%s ends: %s", p.name, why)
	p.svc = nil
	p.held = nil
	p.disk.crash()
	p.w.count("crash")
}

// ends is crash for a process that says itself that it cannot go on.
func (p *process) ends(why string) {
	p.crash(why)
	p.broken = true
}

// alive runs do later, unless the process has ended by then. While it is paused, it waits.
func (p *process) alive(d paxos.Span, do func()) {
	p.w.plans(event{at: p.w.now.Add(d), p: p, life: p.life, kind: eventCall, do: do})
}

// handle lets an event happen to the process.
func (p *process) handle(e *event) {
	if !p.up() || e.life != 0 && e.life != p.life {
		return
	}
	if p.paused > p.w.now {
		p.held = append(p.held, *e)
		if len(p.held) == 1 {
			p.w.plans(event{at: p.paused, kind: eventCall, do: p.resume})
		}
		return
	}
	switch e.kind {
	case eventTick:
		p.svc.tick()
		if p.up() && e.life == p.life {
			e.at = p.w.now.Add(p.every)
			p.w.plans(*e)
		}
	case eventDeliver:
		p.w.delivered(p, e.env)
		if p.svc != nil {
			p.svc.deliver(e.env)
		}
	default:
		e.do()
	}
}

func (p *process) resume() {
	held := p.held
	p.held = nil
	for i := range held {
		p.handle(&held[i])
	}
}

// next numbers requests; the low byte says which part of the service asked.
func (p *process) next(part uint64) func() uint64 {
	return func() uint64 {
		p.request++
		return p.request<<8 | part
	}
}

// Parts of a service that ask.
const (
	partCore = iota + 1
	partBoot
	partFounder
	partGuard
	partBeacons
)

func partOf(request uint64) uint64 { return request & 0xff }

// fuse burns down one of a process's fuses and reports whether the process ends by it.
func (p *process) fuse(f *int, why string) bool {
	if *f == 0 {
		return false
	}
	*f--
	if *f == 0 {
		p.crash(why)
		return true
	}
	return false
}
