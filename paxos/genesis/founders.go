package genesis

import (
	"fmt"

	"github.com/paxosd/paxosd/paxos"
)

// Founders founds several logs at once, and shares what their founders ask: a process answers with all logs that it knows, so a
// question for each of a thousand logs would be answered with a million. One goroutine owns it.
//
//	I1  What a founder asked is answered by what was sent when it asked or later, or within ResendFirst before: never by older news.
type Founders struct {
	all   []*Founder
	byLog map[string]*Founder
	next  func() uint64
	asks  []ask // those under way, one for each process
	each  paxos.Output
}

// ask is one question to a process, and who wants to know.
type ask struct {
	name    string
	request uint64
	at      paxos.Instant
	waiting []waiter
}

// waiter is a founder and the number that it gave its question.
type waiter struct {
	f       *Founder
	request uint64
}

// NewFounders returns founders of logs with different names, or an error that says what is impossible in a configuration. NextRequest
// of the configurations is not used: next numbers what is sent.
func NewFounders(cfgs []FounderConfig, next func() uint64) (*Founders, error) {
	fs := &Founders{byLog: make(map[string]*Founder, len(cfgs)), next: next}
	number := uint64(0)
	for _, cfg := range cfgs {
		cfg.NextRequest = func() uint64 { number++; return number }
		f, err := NewFounder(cfg)
		if err != nil {
			return nil, err
		}
		if fs.byLog[f.view.log] != nil {
			return nil, fmt.Errorf("found log %q: it is listed twice", f.view.log)
		}
		fs.all = append(fs.all, f)
		fs.byLog[f.view.log] = f
	}
	return fs, nil
}

// All returns the founders, in the order of their configurations.
func (fs *Founders) All() []*Founder { return fs.all }

// Deliver takes an answer to ident (or its 503), or a step of founding that a store answered.
func (fs *Founders) Deliver(now paxos.Instant, env *paxos.Envelope, out *paxos.Output) {
	switch m := env.Msg.(type) {
	case *paxos.IdentAnswer:
		logs := make(map[string][]paxos.LogInfo, len(m.Logs))
		for _, l := range m.Logs {
			logs[l.Log] = append(logs[l.Log], l)
		}
		for _, w := range fs.answered(env.Request) {
			part, its := *env, *m
			its.Logs = logs[w.f.view.log]
			part.Request, part.Msg = w.request, &its
			w.f.Deliver(now, &part, &fs.each)
			fs.collect(now, w.f, out)
		}
	case *paxos.NoResponders:
		for _, w := range fs.answered(env.Request) {
			part := *env
			part.Request = w.request
			w.f.Deliver(now, &part, &fs.each)
			fs.collect(now, w.f, out)
		}
	case *paxos.GenesisMsg:
		if f := fs.byLog[env.Log]; f != nil {
			f.Deliver(now, env, &fs.each)
			fs.collect(now, f, out)
		}
	default:
	}
}

// Tick lets time pass for all.
func (fs *Founders) Tick(now paxos.Instant, out *paxos.Output) {
	for _, f := range fs.all {
		f.Tick(now, &fs.each)
		fs.collect(now, f, out)
	}
}

// answered ends a question and returns who wants to know.
func (fs *Founders) answered(request uint64) []waiter {
	for i := range fs.asks {
		if a := &fs.asks[i]; a.request == request && request != 0 {
			w := a.waiting
			a.request, a.waiting = 0, nil
			return w
		}
	}
	return nil
}

// collect takes what a founder wants to be sent; questions are joined to those under way.
func (fs *Founders) collect(now paxos.Instant, f *Founder, out *paxos.Output) {
	out.Events = append(out.Events, fs.each.Events...)
	for i := range fs.each.Now {
		if env := &fs.each.Now[i]; env.Msg.Kind() != paxos.KindIdent {
			out.Now = append(out.Now, *env)
		} else if fs.join(now, f, env) {
			out.Now = append(out.Now, *env)
		}
	}
	fs.each.Reset()
}

// join notes that a founder asks a process, and reports whether the question is to be sent, with its number for all who wait.
func (fs *Founders) join(now paxos.Instant, f *Founder, env *paxos.Envelope) bool {
	a := fs.askOf(env.To)
	w := waiter{f, env.Request}
	fresh := a.request != 0 && now.Sub(a.at) < f.cfg.ResendFirst
	known := false
	for i := range a.waiting {
		if a.waiting[i].f == f {
			a.waiting[i], known = w, true
		}
	}
	if !known {
		a.waiting = append(a.waiting, w)
	}
	if fresh {
		return false
	}
	a.request, a.at = fs.next(), now
	env.Request = a.request
	return true
}

func (fs *Founders) askOf(name string) *ask {
	for i := range fs.asks {
		if fs.asks[i].name == name {
			return &fs.asks[i]
		}
	}
	fs.asks = append(fs.asks, ask{name: name})
	return &fs.asks[len(fs.asks)-1]
}
