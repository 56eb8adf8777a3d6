package configs

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// broker checks how the broker is reached, as whom, and where answers may go.
func (v *checker) broker() {
	b := &v.c.Broker
	v.urls(b.URLs)
	v.credentials()
	switch {
	case b.TLS.Cert != "" && b.TLS.Key == "":
		v.bad("broker.tls_cert", "set broker.tls_key, too", "a certificate without its key")
	case b.TLS.Cert == "" && b.TLS.Key != "":
		v.bad("broker.tls_key", "set broker.tls_cert, too", "a key without its certificate")
	}
	v.inbox()
	v.replyTo()
}

func (v *checker) urls(urls []string) {
	if len(urls) == 0 {
		v.bad("broker.urls", "name a NATS server, like nats://127.0.0.1:4222", "empty")
	}
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			v.bad("broker.urls", "write it like nats://host:4222", "%q is no URL of a NATS server", redact(s))
			continue
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			v.bad("broker.urls", "use nats:// or tls:// (ws:// or wss:// for a websocket)", "%q has a scheme that is not NATS's", redact(s))
		}
	}
}

// redact hides what stands before the host, which may be a password.
func redact(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "…@" + s[i+1:]
	}
	return s
}

func (v *checker) credentials() {
	b := &v.c.Broker
	var given []string
	for _, k := range []struct{ key, value string }{
		{"broker.creds", b.Creds},
		{"broker.nkey", b.NKey},
		{"broker.user", b.User},
		{"broker.token", b.Token},
	} {
		if k.value != "" {
			given = append(given, k.key)
		}
	}
	if len(given) > 1 {
		v.bad(given[1], "keep one of them", "set beside %s: a connection has one identity", given[0])
	}
	if b.Password != "" && b.User == "" {
		v.bad("broker.password", "set broker.user, too", "a password without a user")
	}
	if b.User != "" && b.Password == "" {
		v.bad("broker.user", "set broker.password, best by "+Environment("broker.password"), "a user without a password")
	}
}

// inbox checks that answers to this process can arrive: outside the cluster's own subjects, apart for each role, and where peers
// that have the same broker.reply_to may send them.
func (v *checker) inbox() {
	b := &v.c.Broker
	filled := b.InboxFor("x")
	if !v.subject("broker.inbox", filled) {
		return
	}
	if overlaps(filled+".", v.c.Prefix+".") || strings.HasPrefix(filled, "$") {
		v.bad("broker.inbox", "use _INBOX_{name}", "%q lies in the cluster's or the broker's own subjects", b.Inbox)
	}
	if len(v.c.Roles()) > 1 && !strings.Contains(b.Inbox, "{name}") {
		v.bad("broker.inbox", "use _INBOX_{name}", "%q is the same for each of this process's roles", b.Inbox)
	}
	for _, r := range b.ReplyTo {
		if strings.HasPrefix(filled+".", replyPrefix(r)) {
			return
		}
	}
	v.bad("broker.reply_to", "add the fixed part of broker.inbox", "has nothing that broker.inbox (%s) begins with: processes configured alike would not answer this one", b.Inbox)
}

// replyPrefix returns what a reply subject must begin with: "_INBOX." for _INBOX or _INBOX.>, "_INBOX_" for _INBOX_*.
func replyPrefix(s string) string {
	if raw, open := strings.CutSuffix(s, "*"); open {
		return raw
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, ">"), ".") + "."
}

// replyTo checks that an answer can never be taken for a message of the protocol (PROTOCOL N2).
func (v *checker) replyTo() {
	for _, s := range v.c.Broker.ReplyTo {
		r := replyPrefix(s)
		if !v.subject("broker.reply_to", strings.TrimSuffix(r, ".")) {
			continue
		}
		if overlaps(r, v.c.Prefix+".") || strings.HasPrefix(r, "$") {
			v.bad("broker.reply_to", "name inboxes only, like _INBOX or _INBOX_*",
				"%q would let a request send the answer to the cluster's or the broker's own subjects", s)
		}
	}
}

// overlaps reports whether some subject begins with both.
func overlaps(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// service checks the listener, the log lines and the disk's limits.
func (v *checker) service() {
	v.listen()
	v.word("logging.level", v.c.Logging.Level, "debug", "info", "warn", "error")
	v.word("logging.format", v.c.Logging.Format, "text", "json")
	v.atLeast("disk.high_water", v.c.Disk.HighWater, 1*MiB, "")
	v.within("disk.min_free", v.c.Disk.MinFree, 0, 90, "percent")
	v.between("disk.ballast", v.c.Disk.Ballast, 0, 1*TiB)
}

func (v *checker) listen() {
	h := &v.c.HTTP
	if h.Listen == "off" {
		if h.Pprof {
			v.bad("http.pprof", "set http.listen, or http.pprof to false", "there is no listener to serve it on")
		}
		return
	}
	_, port, err := net.SplitHostPort(h.Listen)
	if err != nil {
		v.bad("http.listen", "write it like 127.0.0.1:7480, or off", "%q is no address", h.Listen)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		v.bad("http.listen", "use a port from 0 to 65535", "%q is no port", port)
	}
}

func (v *checker) word(key, word string, allowed ...string) {
	for _, a := range allowed {
		if word == a {
			return
		}
	}
	v.bad(key, "use "+strings.Join(allowed[:len(allowed)-1], ", ")+" or "+allowed[len(allowed)-1], "%q is unknown", word)
}
