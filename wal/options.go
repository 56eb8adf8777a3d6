package wal

import (
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/paxosd/paxosd/paxos"
)

// Defaults of a store. Each can be set in Options.
const (
	// DefaultMemTableBytes is small enough that the engine soon writes over log files and memory it had before: new ones cost the kernel
	// more than what is written into them.
	DefaultMemTableBytes = 32 << 20
	// DefaultVotesMemTableBytes is the same for an acceptor, and large enough that most of what it writes is trimmed before it would be
	// flushed: under load what is stable comes about 12 MiB behind.
	DefaultVotesMemTableBytes = 48 << 20
	// DefaultCacheBytes holds index blocks and what readers share.
	DefaultCacheBytes = 32 << 20
	// DefaultSpareLogs is about as many log files as the engine begins before it uses its own again.
	DefaultSpareLogs = 4
	// DefaultBallastBytes leaves room to reopen a store on a full disk (PROTOCOL K5).
	DefaultBallastBytes = 256 << 20
	// DefaultHighWaterBytes is the size of an acceptor's store above which it takes no new batches (PROTOCOL K5).
	DefaultHighWaterBytes = 8 << 30
	// DefaultMinFreePercent is the share of the disk below which the store counts as full (PROTOCOL K5).
	DefaultMinFreePercent = 10
)

// Options says how a store is opened. The zero value of each field means what its comment says.
type Options struct {
	// FS is the file system; nil: the operating system's.
	FS vfs.FS

	// Rand gives a new store its incarnation; nil: crypto/rand.
	Rand io.Reader

	// OnFatal is told of a failed write, a failed sync or a corrupt read and must end the process, or never return
	// (PROTOCOL A8). It may be called from any goroutine, from several, and with locks of the store and of the engine
	// held, so it must call neither, and not runtime.Goexit. If it returns, or is nil, the goroutine panics with the error.
	OnFatal func(error)

	// Info is told what the storage engine says of its flushes and compactions; nil: nobody.
	Info func(format string, args ...any)

	// Committed is told of each group made durable, from one goroutine, in order; nil: nobody.
	Committed func(Commit)

	MemTableBytes  uint64 // 0: DefaultMemTableBytes, of an acceptor DefaultVotesMemTableBytes
	CacheBytes     int64  // 0: DefaultCacheBytes
	BallastBytes   uint64 // 0: no ballast file
	SpareLogs      int    // log files made beforehand for a new store, and as many old ones kept for the next start; 0: none
	HighWaterBytes uint64 // size of the store above which Space says full; 0: no such limit
	MinFreePercent uint64 // share of the disk below which Space says full; 0: no such limit
}

// Commit describes one group: what one sync covered.
type Commit struct {
	Written  uint64        // its write number
	Records  int           // records in it, over all logs
	Bytes    int           // bytes handed to the storage engine
	Waited   time.Duration // from the first Submit to the hand-over
	Duration time.Duration // from the hand-over until it was durable
}

func (o *Options) fill(role paxos.Role) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = DefaultMemTableBytes
		if role == paxos.RoleAcceptor {
			o.MemTableBytes = DefaultVotesMemTableBytes
		}
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
}

// Want names the store that the caller expects to find or to create.
type Want struct {
	Cluster string
	Owner   string // the node's name
}

// Identity is what a store is, for its whole life (PROTOCOL section 8, "Stores").
type Identity struct {
	Format      uint32
	Cluster     string
	Owner       string
	Role        paxos.Role
	Incarnation paxos.Incarnation
}
