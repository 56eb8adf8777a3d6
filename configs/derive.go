package configs

import "slices"

// derive sets what follows from other keys where it was not given. It refuses nothing: Validate judges the result.
func (c *Config) derive() {
	if len(c.Learners) == 0 {
		c.Learners = slices.Clone(c.Keepers)
	}
	if !c.given("learner.keeper") {
		c.Learner.Keeper = slices.Contains(c.Keepers, c.Learner.Name)
	}
	if c.Node == "" {
		for _, r := range c.Roles() {
			c.Node = c.Name(r)
			break
		}
	}
	c.deriveQuorum()
}

// deriveQuorum fills the sizes that are zero: majorities, more where the other size demands it, and k = max(W, 2). A cluster
// of one acceptor and one keeper is the only one with k = 1.
func (c *Config) deriveQuorum() {
	q, n := &c.Quorum, len(c.Acceptors)
	if n == 0 {
		return
	}
	majority := n/2 + 1
	if q.Write == 0 {
		q.Write = max(majority, n+1-orMax(q.Read, n))
	}
	if q.Read == 0 {
		q.Read = max(majority, n+1-q.Write)
	}
	if q.Keepers == 0 {
		q.Keepers = max(q.Write, 2)
		if n == 1 && len(c.Keepers) == 1 {
			q.Keepers = 1
		}
	}
}

// orMax stands for a size that was not given: it then demands nothing of the other.
func orMax(size, n int) int {
	if size == 0 {
		return n
	}
	return size
}

// given reports whether some source set the key.
func (c *Config) given(key string) bool { return c.sources[key].Kind != SourceDefault }
