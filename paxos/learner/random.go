package learner

// random is a splitmix64 generator: its owner passes the seed in, so that a run can be repeated.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number in [0, n), or 0 if n is 0. The bias of the remainder does not matter for jitter.
func (r *random) below(n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return r.next() % n
}
