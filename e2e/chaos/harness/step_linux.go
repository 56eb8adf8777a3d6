package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/world"
)

// Done is a step that was carried out, and what clients noticed of it.
type Done struct {
	Cluster int      `json:"cluster"`
	Kinds   []string `json:"kinds"`
	What    string   `json:"what"`
	Reduced bool     `json:"reduced"` // an acceptor was out for good
	Leaders string   `json:"leaders"` // before and after

	Lasted Seconds `json:"lasted"` // from the beginning of the first fault to the end of the last
	Gap    Seconds `json:"gap"`    // the longest without an acknowledgement to anybody
	Client Seconds `json:"client"` // … to the one client that waited longest
	Single Seconds `json:"single"` // … to the one client of single operations that waited longest
	After  Seconds `json:"after"`  // from the end of the faults to the next acknowledgement
	Ready  Seconds `json:"ready"`  // … until every role was ready and every client had one
}

// Seconds is a time as people read it.
type Seconds float64

func seconds(d time.Duration) Seconds { return Seconds(d.Round(time.Millisecond).Seconds()) }

// do carries a step out, waits until the cluster has recovered, and measures.
func (c *Cluster) do(ctx context.Context, s *Step, l *load) (*Done, error) {
	d := &Done{Reduced: len(c.of(acceptor)) < machines}
	before := c.leader(ctx)
	l.gaps.Begin()
	l.single.Begin()
	began := time.Now()
	l.faults.Begin(began)
	defer func() { l.faults.End(time.Now()) }()
	actives, err := c.inflict(ctx, s, d)
	d.Lasted = seconds(time.Since(began))
	if e := c.mend(ctx, actives); err == nil {
		err = e
	}
	if err != nil {
		return d, err
	}
	l.gaps.Mended()
	mended := time.Now()
	if err := c.recovered(ctx, mended, l); err != nil {
		return d, fmt.Errorf("after %q: %w", d.What, err)
	}
	for _, r := range c.roles {
		r.full = false
	}
	d.Ready = seconds(time.Since(mended))
	d.After = seconds(l.gaps.After())
	all, client := l.gaps.Longest()
	_, single := l.single.Longest()
	d.Gap, d.Client, d.Single = seconds(all), seconds(client), seconds(single)
	d.Leaders = leaderName(before) + "→" + leaderName(c.leader(ctx))
	return d, nil
}

func leaderName(r *role) string {
	if r == nil {
		return "?"
	}
	return r.name
}

// inflict begins a step's faults and lets them last. It returns those that are to be mended.
func (c *Cluster) inflict(ctx context.Context, s *Step, d *Done) ([]*active, error) {
	var as []*active
	var what []string
	var until time.Time
	for i, f := range s.Faults {
		if i > 0 {
			pause(ctx, s.Lag)
		}
		d.Kinds = append(d.Kinds, f.Kind.Name)
		a, err := f.Kind.begin(ctx, c, rand.New(rand.NewPCG(f.Seed, 2)))
		if err != nil {
			return as, fmt.Errorf("%s: %w", f.Kind.Name, err)
		}
		what = append(what, a.what)
		d.What = strings.Join(what, "; ")
		if a.end != nil {
			as = append(as, a)
		}
		if end := time.Now().Add(f.Hold); end.After(until) {
			until = end
		}
	}
	pause(ctx, time.Until(until))
	return as, nil
}

// mend ends faults, and what is left of them.
func (c *Cluster) mend(ctx context.Context, as []*active) error {
	var errs []error
	for _, a := range as {
		errs = append(errs, a.end(context.WithoutCancel(ctx)))
	}
	errs = append(errs, c.net.Heal())
	for _, r := range c.roles {
		r.proxy.Set(world.Way{})
	}
	for _, p := range c.all() {
		p.Signal(syscall.SIGCONT)
	}
	return errors.Join(errs...)
}

// recovered waits until every role is ready and every client's appends go on.
func (c *Cluster) recovered(ctx context.Context, since time.Time, l *load) error {
	ctx, cancel := context.WithTimeout(ctx, recoverLimit)
	defer cancel()
	for {
		waits := l.waits(since)
		if waits == "" {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: only %s within %v; %s", errViolated, waits, recoverLimit, c.said(ctx))
		}
		// Roles that noticed damage late are dealt with meanwhile.
		if _, err := c.waits(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		pause(ctx, 20*time.Millisecond)
	}
	if err := c.Ready(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", errViolated, err)
		}
		return err
	}
	return nil
}

// said returns the newest line of every process.
func (c *Cluster) said(context.Context) string {
	var lines []string
	for _, p := range c.all() {
		lines = append(lines, p.Name+": "+lastLine(p.SaidSince(0)))
	}
	return strings.Join(lines, "\n")
}
