package proposer

import "github.com/paxosd/paxosd/paxos"

// random is splitmix64: jitter needs no more, and one seed decides a whole run.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// span returns a span in [0, d).
func (r *random) span(d paxos.Span) paxos.Span {
	if d <= 0 {
		return 0
	}
	return paxos.Span(r.next() % uint64(d))
}
