package configs

import (
	"slices"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// Topology is who there is in a cluster, as far as the broker must know: every process has a user of its own, because
// a subject's name token says who speaks, and only the broker can hold it to be true (PROTOCOL N1, N2).
type Topology struct {
	Cluster   string
	Prefix    string
	Acceptors []string
	Proposers []string
	Learners  []string
	Nodes     []NodeUser // users for processes that run several roles
}

// NodeUser is a user that may do what several roles may, for 'paxosd node'.
type NodeUser struct {
	Name  string
	Roles []string // names out of the topology's lists
}

// Access is what one user may do, as subjects of NATS with wildcards.
type Access struct {
	Publish   []string
	Subscribe []string
}

// Users that are no process of the cluster.
const (
	UserClient  = "client"  // appends and reads
	UserAdmin   = "admin"   // what a client may, and commands
	UserMonitor = "monitor" // sees who is there and how it goes
)

// outsiders are the users that are no process of the cluster, each with where its answers go. The client's include the
// inbox of NATS programs that were told no other, so that a plain 'nats req' works.
func outsiders() []inboxes {
	return []inboxes{
		{UserClient, []string{"_INBOX.>", "_INBOX_client.>"}},
		{UserAdmin, []string{"_INBOX_admin.>"}},
		{UserMonitor, []string{"_INBOX_monitor.>"}},
	}
}

type inboxes struct {
	user     string
	subjects []string
}

// Users returns every user with its access: processes, nodes, then the outsiders.
func (t *Topology) Users() []User {
	var us []User
	for _, names := range [][]string{t.Acceptors, t.Proposers, t.Learners} {
		for _, name := range names {
			us = append(us, User{name, t.of(name)})
		}
	}
	for _, n := range t.Nodes {
		var a Access
		for _, name := range n.Roles {
			a = union(a, t.of(name))
		}
		us = append(us, User{n.Name, a})
	}
	return append(us, User{UserClient, t.client()}, User{UserAdmin, t.admin()}, User{UserMonitor, t.monitor()})
}

// User is a user of the broker.
type User struct {
	Name   string
	Access Access
}

func (t *Topology) of(name string) Access {
	switch {
	case slices.Contains(t.Acceptors, name):
		return t.acceptor(name)
	case slices.Contains(t.Proposers, name):
		return t.proposer(name)
	default:
		return t.learner(name)
	}
}

// acceptor speaks in its own name only; whom it asks may be anyone, because asking changes nothing.
func (t *Topology) acceptor(name string) Access {
	return union(t.process(name), Access{
		Publish: flat(
			t.speak(name, paxos.KindPromise, paxos.KindRefuse, paxos.KindLearn, paxos.KindBeat),
			t.subjects([]paxos.Kind{paxos.KindVote}, "."+name+".*"),
			t.ask(paxos.KindLive, paxos.KindBeacons),
		),
		Subscribe: flat(
			t.hear(paxos.KindPrepare, paxos.KindAccept, paxos.KindPropose, paxos.KindBeacon),
			t.serve(name, paxos.KindAsk, paxos.KindFetch),
		),
	})
}

func (t *Topology) proposer(name string) Access {
	return union(t.process(name), Access{
		Publish: flat(
			t.speak(name, paxos.KindPrepare, paxos.KindAccept, paxos.KindPropose, paxos.KindChosen, paxos.KindBeacon, paxos.KindLeader),
			t.ask(paxos.KindAsk, paxos.KindBeacons, paxos.KindFetch, paxos.KindCheckpoint),
		),
		Subscribe: flat(
			t.hear(paxos.KindPromise, paxos.KindRefuse, paxos.KindAccept, paxos.KindChosen, paxos.KindLearn, paxos.KindBeacon, paxos.KindBeat,
				paxos.KindReport),
			t.subjects([]paxos.Kind{paxos.KindVote}, ".*."+name),
			t.lead(paxos.KindAppend, paxos.KindBatch, paxos.KindOpen, paxos.KindAdmin),
			t.serve(name, paxos.KindLive, paxos.KindBeacons),
		),
	})
}

func (t *Topology) learner(name string) Access {
	return union(t.process(name), Access{
		Publish: flat(
			t.speak(name, paxos.KindReport),
			t.ask(paxos.KindBeacons, paxos.KindFetch, paxos.KindCheckpoint),
		),
		Subscribe: flat(
			t.hear(paxos.KindAccept, paxos.KindChosen, paxos.KindLearn, paxos.KindBeacon),
			t.serve(name, paxos.KindRead, paxos.KindGet, paxos.KindFetch, paxos.KindCheckpoint),
		),
	})
}

// process is what every process of the cluster may: found logs, say and ask who is there, be listed as a service, and answer. Its
// answers go to inboxes alone, so that no request can have one delivered as a message of the protocol.
func (t *Topology) process(name string) Access {
	return Access{
		Publish:   flat(t.speak(name, paxos.KindGenesis), t.ask(paxos.KindIdent), t.answers()),
		Subscribe: flat(t.hear(paxos.KindGenesis), t.serve(name, paxos.KindIdent), []string{t.stats(name), "$SRV.>", "_INBOX_" + name + ".>"}),
	}
}

// answers is every inbox of the cluster.
func (t *Topology) answers() []string {
	var s []string
	for _, names := range [][]string{t.Acceptors, t.Proposers, t.Learners} {
		for _, name := range names {
			s = append(s, "_INBOX_"+name+".>")
		}
	}
	for _, o := range outsiders() {
		s = append(s, o.subjects...)
	}
	return s
}

func (t *Topology) client() Access {
	return Access{
		Publish: flat(
			t.lead(paxos.KindAppend, paxos.KindBatch, paxos.KindOpen),
			t.ask(paxos.KindRead, paxos.KindGet, paxos.KindIdent),
			t.look(),
		),
		Subscribe: flat(inboxOf(UserClient), t.hear(paxos.KindLeader)),
	}
}

func (t *Topology) admin() Access {
	c := t.client()
	return Access{
		Publish:   flat(c.Publish, t.lead(paxos.KindAdmin)),
		Subscribe: flat(inboxOf(UserAdmin), t.hear(paxos.KindLeader)),
	}
}

func (t *Topology) monitor() Access {
	return Access{
		Publish:   flat(t.ask(paxos.KindIdent), t.look()),
		Subscribe: flat(inboxOf(UserMonitor), t.hear(paxos.KindLeader)),
	}
}

// look returns the subjects by which services are found and their stats asked for.
func (t *Topology) look() []string { return []string{"$SRV.>", t.stats("*")} }

// stats returns the subject of a process's one micro endpoint. It is no kind of the protocol: the answer is JSON for people.
func (t *Topology) stats(name string) string {
	return strings.Join([]string{t.Prefix, t.Cluster, paxos.ProcessLog, "stats", name}, ".")
}

func inboxOf(user string) []string {
	for _, o := range outsiders() {
		if o.user == user {
			return o.subjects
		}
	}
	return nil
}

// speak returns the subjects on which name is the sender.
func (t *Topology) speak(name string, kinds ...paxos.Kind) []string {
	return t.subjects(kinds, "."+name)
}

// hear returns the subjects of every sender.
func (t *Topology) hear(kinds ...paxos.Kind) []string { return t.subjects(kinds, ".*") }

// lead returns the subjects that reach whoever leads.
func (t *Topology) lead(kinds ...paxos.Kind) []string { return t.subjects(kinds, "") }

// ask returns the subjects of requests to anyone.
func (t *Topology) ask(kinds ...paxos.Kind) []string { return t.serve("*", kinds...) }

// serve returns the subjects of requests to name. Some name the addressee's run, too.
func (t *Topology) serve(name string, kinds ...paxos.Kind) []string {
	var s []string
	for _, k := range kinds {
		switch k {
		case paxos.KindLive, paxos.KindBeacons:
			s = append(s, t.subject(k, "."+name+".*"))
		case paxos.KindIdent:
			s = append(s, t.subject(k, "."+name), t.subject(k, "."+name+".*"))
		default:
			s = append(s, t.subject(k, "."+name))
		}
	}
	return s
}

func (t *Topology) subjects(kinds []paxos.Kind, end string) []string {
	s := make([]string, len(kinds))
	for i, k := range kinds {
		s[i] = t.subject(k, end)
	}
	return s
}

// subject returns prefix.cluster.log.kind and an end. Messages that concern a whole process have their own log token.
func (t *Topology) subject(k paxos.Kind, end string) string {
	log := "*"
	switch k {
	case paxos.KindBeacon, paxos.KindBeat, paxos.KindIdent, paxos.KindBeacons:
		log = paxos.ProcessLog
	default:
	}
	return strings.Join([]string{t.Prefix, t.Cluster, log, k.String()}, ".") + end
}

func flat(lists ...[]string) []string { return slices.Concat(lists...) }

// union keeps the order of first appearance.
func union(a, b Access) Access {
	return Access{Publish: merge(a.Publish, b.Publish), Subscribe: merge(a.Subscribe, b.Subscribe)}
}

func merge(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
