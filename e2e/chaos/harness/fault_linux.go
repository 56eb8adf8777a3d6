package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind is a kind of fault. Its name is a word for what and a word for whom.
type Kind struct {
	Name   string
	weight int // how often it is drawn, relative to the others
	least  time.Duration
	most   time.Duration // how long it lasts; 0: as long as it takes
	begin  func(ctx context.Context, c *Cluster, r *rand.Rand) (*active, error)
	alone  bool // it says something only if nothing else happens meanwhile
}

// active is a fault under way.
type active struct {
	what string                          // for people
	end  func(ctx context.Context) error // mends it; nil: nothing is to be mended
}

// done is a fault that needs no mending.
func done(format string, args ...any) (*active, error) {
	return &active{what: fmt.Sprintf(format, args...)}, nil
}

// kinds returns every kind of fault that may come at any time.
func kinds() []Kind {
	var all []Kind
	for _, ks := range [][]Kind{processKinds(), networkKinds(), wayKinds(), diskKinds()} {
		all = append(all, ks...)
	}
	return all
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// two returns two different ones.
func two[T any](r *rand.Rand, from []T) []T {
	i := r.IntN(len(from))
	j := (i + 1 + r.IntN(len(from)-1)) % len(from)
	return []T{from[i], from[j]}
}

// leaderOr returns the leader, or any proposer while nobody says that it leads.
func (c *Cluster) leaderOr(ctx context.Context, r *rand.Rand) *role {
	if l := c.leader(ctx); l != nil {
		return l
	}
	return pick(r, c.of(proposer))
}

// standby returns a proposer that is not the leader.
func (c *Cluster) standby(ctx context.Context, r *rand.Rand) *role {
	l := c.leaderOr(ctx, r)
	for _, p := range c.of(proposer) {
		if p != l {
			return p
		}
	}
	return l
}

// choose returns what returns one role in a position.
type choose func(ctx context.Context, c *Cluster, r *rand.Rand) []*role

func theLeader(ctx context.Context, c *Cluster, r *rand.Rand) []*role {
	return []*role{c.leaderOr(ctx, r)}
}

func aStandby(ctx context.Context, c *Cluster, r *rand.Rand) []*role {
	return []*role{c.standby(ctx, r)}
}

func one(kind roleKind) choose {
	return func(_ context.Context, c *Cluster, r *rand.Rand) []*role { return []*role{pick(r, c.of(kind))} }
}

func twoOf(kind roleKind) choose {
	return func(_ context.Context, c *Cluster, r *rand.Rand) []*role { return two(r, c.of(kind)) }
}

func names(rs []*role) string {
	s := ""
	for i, r := range rs {
		if i > 0 {
			s += " and "
		}
		s += r.name
	}
	return s
}
