package messaging

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/paxosd/paxosd/paxos"
)

// DefaultInboxPrefix is the inbox prefix of NATS clients that were given no other.
const DefaultInboxPrefix = "_INBOX"

// maxReplyBytes bounds a reply subject.
const maxReplyBytes = 512

// replyPolicy decides where an answer may go (PROTOCOL N2): only to inboxes under the configured prefixes. Without it a client
// could have a leader's answer delivered to the acceptors as that leader's accept, with permissions that are correct.
type replyPolicy struct{ prefixes []string }

// newReplyPolicy takes prefixes as configurations write them: "_INBOX", "_INBOX_p1.>", or "_INBOX_*" for every inbox
// whose first token begins so.
func newReplyPolicy(prefixes []string, forbidden string) (replyPolicy, error) {
	var p replyPolicy
	for _, s := range prefixes {
		raw, open := strings.CutSuffix(s, "*")
		if !open {
			raw = strings.TrimSuffix(strings.TrimSuffix(raw, ">"), ".") + "."
		}
		if !cleanSubject(strings.TrimSuffix(raw, ".")) || strings.HasPrefix(raw, "$") ||
			strings.HasPrefix(forbidden, raw) || strings.HasPrefix(raw, forbidden) {
			return p, fmt.Errorf("%w: reply prefix %q: want an inbox prefix like %q or \"_INBOX_*\", outside %q", ErrConfig, s, DefaultInboxPrefix, forbidden)
		}
		p.prefixes = append(p.prefixes, raw)
	}
	return p, nil
}

// allows reports whether an answer may go to reply.
func (p replyPolicy) allows(reply string) bool {
	if len(reply) > maxReplyBytes || !cleanSubject(reply) {
		return false
	}
	for _, prefix := range p.prefixes {
		if len(reply) > len(prefix) && strings.HasPrefix(reply, prefix) {
			return true
		}
	}
	return false
}

// cleanSubject reports whether s is a subject to publish on: tokens that are not empty, no wildcards, nothing unprintable.
func cleanSubject(s string) bool {
	empty := true
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if empty {
				return false
			}
			empty = true
		case c <= ' ' || c >= 0x7f || c == '*' || c == '>':
			return false
		default:
			empty = false
		}
	}
	return !empty
}

// An Envelope's Reply, which is opaque to all but this package, says how the answer is written, then where it goes.
const (
	replyEnveloped = 'e' // the wire format
	replyPlain     = 'a' // JSON to a plain append
	replyGet       = 'g' // JSON to a get
)

func makeReply(form byte, subject string) string {
	if subject == "" {
		return ""
	}
	return string(form) + subject
}

func cutReply(reply string) (form byte, subject string, err error) {
	if len(reply) < 2 {
		return 0, "", fmt.Errorf("%w: answer without a reply handle", ErrReply)
	}
	return reply[0], reply[1:], nil
}

// inbox builds and reads the reply subjects of this process's requests: prefix.name.connection.run.request.log.to. All that
// must be known of a request when its answer comes is in there, so that an unanswered one costs nothing. To is "_" where the
// request names nobody.
type inbox struct{ base string }

func newInbox(prefix, name, conn string, run uint64) inbox {
	return inbox{base: prefix + "." + name + "." + conn + "." + strconv.FormatUint(run, 16) + "."}
}

// pattern is what the process subscribes to.
func (i inbox) pattern() string { return i.base + "*.*.*" }

// noName stands for "nobody in particular" in an inbox subject; it is no valid name.
const noName = "_"

// subject returns the reply subject of a request.
func (i inbox) subject(env *paxos.Envelope) string {
	to := env.To
	if to == "" {
		to = noName
	}
	b := make([]byte, 0, len(i.base)+len(env.Log)+len(to)+24)
	b = append(b, i.base...)
	b = strconv.AppendUint(b, env.Request, 10)
	b = append(b, '.')
	b = append(b, env.Log...)
	b = append(b, '.')
	b = append(b, to...)
	return string(b)
}

// asked is what a reply subject says of the request.
type asked struct {
	request uint64
	log     string
	to      string // "": nobody in particular
}

// parse reads a subject that this inbox built.
func (i inbox) parse(subject string) (asked, error) {
	rest, ok := strings.CutPrefix(subject, i.base)
	if !ok {
		return asked{}, fmt.Errorf("%w: %q is not in this inbox", ErrStale, subject)
	}
	number, rest, _ := strings.Cut(rest, ".")
	log, to, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return asked{}, fmt.Errorf("%w: %q names no request", ErrStale, subject)
	}
	if (log != paxos.ProcessLog && !paxos.ValidName(log)) || (to != noName && !paxos.ValidName(to)) {
		return asked{}, fmt.Errorf("%w: %q", ErrSubject, subject)
	}
	if to == noName {
		to = ""
	}
	return asked{request: n, log: log, to: to}, nil
}
