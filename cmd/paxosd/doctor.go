package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/paxosd/paxosd/messaging"
	"github.com/paxosd/paxosd/paxos"
)

// clockAlarm is the difference of clocks that doctor complains of: the bound past which a proposer does not stand.
const clockAlarm = time.Duration(paxos.DefaultClockBound)

func newDoctor(std stdio) *cobra.Command {
	var s shared
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what breaks clusters: foreign answers, clocks, payload limits, versions",
		Long: "Looks for what breaks clusters without being paxosd's: somebody else who answers on its subjects, or listens to all of\n" +
			"them; clocks that differ; a broker whose max_payload is too small; roles of several versions. Exits with 1 if it finds anything.",
		GroupID: groupAfter,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
			defer cancel()
			nc, err := s.dial(ctx)
			if err != nil {
				return err
			}
			defer nc.Close()
			d := doctor{s: &s, nc: nc, out: std.out}
			if err := d.examine(ctx); err != nil {
				return err
			}
			if d.bad > 0 {
				return fmt.Errorf("%d of %d checks found something to mend", d.bad, d.done)
			}
			return nil
		},
	}
	s.register(cmd.Flags())
	return cmd
}

// doctor examines one cluster and prints a line for each check.
type doctor struct {
	s         *shared
	nc        *nats.Conn
	out       io.Writer
	done, bad int
}

func (d *doctor) say(ok bool, format string, args ...any) {
	word := "ok  "
	d.done++
	if !ok {
		word = "BAD "
		d.bad++
	}
	fmt.Fprintf(d.out, "%s %s\n", word, fmt.Sprintf(format, args...))
}

func (d *doctor) examine(ctx context.Context) error {
	subjects, err := messaging.NewSubjects(d.s.prefix, d.s.cluster)
	if err != nil {
		return &usageError{err: err}
	}
	ms, err := members(ctx, d.nc, d.s.cluster)
	if err != nil {
		return err
	}
	d.roles(ms)
	d.payload()
	if err := d.foreign(ctx, subjects); err != nil {
		return err
	}
	d.versions(ms)
	return d.clocks(ctx, subjects, ms)
}

// roles looks whether everybody is ready, and nobody is there twice.
func (d *doctor) roles(ms []member) {
	d.say(len(ms) > 0, "%d roles of cluster %q answer at %s", len(ms), d.s.cluster, d.nc.ConnectedUrlRedacted())
	seen := make(map[string]string)
	for i := range ms {
		r := &ms[i].Stats
		if !r.Ready {
			d.say(false, "%s %s is not ready: %s", r.Role, r.Name, r.Why)
		}
		if other, twice := seen[r.Name]; twice && other != r.Run {
			d.say(false, "two processes answer under the name %q (runs %s and %s): stop one", r.Name, other, r.Run)
		}
		seen[r.Name] = r.Run
		if r.Full != "" {
			d.say(false, "%s %s lacks disk space: %s", r.Role, r.Name, r.Full)
		}
	}
	for _, l := range summarize(d.s.cluster, ms).Logs {
		d.say(l.Serving, "log %s: leader %s, last offset %d%s", l.Log, dash(l.Leader), l.Last, note(l.Why))
		d.say(l.Agree, "log %s: equal slots have equal running hashes", l.Log)
	}
}

func note(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func (d *doctor) payload() {
	const want = paxos.DefaultValueLimit + paxos.PayloadHeadroom
	d.say(d.nc.MaxPayload() >= want, "the broker takes messages of %d bytes; logs of the default value limit need %d", d.nc.MaxPayload(), want)
}

// foreign asks for a log that nobody can have: the broker must say at once that nobody is there. An answer is somebody else's, and
// silence is somebody who listens to everything, which turns the instant "nobody there" into a time-out (PROTOCOL N4, P9).
func (d *doctor) foreign(ctx context.Context, subjects messaging.Subjects) error {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	subject := subjects.Subject(messaging.Address{Log: "doctor-" + hex.EncodeToString(b[:]), Kind: paxos.KindAppend})
	try, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	m, err := d.nc.RequestWithContext(try, subject, nil)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		d.say(true, "nobody else answers or listens on %s.>", subjects.Prefix)
	case err == nil:
		d.say(false, "somebody who is no leader answers appends: %.200q. Look for a JetStream stream or a service on %s.>", m.Data, subjects.Prefix)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		d.say(false, "somebody listens to everything under %s.> (a 'nats sub', an import): failures are noticed late, end it", subjects.Prefix)
	default:
		return fmt.Errorf("look for foreign answers: %w", err)
	}
	return nil
}

func (d *doctor) versions(ms []member) {
	seen := make(map[string][]string)
	for i := range ms {
		v := ms[i].Stats.Version
		seen[v] = append(seen[v], ms[i].Stats.Name)
	}
	var each []string
	for _, v := range slices.Sorted(maps.Keys(seen)) {
		each = append(each, v+" ("+strings.Join(seen[v], ", ")+")")
	}
	d.say(len(seen) <= 1, "%d version(s): %s", len(seen), strings.Join(each, "; "))
}

// clocks asks each role for its time and compares it with the middle of the question's way.
func (d *doctor) clocks(ctx context.Context, subjects messaging.Subjects, ms []member) error {
	var worst time.Duration
	var who string
	for i := range ms {
		name := ms[i].Stats.Name
		off, err := d.clock(ctx, subjects, name)
		switch {
		case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
			d.say(false, "%s does not say who it is: %v", name, err)
			continue
		case err != nil:
			return err
		}
		if off.Abs() >= worst.Abs() {
			worst, who = off, name
		}
	}
	if who != "" {
		d.say(worst.Abs() < clockAlarm, "clocks: %s differs most from here, by %v", who, worst.Round(time.Millisecond))
	}
	return nil
}

func (d *doctor) clock(ctx context.Context, subjects messaging.Subjects, name string) (time.Duration, error) {
	env := paxos.Envelope{Log: paxos.ProcessLog, To: name, Request: 1, Msg: &paxos.Ident{}}
	a, err := subjects.Of(&env)
	if err != nil {
		return 0, err
	}
	data, err := messaging.Encode(nil, &env)
	if err != nil {
		return 0, err
	}
	try, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	sent := time.Now()
	m, err := d.nc.RequestWithContext(try, subjects.Subject(a), data)
	if err != nil {
		return 0, err
	}
	middle := sent.Add(time.Since(sent) / 2)
	answer, err := messaging.DecodeAnswer(m.Data)
	if err != nil {
		return 0, fmt.Errorf("answer of %s: %w", name, err)
	}
	id, ok := answer.Msg.(*paxos.IdentAnswer)
	if !ok {
		return 0, fmt.Errorf("answer of %s: %s instead of who it is", name, answer.Msg.Kind())
	}
	return time.Unix(0, int64(id.Clock)).Sub(middle), nil
}
