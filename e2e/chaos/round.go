//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Limits within which a cluster must be well again. Past one, the round is a violation: progress is a promise, too.
const (
	startLimit = 60 * time.Second
	healLimit  = 60 * time.Second
)

// round is one cluster from its founding to the judgement.
type round struct {
	c   *cluster
	l   *load
	rng *rand.Rand
	rep *report
	num int
}

// playRound founds a cluster, does a plan of faults to it, and judges the history. Its error is the harness's own.
func playRound(ctx context.Context, o *options, n *network, rep *report, number int) (err error) {
	rng := rand.New(rand.NewPCG(o.seed, uint64(number)))
	home := number%2 == 1
	dir := filepath.Join(o.work, fmt.Sprintf("round-%d", number))
	rep.round(number, home)
	c, err := newCluster(o, n, dir, home)
	bad := len(rep.Violations)
	defer func() {
		ended := c.end()
		if len(rep.Violations) > bad || err != nil {
			rep.keep(c, o, number)
		}
		if err == nil {
			err = ended
		}
		_ = os.RemoveAll(dir)
	}()
	if err != nil {
		return err
	}
	r := &round{c: c, l: newLoad(c), rng: rng, rep: rep, num: number}
	begin := time.Now()
	if not := r.well(begin, startLimit); not != "" {
		rep.violate(number, "the cluster did not start: "+not)
	} else {
		err = r.play(ctx, o)
	}
	all, found := r.l.finish()
	if err == nil {
		found = append(found, c.sameHash()...)
	}
	told, notes := c.told()
	for _, v := range append(found, told...) {
		rep.violate(number, v)
	}
	rep.note(notes)
	rep.judged(number, all, time.Since(begin))
	return err
}

// play does the plan's faults, one step after the other, as long as there is time.
func (r *round) play(ctx context.Context, o *options) error {
	for _, s := range plan(r.rng, o) {
		if ctx.Err() != nil || time.Now().After(o.deadline) && !s.last {
			break
		}
		well, err := r.step(s)
		if err != nil || !well {
			return err
		}
	}
	return nil
}

// well waits until all that should run is ready and every producer was acknowledged what it tried since a moment. It returns what is
// missing at the limit, or "".
func (r *round) well(since time.Time, limit time.Duration) string {
	var behind, unready []string
	if until(limit, func() bool {
		behind = r.l.behind(since)
		return len(behind) == 0
	}) && until(limit-time.Since(since)+limit/4, func() bool {
		unready = r.c.unready()
		return len(unready) == 0
	}) {
		return ""
	}
	return fmt.Sprintf("after %v: without acknowledgement: %s; not ready: %s",
		time.Since(since).Round(time.Second), strings.Join(behind, " "), strings.Join(r.c.unready(), " "))
}
