package node

// requests numbers the requests of one process role. The low byte says which part of the service asked, so that an
// answer finds its way without a table: an unanswered request costs nothing.
type requests struct{ last uint64 }

// asker is a part of a service that makes requests.
type asker uint64

// Parts that make requests.
const (
	askerCore asker = iota + 1 // the role's core
	askerDirectory
	askerFounder
	askerBootstrap
	askerGuard
	askerBeacons
)

// source returns a numbering for one part. All sources of a requests share the loop's goroutine.
func (r *requests) source(a asker) func() uint64 {
	return func() uint64 {
		r.last++
		return r.last<<8 | uint64(a)
	}
}

// askerOf returns the part that made a request.
func askerOf(request uint64) asker { return asker(request & 0xff) }
