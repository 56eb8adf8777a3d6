package harness

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/paxosd/paxosd/e2e/chaos/judge"
)

// Limits of what is waited for.
const (
	startLimit   = time.Minute
	recoverLimit = 90 * time.Second
	settleLimit  = 5 * time.Minute
	linearLimit  = 90 * time.Second
	wordLimit    = 300 // of what a process said, in a problem
)

// settle ends the load, and holds what the logs have to what clients know.
func (l *load) settle(ctx context.Context) (v *judge.Verdict, linear int, counts []judge.Count) {
	l.stop()
	lasted := time.Since(l.started)
	l.producing.Wait()
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	log, err := l.wholeLog(ctx)
	if err != nil {
		v = &judge.Verdict{Acked: l.main.Acked()}
		v.Fail("%v", err)
		return v, 0, nil
	}
	v = l.main.Check(log)
	for _, o := range []*judge.Outcomes{l.patient, l.impatient, l.plain, l.singles} {
		counts = append(counts, o.Judge(l.faults, v))
	}
	enough(l.ops, lasted, v)
	for _, r := range l.c.roles {
		if r.out == "" {
			continue
		}
		if err := r.silent(); err != nil {
			v.Fail("%v", err)
		}
	}
	l.subscribersHave(ctx, v, log)
	linear = l.singleLog(ctx, v)
	// First all learners are level: one that is behind, alone, cannot learn any more what acceptors have forgotten.
	if l.hashes(ctx, v) {
		l.copies(ctx, v, log)
	}
	l.words(v)
	for _, p := range l.problems {
		v.Fail("%s", p)
	}
	return v, linear, counts
}

// wholeLog reads the first log once every role is ready: an interrupted campaign has not waited for that.
func (l *load) wholeLog(ctx context.Context) ([]string, error) {
	if err := l.c.Ready(ctx); err != nil {
		return nil, err
	}
	return l.c.read(ctx, logMain, 1)
}

// subscribersHave waits until every subscriber has the whole log, and compares.
func (l *load) subscribersHave(ctx context.Context, v *judge.Verdict, log []string) {
	for _, r := range l.readers {
		for r.len() < len(log) && ctx.Err() == nil {
			pause(ctx, 20*time.Millisecond)
		}
	}
	l.stopRead()
	l.reading.Wait()
	for _, r := range l.readers {
		if err := judge.Same("the log", log, r.name, r.log, false); err != nil {
			v.Fail("%v", err)
		}
	}
}

// singleLog judges the second log.
func (l *load) singleLog(ctx context.Context, v *judge.Verdict) int {
	log, err := l.c.read(ctx, logSingle, 1)
	if err != nil {
		v.Fail("%v", err)
		return 0
	}
	checked, err := l.ops.Linear(log, linearLimit)
	if err != nil {
		v.Fail("log %s: %v", logSingle, err)
	}
	return checked
}

// copies reads the log from each learner alone. To read all of a damaged store is how the damage comes to light, if nothing else did: such a learner
// ends as it must, and its copy is that of the store in its place.
func (l *load) copies(ctx context.Context, v *judge.Verdict, log []string) {
	for _, r := range l.c.of(learner) {
		err := l.alone(ctx, r, log)
		if err != nil && r.harmed && !r.proc.Runs() {
			if err = l.c.ended(ctx, r); err == nil && l.hashes(ctx, v) {
				err = l.alone(ctx, r, log)
			}
		}
		if err != nil {
			v.Fail("%s alone: %v", r.name, err)
		}
	}
}

// alone reads the log from one learner while the others stand still, for as long as it runs.
func (l *load) alone(ctx context.Context, r *role, log []string) error {
	for _, o := range l.c.of(learner) {
		if o != r {
			o.proc.Signal(syscall.SIGSTOP)
			defer o.proc.Signal(syscall.SIGCONT)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if r.proc.Ends(100 * time.Millisecond) {
				cancel()
			}
		}
	}()
	return l.copyOf(ctx, r, log)
}

// holdsFrom holds the first offset of a learner's copy to where it must be: nothing is ever dropped here, and only a learner whose damaged store
// was replaced may have begun at a checkpoint.
func (r *role) holdsFrom(first uint64) error {
	if first != r.begins {
		return fmt.Errorf("its copy of log %s begins at offset %d, not at %d", logMain, first, r.begins)
	}
	return nil
}

func (l *load) copyOf(ctx context.Context, r *role, log []string) error {
	first, err := r.first(ctx, logMain)
	if err != nil {
		return err
	}
	if err := r.holdsFrom(first); err != nil {
		return err
	}
	own, err := l.c.read(ctx, logMain, first)
	if err != nil {
		return err
	}
	return judge.Same("the log", log[min(first-1, uint64(len(log))):], r.name, own, false)
}

// hashes waits until all learners are through the same slots, and compares their running hashes. It reports whether they ever were.
func (l *load) hashes(ctx context.Context, v *judge.Verdict) (level bool) {
	for ctx.Err() == nil {
		if _, err := l.c.waits(ctx); err != nil && ctx.Err() == nil { // what notices damage only now is dealt with
			v.Fail("%v", err)
			return false
		}
		through, hashes := make(map[string]bool), make(map[string]bool)
		for _, r := range l.c.of(learner) {
			s, ok := r.status(ctx)
			if !ok || len(s.Logs) != 2 {
				through[r.name] = true
				continue
			}
			var t, h strings.Builder
			for _, x := range s.Logs {
				fmt.Fprintf(&t, "%s %d, ", x.Log, x.Through)
				fmt.Fprintf(&h, "%s %s, ", x.Log, x.Hash)
			}
			through[t.String()], hashes[h.String()] = true, true
		}
		if len(through) == 1 {
			if len(hashes) != 1 {
				v.Fail("at slots %v learners have the hashes %v", through, hashes)
			}
			return true
		}
		pause(ctx, 20*time.Millisecond)
	}
	v.Fail("the learners never were at the same slot")
	return false
}

// words looks through what processes said for what none may say.
func (l *load) words(v *judge.Verdict) {
	for _, p := range l.c.all() {
		said := p.SaidSince(0)
		for _, word := range []string{"panic:", "fatal error:", "violated", "diverge"} {
			if i := strings.Index(said, word); i >= 0 {
				v.Fail("%s said: %s", p.Name, said[i:min(len(said), i+wordLimit)])
			}
		}
	}
}
