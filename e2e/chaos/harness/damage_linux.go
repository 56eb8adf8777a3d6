package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// errViolated says that the cluster did what it must not.
var errViolated = errors.New("violated")

// exitCorrupt is the code with which a role ends whose store is damaged.
const exitCorrupt = 3

// Waits around damage.
const (
	noticeLimit = 15 * time.Second // for a role to be ready, or to end, after its store was damaged
	catchUp     = 90 * time.Second // for a learner with an empty folder
)

// damageLearner flips a bit in a learner's store, or cuts a file short. A learner that notices ends and does not come back
// with that store; it starts anew with an empty folder. That happens to one learner of a cluster alone: one with an empty folder begins at a
// checkpoint, and what no learner holds any more nobody can read.
func damageLearner(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	if c.victim == nil {
		c.victim = pick(r, c.of(learner))
	}
	return c.damage(ctx, c.victim, r, c.replaceLearner)
}

// damageAcceptor is the same for an acceptor, which then stays away.
func damageAcceptor(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error) {
	return c.damage(ctx, pick(r, c.of(acceptor)), r, func(_ context.Context, x *role) error {
		x.out = "its store was damaged"
		return nil
	})
}

// damage harms a role's store, starts the role, and calls then if it noticed.
func (c *Cluster) damage(ctx context.Context, x *role, r *rand.Rand, then func(context.Context, *role) error) (*active, error) {
	what, err := x.harm(r)
	if err != nil {
		return nil, err
	}
	noticed, err := x.notices(ctx)
	if err != nil {
		return nil, err
	}
	if !noticed {
		return done("%s of %s, not noticed yet", what, x.name)
	}
	if err := then(ctx, x); err != nil {
		return nil, err
	}
	return done("%s of %s, noticed", what, x.name)
}

// harm kills the role and damages a file of its store.
func (r *role) harm(rng *rand.Rand) (string, error) {
	r.proc.Kill()
	files, err := r.files()
	if err != nil {
		return "", err
	}
	name := pick(rng, files)
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	short, err := filepath.Rel(r.store, name)
	if err != nil {
		return "", err
	}
	r.harmed = true
	at := rng.Int64N(info.Size())
	if rng.IntN(3) == 0 {
		return fmt.Sprintf("cut %s at %d of %d", short, at, info.Size()), os.Truncate(name, at)
	}
	return fmt.Sprintf("flip a bit of %s at %d of %d", short, at, info.Size()), flip(name, at, 1<<rng.IntN(8))
}

func flip(name string, at int64, bit byte) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // what was written is synced below
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= bit
	_, err = f.WriteAt(b[:], at)
	return errors.Join(err, f.Sync())
}

// files returns the files of a store that hold anything. Each kind is as likely as another: there are many tables, and one manifest.
func (r *role) files() ([]string, error) {
	kinds := make(map[string][]string)
	err := filepath.WalkDir(r.store, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "LOCK" || d.Name() == "BALLAST" {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() == 0 {
			return err
		}
		kind := filepath.Ext(d.Name())
		if kind == "" {
			kind, _, _ = strings.Cut(d.Name(), "-")
		}
		kinds[kind] = append(kinds[kind], path)
		return nil
	})
	most := 0
	for _, fs := range kinds {
		most = max(most, len(fs))
	}
	var all []string
	for _, fs := range kinds {
		for i := range most {
			all = append(all, fs[i%len(fs)])
		}
	}
	slices.Sort(all) // a map has no order
	return all, err
}

// whileOpening is in what a role says that could not open its store.
const whileOpening = "open store"

// notices starts a role with a damaged store, and waits until it is ready or ends. A role that ends must say what is damaged, must
// have marked its store, and must end in the same way when it is started again. One that noticed while it opened the store must not have
// been heard of.
func (r *role) notices(ctx context.Context) (bool, error) {
	said := r.proc.Said()
	var err error
	if r.heard, err = r.proxy.Connections(); err != nil {
		return false, err
	}
	if err := r.proc.Start(); err != nil {
		return false, err
	}
	limit, cancel := context.WithTimeout(ctx, noticeLimit)
	defer cancel()
	for r.proc.Runs() {
		if code, _ := r.get(limit, "/readyz"); code == 200 {
			return false, nil
		}
		if limit.Err() != nil {
			return false, nil
		}
		pause(limit, 20*time.Millisecond)
	}
	why := r.proc.SaidSince(said)
	if strings.Contains(why, whileOpening) {
		if err := r.silent(); err != nil {
			return true, err
		}
	}
	return true, r.gaveUp(why)
}

// gaveUp holds a role that ended on a damaged store to how it has to.
func (r *role) gaveUp(said string) error {
	if code := r.proc.Code(); code != exitCorrupt {
		return fmt.Errorf("%w: %s ended with code %d on a damaged store, not %d: %s", errViolated, r.name, code, exitCorrupt, lastLine(said))
	}
	if !strings.Contains(said, "corrupt") || !strings.Contains(said, r.store) {
		return fmt.Errorf("%w: %s does not say what is damaged: %s", errViolated, r.name, lastLine(said))
	}
	r.harmed, r.reason = false, lastLine(said)
	// The store is opened before the broker is looked for: a role that knows of the damage never even connects, and so says nothing to anybody
	// in however long it takes to end.
	var err error
	if r.heard, err = r.proxy.Connections(); err != nil {
		return err
	}
	if err := r.proc.Start(); err != nil {
		return err
	}
	if !r.proc.Ends(noticeLimit) {
		return fmt.Errorf("%w: %s started again on a store that it had found damaged", errViolated, r.name)
	}
	if code := r.proc.Code(); code != exitCorrupt {
		return fmt.Errorf("%w: %s ended with code %d on a store that it had found damaged", errViolated, r.name, code)
	}
	return r.silent()
}

// silent demands that a role has not reached its broker since its store was found damaged.
func (r *role) silent() error {
	n, err := r.proxy.Connections()
	if err != nil {
		return err
	}
	if n != r.heard {
		return fmt.Errorf("%w: %s connected to its broker with a store that it had found damaged", errViolated, r.name)
	}
	return nil
}

// replaceLearner does what docs/operations.md says: an empty folder. It waits until the learner has what the others have, because the loss
// of another one's store meanwhile may be one too many.
func (c *Cluster) replaceLearner(ctx context.Context, r *role) error {
	if err := os.RemoveAll(r.store); err != nil {
		return err
	}
	if err := r.proc.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	want := make(map[string]uint64)
	for _, o := range c.of(learner) {
		if s, ok := o.status(ctx); ok && o != r {
			for _, l := range s.Logs {
				want[l.Log] = max(want[l.Log], l.Through)
			}
		}
	}
	for ctx.Err() == nil {
		s, ok := r.status(ctx)
		behind := !ok || len(s.Logs) < len(want)
		for _, l := range s.Logs {
			behind = behind || l.Through < want[l.Log]
		}
		if !behind {
			var err error
			r.begins, err = r.first(ctx, logMain)
			return err
		}
		pause(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("%w: %s with an empty folder has not caught up within %v", errViolated, r.name, catchUp)
}
