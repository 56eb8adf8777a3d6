package node

import (
	"slices"

	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// directory finds out which logs there are. It is a state machine in a loop: idents and genesis messages go in, requests
// and newly found live logs come out.
//
// At start it asks every configured acceptor and learner who they are, again until each acceptor has answered once and holds no
// log half founded. After that it acts on events alone: a "live" that it hears, or a beacon that names a log it does not know.
//
//	I1  a log name is pinned to the first live genesis seen (PROTOCOL section 6); another one is told to the observer, once.
//	I2  rounds of asking are spaced by pauses that double, until nothing was asked for a while: who keeps naming a log that
//	    nobody can describe costs little.
type directory struct {
	self      paxos.Ident // what its requests say of the asker
	acceptors []string
	learners  []string
	next      func() uint64
	pending   map[uint64]string // request → who was asked
	answered  map[string]bool
	known     map[string]paxos.GenesisID
	conflicts map[string]bool
	prepared  []prepared // heard of, and not known to be live yet; at most maxPrepared
	done      bool       // every acceptor has answered since the last refresh
	asked     bool       // a round was begun at all
	askedAt   paxos.Instant
	wait      paxos.Span // until the next round may begin
}

// prepared is a genesis that an acceptor or keeper says it is prepared for.
type prepared struct {
	log    string
	id     paxos.GenesisID
	record []byte
}

// Spans between two rounds of asking.
const (
	directoryFirst = 100 * paxos.Millisecond
	directoryMax   = 2 * paxos.Second

	maxPrepared = 64
)

// found is a live log.
type found struct {
	genesis *paxos.Genesis
	record  []byte
}

func newDirectory(self paxos.Ident, acceptors, learners []string, next func() uint64) *directory {
	return &directory{
		self: self, acceptors: acceptors, learners: learners, next: next,
		pending: make(map[uint64]string), answered: make(map[string]bool),
		known: make(map[string]paxos.GenesisID), conflicts: make(map[string]bool),
		wait: directoryFirst,
	}
}

// pin says that the owner serves this log already.
func (d *directory) pin(log string, g paxos.GenesisID) { d.known[log] = g }

// refresh starts asking again: after a reconnect, or when a beacon names an unknown log.
func (d *directory) refresh() {
	d.done = false
	clear(d.answered)
}

// tick asks who has not answered yet, if it is time.
func (d *directory) tick(now paxos.Instant, out *paxos.Output) {
	quiet := now.Sub(d.askedAt)
	if d.done || d.asked && quiet < d.wait {
		return
	}
	if d.asked && quiet >= 2*directoryMax {
		d.wait = directoryFirst
	}
	clear(d.pending)
	for _, name := range d.acceptors {
		d.ask(name, out)
	}
	for _, name := range d.learners {
		d.ask(name, out)
	}
	if d.asked {
		d.wait = min(2*d.wait, directoryMax)
	}
	d.asked, d.askedAt = true, now
}

func (d *directory) ask(name string, out *paxos.Output) {
	if d.answered[name] || name == d.self.Asker {
		return
	}
	r := d.next()
	d.pending[r] = name
	m := d.self
	out.Now = append(out.Now, paxos.Envelope{Log: paxos.ProcessLog, From: d.self.Asker, To: name, Request: r, Msg: &m})
}

// onAnswer takes an ident answer and returns the live logs that were not known. Who holds a log half founded is asked again until
// that log is live, or gone.
func (d *directory) onAnswer(env *paxos.Envelope, out *paxos.Output) []found {
	m, ok := env.Msg.(*paxos.IdentAnswer)
	if !ok || d.pending[env.Request] != m.Name || m.Cluster == "" {
		return nil
	}
	delete(d.pending, env.Request)
	d.answered[m.Name] = true
	var fs []found
	for i := range m.Logs {
		l := &m.Logs[i]
		switch l.State {
		case paxos.LogLive, paxos.LogRetired:
			if f, ok := d.learn(l.Log, l.Genesis, l.Record, out); ok {
				fs = append(fs, f)
			}
		case paxos.LogPrepared:
			d.answered[m.Name] = false
			d.revive(prepared{l.Log, l.Genesis, l.Record}, out)
		default:
		}
	}
	d.done = !slices.ContainsFunc(d.acceptors, func(a string) bool { return !d.answered[a] })
	return fs
}

// onGenesis takes a genesis message: "live" with its record makes a log known.
func (d *directory) onGenesis(m *paxos.GenesisMsg, log string, out *paxos.Output) (found, bool) {
	if m.Step != paxos.GenesisGoLive && m.Step != paxos.GenesisIsLive {
		return found{}, false
	}
	if len(m.Record) == 0 {
		if d.known[log] != m.ID {
			d.refresh()
		}
		return found{}, false
	}
	return d.learn(log, m.ID, m.Record, out)
}

// onBeaconItem notices logs that are not known.
func (d *directory) onBeaconItem(it *paxos.BeaconItem) {
	if g, ok := d.known[it.Log]; !ok || (g != it.Genesis && !d.conflicts[it.Log]) {
		d.refresh()
	}
}

// learn makes a live log known, and those live who were prepared for it.
func (d *directory) learn(log string, id paxos.GenesisID, record []byte, out *paxos.Output) (found, bool) {
	if g, ok := d.known[log]; ok {
		if g != id && !d.conflicts[log] {
			d.conflicts[log] = true
			out.Events = append(out.Events, paxos.Event{
				Kind: paxos.EventGenesis, Log: log,
				Text: "two live geneses of this log were heard: " + g.String() + " and " + id.String() + "; only the first is followed",
			})
		}
		return found{}, false
	}
	g, err := value.DecodeGenesis(record)
	if err != nil || g.ID != id || g.Log != log {
		return found{}, false
	}
	d.known[log] = id
	for _, p := range d.prepared {
		if p.log == log {
			d.revive(p, out)
		}
	}
	d.prepared = slices.DeleteFunc(d.prepared, func(p prepared) bool { return p.log == log })
	return found{genesis: g, record: slices.Clone(record)}, true
}

// revive tells an acceptor or keeper that missed "live": one live acceptor proves it, and anyone may say so. What is not known
// to be live yet is remembered: others may still say that it is.
func (d *directory) revive(p prepared, out *paxos.Output) {
	id, ok := d.known[p.log]
	switch {
	case len(p.record) == 0 || ok && id != p.id:
	case ok:
		out.Now = append(out.Now, paxos.Envelope{
			Log: p.log, Genesis: p.id, From: d.self.Asker,
			Msg: &paxos.GenesisMsg{Step: paxos.GenesisGoLive, ID: p.id, Record: p.record, Sender: d.self.Asker, Run: d.self.Run},
		})
	case len(d.prepared) < maxPrepared && !slices.ContainsFunc(d.prepared, func(o prepared) bool { return o.log == p.log && o.id == p.id }):
		d.prepared = append(d.prepared, p)
	}
}
