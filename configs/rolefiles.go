package configs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// httpPort is the first port of the shipped files' listeners: one each, so that all run on one machine.
const httpPort = 7481

// RoleFiles returns the ready-to-run file of every process of t, by name: one a role, and one a node.
func RoleFiles(t *Topology) map[string][]byte {
	files := make(map[string][]byte)
	port := httpPort
	one := func(file, user string, roles []string) {
		files[file] = roleFile(t, user, roles, port)
		port++
	}
	for _, l := range []struct {
		role  string
		names []string
	}{{"acceptor", t.Acceptors}, {"proposer", t.Proposers}, {"learner", t.Learners}} {
		for _, name := range l.names {
			one(l.role+"-"+name+".yaml", name, []string{name})
		}
	}
	for i, n := range t.Nodes {
		one(fmt.Sprintf("node-%d.yaml", i+1), n.Name, n.Roles)
	}
	return files
}

// roleFile writes one process's file. The cluster's lists are the same in all of them.
func roleFile(t *Topology, user string, roles []string, port int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s. Every key with its default is in example.yaml.\n\n", strings.Join(describeRoles(t, roles), ", "))
	fmt.Fprintf(&b, "cluster: %s\n\nbroker:\n  urls: [nats://127.0.0.1:4222]\n  user: %s\n", t.Cluster, user)
	fmt.Fprintf(&b, "  password: change-me-%s  # as in broker-passwords.conf; better: %s\n\n", user, Environment("broker.password"))
	for _, name := range roles {
		writeRole(&b, t, name)
	}
	fmt.Fprintf(&b, "# The same in every file of the cluster.\nacceptors: [%s]\nproposers: [%s]\nkeepers: [%s]\nlogs: [main]\n\n",
		strings.Join(t.Acceptors, ", "), strings.Join(t.Proposers, ", "), strings.Join(t.Learners, ", "))
	fmt.Fprintf(&b, "http:\n  listen: 127.0.0.1:%d\n", port)
	return b.Bytes()
}

func describeRoles(t *Topology, roles []string) []string {
	words := make([]string, len(roles))
	for i, name := range roles {
		words[i] = roleOf(t, name) + " " + name
	}
	words[0] = strings.ToUpper(words[0][:1]) + words[0][1:]
	return words
}

func writeRole(b *bytes.Buffer, t *Topology, name string) {
	role := roleOf(t, name)
	fmt.Fprintf(b, "%s:\n  name: %s\n", role, name)
	switch {
	case role != "proposer":
		fmt.Fprintf(b, "  data: data/%s\n", name)
	case name == t.Proposers[0]:
		b.WriteString("  found: true  # in this file alone: it founds the logs that nobody knows yet\n")
	}
	b.WriteByte('\n')
}

func roleOf(t *Topology, name string) string {
	switch {
	case slices.Contains(t.Acceptors, name):
		return "acceptor"
	case slices.Contains(t.Proposers, name):
		return "proposer"
	default:
		return "learner"
	}
}
