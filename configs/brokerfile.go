package configs

import (
	"bytes"
	"strings"
)

// ShippedTopology is the cluster of the ready-to-run files.
func ShippedTopology() *Topology {
	return &Topology{
		Cluster:   "main",
		Prefix:    "paxos",
		Acceptors: []string{"a1", "a2", "a3"},
		Proposers: []string{"p1", "p2"},
		Learners:  []string{"l1", "l2"},
		Nodes: []NodeUser{
			{"n1", []string{"a1", "p1", "l1"}},
			{"n2", []string{"a2", "p2", "l2"}},
			{"n3", []string{"a3"}},
		},
	}
}

const brokerHead = `# The broker of a paxosd cluster: what any nats-server reads, and 'paxosd broker --config' too.
#
# A subject's name token says who speaks, and the permissions below hold it to be true: only a1's user may publish
# a1's votes, only p1's user p1's accepts. Answers go to inboxes alone. Nobody subscribes to everything: a catch-all
# turns the instant "nobody there", by which clients and standbys notice a failure, into a time-out.
#
# The passwords are in the file that is included: change them, and give that file to the broker's user only. Written by
# 'go test ./configs -update' out of permissions.go; for another cluster, write one with other names in the same way.

server_name: paxosd-broker
listen: 127.0.0.1:4222    # 0.0.0.0:4222 for processes on other machines; then with tls below

max_payload: 1048576      # 1 MiB: values need genesis.value_limit and 16 KiB (broker.max_payload)
max_pending: 67108864     # 64 MiB: four times protocol.in_flight (broker.max_pending)
write_deadline: "2s"
ping_interval: "3s"       # a process that does not answer two is gone
ping_max: 2

# tls {
#   cert_file: "/etc/paxosd/broker.crt"
#   key_file: "/etc/paxosd/broker.key"
#   ca_file: "/etc/paxosd/ca.crt"
# }

include "broker-passwords.conf"

`

const passwordsHead = `# Passwords of the broker's users, for trying it out: change every one. A bcrypt hash ('nats server passwd') works as
# well as a word. Roles take theirs from PAXOSD_BROKER_PASSWORD or broker.password.

`

// BrokerFile returns the configuration of a broker for t, which includes the file of passwords.
func BrokerFile(t *Topology) []byte {
	var b bytes.Buffer
	b.WriteString(brokerHead)
	b.WriteString("authorization {\n  timeout: 2\n  users: [\n")
	for _, u := range t.Users() {
		b.WriteString("    {\n      user: " + quote(u.Name) + ", password: $" + passwordVariable(u.Name) + "\n      permissions: {\n")
		writeSubjects(&b, "publish", u.Access.Publish)
		writeSubjects(&b, "subscribe", u.Access.Subscribe)
		b.WriteString("      }\n    }\n")
	}
	b.WriteString("  ]\n}\n")
	return b.Bytes()
}

func writeSubjects(b *bytes.Buffer, what string, subjects []string) {
	b.WriteString("        " + what + ": [\n")
	for _, s := range subjects {
		b.WriteString("          \"" + s + "\"\n")
	}
	b.WriteString("        ]\n")
}

// PasswordsFile returns the file of passwords that BrokerFile includes, with words that are not secret.
func PasswordsFile(t *Topology) []byte {
	var b bytes.Buffer
	b.WriteString(passwordsHead)
	for _, u := range t.Users() {
		b.WriteString(passwordVariable(u.Name) + ": \"change-me-" + u.Name + "\"\n")
	}
	return b.Bytes()
}

func passwordVariable(user string) string {
	return "PASSWORD_" + strings.ToUpper(strings.ReplaceAll(user, "-", "_"))
}
