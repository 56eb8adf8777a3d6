package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
	"github.com/paxosd/paxosd/paxos/value"
)

// Learners are found in two steps: each answers $SRV.INFO, and then says of which logs it knows what (docs/protocol.md, section 8,
// Clients). There is no list to keep up to date.
const (
	// surveyFor bounds one round of questions; it ends before, once everybody who answered the first has answered the second and
	// nobody new came for surveyGap.
	surveyFor = 500 * time.Millisecond
	surveyGap = 60 * time.Millisecond

	surveyPauseMax = time.Second

	// surveysToDeny is how many rounds must agree that no learner knows a log: one that has just started may not know it yet.
	surveysToDeny = 2

	maxLearners = 1024
)

// LogInfo is what a learner says of a log.
type LogInfo struct {
	Name    string
	Genesis string // the log's identity, in hexadecimal
	Last    uint64 // the highest last offset that a learner knows; Log.LastOffset asks the log itself
	// Learners are the names of those that serve it, in order.
	Learners []string
}

// known is what must be known of a log before it can be used.
type known struct {
	genesis  paxos.GenesisID
	limit    int // bytes of the largest batch
	window   int // batches in flight
	learners []string
	at       time.Time
}

// learner is one that was found.
type learner struct {
	name string
	logs []paxos.LogInfo
}

// Logs returns the logs that the cluster's learners know, in order of names.
func (c *Client) Logs(ctx context.Context) ([]LogInfo, error) {
	const op = "list logs"
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, surveyPauseMax) {
		found, err := c.survey(ctx, "")
		if err != nil {
			return nil, &Error{Op: op, Reason: ErrNoLearner, Cause: err}
		}
		if len(found) > 0 {
			return listLogs(found), nil
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, &Error{Op: op, Reason: ErrNoLearner, Cause: err, Text: c.whereabouts()}
		}
	}
}

func listLogs(found []learner) []LogInfo {
	var all []LogInfo
	for i := range found {
		for j := range found[i].logs {
			l := &found[i].logs[j]
			at := slices.IndexFunc(all, func(x LogInfo) bool { return x.Name == l.Log })
			if at < 0 {
				at = len(all)
				all = append(all, LogInfo{Name: l.Log, Genesis: l.Genesis.String()})
			}
			all[at].Last = max(all[at].Last, uint64(l.Last))
			all[at].Learners = append(all[at].Learners, found[i].name)
		}
	}
	slices.SortFunc(all, func(a, b LogInfo) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (c *Client) whereabouts() string {
	return fmt.Sprintf("cluster %q, subject prefix %q", c.subjects.Cluster, c.subjects.Prefix)
}

// find asks learners about one log until one knows it, or all that answer deny it.
func (c *Client) find(ctx context.Context, op, log string) (*known, error) {
	if !paxos.ValidName(log) {
		return nil, invalid(op, log, "a log's name must match [A-Za-z0-9][A-Za-z0-9_-]{0,63}")
	}
	denied := 0
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, surveyPauseMax) {
		found, err := c.survey(ctx, log)
		if err == nil {
			if k, err := c.pick(op, log, found); k != nil || err != nil {
				return k, err
			}
			if len(found) > 0 {
				denied++
			}
			if denied >= surveysToDeny {
				return nil, &Error{Op: op, Log: log, Class: ErrRefused, Reason: ErrUnknownLog, Text: c.whereabouts()}
			}
			err = sleep(ctx, pause)
		}
		if err != nil {
			reason := ErrNoLearner
			if denied > 0 {
				reason = ErrUnknownLog
			}
			return nil, &Error{Op: op, Log: log, Class: ErrRefused, Reason: reason, Cause: c.closing(err), Text: c.whereabouts()}
		}
	}
}

// closing returns why waiting ended, as callers know it.
func (c *Client) closing(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.nc.IsClosed() {
		return ErrClosed
	}
	return err
}

// pick makes one answer out of several. Two identities of one log are a fault that no client can settle.
func (c *Client) pick(op, log string, found []learner) (*known, error) {
	var k *known
	for i := range found {
		for j := range found[i].logs {
			l := &found[i].logs[j]
			if l.Log != log {
				continue
			}
			if k == nil {
				k = &known{genesis: l.Genesis, at: time.Now()}
				k.constants(l.Record, c.nc.MaxPayload())
			}
			if k.genesis != l.Genesis {
				return nil, &Error{Op: op, Log: log, Class: ErrRefused, Reason: ErrUnknownLog, Text: fmt.Sprintf(
					"two logs of this name: %s at %s, %s at %s", k.genesis, k.learners[0], l.Genesis, found[i].name)}
			}
			k.learners = append(k.learners, found[i].name)
		}
	}
	return k, nil
}

// constants reads the log's constants from its genesis record; without one the defaults hold.
func (k *known) constants(record []byte, maxPayload int64) {
	limit, window := uint32(paxos.DefaultValueLimit), uint32(paxos.DefaultOutcomes)
	if g, err := value.DecodeGenesis(record); err == nil && g.ID == k.genesis {
		limit, window = g.ValueLimit, g.Outcomes
	}
	k.limit = int(limit) - paxos.BatchHeadroom
	if maxPayload > 0 {
		k.limit = min(k.limit, int(maxPayload)-paxos.BatchHeadroom)
	}
	k.window = int(min(max(window, 1), paxos.DefaultOutcomes))
}

// survey asks every learner of the cluster which logs it knows, and returns those that answered, in order of names. Given a
// log it returns as soon as one learner that knows it has answered. Without a broker nobody answers; callers ask again.
func (c *Client) survey(ctx context.Context, log string) ([]learner, error) {
	in := make(chan *nats.Msg, maxLearners)
	end, err := c.attach(func(_ uint64, msg *nats.Msg) {
		select {
		case in <- msg:
		default: // more learners than anybody has: the first ones will do
		}
	})
	if err != nil {
		return nil, err
	}
	defer c.detach(end)
	subject := micro.APIPrefix + "." + micro.InfoVerb.String() + "." + messaging.ServiceName(paxos.RoleLearner)
	switch err := c.nc.PublishRequest(subject, c.reply(end, 0), nil); {
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		return nil, nil // the broker is away: nobody answers for now
	case err != nil:
		return nil, fmt.Errorf("look for learners: %w", err)
	}
	s := survey{c: c, end: end, names: make(map[string]bool)}
	over := time.NewTimer(surveyFor)
	defer over.Stop()
	gap := time.NewTimer(surveyFor)
	defer gap.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, ErrClosed
		case <-over.C:
			return s.result(), nil
		case <-gap.C:
			return s.result(), nil
		case msg := <-in:
			if s.take(msg) {
				return s.result(), nil
			}
			if log != "" && s.knows(log) {
				return s.result(), nil
			}
			if s.complete() {
				gap.Reset(surveyGap)
			}
		}
	}
}

// survey is one round of questions.
type survey struct {
	c        *Client
	end      uint64
	requests uint64
	names    map[string]bool // who was asked, true once answered
	found    []learner
	buf      []byte
}

// take handles one answer, and reports whether it is of no use to wait for more: nobody is there.
func (s *survey) take(msg *nats.Msg) bool {
	if nobody(msg) {
		return len(s.names) == 0
	}
	if env, err := messaging.DecodeAnswer(msg.Data); err == nil {
		if m, ok := env.Msg.(*paxos.IdentAnswer); ok {
			s.identified(m)
		}
		return false
	}
	var info micro.Info
	if json.Unmarshal(msg.Data, &info) == nil {
		s.ask(info.Metadata)
	}
	return false
}

// ask asks a learner that has shown itself for its logs.
func (s *survey) ask(meta map[string]string) {
	name := meta[messaging.MetaName]
	_, asked := s.names[name]
	if asked || meta[messaging.MetaRole] != paxos.RoleLearner.String() || meta[messaging.MetaCluster] != s.c.subjects.Cluster ||
		meta[messaging.MetaPrefix] != s.c.subjects.Prefix || !paxos.ValidName(name) {
		return
	}
	s.requests++
	env := paxos.Envelope{Log: paxos.ProcessLog, To: name, Request: s.requests, Msg: &paxos.Ident{}}
	var err error
	if s.buf, err = s.c.publish(s.buf, &env, s.end); err == nil {
		s.names[name] = false
	}
}

func (s *survey) identified(m *paxos.IdentAnswer) {
	if answered, asked := s.names[m.Name]; !asked || answered || m.Role != paxos.RoleLearner || m.Cluster != s.c.subjects.Cluster {
		return
	}
	s.names[m.Name] = true
	l := learner{name: m.Name}
	for i := range m.Logs {
		// A learner that is no keeper has no durable state of the log, and serves it all the same.
		if st := m.Logs[i].State; !m.Logs[i].Genesis.IsZero() && st != paxos.LogPrepared && st != paxos.LogAborted {
			l.logs = append(l.logs, m.Logs[i])
		}
	}
	s.found = append(s.found, l)
}

// complete reports whether everybody who was asked has answered.
func (s *survey) complete() bool { return len(s.names) > 0 && len(s.found) == len(s.names) }

// knows reports whether somebody who has answered knows the log.
func (s *survey) knows(log string) bool {
	return slices.ContainsFunc(s.found, func(l learner) bool {
		return slices.ContainsFunc(l.logs, func(i paxos.LogInfo) bool { return i.Log == log })
	})
}

func (s *survey) result() []learner {
	slices.SortFunc(s.found, func(a, b learner) int { return strings.Compare(a.name, b.name) })
	return s.found
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
