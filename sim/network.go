package sim

import (
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// network is the brokers and the links to them. A message from one process to another passes if both are connected, their brokers
// see each other, and the way between the two is not cut. Without reordering, what one process sends another on one connection
// arrives in order, as over TCP.
type network struct {
	w *world

	loss, dup, slow, false503 float64
	reorder                   bool
	late                      paxos.Span    // added to every delay while a burst lasts
	lateUntil                 paxos.Instant // the burst's end
	split                     int           // this broker sees none of the others; 0: all see each other

	line []paxos.Instant // by sender, receiver and connection: when the newest message arrives
}

// link is a process's or a client's place in the network.
type link struct {
	broker  int
	up      bool
	cut     uint64 // processes, by id, that nothing from here reaches
	holding bool   // what is sent while the broker is away is kept, and sent when it is back
	kept    []keptSend
}

type keptSend struct {
	env  paxos.Envelope
	life uint32
}

// maxLinks bounds processes and clients, so that a cut is one word.
const maxLinks = 64

// Receivers of broadcasts.
const (
	toAcceptors = 1 << iota
	toProposers
	toLearners
	toClients
)

// receivers says who subscribes to a kind (docs/protocol.md, "Subjects").
func receivers(k paxos.Kind) int {
	switch k {
	case paxos.KindPrepare:
		return toAcceptors | toProposers
	case paxos.KindAccept:
		return toAcceptors | toProposers | toLearners
	case paxos.KindPropose:
		return toAcceptors
	case paxos.KindChosen:
		return toProposers | toLearners
	case paxos.KindPromise, paxos.KindRefuse, paxos.KindBeat, paxos.KindReport, paxos.KindVote:
		return toProposers
	case paxos.KindLearn:
		return toProposers | toLearners
	case paxos.KindBeacon, paxos.KindGenesis:
		return toAcceptors | toProposers | toLearners
	case paxos.KindLeader:
		return toClients
	default:
		return 0
	}
}

func subscribes(r paxos.Role) int {
	switch r {
	case paxos.RoleAcceptor:
		return toAcceptors
	case paxos.RoleProposer:
		return toProposers
	case paxos.RoleLearner:
		return toLearners
	default:
		return toClients
	}
}

// passes reports whether the ways from a to b are there.
func (n *network) passes(a, b *process) bool {
	return a.link.up && b.link.up && a.link.cut&(1<<b.id) == 0 && (n.split == 0 || (a.link.broker == n.split) == (b.link.broker == n.split))
}

// delay draws how long a message takes.
func (n *network) delay() paxos.Span {
	r := n.w.forNet
	d := 50*paxos.Microsecond + span(r, 300*paxos.Microsecond)
	if chance(r, n.slow) {
		d += span(r, 80*paxos.Millisecond)
	}
	if n.lateUntil > n.w.now {
		d += n.late/2 + span(r, n.late)
	}
	return d
}

// arrival draws when a message from a to b arrives, after those before it.
func (n *network) arrival(a, b *process, bulk, ordered bool) paxos.Instant {
	at := n.w.now.Add(n.delay())
	if n.reorder && !ordered {
		return at
	}
	i := 2 * (a.id*maxLinks + b.id)
	if bulk {
		i++
	}
	at = max(at, n.line[i])
	n.line[i] = at
	return at
}

// carry brings env from a to b, if the network lets it.
func (n *network) carry(a, b *process, env *paxos.Envelope) {
	if !n.passes(a, b) || chance(n.w.forNet, n.loss) {
		if m, ok := env.Msg.(*paxos.Promise); ok && len(m.Votes) > 0 {
			n.w.count("promise lost")
		}
		return
	}
	n.w.plans(event{at: n.arrival(a, b, env.Bulk, false), p: b, env: env, kind: eventDeliver})
	if chance(n.w.forNet, n.dup) {
		n.w.plans(event{at: n.w.now.Add(n.delay()), p: b, env: env, kind: eventDeliver})
	}
}

// send takes what a process's service puts out.
func (p *process) send(env *paxos.Envelope) {
	if !p.up() || p.fuse(&p.fuseSend, "killed as it sends") {
		return
	}
	p.w.check.sends(p, env)
	p.transmit(env)
}

// transmit is the process's connection: broadcasts reach all others, requests their addressee, answers who asked.
func (p *process) transmit(env *paxos.Envelope) {
	if !p.link.up {
		if p.link.holding && len(p.link.kept) < 4096 {
			p.link.kept = append(p.link.kept, keptSend{*env, p.life})
		}
		return
	}
	if m, ok := env.Msg.(*paxos.Accept); ok && p.sieve > 0 && m.Slot%p.sieve != 0 {
		return
	}
	e := *env
	n := &p.w.network
	switch k := env.Msg.Kind(); {
	case k.IsAnswer() || env.Reply != "":
		n.answer(p, &e)
	case env.To != "" && env.Request != 0:
		n.request(p, &e)
	default:
		who := receivers(k)
		for _, q := range p.w.procs {
			if q != p && who&subscribes(q.role) != 0 && q.up() && (env.To == "" || env.To == q.name) {
				n.carry(p, q, &e)
			}
		}
	}
}

// request brings a request to whoever has the addressee's name; where the broker sees nobody, its 503 comes back.
func (n *network) request(p *process, env *paxos.Envelope) {
	seen := false
	env.Reply = replyTo(p, env.Request)
	for _, q := range n.w.procs {
		if q == p || !q.up() || q.name != env.To || env.ToRun != 0 && env.ToRun != q.run || !n.passes(p, q) {
			continue
		}
		if _, mute := q.svc.(*guard); mute {
			continue // it has not subscribed yet
		}
		if chance(n.w.forNet, n.false503) {
			continue
		}
		seen = true
		n.carry(p, q, env)
	}
	if !seen {
		no := &paxos.Envelope{Log: env.Log, Genesis: env.Genesis, Request: env.Request, Msg: &paxos.NoResponders{}}
		n.w.plans(event{at: n.w.now.Add(200 * paxos.Microsecond), p: p, life: p.life, env: no, kind: eventDeliver})
	}
}

// replyTo names the inbox of one life of a process: what comes for an earlier one is lost.
func replyTo(p *process, request uint64) string {
	b := strconv.AppendUint(nil, uint64(p.id), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(p.life), 10)
	b = append(b, '.')
	return string(strconv.AppendUint(b, request, 10))
}

// answer brings an answer to the inbox that its request named.
func (n *network) answer(p *process, env *paxos.Envelope) {
	to, rest, _ := strings.Cut(env.Reply, ".")
	life, request, ok := strings.Cut(rest, ".")
	id, err := strconv.Atoi(to)
	if err != nil || !ok || id >= len(n.w.procs) {
		return // nobody waits: a request without an inbox
	}
	q := n.w.procs[id]
	if l, _ := strconv.ParseUint(life, 10, 32); uint32(l) != q.life || !q.up() {
		return
	}
	env.Request, _ = strconv.ParseUint(request, 10, 64)
	env.Reply, env.From = "", p.name
	n.carry(p, q, env)
}

// disconnect takes the broker away from p; hold says that what it sends meanwhile leaves once it is back.
func (p *process) disconnect(hold bool) {
	if !p.link.up {
		return
	}
	p.link.up, p.link.holding = false, hold
	if p.svc != nil {
		p.svc.connection(false)
	}
}

// reconnect brings the broker back.
func (p *process) reconnect() {
	if p.link.up {
		return
	}
	p.link.up = true
	kept := p.link.kept
	p.link.kept = nil
	for i := range kept {
		if kept[i].life == p.life {
			p.transmit(&kept[i].env)
		}
	}
	if len(kept) > 0 {
		p.w.count("late flush")
	}
	if p.svc != nil {
		p.svc.connection(true)
	}
}

// isolate cuts all ways from and to p, or only one direction, or joins it again.
func (n *network) isolate(p *process, from, to bool) {
	for _, q := range n.w.procs {
		if q == p {
			continue
		}
		setCut(p, q, from)
		setCut(q, p, to)
	}
}

func setCut(a, b *process, on bool) {
	if on {
		a.link.cut |= 1 << b.id
	} else {
		a.link.cut &^= 1 << b.id
	}
}

// heal brings all ways back.
func (n *network) heal() {
	n.loss, n.dup, n.slow, n.false503, n.reorder, n.split, n.lateUntil = 0, 0, 0, 0, false, 0, 0
	for _, p := range n.w.procs {
		p.link.cut = 0
		p.reconnect()
	}
}
