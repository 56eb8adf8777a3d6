package configs

import "strings"

// field is one key: where it stands, how it is read, and what it is for. The table of all fields is the only list of keys.
type field struct {
	key     string // dotted: section.name
	kind    kind
	doc     string // sentences for example.yaml
	example string // the value in example.yaml, as YAML, where the default would say nothing
	secret  bool   // never written back
}

// section returns the first part of the key, or "" for a key at the top.
func (f *field) section() string {
	before, _, found := strings.Cut(f.key, ".")
	if !found {
		return ""
	}
	return before
}

// Environment returns the variable that sets a key: PAXOSD_BROKER_TLS_CA for broker.tls_ca.
func Environment(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// fields binds every key to its place in c, in the order of example.yaml.
func fields(c *Config) []field {
	var fs []field
	fs = append(fs, topFields(c)...)
	fs = append(fs, brokerFields(&c.Broker)...)
	fs = append(fs, roleFields(c)...)
	fs = append(fs, clusterFields(c)...)
	fs = append(fs, genesisFields(&c.Genesis)...)
	fs = append(fs, protocolFields(&c.Protocol)...)
	fs = append(fs, timingFields(&c.Protocol)...)
	fs = append(fs, serviceFields(c)...)
	return fs
}

func topFields(c *Config) []field {
	return []field{
		{key: "cluster", kind: stringKind{&c.Cluster}, doc: "Name of the cluster: the second part of every subject. Stores refuse to open in another cluster."},
		{key: "prefix", kind: stringKind{&c.Prefix}, doc: "First part of every subject, one or more tokens. The broker's permissions must name the same."},
		{key: "node", kind: stringKind{&c.Node}, doc: "What log lines and the broker's list of connections call this process. Empty: the name of its first role."},
	}
}

func brokerFields(b *Broker) []field {
	return []field{
		{key: "broker.urls", kind: listKind{&b.URLs}, doc: "NATS servers of one cluster, tried in random order, for ever."},
		{key: "broker.creds", kind: stringKind{&b.Creds}, doc: "File with the user's JWT and seed (nsc writes them). At most one of creds, nkey, user and token."},
		{key: "broker.nkey", kind: stringKind{&b.NKey}, doc: "File with the seed of the user's nkey."},
		{key: "broker.user", kind: stringKind{&b.User}, doc: "User name, with password."},
		{key: "broker.password", kind: stringKind{&b.Password}, secret: true, doc: "Keep it out of the file: " + Environment("broker.password") + " sets it, too."},
		{key: "broker.token", kind: stringKind{&b.Token}, secret: true, doc: "Token, for brokers that know no users. Such a broker cannot tell the roles apart: see docs/operations.md."},
		{key: "broker.tls_ca", kind: stringKind{&b.TLS.CA}, doc: "File with the authorities that may sign the broker's certificate. Empty: the system's."},
		{key: "broker.tls_cert", kind: stringKind{&b.TLS.Cert}, doc: "File with this process's certificate, where the broker asks for one. Needs tls_key."},
		{key: "broker.tls_key", kind: stringKind{&b.TLS.Key}, doc: "File with the certificate's key."},
		{key: "broker.inbox", kind: stringKind{&b.Inbox}, doc: "Subjects on which answers arrive begin with this; {name} stands for the role's name. The broker lets each user subscribe to its own alone."},
		{key: "broker.reply_to", kind: listKind{&b.ReplyTo}, doc: "Where this process may send answers: a request whose reply subject lies elsewhere is not answered. _INBOX stands for all below it, _INBOX_* for every inbox whose first token begins so."},
		{key: "broker.max_payload", kind: bytesKind{&b.MaxPayload}, doc: "The broker's max_payload. A broker that allows less is refused."},
		{key: "broker.max_pending", kind: bytesKind{&b.MaxPending}, doc: "The broker's max_pending, past which it cuts a slow consumer."},
	}
}

func roleFields(c *Config) []field {
	return []field{
		{key: "acceptor.name", kind: stringKind{&c.Acceptor.Name}, example: "a1", doc: "This process's acceptor, one of acceptors. 'paxosd node' runs every role whose section is here, 'paxosd acceptor' this one alone."},
		{key: "acceptor.data", kind: stringKind{&c.Acceptor.Data}, example: "/var/lib/paxosd/a1", doc: "Folder of its store. Fast and durable: each vote is fsynced here. Never restore it from a backup; a wiped one is a stranger that may not vote."},
		{key: "learner.name", kind: stringKind{&c.Learner.Name}, example: "l1", doc: "This process's learner, one of learners."},
		{key: "learner.data", kind: stringKind{&c.Learner.Data}, example: "/var/lib/paxosd/l1", doc: "Folder of its store. Big: it holds every retained entry."},
		{key: "learner.keeper", kind: boolKind{&c.Learner.Keeper}, example: "true", doc: "Whether its copy counts towards stability. Follows from keepers; written here it must agree."},
		{key: "proposer.name", kind: stringKind{&c.Proposer.Name}, example: "p1", doc: "This process's proposer, one of proposers. It has no store."},
		{key: "proposer.found", kind: boolKind{&c.Proposer.Found}, example: "true", doc: "Founds the logs below that nobody knows yet. True in exactly one process of the cluster."},
	}
}

func clusterFields(c *Config) []field {
	return []field{
		{key: "acceptors", kind: listKind{&c.Acceptors}, example: "[a1, a2, a3]", doc: "The cluster's acceptors. New logs are founded with them; a log that exists keeps those it has."},
		{key: "proposers", kind: listKind{&c.Proposers}, example: "[p1, p2]", doc: "The cluster's proposers, in the order in which they take over when none was heard before."},
		{key: "learners", kind: listKind{&c.Learners}, example: "[l1, l2]", doc: "The cluster's learners. Empty: the keepers."},
		{key: "keepers", kind: listKind{&c.Keepers}, example: "[l1, l2]", doc: "Those learners whose durable copies count towards stability. New logs are founded with them."},
		{key: "quorum.read", kind: intKind{&c.Quorum.Read}, doc: "R, promises that a candidate needs. 0: a majority of acceptors, or what write leaves."},
		{key: "quorum.write", kind: intKind{&c.Quorum.Write}, doc: "W, votes that make an entry durable. 0: a majority. R + W must exceed the number of acceptors."},
		{key: "quorum.keepers", kind: intKind{&c.Quorum.Keepers}, doc: "k, keepers that must hold an entry before acceptors may forget it. 0: the larger of W and 2."},
		{key: "logs", kind: listKind{&c.Logs}, doc: "Logs that the founder founds. One added here is founded when the founder restarts."},
	}
}

func genesisFields(g *GenesisConstants) []field {
	return []field{
		{key: "genesis.window", kind: intKind{&g.Window}, doc: "How many slots may be open at once. This section is read when a log is founded: it keeps these for ever."},
		{key: "genesis.value_limit", kind: bytesKind{&g.ValueLimit}, doc: "Largest value of a slot: at most broker.max_payload less 16KiB. A batch may have 4KiB less."},
		{key: "genesis.sessions", kind: intKind{&g.Sessions}, doc: "Producer sessions kept; the least recently used ends first."},
		{key: "genesis.outcomes", kind: intKind{&g.Outcomes}, doc: "Outcomes kept of each session: as many batches may a producer have in flight."},
		{key: "genesis.message_ids", kind: intKind{&g.MessageIDs}, doc: "Message ids kept to recognise a repeated one."},
	}
}

func protocolFields(p *Protocol) []field {
	return []field{
		{key: "protocol.beacon_every", kind: durationKind{&p.BeaconEvery}, doc: "How often a proposer says that it is there."},
		{key: "protocol.ask_after", kind: durationKind{&p.AskAfter}, doc: "Silence after which the first standby asks the acceptors whether the leader is gone. At least two beacons."},
		{key: "protocol.timeout", kind: durationKind{&p.Timeout}, doc: "Silence after which acceptors say so, and a leader without answers from a quorum resigns. The same in all processes."},
		{key: "protocol.successor_step", kind: durationKind{&p.SuccessorStep}, doc: "How much later each further standby asks."},
		{key: "protocol.progress_limit", kind: durationKind{&p.ProgressLimit}, doc: "A leader whose oldest open slot outlives this resigns."},
		{key: "protocol.resend_first", kind: durationKind{&p.ResendFirst}, doc: "An accept without enough votes is sent again after this, then after twice as long, …"},
		{key: "protocol.resend_max", kind: durationKind{&p.ResendMax}, doc: "… up to this."},
		{key: "protocol.clock_bound", kind: durationKind{&p.ClockBound}, doc: "A proposer whose clock is further than this from the median of the acceptors' does not stand."},
		{key: "protocol.in_flight", kind: bytesKind{&p.InFlight}, doc: "Proposed and not yet chosen, over all logs of the process. At most a quarter of broker.max_pending."},
		{key: "protocol.queue", kind: bytesKind{&p.Queue}, doc: "Appends of a log that wait for a slot; more are refused as overloaded."},
		{key: "protocol.buffer", kind: bytesKind{&p.Buffer}, doc: "Values of a log that a learner or standby keeps while their votes are on the way; what does not fit is fetched later."},
	}
}

func timingFields(p *Protocol) []field {
	return []field{
		{key: "protocol.stable_every", kind: durationKind{&p.StableEvery}, doc: "The leader records what is stable after this …"},
		{key: "protocol.stable_bytes", kind: bytesKind{&p.StableBytes}, doc: "… or after this much, whichever comes first. Acceptors forget by it."},
		{key: "protocol.mark_every", kind: durationKind{&p.MarkEvery}, doc: "Checkpoints of the log's state are made after this …"},
		{key: "protocol.mark_bytes", kind: bytesKind{&p.MarkBytes}, doc: "… or after this much. A new process begins at one."},
		{key: "protocol.hand_over", kind: durationKind{&p.HandOver}, doc: "An orderly stop of a leader, which acknowledges what it holds and lets a standby begin, takes at most this."},
	}
}

func serviceFields(c *Config) []field {
	return []field{
		{key: "http.listen", kind: stringKind{&c.HTTP.Listen}, doc: "Address of /metrics, /livez, /readyz and /status. Port 0 takes a free one and prints it; \"off\" serves none."},
		{key: "http.pprof", kind: boolKind{&c.HTTP.Pprof}, doc: "Serve /debug/pprof on it, too. It shows memory: keep the address private."},
		{key: "logging.level", kind: stringKind{&c.Logging.Level}, doc: "debug, info, warn or error."},
		{key: "logging.format", kind: stringKind{&c.Logging.Format}, doc: "text or json."},
		{key: "disk.high_water", kind: bytesKind{&c.Disk.HighWater}, doc: "An acceptor whose store is larger refuses batches until what is stable was forgotten. What the log itself needs still passes."},
		{key: "disk.min_free", kind: intKind{&c.Disk.MinFree}, doc: "So does one whose file system has less than this percent free."},
		{key: "disk.ballast", kind: bytesKind{&c.Disk.Ballast}, doc: "Size of a file in each store that leaves room to reopen it on a full disk. 0B: none."},
	}
}
